//! `sharelog store`: check or rebuild a node's store. The node must be stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::genesis::{GENESIS_FILE, read_genesis};
use crate::config::Config;
use crate::core::genesis::Genesis;
use crate::core::json::{object, strings};
use crate::store::check::{Report, check};
use crate::store::{self, StoreError};

/// The store's folder in a home.
const DATA_DIR: &str = "data";

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Check every frame, signature, rule, hash and index entry of a stopped node's store; changes nothing
    Check(CheckArgs),
    /// Build state and indexes of a stopped node anew from its log
    Rebuild(RebuildArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Exit 0 for a sound store, 1 for a damaged one, with each damage named.

Examples:
  sharelog store check --home /var/lib/sharelog
  sharelog store check --home node0 --json")]
pub struct CheckArgs {
    /// The home of a stopped node
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "The log is the truth and is only read; a damaged one ends this with exit 1.

Examples:
  sharelog store rebuild --home /var/lib/sharelog
  sharelog store rebuild --home node0 --json")]
pub struct RebuildArgs {
    /// The home of a stopped node
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
}

pub fn run(command: &StoreCommand, global: &Global) -> Result<()> {
    match command {
        StoreCommand::Check(args) => check_home(&args.home, global),
        StoreCommand::Rebuild(args) => rebuild_home(&args.home, global),
    }
}

/// What opening a store needs from its home.
struct Home {
    data: PathBuf,
    genesis: Arc<Genesis>,
    cache_bytes: u64,
}

impl Home {
    fn open(home: &Path) -> Result<Self> {
        let config = Config::load(home)?;
        let genesis = Arc::new(read_genesis(&home.join(GENESIS_FILE))?);
        let data = home.join(DATA_DIR);
        if !data.is_dir() {
            return Err(Failure::Unreadable(format!("{} is not there: this node never ran", data.display())).into());
        }
        Ok(Home { data, genesis, cache_bytes: config.cache_bytes })
    }
}

fn check_home(home: &Path, global: &Global) -> Result<()> {
    let Home { data, genesis, cache_bytes } = Home::open(home)?;
    let report = with_progress("checking", |progress| check(&data, &genesis, cache_bytes, progress))?;
    if global.json {
        let value = object([
            ("blocks", report.blocks.into()),
            ("damage", strings(&report.damage)),
            ("notes", strings(&report.notes)),
            ("ok", report.damage.is_empty().into()),
            ("records", report.records.into()),
        ]);
        anstream::println!("{}", value.to_jcs());
    } else {
        anstream::println!("{}", describe(&report));
    }
    match report.damage.len() {
        0 => Ok(()),
        count => Err(Failure::Negative(format!("{} is damaged in {count} places", data.display())).into()),
    }
}

fn rebuild_home(home: &Path, global: &Global) -> Result<()> {
    let Home { data, genesis, cache_bytes } = Home::open(home)?;
    let mut blocks = 0;
    with_progress("rebuilding", |progress| {
        store::rebuild(&data, genesis, cache_bytes, &mut |height, heights| {
            blocks = height;
            progress(height, heights);
        })
    })?;
    if global.json {
        anstream::println!("{}", object([("blocks", blocks.into()), ("ok", true.into())]).to_jcs());
    } else {
        anstream::println!("State and indexes are built anew from {blocks} blocks of the log.");
    }
    Ok(())
}

/// Runs `work` under a progress bar on stderr, shown on a terminal alone. Damage is a negative answer.
fn with_progress<T>(what: &'static str, work: impl FnOnce(store::Progress<'_>) -> Result<T, StoreError>) -> Result<T> {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg} block {pos} of {len} {wide_bar} {eta}").expect("a template of known keys");
    bar.set_style(style);
    bar.set_message(what);
    let outcome = work(&mut |height, heights| {
        bar.set_length(heights);
        bar.set_position(height);
    });
    bar.finish_and_clear();
    outcome.map_err(|error| match error {
        StoreError::Corrupt { .. } => Failure::Negative(error.to_string()).into(),
        other => other.into(),
    })
}

fn describe(report: &Report) -> String {
    let verdict = if report.damage.is_empty() { "Sound" } else { "Damaged" };
    let mut lines = vec![format!("{verdict}: {} blocks with {} records were executed again.", report.blocks, report.records)];
    lines.extend(report.damage.iter().map(|damage| format!("  damage: {damage}")));
    lines.extend(report.notes.iter().map(|note| format!("  note: {note}")));
    lines.join("\n")
}
