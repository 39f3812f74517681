//! Drafts for people: a commented template of every kind, and a filled one as the content of a record.
//!
//! A draft is TOML: `kind`, `by`?, `refs` and a table `body` with the members of the kind. The sentences and examples of all
//! templates are `locale/drafts.txt`: lines `@phrase | English | Chinese`; then, for each kind after an empty line, `kind |
//! roles | refs | English | Chinese` and a line for each member, `member | bound | example | English | Chinese`, with a
//! question mark behind the names of optional ones.

use std::path::Path;

use crate::cli::failure::Failure;
use crate::cli::genesis::read;
use crate::core::hash::Hash;
use crate::core::json::{Value, object};
use crate::core::kinds::Kind;
use crate::core::limits::INTEGER_MAX;
use crate::core::refusal::{Code, Refusal};
use crate::locale::Language;

const TEXT: &str = include_str!("../locale/drafts.txt");

/// The cells of a line.
fn cells(line: &str) -> [&str; 5] {
    let mut cells = [""; 5];
    for (cell, text) in cells.iter_mut().zip(line.split('|')) {
        *cell = text.trim();
    }
    cells
}

/// The line that begins with `name` and those of its block.
fn block(name: &str) -> Option<Vec<[&'static str; 5]>> {
    let lines = TEXT.split("\n\n").map(|block| block.lines().map(cells).collect::<Vec<_>>());
    lines.into_iter().find(|lines| lines.first().is_some_and(|first| first[0] == name))
}

/// A phrase with its gaps filled one by one.
fn phrase(name: &str, language: Language, words: &[&str]) -> String {
    let line = TEXT.lines().map(cells).find(|cells| cells[0].strip_prefix('@') == Some(name)).unwrap_or_default();
    let text = match language {
        Language::English => line[1],
        Language::Chinese => line[2],
    };
    words.iter().fold(text.to_owned(), |text, word| text.replacen("{}", word, 1))
}

/// How a member is bounded, as `texts 1 8 2000` says it.
fn bound(code: &str, language: Language) -> String {
    let (name, words) = code.split_once(' ').unwrap_or((code, ""));
    match name {
        "of" => phrase("of", language, &[&words.replace(' ', ", ")]),
        name => phrase(name, language, &words.split(' ').collect::<Vec<_>>()),
    }
}

/// The template of a kind.
///
/// # Errors
/// [`Failure::Refused`] with `kind-unknown`.
pub fn template(kind: &str, language: Language) -> Result<String, Failure> {
    let unknown = || Refusal::new(Code::KindUnknown, kind, kinds().join(", "));
    let block = block(kind).filter(|_| !kind.starts_with('@')).ok_or_else(unknown)?;
    let (head, members) = block.split_first().ok_or_else(unknown)?;
    let said = |english, chinese| match language {
        Language::English => english,
        Language::Chinese => chinese,
    };
    let comment = |text: String| format!("# {text}\n");
    let mut out = comment(phrase("kind", language, &[kind, said(head[3], head[4])]));
    out += &comment(phrase("signs", language, &[head[1]]));
    out += &comment(phrase("how", language, &[]));
    out += &format!("\nkind = \"{kind}\"\n\n{}# by = \"agency-0\"\n\n", comment(phrase("by", language, &[])));
    if head[2].is_empty() {
        out += &format!("{}refs = []\n", comment(phrase("norefs", language, &[])));
    } else {
        out += &format!("{}refs = [\"RECORD ID\"]\n", comment(phrase("refs", language, &[head[2]])));
    }
    out += "\n[body]\n";
    for [name, code, example, english, chinese] in members {
        let optional = if name.ends_with('?') { format!("{}; ", phrase("optional", language, &[])) } else { String::new() };
        let comment = comment(format!("{} ({optional}{})", said(english, chinese), bound(code, language)));
        match name.strip_suffix('?') {
            Some(name) => out += &format!("{comment}# {name} = {example}\n"),
            None => out += &format!("{comment}{name} = {example}\n"),
        }
    }
    Ok(out)
}

/// The kinds that have a template.
pub fn kinds() -> Vec<&'static str> {
    let names = TEXT.split("\n\n").filter_map(|block| block.lines().next()).map(|line| cells(line)[0]);
    names.filter(|name| !name.starts_with('@')).collect()
}

