//! `sharelog history`: the life of something in order, amended texts struck.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use clap::Args;

use crate::cli::Global;
use crate::cli::ask::every_page;
use crate::cli::client::{Client, PAGE_MAX, escaped, items_of};
use crate::cli::failure::Failure;
use crate::cli::output::{cell, printable, show};
use crate::core::json::Value;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog history agency-0:permits
  sharelog history 5f3a09c1d2e4b677000102030405060708090a0b0c0d0e0f1011121314151617 --json")]
pub struct HistoryArgs {
    /// Record id, agency id, or `<agency>:<local>` of a dataset or duty
    #[arg(value_name = "ID")]
    id: String,
}

/// # Errors
/// [`Failure`].
pub fn tell(args: &HistoryArgs, global: &Global) -> Result<(), Failure> {
    let client = Client::new(global)?;
    let answer = every_page(&client, &format!("/api/v1/history/{}?limit={PAGE_MAX}", escaped(&args.id)))?;
    let strike = if std::io::stdout().is_terminal() { Strike::Terminal } else { Strike::Plain };
    show(global, &answer, |answer| text(answer, strike));
    Ok(())
}

/// How a text that no longer stands is shown.
#[derive(Clone, Copy)]
enum Strike {
    Terminal,
    Plain,
}

impl Strike {
    fn out(self, text: &str) -> String {
        match self {
            Strike::Terminal => format!("\u{1b}[9m{text}\u{1b}[29m"),
            Strike::Plain => format!("~~{text}~~"),
        }
    }
}

fn text(answer: &Value, strike: Strike) -> String {
    let items = items_of(answer);
    let mut text: String = items.iter().map(|item| record_text(item, strike)).collect();
    text.push_str(&format!(
        "{} records; as of {}, ledger position {}, from the index",
        items.len(),
        cell(answer, "as_of"),
        cell(answer, "position")
    ));
    text
}

/// A line for the record, one for each member of its body, and one for each amendment.
fn record_text(item: &Value, strike: Strike) -> String {
    let mut lines = vec![printable(&format!(
        "{}  {}  by {}  position {}  {}",
        cell(item, "time"),
        cell(item, "kind"),
        cell(item, "by"),
        cell(item, "position"),
        cell(item, "id")
    ))];
    let amendments = item.get("amendments").and_then(Value::as_array).unwrap_or_default();
    let mut newer: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for amendment in amendments {
        for (member, text) in amendment.get("texts").and_then(Value::as_object).into_iter().flatten() {
            newer.entry(member).or_default().extend(text.as_str().map(printable));
        }
    }
    for (member, value) in item.get("body").and_then(Value::as_object).into_iter().flatten() {
        let signed = printable(&cell(item, &format!("body.{member}")));
        let shown = match newer.get(member.as_str()).and_then(|texts| texts.split_last()) {
            Some((last, between)) => {
                let struck = std::iter::once(&signed).chain(between).map(|old| strike.out(old));
                struck.chain([last.clone()]).collect::<Vec<_>>().join(" ")
            }
            None if value.as_object().is_some() => printable(&value.to_jcs()),
            None => signed,
        };
        lines.push(format!("    {}: {shown}", printable(member)));
    }
    for amendment in amendments {
        let said = format!("amended {} by {}: {}", cell(amendment, "time"), cell(amendment, "id"), cell(amendment, "reason"));
        lines.push(format!("    {}", printable(&said)));
    }
    lines.join("\n") + "\n\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::json::{Strings, parse};

    #[test]
    fn every_older_text_is_struck_and_the_newest_stands() {
        let item = r#"{"amendments":[{"id":"a1","reason":"typing error","texts":{"title":"Bed"},"time":"t1"},{"id":"a2","reason":"again","texts":{"title":"Beds"},"time":"t2"}],"body":{"term":{"from":"2026-01-01"},"title":"Bet"},"by":"x","id":"i","kind":"duty.declare","position":3,"time":"t0"}"#;
        let item = parse(item.as_bytes(), Strings::Strict).unwrap();
        let plain = record_text(&item, Strike::Plain);
        assert!(plain.contains("title: ~~Bet~~ ~~Bed~~ Beds\n"), "{plain}");
        assert!(plain.contains("amended t2 by a2: again"), "{plain}");
        assert!(record_text(&item, Strike::Terminal).contains("\u{1b}[9mBet\u{1b}[29m"));
    }
}
