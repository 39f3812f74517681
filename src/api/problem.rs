//! Refusals over HTTP: problem+json (RFC 9457), with a status for every code.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::core::json::{Value, object};
use crate::core::refusal::{Code, Refusal};
use crate::core::text;
use crate::locale::{self, Language, Sentences};
use crate::query::QueryError;

/// Why a request is not answered with what it asked for. As a response it is a mark that [`crate::api::routes`] turns into
/// problem+json in the reader's language.
#[derive(Clone, Debug)]
pub enum Failed {
    Refused(Refusal),
    /// The node failed itself; its log says how.
    Internal,
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Failed::Refused(refusal)
    }
}

impl From<QueryError> for Failed {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Refused(refusal) => Failed::Refused(refusal),
            QueryError::Store(error) => {
                tracing::error!(%error, "a read of the store failed");
                Failed::Internal
            }
        }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl Failed {
    pub fn status(&self) -> StatusCode {
        match self {
            Failed::Refused(refusal) => status(refusal.code),
            Failed::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Seconds after which the same request may pass; `None` when that is not a matter of waiting.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Failed::Refused(refusal) => match refusal.code {
                Code::Quota | Code::PoolFull | Code::NotCovered => Some(1),
                Code::Syncing => Some(5),
                Code::LowSpace => Some(60),
                _ => None,
            },
            Failed::Internal => None,
        }
    }

    pub fn to_value(&self, language: Language) -> Value {
        match self {
            Failed::Refused(refusal) => problem(refusal, language),
            Failed::Internal => {
                let Sentences { title, detail, next } = locale::internal(language);
                object([
                    ("code", "internal".into()),
                    ("detail", detail.into()),
                    ("expected", "an undamaged store".into()),
                    ("found", "see the log of the node".into()),
                    ("next", next.into()),
                    ("retry", true.into()),
                    ("status", u64::from(self.status().as_u16()).into()),
                    ("title", title.into()),
                    ("type", "about:blank".into()),
                ])
            }
        }
    }
}

/// The status of every code: the only such table.
pub fn status(code: Code) -> StatusCode {
    match code {
        Code::NoteMalformed
        | Code::JsonMalformed
        | Code::JsonDuplicateKey
        | Code::JsonNotCanonical
        | Code::FieldUnknown
        | Code::FieldMissing
        | Code::FieldInvalid
        | Code::TextForbidden
        | Code::LedgerWrong
        | Code::KindUnknown
        | Code::QueryInvalid
        | Code::CursorInvalid => StatusCode::BAD_REQUEST,
        Code::KeyUnknown
        | Code::KeyRevoked
        | Code::RoleWrong
        | Code::SignatureInvalid
        | Code::SignatureMissing
        | Code::AgencySuspended
        | Code::AgencyRetired => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::RefUnknown
        | Code::RefWrong
        | Code::AtOutOfRange
        | Code::Duplicate
        | Code::NotParty
        | Code::NotGranted
        | Code::DatasetUnknown
        | Code::VersionWrong
        | Code::DutyUnknown
        | Code::AgencyUnknown
        | Code::AlreadyAnswered
        | Code::ReceiptContradicts
        | Code::Closed
        | Code::TooLate
        | Code::TooEarly
        | Code::LimitExceeded
        | Code::StillOpen
        | Code::CommitmentMismatch => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::Quota => StatusCode::TOO_MANY_REQUESTS,
        Code::Syncing | Code::LowSpace | Code::PoolFull | Code::NotCovered => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A refusal as problem+json.
pub fn problem(refusal: &Refusal, language: Language) -> Value {
    let Sentences { title, detail, next } = locale::refusal(refusal, language);
    let mut value = object([
        ("code", refusal.code.as_str().into()),
        ("detail", detail.into()),
        ("expected", printable(&refusal.expected).into()),
        ("found", printable(&refusal.found).into()),
        ("next", next.into()),
        ("retry", refusal.may_pass_later().into()),
        ("status", u64::from(status(refusal.code).as_u16()).into()),
        ("title", title.into()),
        ("type", "about:blank".into()),
    ]);
    if let (Some(rule), Value::Object(members)) = (refusal.rule, &mut value) {
        members.insert("rule".to_owned(), rule.into());
    }
    value
}

/// A text that answers may hold: what was sent is echoed with everything escaped that no JSON here may hold.
fn printable(found: &str) -> String {
    if text::check(found).is_ok() {
        return found.to_owned();
    }
    let one = |character: char| {
        let own = character.to_string();
        if text::check(&own).is_ok() { own } else { character.escape_default().to_string() }
    };
    let escaped: String = found.chars().map(one).collect();
    if text::check(&escaped).is_ok() { escaped } else { found.escape_default().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::json::{self, Strings};

    #[test]
    fn a_problem_is_canonical_json_whatever_it_echoes() {
        for found in ["plain", "\u{90e8}\u{95e8}", "line\nfeed \u{202e}", "e\u{301}", "\u{1f}"] {
            let refusal = Refusal::rule("R-ANSWER-1", Code::RefUnknown, found, "a request");
            let text = problem(&refusal, Language::Chinese).to_jcs();
            let value = json::parse(text.as_bytes(), Strings::Strict).unwrap();
            assert_eq!(value.get("status").unwrap().as_u64(), Some(409));
            assert_eq!(value.get("rule").unwrap().as_str(), Some("R-ANSWER-1"));
        }
    }
}
