//! Answers as CSV: RFC 4180 in UTF-8, one line of headings (the members' names), one for each line of the answer, and behind its
//! own columns what the answer says of itself, so that a line torn out still tells its moment.
//!
//! Texts on the ledger are others' input, and spreadsheets run what looks like a formula: a cell that begins with `=`, `+`,
//! `-`, `@`, a tab or a carriage return is written behind an apostrophe, which they show as text.

use csv::{Terminator, WriterBuilder};

use crate::core::json::Value;
use crate::query::questions::Question;

/// Of the answer, in each line.
const HEAD: [&str; 7] = ["as_of", "position", "coverage.agencies", "coverage.records", "coverage.from", "coverage.to", "source"];
/// The tables of a matrix.
const TABLES: [&str; 3] = ["provider", "requester", "flow"];

/// The lines of an answer. Those of a matrix name their table; its totals are left out.
pub fn cells(question: Question, answer: &Value) -> Vec<Vec<String>> {
    let lines = |name: &str| answer.get(name).and_then(Value::as_array).unwrap_or_default();
    let row = |line: &Value| question.columns().iter().map(|column| cell(line, column)).collect::<Vec<_>>();
    if question != Question::Matrix {
        return lines("items").iter().map(row).collect();
    }
    let of_table = |table: &'static str| {
        lines(table).iter().map(move |line| {
            let mut row = row(line);
            row[0] = table.to_owned();
            row
        })
    };
    TABLES.into_iter().flat_map(of_table).collect()
}

/// An answer as CSV.
pub fn csv(question: Question, answer: &Value) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    let head = HEAD.map(|path| cell(answer, path));
    let headings = question.columns().iter().copied().chain(HEAD);
    let rows = cells(question, answer).into_iter().map(|row| row.into_iter().chain(head.clone()).map(|cell| defused(&cell)).collect());
    let all = std::iter::once(headings.map(str::to_owned).collect::<Vec<_>>()).chain(rows);
    for row in all {
        writer.write_record(row).expect("a line has as many cells as the first, and memory takes them");
    }
    let bytes = writer.into_inner().expect("memory takes all");
    String::from_utf8(bytes).expect("cells are text")
}

/// The member at a dotted path, as text: lists joined, absent ones empty.
fn cell(value: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(value, |value, name| value.get(name));
    found.map(plain).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("; "),
        Value::Object(members) => members.values().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_jcs(),
    }
}

fn defused(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::json::{object, strings};

    #[test]
    fn no_cell_is_a_formula_and_every_cell_comes_back() {
        let titles = ["=1+1", "+1", "-1", "@x", "a,\"b\"", "plain = 1", "\u{90e8}\u{95e8}"];
        let line = |title: &&str| object([("title", (*title).into()), ("left_days", 3.into())]);
        let coverage = object([("agencies", 4.into()), ("from", "2026-11-25".into())]);
        let answer = object([
            ("as_of", "2026-11-25T01:02:03.000Z".into()),
            ("coverage", coverage),
            ("items", Value::Array(titles.iter().map(line).collect())),
        ]);
        let text = csv(Question::Todo, &answer);
        assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']));
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let place = reader.headers().unwrap().iter().position(|heading| heading == "title").unwrap();
        let read: Vec<_> = reader.records().map(|record| record.unwrap().get(place).unwrap().to_owned()).collect();
        let want = ["'=1+1", "'+1", "'-1", "'@x", "a,\"b\"", "plain = 1", "\u{90e8}\u{95e8}"];
        assert_eq!(read, want);
    }

    #[test]
    fn lists_and_tables_become_lines() {
        let faults = object([("faults", strings(["no-basis", "shareable"]))]);
        let row = &cells(Question::Refusals, &object([("items", Value::Array(vec![faults]))]))[0];
        assert_eq!(row[0], "no-basis; shareable");
        let side = || Value::Array(vec![object([("line", "health".into())])]);
        let rows = cells(Question::Matrix, &object([("flow", side()), ("provider", side()), ("requester", side())]));
        let tables: Vec<_> = rows.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
        assert_eq!(tables, [("provider", "health"), ("requester", "health"), ("flow", "health")]);
    }
}
