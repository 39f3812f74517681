//! Which address is answered by what, and what every answer carries.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_LANGUAGE, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH,
    RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::Incoming;
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::api::problem::Failed;
use crate::api::reply::PROBLEM;
use crate::api::server::Answers;
use crate::api::{Shared, ledger, lists, questions, records, state, submit};
use crate::core::refusal::{Code, Refusal};
use crate::limits::HTTP_REQUEST_WAIT;
use crate::locale::Language;
use crate::query::questions::Question;

/// The answers of a node.
pub struct Routes {
    shared: Arc<Shared>,
    router: Router,
}

impl Routes {
    pub fn new(shared: Arc<Shared>) -> Self {
        Routes { router: router(Arc::clone(&shared)), shared }
    }
}

impl Answers for Routes {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        answer(&self.shared, self.router.clone(), request).await
    }

    fn turned_away(&self) {
        self.shared.api.metrics.limits_reached.inc();
    }
}

/// All addresses.
fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for question in Question::ALL {
        let answer = move |shares: State<Arc<Shared>>, uri: Uri, headers: HeaderMap| questions::answer(question, shares, uri, headers);
        router = router.route(&format!("/api/v1/{}", question.path()), get(answer));
    }
    for question in [Question::Todo, Question::Overdue] {
        let feed = move |shares: State<Arc<Shared>>, uri: Uri, headers: HeaderMap| questions::feed(question, shares, uri, headers);
        router = router.route(&format!("/api/v1/{}.ics", question.path()), get(feed));
    }
    router
        .route("/api/v1/records", get(lists::records).post(submit::post))
        .route("/api/v1/records/{id}", get(records::record))
        .route("/api/v1/records/{id}/evidence", get(records::evidence))
        .route("/api/v1/evidence", get(records::evidence_of_many))
        .route("/api/v1/chain/{id}", get(lists::chain))
        .route("/api/v1/history/{id}", get(lists::history))
        .route("/api/v1/agencies", get(lists::agencies))
        .route("/api/v1/agencies/{id}", get(lists::agency))
        .route("/api/v1/duties", get(lists::duties))
        .route("/api/v1/duties/{id}", get(lists::duty))
        .route("/api/v1/datasets", get(lists::datasets))
        .route("/api/v1/datasets/{id}", get(lists::dataset))
        .route("/api/v1/requests", get(lists::requests))
        .route("/api/v1/requests/{id}", get(lists::request))
        .route("/api/v1/deliveries", get(lists::deliveries))
        .route("/api/v1/deliveries/{id}", get(lists::delivery))
        .route("/api/v1/blocks", get(lists::blocks))
        .route("/api/v1/blocks/{height}", get(ledger::block))
        .route("/api/v1/validators", get(ledger::validators))
        .route("/verify.html", get(ledger::verifier_page))
        .route("/verify.mjs", get(ledger::verifier_module))
        .route("/api/v1/misbehaviour", get(ledger::misbehaviour))
        .route("/api/v1/proofs/inclusion", get(ledger::inclusion))
        .route("/api/v1/proofs/consistency", get(ledger::consistency))
        .route("/api/v1/status", get(state::status))
        .route("/checkpoint", get(ledger::checkpoint))
        .route("/tile/{*rest}", get(ledger::tile))
        .route("/policy", get(ledger::policy))
        .route("/genesis", get(ledger::genesis))
        .route("/livez", get(state::livez))
        .route("/readyz", get(state::readyz))
        .route("/metrics", get(state::metrics))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_way)
        .with_state(shared)
}

async fn nothing_here(uri: Uri) -> Failed {
    Refusal::new(Code::NotFound, uri.path(), "a documented path").into()
}

async fn not_this_way(method: Method, uri: Uri) -> Failed {
    let found = format!("{method} {}", uri.path());
    Refusal::new(Code::MethodNotAllowed, found, "a method that the Allow header names").into()
}

/// What every answer needs of its request.
struct Asked {
    language: Language,
    /// GET or HEAD.
    reads: bool,
    if_none_match: Option<HeaderValue>,
}

