//! Every obligation, open and closed, derived from the book at a moment: who owes what to whom, since when, until when.
//!
//! Days are those of the ledger's fixed offset, limits those of the policy where a clock starts; calendars are the newest of
//! each year that the moment sees. An obligation's due day is the n-th working day after its start day; what stops on the due
//! day is met. Choices where more than one reading is possible:
//!
//! - The promised day counts for the clock that the answer starts, not for one that a resumption starts anew.
//! - The authority that covers somebody is looked for among the members when the clock starts; it is then shown, as everybody
//!   who owes and everybody who is owed, as the end of its chain of successors.
//! - A withdrawal stops an answer as an answer does: met or late.

use crate::core::book::Book;
mod deliveries;
mod matters;
mod requests;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::core::book::at::{AsOf, At};
pub use crate::core::book::facts::Clock;
use crate::core::book::facts::{AgencyNo, DatasetNo, DutyNo, Limits};
use crate::core::book::period::Period;
use crate::core::calendar::Calendar;
use crate::core::due::{Limit, due};
use crate::core::time::{Day, day_number_of};
use crate::core::working_days::WorkingDays;

/// How an obligation stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nothing has stopped it; it may be late already.
    Open,
    /// Stopped on the due day or before, or while it was paused.
    Met,
    /// Stopped after the due day.
    Late,
    /// Ended without being met, by the suspension or the end of the grant; not late from then on.
    Stopped,
}

impl State {
    pub const ALL: [State; 4] = [State::Open, State::Met, State::Late, State::Stopped];

    pub fn as_str(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Met => "met",
            State::Late => "late",
            State::Stopped => "stopped",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        State::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What an obligation is about. Records are named by their positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    pub request: Option<u64>,
    pub grant: Option<u64>,
    pub delivery: Option<u64>,
    pub dataset: Option<DatasetNo>,
    pub duty: Option<DutyNo>,
    /// Of a delivery: the period that it is for.
    pub period: Option<Period>,
}

/// One obligation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obligation {
    pub clock: Clock,
    /// Who owes; none when no authority covers the parties.
    pub debtor: Option<AgencyNo>,
    pub creditor: Option<AgencyNo>,
    pub subject: Subject,
    /// The record that started it.
    pub started: At,
    /// For a period its last day.
    pub start: Day,
    /// None while paused.
    pub due: Option<Day>,
    pub provisional: bool,
    /// Working days of extension.
    pub extended: u64,
    pub state: State,
    /// Once the due day has passed: the working days after it up to the stop or, while it is open, the moment of the question.
    pub late: Option<u64>,
    /// While it is open and the due day has not passed: the working days up to it.
    pub left: Option<u64>,
    /// What stopped it; [`At::NEVER`] while it is open.
    pub stopped: At,
    /// The day of the stop.
    pub stop: Option<Day>,
}

/// Which obligations are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The debtor, as the end of its chain of successors.
    pub debtor: Option<AgencyNo>,
    pub clock: Option<Clock>,
    pub only: Only,
}

/// Which states are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Only {
    #[default]
    All,
    Open,
    /// Open or stopped: what was never met.
    Unmet,
}

/// A moment of the book, made ready for questions.
pub struct Moment<'a> {
    pub book: &'a Book,
    pub as_of: AsOf,
    pub calendars: WorkingDays,
    /// The end of each agency's chain of successors.
    ends: Vec<AgencyNo>,
}

impl<'a> Moment<'a> {
    pub fn new(book: &'a Book, as_of: AsOf) -> Self {
        let seen = book.calendars.iter().filter(|(at, _)| at.seen(as_of));
        let newest: BTreeMap<u64, &Calendar> = seen.map(|(_, calendar)| (calendar.year, calendar)).collect();
        let ends = (0..book.agencies.len()).map(|index| end_of_chain(book, as_of, AgencyNo::of(index))).collect();
        Moment { book, as_of, calendars: WorkingDays::of(newest.into_values()), ends }
    }

    /// The end of an agency's chain of successors.
    pub fn end_of(&self, agency: AgencyNo) -> AgencyNo {
        self.ends[agency.index()]
    }

    /// The working days in force at a policy's offset: the day of the moment, as a day number.
    pub(crate) fn day(&self, limits: &Limits) -> i32 {
        day_number_of(self.as_of.time.unix_ms(), limits.utc_offset_minutes)
    }

    /// Calls `take` with each obligation that is wanted, clock by clock, each in order of its start.
    pub fn obligations(&self, wanted: &Wanted, take: &mut dyn FnMut(Obligation)) {
        let mut offers = Offers { moment: self, wanted, take };
        for clock in Clock::ALL.iter().filter(|clock| wanted.clock.is_none_or(|wanted| wanted == **clock)) {
            match clock {
                Clock::Answer => requests::answers(&mut offers),
                Clock::Backflow => requests::backflows(&mut offers),
                Clock::Delivery => deliveries::promised(&mut offers),
                Clock::Receipt => deliveries::receipts(&mut offers),
                Clock::Mismatch => deliveries::mismatches(&mut offers),
                Clock::Correction => matters::corrections(&mut offers),
                Clock::CatalogueUpdate => matters::updates(&mut offers),
                Clock::CatalogueReview => matters::reviews(&mut offers),
                Clock::Dispute => matters::disputes(&mut offers),
                Clock::Rectification => matters::rectifications(&mut offers),
            }
        }
    }

