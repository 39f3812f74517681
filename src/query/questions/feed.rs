//! Open obligations as an iCalendar feed (RFC 5545): one all-day event on each due day, so that the calendars people have show
//! it. What is paused has no due day and no event.
//!
//! An event's UID is made of the ledger and of what starts and names the obligation: the same in every answer of every node,
//! so that a calendar moves an event when its due day is extended, and drops it when the obligation is met.

use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::time::Time;
use crate::locale::{Language, word};

/// Octets of a line, without its end.
const LINE_OCTETS_MAX: usize = 75;

const ZONE: [&str; 8] = [
    "BEGIN:VTIMEZONE",
    "TZID:Etc/UTC",
    "BEGIN:STANDARD",
    "DTSTART:19700101T000000",
    "TZOFFSETFROM:+0000",
    "TZOFFSETTO:+0000",
    "END:STANDARD",
    "END:VTIMEZONE",
];

/// The feed of an answer to [`Todo`](crate::query::questions::Question::Todo) or
/// [`Overdue`](crate::query::questions::Question::Overdue); `name` is what calendars show it under.
pub fn feed(answer: &Value, origin: &str, name: &str, language: Language) -> String {
    let mut out = String::new();
    let stamp = answer.get("as_of").and_then(Value::as_str).map(stamp).unwrap_or_default();
    for line in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//sharelog//sharelog//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH"] {
        fold(line, &mut out);
    }
    for property in ["NAME", "X-WR-CALNAME"] {
        fold(&format!("{property}:{}", escaped(name)), &mut out);
    }
    fold("REFRESH-INTERVAL;VALUE=DURATION:PT1H", &mut out);
    // A calendar has one component at least, also when nothing is owed.
    for line in ZONE {
        fold(line, &mut out);
    }
    let items = answer.get("items").and_then(Value::as_array).unwrap_or_default();
    for item in items.iter().filter(|item| text(item, "state") == "open" && item.get("due").is_some()) {
        event(item, origin, &stamp, language, &mut out);
    }
    fold("END:VCALENDAR", &mut out);
    out
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// `20261125T010203Z`.
fn stamp(as_of: &str) -> String {
    let time = Time::parse(as_of).map(|time| time.to_string()).unwrap_or_default();
    let digits: String = time.chars().filter(|c| c.is_ascii_digit() || *c == 'T').take(15).collect();
    format!("{digits}Z")
}

fn event(item: &Value, origin: &str, stamp: &str, language: Language, out: &mut String) {
    let named = ["record", "clock", "dataset", "period"].map(|name| text(item, name));
    let uid = Hash::of(format!("sharelog/calendar/v1\n{origin}\n{}\n", named.join("\n")).as_bytes()).to_hex();
    let clock = word(language, "value", text(item, "clock"));
    let subject = Some(text(item, "title")).filter(|title| !title.is_empty()).unwrap_or(text(item, "dataset"));
    let parts: Vec<_> = [clock, subject, text(item, "period")].into_iter().filter(|part| !part.is_empty()).collect();
    let shown = ["debtor", "creditor", "dataset", "start", "due", "late_days", "left_days", "provisional", "record"];
    let detail = shown.into_iter().filter_map(|name| {
        let value = match item.get(name)? {
            Value::String(text) => text.clone(),
            other => other.to_jcs(),
        };
        Some(format!("{}: {value}", word(language, "column", name)))
    });
    for line in [
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@sharelog", &uid[..32]),
        format!("DTSTAMP:{stamp}"),
        format!("DTSTART;VALUE=DATE:{}", text(item, "due").replace('-', "")),
        format!("SUMMARY:{}", escaped(&parts.join(" - "))),
        format!("DESCRIPTION:{}", escaped(&detail.collect::<Vec<_>>().join("\n"))),
        format!("CATEGORIES:{}", escaped(clock)),
        "TRANSP:TRANSPARENT".to_owned(),
        "END:VEVENT".to_owned(),
    ] {
        fold(&line, out);
    }
}

/// RFC 5545 section 3.3.11.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// RFC 5545 section 3.1: a line that is too long goes on behind a space in the next one; no character is cut.
fn fold(line: &str, out: &mut String) {
    let mut octets = 0;
    for c in line.chars() {
        if octets + c.len_utf8() > LINE_OCTETS_MAX {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(c);
        octets += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::json::object;

    fn item(title: &str) -> Value {
        object([
            ("clock", "answer".into()),
            ("due", "2026-12-09".into()),
            ("record", "ab".repeat(32).into()),
            ("state", "open".into()),
            ("title", title.into()),
        ])
    }

    fn answer(items: Vec<Value>) -> Value {
        object([("as_of", "2026-11-25T01:02:03.000Z".into()), ("items", Value::Array(items))])
    }

    #[test]
    fn lines_are_folded_and_texts_escaped() {
        let title = format!("a;b,c\\d {}", "\u{90e8}".repeat(100));
        let text = feed(&answer(vec![item(&title)]), "a/1", "Todo", Language::English);
        assert!(text.split("\r\n").all(|line| line.len() <= LINE_OCTETS_MAX && !line.contains('\n')));
        let unfolded = text.replace("\r\n ", "");
        let summary = unfolded.lines().find(|line| line.starts_with("SUMMARY:")).unwrap();
        assert!(summary.ends_with(&format!("a\\;b\\,c\\\\d {}", "\u{90e8}".repeat(100))), "{summary}");
        assert!(unfolded.contains("DTSTAMP:20261125T010203Z\r\n") && unfolded.contains("DTSTART;VALUE=DATE:20261209\r\n"));
        assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    }

    #[test]
    fn an_event_is_known_again() {
        let uid = |origin, items| {
            let text = feed(&answer(items), origin, "Todo", Language::English);
            text.lines().find(|line| line.starts_with("UID:")).map(str::to_owned)
        };
        assert_eq!(uid("a/1", vec![item("x")]), uid("a/1", vec![item("another title")]));
        assert_ne!(uid("a/1", vec![item("x")]), uid("a/2", vec![item("x")]));
        let mut paused = item("x");
        if let Value::Object(members) = &mut paused {
            members.remove("due");
        }
        assert_eq!(uid("a/1", vec![paused]), None);
    }
}
