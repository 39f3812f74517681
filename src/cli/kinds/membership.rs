//! agency.change, agency.suspend, agency.retire and key.revoke: what becomes of members and keys.

use clap::Args;

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::kinds::agency::vkey;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::sign::Signing;

#[derive(Debug, Args)]
#[command(after_help = "What is left out is gone: name all that the agency is from now on.

Examples:
  sharelog agency change --id 380120000J --name-en 'Social Affairs Bureau' --level city --territory 3301 --line social-affairs --key authority.pem
  sharelog agency change --id nhs-digital --name-en 'NHS England' --level outside --key authority.pem --dry-run")]
pub struct ChangeArgs {
    /// Agency id
    #[arg(long)]
    id: String,
    /// city, district, street, community or outside
    #[arg(long)]
    level: String,
    /// Line code
    #[arg(long)]
    line: Option<String>,
    /// English name
    #[arg(long)]
    name_en: Option<String>,
    /// Chinese name
    #[arg(long)]
    name_zh: Option<String>,
    /// Agency above
    #[arg(long)]
    parent: Option<String>,
    /// Territory code; left out at level outside alone
    #[arg(long)]
    territory: Option<String>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn change(args: &ChangeArgs, global: &Global) -> Result<(), Failure> {
    let body = Members::new()
        .with("id", args.id.as_str())
        .with("level", args.level.as_str())
        .text("line", args.line.as_ref())
        .names(args.name_en.as_ref(), args.name_zh.as_ref())?
        .text("parent", args.parent.as_ref())
        .text("territory", args.territory.as_ref());
    args.signing.send("agency.change", Vec::new(), body, global)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog agency suspend --id agency-2 --reason 'key found in a public place' --key authority.pem
  sharelog agency suspend --id agency-2 --status active --reason 'keys replaced' --key authority.pem")]
pub struct SuspendArgs {
    /// Agency id
    #[arg(long)]
    id: String,
    #[arg(long)]
    reason: String,
    /// suspended, or active to lift it
    #[arg(long, default_value = "suspended", value_parser = ["suspended", "active"])]
    status: String,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn suspend(args: &SuspendArgs, global: &Global) -> Result<(), Failure> {
    let body = Members::new().with("id", args.id.as_str()).with("reason", args.reason.as_str()).with("status", args.status.as_str());
    args.signing.send("agency.suspend", Vec::new(), body, global)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog agency retire --id agency-2 --successor agency-3 --reason 'merged by order 12 of 2026' --key authority.pem
  sharelog agency retire --id agency-9 --reason 'dissolved, nothing open' --key authority.pem --dry-run")]
pub struct RetireArgs {
    /// Agency id
    #[arg(long)]
    id: String,
    #[arg(long)]
    reason: String,
    /// The agency that takes over; needed while anything is open
    #[arg(long, value_name = "ID")]
    successor: Option<String>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn retire(args: &RetireArgs, global: &Global) -> Result<(), Failure> {
    let body = Members::new().with("id", args.id.as_str()).with("reason", args.reason.as_str()).text("successor", args.successor.as_ref());
    args.signing.send("agency.retire", Vec::new(), body, global)
}

#[derive(Debug, Args)]
#[command(after_help = "The key signs itself out, or the agency's recovery key or an authority's does.

Examples:
  sharelog key revoke --reason 'no longer used' --key office.pem
  sharelog key revoke --revoked office.vkey --reason 'laptop stolen' --suspect-from 2026-11-20T00:00:00.000Z --key recovery.pem")]
pub struct RevokeArgs {
    /// The verifier key that ends, as a text or a file (default: that of the first --key)
    #[arg(long, value_name = "VKEY|FILE")]
    revoked: Option<String>,
    #[arg(long)]
    reason: String,
    /// Since when its signatures are doubtful; reports show it, no rule reads it
    #[arg(long, value_name = "TIME")]
    suspect_from: Option<String>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn revoke(args: &RevokeArgs, global: &Global) -> Result<(), Failure> {
    let revoked = match &args.revoked {
        Some(given) => vkey("--revoked", given)?,
        None => args.signing.signers()?.first().to_string(),
    };
    let body =
        Members::new().with("key", revoked.as_str()).with("reason", args.reason.as_str()).text("suspect_from", args.suspect_from.as_ref());
    args.signing.send("key.revoke", Vec::new(), body, global)
}
