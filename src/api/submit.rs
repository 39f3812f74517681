//! Taking records.
//!
//! 1. The body is read to its end or its bound, whatever becomes of it, so that the sender can read the answer.
//! 2. A node that is behind, damaged or short of disk takes nothing.
//! 3. A text that looks as if it held a bank card, a mobile number or an e-mail address is refused, unless `?force_text=true`.
//! 4. The pool checks and keeps the record, which then is pending; or it is committed already, and the answer is final.
//! 5. With `?dry_run=true` a record is judged as if it came now, and nothing of it is kept.
//! 6. With `?wait=committed` the answer comes with the commit, with a refusal at a later head, or after 30 s as pending.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::time::{Instant, sleep, sleep_until};

use crate::api::body::{check_not_compressed, read_body};
use crate::api::parameters::Parameters;
use crate::api::problem::Failed;
use crate::api::{Shared, blocking, reply};
use crate::consensus::pool::{Pool, Source, Status, Submitted};
use crate::core::hash::Hash;
use crate::core::json::{self, Strings, object};
use crate::core::privacy::check_guesses;
use crate::core::record::HEADER;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules;
use crate::health::Life;
use crate::limits::{COMMIT_WAIT, HTTP_BODY_BYTES_MAX, REFUSAL_LOOK};
use crate::query::QueryError;
use crate::query::due::due_days;
use crate::query::records::Sealed;

type Answer = Result<Response, Failed>;

pub async fn post(State(shared): State<Arc<Shared>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let note = read_body(body, HTTP_BODY_BYTES_MAX).await?;
    check_media_type(&parts.headers)?;
    let parameters = Parameters::of(&parts.uri, &["wait", "dry_run", "force_text"])?;
    let waits = is_set(&parameters, "wait", "committed")?;
    let tries = is_set(&parameters, "dry_run", "true")?;
    if !is_set(&parameters, "force_text", "true")? {
        check_texts(&note)?;
    }
    check_life(shared.api.health.life())?;
    let pool = Arc::clone(&shared.api.pool);
    if tries {
        return try_out(&shared, pool, note).await;
    }
    match blocking(&shared.submits, move || pool.submit(&note, Source::Client)).await?? {
        Submitted::Committed { id, position } => committed(&shared, id, position).await,
        Submitted::Pending { id } if waits => wait(&shared, id).await,
        Submitted::Pending { id } => Ok(pending(&id)),
    }
}

/// Whether a parameter is given, which has one value.
fn is_set(parameters: &Parameters, name: &str, value: &str) -> Result<bool, Refusal> {
    match parameters.get(name) {
        None => Ok(false),
        Some(given) if given == value => Ok(true),
        Some(other) => Err(Refusal::new(Code::QueryInvalid, format!("{name}={other}"), format!("{name}={value}"))),
    }
}

/// Refuses what looks like personal data; a note that cannot be read is left to the pool, which says what is wrong with it.
fn check_texts(note: &[u8]) -> Result<(), Refusal> {
    let line = note.strip_prefix(HEADER.as_bytes()).and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let head = line.and_then(|line| json::parse(line, Strings::Strict).ok());
    head.and_then(|head| head.get("body").map(check_guesses)).unwrap_or(Ok(()))
}

/// The verdict on a record that is not kept, with the due days that it would start.
async fn try_out(shared: &Shared, pool: Arc<Pool>, note: Vec<u8>) -> Answer {
    let keeper = Arc::clone(&shared.api.book);
    let verdict = blocking(&shared.questions, move || {
        let (record, time) = pool.try_out(&note)?;
        let due = due_days(&record, &keeper, time)?;
        Ok::<_, QueryError>(object([("due", due.into()), ("id", record.id().to_hex().into()), ("status", "acceptable".into())]))
    });
    Ok(reply::json(&verdict.await??))
}

/// Plain text in UTF-8, not compressed.
fn check_media_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("bytes that are no text").to_ascii_lowercase());
    let found = text.unwrap_or_else(|| "none".to_owned());
    let mut parts = found.split(';').map(str::trim);
    let plain = parts.next() == Some("text/plain");
    let charset =
        parts.filter_map(|part| part.strip_prefix("charset=")).all(|charset| matches!(charset.trim_matches('"'), "utf-8" | "us-ascii"));
    if !plain || !charset {
        return Err(Refusal::new(Code::MediaType, format!("Content-Type: {found}"), "text/plain"));
    }
    check_not_compressed(headers)
}

/// Whether a node in this state takes records.
fn check_life(life: Life) -> Result<(), Refusal> {
    let code = match life {
        Life::Ready => return Ok(()),
        Life::LowSpace => Code::LowSpace,
        Life::Starting | Life::Syncing | Life::Corrupt => Code::Syncing,
    };
    Err(Refusal::new(code, life.as_str(), Life::Ready.as_str()))
}

fn pending(id: &Hash) -> Response {
    let value = object([("id", id.to_hex().into()), ("status", "pending".into())]);
    reply::with_status(StatusCode::ACCEPTED, reply::json(&value))
}

/// The final answer; records of one block share its certificate, so the newest block read is kept.
async fn committed(shared: &Shared, id: Hash, position: u64) -> Answer {
    let kept = Arc::clone(&shared.sealed);
    let receipt = shared.read(move |reader| {
        let newest = kept.lock().expect("no holder panics").clone();
        let sealed = match newest.filter(|sealed| sealed.holds(position)) {
            Some(sealed) => sealed,
            None => {
                let sealed = Arc::new(Sealed::of(reader, position)?);
                *kept.lock().expect("no holder panics") = Some(Arc::clone(&sealed));
                sealed
            }
        };
        Ok(sealed.receipt(reader, &id, position)?.to_jcs())
    });
    Ok(reply::body(reply::JSON, receipt.await?))
}

/// Waits for the commit of a pending record.
async fn wait(shared: &Shared, id: Hash) -> Answer {
    let until = Instant::now() + COMMIT_WAIT;
    let mut heads = shared.api.reader.subscribe();
    let mut moved = true;
    loop {
        if moved {
            heads.borrow_and_update();
            if let Some(position) = shared.read(move |reader| Ok(rules::position_of(reader, &id))).await? {
                return committed(shared, id, position).await;
            }
        }
        if let Some(Status::Refused(refusal)) = shared.api.pool.status(&id) {
            return Err(refusal.into());
        }
        moved = tokio::select! {
            changed = heads.changed() => changed.is_ok(),
            () = sleep(REFUSAL_LOOK) => false,
            () = sleep_until(until) => return Ok(pending(&id)),
            () = shared.stop.cancelled() => return Ok(pending(&id)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use axum::http::header::CONTENT_ENCODING;

    #[test]
    fn only_plain_text_is_taken() {
        let code = |content_type: &'static str, coding: &'static str| {
            let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
            check_media_type(&headers).map_err(|refusal| refusal.code)
        };
        for good in ["text/plain", "Text/Plain; charset=UTF-8", "text/plain;charset=\"utf-8\""] {
            assert_eq!(code(good, "identity"), Ok(()), "{good}");
        }
        for bad in ["application/json", "text/plain2", "", "text/plain; charset=gbk", "application/x-www-form-urlencoded"] {
            assert_eq!(code(bad, "identity"), Err(Code::MediaType), "{bad}");
        }
        assert_eq!(code("text/plain", "gzip"), Err(Code::MediaType));
        assert_eq!(check_media_type(&HeaderMap::new()).unwrap_err().code, Code::MediaType);
    }
}
