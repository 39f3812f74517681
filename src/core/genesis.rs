//! The genesis file: the first agencies, validators, policy and calendars. Its SHA-256 is what people pin.

use std::sync::Arc;

use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::key::{PublicKey, Role};
use crate::core::policy::Policy;
use crate::core::refusal::Refusal;
use crate::core::state::Changes;
use crate::core::time::Time;
use crate::core::validators::ValidatorSet;

/// A validator with what its peers need to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    /// Multiaddresses of the engine's port, without the peer id.
    pub addresses: Vec<String>,
    pub agency: String,
    pub consensus: PublicKey,
    pub cosigner: PublicKey,
    /// Peer id in base58btc, one for both swarms.
    pub peer: String,
    pub power: u64,
    pub publication: PublicKey,
    /// Multiaddresses of the record swarm, without the peer id.
    pub records: Vec<String>,
}

/// An agency of the genesis file; its keys are bare public keys, from which the vkeys follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisAgency {
    pub id: String,
    pub keys: Vec<(Role, PublicKey)>,
    /// All members but `keys`, as in the body of agency.admit.
    pub body: Value,
}

/// A checked genesis file.
#[derive(Clone, Debug)]
pub struct Genesis {
    pub bytes: Arc<[u8]>,
    pub hash: Hash,
    pub origin: String,
    pub name: String,
    pub created: Time,
    pub agencies: Vec<GenesisAgency>,
    pub calendars: Vec<Value>,
    pub policy: Policy,
    pub validators: Vec<Validator>,
}

impl Genesis {
    /// # Errors
    /// The codes of status 400, naming the member.
    pub fn parse(_bytes: &[u8]) -> Result<Self, Refusal> {
        todo!()
    }

    /// The set of heights 1 and 2, and until a change.
    pub fn validator_set(&self) -> ValidatorSet {
        todo!()
    }

    /// The rows that the state starts with; part of no block's changes. state(0) is the genesis hash itself.
    pub fn rows(&self) -> Changes {
        todo!()
    }
}
