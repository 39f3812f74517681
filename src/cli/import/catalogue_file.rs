//! Catalogues in JSON: DCAT 3 as JSON-LD, and the `data.json` of the Project Open Data metadata schema.
//!
//! Members are found by their local names, whatever prefix or context a file uses. What DCAT has no term for stands under the
//! prefix [`VOCABULARY`], as `sharelog export catalogue` writes it; `--set` fills what an entry lacks.

use std::path::Path;

use serde_json::Value as Json;

use crate::cli::failure::Failure;
use crate::cli::import::text;
use crate::core::refusal::{Code, Refusal};

/// Stands in front of the members that are the ledger's own: class, conditions, purposes, bar, duty, items, system, grade,
/// and a frequency that the authority table lacks.
pub const VOCABULARY: &str = "https://sharelog.example/ns#";
/// The frequencies of the EU authority table, by the ledger's codes.
pub const FREQUENCIES: [(&str, &str); 9] = [
    ("once", "NEVER"),
    ("realtime", "UPDATE_CONT"),
    ("daily", "DAILY"),
    ("weekly", "WEEKLY"),
    ("monthly", "MONTHLY"),
    ("quarterly", "QUARTERLY"),
    ("halfyearly", "ANNUAL_2"),
    ("yearly", "ANNUAL"),
    ("irregular", "IRREG"),
];
pub const FREQUENCY_TABLE: &str = "http://publications.europa.eu/resource/authority/frequency/";
/// ISO 8601 repetitions of `data.json`, and other names of the authority table.
const OTHER_FREQUENCIES: [(&str, &str); 12] = [
    ("r/p1d", "daily"),
    ("r/p1w", "weekly"),
    ("r/p7d", "weekly"),
    ("r/p1m", "monthly"),
    ("r/p3m", "quarterly"),
    ("r/p6m", "halfyearly"),
    ("r/p1y", "yearly"),
    ("r/pt1s", "realtime"),
    ("r/p0y", "once"),
    ("cont", "realtime"),
    ("other", "irregular"),
    ("unknown", "irregular"),
];
/// A whole file is read at once.
const FILE_BYTES_MAX: u64 = 1 << 28;

/// A dataset of a catalogue file, not yet checked; lists are as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub provider: Option<String>,
    pub id: Option<String>,
    pub title: Option<String>,
    pub summary: Option<String>,
    pub frequency: Option<String>,
    pub topic: Option<String>,
    pub format: Vec<String>,
    pub class: Option<String>,
    pub conditions: Option<String>,
    pub purposes: Vec<String>,
    pub bar: Option<String>,
    pub duty: Option<String>,
    /// Name and type.
    pub items: Vec<(String, Option<String>)>,
    pub system: Option<String>,
    pub grade: Option<String>,
}

/// The entries of a file in their order.
///
/// # Errors
/// [`Failure::Unreadable`].
pub fn read(path: &Path) -> Result<Vec<Entry>, Failure> {
    let unreadable = |what: String| Failure::Unreadable(format!("{}: {what}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(unreadable(format!("{size} bytes; expected at most {FILE_BYTES_MAX}")));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let json: Json = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    let datasets = datasets(&json).ok_or_else(|| unreadable("no dcat:dataset, @graph or dataset in it".to_owned()))?;
    Ok(datasets.into_iter().map(entry).collect())
}

/// The datasets of a catalogue: its `dataset` members, or those of type Dataset in a graph.
fn datasets(json: &Json) -> Option<Vec<&Json>> {
    if let Some(listed) = member(json, "dataset") {
        return Some(many(listed));
    }
    let nodes = many(member(json, "@graph").unwrap_or(json));
    let is_dataset = |node: &&Json| {
        member(node, "@type").map(many).unwrap_or_default().iter().any(|kind| kind.as_str().is_some_and(|kind| local(kind) == "Dataset"))
    };
    let found: Vec<_> = nodes.into_iter().filter(is_dataset).collect();
    (!found.is_empty()).then_some(found)
}

/// The name behind prefix or IRI.
fn local(name: &str) -> &str {
    if name.starts_with('@') { name } else { name.rsplit([':', '#', '/']).next().unwrap_or(name) }
}

fn member<'a>(node: &'a Json, name: &str) -> Option<&'a Json> {
    node.as_object()?.iter().find(|(own, _)| local(own) == name).map(|(_, value)| value)
}

fn many(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(items) => items.iter().collect(),
        Json::Null => Vec::new(),
        other => vec![other],
    }
}

/// The text of a literal, a labelled node or a reference.
fn word(value: &Json) -> Option<String> {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Object(_) => {
            let inner = ["@value", "prefLabel", "label", "name", "title", "@id"].into_iter().find_map(|name| member(value, name));
            return inner.and_then(|inner| many(inner).first().and_then(|first| word(first)));
        }
        _ => return None,
    };
    let text = text::clean(&text);
    (!text.is_empty()).then_some(text)
}

