//! The questions of DOMAIN.md as pure functions of the book at a moment. Answers name records by position, agencies,
//! datasets and duties by number; texts are for the caller to read.

pub mod basis;
pub mod burden;
pub mod catalogue;
pub mod matrix;
pub mod promises;
pub mod public_view;
pub mod purpose;
#[cfg(test)]
mod tests;
pub mod work;

use crate::core::book::facts::{DatasetNo, Grant, Version};
use crate::core::clocks::Moment;
use crate::core::time::day_number_of;

/// The datasets in the catalogue, each at its newest version.
fn catalogued<'a>(moment: &'a Moment<'_>) -> impl Iterator<Item = (DatasetNo, &'a Version)> {
    let present = moment.book.datasets.iter().zip(0..).filter(|(dataset, _)| !dataset.retired.seen(moment.as_of));
    present.filter_map(|(_, number)| Some((DatasetNo(number), moment.book.version(DatasetNo(number), moment.as_of)?)))
}

/// Whether a grant was ended, or the day is past its term.
fn is_over(moment: &Moment<'_>, grant: &Grant) -> bool {
    let offset = moment.book.limits_at(grant.at).utc_offset_minutes;
    let today = day_number_of(moment.as_of.time.unix_ms(), offset);
    grant.ended.seen(moment.as_of) || grant.term.is_some_and(|term| term.to < today)
}
