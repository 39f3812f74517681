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
use crate::core::book::at::{AsOf, At};
use crate::core::book::facts::{AgencyNo, DatasetNo, DutyNo};
use crate::core::book::period::Period;
use crate::core::time::Day;
use crate::core::working_days::WorkingDays;

/// A kind of obligation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clock {
    Answer,
    Delivery,
    Receipt,
    Mismatch,
    Correction,
    CatalogueUpdate,
    CatalogueReview,
    Backflow,
    Dispute,
    Rectification,
}

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
    /// Working days after the due day up to the stop or, while it is open, the moment of the question.
    pub late: u64,
    /// Working days from the moment of the question up to the due day, while it is open and has one.
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
        todo!()
    }

    /// The end of an agency's chain of successors.
    pub fn end_of(&self, agency: AgencyNo) -> AgencyNo {
        self.ends[agency.index()]
    }

    /// Calls `take` with each obligation that is wanted, clock by clock, each in order of its start.
    pub fn obligations(&self, wanted: &Wanted, take: &mut dyn FnMut(Obligation)) {
        todo!()
    }
}
