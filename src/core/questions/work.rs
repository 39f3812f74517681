//! What an agency owes and by when; who is late.

use std::cmp::Reverse;

use crate::core::book::facts::AgencyNo;
use crate::core::clocks::{Clock, Moment, Obligation, Only, Wanted};

/// The open obligations of an agency and of those that it succeeded, by due day (paused ones last), then position.
pub fn todo(moment: &Moment<'_>, agency: AgencyNo) -> Vec<Obligation> {
    let mut found = Vec::new();
    moment.obligations(&Wanted { debtor: Some(agency), clock: None, only: Only::Open }, &mut |obligation| found.push(obligation));
    found.sort_by_key(|obligation| (obligation.due.is_none(), obligation.due, obligation.started.position(), obligation.clock));
    found
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
    let mut found = Vec::new();
    let wanted = Wanted { debtor: narrow.agency, clock: narrow.clock, only: Only::Unmet };
    moment.obligations(&wanted, &mut |obligation| {
        if obligation.late.is_some() && narrow.holds(moment, obligation.debtor) {
            found.push(obligation);
        }
    });
    found.sort_by_key(|obligation| (Reverse(obligation.late), obligation.due, obligation.started.position(), obligation.clock));
    found
}

impl Narrow {
    fn holds(&self, moment: &Moment<'_>, debtor: Option<AgencyNo>) -> bool {
        if self.line.is_none() && self.territory.is_none() {
            return true;
        }
        let book = moment.book;
        let Some(membership) = debtor.and_then(|debtor| book.membership(debtor, moment.as_of)) else {
            return false;
        };
        let code = |code: Option<_>| code.map_or("", |code| book.code(code));
        self.line.as_ref().is_none_or(|line| code(membership.line) == line)
            && self.territory.as_ref().is_none_or(|territory| code(membership.territory).starts_with(territory.as_str()))
    }
}
