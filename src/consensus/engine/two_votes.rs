//! The fault `two-votes`: for each prevote of a block this validator also signs one for none, and sends that to all in place
//! of its precommit. Nothing of it is in its own log, whose entry of the precommit is encoded before the message.

use std::sync::Mutex;

use malachite_app::app::consensus::SignedConsensusMsg;
use malachite_app::app::types::core::{NilOrVal, SignedMessage, VoteType};

use super::context::{Ledger, Vote};
use super::signing::text_of_vote;
use crate::core::key::SecretKey;

/// The second vote, and how often the precommit after it was encoded.
static SECOND: Mutex<Option<(SignedMessage<Ledger, Vote>, usize)>> = Mutex::new(None);

/// The validator has signed `vote`.
pub fn signed(origin: &str, key: &SecretKey, vote: &Vote) {
    if !crate::consensus::faults::votes_twice() || vote.step != VoteType::Prevote || vote.block.is_nil() {
        return;
    }
    let second = Vote { block: NilOrVal::Nil, ..vote.clone() };
    if let Some(text) = text_of_vote(origin, &second) {
        let signature = key.sign(text.as_bytes());
        *SECOND.lock().expect("no holder panics") = Some((SignedMessage::new(second, signature), 0));
    }
}

/// What is encoded in place of `message`, if anything.
pub fn in_place_of(message: &SignedConsensusMsg<Ledger>) -> Option<SignedConsensusMsg<Ledger>> {
    let SignedConsensusMsg::Vote(vote) = message else {
        return None;
    };
    let mut held = SECOND.lock().expect("no holder panics");
    let (second, encoded) = held.as_mut()?;
    let place = |vote: &Vote| (vote.height, vote.round, vote.voter);
    if vote.message.step != VoteType::Precommit || place(&vote.message) != place(&second.message) {
        return None;
    }
    *encoded += 1;
    (*encoded == 2).then(|| {
        tracing::warn!(height = %second.message.height, "voting twice");
        SignedConsensusMsg::Vote(second.clone())
    })
}
