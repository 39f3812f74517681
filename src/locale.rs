//! The sentences that people read, in English and Chinese. Codes and rules are never translated.

use crate::core::refusal::Refusal;

/// A language that people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    Chinese,
}

impl Language {
    /// From an Accept-Language header or a POSIX locale name: the first of `en*` and `zh*` in it; English for neither.
    pub fn from_tag(_tag: &str) -> Self {
        todo!()
    }

    /// From LC_ALL, LC_MESSAGES or LANG.
    pub fn from_environment() -> Self {
        todo!()
    }
}

/// What a person is told of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentences {
    pub title: String,
    /// One sentence on what is wrong.
    pub detail: String,
    /// One sentence on what to do.
    pub next: String,
}

/// The sentences for a refusal, by its code.
pub fn refusal(_refusal: &Refusal, _language: Language) -> Sentences {
    todo!()
}
