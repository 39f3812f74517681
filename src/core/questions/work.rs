//! What an agency owes and by when; who is late; what it owed and was owed in a period.

use std::cmp::Reverse;

use crate::core::book::facts::AgencyNo;
use crate::core::clocks::{Clock, Moment, Obligation, Only, State, Wanted};
use crate::core::time::Day;

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

/// Narrows [`obligations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Debtor or creditor, as the end of its chain of successors.
    pub agency: AgencyNo,
    /// The first and the last day of the period; without one, it has no bound on that side.
    pub first: Option<Day>,
    pub last: Option<Day>,
    pub state: Option<State>,
}

/// What an agency owed and was owed in a period: obligations that started in it or were open on one of its days, by start.
pub fn obligations(moment: &Moment<'_>, span: &Span) -> Vec<Obligation> {
    let mut found = Vec::new();
    moment.obligations(&Wanted::default(), &mut |obligation| {
        let is_party = [obligation.debtor, obligation.creditor].contains(&Some(span.agency));
        let began = span.last.is_none_or(|last| obligation.start <= last);
        let lasted = span.first.is_none_or(|first| obligation.stop.is_none_or(|stop| stop >= first));
        if is_party && began && lasted && span.state.is_none_or(|state| obligation.state == state) {
            found.push(obligation);
        }
    });
    found.sort_by_key(|obligation| (obligation.start, obligation.started.position(), obligation.clock));
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
