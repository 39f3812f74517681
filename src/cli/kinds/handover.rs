//! share.deliver and share.receipt, with the content commitment made and opened from the actual file.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use sha2::{Digest as _, Sha256};

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::kinds::catalogue::newest_version;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::sign::{Signing, record_id};
use crate::core::commitment::{Opening, commit};
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::kinds::Kind;
use crate::core::refusal::{Code, Refusal};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog share deliver --grant ID --dataset agency-1:permits --batch 2026-11 --period 2026-11 --rows 1200 --file permits.csv --key office.pem
  sharelog share deliver --grant ID --dataset agency-1:permits --batch 2026-12 --file permits.csv --opening kept/2026-12.json --key office.pem")]
pub struct DeliverArgs {
    /// The batch's name, once in a grant
    #[arg(long)]
    batch: String,
    /// The dataset
    #[arg(long, value_name = "ID")]
    dataset: String,
    /// The data; its hash is committed to, nothing of it is sent
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Record id of the agreeing answer
    #[arg(long, value_name = "ID")]
    grant: String,
    /// file, api or query
    #[arg(long, default_value = "file")]
    mode: String,
    /// Where the opening is written; give it to the requester with the data (default: FILE.opening.json)
    #[arg(long, value_name = "FILE")]
    opening: Option<PathBuf>,
    /// As 2026, 2026-H2, 2026-Q4, 2026-11, 2026-W48 or 2026-11-25
    #[arg(long)]
    period: Option<String>,
    #[arg(long, value_name = "N")]
    rows: Option<u64>,
    /// The dataset's version (default: the newest that the node knows)
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    #[command(flatten)]
    signing: Signing,
}

