//! Signing and verifying over the ledger's own texts (`log::certificate`), with one acceptance set.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use malachite_app::app::types::PeerId;
use malachite_app::app::types::core::{NilOrVal, Round, SignedMessage, ValidatorProof, VoteExtensionScope, VoteType};
use malachite_signing::{Error, VerificationResult, Verifier};

use super::context::{Ledger, Proposal, Vote};
use super::last_signed::{LastSigned, Moment, SignError, Step};
use super::level::{Level, Stand};
use crate::core::hash::Hash;
use crate::core::key::{PublicKey, SecretKey};
use crate::log::certificate::{self, peer_text, proposal_text, vote_text};

/// The text of a vote; `None` for a nil round, which is never signed.
pub fn text_of_vote(origin: &str, vote: &Vote) -> Option<String> {
    let step = match vote.step {
        VoteType::Prevote => certificate::Step::Prevote,
        VoteType::Precommit => certificate::Step::Precommit,
    };
    let block = match &vote.block {
        NilOrVal::Nil => None,
        NilOrVal::Val(hash) => Some(hash),
    };
    Some(vote_text(origin, step, vote.height.0, vote.round.as_u32()?, block))
}

/// The text of a proposal; `None` for a nil round.
pub fn text_of_proposal(origin: &str, proposal: &Proposal) -> Option<String> {
    Some(proposal_text(origin, proposal.height.0, proposal.round.as_u32()?, proposal.valid_round.as_u32(), &proposal.block))
}

/// Checks signatures for the engine.
#[derive(Clone, Debug)]
pub struct Checker {
    pub origin: Arc<str>,
}

impl Checker {
    pub fn is_signed_vote(&self, vote: &Vote, signature: &[u8; 64], key: &PublicKey) -> bool {
        text_of_vote(&self.origin, vote).is_some_and(|text| key.verifies(text.as_bytes(), signature))
    }

    pub fn is_signed_proposal(&self, proposal: &Proposal, signature: &[u8; 64], key: &PublicKey) -> bool {
        text_of_proposal(&self.origin, proposal).is_some_and(|text| key.verifies(text.as_bytes(), signature))
    }
}

#[async_trait]
impl Verifier<Ledger> for Checker {
    async fn verify_signed_vote(&self, vote: &Vote, signature: &[u8; 64], key: &PublicKey) -> Result<VerificationResult, Error> {
        Ok(VerificationResult::from_bool(self.is_signed_vote(vote, signature, key)))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &[u8; 64],
        key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        Ok(VerificationResult::from_bool(self.is_signed_proposal(proposal, signature, key)))
    }

    async fn verify_signed_vote_extension(
        &self,
        _scope: &VoteExtensionScope<Ledger>,
        _extension: &(),
        _signature: &[u8; 64],
        _key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        Ok(VerificationResult::Invalid)
    }

    async fn verify_validator_proof(&self, proof: &ValidatorProof<Ledger>) -> Result<VerificationResult, Error> {
        let key = proof.public_key.as_slice().try_into().ok().and_then(|bytes| PublicKey::from_bytes(bytes).ok());
        let peer = PeerId::from_bytes(&proof.peer_id).ok();
        let is_valid =
            key.zip(peer).is_some_and(|(key, peer)| key.verifies(peer_text(&self.origin, &peer.to_string()).as_bytes(), &proof.signature));
        Ok(VerificationResult::from_bool(is_valid))
    }
}

/// Signs for the engine and the driver, noting each message before its signature is made.
#[derive(Clone)]
pub struct Signer {
    inner: Arc<Inner>,
}

struct Inner {
    origin: Arc<str>,
    key: SecretKey,
    last: Mutex<LastSigned>,
    level: Arc<Level>,
    has_refused: AtomicBool,
}

impl Signer {
    pub fn new(origin: Arc<str>, key: SecretKey, last: LastSigned, level: Arc<Level>) -> Self {
        Signer { inner: Arc::new(Inner { origin, key, last: Mutex::new(last), level, has_refused: AtomicBool::new(false) }) }
    }

    pub fn public(&self) -> PublicKey {
        self.inner.key.public()
    }

    /// The height of the last signed message.
    pub fn height(&self) -> u64 {
        self.inner.last.lock().expect("no holder panics").height()
    }

    /// Whether it is unknown what was signed last: nothing is signed then.
    pub fn is_unknown(&self) -> bool {
        self.inner.last.lock().expect("no holder panics").is_unknown()
    }

    /// See [`LastSigned::forget`]. Blocking.
    ///
    /// # Errors
    /// [`SignError::Io`].
    pub fn forget(&self) -> Result<(), SignError> {
        self.inner.last.lock().expect("no holder panics").forget()
    }

    /// See [`LastSigned::settle`]. Blocking.
    ///
    /// # Errors
    /// [`SignError::Io`].
    pub fn settle(&self, height: u64) -> Result<(), SignError> {
        self.inner.last.lock().expect("no holder panics").settle(height)
    }

