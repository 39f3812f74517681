//! Corrections, disputes and findings.

use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::sign::{Signing, record_id};
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::kinds::Kind;

#[derive(Debug, Subcommand)]
pub enum CorrectionCommand {
    /// Report an error in data that were shared
    File(CorrectionFileArgs),
    /// Say what became of a report: repaired or rejected
    Close(CorrectionCloseArgs),
}

#[derive(Debug, Subcommand)]
pub enum DisputeCommand {
    /// Bring a matter before an authority
    File(DisputeFileArgs),
    /// Pass a dispute on to another authority
    Refer(DisputeReferArgs),
    /// Decide a dispute
    Decide(DisputeDecideArgs),
}

#[derive(Debug, Subcommand)]
pub enum FindingCommand {
    /// Find an offence on the evidence of records
    File(FindingFileArgs),
    /// Say how a finding was put right
    Rectify(FindingRectifyArgs),
    /// Close a finding
    Close(FindingCloseArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog correction file --delivery ID --error wrong --text 'birth years a century off' --key office.pem
  sharelog correction file --grant ID --dataset agency-1:permits --error stale --text 'last batch is of 2024' --key office.pem")]
pub struct CorrectionFileArgs {
    /// Record id of the delivery
    #[arg(long, value_name = "ID", conflicts_with = "grant", required_unless_present = "grant")]
    delivery: Option<String>,
    /// Record id of the grant, for an error of no single batch
    #[arg(long, value_name = "ID")]
    grant: Option<String>,
    /// The dataset (default: the delivery's)
    #[arg(long, value_name = "ID", required_unless_present = "delivery")]
    dataset: Option<String>,
    /// wrong, missing, repeated, stale, format or other
    #[arg(long)]
    error: String,
    #[arg(long)]
    text: String,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog correction close --correction ID --result repaired --batch 2026-11b --key office.pem
  sharelog correction close --correction ID --result rejected --reason 'the source says the same' --key office.pem")]
pub struct CorrectionCloseArgs {
    /// Record id of the correction
    #[arg(long, value_name = "ID")]
    correction: String,
    /// The batch of the grant that repairs it
    #[arg(long)]
    batch: Option<String>,
    /// Why it was rejected
    #[arg(long)]
    reason: Option<String>,
    /// repaired or rejected
    #[arg(long)]
    result: String,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn correction(command: &CorrectionCommand, global: &Global) -> Result<(), Failure> {
    match command {
        CorrectionCommand::File(args) => {
            let (flag, id) = match (&args.delivery, &args.grant) {
                (Some(id), _) => ("--delivery", id),
                (None, id) => ("--grant", id.as_ref().expect("clap wants one of the two")),
            };
            let id = record_id(flag, id)?;
            let dataset = match &args.dataset {
                Some(dataset) => dataset.clone(),
                None => delivered_dataset(&Client::new(global)?, id)?,
            };
            let body = Members::new().with("dataset", dataset.as_str()).with("error", args.error.as_str()).with("text", args.text.as_str());
            args.signing.send("correction.file", vec![id], body, global)
        }
        CorrectionCommand::Close(args) => {
            let body =
                Members::new().text("batch", args.batch.as_ref()).text("reason", args.reason.as_ref()).with("result", args.result.as_str());
            args.signing.send("correction.close", vec![record_id("--correction", &args.correction)?], body, global)
        }
    }
}

fn delivered_dataset(client: &Client, delivery: Hash) -> Result<String, Failure> {
    let record = client.json(&format!("/api/v1/records/{delivery}"))?;
    let dataset = record.get("body").and_then(|body| body.get("dataset")).and_then(Value::as_str);
    let is_delivery = record.get("kind").and_then(Value::as_str) == Some(Kind::ShareDeliver.as_str());
    let missing = || Failure::Negative(format!("{delivery} is no committed delivery on this node"));
    dataset.filter(|_| is_delivery).map(str::to_owned).ok_or_else(missing)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog dispute file --record ID --subject 'refusal of permits' --grounds 'the catalogue lists the purpose' --key office.pem
  sharelog dispute file --record ID --subject 'stale batches' --grounds 'monthly was agreed' --key office.pem --dry-run")]
pub struct DisputeFileArgs {
    /// The share or correction record that it is about
    #[arg(long, value_name = "ID")]
    record: String,
    #[arg(long)]
    grounds: String,
    #[arg(long)]
    subject: String,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog dispute refer --dispute ID --to province --reason 'across territories' --key authority.pem
  sharelog dispute refer --dispute ID --to authority --reason 'own matter' --key district/authority.pem --dry-run")]
pub struct DisputeReferArgs {
    /// Record id of the dispute
    #[arg(long, value_name = "ID")]
    dispute: String,
    #[arg(long)]
    reason: String,
    /// Id of the authority
    #[arg(long, value_name = "AGENCY")]
    to: String,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog dispute decide --dispute ID --outcome share --reason 'the purpose is listed' --key authority.pem
  sharelog dispute decide --dispute ID --outcome refuse --reason 'the law bars it' --key authority.pem")]
pub struct DisputeDecideArgs {
    /// Record id of the dispute
    #[arg(long, value_name = "ID")]
    dispute: String,
    /// share, refuse or settled
    #[arg(long)]
    outcome: String,
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn dispute(command: &DisputeCommand, global: &Global) -> Result<(), Failure> {
    match command {
        DisputeCommand::File(args) => {
            let body = Members::new().with("grounds", args.grounds.as_str()).with("subject", args.subject.as_str());
            args.signing.send("dispute.file", vec![record_id("--record", &args.record)?], body, global)
        }
        DisputeCommand::Refer(args) => {
            let body = Members::new().with("reason", args.reason.as_str()).with("to", args.to.as_str());
            args.signing.send("dispute.refer", vec![record_id("--dispute", &args.dispute)?], body, global)
        }
        DisputeCommand::Decide(args) => {
            let body = Members::new().with("outcome", args.outcome.as_str()).with("reason", args.reason.as_str());
            args.signing.send("dispute.decide", vec![record_id("--dispute", &args.dispute)?], body, global)
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog finding file --agency agency-2 --offence 39-4 --text 'answer overdue' --evidence ID --due 2026-12-31 --key inspector.pem
  sharelog finding file --agency agency-2 --offence 40-1 --text 'refused without basis' --evidence ID --evidence ID --key inspector.pem")]
pub struct FindingFileArgs {
    /// The agency at fault
    #[arg(long, value_name = "ID")]
    agency: String,
    /// The day by which it is to be put right
    #[arg(long, value_name = "DAY")]
    due: Option<String>,
    /// A record that shows it; repeat
    #[arg(long, required = true, value_name = "ID")]
    evidence: Vec<String>,
    /// Article and item of the Regulations: 39-1 to 41-2
    #[arg(long)]
    offence: String,
    #[arg(long)]
    text: String,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog finding rectify --finding ID --text 'answered on 3 December' --key office.pem
  sharelog finding rectify --finding ID --text 'catalogue entry renewed' --key office.pem --dry-run")]
pub struct FindingRectifyArgs {
    /// Record id of the finding
    #[arg(long, value_name = "ID")]
    finding: String,
    #[arg(long)]
    text: String,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog finding close --finding ID --outcome rectified --key inspector.pem
  sharelog finding close --finding ID --outcome withdrawn --text 'the record was amended' --key inspector.pem")]
pub struct FindingCloseArgs {
    /// Record id of the finding
    #[arg(long, value_name = "ID")]
    finding: String,
    /// rectified, unrectified or withdrawn
    #[arg(long)]
    outcome: String,
    #[arg(long)]
    text: Option<String>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn finding(command: &FindingCommand, global: &Global) -> Result<(), Failure> {
    match command {
        FindingCommand::File(args) => {
            let evidence = args.evidence.iter().map(|id| record_id("--evidence", id)).collect::<Result<_, _>>()?;
            let body = Members::new()
                .with("agency", args.agency.as_str())
                .text("due", args.due.as_ref())
                .with("offence", args.offence.as_str())
                .with("text", args.text.as_str());
            args.signing.send("finding.file", evidence, body, global)
        }
        FindingCommand::Rectify(args) => {
            let body = Members::new().with("text", args.text.as_str());
            args.signing.send("finding.rectify", vec![record_id("--finding", &args.finding)?], body, global)
        }
        FindingCommand::Close(args) => {
            let body = Members::new().with("outcome", args.outcome.as_str()).text("text", args.text.as_ref());
            args.signing.send("finding.close", vec![record_id("--finding", &args.finding)?], body, global)
        }
    }
}
