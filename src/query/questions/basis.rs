//! Lines of refusals that lack a basis, and of withheld entries without a bar.

use crate::core::book::facts::DatasetNo;
use crate::core::questions::basis::{Fault, Refusal, basis};
use crate::query::questions::View;
use crate::query::questions::lines::{Line, Page};

pub const COLUMNS: &[&str] =
    &["faults", "time", "provider", "requester", "datasets", "code", "reason", "basis", "title", "record", "request"];

enum Found {
    Refusal(Refusal),
    /// Dataset and position of its newest version.
    Unbarred(DatasetNo, u64),
}

/// Refusals by position, then entries of the catalogue.
pub fn page(view: &View<'_>) -> Page {
    let answer = basis(&view.moment);
    let unbarred = answer.unbarred.into_iter().map(|(dataset, position)| Found::Unbarred(dataset, position));
    let found = answer.refusals.into_iter().map(Found::Refusal).chain(unbarred).collect();
    let key = |found: &Found| match found {
        Found::Refusal(refusal) => [0, refusal.answer, 0, 0, 0],
        Found::Unbarred(dataset, position) => [1, *position, u64::from(dataset.0), 0, 0],
    };
    view.page(found, key, |found| line(view, found))
}

fn line(view: &View<'_>, found: &Found) -> Line {
    match found {
        Found::Refusal(refusal) => Line::default()
            .put("faults", refusal.faults.iter().map(|fault| word(*fault).into()).collect::<Vec<_>>())
            .put("provider", view.agency_id(refusal.provider))
            .put("requester", view.agency_id(refusal.requester))
            .put("datasets", view.dataset_ids(&refusal.datasets))
            .time("time", refusal.answer)
            .member("code", refusal.answer)
            .member("reason", refusal.answer)
            .member("basis", refusal.answer)
            .id("record", refusal.answer)
            .id("request", refusal.request),
        Found::Unbarred(dataset, position) => Line::default()
            .put("faults", vec!["no-bar".into()])
            .put("datasets", view.dataset_ids(&[*dataset]))
            .read("provider", *position, |leaf| Some(leaf.by.as_str().into()))
            .time("time", *position)
            .member("title", *position)
            .id("record", *position),
    }
}

fn word(fault: Fault) -> &'static str {
    match fault {
        Fault::NoBasis => "no-basis",
        Fault::Unconditional => "shareable",
        Fault::NotWithheld => "not-withheld",
    }
}
