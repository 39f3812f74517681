//! The chain of a record: everything it rests on and everything that rests on it, in order.
//!
//! A record reaches those in its `refs`; a request also reaches its duty and the published versions of its datasets, a
//! delivery the version it names, a publication its duty, a delegated duty the one it is delegated from.
//!
//! 1. Backwards, these links are followed from the asked record; there are few.
//! 2. Forwards, sources of ascending positions are merged: from a duty its publications and requests, from a publication its
//!    requests, from a request all that belongs to it, from a delivery its receipt. A record that opens a source of its own
//!    does so when the merge comes to it, so that each is read at most once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::kinds::Kind;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules;
use crate::limits::CHAIN_LINKS_MAX;
use crate::query::QueryError;
use crate::query::page::{Filter, Page};
use crate::query::records::{Places, at, committed_value, find, indexed};
use crate::query::terms::{Step, Walk};
use crate::store::Reader;

/// The list of records that reach or are reached from the record with this id, itself included.
///
/// # Errors
/// `not-found`, `cursor-invalid`, `query-invalid` for a duty or dataset from which too much hangs, and those of the store.
pub fn list(reader: &Reader, id: &Hash, filter: &Filter) -> Result<Value, QueryError> {
    let mut page = Page::new(reader, "chain", filter)?;
    let size = page.head.size;
    let (position, record) = find(reader, id)?.ok_or_else(|| QueryError::not_found(id.to_hex(), "the id of a committed record"))?;
    let mut places = Places::new(reader);
    let mut last = None;
    let before: Vec<u64> = backwards(reader, position, &record)?.into_keys().chain([position]).collect();
    for position in before.into_iter().filter(|position| *position >= page.start()).collect::<Vec<_>>() {
        if page.ends_after(last) {
            return Ok(page.into_value());
        }
        page.look(2);
        let item = committed_value(&indexed(reader, position)?, &places.of(position)?);
        page.push(item);
        last = Some(position);
    }
    let mut merge = Merge::new(reader, size);
    merge.open(position, &record, page.start())?;
    while let Some(position) = merge.advance()? {
        let shown = position >= page.start();
        if shown && page.ends_after(last) {
            break;
        }
        let record = indexed(reader, position)?;
        merge.open(position, &record, page.start())?;
        if shown {
            page.look(2);
            let item = committed_value(&record, &places.of(position)?);
            page.push(item);
            last = Some(position);
        }
    }
    Ok(page.into_value())
}

/// All that a record rests on, by position.
fn backwards(reader: &Reader, position: u64, record: &Record) -> Result<BTreeMap<u64, ()>, QueryError> {
    let mut found = BTreeMap::new();
    let mut open = links(reader, position, record)?;
    while let Some(position) = open.pop() {
        if found.insert(position, ()).is_none() {
            open.extend(links(reader, position, &indexed(reader, position)?)?);
        }
    }
    Ok(found)
}

/// The positions of the records that `record` names itself.
fn links(reader: &Reader, position: u64, record: &Record) -> Result<Vec<u64>, QueryError> {
    let mut links: Vec<u64> = record.refs.iter().filter_map(|id| rules::position_of(reader, id)).collect();
    let body = record.body_value();
    let duty = ["duty", "delegated_from"].into_iter().filter_map(|name| body.get(name).and_then(Value::as_str));
    for duty in duty {
        links.extend(newest(reader, &format!("duty:{duty}"), Kind::DutyDeclare, position, |body| text(body, "id") == Some(duty))?);
    }
    for (id, version) in versions(&body) {
        let wanted = |body: &Value| text(body, "id") == Some(id) && number(body, "version") == Some(version);
        links.extend(newest(reader, &format!("dataset:{id}"), Kind::DatasetPublish, position, wanted)?);
    }
    links.retain(|link| *link < position);
    Ok(links)
}

