//! Lines of obligations: what an agency owes, who is late, what an agency owed and was owed in a period.

use crate::core::book::facts::AgencyNo;
use crate::core::clocks::{Clock, Obligation, State};
use crate::core::questions::work::{self, Narrow, Span};
use crate::core::refusal::{Code, Refusal};
use crate::core::time::Time;
use crate::query::QueryError;
use crate::query::questions::lines::{Key, Line, Page, day_key};
use crate::query::questions::{View, missing};

pub const COLUMNS: &[&str] = &[
    "due",
    "late_days",
    "left_days",
    "clock",
    "state",
    "debtor",
    "creditor",
    "dataset",
    "period",
    "title",
    "start",
    "stopped",
    "extended",
    "paused",
    "provisional",
    "record",
    "request",
    "grant",
];

/// The earliest due day first; what is paused, last.
///
/// # Errors
/// `query-invalid` without an agency, `not-found`.
pub fn todo(view: &View<'_>) -> Result<Page, QueryError> {
    let agency = agency(view)?.ok_or_else(|| missing("agency"))?;
    let found = work::todo(&view.moment, agency);
    Ok(view.page(found, |owed| key(owed.due.map_or(u64::MAX, day_key), owed), |owed| line(view, owed)))
}

/// The latest first.
///
/// # Errors
/// `not-found`.
pub fn overdue(view: &View<'_>) -> Result<Page, QueryError> {
    let asked = view.asked;
    let narrow = Narrow { agency: agency(view)?, clock: asked.clock, line: asked.line.clone(), territory: asked.territory.clone() };
    let found = work::overdue(&view.moment, &narrow);
    Ok(view.page(found, |owed| key(u64::MAX - owed.late.unwrap_or(0), owed), |owed| line(view, owed)))
}

/// By the day of the start.
///
/// # Errors
/// `query-invalid` without an agency and for a period that ends before it starts, `not-found`.
pub fn obligations(view: &View<'_>, offset_minutes: u64) -> Result<Page, QueryError> {
    let agency = agency(view)?.ok_or_else(|| missing("agency"))?;
    let (from, to) = (view.asked.from.map(|from| from.start(offset_minutes)), view.asked.to.map(|to| to.start(offset_minutes)));
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        return Err(Refusal::new(Code::QueryInvalid, format!("from {from} to {to}"), "an end that is after the start").into());
    }
    let last = |to: Time| Time::from_unix_ms(to.unix_ms().saturating_sub(1)).unwrap_or(to).day(offset_minutes);
    let first = from.map(|from| from.day(offset_minutes));
    let found = work::obligations(&view.moment, &Span { agency, first, last: to.map(last), state: view.asked.state });
    Ok(view.page(found, |owed| key(day_key(owed.start), owed), |owed| line(view, owed)))
}

fn agency(view: &View<'_>) -> Result<Option<AgencyNo>, QueryError> {
    let find =
        |id: &String| view.moment.book.agency(id).ok_or_else(|| QueryError::not_found(id.as_str(), "the id of an agency on the ledger"));
    view.agency.as_ref().map(find).transpose()
}

/// One record starts one clock of a kind once, or once for each of its datasets or each of their periods.
pub fn key(first: u64, owed: &Obligation) -> Key {
    let dataset = owed.subject.dataset.map_or(0, |dataset| u64::from(dataset.0) + 1);
    let clock = Clock::ALL.iter().position(|clock| *clock == owed.clock).unwrap_or(Clock::ALL.len());
    let clock_and_dataset = u64::try_from(clock).unwrap_or(0) << 32 | dataset;
    let (from, to) = owed.subject.period.map_or((0, 0), |period| (day_number_key(period.first()), day_number_key(period.last())));
    [first, owed.started.position(), clock_and_dataset, from, to]
}

fn day_number_key(number: i32) -> u64 {
    u64::try_from(i64::from(number) + (1 << 20)).unwrap_or(0)
}

pub fn line(view: &View<'_>, owed: &Obligation) -> Line {
    let started = owed.started.position();
    let agency = |agency: Option<AgencyNo>| agency.map(|agency| view.agency_id(agency));
    let line = Line::default()
        .put("clock", owed.clock.as_str())
        .put_some("debtor", agency(owed.debtor))
        .put_some("creditor", agency(owed.creditor))
        .put("state", owed.state.as_str())
        .put("start", owed.start.to_string())
        .day("due", owed.due)
        .day("stopped", owed.stop)
        .put_some("late_days", owed.late)
        .put_some("left_days", owed.left)
        .put_some("extended", Some(owed.extended).filter(|days| *days > 0))
        .put_some("period", owed.subject.period.map(|period| period.to_string()))
        .mark("paused", (owed.state == State::Open && owed.due.is_none()).then_some(()))
        .mark("provisional", owed.provisional.then_some(()))
        .id("record", started)
        .id_some("request", owed.subject.request)
        .id_some("grant", owed.subject.grant);
    match (owed.subject.dataset, owed.clock) {
        (Some(dataset), _) => view.dataset_line(line, dataset),
        (None, Clock::Answer | Clock::Backflow) => {
            line.read("dataset", started, |leaf| leaf.sole_dataset()).read("title", started, |leaf| leaf.member("purpose"))
        }
        (None, Clock::Dispute) => line.read("title", started, |leaf| leaf.member("subject")),
        (None, Clock::Rectification) => line.read("title", started, |leaf| leaf.member("text")),
        (None, _) => line,
    }
}
