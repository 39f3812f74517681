//! The chain of a record: everything it rests on and everything that rests on it, in order.
//!
//! A record reaches those in its `refs`; a request also reaches its duty and the published versions of its datasets, a
//! delivery the version it names, a publication its duty, a delegated duty the one it is delegated from, a notice of collection
//! its duty, a review or a retirement what it reviews or retires.
//!
//! 1. Backwards, these links are followed from the asked record; there are few.
//! 2. Forwards, sources of ascending positions are merged: from a duty its publications, requests, notices and retirement, from
//!    a publication its requests, reviews and retirement, from a request or its answer all that belongs to the request, from
//!    any other record what refers to it. A record that opens a source of its own does so when the merge comes to it, so that
//!    each is read at most once.
//! 3. Findings, disputes, amendments and extensions refer to records of any kind. They are few: where a request's many records
//!    come from one source, all of them are looked through for those that refer to one that belongs to an open request.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

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
    let retired_duty = (record.kind.as_str() == "duty.retire").then_some("id");
    let duty = ["duty", "delegated_from"].into_iter().chain(retired_duty).filter_map(|name| text(&body, name));
    for duty in duty {
        links.extend(newest(reader, &format!("duty:{duty}"), Kind::DutyDeclare, position, |body| text(body, "id") == Some(duty))?);
    }
    for (id, version) in versions(&body) {
        let wanted = |body: &Value| text(body, "id") == Some(id) && number(body, "version") == Some(version);
        links.extend(newest(reader, &format!("dataset:{id}"), Kind::DatasetPublish, position, wanted)?);
    }
    if let Some(id) = text(&body, "id").filter(|_| matches!(record.kind.as_str(), "dataset.review" | "dataset.retire")) {
        let version = number(&body, "version");
        let wanted = |body: &Value| text(body, "id") == Some(id) && version.is_none_or(|version| number(body, "version") == Some(version));
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

/// Whether a review's body names this dataset and version.
fn is_of_version(body: &Value, id: &str, version: u64) -> bool {
    text(body, "id") == Some(id) && number(body, "version") == Some(version)
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

/// Kinds that may refer to any record of a request without being found under the request.
const ATTACHED: [&str; 4] = ["finding.file", "dispute.file", "record.amend", "share.extend"];

/// Ascending positions of many sources, each position once.
pub(crate) struct Merge<'a> {
    reader: &'a Reader,
    size: u64,
    sources: Vec<Source<'a>>,
    /// Next position of each source that has one.
    next: BinaryHeap<Reverse<(u64, usize)>>,
    /// Those whose records come from one source.
    requests: BTreeSet<Hash>,
}

struct Source<'a> {
    walk: Walk<'a>,
    only: Only,
}

impl Source<'_> {
    fn is_certain(&self) -> bool {
        !matches!(self.only, Only::Attached)
    }
}

/// Which of a source's records belong to the chain.
pub(crate) enum Only {
    All,
    /// Those whose body names this dataset and version.
    Version(String, u64),
    /// Those that refer to a record of an open request.
    Attached,
}

impl<'a> Merge<'a> {
    /// Without sources yet; positions below `size`.
    pub fn new(reader: &'a Reader, size: u64) -> Self {
        Merge { reader, size, sources: Vec::new(), next: BinaryHeap::new(), requests: BTreeSet::new() }
    }

