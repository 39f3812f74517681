//! Admission: one pure function decides on every node whether a record may stand at its place.

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
pub fn position_of(_state: &dyn Rows, _id: &crate::core::hash::Hash) -> Option<u64> {
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
