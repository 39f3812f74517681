//! What a territory is asked for again, and what came back to it.

use crate::core::book::facts::{AgencyNo, DatasetNo};
use crate::core::clocks::Moment;

/// An item of a notice that somebody holds or asked for already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// Place in the notice's `items`.
    pub item: usize,
    /// A dataset of the catalogue that holds an item of this name.
    pub dataset: Option<DatasetNo>,
    /// Position of an earlier notice of another agency that asks for it.
    pub notice: Option<u64>,
}

/// A notice of collection to the territory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    pub notice: u64,
    pub by: AgencyNo,
    pub items: usize,
    pub repeated: Vec<Repeated>,
}

/// A request for backflow by an agency of the territory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backflow {
    pub request: u64,
    pub requester: AgencyNo,
    pub provider: AgencyNo,
    /// Position of the first delivery.
    pub delivery: Option<u64>,
    /// Working days from the request to the delivery or, without one, to the moment or the refusal.
    pub days: u64,
    /// Refused or withdrawn.
    pub ended: bool,
}

/// The answer to the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Burden {
    pub collections: Vec<Collection>,
    pub backflows: Vec<Backflow>,
}

/// For the territory whose codes begin with `territory`. A notice concerns it that is addressed to a part of it or to
/// something that it is a part of.
pub fn burden(moment: &Moment<'_>, territory: &str) -> Burden {
    todo!()
}
