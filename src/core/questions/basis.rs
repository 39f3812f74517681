//! Refusals without a basis or against the catalogue, and withheld entries without their bar.

use crate::core::book::facts::{AgencyNo, DatasetNo};
use crate::core::clocks::Moment;

/// What is wrong with a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No legal basis is named.
    NoBasis,
    /// The catalogue calls the data unconditional.
    Unconditional,
    /// The reason is that the law withholds them, and the catalogue does not say so.
    NotWithheld,
}

/// A refusal that lacks something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Position of the answer.
    pub answer: u64,
    pub request: u64,
    pub provider: AgencyNo,
    pub requester: AgencyNo,
    pub datasets: Vec<DatasetNo>,
    pub faults: Vec<Fault>,
}

/// The answer to the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    pub refusals: Vec<Refusal>,
    /// Withheld entries of the catalogue without a bar: dataset and position of its newest version.
    pub unbarred: Vec<(DatasetNo, u64)>,
}

pub fn basis(moment: &Moment<'_>) -> Basis {
    todo!()
}
