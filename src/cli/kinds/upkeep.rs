//! What keeps catalogue and records in order: duty.retire, dataset.retire, dataset.review, collect.notice, record.amend.

use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::import::fields;
use crate::cli::kinds::catalogue::newest_version;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::sign::{Signing, record_id};
use crate::core::refusal::{Code, Refusal};

#[derive(Debug, Subcommand)]
pub enum CollectCommand {
    /// Say what is asked from whom
    Notice(NoticeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog duty retire --id agency-0:permits --reason 'moved to agency-1' --key office.pem
  sharelog duty retire --id agency-0:permits --reason 'the law was repealed' --key office.pem --dry-run")]
pub struct RetireDutyArgs {
    /// Duty id
    #[arg(long)]
    id: String,
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog dataset retire --id agency-0:permits --reason 'no longer held' --key head.pem
  sharelog dataset retire --id agency-0:permits --reason 'merged into agency-0:licences' --key head.pem")]
pub struct RetireDatasetArgs {
    /// Dataset id
    #[arg(long)]
    id: String,
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn retire_duty(args: &RetireDutyArgs, global: &Global) -> Result<(), Failure> {
    let body = Members::new().with("id", args.id.as_str()).with("reason", args.reason.as_str());
    args.signing.send("duty.retire", Vec::new(), body, global)
}

/// # Errors
/// [`Failure`].
pub fn retire_dataset(args: &RetireDatasetArgs, global: &Global) -> Result<(), Failure> {
    let body = Members::new().with("id", args.id.as_str()).with("reason", args.reason.as_str());
    args.signing.send("dataset.retire", Vec::new(), body, global)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog dataset review --id agency-0:permits --outcome approve --key authority.pem
  sharelog dataset review --id agency-0:permits --outcome return --reason 'conditions are missing' --key authority.pem")]
pub struct ReviewArgs {
    /// Dataset id
    #[arg(long)]
    id: String,
    /// approve or return
    #[arg(long)]
    outcome: String,
    /// Why it is returned
    #[arg(long)]
    reason: Option<String>,
    /// Version (default: the newest that the node knows)
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn review(args: &ReviewArgs, global: &Global) -> Result<(), Failure> {
    let unknown = || Refusal::new(Code::DatasetUnknown, args.id.clone(), "a dataset of the catalogue");
    let version = match args.version {
        Some(version) => version,
        None => newest_version(&Client::new(global)?, &args.id)?.ok_or_else(unknown)?,
    };
    let body = Members::new()
        .with("id", args.id.as_str())
        .with("outcome", args.outcome.as_str())
        .text("reason", args.reason.as_ref())
        .with("version", version);
    args.signing.send("dataset.review", Vec::new(), body, global)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog collect notice --duty agency-0:census --title 'Households of the street' --items households --items heads --level community --territory 330102001 --frequency yearly --key office.pem
  sharelog collect notice --duty agency-0:permits --title 'Shop fronts' --items addresses --level street --territory 330102 --frequency once --key office.pem")]
pub struct NoticeArgs {
    /// The duty that it serves
    #[arg(long, value_name = "ID")]
    duty: String,
    /// once, realtime, daily, weekly, monthly, quarterly, halfyearly, yearly or irregular
    #[arg(long)]
    frequency: String,
    /// What is asked for; repeat
    #[arg(long, required = true, value_name = "NAME")]
    items: Vec<String>,
    /// From whom: city, district, street or community
    #[arg(long)]
    level: String,
    /// From whom: territory code
    #[arg(long, value_name = "CODE")]
    territory: String,
    #[arg(long)]
    title: String,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn collect(command: &CollectCommand, global: &Global) -> Result<(), Failure> {
    let CollectCommand::Notice(args) = command;
    let body = Members::new()
        .with("duty", args.duty.as_str())
        .with("frequency", args.frequency.as_str())
        .list("items", &args.items)
        .with("level", args.level.as_str())
        .with("territory", args.territory.as_str())
        .with("title", args.title.as_str());
    args.signing.send("collect.notice", Vec::new(), body, global)
}

#[derive(Debug, Args)]
#[command(after_help = "Titles, reasons, labels and other free texts alone can be amended; the old text stays visible, struck.

Examples:
  sharelog record amend --record ID --set title='Hospital beds by ward' --reason 'typing error' --key head.pem
  sharelog record amend --record ID --set scope='checks of 2026' --set label=2026-12 --reason 'wrong file' --key office.pem --dry-run")]
pub struct AmendArgs {
    /// The record to amend
    #[arg(long, value_name = "ID")]
    record: String,
    #[arg(long)]
    reason: String,
    /// A member and its new text; repeat
    #[arg(long = "set", required = true, value_name = "MEMBER=TEXT", value_parser = fields::pair)]
    texts: Vec<(String, String)>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn amend(args: &AmendArgs, global: &Global) -> Result<(), Failure> {
    let mut texts = Members::new();
    for (index, (member, text)) in args.texts.iter().enumerate() {
        if args.texts[..index].iter().any(|(earlier, _)| earlier == member) {
            return Err(Failure::Usage(format!("--set {member} stands twice")));
        }
        texts = texts.with(member, text.as_str());
    }
    let body = Members::new().with("reason", args.reason.as_str()).with("texts", texts.into_value());
    args.signing.send("record.amend", vec![record_id("--record", &args.record)?], body, global)
}
