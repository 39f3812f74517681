//! Promises that are not kept.

use crate::core::book::facts::{AgencyNo, DatasetNo};
use crate::core::book::period::Period;
use crate::core::clocks::{Moment, Obligation};

/// A delivery and its parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub delivery: u64,
    pub grant: u64,
    pub dataset: DatasetNo,
    pub period: Option<Period>,
    pub provider: AgencyNo,
    pub requester: AgencyNo,
    /// Position of the receipt, if there is one.
    pub receipt: Option<u64>,
}

/// The answer to the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    /// Agreed and not delivered: the open obligations to deliver.
    pub undelivered: Vec<Obligation>,
    /// Delivered without a receipt.
    pub unacknowledged: Vec<Delivered>,
    /// Receipts whose commitment or count differs, and nothing mended it since.
    pub mismatched: Vec<Delivered>,
}

pub fn promises(moment: &Moment<'_>) -> Promises {
    todo!()
}