/// The datasets and versions that a request or delivery names.
fn versions(body: &Value) -> Vec<(&str, u64)> {
    let listed = body.get("datasets").and_then(Value::as_array).unwrap_or_default();
    let listed = listed.iter().filter_map(|dataset| text(dataset, "id").zip(number(dataset, "version")));
    let own = text(body, "dataset").zip(number(body, "version"));
    listed.chain(own).collect()
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

fn number(body: &Value, name: &str) -> Option<u64> {
    body.get(name).and_then(Value::as_u64)
}

/// The newest record of `kind` under `term` before `to` whose body is wanted.
fn newest(reader: &Reader, term: &str, kind: Kind, to: u64, wanted: impl Fn(&Value) -> bool) -> Result<Option<u64>, QueryError> {
    let mut walk = Walk::new(reader, vec![kind_term(kind), term.to_owned()], 0, to);
    let mut found = None;
    while let Step::At(position) = walk.advance(usize::MAX)? {
        if at(reader, position)?.is_some_and(|record| wanted(&record.body_value())) {
            found = Some(position);
        }
    }
    Ok(found)
}

fn kind_term(kind: Kind) -> String {
    format!("kind:{}", kind.as_str())
}

/// Ascending positions of many sources, each position once.
pub(crate) struct Merge<'a> {
    reader: &'a Reader,
    size: u64,
    sources: Vec<Source<'a>>,
    /// Next position of each source that has one.
    next: BinaryHeap<Reverse<(u64, usize)>>,
}

struct Source<'a> {
    walk: Walk<'a>,
    /// Only records whose body names this dataset and version.
    version: Option<(String, u64)>,
}

impl<'a> Merge<'a> {
    /// Without sources yet; positions below `size`.
    pub fn new(reader: &'a Reader, size: u64) -> Self {
        Merge { reader, size, sources: Vec::new(), next: BinaryHeap::new() }
    }

    /// Opens the sources of what rests on `record`. Those in which every position belongs to the chain start at `start`.
    fn open(&mut self, position: u64, record: &Record, start: u64) -> Result<(), QueryError> {
        let body = record.body_value();
        let after = position.saturating_add(1);
        let whole = after.max(start);
        let id = text(&body, "id").unwrap_or_default();
        let version = number(&body, "version").map(|version| (id.to_owned(), version));
        match record.kind {
            Kind::DutyDeclare => {
                for kind in [Kind::DutyDeclare, Kind::DatasetPublish, Kind::ShareRequest] {
                    self.add(vec![kind_term(kind), format!("duty:{id}")], after, None)?;
                }
            }
            Kind::DatasetPublish => self.add(vec![kind_term(Kind::ShareRequest), format!("dataset:{id}")], after, version)?,
            Kind::ShareRequest => self.add(vec![format!("request:{}", record.id())], whole, None)?,
            // A request takes one answer: all that belongs to it and comes later rests on the answer.
            Kind::ShareAnswer if self.sources.is_empty() => {
                let request = record.refs.first().map(|id| format!("request:{id}"));
                self.add(request.into_iter().collect(), whole, None)?;
            }
            Kind::ShareDeliver if self.sources.is_empty() => self.add(vec![format!("ref:{}", record.id())], whole, None)?,
            _ => {}
        }
        Ok(())
    }

    /// Adds the positions from `from` on under all of `terms`; with a version, only those of records that name it.
    pub fn add(&mut self, terms: Vec<String>, from: u64, version: Option<(String, u64)>) -> Result<(), QueryError> {
        if self.sources.len() >= CHAIN_LINKS_MAX {
            let found = format!("more than {CHAIN_LINKS_MAX} duties, datasets and requests in one chain");
            return Err(Refusal::new(Code::QueryInvalid, found, "the id of a later record of the chain").into());
        }
        self.sources.push(Source { walk: Walk::new(self.reader, terms, from, self.size), version });
        self.pull(self.sources.len() - 1)
    }

    /// Puts the next position of source `index` on the heap.
    fn pull(&mut self, index: usize) -> Result<(), QueryError> {
        let source = &mut self.sources[index];
        while let Step::At(position) = source.walk.advance(usize::MAX)? {
            let fits = match &source.version {
                Some((id, version)) => {
                    let body = indexed(self.reader, position)?.body_value();
                    versions(&body).contains(&(id.as_str(), *version))
                }
                None => true,
            };
            if fits {
                self.next.push(Reverse((position, index)));
                break;
            }
        }
        Ok(())
    }

    /// The next position.
    pub fn advance(&mut self) -> Result<Option<u64>, QueryError> {
        let Some(Reverse((position, index))) = self.next.pop() else {
            return Ok(None);
        };
        self.pull(index)?;
        while let Some(Reverse((same, index))) = self.next.peek().copied() {
            if same != position {
                break;
            }
            self.next.pop();
            self.pull(index)?;
        }
        Ok(Some(position))
    }
}