    /// Opens the sources of what rests on `record`. Those in which every position belongs to the chain start at `start`.
    fn open(&mut self, position: u64, record: &Record, start: u64) -> Result<(), QueryError> {
        let body = record.body_value();
        let after = position.saturating_add(1);
        let id = text(&body, "id").unwrap_or_default();
        let is_one_of_many = matches!(record.kind, Kind::ShareAnswer | Kind::ShareDeliver | Kind::ShareReceipt);
        let own = if is_one_of_many { rules::subjects(self.reader, record).request } else { None };
        if own.is_some_and(|request| self.requests.contains(&request)) {
            return Ok(());
        }
        match record.kind {
            Kind::DutyDeclare => {
                for kind in ["duty.declare", "dataset.publish", "share.request", "duty.retire", "collect.notice"] {
                    self.add(vec![format!("kind:{kind}"), format!("duty:{id}")], after, Only::All)?;
                }
            }
            Kind::DatasetPublish => {
                let only = || number(&body, "version").map_or(Only::All, |version| Only::Version(id.to_owned(), version));
                for kind in ["share.request", "dataset.review"] {
                    self.add(vec![format!("kind:{kind}"), format!("dataset:{id}")], after, only())?;
                }
                self.add(vec!["kind:dataset.retire".to_owned(), format!("dataset:{id}")], after, Only::All)?;
            }
            Kind::ShareRequest => return self.open_request(record.id(), after, start),
            // A request takes one answer: nearly all that belongs to it and comes later rests on the answer.
            Kind::ShareAnswer => {
                if let Some(request) = record.refs.first() {
                    return self.open_request(*request, after, start);
                }
            }
            _ => {}
        }
        self.add(vec![format!("ref:{}", record.id())], after, Only::All)
    }

    /// All that belongs to a request from `after` on, and what refers to any of it.
    fn open_request(&mut self, request: Hash, after: u64, start: u64) -> Result<(), QueryError> {
        let is_first = self.requests.is_empty();
        if self.requests.insert(request) {
            self.add(vec![format!("request:{request}")], after.max(start), Only::All)?;
        }
        for kind in ATTACHED.into_iter().filter(|_| is_first) {
            self.add(vec![format!("kind:{kind}")], after, Only::Attached)?;
        }
        Ok(())
    }

    /// Adds the positions from `from` on under all of `terms`, of which `only` some belong to the chain.
    pub fn add(&mut self, terms: Vec<String>, from: u64, only: Only) -> Result<(), QueryError> {
        if self.sources.len() >= CHAIN_LINKS_MAX {
            let found = format!("more than {CHAIN_LINKS_MAX} duties, datasets and requests in one chain");
            return Err(Refusal::new(Code::QueryInvalid, found, "the id of a later record of the chain").into());
        }
        self.sources.push(Source { walk: Walk::new(self.reader, terms, from, self.size), only });
        self.pull(self.sources.len() - 1)
    }

    /// Puts the next position of source `index` on the heap.
    fn pull(&mut self, index: usize) -> Result<(), QueryError> {
        while let Step::At(position) = self.sources[index].walk.advance(usize::MAX)? {
            let fits = match &self.sources[index].only {
                Only::All => true,
                Only::Version(id, version) => {
                    let body = indexed(self.reader, position)?.body_value();
                    versions(&body).contains(&(id.as_str(), *version)) || is_of_version(&body, id, *version)
                }
                // Requests are opened up to the moment when this position comes up; it is judged then.
                Only::Attached => true,
            };
            if fits {
                self.next.push(Reverse((position, index)));
                break;
            }
        }
        Ok(())
    }

    /// Whether a record refers to one that belongs to an open request.
    fn is_attached(&self, record: &Record) -> Result<bool, QueryError> {
        for id in &record.refs {
            let Some((_, referred)) = find(self.reader, id)? else {
                continue;
            };
            let request = rules::subjects(self.reader, &referred).request;
            if self.requests.contains(id) || request.is_some_and(|request| self.requests.contains(&request)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next position.
    pub fn advance(&mut self) -> Result<Option<u64>, QueryError> {
        while let Some(Reverse((position, index))) = self.next.pop() {
            let mut is_certain = self.sources[index].is_certain();
            self.pull(index)?;
            while let Some(Reverse((same, index))) = self.next.peek().copied() {
                if same != position {
                    break;
                }
                self.next.pop();
                is_certain |= self.sources[index].is_certain();
                self.pull(index)?;
            }
            if is_certain || self.is_attached(&indexed(self.reader, position)?)? {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }
}
