//! `sharelog report`: a folder about one agency and one period, for a reader who has no node.
//!
//! ```text
//! DIR/report.html                  to read and to print; no scripts, nothing from outside
//! DIR/records/<position>-<id>.txt  every record that the page names, as it was signed
//! DIR/evidence-<n>.evidence.json   their evidence, together complete
//! DIR/genesis.json                 the genesis file of the ledger
//! DIR/VERIFY.txt                   how to check the evidence, and what it does not show
//! ```
//! 1. The facts are asked of a node, as of one moment.
//! 2. The evidence of every record is fetched, checked offline, and compared with what the page says of the record.
//! 3. The folder is written under another name and put in its place: it is whole or not there.

mod facts;
mod folder;
mod html;
mod page;
mod proof;
mod tables;

use std::path::PathBuf;

use clap::Args;

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::output::show;
use crate::cli::report::facts::{Facts, Wanted};
use crate::cli::report::folder::Folder;
use crate::cli::report::proof::Proof;
use crate::core::genesis::Genesis;
use crate::core::json::{object, strings};
use crate::core::time::Day;
use crate::locale::{self, Language};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog report --agency 380120000J --from 2026-01-01 --to 2026-07-01 -o report-380120000J
  sharelog report --agency 380120000J --from 2026-01-01 --to 2026-07-01 --as-of 2026-07-31 --lang zh -o report-zh")]
pub struct ReportArgs {
    #[arg(long, value_name = "ID")]
    agency: String,
    /// First day of the period, in the ledger's zone
    #[arg(long, value_name = "DAY")]
    from: String,
    /// Day after the last one of the period
    #[arg(long, value_name = "DAY")]
    to: String,
    /// The new folder
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Judged at this moment: a time, or the end of a day of the ledger's zone; else the newest block's time
    #[arg(long, value_name = "TIME|DAY")]
    as_of: Option<String>,
    /// Language of the page: en or zh; else from LANG
    #[arg(long, value_name = "LANG", value_parser = ["en", "zh"])]
    lang: Option<String>,
}

/// # Errors
/// [`Failure`].
pub fn run(args: &ReportArgs, global: &Global) -> anyhow::Result<()> {
    let (from, to) = (day("--from", &args.from)?, day("--to", &args.to)?);
    if to <= from {
        return Err(Failure::Usage(format!("--from {from} --to {to}: expected an end that is after the start")).into());
    }
    let language = args.lang.as_deref().map_or_else(Language::from_environment, Language::from_tag);
    let client = Client::new(global)?;
    let folder = Folder::new(&args.out)?;
    let genesis = client.genesis()?;
    let wanted = Wanted { agency: &args.agency, from, to, as_of: args.as_of.as_deref() };
    let facts = facts::gather(&client, &genesis, &wanted)?;
    let proofs = proof::prove(&client, &genesis, &facts)?;
    write(&folder, &genesis, &facts, &proofs, language)?;
    folder.finish()?;
    let made = object([
        ("agency", facts.id.as_str().into()),
        ("as_of", facts.as_of.to_string().into()),
        ("dir", args.out.display().to_string().into()),
        ("evidence", strings(proofs.iter().map(|proof| proof.name.as_str()))),
        ("position", facts.position.into()),
        ("records", u64::try_from(facts.records.len()).unwrap_or(u64::MAX).into()),
    ]);
    show(global, &made, |_| {
        let dir = args.out.display();
        let counts = format!("{} records, {} evidence files, each checked offline", facts.records.len(), proofs.len());
        format!("{dir}/report.html: {counts}\nhow to check them again: {dir}/VERIFY.txt")
    });
    Ok(())
}

fn day(flag: &str, text: &str) -> Result<Day, Failure> {
    Day::parse(text).map_err(|_| Failure::Usage(format!("{flag} {text}: expected a day as 2026-11-25")))
}

fn write(folder: &Folder, genesis: &Genesis, facts: &Facts, proofs: &[Proof], language: Language) -> Result<(), Failure> {
    folder.file("report.html", page::page(genesis, facts, proofs, language).as_bytes())?;
    folder.folder("records")?;
    for listed in facts.records.values() {
        folder.file(&listed.file(), listed.record.leaf())?;
    }
    for proof in proofs {
        folder.file(&proof.name, &proof.bytes)?;
    }
    folder.file("genesis.json", &genesis.bytes)?;
    folder.file("VERIFY.txt", how_to_verify(genesis, proofs).as_bytes())
}

/// In both languages: who checks may read another one than who wrote.
fn how_to_verify(genesis: &Genesis, proofs: &[Proof]) -> String {
    let hash = genesis.hash.to_hex();
    let commands: String = proofs.iter().map(|proof| format!("    sharelog verify {} --genesis {hash}\n", proof.name)).collect();
    let in_language = |language: Language| {
        let text = locale::how_to_verify(language);
        text.replace("{origin}", &genesis.origin).replace("{genesis}", &hash).replace("    {commands}\n", &commands)
    };
    format!("{}\n\n{}", in_language(Language::English), in_language(Language::Chinese))
}
