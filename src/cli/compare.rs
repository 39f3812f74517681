//! `sharelog compare`: whether two places show one history.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::audit::compare::{Outcome, Parted, Side, compare};
use crate::cli::Global;
use crate::cli::audit::refused;
use crate::cli::failure::Failure;
use crate::cli::genesis::read_genesis;
use crate::cli::kinds::handover::with_suffix;
use crate::cli::output::{printable, show};
use crate::core::json::{Value, object, strings};

#[derive(Debug, Args)]
#[command(after_help = "Exit 0 when both are one history, 1 when they part, with the first leaf that differs. Whoever
cosigned two roots of one size is accused by --evidence, which sharelog verify checks. Who signed the checkpoints is not judged
otherwise: sharelog audit does.

Examples:
  sharelog compare http://127.0.0.1:8600 http://127.0.0.1:8601
  sharelog compare copy checkpoint --evidence fork.json --genesis genesis.json")]
pub struct CompareArgs {
    /// A node or file server, a folder of tiles, or a file with a checkpoint note
    #[arg(value_name = "A")]
    a: String,
    /// Another one; two notes alone can be compared only at equal sizes
    #[arg(value_name = "B")]
    b: String,
    /// Where the proof of misbehaviour goes; of more than one, the others stand beside it with a number
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// A genesis file whose validators' keys may be accused, where neither place brings one
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

pub fn run(args: &CompareArgs, global: &Global) -> Result<()> {
    let genesis = args.genesis.as_deref().map(read_genesis).transpose()?;
    let sides = (|| -> Result<_> { Ok((Side::open(&args.a)?, Side::open(&args.b)?)) })();
    let between = format!("{} beside {}", args.a, args.b);
    let (a, b) = sides.map_err(|error| refused(error, &between, global))?;
    let outcome = compare(&a, &b, genesis.as_ref()).map_err(|error| refused(error.into(), &between, global))?;
    let sizes = [&a, &b].map(|side| side.held.checkpoint.size);
    match outcome {
        Outcome::Same => {
            show(global, &agreed("same", sizes), |_| format!("One history: both of size {}, root {}.", sizes[0], a.held.checkpoint.root));
            Ok(())
        }
        Outcome::Continues => {
            let (less, more) = (sizes[0].min(sizes[1]), sizes[0].max(sizes[1]));
            show(global, &agreed("continues", sizes), |_| {
                format!("One history: the tree of size {more} begins with the one of size {less}.")
            });
            Ok(())
        }
        Outcome::Parted(parted) => Err(part(args, &parted, sizes, global)),
    }
}

fn agreed(outcome: &str, sizes: [u64; 2]) -> Value {
    let sizes = Value::Array(sizes.into_iter().map(Value::from).collect());
    object([("ok", true.into()), ("outcome", outcome.into()), ("sizes", sizes)])
}

/// Two histories: says where, and writes the proofs.
fn part(args: &CompareArgs, parted: &Parted, sizes: [u64; 2], global: &Global) -> anyhow::Error {
    let mut files = Vec::new();
    if let Some(path) = &args.evidence {
        for (proof, number) in parted.accused.iter().zip(1..) {
            let path = if number == 1 { path.clone() } else { with_suffix(path, &format!(".{number}")) };
            if let Err(failure) = write(&path, &proof.to_value()) {
                return failure.into();
            }
            files.push(path.display().to_string());
        }
    }
    let accused: Vec<_> = parted.accused.iter().map(|proof| proof.agency.as_str()).collect();
    if global.json {
        let members = [
            ("accused", strings(&accused)),
            ("evidence", strings(&files)),
            ("failed", parted.finding.to_value()),
            ("ok", false.into()),
            ("outcome", "parted".into()),
            ("sizes", Value::Array(sizes.into_iter().map(Value::from).collect())),
        ];
        anstream::println!("{}", object(members).to_jcs());
    }
    let mut lines = vec![format!("two histories: {}", printable(&parted.finding.to_string()))];
    match (accused.is_empty(), files.is_empty()) {
        (true, _) => lines.push("No key that is known here signed both roots of one size: nobody is accused.".to_owned()),
        (false, true) => lines.push(format!("{} signed both: --evidence FILE writes the proof.", accused.join(", "))),
        (false, false) => lines.push(format!("{} signed both; proven by {}", accused.join(", "), files.join(", "))),
    }
    lines.push(parted.finding.fault.next().to_owned());
    Failure::Negative(lines.join("\n  ")).into()
}

fn write(path: &Path, value: &Value) -> Result<(), Failure> {
    fs::write(path, value.to_jcs()).map_err(|error| Failure::Unreadable(format!("writing {}: {error}", path.display())))
}
