//! One record from submission to evidence.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, VARY};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use tokio::time::{Instant, sleep_until};

use crate::api::parameters::{Parameters, Segment};
use crate::api::problem::{Failed, problem};
use crate::api::{Shared, reply};
use crate::consensus::pool::Status;
use crate::core::hash::Hash;
use crate::core::json::{Value, object};
use crate::core::refusal::{Code, Refusal};
use crate::core::rules;
use crate::limits::{EVIDENCE_IDS_MAX, EVIDENCE_WAIT};
use crate::locale::Language;
use crate::query::records::{Places, committed_value, find, note_text};
use crate::query::{QueryError, evidence as files};
use crate::store::Reader;

type Answer = Result<Response, Failed>;

/// A record: committed, pending or refused; its note for readers of plain text.
pub async fn record(State(shared): State<Arc<Shared>>, segment: Segment, uri: Uri, headers: HeaderMap) -> Answer {
    Parameters::of(&uri, &[])?;
    let id = segment.id()?;
    let wants_note = reply::wants_note(&headers);
    if let Some(bytes) = shared.read(move |reader| committed(reader, &id, wants_note)).await? {
        return Ok(varied(reply::immutable(if wants_note { reply::TEXT } else { reply::JSON }, bytes)));
    }
    let status = shared.api.pool.status(&id);
    let value = match status {
        Some(Status::Pending(record)) if wants_note => return Ok(varied(reply::body(reply::TEXT, note_text(&record)))),
        Some(Status::Pending(_)) => object([("id", id.to_hex().into()), ("status", "pending".into())]),
        Some(Status::Refused(refusal)) => {
            let tag = headers.get(axum::http::header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let problem: Value = problem(&refusal, Language::from_tag(tag));
            object([("id", id.to_hex().into()), ("problem", problem), ("status", "refused".into())])
        }
        // It may have left the pool for the log between the two looks.
        None => match shared.read(move |reader| committed(reader, &id, wants_note)).await? {
            Some(bytes) => return Ok(varied(reply::immutable(if wants_note { reply::TEXT } else { reply::JSON }, bytes))),
            None => return Err(unknown(&id)),
        },
    };
    Ok(varied(reply::json(&value)))
}

fn committed(reader: &Reader, id: &Hash, wants_note: bool) -> Result<Option<Vec<u8>>, QueryError> {
    let Some((position, record)) = find(reader, id)? else {
        return Ok(None);
    };
    let text = if wants_note { note_text(&record) } else { committed_value(&record, &Places::new(reader).of(position)?).to_jcs() };
    Ok(Some(text.into_bytes()))
}

fn varied(mut response: Response) -> Response {
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept, accept-language"));
    response
}

fn unknown(id: &Hash) -> Failed {
    Refusal::new(Code::NotFound, id.to_hex(), "the id of a record that this node holds").into()
}

/// The evidence file of one record.
pub async fn evidence(State(shared): State<Arc<Shared>>, segment: Segment, uri: Uri) -> Answer {
    Parameters::of(&uri, &[])?;
    let id = segment.id()?;
    let text = covered(&shared, BTreeSet::from([id])).await?;
    Ok(file(text, &format!("{id}.evidence.json")))
}

/// One evidence file for several records: `?ids=<id>,<id>`.
pub async fn evidence_of_many(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let parameters = Parameters::of(&uri, &["ids"])?;
    let invalid =
        |found: String| Refusal::new(Code::QueryInvalid, found, format!("ids=<id>,<id>: 1 to {EVIDENCE_IDS_MAX} different record ids"));
    let listed = parameters.get("ids").ok_or_else(|| invalid("no ids".to_owned()))?;
    let mut ids = BTreeSet::new();
    for text in listed.split(',') {
        let id = Hash::parse(text).map_err(|_| invalid(text.to_owned()))?;
        if !ids.insert(id) || ids.len() > EVIDENCE_IDS_MAX {
            return Err(invalid(format!("{} ids, then {text}", ids.len())).into());
        }
    }
    let text = covered(&shared, ids).await?;
    Ok(file(text, "records.evidence.json"))
}

fn file(text: String, name: &str) -> Response {
    let mut response = reply::body(reply::JSON, text);
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).expect("hex digits and words");
    response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    response
}

/// The evidence for records, once a public checkpoint covers them all.
async fn covered(shared: &Shared, ids: BTreeSet<Hash>) -> Result<String, Failed> {
    let until = Instant::now() + EVIDENCE_WAIT;
    let ids = Arc::new(ids);
    let mut publics = shared.api.checkpoints.subscribe();
    loop {
        let public = publics.borrow_and_update().clone();
        let size = public.as_ref().map_or(0, |public| public.checkpoint.size);
        let missing = Arc::clone(&ids);
        let missing = shared.read(move |reader| Ok(first_above(reader, &missing, size))).await?;
        match (missing, public) {
            (None, Some(public)) => return shared.read(move |reader| files::evidence(reader, &ids, &public)).await,
            (Some((id, None)), _) => check_pending(shared, &id).await?,
            _ => {}
        }
        tokio::select! {
            changed = publics.changed() => if changed.is_err() { return Err(not_covered(size)) },
            () = sleep_until(until) => return Err(not_covered(size)),
            () = shared.stop.cancelled() => return Err(not_covered(size)),
        }
    }
}

/// The first of the records that a checkpoint of `size` does not cover, with its position if it is committed.
fn first_above(reader: &Reader, ids: &BTreeSet<Hash>, size: u64) -> Option<(Hash, Option<u64>)> {
    let looked_up = ids.iter().map(|id| (*id, rules::position_of(reader, id)));
    looked_up.into_iter().find(|(_, position)| position.is_none_or(|position| position >= size))
}

/// A record that is not committed may be waited for when it is pending.
async fn check_pending(shared: &Shared, id: &Hash) -> Result<(), Failed> {
    match shared.api.pool.status(id) {
        Some(Status::Pending(_)) => Ok(()),
        Some(Status::Refused(refusal)) => Err(refusal.into()),
        None => {
            let id = *id;
            let committed = shared.read(move |reader| Ok(rules::position_of(reader, &id))).await?;
            committed.map(|_| ()).ok_or_else(|| unknown(&id))
        }
    }
}

fn not_covered(size: u64) -> Failed {
    Refusal::new(Code::NotCovered, format!("a public checkpoint of size {size}"), "one that covers the record").into()
}
