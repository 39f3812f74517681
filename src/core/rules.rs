//! Admission: one pure function decides on every node whether a record may stand at its place.

use crate::core::hash::Hash;
use crate::core::key::{Role, VerifierKey};
use crate::core::policy::Policy;
use crate::core::record::Record;
use crate::core::refusal::Refusal;
use crate::core::state::{Changes, Rows};
use crate::core::time::Time;
use crate::core::validators::ValidatorSet;

/// Where a record would stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockContext {
    pub height: u64,
    /// The record's own position.
    pub position: u64,
    /// The block's time.
    pub time: Time,
    /// The rule set in force.
    pub rules: u64,
}

/// The rows that `record` writes at its place, or why it is refused.
///
/// # Errors
/// The codes of status 403 and 409.
pub fn apply(_state: &dyn Rows, _record: &Record, _block: &BlockContext) -> Result<Changes, Refusal> {
    todo!()
}

/// The position of a committed record with this id.
pub fn position_of(_state: &dyn Rows, _id: &Hash) -> Option<u64> {
    todo!()
}

/// An agency as the state knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyState {
    /// As spelled on the ledger.
    pub id: String,
    /// Of the record that admitted it; 0 for an agency of the genesis file.
    pub position: u64,
    /// `active`, later also `suspended` and `retired`.
    pub status: String,
}

/// A key as the register knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyState {
    pub vkey: VerifierKey,
    pub agency: String,
    pub role: Role,
    /// Position of the record that brought it; `None` for a key of the genesis file.
    pub from: Option<u64>,
    /// Position of the record that replaced or revoked it, up to and including which it is trusted.
    pub until: Option<u64>,
}

/// What a committed record is about, for indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    /// The writer and the other party, as spelled on the ledger, none repeated.
    pub agencies: Vec<String>,
    pub datasets: Vec<String>,
    pub duties: Vec<String>,
    /// The request that a share record belongs to.
    pub request: Option<Hash>,
}

/// The agency with this id, under ASCII case folding.
pub fn agency(_state: &dyn Rows, _id: &str) -> Option<AgencyState> {
    todo!()
}

/// All keys that an agency ever had, ascending by vkey.
pub fn agency_keys(_state: &dyn Rows, _id: &str) -> Vec<KeyState> {
    todo!()
}

/// The register's entry of a verifier key.
pub fn key(_state: &dyn Rows, _vkey: &str) -> Option<KeyState> {
    todo!()
}

/// What `record` is about; `state` holds the rows after it.
pub fn subjects(_state: &dyn Rows, _record: &Record) -> Subjects {
    todo!()
}

/// The policy after the newest applied block.
pub fn policy(_state: &dyn Rows) -> Policy {
    todo!()
}

/// The validator set that judges `height`.
pub fn validator_set(_state: &dyn Rows, _height: u64) -> ValidatorSet {
    todo!()
}
