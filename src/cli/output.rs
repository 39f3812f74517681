//! Tables for people, JSON for programs. Colours and widths follow the terminal; NO_COLOR is respected.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use crate::cli::Global;
use crate::core::json::Value;

/// Prints `value` in JCS with `--json`, else what `human` makes of it.
pub fn show(global: &Global, value: &Value, human: impl FnOnce(&Value) -> String) {
    if global.json {
        anstream::println!("{}", value.to_jcs());
    } else {
        anstream::println!("{}", human(value).trim_end());
    }
}

/// A table that fits the terminal; an empty one says so.
pub fn table(headers: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return "nothing found".to_owned();
    }
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(headers);
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)).collect::<Vec<_>>());
    }
    table.to_string()
}

/// The member at a dotted path, as text: lists joined by commas, objects in JCS, absent ones empty.
pub fn cell(value: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(value, |value, name| value.get(name));
    found.map(text).unwrap_or_default()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_jcs(),
    }
}

/// One member a line, names aligned; nested objects follow their dotted path, and a note stands below as it was signed.
pub fn members(value: &Value) -> String {
    let mut lines = Vec::new();
    collect("", value, &mut lines);
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text: String = lines.iter().map(|(name, text)| format!("{name:width$}  {}\n", printable(text))).collect();
    if let Some(note) = value.get("note").and_then(Value::as_str) {
        text.push('\n');
        text.extend(note.lines().map(|line| printable(line) + "\n"));
    }
    text
}

fn collect(prefix: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match member {
            Value::Object(_) => collect(&path, member, lines),
            _ if path == "note" => {}
            _ => lines.push((path, text(member))),
        }
    }
}

/// What a terminal must not interpret becomes U+FFFD: text on the ledger is others' input.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if crate::core::text::check(c.encode_utf8(&mut [0; 4])).is_ok() { c } else { '\u{fffd}' }).collect()
}
