//! The limits in force, as the body of `policy.set` and the genesis file give them.

use crate::core::json::Value;
use crate::core::refusal::Refusal;

/// A checked policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub authority_threshold: u64,
    pub block_bytes_max: u64,
    pub block_drift_ms: u64,
    pub block_records_max: u64,
    pub checkpoint_ms: u64,
    pub heartbeat_ms: u64,
    pub record_age_ms_max: u64,
    pub rules: u64,
    pub unreviewed_requestable: bool,
    pub utc_offset_minutes: u64,
    pub test_clock: bool,
    /// The whole body, working-day limits and extensions included.
    pub body: Value,
}

impl Policy {
    /// # Errors
    /// `field-missing`, `field-unknown`, `field-invalid`.
    pub fn from_value(_value: &Value) -> Result<Self, Refusal> {
        todo!()
    }
}
