//! What happens beside answer and delivery in the life of a request: share.supplement, share.withdraw, share.extend,
//! share.suspend, share.resume, share.end, share.use, share.dispose.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::import::fields;
use crate::cli::kinds::handover::Payload;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::sign::{Signing, record_id};
use crate::core::json::{Value, object};

#[derive(Debug, Args)]
#[command(after_help = "The provider asks once for all that is missing; the requester gives it once.

Examples:
  sharelog share supplement --request ID --missing 'the legal basis of item 3' --missing 'the period' --key provider/office.pem
  sharelog share supplement --request ID --given 'Data Act, article 5' --given 2026 --key requester/office.pem")]
pub struct SupplementArgs {
    /// Record id of the request
    #[arg(long, value_name = "ID")]
    request: String,
    /// What is missing; repeat
    #[arg(long, value_name = "TEXT", conflicts_with = "given", required_unless_present = "given")]
    missing: Vec<String>,
    /// What is given; repeat
    #[arg(long, value_name = "TEXT")]
    given: Vec<String>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn supplement(args: &SupplementArgs, global: &Global) -> Result<(), Failure> {
    let step = if args.given.is_empty() { "ask" } else { "give" };
    let body = Members::new().list("given", &args.given).list("missing", &args.missing).with("step", step);
    args.signing.send("share.supplement", vec![record_id("--request", &args.request)?], body, global)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog share withdraw --request ID --reason 'no longer needed' --key office.pem
  sharelog share withdraw --request ID --reason 'filed twice' --key office.pem --dry-run")]
pub struct WithdrawArgs {
    /// Record id of the request
    #[arg(long, value_name = "ID")]
    request: String,
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn withdraw(args: &WithdrawArgs, global: &Global) -> Result<(), Failure> {
    let body = Members::new().with("reason", args.reason.as_str());
    args.signing.send("share.withdraw", vec![record_id("--request", &args.request)?], body, global)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog share extend --record ID --clock answer --days 5 --reason 'public holidays' --key authority.pem
  sharelog share extend --record ID --clock rectification --days 3 --reason 'system under repair' --key authority.pem --dry-run")]
pub struct ExtendArgs {
    /// Record that started the clock: a request, a receipt of a mismatch, a duty.retire, a dispute or a finding
    #[arg(long, value_name = "ID")]
    record: String,
    /// answer, backflow, catalogue_update, dispute, mismatch or rectification
    #[arg(long)]
    clock: String,
    /// Working days
    #[arg(long, value_name = "N")]
    days: u64,
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn extend(args: &ExtendArgs, global: &Global) -> Result<(), Failure> {
    let clock = args.clock.replace('-', "_");
    let body = Members::new().with("clock", clock.as_str()).with("days", args.days).with("reason", args.reason.as_str());
    args.signing.send("share.extend", vec![record_id("--record", &args.record)?], body, global)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog share suspend --grant ID --cause 'data used beyond its purpose' --key office.pem
  sharelog share end --grant ID --cause 'agreed by both' --negotiated --key office.pem")]
pub struct GrantArgs {
    /// Record id of the grant: the agreeing answer, or the dispute.decide that grants
    #[arg(long, value_name = "ID")]
    grant: String,
    #[arg(long)]
    cause: String,
    /// The parties agreed on it
    #[arg(long)]
    negotiated: bool,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog share resume --grant ID --cause 'purpose cleared up' --key office.pem
  sharelog share resume --grant ID --cause 'system repaired' --key authority.pem --dry-run")]
pub struct ResumeArgs {
    /// Record id of the suspended grant
    #[arg(long, value_name = "ID")]
    grant: String,
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    signing: Signing,
}

/// share.suspend and share.end.
///
/// # Errors
/// [`Failure`].
pub fn stop(kind: &str, args: &GrantArgs, global: &Global) -> Result<(), Failure> {
    let body = Members::new().with("cause", args.cause.as_str()).with("negotiated", args.negotiated);
    args.signing.send(kind, vec![record_id("--grant", &args.grant)?], body, global)
}

/// # Errors
/// [`Failure`].
pub fn resume(args: &ResumeArgs, global: &Global) -> Result<(), Failure> {
    let body = Members::new().with("cause", args.cause.as_str());
    args.signing.send("share.resume", vec![record_id("--grant", &args.grant)?], body, global)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog share use --grant ID --period 2026-11 --count commissioning=12 --count audit=3 --root HASH --key office.pem
  sharelog share use --grant ID --period 2026-Q4 --count checks=40 --root HASH --key office.pem")]
pub struct UseArgs {
    /// Record id of the grant
    #[arg(long, value_name = "ID")]
    grant: String,
    /// How often the data served a purpose; repeat
    #[arg(long = "count", required = true, value_name = "PURPOSE=N", value_parser = fields::pair)]
    counts: Vec<(String, String)>,
    /// As 2026, 2026-H2, 2026-Q4, 2026-11, 2026-W48 or 2026-11-25; once a grant
    #[arg(long)]
    period: String,
    /// Merkle root of the local use log, in hex
    #[arg(long, value_name = "HASH")]
    root: String,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn use_of(args: &UseArgs, global: &Global) -> Result<(), Failure> {
    let mut counts = BTreeMap::new();
    for (purpose, count) in &args.counts {
        let count: u64 = count.parse().map_err(|_| Failure::Usage(format!("--count {purpose}={count}: expected a number")))?;
        if counts.insert(purpose.clone(), count).is_some() {
            return Err(Failure::Usage(format!("--count {purpose} stands twice")));
        }
    }
    let body = Members::new().with("counts", counts_value(&counts)).with("period", args.period.as_str()).with("root", args.root.as_str());
    args.signing.send("share.use", vec![record_id("--grant", &args.grant)?], body, global)
}

/// Counts by purpose, as share.use lists them.
pub fn counts_value(counts: &BTreeMap<String, u64>) -> Vec<Value> {
    counts.iter().map(|(purpose, count)| object([("count", (*count).into()), ("purpose", purpose.as_str().into())])).collect()
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog share dispose --grant ID --what 'all batches of 2026' --method 'disks wiped' --file certificate.pdf --key office.pem
  sharelog share dispose --grant ID --what 'all batches of 2026' --method shredded --certificate HASH --key office.pem")]
pub struct DisposeArgs {
    /// Record id of the grant, which is over
    #[arg(long, value_name = "ID")]
    grant: String,
    /// SHA-256 of the certificate of disposal, in hex
    #[arg(long, value_name = "HASH", conflicts_with = "file", required_unless_present = "file")]
    certificate: Option<String>,
    /// The certificate itself; its hash is recorded, nothing of it is sent
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How it was disposed of
    #[arg(long)]
    method: String,
    /// What was disposed of
    #[arg(long)]
    what: String,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn dispose(args: &DisposeArgs, global: &Global) -> Result<(), Failure> {
    let certificate = match &args.file {
        Some(file) => Some(Payload::read(file)?.sha256.to_hex()),
        None => args.certificate.clone(),
    };
    let body = Members::new().maybe("certificate", certificate).with("method", args.method.as_str()).with("what", args.what.as_str());
    args.signing.send("share.dispose", vec![record_id("--grant", &args.grant)?], body, global)
}
