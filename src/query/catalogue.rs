//! Who is on the ledger, for what, and with which data: agencies, duties, datasets.
//!
//! Agencies of the genesis file come first, at position 0 and the time `created`. A dataset is shown at its newest version
//! before the list's `to`; earlier ones are found in the list of records.

use crate::core::genesis::GenesisAgency;
use crate::core::json::{Value, object};
use crate::core::kinds::Kind;
use crate::core::record::Record;
use crate::core::rules;
use crate::query::QueryError;
use crate::query::page::{Filter, Page};
use crate::query::records::{Place, Places, indexed};
use crate::query::terms::{self, Step, Walk};
use crate::store::Reader;

/// The list of agencies.
///
/// # Errors
/// `cursor-invalid`, and those of the store.
pub fn agencies(reader: &Reader, filter: &Filter) -> Result<Value, QueryError> {
    let mut page = Page::new(reader, "agencies", filter)?;
    let genesis = reader.genesis();
    let first = u64::try_from(genesis.agencies.len()).unwrap_or(u64::MAX);
    let mut last = None;
    for (agency, ordinal) in genesis.agencies.iter().zip(0..) {
        let asked = filter.agency.as_ref().is_none_or(|id| id.eq_ignore_ascii_case(&agency.id));
        if ordinal < page.start() || !asked || !page.holds(filter, genesis.created) {
            continue;
        }
        if page.ends_after(last) {
            return Ok(page.into_value());
        }
        page.look(1);
        page.push(genesis_agency(reader, agency));
        last = Some(ordinal);
    }
    let range = page.positions(filter)?;
    let terms = filter.terms(Some(Kind::AgencyAdmit));
    page.fill_behind(last, terms, range, first, |reader, places, position| {
        let record = indexed(reader, position)?;
        Ok(Some(admitted_agency(reader, &record, &places.of(position)?)))
    })?;
    Ok(page.into_value())
}

/// One agency, under ASCII case folding.
///
/// # Errors
/// `not-found`, and those of the store.
pub fn agency(reader: &Reader, id: &str) -> Result<Value, QueryError> {
    let genesis = reader.genesis().agencies.iter().find(|agency| agency.id.eq_ignore_ascii_case(id));
    if let Some(agency) = genesis {
        return Ok(genesis_agency(reader, agency));
    }
    let state = rules::agency(reader, id).ok_or_else(|| QueryError::not_found(id, "the id of an agency on the ledger"))?;
    let record = indexed(reader, state.position)?;
    Ok(admitted_agency(reader, &record, &Places::new(reader).of(state.position)?))
}

fn genesis_agency(reader: &Reader, agency: &GenesisAgency) -> Value {
    let created = reader.genesis().created;
    agency_value(reader, &agency.id, agency.body.clone(), &Place { height: 0, position: 0, time: created })
}

fn admitted_agency(reader: &Reader, record: &Record, place: &Place) -> Value {
    let body = record.body_value();
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    agency_value(reader, &id, body, place)
}

fn agency_value(reader: &Reader, id: &str, body: Value, place: &Place) -> Value {
    let status = rules::agency(reader, id).map_or_else(|| "active".to_owned(), |state| state.status);
    let key = |key: rules::KeyState| {
        let value =
            object([("from", key.from.unwrap_or(0).into()), ("role", key.role.as_str().into()), ("vkey", key.vkey.to_string().into())]);
        with(value, key.until.map(|until| ("until", until.into())))
    };
    let keys = rules::agency_keys(reader, id).into_iter().map(key).collect();
    with(
        body,
        [
            ("keys", Value::Array(keys)),
            ("position", place.position.into()),
            ("status", status.into()),
            ("time", place.time.to_string().into()),
        ],
    )
}

/// The list of duties.
///
/// # Errors
/// `cursor-invalid`, and those of the store.
pub fn duties(reader: &Reader, filter: &Filter) -> Result<Value, QueryError> {
    let mut page = Page::new(reader, "duties", filter)?;
    let range = page.positions(filter)?;
    page.fill(filter.terms(Some(Kind::DutyDeclare)), range, |reader, places, position| {
        let record = indexed(reader, position)?;
        Ok(Some(entry_value(&record, "agency", &places.of(position)?)))
    })?;
    Ok(page.into_value())
}

/// One duty.
///
/// # Errors
/// `not-found`, and those of the store.
pub fn duty(reader: &Reader, id: &str) -> Result<Value, QueryError> {
    let terms = [format!("duty:{id}"), kind_term(Kind::DutyDeclare)];
    one(reader, &terms, id, "agency", "the id of a duty on the ledger")
}

/// The list of datasets, each at its newest version.
///
/// # Errors
/// `cursor-invalid`, and those of the store.
pub fn datasets(reader: &Reader, filter: &Filter) -> Result<Value, QueryError> {
    let mut page = Page::new(reader, "datasets", filter)?;
    let range = page.positions(filter)?;
    page.fill(filter.terms(Some(Kind::DatasetPublish)), range, |reader, places, position| {
        let record = indexed(reader, position)?;
        let id = own_id(&record);
        let later = [kind_term(Kind::DatasetPublish), format!("dataset:{id}")];
        match terms::first(reader, &later, position.saturating_add(1), range.1)? {
            Some(_) => Ok(None),
            None => Ok(Some(entry_value(&record, "provider", &places.of(position)?))),
        }
    })?;
    Ok(page.into_value())
}

/// One dataset at its newest version.
///
/// # Errors
/// `not-found`, and those of the store.
pub fn dataset(reader: &Reader, id: &str) -> Result<Value, QueryError> {
    let terms = [kind_term(Kind::DatasetPublish), format!("dataset:{id}")];
    one(reader, &terms, id, "provider", "the id of a dataset on the ledger")
}

/// The newest record under `terms` whose body has this id.
fn one(reader: &Reader, terms: &[String], id: &str, writer: &'static str, expected: &str) -> Result<Value, QueryError> {
    let mut walk = Walk::new(reader, terms.to_vec(), 0, reader.head().size);
    let mut found = None;
    while let Step::At(position) = walk.advance(usize::MAX)? {
        let record = indexed(reader, position)?;
        if own_id(&record) == id {
            found = Some((position, record));
        }
    }
    let (position, record) = found.ok_or_else(|| QueryError::not_found(id, expected))?;
    Ok(entry_value(&record, writer, &Places::new(reader).of(position)?))
}

/// The id that a record's body gives to what it records.
fn own_id(record: &Record) -> String {
    record.body_value().get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn kind_term(kind: Kind) -> String {
    format!("kind:{}", kind.as_str())
}

/// A duty or dataset: its body, its writer under the name `writer`, and where it was recorded.
fn entry_value(record: &Record, writer: &'static str, place: &Place) -> Value {
    with(
        record.body_value(),
        [
            (writer, record.by.as_str().into()),
            ("position", place.position.into()),
            ("record", record.id().to_hex().into()),
            ("time", place.time.to_string().into()),
        ],
    )
}

/// An object with more members.
pub(crate) fn with(mut value: Value, more: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    if let Value::Object(members) = &mut value {
        members.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    value
}
