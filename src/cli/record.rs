//! `sharelog record`: templates, and any record, drafted or signed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::draft;
use crate::cli::failure::Failure;
use crate::cli::kinds;
use crate::cli::kinds::sign::Signing;
use crate::cli::kinds::submit::{Sending, submit};
use crate::core::limits::RECORD_BYTES_MAX;
use crate::core::record::Record;
use crate::locale::Language;

#[derive(Debug, Subcommand)]
pub enum RecordCommand {
    /// Print a commented template of a kind, to be filled in
    Draft(DraftArgs),
    /// Hand a signed note, or a filled draft that is signed here, to the node and wait for its commit
    Submit(SubmitArgs),
    /// Correct the free texts of a record
    Amend(kinds::AmendArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog record draft share.request > request.toml
  sharelog record draft finding.file --lang zh")]
pub struct DraftArgs {
    /// Record kind, such as share.request
    #[arg(value_name = "KIND")]
    kind: String,
    /// Language of the comments (default: that of the environment)
    #[arg(long, value_parser = ["en", "zh"])]
    lang: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog record submit signed.note
  sharelog record submit --draft request.toml --key office.pem --dry-run")]
pub struct SubmitArgs {
    /// The note, byte for byte; `-` reads standard input
    #[arg(value_name = "FILE", required_unless_present = "draft", conflicts_with = "draft")]
    file: Option<PathBuf>,
    /// A filled template, as `sharelog record draft` prints it
    #[arg(long, value_name = "FILE", requires = "key")]
    draft: Option<PathBuf>,
    /// Key file that signs the draft; repeat for several signatures
    #[arg(long, value_name = "PEM", requires = "draft")]
    key: Vec<PathBuf>,
    #[command(flatten)]
    sending: Sending,
}

/// # Errors
/// [`Failure`].
pub fn run(command: &RecordCommand, global: &Global) -> anyhow::Result<()> {
    match command {
        RecordCommand::Draft(args) => print_template(args)?,
        RecordCommand::Submit(args) => send(args, global)?,
        RecordCommand::Amend(args) => kinds::amend(args, global)?,
    }
    Ok(())
}

fn print_template(args: &DraftArgs) -> Result<(), Failure> {
    let language = args.lang.as_deref().map_or_else(Language::from_environment, Language::from_tag);
    anstream::print!("{}", draft::template(&args.kind, language)?);
    Ok(())
}

fn send(args: &SubmitArgs, global: &Global) -> Result<(), Failure> {
    if let Some(path) = &args.draft {
        let filled = draft::read_filled(path)?;
        let signing = Signing { key: args.key.clone(), by: filled.by, sending: args.sending.clone() };
        let signed = signing.sign(&signing.signers()?, filled.kind, filled.refs, filled.body, global)?;
        return signing.submit(&Client::new(global)?, &signed, global);
    }
    let note = read_note(args.file.as_deref().unwrap_or(Path::new("-")))?;
    let client = Client::new(global)?;
    let record = Record::parse(&note, &client.genesis()?.origin)?;
    submit(&client, record.id(), &note, &args.sending, global)
}

/// One byte more than a record may have is read: enough to refuse it by its size.
fn read_note(path: &Path) -> Result<Vec<u8>, Failure> {
    let limit = u64::try_from(RECORD_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    let mut note = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut note)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut note))
    };
    read.map_err(|error| Failure::Unreadable(format!("reading {}: {error}", path.display())))?;
    Ok(note)
}
