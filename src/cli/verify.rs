//! `sharelog verify`: an evidence file, or a proof of misbehaviour, offline. Asks no node and no clock.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::core::hash::Hash;
use crate::core::json::{self, Strings, Value, object, strings};
use crate::core::limits::EVIDENCE_BYTES_MAX;
use crate::log::misbehaviour::{self, Misbehaviour};
use crate::verify::{self, Pin, Verdict};

/// A checkpoint, or a tlog-proof with one: a few KiB at most.
const PIN_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Args)]
#[command(after_help = "Exit 0 when the evidence holds, 1 when it does not, 6 when a file cannot be read.

Examples:
  sharelog verify delivery.evidence.json --genesis genesis.json
  sharelog verify delivery.evidence.json --genesis 5f3a09c1d2e4b677000102030405060708090a0b0c0d0e0f1011121314151617 --pin checkpoint --json")]
pub struct VerifyArgs {
    /// An evidence file, or a proof that a key contradicted itself
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The genesis hash that you know from elsewhere, or a genesis file that you trust
    #[arg(long, value_name = "FILE|HEX")]
    genesis: String,
    /// A checkpoint that you hold, or a tlog-proof of the evidence's head under a later one: must agree with the evidence
    #[arg(long, value_name = "CHECKPOINT")]
    pin: Option<PathBuf>,
}

pub fn run(args: &VerifyArgs, global: &Global) -> Result<()> {
    let evidence = read_up_to(&args.file, EVIDENCE_BYTES_MAX)?;
    let genesis_file;
    let genesis = match Hash::parse(&args.genesis) {
        Ok(hash) => Pin::Hash(hash),
        Err(_) => {
            genesis_file = read_up_to(Path::new(&args.genesis), EVIDENCE_BYTES_MAX)
                .map_err(|failure| Failure::Unreadable(format!("--genesis is neither 64 lower-case hex digits nor a file: {failure}")))?;
            Pin::File(&genesis_file)
        }
    };
    if let Some(proof) = misbehaviour(&evidence) {
        return accuse(&proof, &genesis, args, global);
    }
    let later = args.pin.as_deref().map(read_text).transpose()?;
    let verdict = verify::verify(&evidence, &genesis, later.as_deref());
    if global.json {
        anstream::println!("{}", verdict.to_value().to_jcs());
    } else if verdict.ok {
        anstream::println!("{}", describe(&verdict));
    }
    match verdict.failed {
        None => Ok(()),
        Some(failed) => Err(Failure::Negative(format!("{} is refused: {failed}", args.file.display())).into()),
    }
}

/// The file's bytes; of a longer one, one byte more than `bytes_max`, which the verifier refuses.
fn read_up_to(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| Failure::Unreadable(format!("{}: {error}", path.display()));
    let limit = u64::try_from(bytes_max).expect("a bound of a few MiB") + 1;
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
    Ok(bytes)
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = read_up_to(path, PIN_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|_| Failure::Unreadable(format!("{}: not UTF-8; expected a checkpoint", path.display())))
}

/// The proof of misbehaviour that a file is, when it says that it is one.
fn misbehaviour(bytes: &[u8]) -> Option<Value> {
    json::parse(bytes, Strings::Strict).ok().filter(|value| value.get("format").and_then(Value::as_str) == Some(misbehaviour::FORMAT))
}

/// Checks a proof of misbehaviour, and says what it leaves open.
fn accuse(value: &Value, genesis: &Pin<'_>, args: &VerifyArgs, global: &Global) -> Result<()> {
    let checked = Misbehaviour::from_value(value).and_then(|proof| proof.check().map(|()| proof));
    let checked = checked.and_then(|proof| verify::accuse(&proof, genesis).map(|holder| (proof, holder)));
    let (proof, is_in_genesis) = match checked {
        Ok(checked) => checked,
        Err(refusal) => {
            if global.json {
                anstream::println!("{}", object([("failed", refusal.to_string().into()), ("ok", false.into())]).to_jcs());
            }
            return Err(Failure::Negative(format!("{} is refused: {refusal}", args.file.display())).into());
        }
    };
    let mut not_shown = vec!["by whose hand, or why: a stolen key signs as well".to_owned()];
    if !is_in_genesis {
        not_shown.push(format!("that the key is {}'s: the genesis lists it for nobody; see the ledger's validator records", proof.agency));
    }
    if global.json {
        let key = proof.key.to_base64();
        let members = [
            ("agency", proof.agency.as_str().into()),
            ("key", key.into()),
            ("kind", proof.place.kind().into()),
            ("not_shown", strings(&not_shown)),
            ("ok", true.into()),
        ];
        anstream::println!("{}", object(members).to_jcs());
        return Ok(());
    }
    anstream::println!(
        "Proven: one key signed two contradicting texts of kind {} on {}.\n  key {} of {}\nNot shown:\n  - {}",
        proof.place.kind(),
        proof.ledger,
        proof.key.to_base64(),
        proof.agency,
        not_shown.join("\n  - ")
    );
    Ok(())
}

/// What was proven, on whose word, and what was not.
fn describe(verdict: &Verdict) -> String {
    let mut lines = vec!["Verified. Signed by the keys that the ledger held then, and at these places of the ledger:".to_owned()];
    for claim in &verdict.claims {
        lines.push(format!("  {} by {}, position {}, block {} of {}", claim.kind, claim.by, claim.position, claim.height, claim.time));
        lines.push(format!("    record {}", claim.id));
    }
    if let Some(word) = &verdict.on_whose_word {
        lines.push(format!("Admitted under the rules of that day, on the word of more than two thirds of {}:", word.members.join(", ")));
        lines.push(format!("  {} cosigned the ledger {} at size {},", word.cosigners.join(", "), word.origin, word.size));
        lines.push(format!("  root {}", word.root));
    }
    lines.push("Not shown:".to_owned());
    lines.extend(verdict.not_shown.iter().map(|what| format!("  - {what}")));
    lines.join("\n")
}
