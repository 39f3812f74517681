//! The health of the catalogue.

use crate::core::book::facts::{DatasetNo, DutyNo};
use crate::core::clocks::Moment;
use crate::core::time::Day;

/// The answer to the question. Datasets are those in the catalogue at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueCheck {
    /// Neither published anew nor delivered within the period of its update frequency: with the day of the last of both.
    pub stale: Vec<(DatasetNo, Day)>,
    /// Conditional without conditions or purposes.
    pub unconditioned: Vec<DatasetNo>,
    /// Without a duty, or naming a retired one.
    pub dutiless: Vec<DatasetNo>,
    pub never_delivered: Vec<DatasetNo>,
    /// Retired datasets with the position of a grant that is not over.
    pub retired_granted: Vec<(DatasetNo, u64)>,
    /// Duties of the same title in one territory, claimed by two agencies.
    pub claimed_twice: Vec<(DutyNo, DutyNo)>,
    /// Duties delegated down, with a dataset of the delegated duty that their agency holds no grant of.
    pub delegated_without_data: Vec<(DutyNo, DatasetNo)>,
    /// Grants under which data came and whose requester reported no use.
    pub never_used: Vec<u64>,
}

pub fn catalogue_check(moment: &Moment<'_>) -> CatalogueCheck {
    todo!()
}
