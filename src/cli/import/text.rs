//! How cells become the ledger's texts, ids, lists and words.

use crate::core::hash::Hash;

/// What stands between the entries of a list: ideographic and full-width marks beside the ASCII ones.
const SEPARATORS: [char; 7] = ['\u{3001}', '\u{ff0c}', ',', '\u{ff1b}', ';', '\t', '\n'];
/// Bytes of a slug that is cut, before its hyphen and 8 digits.
const SLUG_CUT: usize = 55;
const SLUG_MAX: usize = 64;

/// Each run of control characters becomes one space; white space at both ends goes.
pub fn clean(cell: &str) -> String {
    let mut out = String::with_capacity(cell.len());
    let mut in_run = false;
    for character in cell.chars() {
        let control = character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
        if !control {
            out.push(character);
        } else if !in_run {
            out.push(' ');
        }
        in_run = control;
    }
    out.trim().to_owned()
}

/// The longest beginning of at most `bytes_max` bytes that ends at a character, without white space at its end.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].trim_end()
}

/// The entries of a list, cleaned, empty ones and repeats left out.
pub fn split(cell: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for entry in cell.split(SEPARATORS) {
        let entry = clean(entry);
        if !entry.is_empty() && !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}

/// Lower case, runs outside `[0-9a-z]` to one hyphen, none at either end; over 64: the first 55, a hyphen, and 8 hex
/// digits of SHA-256 of the lower-cased value. Empty when nothing is left.
pub fn slug(value: &str) -> String {
    let lower = value.trim().to_lowercase();
    let mut slug = String::with_capacity(lower.len());
    for character in lower.chars() {
        if character.is_ascii_lowercase() || character.is_ascii_digit() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.len() <= SLUG_MAX {
        return slug.to_owned();
    }
    format!("{}-{}", &slug[..SLUG_CUT], &Hash::of(lower.as_bytes()).to_hex()[..8])
}

/// The value when `fits` takes it, else its slug.
pub fn identifier(value: &str, fits: impl Fn(&str) -> bool) -> String {
    let value = value.trim();
    if fits(value) { value.to_owned() } else { slug(value) }
}

/// How often a dataset is renewed, from a code of the ledger or a word in English or Chinese (traditional, simplified).
pub fn frequency(word: &str) -> Option<&'static str> {
    const WORDS: [(&str, &[&str]); 9] = [
        ("once", &["once", "one-off", "one off", "\u{4e00}\u{6b21}", "\u{4e00}\u{6b21}\u{6027}"]),
        (
            "realtime",
            &["realtime", "real-time", "real time", "\u{5373}\u{6642}", "\u{5373}\u{65f6}", "\u{5b9e}\u{65f6}", "\u{5be6}\u{6642}"],
        ),
        ("daily", &["daily", "every day", "\u{6bcf}\u{65e5}", "\u{6bcf}\u{5929}"]),
        ("weekly", &["weekly", "every week", "\u{6bcf}\u{9031}", "\u{6bcf}\u{5468}", "\u{6bcf}\u{661f}\u{671f}"]),
        ("monthly", &["monthly", "every month", "\u{6bcf}\u{6708}"]),
        ("quarterly", &["quarterly", "every quarter", "\u{6bcf}\u{5b63}", "\u{6bcf}\u{5b63}\u{5ea6}"]),
        (
            "halfyearly",
            &["halfyearly", "half-yearly", "half yearly", "biannually", "semi-annually", "every six months", "\u{6bcf}\u{534a}\u{5e74}"],
        ),
        ("yearly", &["yearly", "annually", "annual", "every year", "\u{6bcf}\u{5e74}", "\u{6bcf}\u{5e74}\u{5ea6}"]),
        ("irregular", &["irregular", "irregularly", "as required", "\u{4e0d}\u{5b9a}\u{671f}"]),
    ];
    let word = clean(word).to_lowercase();
    WORDS.iter().find(|(_, words)| words.contains(&word.as_str())).map(|(code, _)| *code)
}
