//! The addresses of a witness, and the statuses of the standard.
//!
//! | address | answer |
//! | --- | --- |
//! | `POST /add-checkpoint` | the cosignature; 400, 403, 404, 409, 413, 415, 422, 429 |
//! | `GET /<SHA-256 of an origin>/checkpoint` | the newest cosigned checkpoint, for monitors |
//! | `GET /` | what this is, for people |
//!
//! Everything but 200 and 409 is plain text that names what was found, what was expected and what to do.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use hyper::body::Incoming;
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::api::body::{check_not_compressed, read_body};
use crate::api::server::Answers;
use crate::api::{problem, reply};
use crate::core::refusal::{Code, Refusal};
use crate::limits::{HTTP_REQUEST_WAIT, SUBMISSION_BYTES_MAX};
use crate::log::witness::{Refused, Submission};
use crate::witness::latest::name_of;
use crate::witness::{NotCosigned, Witness};

/// The media type of a size, as the standard wants it.
const SIZE: &str = "text/x.tlog.size";

/// The answers of a witness.
pub struct Routes(Router);

impl Routes {
    pub fn new(witness: Arc<Witness>) -> Self {
        let router = Router::new()
            .route("/", get(about))
            .route("/add-checkpoint", post(add_checkpoint))
            .route("/{origin}/checkpoint", get(checkpoint))
            .fallback(nothing_here)
            .method_not_allowed_fallback(not_this_way)
            .with_state(witness);
        Routes(router)
    }
}

impl Answers for Routes {
    async fn answer(&self, request: hyper::Request<Incoming>) -> Response {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut response = match timeout(HTTP_REQUEST_WAIT, self.0.clone().oneshot(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                let seconds = HTTP_REQUEST_WAIT.as_secs();
                let refusal = Refusal::new(Code::Quota, format!("no answer within {seconds} s"), "a request that ends sooner");
                refused(StatusCode::SERVICE_UNAVAILABLE, &refusal, "Send it again later.")
            }
        };
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if is_read {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        response
    }
}

async fn nothing_here(uri: Uri) -> Response {
    let refusal = Refusal::new(Code::NotFound, uri.path(), "/add-checkpoint, /<SHA-256 of an origin>/checkpoint, or /");
    refused(StatusCode::NOT_FOUND, &refusal, "GET / lists the logs that are witnessed here.")
}

async fn not_this_way(method: Method, uri: Uri) -> Response {
    let found = format!("{method} {}", uri.path());
    let refusal = Refusal::new(Code::MethodNotAllowed, found, "POST /add-checkpoint, GET for what is read");
    refused(StatusCode::METHOD_NOT_ALLOWED, &refusal, "Use a method that the Allow header names.")
}

/// Reads on a blocking thread: a submission that is being written is waited for.
async fn read<T: Send + 'static>(witness: Arc<Witness>, what: impl FnOnce(&Witness) -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(move || what(&witness)).await.expect("reading does not panic")
}

/// What this is, for people.
async fn about(State(witness): State<Arc<Witness>>) -> Response {
    reply::body(reply::TEXT, read(witness, about_text).await)
}

fn about_text(witness: &Witness) -> String {
    let mut text = format!(
        "A witness of transparency logs (C2SP tlog-witness).\nIts key: {}\nA cosignature under it says: of this log, this witness \
         cosigned no other history.\n\nSubmissions: POST /add-checkpoint\nLogs that are witnessed:\n",
        witness.vkey
    );
    for log in witness.logs.values() {
        let latest = log.latest.lock().expect("no holder panics");
        let newest = latest.checkpoint().map_or_else(|| "nothing cosigned yet".to_owned(), |newest| format!("{} leaves", newest.size));
        writeln!(text, "  {}\n    {newest}; GET /{}/checkpoint", log.origin, name_of(&log.origin)).expect("writing to a string");
    }
    text
}

/// The newest cosigned checkpoint of a log.
async fn checkpoint(State(witness): State<Arc<Witness>>, Path(name): Path<String>) -> Response {
    let asked = name.clone();
    let note = read(witness, move |witness| {
        let log = witness.logs.values().find(|log| name_of(&log.origin) == asked);
        log.and_then(|log| log.latest.lock().expect("no holder panics").note().map(str::to_owned))
    });
    match note.await {
        Some(note) => reply::body(reply::TEXT, note),
        None => {
            let refusal = Refusal::new(Code::NotFound, name, "the SHA-256, in hex, of an origin of which a checkpoint was cosigned here");
            refused(StatusCode::NOT_FOUND, &refusal, "GET / lists the logs that are witnessed here.")
        }
    }
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let next = "Send what c2sp.org/tlog-witness describes.";
    let read = read_body(body, SUBMISSION_BYTES_MAX).await.and_then(|bytes| check_not_compressed(&parts.headers).map(|()| bytes));
    let submission = match read.and_then(|bytes| Submission::parse(&bytes)) {
        Ok(submission) => submission,
        Err(refusal) => return refused(problem::status(refusal.code), &refusal, next),
    };
    let turn = Arc::clone(&witness.turns).acquire_owned().await.expect("the semaphore is never closed");
    let judged = tokio::task::spawn_blocking(move || {
        let judged = witness.add_checkpoint(&submission);
        drop(turn);
        judged
    });
    match judged.await.unwrap_or(Err(NotCosigned::Failed)) {
        Ok(line) => reply::body(reply::TEXT, line.to_text()),
        Err(NotCosigned::Refused(why)) => not_cosigned(why),
        Err(NotCosigned::Failed) => {
            let refusal = Refusal::new(Code::LowSpace, "a checkpoint that was not written", "a disk that keeps it");
            refused(StatusCode::INTERNAL_SERVER_ERROR, &refusal, "Tell whoever runs this witness; it signs no more.")
        }
    }
}

/// The status of each refusal: those of the standard.
fn not_cosigned(why: Refused) -> Response {
    match why {
        Refused::Malformed(refusal) => refused(StatusCode::BAD_REQUEST, &refusal, "Send what c2sp.org/tlog-witness describes."),
        Refused::Untrusted(refusal) => {
            refused(StatusCode::FORBIDDEN, &refusal, "Sign with a key of the log, or give its vkey to whoever runs this witness.")
        }
        Refused::UnknownOrigin(origin) => {
            let refusal = Refusal::new(Code::NotFound, origin, "an origin that is witnessed here");
            refused(StatusCode::NOT_FOUND, &refusal, "Ask whoever runs this witness to add the log.")
        }
        Refused::OtherSize(size) => reply::with_status(StatusCode::CONFLICT, reply::body(SIZE, format!("{size}\n"))),
        Refused::Inconsistent(refusal) => refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            &refusal,
            "Send the proof from the cosigned checkpoint; no other history is cosigned.",
        ),
    }
}

fn refused(status: StatusCode, refusal: &Refusal, next: &str) -> Response {
    let Refusal { code, found, expected, .. } = refusal;
    let text = format!("{code}\nfound: {}\nexpected: {expected}\nnext: {next}\n", found.escape_debug());
    reply::with_status(status, reply::body(reply::TEXT, text))
}
