//! The types that the engine is generic over: heights, addresses, votes, proposals, parts, and a height's validators.
//!
//! The engine's value is the block hash alone: votes, proposals and its WAL stay small, and the driver keeps the bodies.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use malachite_app::app::types::core;
use malachite_app::app::types::core::{LinearTimeouts, NilOrVal, Round, SignedExtension, VoteType};

use crate::core::hash::{Hash, to_hex};
use crate::core::key::PublicKey;
use crate::core::validators::ValidatorSet;

/// The one instance of the engine's generics.
#[derive(Clone, Debug)]
pub struct Ledger;

/// A block's number, from 1; 0 is the genesis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(pub u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::Height for Height {
    const ZERO: Self = Height(0);
    const INITIAL: Self = Height(1);

    fn increment_by(&self, n: u64) -> Self {
        Height(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Height)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// A validator's address: the bytes of its consensus key. From the wire it may be any bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 32]);

impl From<&PublicKey> for Address {
    fn from(key: &PublicKey) -> Self {
        Address(*key.as_bytes())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0[..8]))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::Address for Address {}

impl core::Value for Hash {
    type Id = Hash;

    fn id(&self) -> Hash {
        *self
    }
}

/// Ed25519 in the ledger's one acceptance set; secret keys stay with our signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme;

impl core::SigningScheme for Scheme {
    type DecodingError = &'static str;
    type Signature = [u8; 64];
    type PublicKey = PublicKey;
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<[u8; 64], &'static str> {
        bytes.try_into().map_err(|_| "a signature has 64 bytes")
    }

    fn encode_signature(signature: &[u8; 64]) -> Vec<u8> {
        signature.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, &'static str> {
        let bytes = bytes.try_into().map_err(|_| "a public key has 32 bytes")?;
        PublicKey::from_bytes(bytes).map_err(|_| "not a public key of prime order")
    }

    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        key.as_bytes().to_vec()
    }
}

/// One validator of a height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub agency: String,
    pub address: Address,
    pub key: PublicKey,
    pub power: u64,
}

impl core::Validator<Ledger> for Member {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn voting_power(&self) -> u64 {
        self.power
    }
}

/// The validators of one height, with the order in which they propose at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    members: Arc<[Member]>,
    /// Indexes into `members`: who proposes in round 0, 1, ...; every member once.
    order: Arc<[usize]>,
}

impl Members {
    /// `order` names every member of `set` once, by index.
    pub fn new(set: &ValidatorSet, order: Vec<usize>) -> Self {
        let member = |member: &crate::core::validators::Member| Member {
            agency: member.agency.clone(),
            address: Address::from(&member.consensus),
            key: member.consensus,
            power: member.power,
        };
        Members { members: set.members().iter().map(member).collect(), order: order.into() }
    }

    pub fn by_address(&self, address: &Address) -> Option<&Member> {
        self.members.iter().find(|member| member.address == *address)
    }

    /// Who proposes in `round`.
    pub fn proposer(&self, round: u32) -> &Member {
        let turn = usize::try_from(round).unwrap_or(usize::MAX) % self.order.len();
        &self.members[self.order[turn]]
    }
}

impl core::ValidatorSet<Ledger> for Members {
    fn count(&self) -> usize {
        self.members.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.members.iter().map(|member| member.power).sum()
    }

    fn get_by_address(&self, address: &Address) -> Option<&Member> {
        self.by_address(address)
    }

    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.members.get(index)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    pub step: VoteType,
    pub height: Height,
    pub round: Round,
    pub block: NilOrVal<Hash>,
    pub voter: Address,
}

/// Vote extensions are off: a vote never carries one, and the codec refuses one.
impl core::Vote<Ledger> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<Hash> {
        &self.block
    }

    fn take_value(self) -> NilOrVal<Hash> {
        self.block
    }

    fn vote_type(&self) -> VoteType {
        self.step
    }

    fn validator_address(&self) -> &Address {
        &self.voter
    }

    fn extension(&self) -> Option<&SignedExtension<Ledger>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Ledger>> {
        None
    }

    fn extend(self, _extension: SignedExtension<Ledger>) -> Self {
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub height: Height,
    pub round: Round,
    pub block: Hash,
    /// Nil for a fresh proposal.
    pub valid_round: Round,
    pub proposer: Address,
}

impl core::Proposal<Ledger> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &Hash {
        &self.block
    }

    fn take_value(self) -> Hash {
        self.block
    }

    fn pol_round(&self) -> Round {
        self.valid_round
    }

    fn validator_address(&self) -> &Address {
        &self.proposer
    }
}

/// Which proposal a stream of parts carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init {
    pub height: Height,
    pub round: u32,
    /// `None` for a fresh proposal.
    pub valid_round: Option<u32>,
    pub proposer: Address,
}

/// One part of a proposal: first `Init`, then the body in pieces, last the round's proposer's signature over `parts_text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Init(Init),
    Body(Bytes),
    Fin([u8; 64]),
}

impl core::ProposalPart<Ledger> for Part {
    fn is_first(&self) -> bool {
        matches!(self, Part::Init(_))
    }

    fn is_last(&self) -> bool {
        matches!(self, Part::Fin(_))
    }
}

impl core::Context for Ledger {
    type Address = Address;
    type Height = Height;
    type ProposalPart = Part;
    type Proposal = Proposal;
    type Validator = Member;
    type ValidatorSet = Members;
    type Timeouts = LinearTimeouts;
    type Value = Hash;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Scheme;

    fn select_proposer<'a>(&self, members: &'a Members, _height: Height, round: Round) -> &'a Member {
        members.proposer(round.as_u32().unwrap_or(0))
    }

    fn new_proposal(&self, height: Height, round: Round, block: Hash, valid_round: Round, proposer: Address) -> Proposal {
        Proposal { height, round, block, valid_round, proposer }
    }

    fn new_prevote(&self, height: Height, round: Round, block: NilOrVal<Hash>, voter: Address) -> Vote {
        Vote { step: VoteType::Prevote, height, round, block, voter }
    }

    fn new_precommit(&self, height: Height, round: Round, block: NilOrVal<Hash>, voter: Address) -> Vote {
        Vote { step: VoteType::Precommit, height, round, block, voter }
    }
}
