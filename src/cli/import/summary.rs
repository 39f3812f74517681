//! What an import did, counted; and the rows that were refused.

use std::collections::BTreeMap;

use crate::cli::client::Problem;
use crate::cli::output;
use crate::core::json::Value;

/// Counts by name, and refused rows.
#[derive(Debug)]
pub struct Summary {
    counts: BTreeMap<&'static str, u64>,
    refused: Vec<(u64, Problem)>,
}

impl Summary {
    pub fn new() -> Self {
        // These stand in every summary, also at zero.
        let counts = ["committed", "kept", "refused", "repeated", "rows"].map(|name| (name, 0));
        Summary { counts: counts.into(), refused: Vec::new() }
    }

    /// Adds to a count: `committed` (by this run), `kept` (on the ledger before), `repeated` (in the file), `rows`, or that
    /// of a kind.
    pub fn add(&mut self, name: &'static str, count: usize) {
        *self.counts.entry(name).or_default() += u64::try_from(count).unwrap_or(u64::MAX);
    }

    /// A row that became no record, by its line in the file.
    pub fn refuse(&mut self, line: u64, problem: Problem) {
        self.add("refused", 1);
        self.refused.push((line, problem));
    }

    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    pub fn to_value(&self) -> Value {
        let mut members: BTreeMap<_, _> = self.counts.iter().map(|(name, count)| ((*name).to_owned(), Value::from(*count))).collect();
        let mut refused: Vec<_> = self.refused.iter().collect();
        refused.sort_by_key(|(line, _)| *line);
        members.insert(
            "refused_rows".to_owned(),
            refused.iter().map(|(line, problem)| refused_row(*line, problem)).collect::<Vec<_>>().into(),
        );
        Value::Object(members)
    }

    pub fn to_table(&self) -> String {
        let counts: Vec<_> = self.counts.iter().map(|(name, count)| vec![(*name).to_owned(), count.to_string()]).collect();
        let mut text = output::table(&["", "count"], counts);
        if !self.refused.is_empty() {
            let row = |(line, problem): &(u64, Problem)| {
                vec![line.to_string(), problem.code.to_string(), problem.found.clone(), problem.refusal().expected]
            };
            text = format!("{text}\n{}", output::table(&["line", "refused", "found", "expected"], self.refused.iter().map(row).collect()));
        }
        text
    }
}

impl Default for Summary {
    fn default() -> Self {
        Summary::new()
    }
}

fn refused_row(line: u64, problem: &Problem) -> Value {
    let mut members = BTreeMap::from([
        ("code".to_owned(), problem.code.as_str().into()),
        ("expected".to_owned(), output::printable(&problem.expected).into()),
        ("found".to_owned(), output::printable(&problem.found).into()),
        ("line".to_owned(), line.into()),
    ]);
    members.extend(problem.rule.as_ref().map(|rule| ("rule".to_owned(), rule.as_str().into())));
    Value::Object(members)
}
