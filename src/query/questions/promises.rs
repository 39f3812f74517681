//! Lines of promises that are not kept.

use crate::core::clocks::Obligation;
use crate::core::questions::promises::{Delivered, promises};
use crate::query::questions::View;
use crate::query::questions::lines::{Key, Line, Page, day_key};
use crate::query::questions::work;

pub const COLUMNS: &[&str] = &[
    "breach",
    "due",
    "late_days",
    "left_days",
    "provider",
    "requester",
    "dataset",
    "period",
    "title",
    "batch",
    "time",
    "record",
    "receipt",
    "grant",
];

enum Broken {
    Undelivered(Obligation),
    Unacknowledged(Delivered),
    Mismatched(Delivered),
}

/// What was agreed and not delivered by due day, then deliveries without receipt, then those that do not match.
pub fn page(view: &View<'_>) -> Page {
    let answer = promises(&view.moment);
    let undelivered = answer.undelivered.into_iter().map(Broken::Undelivered);
    let unacknowledged = answer.unacknowledged.into_iter().map(Broken::Unacknowledged);
    let mismatched = answer.mismatched.into_iter().map(Broken::Mismatched);
    let found = undelivered.chain(unacknowledged).chain(mismatched).collect();
    view.page(found, key, |broken| line(view, broken))
}

/// The first number is a due day, or beyond all of them.
fn key(broken: &Broken) -> Key {
    match broken {
        Broken::Undelivered(owed) => work::key(owed.due.map_or(u64::MAX - 2, day_key), owed),
        Broken::Unacknowledged(delivered) => [u64::MAX - 1, delivered.delivery, 0, 0, 0],
        Broken::Mismatched(delivered) => [u64::MAX, delivered.delivery, 0, 0, 0],
    }
}

fn line(view: &View<'_>, broken: &Broken) -> Line {
    match broken {
        Broken::Undelivered(owed) => work::line(view, owed)
            .put("breach", "undelivered")
            .put_some("provider", owed.debtor.map(|agency| view.agency_id(agency)))
            .put_some("requester", owed.creditor.map(|agency| view.agency_id(agency))),
        Broken::Unacknowledged(delivered) => delivery(view, "unacknowledged", delivered),
        Broken::Mismatched(delivered) => delivery(view, "mismatched", delivered),
    }
}

fn delivery(view: &View<'_>, breach: &'static str, delivered: &Delivered) -> Line {
    let line = Line::default()
        .put("breach", breach)
        .put("provider", view.agency_id(delivered.provider))
        .put("requester", view.agency_id(delivered.requester))
        .put_some("period", delivered.period.map(|period| period.to_string()))
        .member("batch", delivered.delivery)
        .time("time", delivered.delivery)
        .id("record", delivered.delivery)
        .id_some("receipt", delivered.receipt)
        .id("grant", delivered.grant);
    view.dataset_line(line, delivered.dataset)
}
