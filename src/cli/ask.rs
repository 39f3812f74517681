//! Questions to a node: lists, one thing by its id, chains, evidence.

mod evidence;
mod history;

use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::client::{Client, PAGE_MAX, escaped, every_page, items_of};
use crate::cli::failure::Failure;
use crate::cli::output::{cell, members, show, table};
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::refusal::Code;

pub use evidence::{EvidenceArgs, fetch as fetch_evidence};
pub use history::HistoryArgs;

#[derive(Debug, Subcommand)]
pub enum QueryCommand {
    /// Records of any kind
    #[command(after_help = "Examples:
  sharelog query records --kind share.deliver --limit 10
  sharelog query records --agency nhs-digital --from 2026-11-01 --all --json")]
    Records(ListArgs),
    /// The catalogue
    #[command(after_help = "Examples:
  sharelog query datasets --agency 380120000J
  sharelog query datasets --all --json")]
    Datasets(ListArgs),
    /// The register of agencies with their keys
    #[command(after_help = "Examples:
  sharelog query agencies
  sharelog query agencies --agency nhs-digital --json")]
    Agencies(ListArgs),
    /// Requests, each with its answer
    #[command(after_help = "Examples:
  sharelog query requests --agency nhs-digital --limit 5
  sharelog query requests --dataset nhs-digital:sus --json")]
    Requests(ListArgs),
    /// Deliveries, each with its receipt
    #[command(after_help = "Examples:
  sharelog query deliveries --agency nhs-stockport-ccg
  sharelog query deliveries --request ID --all --json")]
    Deliveries(ListArgs),
    /// Declared duties
    #[command(after_help = "Examples:
  sharelog query duties --agency nhs-stockport-ccg
  sharelog query duties --all --json")]
    Duties(ListArgs),
    /// Blocks
    #[command(after_help = "Examples:
  sharelog query blocks --limit 5
  sharelog query blocks --from 2026-11-25 --json")]
    Blocks(ListArgs),
}

/// Filters of a list; a list refuses those that it does not have.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Writer or other party
    #[arg(long, value_name = "ID")]
    agency: Option<String>,
    /// Record kind, such as share.deliver
    #[arg(long)]
    kind: Option<String>,
    #[arg(long, value_name = "ID")]
    dataset: Option<String>,
    /// Record id of a request
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Committed then or later: a time, or a day of the ledger's zone
    #[arg(long, value_name = "TIME|DAY")]
    from: Option<String>,
    /// Committed before then
    #[arg(long, value_name = "TIME|DAY")]
    to: Option<String>,
    /// Items on a page, 1 to 1000
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Go on after an earlier page: its `next`
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// All pages
    #[arg(long, conflicts_with = "after")]
    all: bool,
}

impl ListArgs {
    fn path(&self, list: &str) -> String {
        let page = self.limit.or_else(|| self.all.then(|| u64::try_from(PAGE_MAX).unwrap_or(u64::MAX))).map(|limit| limit.to_string());
        let parameters = [
            ("agency", &self.agency),
            ("kind", &self.kind),
            ("dataset", &self.dataset),
            ("request", &self.request),
            ("from", &self.from),
            ("to", &self.to),
            ("limit", &page),
            ("after", &self.after),
        ];
        let given = parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", escaped(value.as_ref()?))));
        let query = given.collect::<Vec<_>>().join("&");
        if query.is_empty() { format!("/api/v1/{list}") } else { format!("/api/v1/{list}?{query}") }
    }
}

/// Heading and member path of a list's columns.
type Columns = &'static [(&'static str, &'static str)];

const RECORDS: Columns = &[("position", "position"), ("time", "time"), ("kind", "kind"), ("by", "by"), ("id", "id")];
const DATASETS: Columns = &[("dataset", "id"), ("title", "title"), ("class", "class"), ("frequency", "frequency"), ("version", "version")];
const AGENCIES: Columns =
    &[("agency", "id"), ("zh", "names.zh"), ("en", "names.en"), ("level", "level"), ("line", "line"), ("status", "status")];
const REQUESTS: Columns =
    &[("time", "time"), ("label", "label"), ("requester", "requester"), ("provider", "provider"), ("status", "status"), ("id", "id")];
