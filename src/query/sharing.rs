//! Requests with their answers, deliveries with their receipts.
//!
//! What became of a request or delivery is read from the first record that refers to it; at most one of its kind can.

use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::kinds::Kind;
use crate::core::record::Record;
use crate::core::rules::{self, Subjects};
use crate::query::QueryError;
use crate::query::catalogue::with;
use crate::query::page::{Filter, Page};
use crate::query::records::{Place, Places, find, indexed};
use crate::query::terms;
use crate::store::Reader;

/// The list of requests.
///
/// # Errors
/// `cursor-invalid`, and those of the store.
pub fn requests(reader: &Reader, filter: &Filter) -> Result<Value, QueryError> {
    list(reader, filter, "requests", Kind::ShareRequest, request_value)
}

/// The list of deliveries.
///
/// # Errors
/// `cursor-invalid`, and those of the store.
pub fn deliveries(reader: &Reader, filter: &Filter) -> Result<Value, QueryError> {
    list(reader, filter, "deliveries", Kind::ShareDeliver, delivery_value)
}

/// One request.
///
/// # Errors
/// `not-found`, and those of the store.
pub fn request(reader: &Reader, id: &Hash) -> Result<Value, QueryError> {
    one(reader, id, Kind::ShareRequest, request_value)
}

/// One delivery.
///
/// # Errors
/// `not-found`, and those of the store.
pub fn delivery(reader: &Reader, id: &Hash) -> Result<Value, QueryError> {
    one(reader, id, Kind::ShareDeliver, delivery_value)
}

type Item = fn(&Reader, &Record, &Place, u64) -> Result<Value, QueryError>;

fn list(reader: &Reader, filter: &Filter, name: &'static str, kind: Kind, item: Item) -> Result<Value, QueryError> {
    let mut page = Page::new(reader, name, filter)?;
    let range = page.positions(filter)?;
    let size = page.head.size;
    page.fill(filter.terms(Some(kind)), range, |reader, places, position| {
        let record = indexed(reader, position)?;
        Ok(Some(item(reader, &record, &places.of(position)?, size)?))
    })?;
    Ok(page.into_value())
}

fn one(reader: &Reader, id: &Hash, kind: Kind, item: Item) -> Result<Value, QueryError> {
    let found = find(reader, id)?.filter(|(_, record)| record.kind == kind);
    let (position, record) = found.ok_or_else(|| QueryError::not_found(id.to_hex(), format!("the id of a committed {}", kind.as_str())))?;
    item(reader, &record, &Places::new(reader).of(position)?, reader.head().size)
}

/// The record of `kind` that refers to `id`, among the first `size` leaves.
fn reply(reader: &Reader, id: &Hash, kind: Kind, after: u64, size: u64) -> Result<Option<Record>, QueryError> {
    let under = [format!("ref:{id}"), format!("kind:{}", kind.as_str())];
    let position = terms::first(reader, &under, after.saturating_add(1), size)?;
    position.map(|position| indexed(reader, position)).transpose()
}

fn text(body: &Value, name: &str) -> String {
    body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The agency beside the writer; the writer itself when it shares with itself.
fn other_party<'a>(subjects: &'a Subjects, record: &'a Record) -> &'a str {
    subjects.agencies.iter().find(|agency| **agency != record.by).unwrap_or(&record.by)
}

fn request_value(reader: &Reader, record: &Record, place: &Place, size: u64) -> Result<Value, QueryError> {
    let body = record.body_value();
    let answer = reply(reader, &record.id(), Kind::ShareAnswer, place.position, size)?;
    let status = match answer.as_ref().map(|answer| text(&answer.body_value(), "outcome")).as_deref() {
        None => "filed",
        Some("agree") => "agreed",
        Some("partly") => "partly",
        Some(_) => "refused",
    };
    let value = with(
        body,
        [
            ("id", record.id().to_hex().into()),
            ("position", place.position.into()),
            ("provider", other_party(&rules::subjects(reader, record), record).into()),
            ("requester", record.by.as_str().into()),
            ("status", status.into()),
            ("time", place.time.to_string().into()),
        ],
    );
    Ok(with(value, answer.map(|answer| ("answer", answer.id().to_hex().into()))))
}

fn delivery_value(reader: &Reader, record: &Record, place: &Place, size: u64) -> Result<Value, QueryError> {
    let subjects = rules::subjects(reader, record);
    let receipt = reply(reader, &record.id(), Kind::ShareReceipt, place.position, size)?;
    let status = match receipt.as_ref().map(|receipt| text(&receipt.body_value(), "result")).as_deref() {
        None => "unacknowledged",
        Some("match") => "matched",
        Some(_) => "mismatched",
    };
    let hex = |id: Option<&Hash>| -> Value { id.map(|id| id.to_hex()).unwrap_or_default().into() };
    let value = with(
        record.body_value(),
        [
            ("grant", hex(record.refs.first())),
            ("id", record.id().to_hex().into()),
            ("position", place.position.into()),
            ("provider", record.by.as_str().into()),
            ("request", hex(subjects.request.as_ref())),
            ("requester", other_party(&subjects, record).into()),
            ("status", status.into()),
            ("time", place.time.to_string().into()),
        ],
    );
    Ok(with(value, receipt.map(|receipt| ("receipt", receipt.id().to_hex().into()))))
}
