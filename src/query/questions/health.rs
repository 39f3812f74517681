//! Lines of the catalogue's faults.

use crate::core::book::facts::{DatasetNo, DutyNo};
use crate::core::questions::catalogue::{CatalogueCheck, catalogue_check};
use crate::core::time::Day;
use crate::query::questions::View;
use crate::query::questions::lines::{Key, Line, Page};

pub const COLUMNS: &[&str] = &["fault", "dataset", "duty", "other_duty", "title", "since", "grant"];

/// In the order of the faults' words below.
const WORDS: [&str; 8] =
    ["stale", "unconditioned", "dutiless", "never-delivered", "retired-granted", "claimed-twice", "delegated-without-data", "never-used"];

#[derive(Default)]
struct Fault {
    /// Place in `WORDS`.
    word: usize,
    dataset: Option<DatasetNo>,
    duty: Option<DutyNo>,
    other_duty: Option<DutyNo>,
    grant: Option<u64>,
    since: Option<Day>,
}

/// Fault by fault, each in the order of the ledger.
pub fn page(view: &View<'_>) -> Page {
    view.page(faults(catalogue_check(&view.moment)), key, |fault| line(view, fault))
}

fn faults(check: CatalogueCheck) -> Vec<Fault> {
    let of_dataset = |word| move |dataset| Fault { word, dataset: Some(dataset), ..Fault::default() };
    let mut faults: Vec<Fault> = Vec::new();
    faults.extend(check.stale.into_iter().map(|(dataset, day)| Fault { since: Some(day), ..of_dataset(0)(dataset) }));
    faults.extend(check.unconditioned.into_iter().map(of_dataset(1)));
    faults.extend(check.dutiless.into_iter().map(of_dataset(2)));
    faults.extend(check.never_delivered.into_iter().map(of_dataset(3)));
    faults.extend(check.retired_granted.into_iter().map(|(dataset, grant)| Fault { grant: Some(grant), ..of_dataset(4)(dataset) }));
    let twice = |(duty, other)| Fault { word: 5, duty: Some(duty), other_duty: Some(other), ..Fault::default() };
    faults.extend(check.claimed_twice.into_iter().map(twice));
    let without = |(duty, dataset)| Fault { duty: Some(duty), ..of_dataset(6)(dataset) };
    faults.extend(check.delegated_without_data.into_iter().map(without));
    faults.extend(check.never_used.into_iter().map(|grant| Fault { word: 7, grant: Some(grant), ..Fault::default() }));
    faults
}

fn key(fault: &Fault) -> Key {
    let number = |number: Option<u32>| number.map_or(0, |number| u64::from(number) + 1);
    [
        u64::try_from(fault.word).unwrap_or(u64::MAX),
        number(fault.duty.map(|duty| duty.0)),
        number(fault.other_duty.map(|duty| duty.0)),
        number(fault.dataset.map(|dataset| dataset.0)),
        fault.grant.map_or(0, |grant| grant.saturating_add(1)),
    ]
}

fn line(view: &View<'_>, fault: &Fault) -> Line {
    let line = Line::default()
        .put("fault", WORDS[fault.word])
        .put_some("duty", fault.duty.map(|duty| view.duty_id(duty)))
        .put_some("other_duty", fault.other_duty.map(|duty| view.duty_id(duty)))
        .day("since", fault.since)
        .id_some("grant", fault.grant);
    match (fault.dataset, fault.duty, fault.grant) {
        (Some(dataset), _, _) => view.dataset_line(line, dataset),
        (None, Some(duty), _) => line.member("title", view.moment.book.duties[duty.index()].at.position()),
        // What was granted, where the answer names it.
        (None, None, Some(grant)) => line.read("dataset", grant, |leaf| match leaf.member("datasets")?.as_array()? {
            [only] => Some(only.clone()),
            _ => None,
        }),
        (None, None, None) => line,
    }
}
