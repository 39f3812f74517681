//! `sharelog import`: records in bulk from CSV files, resumable by their journal.
//!
//! `--map` and `--set` fill the fields of each row; the rows become bodies, are signed with the keys of `--keys`, written
//! to the journal, sent, and followed until they are committed. What is on the ledger already is kept.

pub mod agencies;
pub mod datasets;
pub mod deliveries;
pub mod fields;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod pipeline;
pub mod run;
pub mod summary;
pub mod table;
pub mod text;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::import::journal::Journal;
use crate::cli::import::keys::KeyRing;
use crate::cli::import::run::{OnError, Run};
use crate::cli::import::summary::Summary;
use crate::cli::kinds::handover::with_suffix;
use crate::cli::output;

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Admit agencies; missing key sets (office, head, recovery) are made
    #[command(after_help = agencies::HELP)]
    Agencies(agencies::AgenciesArgs),
    /// Publish datasets in the catalogue
    #[command(after_help = datasets::HELP)]
    Datasets(datasets::DatasetsArgs),
    /// Replay a sharing log: duties, requests, answers, deliveries, receipts
    #[command(after_help = deliveries::HELP)]
    Deliveries(deliveries::DeliveriesArgs),
}

/// Flags of every import.
#[derive(Debug, Args)]
pub struct Source {
    /// The CSV file, UTF-8, with a header line
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Fill a field from a column; repeat
    #[arg(long = "map", value_name = "FIELD=COLUMN", value_parser = fields::pair)]
    pub maps: Vec<(String, String)>,
    /// Fill a field with a constant; repeat
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = fields::pair)]
    pub sets: Vec<(String, String)>,
    /// Folder of the agencies' keys: DIR/<agency>/<role>.pem
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// What to do when a row is refused
    #[arg(long, value_enum, default_value_t = OnError::Stop, value_name = "WHAT")]
    on_error: OnError,
    /// Signed records and openings, written before they are sent; a rerun sends the same bytes (default: FILE.journal)
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

impl Source {
    fn begin(&self, global: &Global) -> Result<Run, Failure> {
        let client = Client::new(global)?;
        let genesis = client.genesis()?;
        let journal = self.journal.clone().unwrap_or_else(|| with_suffix(&self.file, ".journal"));
        Ok(Run {
            client,
            keys: KeyRing::new(&self.keys, &genesis.origin),
            origin: genesis.origin,
            journal: Journal::open(&journal)?,
            summary: Summary::new(),
            on_error: self.on_error,
            record_age_ms_max: genesis.policy.record_age_ms_max,
        })
    }
}

/// The summary is printed also when the import ends early.
///
/// # Errors
/// [`Failure`].
pub fn run(command: &ImportCommand, global: &Global) -> anyhow::Result<()> {
    let (summary, outcome) = match command {
        ImportCommand::Agencies(args) => agencies::run(args, global)?,
        ImportCommand::Datasets(args) => datasets::run(args, global)?,
        ImportCommand::Deliveries(args) => deliveries::run(args, global)?,
    };
    output::show(global, &summary.to_value(), |_| summary.to_table());
    Ok(outcome?)
}

/// What an import did, and how it ended.
type Ended = (Summary, Result<(), Failure>);