    /// Whether a precommit of `height` and `round` is at or below what was signed last.
    pub fn knows_precommit(&self, height: u64, round: u32) -> bool {
        self.inner.last.lock().expect("no holder panics").moment() >= Moment { height, round, step: Step::Precommit }
    }

    /// Whether a signature was refused since the last [`Signer::take_refused`].
    pub fn has_refused(&self) -> bool {
        self.inner.has_refused.load(Ordering::SeqCst)
    }

    /// Whether a signature was refused since the last call.
    pub fn take_refused(&self) -> bool {
        self.inner.has_refused.swap(false, Ordering::SeqCst)
    }

    /// The signature over a proposal's parts. Not noted: the proposal itself is what binds.
    pub fn sign_parts(&self, height: u64, round: u32, valid_round: Option<u32>, block: &Hash) -> [u8; 64] {
        self.inner.key.sign(certificate::parts_text(&self.inner.origin, height, round, valid_round, block).as_bytes())
    }

    /// The proof that `peer` is this validator's.
    pub fn sign_peer(&self, peer: &PeerId) -> ValidatorProof<Ledger> {
        let signature = self.inner.key.sign(peer_text(&self.inner.origin, &peer.to_string()).as_bytes());
        ValidatorProof::new(self.public().as_bytes().to_vec(), peer.to_bytes(), signature)
    }

    async fn sign(&self, height: u64, round: Round, step: Step, text: Option<String>) -> Result<[u8; 64], Error> {
        let inner = Arc::clone(&self.inner);
        if inner.level.heard().await == Stand::Behind {
            tracing::warn!(height, "nothing was signed: this validator is behind the others");
            inner.has_refused.store(true, Ordering::SeqCst);
            return Err(Error::from_source("behind the others"));
        }
        let signing = move || {
            let (round, text) = round.as_u32().zip(text).ok_or_else(|| Error::from_source("a message without a round"))?;
            #[cfg(feature = "test-faults")]
            if crate::consensus::faults::is_unguarded() {
                return Ok(inner.key.sign(text.as_bytes()));
            }
            let noted = inner.last.lock().expect("no holder panics").note(Moment { height, round, step }, &text);
            if let Err(error) = noted {
                tracing::error!(%error, "nothing was signed");
                if matches!(error, SignError::Contradiction { .. }) {
                    inner.has_refused.store(true, Ordering::SeqCst);
                }
                return Err(Error::from_source(error));
            }
            #[cfg(feature = "test-faults")]
            crate::consensus::faults::tell_signed(&text);
            Ok(inner.key.sign(text.as_bytes()))
        };
        #[cfg(feature = "test-faults")]
        if crate::consensus::clock::simulated::is_on() {
            return signing();
        }
        tokio::task::spawn_blocking(signing).await.map_err(Error::from_source)?
    }
}

#[cfg(feature = "test-faults")]
fn altered(mut vote: Vote) -> Vote {
    if vote.step == VoteType::Precommit && crate::consensus::faults::precommits_nil(vote.round.as_u32()) {
        vote.block = NilOrVal::Nil;
    }
    vote
}

#[async_trait]
impl malachite_signing::Signer<Ledger> for Signer {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedMessage<Ledger, Vote>, Error> {
        let step = match vote.step {
            VoteType::Prevote => Step::Prevote,
            VoteType::Precommit => Step::Precommit,
        };
        #[cfg(feature = "test-faults")]
        let vote = altered(vote);
        let text = text_of_vote(&self.inner.origin, &vote);
        let signature = self.sign(vote.height.0, vote.round, step, text).await?;
        #[cfg(feature = "test-faults")]
        super::two_votes::signed(&self.inner.origin, &self.inner.key, &vote);
        Ok(SignedMessage::new(vote, signature))
    }

    async fn sign_proposal(&self, proposal: Proposal) -> Result<SignedMessage<Ledger, Proposal>, Error> {
        let text = text_of_proposal(&self.inner.origin, &proposal);
        let signature = self.sign(proposal.height.0, proposal.round, Step::Proposal, text).await?;
        Ok(SignedMessage::new(proposal, signature))
    }

    async fn sign_vote_extension(&self, _scope: VoteExtensionScope<Ledger>, _extension: ()) -> Result<SignedMessage<Ledger, ()>, Error> {
        Err(Error::from_source("vote extensions are off"))
    }

    /// The driver makes the one proof that is sent, over the ledger's text.
    async fn sign_validator_proof(&self, _key: Vec<u8>, peer: Vec<u8>) -> Result<ValidatorProof<Ledger>, Error> {
        PeerId::from_bytes(&peer).map(|peer| self.sign_peer(&peer)).map_err(|_| Error::from_source("not a peer id"))
    }
}
