//! A refusal: the ordinary, documented answer to bad input.
//!
//! It holds values, not sentences: a stable code, the numbered rule where there is one, what was found and what was
//! expected. The sentences for people, in English and Chinese, are looked up by code (`locale`).

use std::fmt;

macro_rules! codes {
    ($($variant:ident = $text:literal,)*) => {
        /// The stable codes of refusals, as in `problem+json` and on the command line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($variant,)* }

        impl Code {
            /// Every code, for tables and tests.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Code::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    NoteMalformed = "note-malformed",
    JsonMalformed = "json-malformed",
    JsonDuplicateKey = "json-duplicate-key",
    JsonNotCanonical = "json-not-canonical",
    FieldUnknown = "field-unknown",
    FieldMissing = "field-missing",
    FieldInvalid = "field-invalid",
    TextForbidden = "text-forbidden",
    LedgerWrong = "ledger-wrong",
    KindUnknown = "kind-unknown",
    QueryInvalid = "query-invalid",
    CursorInvalid = "cursor-invalid",
    KeyUnknown = "key-unknown",
    KeyRevoked = "key-revoked",
    RoleWrong = "role-wrong",
    SignatureInvalid = "signature-invalid",
    SignatureMissing = "signature-missing",
    AgencySuspended = "agency-suspended",
    AgencyRetired = "agency-retired",
    NotFound = "not-found",
    MethodNotAllowed = "method-not-allowed",
    RefUnknown = "ref-unknown",
    RefWrong = "ref-wrong",
    AtOutOfRange = "at-out-of-range",
    Duplicate = "duplicate",
    NotParty = "not-party",
    NotGranted = "not-granted",
    DatasetUnknown = "dataset-unknown",
    VersionWrong = "version-wrong",
    DutyUnknown = "duty-unknown",
    AgencyUnknown = "agency-unknown",
    AlreadyAnswered = "already-answered",
    ReceiptContradicts = "receipt-contradicts",
    Closed = "closed",
    TooLate = "too-late",
    TooEarly = "too-early",
    LimitExceeded = "limit-exceeded",
    StillOpen = "still-open",
    TooLarge = "too-large",
    MediaType = "media-type",
    Quota = "quota",
    Syncing = "syncing",
    LowSpace = "low-space",
    PoolFull = "pool-full",
    NotCovered = "not-covered",
    CommitmentMismatch = "commitment-mismatch",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an input was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// The numbered rule of the kind, such as `R-ANSWER-3`; `None` for refusals of form that every record shares.
    pub rule: Option<&'static str>,
    pub found: String,
    pub expected: String,
}

/// `found` and `expected` are cut to this many bytes, so that a refusal never echoes a giant input.
const ECHO_BYTES_MAX: usize = 300;

impl Refusal {
    pub fn new(code: Code, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Refusal { code, rule: None, found: cut(found.into()), expected: cut(expected.into()) }
    }

    /// A refusal by a numbered rule.
    pub fn rule(rule: &'static str, code: Code, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Refusal { rule: Some(rule), ..Refusal::new(code, found, expected) }
    }

    /// The same refusal, naming the place in front of what was found.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        self.found = cut(format!("{place}: {}", self.found));
        self
    }

    /// The same refusal, as one of a numbered rule.
    #[must_use]
    pub fn under(mut self, rule: &'static str) -> Self {
        self.rule = Some(rule);
        self
    }

    /// True when the same bytes may pass later: what they refer to may still come, or room may be made.
    pub fn may_pass_later(&self) -> bool {
        matches!(
            self.code,
            Code::RefUnknown
                | Code::DatasetUnknown
                | Code::DutyUnknown
                | Code::AgencyUnknown
                | Code::KeyUnknown
                | Code::VersionWrong
                | Code::Quota
                | Code::Syncing
                | Code::LowSpace
                | Code::PoolFull
                | Code::NotCovered
        )
    }
}

fn cut(mut text: String) -> String {
    if text.len() > ECHO_BYTES_MAX {
        let mut end = ECHO_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("...");
    }
    text
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(rule) = self.rule {
            write!(f, " ({rule})")?;
        }
        write!(f, ": found {}; expected {}", self.found, self.expected)
    }
}

impl std::error::Error for Refusal {}
