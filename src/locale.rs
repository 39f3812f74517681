//! The sentences that people read, in English and Chinese. Codes and rules are never translated.
//!
//! One table for each language, `locale/en.toml` and `locale/zh.toml`, with a section for every code of
//! [`crate::core::refusal::Code`] and one, `internal`, for a node that failed itself; and `words`, the single words of reports:
//! the columns of their tables, the values in them, and the sentences around them. The instructions beside a report are texts of
//! their own.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

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
    pub fn from_tag(tag: &str) -> Self {
        let primary = |part: &str| part.trim().split(['-', '_', '.', ';', '@']).next().unwrap_or_default().to_ascii_lowercase();
        tag.split(',')
            .find_map(|part| match primary(part).as_str() {
                "en" => Some(Language::English),
                "zh" => Some(Language::Chinese),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// From LC_ALL, LC_MESSAGES or LANG.
    pub fn from_environment() -> Self {
        let named = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
        named.filter(|value| !value.is_empty()).map(|value| Language::from_tag(&value)).next().unwrap_or_default()
    }

    /// The tag of this language, as in a Content-Language header.
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh",
        }
    }

    fn table(self) -> &'static Texts {
        static ENGLISH: OnceLock<Texts> = OnceLock::new();
        static CHINESE: OnceLock<Texts> = OnceLock::new();
        let (table, text) = match self {
            Language::English => (&ENGLISH, include_str!("locale/en.toml")),
            Language::Chinese => (&CHINESE, include_str!("locale/zh.toml")),
        };
        table.get_or_init(|| toml::from_str(text).expect("the locale files are well-formed, as a test checks"))
    }
}

/// A locale file.
#[derive(Debug, Deserialize)]
struct Texts {
    words: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(flatten)]
    refusals: BTreeMap<String, Sentences>,
}

/// What a person is told of a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentences {
    pub title: String,
    /// One sentence on what is wrong.
    pub detail: String,
    /// One sentence on what to do.
    pub next: String,
}

/// The sentences for a refusal, by its code.
pub fn refusal(refusal: &Refusal, language: Language) -> Sentences {
    language.table().refusals.get(refusal.code.as_str()).cloned().expect("every code has its sentences, as a test checks")
}

/// The sentences for a failure of the node itself.
pub fn internal(language: Language) -> Sentences {
    language.table().refusals.get("internal").cloned().expect("the section stands in both files, as a test checks")
}

/// A word of a report: `column`, `value` or `report`, and its name. One that is not known is its own name, as codes are.
pub fn word<'a>(language: Language, section: &str, name: &'a str) -> &'a str {
    let known = language.table().words.get(section).and_then(|section| section.get(name));
    known.map_or(name, String::as_str)
}

/// How to check the evidence of a report, and what it shows; `{origin}`, `{genesis}` and a line `{commands}` are to be filled in.
pub fn how_to_verify(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("locale/verify.en.txt"),
        Language::Chinese => include_str!("locale/verify.zh.txt"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::refusal::Code;

    #[test]
    fn every_code_has_its_sentences_in_both_languages() {
        for language in [Language::English, Language::Chinese] {
            for code in Code::ALL {
                let sentences = refusal(&Refusal::new(*code, "", ""), language);
                assert!([&sentences.title, &sentences.detail, &sentences.next].iter().all(|text| !text.is_empty()), "{code}");
            }
            assert!(!internal(language).detail.is_empty());
            assert_eq!(language.table().refusals.len(), Code::ALL.len() + 1, "no section without a code");
        }
    }

    #[test]
    fn both_languages_have_the_same_words() {
        let names = |language: Language| -> Vec<(&String, Vec<&String>)> {
            language.table().words.iter().map(|(section, words)| (section, words.keys().collect())).collect()
        };
        assert_eq!(names(Language::English), names(Language::Chinese));
        let empty = |language: Language| language.table().words.values().flat_map(BTreeMap::values).any(String::is_empty);
        assert!(!empty(Language::English) && !empty(Language::Chinese));
        assert_eq!(word(Language::English, "value", "nothing"), "nothing");
    }

    #[test]
    fn the_first_known_language_is_taken() {
        for (tag, want) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("fr, en-GB;q=0.7, zh;q=0.3", Language::English),
            ("zh_CN.UTF-8", Language::Chinese),
            ("ZH", Language::Chinese),
            ("C", Language::English),
            ("zha", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::from_tag(tag), want, "{tag}");
        }
    }
}
