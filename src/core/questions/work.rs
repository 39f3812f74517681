//! What an agency owes and by when; who is late.

use crate::core::book::facts::AgencyNo;
use crate::core::clocks::{Clock, Moment, Obligation};

/// The open obligations of an agency and of those that it succeeded, by due day (paused ones last), then position.
pub fn todo(moment: &Moment<'_>, agency: AgencyNo) -> Vec<Obligation> {
    todo!()
}

/// Narrows [`overdue`]. Line and territory are the debtor's at the moment; a territory holds those whose codes begin with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrow {
    pub agency: Option<AgencyNo>,
    pub clock: Option<Clock>,
    pub line: Option<String>,
    pub territory: Option<String>,
}

/// Obligations that are late, open or not, the latest first; without those that were late and then met.
pub fn overdue(moment: &Moment<'_>, narrow: &Narrow) -> Vec<Obligation> {
    todo!()
}
