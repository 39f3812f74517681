//! `sharelog evidence`: a file that proves records offline.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::kinds::handover::{read_opening, with_suffix};
use crate::cli::kinds::sign::record_id;
use crate::cli::output::show;
use crate::core::commitment::Opening;
use crate::core::hash::Hash;
use crate::core::limits::EVIDENCE_BYTES_MAX;
use crate::core::refusal::{Code, Refusal};
use crate::log::evidence::{Evidence, ProvenLeaf};
use crate::log::proof::TlogProof;
use crate::verify::{Pin, verify};

/// A public checkpoint follows a commit within about a second; a network that has none for so long is in trouble.
const COVERED_WAIT: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog evidence ID -o delivery.evidence.json
  sharelog evidence ID ID -o case.evidence.json --opening permits.csv.opening.json
  sharelog evidence ID --format tlog-proof -o delivery.tlog-proof")]
pub struct EvidenceArgs {
    /// Record ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// The evidence file; one that exists is replaced
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Opening of one of the deliveries, for who may see what it opens; repeat
    #[arg(long = "opening", value_name = "FILE")]
    openings: Vec<PathBuf>,
    /// `evidence` proves all down to the genesis; `tlog-proof` is the C2SP text for one record, for any client of transparency logs
    #[arg(long, value_enum, default_value_t = Format::Evidence)]
    format: Format,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Evidence,
    TlogProof,
}

/// Nothing is written that does not verify against the node's own genesis.
///
/// # Errors
/// [`Failure`].
pub fn write(args: &EvidenceArgs, global: &Global) -> Result<(), Failure> {
    let ids: Vec<_> = args.ids.iter().map(|id| record_id("ID", id)).collect::<Result<_, _>>()?;
    if args.format == Format::TlogProof && (ids.len() > 1 || !args.openings.is_empty()) {
        return Err(Failure::Usage("a tlog-proof is of one record, without openings".to_owned()));
    }
    let openings: Vec<_> = args.openings.iter().map(|path| read_opening(path)).collect::<Result<_, _>>()?;
    let client = Client::new(global)?;
    let mut bytes = fetch(&client, &ids)?;
    if !openings.is_empty() {
        bytes = with_openings(&bytes, openings)?;
    }
    if bytes.len() > EVIDENCE_BYTES_MAX {
        return Err(Refusal::new(Code::TooLarge, format!("{} bytes", bytes.len()), format!("at most {EVIDENCE_BYTES_MAX}")).into());
    }
    let genesis = client.genesis()?;
    let verdict = verify(&bytes, &Pin::Hash(genesis.hash), None);
    if let Some(failed) = &verdict.failed {
        return Err(Failure::Negative(format!("the evidence does not hold, and was not written: {failed}")));
    }
    if args.format == Format::TlogProof {
        bytes = tlog_proof(&client, &bytes)?.into_bytes();
    }
    let mode = if args.openings.is_empty() { 0o644 } else { 0o600 };
    replace(&args.out, &bytes, mode).map_err(|error| Failure::Unreadable(format!("writing {}: {error}", args.out.display())))?;
    show(global, &verdict.to_value(), |_| {
        let (file, hash) = (args.out.display(), genesis.hash);
        if args.format == Format::TlogProof {
            return format!("{file}: a tlog-proof; any C2SP client checks it with the node's /policy, the record's note being the entry");
        }
        format!("{file}: evidence of {} records, {} bytes\ncheck it with: sharelog verify {file} --genesis {hash}", ids.len(), bytes.len())
    });
    Ok(())
}

/// Asks until a public checkpoint covers the records.
///
/// # Errors
/// [`Failure`].
pub fn fetch(client: &Client, ids: &[Hash]) -> Result<Vec<u8>, Failure> {
    let path = match ids {
        [id] => format!("/api/v1/records/{id}/evidence"),
        _ => format!("/api/v1/evidence?ids={}", ids.iter().map(|id| id.to_hex()).collect::<Vec<_>>().join(",")),
    };
    let start = Instant::now();
    loop {
        match client.bytes(&path) {
            Err(Failure::Refused(refusal)) if refusal.code == Code::NotCovered && start.elapsed() < COVERED_WAIT => sleep(AGAIN),
            outcome => return outcome,
        }
    }
}

/// The proof of the file's one entry as C2SP text: under the note that the node publishes for the size, when it still does,
/// since its lines of witnesses and of keys that the genesis does not name stand in no evidence file.
fn tlog_proof(client: &Client, bytes: &[u8]) -> Result<String, Failure> {
    let unreadable = |refusal: Refusal| client.unusable(&refusal);
    let evidence = Evidence::parse(bytes).map_err(unreadable)?;
    let published = String::from_utf8(client.bytes("/checkpoint")?).unwrap_or_default();
    let text = |note: &str| note.split("\n\n").next().unwrap_or_default().to_owned();
    let checkpoint = if text(&published) == text(&evidence.checkpoint) { published } else { evidence.checkpoint };
    let [entry] = evidence.entries.as_slice() else {
        return Err(unreadable(Refusal::new(Code::FieldInvalid, format!("{} entries", evidence.entries.len()), "the one asked for")));
    };
    Ok(TlogProof { index: entry.position, proof: entry.proof.clone(), checkpoint }.to_text())
}

/// The same evidence with openings, in the order of their records.
fn with_openings(bytes: &[u8], openings: Vec<Opening>) -> Result<Vec<u8>, Failure> {
    let mut evidence =
        Evidence::parse(bytes).map_err(|refusal| Failure::Network(format!("the node gave evidence that cannot be read: {refusal}")))?;
    let position = |entry: &ProvenLeaf| {
        let text = entry.leaf.rfind("\n\n").map_or("", |end| &entry.leaf[..=end]);
        (Hash::of(text.as_bytes()), entry.position)
    };
    let positions: BTreeMap<_, _> = evidence.entries.iter().map(position).collect();
    let mut placed = BTreeMap::new();
    for opening in openings {
        let Some(position) = positions.get(&opening.record) else {
            return Err(Failure::Usage(format!("an opening of {}, which is not among the records", opening.record)));
        };
        placed.insert(*position, opening);
    }
    evidence.openings = placed.into_values().collect();
    Ok(evidence.to_value().to_jcs().into_bytes())
}

/// All of the file or nothing: written beside it, synced, and put in its place. What holds openings is for its owner.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let beside = with_suffix(path, ".part");
    let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
