//! `sharelog record`: any signed record.

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::kinds;
use crate::cli::kinds::submit::{Sending, submit};
use crate::core::limits::RECORD_BYTES_MAX;
use crate::core::record::Record;

#[derive(Debug, Subcommand)]
pub enum RecordCommand {
    /// Hand a signed note to the node and wait for its commit
    Submit(SubmitArgs),
    /// Correct the free texts of a record
    Amend(kinds::AmendArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog record submit signed.note
  cat signed.note | sharelog record submit - --no-wait")]
pub struct SubmitArgs {
    /// The note, byte for byte; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    sending: Sending,
}

/// # Errors
/// [`Failure`].
pub fn run(command: &RecordCommand, global: &Global) -> anyhow::Result<()> {
    let args = match command {
        RecordCommand::Submit(args) => args,
        RecordCommand::Amend(args) => return kinds::amend(args, global),
    };
    let note = read_note(args)?;
    let client = Client::new(global)?;
    let record = Record::parse(&note, &client.genesis()?.origin).map_err(Failure::Refused)?;
    submit(&client, record.id(), &note, &args.sending, global)?;
    Ok(())
}

/// One byte more than a record may have is read: enough to refuse it by its size.
fn read_note(args: &SubmitArgs) -> Result<Vec<u8>, Failure> {
    let limit = u64::try_from(RECORD_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    let mut note = Vec::new();
    let read = if args.file.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut note)
    } else {
        std::fs::File::open(&args.file).and_then(|file| file.take(limit).read_to_end(&mut note))
    };
    read.map_err(|error| Failure::Unreadable(format!("reading {}: {error}", args.file.display())))?;
    Ok(note)
}
