//! A request's body.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use http_body_util::BodyExt as _;

use crate::core::refusal::{Code, Refusal};
use crate::limits::HTTP_DRAIN_BYTES_MAX;

/// The body, at most `bytes_max`; more is read on for a while and thrown away.
///
/// # Errors
/// `too-large`; `note-malformed` for a body that broke off.
pub async fn read_body(mut body: Body, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let broken = |found: String| Refusal::new(Code::NoteMalformed, found, "a whole body");
    let mut bytes = Vec::new();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(error.to_string()))?;
        let Some(chunk) = frame.data_ref() else {
            continue;
        };
        read += chunk.len();
        if read <= bytes_max {
            bytes.extend_from_slice(chunk);
        } else if read > HTTP_DRAIN_BYTES_MAX {
            break;
        }
    }
    if read > bytes_max {
        return Err(Refusal::new(Code::TooLarge, format!("{read} bytes or more"), format!("at most {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// # Errors
/// `media-type` for a compressed body.
pub fn check_not_compressed(headers: &HeaderMap) -> Result<(), Refusal> {
    let coding = headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("bytes that are no text").to_ascii_lowercase());
    match coding {
        Some(coding) if coding != "identity" => {
            Err(Refusal::new(Code::MediaType, format!("Content-Encoding: {coding}"), "text that is not compressed"))
        }
        _ => Ok(()),
    }
}
