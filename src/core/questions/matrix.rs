//! The line x territory matrix of a period, for providers and for requesters, and the flow between them.
//!
//! An event counts where its agency belonged when the event was committed. Both tables count the same events, by provider and
//! by requester; adding them would count each twice.

use std::collections::BTreeMap;

use crate::core::clocks::Moment;
use crate::core::time::Time;

/// Which matrix is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Included.
    pub from: Time,
    /// Not included.
    pub to: Time,
    /// Digits that a territory code is cut to: 12, 9, 6 or 4.
    pub digits: usize,
}

/// A cell's place. An agency without line or territory stands under the empty text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub line: String,
    pub territory: String,
}

/// The columns. Requests and what became of them are those filed in the period, promises those of answers in the period,
/// deliveries those committed in the period; what became of them is seen from the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datasets in the catalogue at the end of the period; the requester's side has none.
    pub catalogued: u64,
    pub requests: u64,
    pub answered: u64,
    pub on_time: u64,
    pub refused: u64,
    /// Working days from request to answer; of an even number the lower of the middle two. No sum.
    pub median_days: Option<u64>,
    /// Granted datasets.
    pub promised: u64,
    pub delivered: u64,
    pub matched: u64,
    pub corrections: u64,
    /// Requests of sort backflow.
    pub backflow: u64,
    /// Requests without an answer, and granted datasets without a delivery that nothing stopped.
    pub open: u64,
}

/// Deliveries between two lines, by how provider and requester stand to each other: the first that holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    pub same_territory: u64,
    /// To a territory that holds the provider's.
    pub up: u64,
    /// To a part of the provider's territory.
    pub down: u64,
    /// Between territories of which neither holds the other, along one line.
    pub same_line: u64,
    /// Likewise, across lines.
    pub diagonal: u64,
    /// One of both has no territory.
    pub outside: u64,
}

/// The answer to the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    pub providers: BTreeMap<Place, Counts>,
    pub requesters: BTreeMap<Place, Counts>,
    /// By provider's and requester's line.
    pub flows: BTreeMap<(String, String), Flow>,
}

pub fn matrix(moment: &Moment<'_>, frame: &Frame) -> Matrix {
    todo!()
}
