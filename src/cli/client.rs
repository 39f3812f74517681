//! HTTP from the command line to a node.
//!
//! An answer that a node gives in `problem+json` becomes [`Failure::Refused`] with its code; no answer at all is
//! [`Failure::Network`]. Answers are read as restricted JCS; members that are not known here are ignored.

use std::time::Duration;

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::core::genesis::Genesis;
use crate::core::json::{self, Strings, Value};
use crate::core::refusal::{Code, Refusal};
use crate::locale::Language;

/// A node answers within 35 s, the longest wait for a commit included.
const ANSWER_WAIT: Duration = Duration::from_secs(40);
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// A list of 1,000 records of 16 KiB, its JSON escapes included.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Connections kept open to one node: half of what one address may hold there.
pub const CONNECTIONS_MAX: usize = 32;
/// The longest list page.
pub const PAGE_MAX: usize = 1_000;

/// A node's HTTP interface.
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

/// Status and body as they came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// From Retry-After, in seconds on the wire.
    pub retry_after: Option<Duration>,
}

/// A refusal as a node words it; its rule is text, since a newer node may have rules that are not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    pub rule: Option<String>,
    pub found: String,
    pub expected: String,
    /// The same bytes may pass later.
    pub retry: bool,
}

impl Problem {
    /// `None` for JSON that is no problem, or has a code that is not known here.
    pub fn from_value(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Problem {
            code: Code::parse(&text("code")?)?,
            rule: text("rule"),
            found: text("found").unwrap_or_default(),
            expected: text("expected").unwrap_or_default(),
            retry: value.get("retry").and_then(Value::as_bool).unwrap_or(false),
        })
    }

    /// The rule stands at the end of what was expected.
    pub fn refusal(&self) -> Refusal {
        let expected = match &self.rule {
            Some(rule) => format!("{} ({rule})", self.expected),
            None => self.expected.clone(),
        };
        Refusal::new(self.code, self.found.clone(), expected)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let retry = refusal.may_pass_later();
        let rule = refusal.rule.map(str::to_owned);
        Problem { code: refusal.code, rule, found: refusal.found, expected: refusal.expected, retry }
    }
}

impl Client {
    /// # Errors
    /// [`Failure::Usage`] for an address that is not `http://` or `https://`.
    pub fn new(global: &Global) -> Result<Self, Failure> {
        Client::at(&global.node, ANSWER_WAIT)
    }

