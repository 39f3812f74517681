//! agency.admit and key.rotate.

use clap::Args;

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::sign::Signing;
use crate::core::key::VerifierKey;
use crate::core::kinds::Kind;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog agency admit --id 380120000J --name-zh NAME --level city --territory 3301 --keys office.vkey --keys head.vkey --key authority.pem
  sharelog agency admit --id nhs-digital --name-en 'NHS Digital' --level outside --keys clients/nhs-digital/office.vkey --key authority.pem")]
pub struct AdmitArgs {
    /// Agency id
    #[arg(long)]
    id: String,
    /// Its verifier keys, each as a text or a file; repeat
    #[arg(long, required = true, value_name = "VKEY|FILE")]
    keys: Vec<String>,
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
    /// How the id is checked: plain or uscc
    #[arg(long, default_value = "plain")]
    scheme: String,
    /// Territory code; left out at level outside alone
    #[arg(long)]
    territory: Option<String>,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog key rotate --key office.pem --key new/office.pem
  sharelog key rotate --replaces office.vkey --key recovery.pem --key new/office.pem")]
pub struct RotateArgs {
    /// The verifier key that ends, as a text or a file (default: that of the first --key)
    #[arg(long, value_name = "VKEY|FILE")]
    replaces: Option<String>,
    #[command(flatten)]
    signing: Signing,
}

/// A vkey given as itself or as the file that holds it.
///
/// # Errors
/// [`Failure::Usage`], [`Failure::Unreadable`].
pub fn vkey(flag: &str, given: &str) -> Result<String, Failure> {
    if VerifierKey::parse(given).is_ok() {
        return Ok(given.to_owned());
    }
    let text = std::fs::read_to_string(given)
        .map_err(|error| Failure::Usage(format!("{flag} {given}: neither a verifier key nor a readable file ({error})")))?;
    let text = text.trim_end();
    VerifierKey::parse(text).map_err(|refusal| Failure::Unreadable(format!("{given}: {refusal}")))?;
    Ok(text.to_owned())
}

/// # Errors
/// [`Failure`].
pub fn admit(args: &AdmitArgs, global: &Global) -> Result<(), Failure> {
    let mut keys: Vec<_> = args.keys.iter().map(|given| vkey("--keys", given)).collect::<Result<_, _>>()?;
    keys.sort();
    let names = Members::new().text("en", args.name_en.as_ref()).text("zh", args.name_zh.as_ref()).into_value();
    if names.as_object().is_none_or(|names| names.is_empty()) {
        return Err(Failure::Usage("an agency needs a name: --name-en or --name-zh".to_owned()));
    }
    let body = Members::new()
        .with("id", args.id.as_str())
        .list("keys", &keys)
        .with("level", args.level.as_str())
        .with("names", names)
        .with("scheme", args.scheme.as_str())
        .text("line", args.line.as_ref())
        .text("parent", args.parent.as_ref())
        .text("territory", args.territory.as_ref());
    let signers = args.signing.signers()?;
    let signed = args.signing.sign(&signers, Kind::AgencyAdmit, Vec::new(), body.into_value(), global)?;
    args.signing.submit(&Client::new(global)?, &signed, global)
}

/// The new key is the one of the same name as the key that ends.
///
/// # Errors
/// [`Failure`].
pub fn rotate(args: &RotateArgs, global: &Global) -> Result<(), Failure> {
    let signers = args.signing.signers()?;
    let replaced = match &args.replaces {
        Some(given) => vkey("--replaces", given)?,
        None => signers.first().to_string(),
    };
    let name = replaced.split('+').next().unwrap_or_default();
    let mut candidates = signers.vkeys().filter(|vkey| vkey.name() == name && vkey.to_string() != replaced);
    let Some(new) = candidates.next_back() else {
        return Err(Failure::Usage(format!("the new key of {name} must sign too: give its file with another --key")));
    };
    let body = Members::new().with("key", new.to_string()).with("replaces", replaced.as_str());
    let signed = args.signing.sign(&signers, Kind::KeyRotate, Vec::new(), body.into_value(), global)?;
    args.signing.submit(&Client::new(global)?, &signed, global)
}