/// The opening is on disk before the record is sent: what stands on the ledger can always be opened.
///
/// # Errors
/// [`Failure`].
pub fn deliver(args: &DeliverArgs, global: &Global) -> Result<(), Failure> {
    let client = Client::new(global)?;
    let signers = args.signing.signers()?;
    let grant = record_id("--grant", &args.grant)?;
    let payload = Payload::read(&args.file)?;
    let unknown = || Failure::Refused(Refusal::new(Code::DatasetUnknown, args.dataset.clone(), "a dataset of the catalogue"));
    let version = match args.version {
        Some(version) => version,
        None => newest_version(&client, &args.dataset)?.ok_or_else(unknown)?,
    };
    let salt = fresh_salt()?;
    let body = Members::new()
        .with("batch", args.batch.as_str())
        .with("bytes", payload.bytes)
        .with("commitment", commit(&salt, &payload.sha256).to_hex())
        .with("dataset", args.dataset.as_str())
        .with("mode", args.mode.as_str())
        .text("period", args.period.as_ref())
        .maybe("rows", args.rows)
        .with("version", version);
    let signed = args.signing.sign(&signers, Kind::ShareDeliver, vec![grant], body.into_value(), global)?;
    let opening = Opening { bytes: payload.bytes, record: signed.id, salt, sha256: payload.sha256 };
    let path = args.opening.clone().unwrap_or_else(|| with_suffix(&args.file, ".opening.json"));
    if args.signing.sending.dry_run {
        return args.signing.submit(&client, &signed, global);
    }
    write_opening(&path, &opening)
        .map_err(|error| Failure::Unreadable(format!("writing the opening {}: {error}; nothing was sent", path.display())))?;
    let outcome = args.signing.submit(&client, &signed, global);
    if matches!(&outcome, Err(failure @ Failure::Refused(_)) if failure.exit_code() == 5) {
        // A refused record is on no ledger: its opening opens nothing, and would stand in the way of the next try.
        let _ = std::fs::remove_file(&path);
    }
    outcome
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog share receipt --delivery ID --file permits.csv --opening permits.csv.opening.json --rows 1200 --key office.pem
  sharelog share receipt --delivery ID --result mismatch --file permits.csv --opening permits.csv.opening.json --rows 1187 --key office.pem")]
pub struct ReceiptArgs {
    /// Record id of the delivery
    #[arg(long, value_name = "ID")]
    delivery: String,
    /// The data as it came
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// The opening that came with it
    #[arg(long, value_name = "FILE")]
    opening: PathBuf,
    /// match or mismatch
    #[arg(long, default_value = "match", value_parser = ["match", "mismatch"])]
    result: String,
    #[arg(long, value_name = "N")]
    rows: Option<u64>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`]; [`Failure::Refused`] with `commitment-mismatch` for a match that the file does not bear out.
pub fn receipt(args: &ReceiptArgs, global: &Global) -> Result<(), Failure> {
    let client = Client::new(global)?;
    let signers = args.signing.signers()?;
    let delivery = record_id("--delivery", &args.delivery)?;
    let payload = Payload::read(&args.file)?;
    let opening = read_opening(&args.opening)?;
    let committed = delivered_commitment(&client, delivery)?;
    let own = commit(&opening.salt, &payload.sha256);
    if args.result == "match" && own.to_hex() != committed {
        let found = format!("{} with this opening gives {own}", args.file.display());
        let expected = format!("{committed}, the commitment of delivery {delivery}");
        return Err(Failure::Refused(Refusal::new(Code::CommitmentMismatch, found, expected)));
    }
    let body = Members::new().with("commitment", own.to_hex()).with("result", args.result.as_str()).maybe("rows", args.rows).into_value();
    let signed = args.signing.sign(&signers, Kind::ShareReceipt, vec![delivery], body, global)?;
    args.signing.submit(&client, &signed, global)
}

fn delivered_commitment(client: &Client, delivery: Hash) -> Result<String, Failure> {
    let record = client.json(&format!("/api/v1/records/{delivery}"))?;
    let commitment = record.get("body").and_then(|body| body.get("commitment")).and_then(Value::as_str);
    let kind = record.get("kind").and_then(Value::as_str);
    commitment
        .filter(|_| kind == Some(Kind::ShareDeliver.as_str()))
        .map(str::to_owned)
        .ok_or_else(|| Failure::Negative(format!("{delivery} is no committed delivery on this node")))
}

/// Size and hash of a batch.
pub struct Payload {
    pub bytes: u64,
    pub sha256: Hash,
}

impl Payload {
    /// Reads a file of any size, a piece at a time.
    ///
    /// # Errors
    /// [`Failure::Unreadable`].
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let mut hasher = Sha256::new();
        let read = File::open(path).and_then(|mut file| std::io::copy(&mut file, &mut hasher));
        let bytes = read.map_err(|error| Failure::Unreadable(format!("reading {}: {error}", path.display())))?;
        Ok(Payload { bytes, sha256: Hash(hasher.finalize().into()) })
    }

    pub fn of(bytes: &[u8]) -> Self {
        Payload { bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX), sha256: Hash::of(bytes) }
    }
}

/// 32 bytes from the system's generator.
///
/// # Errors
/// [`Failure::Configuration`] on a system without one.
pub fn fresh_salt() -> Result<[u8; 32], Failure> {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(|error| Failure::Configuration(format!("no randomness from the system: {error}")))?;
    Ok(salt)
}

/// A new file, 0600, synced with its folder; one that exists is never replaced.
///
/// # Errors
/// The file system's.
pub fn write_opening(path: &Path, opening: &Opening) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(opening.to_value().to_jcs().as_bytes())?;
    file.sync_all()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// # Errors
/// [`Failure::Unreadable`].
pub fn read_opening(path: &Path) -> Result<Opening, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::Unreadable(format!("reading {}: {error}", path.display())))?;
    Opening::parse(bytes.trim_ascii_end()).map_err(|refusal| Failure::Unreadable(format!("{}: {refusal}", path.display())))
}

/// `path` with more at its end.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
