//! Answers as tables in the reader's language, under what the answer says of itself.

use crate::cli::output::{cell, table};
use crate::core::json::Value;
use crate::locale::{Language, word};
use crate::query::questions::{Question, cells};

/// Ids that a table leaves to `--json` and `--csv`: a terminal has room for one.
const LEFT_OUT: [&str; 5] = ["request", "receipt", "delivery", "published", "table"];
/// Columns whose values are words.
const WORDS: [&str; 8] = ["clock", "state", "breach", "fault", "faults", "part", "code", "class"];

/// The answer for people.
pub fn of(question: Question, answer: &Value, language: Language) -> String {
    let mut parts = vec![head(answer, language)];
    if question == Question::Matrix {
        for side in ["provider", "requester", "flow"] {
            parts.extend(matrix_part(answer, side, language));
        }
    } else {
        parts.push(list(question, answer, language));
    }
    parts.push(word(language, "report", "proof").to_owned());
    parts.join("\n\n")
}

fn head(answer: &Value, language: Language) -> String {
    let mut text = word(language, "report", "head").to_owned();
    for (place, path) in [
        ("{as_of}", "as_of"),
        ("{position}", "position"),
        ("{agencies}", "coverage.agencies"),
        ("{records}", "coverage.records"),
        ("{from}", "coverage.from"),
        ("{to}", "coverage.to"),
    ] {
        text = text.replace(place, &cell(answer, path));
    }
    text
}

fn list(question: Question, answer: &Value, language: Language) -> String {
    let rows = cells(question, answer);
    let count = word(language, "report", "shown").replace("{count}", &rows.len().to_string());
    let mut text = format!("{}\n\n{count}", shown(question.columns(), rows, language));
    if let Some(next) = answer.get("next").and_then(Value::as_str) {
        text.push(' ');
        text.push_str(&word(language, "report", "more").replace("{next}", next));
    }
    text
}

/// The columns that hold something.
fn shown(columns: &[&'static str], rows: Vec<Vec<String>>, language: Language) -> String {
    if rows.is_empty() {
        return word(language, "report", "nothing").to_owned();
    }
    let holds = |index: usize| rows.iter().any(|row| !row[index].is_empty());
    let kept: Vec<usize> = (0..columns.len()).filter(|index| !LEFT_OUT.contains(&columns[*index]) && holds(*index)).collect();
    let headings: Vec<_> = kept.iter().map(|index| word(language, "column", columns[*index])).collect();
    let row = |row: &Vec<String>| kept.iter().map(|index| value(columns[*index], &row[*index], language)).collect();
    table(&headings, rows.iter().map(row).collect())
}

fn value(column: &str, text: &str, language: Language) -> String {
    if WORDS.contains(&column) || text == "true" {
        let words: Vec<_> = text.split("; ").map(|part| word(language, "value", part)).collect();
        return words.join("; ");
    }
    text.to_owned()
}

/// One table of a matrix under its name, with its totals; the flow is absent from the matrix of one territory.
fn matrix_part(answer: &Value, side: &str, language: Language) -> Option<String> {
    answer.get(side)?;
    let columns = Question::Matrix.columns();
    let rows = cells(Question::Matrix, answer).into_iter().filter(|row| row[0] == side);
    let mut rows: Vec<_> = rows.collect();
    if let Some(total) = answer.get("totals").and_then(|totals| totals.get(side)).filter(|_| !rows.is_empty()) {
        let mut row: Vec<_> = columns.iter().map(|column| cell(total, column)).collect();
        row[1] = word(language, "report", "total").to_owned();
        rows.push(row);
    }
    Some(format!("{}\n{}", word(language, "report", side), shown(columns, rows, language)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::json::object;

    #[test]
    fn every_column_has_a_chinese_heading() {
        for column in Question::ALL.iter().flat_map(|question| question.columns()) {
            assert!(!word(Language::Chinese, "column", column).is_ascii(), "{column}");
        }
    }

    #[test]
    fn a_table_is_headed_by_moment_position_and_coverage() {
        let coverage = object([("agencies", 7.into()), ("from", "2026-11-01".into()), ("records", 42.into()), ("to", "2026-11-25".into())]);
        let line = object([("clock", "answer".into()), ("debtor", "agency-0".into()), ("state", "open".into())]);
        let answer = object([
            ("as_of", "2026-11-25T01:02:03.000Z".into()),
            ("coverage", coverage),
            ("items", Value::Array(vec![line])),
            ("next", "1.2-3".into()),
            ("position", 57.into()),
        ]);
        let english = of(Question::Overdue, &answer, Language::English);
        for want in
            ["2026-11-25T01:02:03.000Z", "position 57", "7 agencies, 42 records", "owed by", "agency-0", "--after 1.2-3", "not proven"]
        {
            assert!(english.contains(want), "{want}: {english}");
        }
        let chinese = of(Question::Overdue, &answer, Language::Chinese);
        assert!(chinese.contains("\u{7b54}\u{590d}") && !chinese.contains("answer"), "{chinese}");
    }
}
