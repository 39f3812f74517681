//! Lines of what a territory is asked for, and of what came back to it.

use crate::core::questions::burden::{Backflow, Collection, Repeated, burden};
use crate::query::QueryError;
use crate::query::questions::lines::{Line, Page};
use crate::query::questions::{View, missing};

pub const COLUMNS: &[&str] = &[
    "part",
    "time",
    "by",
    "duty",
    "title",
    "frequency",
    "items",
    "repeated",
    "requester",
    "provider",
    "days",
    "delivered",
    "ended",
    "record",
    "delivery",
];

enum Part {
    Collection(Collection),
    Backflow(Backflow),
}

/// Notices by position, then backflows.
///
/// # Errors
/// `query-invalid` without a territory.
pub fn page(view: &View<'_>) -> Result<Page, QueryError> {
    let territory = view.asked.territory.as_deref().ok_or_else(|| missing("territory"))?;
    let answer = burden(&view.moment, territory);
    let backflows = answer.backflows.into_iter().map(Part::Backflow);
    let found = answer.collections.into_iter().map(Part::Collection).chain(backflows).collect();
    let key = |part: &Part| match part {
        Part::Collection(collection) => [0, collection.notice, 0, 0, 0],
        Part::Backflow(backflow) => [1, backflow.request, 0, 0, 0],
    };
    Ok(view.page(found, key, |part| match part {
        Part::Collection(own) => collection(view, own),
        Part::Backflow(own) => backflow(view, own),
    }))
}

fn collection(view: &View<'_>, collection: &Collection) -> Line {
    let notice = collection.notice;
    Line::default()
        .put("part", "collection")
        .put("by", view.agency_id(collection.by))
        .put("items", u64::try_from(collection.items).unwrap_or(u64::MAX))
        .nested("repeated", collection.repeated.iter().map(|item| repeated(view, notice, item)).collect())
        .member("duty", notice)
        .member("title", notice)
        .member("frequency", notice)
        .member("level", notice)
        .member("territory", notice)
        .time("time", notice)
        .id("record", notice)
}

/// Who holds the item: a dataset of the catalogue, or an earlier notice that asks for it.
fn repeated(view: &View<'_>, notice: u64, repeated: &Repeated) -> Line {
    let item = repeated.item;
    Line::default()
        .read("item", notice, move |leaf| leaf.body.get("items")?.as_array()?.get(item).cloned())
        .put_some("dataset", repeated.dataset.map(|dataset| view.dataset_id(dataset)))
        .id_some("notice", repeated.notice)
}

fn backflow(view: &View<'_>, backflow: &Backflow) -> Line {
    let line = Line::default()
        .put("part", "backflow")
        .put("requester", view.agency_id(backflow.requester))
        .put("provider", view.agency_id(backflow.provider))
        .put("days", backflow.days)
        .mark("ended", backflow.ended.then_some(()))
        .read("dataset", backflow.request, |leaf| leaf.sole_dataset())
        .read("title", backflow.request, |leaf| leaf.member("purpose"))
        .time("time", backflow.request)
        .id("record", backflow.request)
        .id_some("delivery", backflow.delivery);
    match backflow.delivery {
        Some(delivery) => line.time("delivered", delivery),
        None => line,
    }
}
