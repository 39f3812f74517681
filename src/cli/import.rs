//! `sharelog import`: records in bulk from CSV files, resumable by their journal.
//!
//! `--map` and `--set` fill the fields of each row; the rows become bodies, are signed with the keys of `--keys`, written
//! to the journal, sent, and followed until they are committed. What is on the ledger already is kept.

pub mod agencies;
pub mod calendars;
pub mod catalogue_file;
pub mod datasets;
pub mod deliveries;
pub mod fields;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod pipeline;
pub mod plan;
pub mod run;
pub mod sharing;
pub mod summary;
pub mod table;
pub mod territories;
pub mod text;
pub mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::import::journal::Journal;
use crate::cli::import::keys::{KeyRing, Signer};
use crate::cli::import::run::{OnError, Run};
use crate::cli::import::summary::Summary;
use crate::cli::kinds::handover::with_suffix;
use crate::cli::kinds::sign;
use crate::cli::kinds::submit::Sending;
use crate::cli::output;
use crate::core::key::{Role, split_agency_key_name};

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Admit agencies; missing key sets (office, head, recovery) are made
    #[command(after_help = agencies::HELP)]
    Agencies(agencies::AgenciesArgs),
    /// Name the territories of a tree, parents first
    #[command(after_help = territories::HELP)]
    Territories(territories::TerritoriesArgs),
    /// Lay down the working days of announced years
    #[command(after_help = calendars::HELP)]
    Calendar(calendars::CalendarArgs),
    /// Declare duties
    #[command(after_help = work::DUTIES_HELP)]
    Duties(plan::RowsArgs),
    /// Say what is collected from whom
    #[command(after_help = work::NOTICES_HELP)]
    Notices(plan::RowsArgs),
    /// Ask providers for datasets
    #[command(after_help = sharing::REQUESTS_HELP)]
    Requests(plan::RowsArgs),
    /// Acknowledge deliveries
    #[command(after_help = sharing::RECEIPTS_HELP)]
    Receipts(plan::RowsArgs),
    /// Report the use of data, by grant, period and purpose
    #[command(after_help = sharing::USES_HELP)]
    Uses(plan::RowsArgs),
    /// Publish datasets in the catalogue
    #[command(after_help = datasets::HELP)]
    Datasets(datasets::DatasetsArgs),
    /// Replay a sharing log: duties, requests, answers, deliveries, receipts
    #[command(after_help = deliveries::HELP)]
    Deliveries(deliveries::DeliveriesArgs),
}

/// The file of an import, and what is done with its rows.
#[derive(Debug, Args)]
pub struct Sheet {
    /// The CSV file, UTF-8, with a header line
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Fill a field from a column; repeat
    #[arg(long = "map", value_name = "FIELD=COLUMN", value_parser = fields::pair)]
    pub maps: Vec<(String, String)>,
    /// Fill a field with a constant; repeat
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = fields::pair)]
    pub sets: Vec<(String, String)>,
    /// What to do when a row is refused
    #[arg(long, value_enum, default_value_t = OnError::Stop, value_name = "WHAT")]
    on_error: OnError,
    /// Signed records and openings, written before they are sent; a rerun sends the same bytes (default: FILE.journal)
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Send texts although they look as if they held a bank card, a mobile number or an e-mail address
    #[arg(long)]
    force_text: bool,
}

impl Sheet {
    /// `keys` is the folder of the agencies' keys.
    fn begin(&self, keys: &Path, global: &Global) -> Result<Run, Failure> {
        let client = Client::new(global)?;
        let genesis = client.genesis()?;
        let journal = self.journal.clone().unwrap_or_else(|| with_suffix(&self.file, ".journal"));
        Ok(Run {
            client,
            keys: KeyRing::new(keys, &genesis.origin),
            origin: genesis.origin,
            journal: Journal::open(&journal)?,
            summary: Summary::new(),
            on_error: self.on_error,
            record_age_ms_max: genesis.policy.record_age_ms_max,
            at: global.at,
            sending: Sending { force_text: self.force_text, ..Sending::default() },
        })
    }
}

/// Flags of an import whose records many agencies sign.
#[derive(Debug, Args)]
pub struct Source {
    #[command(flatten)]
    pub sheet: Sheet,
    /// Folder of the agencies' keys: DIR/<agency>/<role>.pem
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
}

impl Source {
    fn begin(&self, global: &Global) -> Result<Run, Failure> {
        self.sheet.begin(&self.keys, global)
    }
}

/// Flags of an import whose records one authority signs.
#[derive(Debug, Args)]
pub struct AuthoritySource {
    #[command(flatten)]
    pub sheet: Sheet,
    /// The authority's key
    #[arg(long, value_name = "PEM")]
    pub key: PathBuf,
}

impl AuthoritySource {
    fn begin(&self, global: &Global) -> Result<(Run, Authority), Failure> {
        let run = self.sheet.begin(Path::new("."), global)?;
        let authority = Authority::load(&self.key, &run.origin)?;
        Ok((run, authority))
    }
}

/// An authority that signs.
#[derive(Clone)]
pub struct Authority {
    pub id: String,
    pub signer: Signer,
}

impl Authority {
    /// # Errors
    /// [`Failure::Unreadable`]; [`Failure::Configuration`] for a key of another role or ledger.
    pub fn load(path: &Path, origin: &str) -> Result<Self, Failure> {
        let key = sign::load(path)?;
        let name = key.0.name().to_owned();
        let authority = split_agency_key_name(origin, &name).filter(|(_, role)| *role == Role::Authority);
        let id = authority.map(|(agency, _)| agency.to_owned());
        let other = || Failure::Configuration(format!("{}: {name} is no authority's key of this ledger", path.display()));
        Ok(Authority { id: id.ok_or_else(other)?, signer: Arc::new(key) })
    }
}

/// The summary is printed also when the import ends early.
///
/// # Errors
/// [`Failure`].
pub fn run(command: &ImportCommand, global: &Global) -> anyhow::Result<()> {
    let (summary, outcome) = match command {
        ImportCommand::Agencies(args) => agencies::run(args, global)?,
        ImportCommand::Territories(args) => territories::run(args, global)?,
        ImportCommand::Calendar(args) => calendars::run(args, global)?,
        ImportCommand::Duties(args) => plan::run(work::Duties::default(), args, global)?,
        ImportCommand::Notices(args) => plan::run(work::Notices::default(), args, global)?,
        ImportCommand::Requests(args) => plan::run(sharing::Requests::default(), args, global)?,
        ImportCommand::Receipts(args) => plan::run(sharing::Receipts::default(), args, global)?,
        ImportCommand::Uses(args) => plan::run(sharing::Uses::default(), args, global)?,
        ImportCommand::Datasets(args) => datasets::run(args, global)?,
        ImportCommand::Deliveries(args) => deliveries::run(args, global)?,
    };
    output::show(global, &summary.to_value(), |_| summary.to_table());
    Ok(outcome?)
}

/// What an import did, and how it ended.
type Ended = (Summary, Result<(), Failure>);
