//! Who gives what to whom, under what law, until when.

use crate::core::book::facts::{AgencyNo, DatasetNo, DutyNo};
use crate::core::clocks::Moment;
use crate::core::time::Day;

/// One dataset of a grant that is not over. The law, purpose and titles stand in the records named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    pub provider: AgencyNo,
    pub requester: AgencyNo,
    pub dataset: DatasetNo,
    /// Position of the dataset's newest version.
    pub published: u64,
    pub duty: DutyNo,
    /// Position of the request: legal bases and purpose.
    pub request: u64,
    pub grant: u64,
    /// The last day of the term.
    pub until: Option<Day>,
    pub suspended: bool,
    pub deliveries: u64,
}

/// In order of the grants.
pub fn public_view(moment: &Moment<'_>) -> Vec<Sharing> {
    todo!()
}
