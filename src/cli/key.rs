//! `sharelog key`: make, show, rotate and revoke keys.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::genesis::{parse_role, read_genesis, vkey_of};
use crate::cli::kinds;
use crate::core::ids::check_agency;
use crate::core::json::object;
use crate::core::key::{Algorithm, Role, VerifierKey, agency_key_name, check_key_name};
use crate::keystore::{self, KeySource};

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key of an agency for a ledger: FILE.pem (0600) and FILE.vkey
    Generate(GenerateArgs),
    /// Show the vkey of a key file
    Show(ShowArgs),
    /// Replace an agency's key on the ledger
    Rotate(kinds::RotateArgs),
    /// End an agency's key on the ledger
    Revoke(kinds::RevokeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog key generate --agency 380120000J --role office --genesis genesis.json --out keys/office.pem
  sharelog key generate --agency nhs-digital --role head --origin city.example/sharelog/5f3a09c1d2e4b677 --json")]
pub struct GenerateArgs {
    /// The agency that will sign with it
    #[arg(long, value_name = "ID")]
    agency: String,
    /// What it will sign for: authority, head, inspector, office or recovery
    #[arg(long, value_name = "ROLE", value_parser = parse_role)]
    role: Role,
    /// The ledger's genesis file
    #[arg(long, value_name = "FILE", required_unless_present = "origin", conflicts_with = "origin")]
    genesis: Option<PathBuf>,
    /// The ledger's origin, instead of its genesis file
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// The key file (default: ROLE.pem)
    #[arg(long, value_name = "FILE.pem")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog key show clients/authority/authority.pem
  sharelog key show node0/keys/cosigner.pem --json")]
pub struct ShowArgs {
    /// A PEM file
    #[arg(value_name = "FILE.pem")]
    file: PathBuf,
    /// The genesis file that registers the key, when there is no .vkey file beside it
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

pub fn run(command: &KeyCommand, global: &Global) -> Result<()> {
    match command {
        KeyCommand::Generate(args) => generate(args, global),
        KeyCommand::Show(args) => show(args, global),
        KeyCommand::Rotate(args) => kinds::rotate(args, global),
        KeyCommand::Revoke(args) => kinds::revoke(args, global),
    }
}

fn generate(args: &GenerateArgs, global: &Global) -> Result<()> {
    check_agency(&args.agency).map_err(|refusal| Failure::Usage(format!("--agency: {refusal}")))?;
    let origin = match (&args.genesis, &args.origin) {
        (Some(path), _) => read_genesis(path)?.origin,
        (None, origin) => origin.clone().unwrap_or_default(),
    };
    let name = agency_key_name(&origin, &args.agency, args.role);
    check_key_name(&origin).and_then(|()| check_key_name(&name)).map_err(|refusal| Failure::Usage(format!("--origin: {refusal}")))?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.pem", args.role)));
    if out.extension().is_none_or(|extension| extension != "pem") {
        return Err(Failure::Usage(format!("--out: found {}; expected a name that ends in .pem", out.display())).into());
    }
    for path in [&out, &keystore::vkey_path(&out)] {
        if path.exists() {
            return Err(Failure::Usage(format!("{} exists already; a key is never replaced", path.display())).into());
        }
    }
    let key = KeySource::Random.key("")?;
    let vkey = VerifierKey::new(name, Algorithm::Ed25519, key.public()).map_err(Failure::from)?;
    if let Some(dir) = out.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        keystore::make_dir(dir)?;
    }
    keystore::write_secret(&out, &key)?;
    keystore::write_vkey(&out, &vkey)?;
    if global.json {
        let value = object([("key", out.display().to_string().into()), ("vkey", vkey.to_string().into())]);
        anstream::println!("{}", value.to_jcs());
    } else {
        anstream::println!("{vkey}");
        anstream::eprintln!("{} holds the secret key; an authority admits the agency with the vkey above.", out.display());
    }
    Ok(())
}

fn show(args: &ShowArgs, global: &Global) -> Result<()> {
    let secret = keystore::load_secret(&args.file)?;
    let public = secret.public();
    let vkey = match &args.genesis {
        Some(path) => {
            let genesis = read_genesis(path)?;
            let (_, _, vkey) =
                vkey_of(&genesis, &public).ok_or_else(|| Failure::Negative(format!("{} registers no such key", path.display())))?;
            Some(vkey)
        }
        None if keystore::vkey_path(&args.file).exists() => Some(keystore::load(&args.file)?.0),
        None => None,
    };
    if global.json {
        let mut members = vec![("public", public.to_base64())];
        members.extend(vkey.iter().map(|vkey| ("vkey", vkey.to_string())));
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        anstream::println!("{}", crate::core::json::Value::Object(members).to_jcs());
        return Ok(());
    }
    match vkey {
        Some(vkey) => anstream::println!("{vkey}"),
        None => {
            anstream::println!("{}", public.to_base64());
            anstream::eprintln!("This is the bare public key: there is no .vkey file beside {}; name the --genesis.", args.file.display());
        }
    }
    Ok(())
}