    /// The authority that covered all of `parties` just before a record: of those with the longest territory code the first
    /// by id. A retired one covers nobody.
    pub fn authority_over(&self, parties: &[AgencyNo], at: At) -> Option<AgencyNo> {
        let book = self.book;
        let territory =
            |agency: AgencyNo| book.membership_at(agency, at).and_then(|membership| membership.territory).map(|code| book.code(code));
        let of_parties: Vec<_> = parties.iter().map(|party| territory(*party)).collect();
        let able = |agency: &AgencyNo| {
            let fact = &book.agencies[agency.index()];
            let holds_key = fact.authority_keys.iter().any(|key| key.from.precedes(at) && !key.until.precedes(at));
            holds_key && fact.retired.is_none_or(|(retired, _)| !retired.precedes(at))
        };
        let covers =
            |own: Option<&str>| of_parties.iter().all(|party| party.is_none_or(|party| own.is_none_or(|own| party.starts_with(own))));
        let covering = book.authorities.iter().copied().filter(able).filter(|authority| covers(territory(*authority)));
        covering.max_by_key(|authority| (territory(*authority).map_or(0, str::len), Reverse(book.agency_id(*authority))))
    }

    /// Working days of extension of a clock.
    pub(crate) fn extension(&self, started: At, clock: Clock) -> u64 {
        let granted = self.book.extensions.get(&(started.position(), clock)).into_iter().flatten();
        granted.filter(|(at, _)| at.seen(self.as_of)).fold(0, |sum, (_, days)| sum.saturating_add(*days))
    }
}

fn end_of_chain(book: &Book, as_of: AsOf, agency: AgencyNo) -> AgencyNo {
    let mut end = agency;
    for _ in 0..book.agencies.len() {
        match book.agencies[end.index()].retired {
            Some((at, Some(next))) if at.seen(as_of) => end = next,
            _ => break,
        }
    }
    end
}

/// What an obligation is made of before its days are counted.
struct Draft<'a> {
    clock: Clock,
    debtor: Option<AgencyNo>,
    creditor: Option<AgencyNo>,
    subject: Subject,
    started: At,
    /// The start day, where it is not the day of `started`.
    start: Option<i32>,
    limits: &'a Limits,
    limit: Limit,
    extended: u64,
    /// What meets it.
    met: At,
    /// What ends it without meeting it.
    cut: At,
}

/// Where the clocks put their obligations.
struct Offers<'m, 'a> {
    moment: &'m Moment<'a>,
    wanted: &'m Wanted,
    take: &'m mut dyn FnMut(Obligation),
}

impl<'a> Offers<'_, 'a> {
    /// Whether an obligation of this debtor and these ends is wanted; asked before anything is counted.
    fn wants(&self, started: At, debtor: AgencyNo, met: At, cut: At) -> bool {
        let as_of = self.moment.as_of;
        let of_state = match self.wanted.only {
            Only::All => true,
            Only::Open => !met.seen(as_of) && !cut.seen(as_of),
            Only::Unmet => !met.seen(as_of) || cut.precedes(met),
        };
        of_state && started.seen(as_of) && self.wanted.debtor.is_none_or(|wanted| self.moment.end_of(debtor) == wanted)
    }

    fn offer(&mut self, draft: Draft<'a>) {
        let obligation = self.moment.judge(&draft);
        if self.wanted.debtor.is_none() || obligation.debtor == self.wanted.debtor {
            (self.take)(obligation);
        }
    }
}

impl Moment<'_> {
    fn judge(&self, draft: &Draft<'_>) -> Obligation {
        let offset = draft.limits.utc_offset_minutes;
        let start = draft.start.unwrap_or_else(|| day_number_of(draft.started.unix_ms(), offset));
        let due = due(&self.calendars, start, draft.limit);
        let stop = draft.met.or_first(draft.cut);
        let stopped = stop.seen(self.as_of);
        let until = if stopped { day_number_of(stop.unix_ms(), offset) } else { self.day(draft.limits) };
        let passed = due.is_some_and(|due| until > due.day);
        let state = match (stopped, passed) {
            (false, _) => State::Open,
            (true, _) if draft.cut.precedes(draft.met) => State::Stopped,
            (true, false) => State::Met,
            (true, true) => State::Late,
        };
        let named = |number: i32| Day::from_number(number).unwrap_or(Day::LAST);
        let counted = |after: i32, through: i32| self.calendars.between_numbers(after, through);
        Obligation {
            clock: draft.clock,
            debtor: draft.debtor.map(|agency| self.end_of(agency)),
            creditor: draft.creditor.map(|agency| self.end_of(agency)),
            subject: draft.subject,
            started: draft.started,
            start: named(start),
            due: due.map(|due| named(due.day)),
            provisional: due.is_some_and(|due| due.provisional),
            extended: draft.extended,
            state,
            late: due.filter(|_| passed).map(|due| counted(due.day, until)),
            left: due.filter(|_| !stopped && !passed).map(|due| counted(until, due.day)),
            stopped: if stopped { stop } else { At::NEVER },
            stop: stopped.then(|| named(until)),
        }
    }
}