fn texts(node: &Json, name: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in member(node, name).map(many).unwrap_or_default().into_iter().filter_map(word) {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

fn text(node: &Json, name: &str) -> Option<String> {
    texts(node, name).into_iter().next()
}

fn entry(node: &Json) -> Entry {
    let publisher = member(node, "publisher").map(many).unwrap_or_default().into_iter().next();
    let provider = publisher.and_then(|publisher| text(publisher, "identifier").or_else(|| word(publisher)));
    let distributions = member(node, "distribution").map(many).unwrap_or_default();
    let mut format: Vec<String> = Vec::new();
    for name in distributions.iter().filter_map(|node| text(node, "format").or_else(|| text(node, "mediaType"))) {
        let name = if name.contains("://") { local(&name).to_owned() } else { name };
        if !format.contains(&name) {
            format.push(name);
        }
    }
    let frequency = text(node, "frequency").or_else(|| text(node, "accrualPeriodicity"));
    let access = text(node, "accessLevel").unwrap_or_default().to_lowercase();
    let (class, rights) = match access.as_str() {
        "public" => (Some("unconditional"), None),
        "restricted public" => (Some("conditional"), text(node, "rights")),
        "non-public" => (Some("withheld"), text(node, "rights")),
        _ => (None, None),
    };
    let class = text(node, "class").or_else(|| class.map(str::to_owned));
    let rights_of = |wanted: &str| rights.clone().filter(|_| class.as_deref() == Some(wanted));
    Entry {
        provider,
        id: text(node, "identifier").or_else(|| text(node, "@id")),
        title: text(node, "title"),
        summary: text(node, "description"),
        frequency: frequency.map(|word| frequency_code(&word).map_or(word, str::to_owned)),
        topic: text(node, "theme"),
        format,
        conditions: text(node, "conditions").or_else(|| rights_of("conditional")),
        purposes: texts(node, "purposes"),
        bar: text(node, "bar").or_else(|| rights_of("withheld")),
        duty: text(node, "duty"),
        items: member(node, "items").map(many).unwrap_or_default().into_iter().filter_map(item).collect(),
        system: text(node, "system"),
        grade: text(node, "grade"),
        class,
    }
}

fn item(node: &Json) -> Option<(String, Option<String>)> {
    match node {
        Json::Object(_) => Some((text(node, "name")?, text(node, "type"))),
        other => Some((word(other)?, None)),
    }
}

/// The ledger's code for a frequency of the authority table or of ISO 8601, or for a word of one of its languages.
fn frequency_code(word: &str) -> Option<&'static str> {
    let name = if word.contains("://") || word.starts_with("freq") { local(word) } else { word };
    let of_table = FREQUENCIES.iter().find(|(_, own)| own.eq_ignore_ascii_case(name)).map(|(code, _)| *code);
    let other = || OTHER_FREQUENCIES.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, code)| *code);
    of_table.or_else(other).or_else(|| text::frequency(name))
}

/// A frequency of an entry as the ledger's code.
///
/// # Errors
/// `field-invalid`.
pub fn checked_frequency(word: &str) -> Result<&'static str, Refusal> {
    let expected = "a frequency of the ledger, of the EU authority table or of ISO 8601";
    frequency_code(word).ok_or_else(|| Refusal::new(Code::FieldInvalid, format!("accrualPeriodicity {word}"), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<Entry> {
        let json: Json = serde_json::from_str(text).unwrap();
        datasets(&json).unwrap().into_iter().map(entry).collect()
    }

    #[test]
    fn dcat_is_read_whatever_its_prefixes() {
        let found = entries(
            r#"{"@graph":[{"@type":"http://www.w3.org/ns/dcat#Dataset","dcterms:title":[{"@value":"Beds","@language":"en"}],
            "dcterms:identifier":"beds","dcterms:accrualPeriodicity":{"@id":"http://publications.europa.eu/resource/authority/frequency/ANNUAL_2"},
            "dcterms:publisher":{"@id":"urn:x","foaf:name":"agency-1"},"dcat:theme":{"skos:prefLabel":"Health"},
            "dcat:distribution":{"dcterms:format":{"@id":"http://publications.europa.eu/resource/authority/file-type/CSV"}}},{"@type":"dcat:Catalog"}]}"#,
        );
        let want = Entry {
            provider: Some("agency-1".into()),
            id: Some("beds".into()),
            title: Some("Beds".into()),
            frequency: Some("halfyearly".into()),
            topic: Some("Health".into()),
            format: vec!["CSV".into()],
            ..Entry::default()
        };
        assert_eq!(found, [want]);
    }

    #[test]
    fn data_json_says_by_its_access_level_what_class_it_is() {
        let found = entries(
            r#"{"conformsTo":"https://project-open-data.cio.gov/v1.1/schema","dataset":[{"title":"Beds","identifier":"b","accrualPeriodicity":"R/P1M",
            "publisher":{"@type":"org:Organization","name":"agency-1"},"accessLevel":"restricted public","rights":"by agreement","theme":["Health","Care"]},
            {"title":"Staff","identifier":"s","accessLevel":"non-public","rights":"Privacy Act"}]}"#,
        );
        assert_eq!((found[0].class.as_deref(), found[0].conditions.as_deref()), (Some("conditional"), Some("by agreement")));
        assert_eq!((found[0].frequency.as_deref(), found[0].topic.as_deref()), (Some("monthly"), Some("Health")));
        assert_eq!((found[1].class.as_deref(), found[1].bar.as_deref()), (Some("withheld"), Some("Privacy Act")));
        assert!(checked_frequency("R/P5Y").is_err());
    }
}
