//! The questions: as JSON, as CSV, as calendar feeds.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, LINK, VARY};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;

use crate::api::parameters::Parameters;
use crate::api::problem::Failed;
use crate::api::{Shared, blocking, reply};
use crate::core::json::Value;
use crate::core::refusal::{Code, Refusal};
use crate::health::Life;
use crate::locale::{Language, word};
use crate::query::QueryError;
use crate::query::book::BookKeeper;
use crate::query::questions::{self, Question};
use crate::store::Reader;

type Answer = Result<Response, Failed>;
type Shares = State<Arc<Shared>>;

impl Shared {
    /// Runs a question to the book on a blocking thread, in its turn. A node that is behind knows too little to say who is late.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&BookKeeper, &Reader) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, Failed> {
        if let life @ (Life::Starting | Life::Syncing) = self.api.health.life() {
            return Err(Refusal::new(Code::Syncing, life.as_str(), Life::Ready.as_str()).into());
        }
        let (keeper, reader) = (Arc::clone(&self.api.book), self.api.reader.clone());
        blocking(&self.questions, move || question(&keeper, &reader)).await?.map_err(Failed::from)
    }
}

/// Whether the answer is a table rather than JSON.
fn wants_csv(parameters: &Parameters, headers: &HeaderMap) -> Result<bool, Refusal> {
    match parameters.get("format") {
        None => Ok(reply::wants_csv(headers)),
        Some("csv") => Ok(true),
        Some("json") => Ok(false),
        Some(other) => Err(Refusal::new(Code::QueryInvalid, format!("format={other}"), "csv or json")),
    }
}

/// A table's `Link` header names its next page.
pub async fn answer(question: Question, State(shared): Shares, uri: Uri, headers: HeaderMap) -> Answer {
    let known: Vec<_> = question.parameters().iter().copied().chain(["format"]).collect();
    let parameters = Parameters::of(&uri, &known)?;
    let is_csv = wants_csv(&parameters, &headers)?;
    let asked = parameters.asked()?;
    let (body, next) = shared
        .ask(move |keeper, reader| {
            let answer = questions::answer(question, keeper, reader, &asked)?;
            let next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
            Ok((if is_csv { questions::csv(question, &answer) } else { answer.to_jcs() }, next))
        })
        .await?;
    let mut response = reply::body(if is_csv { reply::CSV } else { reply::JSON }, body);
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    if let (true, Some(next)) = (is_csv, next) {
        let others = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("after="));
        let query = others.chain([format!("after={next}").as_str()]).collect::<Vec<_>>().join("&");
        if let Ok(link) = HeaderValue::from_str(&format!("<{}?{query}>; rel=\"next\"", uri.path())) {
            response.headers_mut().insert(LINK, link);
        }
    }
    Ok(response)
}

/// The open obligations of one agency for a calendar, in the reader's language.
pub async fn feed(question: Question, State(shared): Shares, uri: Uri, headers: HeaderMap) -> Answer {
    let asked = Parameters::of(&uri, &["agency", "as_of"])?.asked()?;
    let tag = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let language = Language::from_tag(tag);
    let text = shared
        .ask(move |keeper, reader| {
            let name = format!("{} {}", word(language, "report", question.path()), asked.agency.as_deref().unwrap_or_default());
            let answer = questions::dated(question, keeper, reader, asked)?;
            Ok(questions::feed(&answer, &reader.genesis().origin, &name, language))
        })
        .await?;
    let mut response = reply::body(reply::CALENDAR, text);
    response.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-language"));
    Ok(response)
}
