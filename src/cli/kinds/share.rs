//! share.request and share.answer.

use std::collections::BTreeMap;

use clap::Args;

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::kinds::catalogue::dataset_version;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::sign::{Signing, record_id};
use crate::core::hash::Hash;
use crate::core::json::{Value, object, strings};
use crate::core::kinds::Kind;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog share request --dataset nhs-digital:sus --duty nhs-stockport-ccg:agreements --basis 'Health and Social Care Act 2012' --purpose commissioning --key office.pem
  sharelog share request --dataset agency-1:permits@2 --dataset agency-1:holders --duty agency-0:checks --basis 'Permit Act' --purpose checks --mode api --key office.pem")]
pub struct RequestArgs {
    /// Legal basis; repeat
    #[arg(long, required = true)]
    basis: Vec<String>,
    /// A dataset, at its newest version unless one is named; repeat
    #[arg(long = "dataset", required = true, value_name = "ID[@VERSION]")]
    datasets: Vec<String>,
    /// The requester's duty
    #[arg(long)]
    duty: String,
    /// The parties' own file number
    #[arg(long)]
    label: Option<String>,
    /// file, api or query
    #[arg(long, default_value = "file")]
    mode: String,
    #[arg(long)]
    purpose: String,
    #[arg(long)]
    scenario: Option<String>,
    #[arg(long)]
    scope: Option<String>,
    /// ordinary, backflow, onward or purpose-change
    #[arg(long, default_value = "ordinary")]
    sort: String,
    /// First day
    #[arg(long, value_name = "DAY")]
    term_from: Option<String>,
    /// Last day
    #[arg(long, value_name = "DAY")]
    term_to: Option<String>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn request(args: &RequestArgs, global: &Global) -> Result<(), Failure> {
    let client = Client::new(global)?;
    let signers = args.signing.signers()?;
    let datasets: BTreeMap<_, _> = args.datasets.iter().map(|given| dataset_version(&client, given)).collect::<Result<_, _>>()?;
    let body = Members::new()
        .list("basis", &args.basis)
        .with("datasets", versions(&datasets))
        .with("duty", args.duty.as_str())
        .text("label", args.label.as_ref())
        .with("mode", args.mode.as_str())
        .with("purpose", args.purpose.as_str())
        .text("scenario", args.scenario.as_ref())
        .text("scope", args.scope.as_ref())
        .with("sort", args.sort.as_str())
        .term(args.term_from.as_ref(), args.term_to.as_ref());
    let signed = args.signing.sign(&signers, Kind::ShareRequest, Vec::new(), body.into_value(), global)?;
    args.signing.submit(&client, &signed, global)
}

/// Datasets by id, as a request lists them.
pub fn versions(datasets: &BTreeMap<String, u64>) -> Vec<Value> {
    datasets.iter().map(|(id, version)| object([("id", id.as_str().into()), ("version", (*version).into())])).collect()
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog share answer --request ID --outcome agree --promised 2026-12-20 --frequency monthly --key office.pem
  sharelog share answer --request ID --outcome refuse --code purpose-unfit --basis 'Data Act' --reason 'outside the listed purposes' --key office.pem")]
pub struct AnswerArgs {
    /// Legal basis of a refusal; repeat
    #[arg(long)]
    basis: Vec<String>,
    /// Code of a refusal: not-held, outside-duty, withheld-by-law, purpose-unfit, scope-excess, incomplete or other
    #[arg(long)]
    code: Option<String>,
    /// A dataset that is granted; repeat (default, when agreeing: all that were requested)
    #[arg(long = "dataset", value_name = "ID")]
    datasets: Vec<String>,
    /// How often it will be delivered
    #[arg(long)]
    frequency: Option<String>,
    /// agree, partly or refuse
    #[arg(long)]
    outcome: String,
    /// The day by which the first delivery is promised
    #[arg(long, value_name = "DAY")]
    promised: Option<String>,
    /// Reason of a refusal
    #[arg(long)]
    reason: Option<String>,
    /// Record id of the request
    #[arg(long, value_name = "ID")]
    request: String,
    /// First day
    #[arg(long, value_name = "DAY")]
    term_from: Option<String>,
    /// Last day
    #[arg(long, value_name = "DAY")]
    term_to: Option<String>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn answer(args: &AnswerArgs, global: &Global) -> Result<(), Failure> {
    let client = Client::new(global)?;
    let signers = args.signing.signers()?;
    let request = record_id("--request", &args.request)?;
    let mut datasets = args.datasets.clone();
    if datasets.is_empty() && args.outcome == "agree" {
        datasets = requested(&client, request)?;
    }
    datasets.sort();
    let mut body = Members::new();
    if args.outcome == "refuse" || !args.basis.is_empty() {
        // A refusal states its bases, were there none.
        body = body.with("basis", strings(&args.basis));
    }
    let body = body
        .text("code", args.code.as_ref())
        .list("datasets", &datasets)
        .text("frequency", args.frequency.as_ref())
        .with("outcome", args.outcome.as_str())
        .text("promised", args.promised.as_ref())
        .text("reason", args.reason.as_ref())
        .term(args.term_from.as_ref(), args.term_to.as_ref());
    let signed = args.signing.sign(&signers, Kind::ShareAnswer, vec![request], body.into_value(), global)?;
    args.signing.submit(&client, &signed, global)
}

/// The datasets of a committed request.
fn requested(client: &Client, request: Hash) -> Result<Vec<String>, Failure> {
    let record = client.json(&format!("/api/v1/records/{request}"))?;
    let datasets = record.get("body").and_then(|body| body.get("datasets")).and_then(Value::as_array);
    let ids = datasets.into_iter().flatten().filter_map(|dataset| dataset.get("id").and_then(Value::as_str));
    let ids: Vec<_> = ids.map(str::to_owned).collect();
    if ids.is_empty() {
        return Err(Failure::Negative(format!("{request} is no committed request on this node")));
    }
    Ok(ids)
}