/// What a filled draft says.
#[derive(Debug)]
pub struct Filled {
    pub kind: Kind,
    pub by: Option<String>,
    pub refs: Vec<Hash>,
    pub body: Value,
}

/// Reads a filled draft.
///
/// # Errors
/// [`Failure::Unreadable`], naming line and member.
pub fn read_filled(path: &Path) -> Result<Filled, Failure> {
    let unreadable = |what: String| Failure::Unreadable(format!("{}: {what}", path.display()));
    let text = String::from_utf8(read(path)?).map_err(|error| unreadable(error.to_string()))?;
    let mut table: toml::Table = toml::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let mut take = |name: &str| table.remove(name).map(|value| value_of(value, name).map_err(unreadable)).transpose();
    let kind = take("kind")?.and_then(|kind| kind.as_str().map(str::to_owned)).ok_or_else(|| unreadable("no kind = \"...\"".to_owned()))?;
    let by = take("by")?.and_then(|by| by.as_str().map(str::to_owned));
    let refs = take("refs")?.unwrap_or(Value::Array(Vec::new()));
    let id = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        Hash::parse(text).map_err(|_| unreadable(format!("refs: found '{text}'; expected a record id of 64 lower-case hex digits")))
    };
    let refs = refs.as_array().unwrap_or_default().iter().map(id).collect::<Result<_, _>>()?;
    let body = take("body")?.unwrap_or_else(|| object([]));
    if let Some(other) = table.keys().next() {
        return Err(unreadable(format!("found {other}; expected kind, by, refs and [body] alone")));
    }
    Ok(Filled { kind: Kind::parse(&kind)?, by, refs, body })
}

/// TOML as a record's JSON: days and times become texts; numbers are those of a record.
fn value_of(value: toml::Value, place: &str) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(moment) => Value::String(moment.to_string()),
        toml::Value::Integer(number) => {
            let whole = u64::try_from(number).ok().filter(|number| *number <= INTEGER_MAX);
            Value::Int(whole.ok_or_else(|| format!("{place}: found {number}; expected 0 to {INTEGER_MAX}"))?)
        }
        toml::Value::Float(number) => return Err(format!("{place}: found {number}; expected a whole number")),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(|item| value_of(item, place)).collect::<Result<_, _>>()?),
        toml::Value::Table(members) => {
            let member = |(name, value): (String, toml::Value)| {
                let value = value_of(value, &format!("{place}.{name}"))?;
                Ok::<_, String>((name, value))
            };
            Value::Object(members.into_iter().map(member).collect::<Result<_, _>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::kinds::parse_body;

    /// Their examples stand for keys, which nobody can make up.
    const WITH_KEYS: [&str; 7] =
        ["agency.admit", "key.rotate", "key.revoke", "node.admit", "node.remove", "validator.add", "validator.change"];

    #[test]
    fn every_kind_has_a_template_in_both_languages_whose_phrases_are_whole() {
        for kind in Kind::ALL {
            assert!(kinds().contains(&kind.as_str()), "{}", kind.as_str());
        }
        for kind in kinds() {
            for language in [Language::English, Language::Chinese] {
                let text = template(kind, language).unwrap();
                assert!(!text.contains("{}") && !text.contains("()") && !text.contains(" ;"), "{text}");
                toml::from_str::<toml::Table>(&text).unwrap();
                let optional: String = text
                    .lines()
                    .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line))
                    .map(|line| format!("{line}\n"))
                    .collect();
                toml::from_str::<toml::Table>(&optional).unwrap_or_else(|error| panic!("{kind}: {error}\n{optional}"));
            }
            assert!(!template(kind, Language::Chinese).unwrap().is_ascii());
        }
        assert!(template("@text", Language::English).is_err());
    }

    #[test]
    fn a_template_as_it_comes_is_a_well_formed_body() {
        let dir = std::env::temp_dir().join(format!("sharelog-drafts-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for kind in Kind::ALL.iter().filter(|kind| !WITH_KEYS.contains(&kind.as_str())) {
            let path = dir.join("draft.toml");
            let text = template(kind.as_str(), Language::English).unwrap().replace("RECORD ID", &"0".repeat(64));
            std::fs::write(&path, text).unwrap();
            let filled = read_filled(&path).unwrap();
            parse_body(filled.kind, &filled.body, "a.test/b/0000000000000000")
                .unwrap_or_else(|refusal| panic!("{}: {refusal}", kind.as_str()));
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
