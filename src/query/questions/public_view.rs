//! Lines of who gives what to whom, by what law, until when.

use crate::core::questions::public_view::{Sharing, public_view};
use crate::query::questions::View;
use crate::query::questions::lines::{Line, Page};

pub const COLUMNS: &[&str] = &[
    "provider",
    "requester",
    "dataset",
    "title",
    "class",
    "purpose",
    "basis",
    "duty",
    "until",
    "deliveries",
    "suspended",
    "published",
    "request",
    "grant",
];

/// In the order of the grants.
pub fn page(view: &View<'_>) -> Page {
    let of_agency = |sharing: &Sharing| {
        let asked = view.agency.as_deref();
        asked.is_none_or(|id| [sharing.provider, sharing.requester].into_iter().any(|party| view.agency_id(party) == id))
    };
    let of_dataset = |sharing: &Sharing| view.asked.dataset.as_deref().is_none_or(|id| view.dataset_id(sharing.dataset) == id);
    let found = public_view(&view.moment).into_iter().filter(|sharing| of_agency(sharing) && of_dataset(sharing)).collect();
    view.page(found, |sharing: &Sharing| [sharing.grant, u64::from(sharing.dataset.0), 0, 0, 0], |sharing| line(view, sharing))
}

fn line(view: &View<'_>, sharing: &Sharing) -> Line {
    Line::default()
        .put("provider", view.agency_id(sharing.provider))
        .put("requester", view.agency_id(sharing.requester))
        .put("dataset", view.dataset_id(sharing.dataset))
        .put("duty", view.duty_id(sharing.duty))
        .put("deliveries", sharing.deliveries)
        .day("until", sharing.until)
        .mark("suspended", sharing.suspended.then_some(()))
        .member("title", sharing.published)
        .member("class", sharing.published)
        .member("purpose", sharing.request)
        .member("basis", sharing.request)
        .id("published", sharing.published)
        .id("request", sharing.request)
        .id("grant", sharing.grant)
}
