//! Answers, and how long they may be kept.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::core::hash::Hash;
use crate::core::json::Value;

pub const JSON: &str = "application/json";
pub const PROBLEM: &str = "application/problem+json";
pub const TEXT: &str = "text/plain; charset=utf-8";
pub const CSV: &str = "text/csv; charset=utf-8; header=present";
pub const CALENDAR: &str = "text/calendar; charset=utf-8";
pub const HTML: &str = "text/html; charset=utf-8";
pub const SCRIPT: &str = "text/javascript; charset=utf-8";
pub const BYTES: &str = "application/octet-stream";

/// Kept by nobody without asking again.
const FRESH: &str = "no-cache";
/// What never changes: a year, the longest that caches are asked for.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// JSON that the next block may change.
pub fn json(value: &Value) -> Response {
    body(JSON, value.to_jcs())
}

/// An answer that may be another one soon.
pub fn body(content_type: &'static str, bytes: impl Into<Body>) -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(content_type)), (CACHE_CONTROL, HeaderValue::from_static(FRESH))];
    (headers, bytes.into()).into_response()
}

/// An answer that never changes, with its ETag.
pub fn immutable(content_type: &'static str, bytes: Vec<u8>) -> Response {
    let tag = tag_of(&bytes);
    tagged(content_type, bytes, &tag)
}

/// The ETag of an answer that never changes.
pub fn tag_of(bytes: &[u8]) -> String {
    format!("\"{}\"", &Hash::of(bytes).to_hex()[..32])
}

/// An answer that never changes, whose ETag is known.
pub fn tagged(content_type: &'static str, bytes: impl Into<Body>, tag: &str) -> Response {
    let mut response = body(content_type, bytes);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(FOREVER));
    headers.insert(ETAG, HeaderValue::from_str(tag).expect("hex digits in quotes"));
    response
}

/// The same answer under another status.
pub fn with_status(status: StatusCode, mut response: Response) -> Response {
    *response.status_mut() = status;
    response
}

/// Whether the reader wants the signed note rather than JSON.
pub fn wants_note(headers: &HeaderMap) -> bool {
    prefers(headers, "text/plain")
}

/// Whether the reader wants a table rather than JSON.
pub fn wants_csv(headers: &HeaderMap) -> bool {
    prefers(headers, "text/csv")
}

/// Whether a media type stands in Accept before JSON and wildcards.
fn prefers(headers: &HeaderMap, wanted: &str) -> bool {
    let accept = headers.get(axum::http::header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut ranges = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let decisive = ranges.find(|range| range == wanted || matches!(range.as_str(), "application/json" | "application/*" | "*/*"));
    decisive.as_deref() == Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_is_given_to_those_who_ask_for_text_first() {
        for (accept, want) in [
            ("text/plain", true),
            ("text/plain; charset=utf-8, */*;q=0.1", true),
            ("application/json, text/plain, */*", false),
            ("*/*", false),
            ("text/html,*/*;q=0.8", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(axum::http::header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wants_note(&headers), want, "{accept}");
        }
    }
}
