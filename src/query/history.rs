//! The life of a record, dataset, duty or agency: the records that made it what it is, in order, with their amendments.
//!
//! 1. Of a record: itself, all that belongs to it when it is a request, and all that refers to it or to what does.
//! 2. Of a dataset: its publications, reviews, its retirement and the corrections; of a duty: its declarations, its
//!    retirement, the datasets that name it and the notices of collection under it.
//! 3. Of an agency: its admission and changes, its keys and nodes, and the findings against it.
//! 4. What refers to any of these follows too. An item with amendments lists them, the texts that they put in place of older
//!    ones included; the record itself shows the texts as they were signed.

use crate::core::hash::Hash;
use crate::core::ids::split_scoped;
use crate::core::json::{Value, object};
use crate::core::kinds::Kind;
use crate::core::record::Record;
use crate::core::rules;
use crate::query::QueryError;
use crate::query::catalogue::with;
use crate::query::chain::{Merge, Only};
use crate::query::page::{Filter, Page};
use crate::query::records::{Places, committed_value, find, indexed};
use crate::query::terms::{self, Step, Walk};
use crate::store::Reader;

const AMEND: &str = "record.amend";
const OF_DATASET: [&str; 4] = ["dataset.publish", "dataset.review", "dataset.retire", "correction.file"];
const OF_DUTY: [&str; 4] = ["duty.declare", "duty.retire", "dataset.publish", "collect.notice"];
const OF_AGENCY: [&str; 12] = [
    "agency.admit",
    "agency.change",
    "agency.suspend",
    "agency.retire",
    "key.rotate",
    "key.revoke",
    "node.admit",
    "node.remove",
    "validator.add",
    "validator.change",
    "validator.remove",
    "finding.file",
];
/// Nothing but amendments refers to these, or what does belongs to the same request.
const LEAVES: [&str; 3] = ["share.deliver", "share.receipt", AMEND];

/// The list of records that are the life of `id`.
///
/// # Errors
/// `not-found`, `cursor-invalid`, `query-invalid` for a life of too many strands, and those of the store.
pub fn list(reader: &Reader, id: &str, filter: &Filter) -> Result<Value, QueryError> {
    let mut page = Page::new(reader, "history", filter)?;
    let mut merge = Merge::new(reader, page.head.size);
    let mut own = None;
    let mut of_request = false;
    match Hash::parse(id) {
        Ok(hash) if rules::position_of(reader, &hash).is_some() => {
            let (position, record) = find(reader, &hash)?.ok_or_else(|| unknown(id))?;
            of_request = record.kind == Kind::ShareRequest;
            if of_request {
                merge.add(vec![format!("request:{hash}")], position.saturating_add(1), Only::All)?;
            }
            merge.add(vec![format!("ref:{hash}")], position.saturating_add(1), Only::All)?;
            own = Some(position);
        }
        _ => open_family(reader, &mut merge, id)?,
    }
    let mut places = Places::new(reader);
    let mut last = None;
    while let Some(position) = own.take().map_or_else(|| merge.advance(), |position| Ok(Some(position)))? {
        let shown = position >= page.start();
        if shown && page.ends_after(last) {
            break;
        }
        let record = indexed(reader, position)?;
        let is_leaf = LEAVES.contains(&record.kind.as_str());
        if !(record.id().to_hex() == id || record.kind.as_str() == AMEND || of_request && is_leaf) {
            merge.add(vec![format!("ref:{}", record.id())], position.saturating_add(1), Only::All)?;
        }
        if shown {
            page.look(3);
            page.push(item(reader, &mut places, &record, position)?);
            last = Some(position);
        }
    }
    Ok(page.into_value())
}

fn unknown(id: &str) -> QueryError {
    QueryError::not_found(id, "the id of a record, dataset, duty or agency on the ledger")
}

/// Opens the kinds that make the life of a dataset, a duty or an agency.
fn open_family(reader: &Reader, merge: &mut Merge<'_>, id: &str) -> Result<(), QueryError> {
    let mut families: Vec<(String, &[&str])> = Vec::new();
    if split_scoped(id).is_ok() {
        families.push((format!("dataset:{id}"), &OF_DATASET));
        families.push((format!("duty:{id}"), &OF_DUTY));
    } else {
        let agency = rules::agency(reader, id).ok_or_else(|| unknown(id))?;
        families.push((format!("agency:{}", agency.id.to_ascii_lowercase()), &OF_AGENCY));
    }
    let size = reader.head().size;
    let mut is_known = !id.contains(':');
    for (term, kinds) in families {
        is_known |= terms::first(reader, std::slice::from_ref(&term), 0, size)?.is_some();
        for kind in kinds.iter().filter_map(|kind| Kind::parse(kind).ok()) {
            merge.add(vec![format!("kind:{}", kind.as_str()), term.clone()], 0, Only::All)?;
        }
    }
    if is_known { Ok(()) } else { Err(unknown(id)) }
}

/// A record with its amendments, if it has any.
fn item(reader: &Reader, places: &mut Places<'_>, record: &Record, position: u64) -> Result<Value, QueryError> {
    let value = committed_value(record, &places.of(position)?);
    let amendments = amendments(reader, &record.id(), position)?;
    if amendments.is_empty() {
        return Ok(value);
    }
    Ok(with(value, [("amendments", amendments.into())]))
}

fn amendments(reader: &Reader, id: &Hash, position: u64) -> Result<Vec<Value>, QueryError> {
    let terms = vec![format!("kind:{AMEND}"), format!("ref:{id}")];
    let mut walk = Walk::new(reader, terms, position.saturating_add(1), reader.head().size);
    let mut places = Places::new(reader);
    let mut found = Vec::new();
    while let Step::At(position) = walk.advance(usize::MAX)? {
        let record = indexed(reader, position)?;
        let body = record.body_value();
        let member = |name: &str| body.get(name).cloned().unwrap_or(false.into());
        found.push(object([
            ("id", record.id().to_hex().into()),
            ("position", position.into()),
            ("reason", member("reason")),
            ("texts", member("texts")),
            ("time", places.of(position)?.time.to_string().into()),
        ]));
    }
    Ok(found)
}
