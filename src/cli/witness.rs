//! `sharelog witness`: make or run a witness of logs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::genesis::{KEYS_DIR, make_empty_dir, write_new};
use crate::config;
use crate::core::json::object;
use crate::core::key::{Algorithm, VerifierKey};
use crate::keystore::{self, KeySource};
use crate::witness::KEY_FILE;
use crate::witness::settings::Settings;

#[derive(Debug, Subcommand)]
pub enum WitnessCommand {
    /// Make the home of a witness: its key and config.toml
    Init(InitArgs),
    /// Run the witness of a home until SIGTERM or Ctrl-C
    Run(RunArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "A sharelog ledger has one publication key for each node, keys/publication.vkey of its home; the name in it is the
origin, so --origin may be left out. Logs are added later in config.toml.

Examples:
  sharelog witness init --home /var/lib/sharelog-witness --name witness.example/audit-office
  sharelog witness init --home w --name w.example/1 --http 127.0.0.1:8710 --log \"$(cat publication.vkey)\"")]
pub struct InitArgs {
    /// A new folder
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// The name of the witness's key: an address without a scheme that is yours, such as witness.example/audit-office
    #[arg(long, value_name = "KEYNAME")]
    name: String,
    /// A key that signs checkpoints of a log to be witnessed
    #[arg(long = "log", value_name = "VKEY")]
    logs: Vec<String>,
    /// The origin of the log of each --log, in the same order (default: the name in the vkey)
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// Where HTTP listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8700")]
    http: SocketAddr,
}

#[derive(Debug, Args)]
#[command(after_help = "Never run two witnesses with one key, and never put a home back from a backup: either may cosign two histories.

Examples:
  sharelog witness run --home /var/lib/sharelog-witness
  sharelog witness run --home w")]
pub struct RunArgs {
    /// The witness's home: config.toml, keys/
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
}

pub fn run(command: &WitnessCommand, global: &Global) -> Result<()> {
    match command {
        WitnessCommand::Init(args) => init(args, global),
        WitnessCommand::Run(args) => {
            check_home(&args.home)?;
            crate::witness::run(&args.home)
        }
    }
}

fn check_home(home: &Path) -> Result<(), Failure> {
    if home.join(config::FILE).exists() && home.join(KEY_FILE).exists() {
        return Ok(());
    }
    Err(Failure::Configuration(format!("{} is no witness's home; make one with witness init", home.display())))
}

fn init(args: &InitArgs, global: &Global) -> Result<()> {
    let secret = KeySource::Random.key("witness")?;
    let vkey = VerifierKey::new(args.name.clone(), Algorithm::Cosignature, secret.public())
        .map_err(|refusal| Failure::Usage(format!("--name: found {}; expected {}", refusal.found, refusal.expected)))?;
    let settings = Settings::new(args.http, logs(args)?);
    make_empty_dir(&args.home)?;
    let pem = args.home.join(KEY_FILE);
    keystore::make_dir(&args.home.join(KEYS_DIR))?;
    keystore::write_secret(&pem, &secret)?;
    keystore::write_vkey(&pem, &vkey)?;
    write_new(&args.home.join(config::FILE), settings.to_text().as_bytes())?;
    let home = args.home.display().to_string();
    if global.json {
        anstream::println!("{}", object([("home", home.into()), ("vkey", vkey.to_string().into())]).to_jcs());
        return Ok(());
    }
    let logs = match settings.logs.len() {
        0 => format!("it witnesses no log yet: name them in {home}/{}", config::FILE),
        count => {
            format!("it witnesses {count} of origin {}", settings.logs.iter().map(|log| log.origin.as_str()).collect::<Vec<_>>().join(", "))
        }
    };
    anstream::println!(
        "Home of a witness: {home}; {logs}\n  {home}/{KEY_FILE}  its key: never run two witnesses with it\nIts vkey, for others:\n  {vkey}\n\
         Next: sharelog witness run --home {home}\nIn the config.toml of each node, with the address that nodes reach it at:\n  \
         witnesses = [\"http://{} {vkey}\"]",
        args.http
    );
    Ok(())
}

/// Each key with its log's origin.
fn logs(args: &InitArgs) -> Result<Vec<(String, VerifierKey)>, Failure> {
    if !args.origins.is_empty() && args.origins.len() != args.logs.len() {
        let found = format!("{} --origin with {} --log", args.origins.len(), args.logs.len());
        return Err(Failure::Usage(format!("{found}; expected one for each, in the same order, or none")));
    }
    let key = |(index, text): (usize, &String)| {
        let vkey = VerifierKey::parse(text)
            .map_err(|refusal| Failure::Usage(format!("--log: found {}; expected {}", refusal.found, refusal.expected)))?;
        let origin = args.origins.get(index).cloned().unwrap_or_else(|| vkey.name().to_owned());
        Ok((origin, vkey))
    };
    args.logs.iter().enumerate().map(key).collect()
}