    /// The server at `address`, which answers within `wait` or counts as unreachable.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn at(address: &str, wait: Duration) -> Result<Self, Failure> {
        let base = address.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(Failure::Usage(format!("{base}: expected an address as http://127.0.0.1:8600")));
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(wait))
            .timeout_connect(Some(CONNECT_WAIT))
            .http_status_as_error(false)
            .max_idle_connections(CONNECTIONS_MAX)
            .max_idle_connections_per_host(CONNECTIONS_MAX)
            .build()
            .into();
        Ok(Client { agent, base })
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::Network(format!("no answer from {}: {error}; is it running, and is the address right?", self.base))
    }

    fn answer(&self, response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, Failure> {
        let mut response = response.map_err(|error| self.unreachable(&error))?;
        let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(|error| self.unreachable(&error))?;
        Ok(Answer { status: response.status().as_u16(), body, retry_after: seconds.map(Duration::from_secs) })
    }

    /// Whatever a GET gives.
    ///
    /// # Errors
    /// [`Failure::Network`].
    pub fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.answer(self.agent.get(format!("{}{path}", self.base)).call())
    }

    /// Offers a record; with `query` `?wait=committed` the answer waits for its commit.
    ///
    /// # Errors
    /// [`Failure::Network`].
    pub fn post_record(&self, note: &[u8], query: &str) -> Result<Answer, Failure> {
        let request = self.agent.post(format!("{}/api/v1/records{query}", self.base)).header("content-type", "text/plain");
        self.answer(request.send(note))
    }

    /// The body of a GET that succeeds.
    ///
    /// # Errors
    /// [`Failure::Network`], [`Failure::Refused`].
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let answer = self.get(path)?;
        if answer.status == 200 { Ok(answer.body) } else { Err(self.refused(&answer)) }
    }

    /// As [`Client::bytes`], in the reader's language.
    ///
    /// # Errors
    /// As [`Client::bytes`].
    pub fn bytes_in(&self, path: &str, language: Language) -> Result<Vec<u8>, Failure> {
        let request = self.agent.get(format!("{}{path}", self.base)).header("accept-language", language.tag());
        let answer = self.answer(request.call())?;
        if answer.status == 200 { Ok(answer.body) } else { Err(self.refused(&answer)) }
    }

    /// The JSON of a GET that succeeds.
    ///
    /// # Errors
    /// As [`Client::bytes`].
    pub fn json(&self, path: &str) -> Result<Value, Failure> {
        self.parse(&self.bytes(path)?)
    }

    /// # Errors
    /// [`Failure::Network`] for an answer that is not in the contract's JSON.
    pub fn parse(&self, body: &[u8]) -> Result<Value, Failure> {
        json::parse(body, Strings::WithNotes).map_err(|refusal| self.unusable(&refusal))
    }

    /// An answer that is not what the contract says.
    pub fn unusable(&self, refusal: &Refusal) -> Failure {
        Failure::Network(format!("{} gave an answer that cannot be read: {refusal}", self.base))
    }

    /// What an answer that is not a success means.
    pub fn refused(&self, answer: &Answer) -> Failure {
        match self.problem(answer) {
            Some(problem) => Failure::Refused(problem.refusal()),
            None => Failure::Network(format!("{} answered with status {} and no known code", self.base, answer.status)),
        }
    }

    /// The problem in an answer, if there is one that is known here.
    pub fn problem(&self, answer: &Answer) -> Option<Problem> {
        json::parse(&answer.body, Strings::WithNotes).ok().and_then(|value| Problem::from_value(&value))
    }

    /// The node's genesis file, checked.
    ///
    /// # Errors
    /// As [`Client::bytes`].
    pub fn genesis(&self) -> Result<Genesis, Failure> {
        let bytes = self.bytes("/genesis")?;
        Genesis::parse(&bytes).map_err(|refusal| Failure::Network(format!("{} serves a broken genesis file: {refusal}", self.base)))
    }

    /// Walks a list from its first page to its last; `path` has its filters and no cursor.
    ///
    /// # Errors
    /// As [`Client::json`].
    pub fn each_page(&self, path: &str, mut page: impl FnMut(&Value)) -> Result<(), Failure> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut after = String::new();
        loop {
            let answer = self.json(&format!("{path}{after}"))?;
            page(&answer);
            match answer.get("next").and_then(Value::as_str) {
                Some(next) => after = format!("{joint}after={}", escaped(next)),
                None => return Ok(()),
            }
        }
    }

    /// All items of a list.
    ///
    /// # Errors
    /// As [`Client::json`].
    pub fn all(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        self.each_page(&format!("{path}{joint}limit={PAGE_MAX}"), |page| items.extend_from_slice(items_of(page)))?;
        Ok(items)
    }
}

/// All pages as one: items in their order, what was said of them from the last page.
///
/// # Errors
/// As [`Client::json`].
pub fn every_page(client: &Client, path: &str) -> Result<Value, Failure> {
    let mut items = Vec::new();
    let mut last = Value::Bool(false);
    client.each_page(path, |page| {
        items.extend_from_slice(items_of(page));
        last = page.clone();
    })?;
    if let Value::Object(members) = &mut last {
        members.insert("items".to_owned(), items.into());
    }
    Ok(last)
}

/// The items of a list page.
pub fn items_of(page: &Value) -> &[Value] {
    page.get("items").and_then(Value::as_array).unwrap_or_default()
}

/// A query value, percent-encoded where it is not of the unreserved characters (RFC 3986) or a colon.
pub fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
