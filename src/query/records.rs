//! Single records and the list of records.

use crate::core::hash::Hash;
use crate::core::json::{Value, object, strings};
use crate::core::record::Record;
use crate::core::rules;
use crate::core::time::Time;
use crate::log::entry::{self, BlockEntry};
use crate::log::merkle::inclusion_proof;
use crate::query::page::{Filter, Page};
use crate::query::{QueryError, proof_value};
use crate::store::{Reader, StoreError};

/// Where a committed record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub height: u64,
    pub position: u64,
    pub time: Time,
}

/// Finds the blocks of positions; remembers the newest one, since lists ask in ascending order.
pub struct Places<'a> {
    reader: &'a Reader,
    entry: Option<BlockEntry>,
}

impl<'a> Places<'a> {
    pub fn new(reader: &'a Reader) -> Self {
        Places { reader, entry: None }
    }

    /// # Errors
    /// `not-found` beyond the head, and those of the store.
    pub fn of(&mut self, position: u64) -> Result<Place, QueryError> {
        let known = self.entry.as_ref().filter(|entry| (entry.first..=entry.position).contains(&position));
        if let Some(entry) = known {
            return Ok(Place { height: entry.height, position, time: entry.time });
        }
        let beyond = || QueryError::not_found(format!("position {position}"), "a position below the head's size");
        let height = self.reader.height_of(position)?.ok_or_else(beyond)?;
        let entry = self.reader.entry(height)?.ok_or_else(beyond)?;
        let place = Place { height, position, time: entry.time };
        self.entry = Some(entry);
        Ok(place)
    }
}

/// The record at `position`; `None` for a block entry and beyond the head.
///
/// # Errors
/// Those of the store.
pub fn at(reader: &Reader, position: u64) -> Result<Option<Record>, QueryError> {
    let Some(leaf) = reader.leaf(position)? else {
        return Ok(None);
    };
    if leaf.starts_with(entry::HEADER.as_bytes()) {
        return Ok(None);
    }
    let record = Record::parse(&leaf, &reader.genesis().origin);
    record.map(Some).map_err(|refusal| QueryError::unreadable(position, &refusal))
}

/// The record at `position`, which an index names.
///
/// # Errors
/// Those of the store, which is damaged when there is none.
pub fn indexed(reader: &Reader, position: u64) -> Result<Record, QueryError> {
    at(reader, position)?.ok_or_else(|| {
        let object = format!("index entry {position}");
        QueryError::Store(StoreError::Corrupt { object, found: "no record at this position".into() })
    })
}

/// The committed record with this id, and its position.
///
/// # Errors
/// Those of the store.
pub fn find(reader: &Reader, id: &Hash) -> Result<Option<(u64, Record)>, QueryError> {
    match rules::position_of(reader, id) {
        Some(position) if position < reader.head().size => Ok(Some((position, indexed(reader, position)?))),
        _ => Ok(None),
    }
}

/// The note of a record.
pub fn note_text(record: &Record) -> String {
    String::from_utf8_lossy(record.leaf()).into_owned()
}

/// A committed record as lists and the record's own address show it.
pub fn committed_value(record: &Record, place: &Place) -> Value {
    object([
        ("at", record.at.to_string().into()),
        ("body", record.body_value()),
        ("by", record.by.as_str().into()),
        ("height", place.height.into()),
        ("id", record.id().to_hex().into()),
        ("kind", record.kind.as_str().into()),
        ("note", note_text(record).into()),
        ("position", place.position.into()),
        ("refs", strings(record.refs.iter().map(|id| id.to_hex()))),
        ("status", "committed".into()),
        ("time", place.time.to_string().into()),
        ("uid", record.uid.as_str().into()),
    ])
}

/// What the answers to the submissions of one block share.
#[derive(Clone, Debug)]
pub struct Sealed {
    entry: BlockEntry,
    /// The entry's leaf.
    text: String,
    certificate: Value,
}

impl Sealed {
    /// The block that holds `position`.
    ///
    /// # Errors
    /// `not-found` beyond the head, and those of the store.
    pub fn of(reader: &Reader, position: u64) -> Result<Self, QueryError> {
        let beyond = || QueryError::not_found(format!("position {position}"), "a position below the head's size");
        let height = reader.height_of(position)?.ok_or_else(beyond)?;
        let entry = reader.entry(height)?.ok_or_else(beyond)?;
        let certificate = reader.certificate(height)?.ok_or_else(beyond)?.to_value();
        Ok(Sealed { text: entry.to_text(), entry, certificate })
    }

    pub fn holds(&self, position: u64) -> bool {
        (self.entry.first..self.entry.position).contains(&position)
    }

    /// What the submission of the record at `position` is answered: its place, with the proof that leads to the root that
    /// the block's certificate vouches for.
    ///
    /// # Errors
    /// Those of the store.
    pub fn receipt(&self, reader: &Reader, id: &Hash, position: u64) -> Result<Value, QueryError> {
        let proof = inclusion_proof(reader, position, self.entry.position)?;
        Ok(object([
            ("certificate", self.certificate.clone()),
            ("entry", self.text.as_str().into()),
            ("height", self.entry.height.into()),
            ("id", id.to_hex().into()),
            ("position", position.into()),
            ("proof", proof_value(&proof)),
            ("size", self.entry.position.into()),
            ("status", "committed".into()),
            ("time", self.entry.time.to_string().into()),
        ]))
    }
}

/// The list of records.
///
/// # Errors
/// `cursor-invalid`, and those of the store.
pub fn list(reader: &Reader, filter: &Filter) -> Result<Value, QueryError> {
    let mut page = Page::new(reader, "records", filter)?;
    let range = page.positions(filter)?;
    let terms = filter.terms(None);
    if terms.is_empty() {
        walk_blocks(&mut page, range)?;
    } else {
        page.fill(terms, range, |reader, places, position| {
            let record = indexed(reader, position)?;
            Ok(Some(committed_value(&record, &places.of(position)?)))
        })?;
    }
    Ok(page.into_value())
}

/// All records in a range, block by block.
fn walk_blocks(page: &mut Page<'_>, (from, to): (u64, u64)) -> Result<(), QueryError> {
    let reader = page.reader;
    let mut position = from.max(page.start());
    let mut last = None;
    while position < to && !(page.is_spent() && page.ends_after(last)) {
        let Some(height) = reader.height_of(position)? else {
            return Ok(());
        };
        let Some(entry) = reader.entry(height)? else {
            return Ok(());
        };
        page.look(2);
        for position in position..entry.position.min(to) {
            if page.ends_after(last) {
                return Ok(());
            }
            page.look(1);
            let record = indexed(reader, position)?;
            page.push(committed_value(&record, &Place { height, position, time: entry.time }));
            last = Some(position);
        }
        last = Some(entry.position);
        position = entry.position.saturating_add(1);
    }
    Ok(())
}