const DELIVERIES: Columns = &[
    ("time", "time"),
    ("batch", "batch"),
    ("dataset", "dataset"),
    ("provider", "provider"),
    ("requester", "requester"),
    ("status", "status"),
    ("id", "id"),
];
const DUTIES: Columns = &[("duty", "id"), ("title", "title"), ("basis", "basis"), ("time", "time")];
const BLOCKS: Columns = &[("height", "height"), ("time", "time"), ("records", "records"), ("proposer", "proposer"), ("hash", "hash")];

/// # Errors
/// [`Failure`].
pub fn query(command: &QueryCommand, global: &Global) -> anyhow::Result<()> {
    let (list, args, columns) = match command {
        QueryCommand::Records(args) => ("records", args, RECORDS),
        QueryCommand::Datasets(args) => ("datasets", args, DATASETS),
        QueryCommand::Agencies(args) => ("agencies", args, AGENCIES),
        QueryCommand::Requests(args) => ("requests", args, REQUESTS),
        QueryCommand::Deliveries(args) => ("deliveries", args, DELIVERIES),
        QueryCommand::Duties(args) => ("duties", args, DUTIES),
        QueryCommand::Blocks(args) => ("blocks", args, BLOCKS),
    };
    let client = Client::new(global)?;
    let path = args.path(list);
    let answer = if args.all { every_page(&client, &path)? } else { client.json(&path)? };
    show(global, &answer, |answer| list_text(answer, columns));
    Ok(())
}

fn list_text(answer: &Value, columns: Columns) -> String {
    let headings: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
    let row = |item: &Value| columns.iter().map(|(_, path)| cell(item, path)).collect();
    let mut text = table(&headings, items_of(answer).iter().map(row).collect());
    text.push_str(&format!(
        "\n{} shown; as of {}, ledger position {}, from the index",
        items_of(answer).len(),
        cell(answer, "as_of"),
        cell(answer, "position")
    ));
    if let Some(next) = answer.get("next").and_then(Value::as_str) {
        text.push_str(&format!("\nmore: --after {next}, or --all"));
    }
    text
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog get nhs-digital
  sharelog get nhs-digital:sus --json")]
pub struct GetArgs {
    /// Record id, agency id, or `<agency>:<local>` of a dataset or duty
    #[arg(value_name = "ID")]
    id: String,
}

/// # Errors
/// [`Failure`].
pub fn get(args: &GetArgs, global: &Global) -> anyhow::Result<()> {
    let client = Client::new(global)?;
    let id = &args.id;
    if Hash::parse(id).is_ok() {
        match client.json(&format!("/api/v1/records/{id}")) {
            // An agency's id may look like a record's.
            Err(Failure::Refused(refusal)) if refusal.code == Code::NotFound => {}
            answer => {
                show(global, &answer?, members);
                return Ok(());
            }
        }
    }
    let (agency, lists): (_, &[&str]) = match id.split_once(':') {
        Some((agency, _)) => (agency, &["datasets", "duties"]),
        None => (id.as_str(), &["agencies"]),
    };
    for list in lists {
        let mut found = None;
        client.each_page(&format!("/api/v1/{list}?agency={}&limit={PAGE_MAX}", escaped(agency)), |page| {
            let same = |item: &&Value| item.get("id").and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(id));
            found = items_of(page).iter().rfind(same).cloned().or(found.take());
        })?;
        if let Some(item) = found {
            show(global, &item, members);
            return Ok(());
        }
    }
    Err(Failure::Negative(format!("nothing with the id {id} is on the ledger")).into())
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog chain 5f3a09c1d2e4b677000102030405060708090a0b0c0d0e0f1011121314151617
  sharelog chain 5f3a09c1d2e4b677000102030405060708090a0b0c0d0e0f1011121314151617 --json")]
pub struct ChainArgs {
    /// Record id of any of them
    #[arg(value_name = "ID")]
    id: String,
}

/// # Errors
/// [`Failure`].
pub fn chain(args: &ChainArgs, global: &Global) -> anyhow::Result<()> {
    let client = Client::new(global)?;
    let answer = every_page(&client, &format!("/api/v1/chain/{}?limit={PAGE_MAX}", escaped(&args.id)))?;
    show(global, &answer, |answer| list_text(answer, RECORDS));
    Ok(())
}

/// # Errors
/// [`Failure`].
pub fn history(args: &HistoryArgs, global: &Global) -> anyhow::Result<()> {
    Ok(history::tell(args, global)?)
}

/// # Errors
/// [`Failure`].
pub fn evidence(args: &EvidenceArgs, global: &Global) -> anyhow::Result<()> {
    Ok(evidence::write(args, global)?)
}
