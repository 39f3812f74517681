//! Purpose and term: what goes beyond what was granted.

use crate::core::book::facts::AgencyNo;
use crate::core::clocks::Moment;

/// A grant with its parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    pub grant: u64,
    pub provider: AgencyNo,
    pub requester: AgencyNo,
}

/// The answer to the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurposeAndTerm {
    /// Over, delivered under, and not disposed of.
    pub undisposed: Vec<Granted>,
    /// Deliveries on days outside the grant's term: position of the delivery, and the grant.
    pub outside_term: Vec<(u64, Granted)>,
    /// Reports of use, with the place in `counts` of a purpose that is neither the request's nor one of the datasets'.
    pub off_purpose: Vec<(u64, usize, Granted)>,
}

pub fn purpose_and_term(moment: &Moment<'_>) -> PurposeAndTerm {
    todo!()
}
