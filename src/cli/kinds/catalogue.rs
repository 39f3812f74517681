//! duty.declare and dataset.publish.

use clap::Args;

use crate::cli::Global;
use crate::cli::client::{Client, escaped, items_of};
use crate::cli::failure::Failure;
use crate::cli::kinds::members::{Members, item};
use crate::cli::kinds::sign::Signing;
use crate::core::json::Value;
use crate::core::kinds::Kind;
use crate::core::refusal::{Code, Refusal};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog duty declare --id nhs-stockport-ccg:agreements --title 'Use of shared health data' --basis 'Health and Social Care Act 2012' --key office.pem
  sharelog duty declare --id agency-0:permits --title Permits --basis 'Permit Act' --territory 3301 --line permits --key office.pem")]
pub struct DeclareArgs {
    /// Legal basis; repeat
    #[arg(long, required = true)]
    basis: Vec<String>,
    /// The duty that this one was delegated from
    #[arg(long, value_name = "DUTY")]
    delegated_from: Option<String>,
    /// `<agency>:<local>`
    #[arg(long)]
    id: String,
    /// Line code
    #[arg(long)]
    line: Option<String>,
    /// Territory code
    #[arg(long)]
    territory: Option<String>,
    #[arg(long)]
    title: String,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn declare(args: &DeclareArgs, global: &Global) -> Result<(), Failure> {
    let body = Members::new()
        .list("basis", &args.basis)
        .text("delegated_from", args.delegated_from.as_ref())
        .with("id", args.id.as_str())
        .text("line", args.line.as_ref())
        .text("territory", args.territory.as_ref())
        .with("title", args.title.as_str());
    let signed = args.signing.sign(&args.signing.signers()?, Kind::DutyDeclare, Vec::new(), body.into_value(), global)?;
    args.signing.submit(&Client::new(global)?, &signed, global)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog dataset publish --id agency-0:permits --title Permits --class unconditional --frequency monthly --items 'number:text' --items holder --key head.pem
  sharelog dataset publish --id nhs-digital:sus --title SUS --class conditional --conditions agreement --purposes commissioning --frequency monthly --key head.pem")]
pub struct PublishArgs {
    /// The law that bars sharing; at class withheld alone
    #[arg(long)]
    bar: Option<String>,
    /// unconditional, conditional or withheld
    #[arg(long)]
    class: String,
    /// On what conditions it is shared; at class conditional alone
    #[arg(long)]
    conditions: Option<String>,
    /// The duty that it is held under
    #[arg(long)]
    duty: Option<String>,
    /// File format; repeat
    #[arg(long)]
    format: Vec<String>,
    /// once, realtime, daily, weekly, monthly, quarterly, halfyearly, yearly or irregular
    #[arg(long)]
    frequency: String,
    #[arg(long)]
    grade: Option<String>,
    /// `<provider>:<local>`
    #[arg(long)]
    id: String,
    /// One of its items, of type text unless another is named; repeat
    #[arg(long, value_name = "NAME[:TYPE]")]
    items: Vec<String>,
    /// What it may be used for; at class conditional alone; repeat
    #[arg(long)]
    purposes: Vec<String>,
    #[arg(long)]
    summary: Option<String>,
    /// The system that holds it
    #[arg(long)]
    system: Option<String>,
    #[arg(long)]
    title: String,
    #[arg(long)]
    topic: Option<String>,
    /// Version (default: the one after the newest that the node knows)
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn publish(args: &PublishArgs, global: &Global) -> Result<(), Failure> {
    let client = Client::new(global)?;
    let signers = args.signing.signers()?;
    let version = match args.version {
        Some(version) => version,
        None => newest_version(&client, &args.id)?.unwrap_or(0).saturating_add(1),
    };
    let mut body = Members::new()
        .text("bar", args.bar.as_ref())
        .with("class", args.class.as_str())
        .text("conditions", args.conditions.as_ref())
        .text("duty", args.duty.as_ref())
        .list("format", &args.format)
        .with("frequency", args.frequency.as_str())
        .text("grade", args.grade.as_ref())
        .with("id", args.id.as_str())
        .list("purposes", &args.purposes)
        .text("summary", args.summary.as_ref())
        .text("system", args.system.as_ref())
        .with("title", args.title.as_str())
        .text("topic", args.topic.as_ref())
        .with("version", version);
    if !args.items.is_empty() {
        body = body.with("items", args.items.iter().map(|text| item(text)).collect::<Vec<_>>());
    }
    let signed = args.signing.sign(&signers, Kind::DatasetPublish, Vec::new(), body.into_value(), global)?;
    args.signing.submit(&client, &signed, global)
}

/// The newest version of a dataset that the node knows.
///
/// # Errors
/// [`Failure::Network`], [`Failure::Refused`].
pub fn newest_version(client: &Client, id: &str) -> Result<Option<u64>, Failure> {
    let mut newest = None;
    client.each_page(&format!("/api/v1/datasets?dataset={}&limit=1000", escaped(id)), |page| {
        let versions = items_of(page).iter().filter_map(|item| item.get("version").and_then(Value::as_u64));
        newest = newest.max(versions.max());
    })?;
    Ok(newest)
}

/// `ID@VERSION`, or `ID` at the newest version that the node knows.
///
/// # Errors
/// [`Failure::Usage`] for a version that is no number, [`Failure::Refused`] with `dataset-unknown`.
pub fn dataset_version(client: &Client, given: &str) -> Result<(String, u64), Failure> {
    if let Some((id, version)) = given.rsplit_once('@') {
        let version =
            version.parse().map_err(|_| Failure::Usage(format!("--dataset {given}: expected ID@VERSION, the version a number")))?;
        return Ok((id.to_owned(), version));
    }
    let unknown = || Failure::Refused(Refusal::new(Code::DatasetUnknown, given, "a dataset of the catalogue"));
    Ok((given.to_owned(), newest_version(client, given)?.ok_or_else(unknown)?))
}