/// Answers one request: within its time, refusals in the reader's language.
async fn answer(shared: &Shared, router: Router, request: Request<Incoming>) -> Response {
    let tag = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked = Asked {
        language: Language::from_tag(tag),
        reads: matches!(*request.method(), Method::GET | Method::HEAD),
        if_none_match: request.headers().get(IF_NONE_MATCH).cloned(),
    };
    let response = match check_host(request.uri(), request.headers(), &shared.api.hosts) {
        Ok(()) => match timeout(HTTP_REQUEST_WAIT, router.oneshot(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                shared.api.metrics.limits_reached.inc();
                late().into_response()
            }
        },
        Err(refusal) => Failed::Refused(refusal).into_response(),
    };
    let response = finished(response, &asked);
    shared.api.metrics.http_answers.inc();
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        shared.api.metrics.limits_reached.inc();
    }
    response
}

fn late() -> Failed {
    let seconds = HTTP_REQUEST_WAIT.as_secs();
    Refusal::new(Code::Quota, format!("no answer within {seconds} s"), format!("a request that ends within {seconds} s")).into()
}

/// Puts a refusal into words, an unchanged answer into 304, and sets the headers of all answers.
fn finished(mut response: Response, asked: &Asked) -> Response {
    if let Some(failed) = response.extensions_mut().remove::<Failed>() {
        put_problem(&mut response, &failed, asked.language);
    }
    let unchanged = match (&asked.if_none_match, response.headers().get(ETAG)) {
        (Some(known), Some(tag)) => names_tag(known, tag),
        _ => false,
    };
    if unchanged && asked.reads && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if asked.reads {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

fn put_problem(response: &mut Response, failed: &Failed, language: Language) {
    *response.status_mut() = failed.status();
    *response.body_mut() = Body::from(failed.to_value(language).to_jcs());
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(VARY, HeaderValue::from_static("accept-language"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = failed.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// Whether an If-None-Match header names this tag.
fn names_tag(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else {
        return false;
    };
    known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// The Host that a request names: an IP address, `localhost` or one of `names`; against DNS rebinding.
fn check_host(uri: &Uri, headers: &HeaderMap, names: &[String]) -> Result<(), Refusal> {
    let refused =
        |found: &str| Refusal::new(Code::QueryInvalid, format!("Host: {found}"), "an IP address, localhost or a name of this node");
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(refused("none, or several"));
    };
    let host = host.to_str().map_err(|_| refused("bytes that are no text"))?;
    let in_uri = uri.authority().map(|authority| authority.as_str());
    match [Some(host), in_uri].into_iter().flatten().find(|host| !is_own_host(host, names)) {
        Some(foreign) => Err(refused(foreign)),
        None => Ok(()),
    }
}

fn is_own_host(host: &str, names: &[String]) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => return address.parse::<Ipv6Addr>().is_ok() && is_port(port),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let known = name.parse::<Ipv4Addr>().is_ok() || name.eq_ignore_ascii_case("localhost");
    is_port(port) && (known || names.iter().any(|own| own.eq_ignore_ascii_case(name)))
}

/// Nothing, or a colon and a number.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_host_is_refused() {
        let names = ["ledger.example".to_owned()];
        for good in ["127.0.0.1:8600", "localhost", "LOCALHOST:80", "[::1]:8600", "[2001:db8::1]", "Ledger.Example:443", "192.0.2.7"] {
            assert!(is_own_host(good, &names), "{good}");
        }
        for bad in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "[::1",
            "[x]",
            "127.0.0.1:x",
            "user@localhost",
            "127.0.0.1:80:80",
        ] {
            assert!(!is_own_host(bad, &names), "{bad}");
        }
        let two = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]);
        assert!(check_host(&Uri::from_static("/"), &two, &names).is_ok());
        assert!(check_host(&Uri::from_static("http://evil.example/"), &two, &names).is_err());
        assert!(check_host(&Uri::from_static("/"), &HeaderMap::new(), &names).is_err());
    }

    #[test]
    fn a_known_tag_is_found_among_several() {
        let tag = HeaderValue::from_static("\"ab\"");
        for (known, want) in [("\"ab\"", true), ("\"x\", W/\"ab\"", true), ("*", true), ("\"x\"", false)] {
            assert_eq!(names_tag(&HeaderValue::from_static(known), &tag), want, "{known}");
        }
    }
}
