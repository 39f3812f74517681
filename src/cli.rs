//! The command line: noun, verb, flags; every command with `--help` and examples, `--json`, and exit codes (see [`failure`]).

pub mod ask;
pub mod audit;
pub mod bench;
pub mod client;
pub mod compare;
pub mod demo;
pub mod draft;
pub mod export;
pub mod failure;
pub mod genesis;
pub mod import;
pub mod key;
pub mod kinds;
pub mod monitor;
pub mod node;
pub mod output;
pub mod questions;
pub mod record;
pub mod report;
pub mod store;
pub mod testnet;
pub mod verify;
pub mod witness;

use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::core::time::Time;

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Print JSON instead of tables and sentences
    #[arg(long, global = true)]
    pub json: bool,
    /// The node to ask
    #[arg(long, global = true, env = "SHARELOG_NODE", default_value = "http://127.0.0.1:8600", value_name = "URL")]
    pub node: String,
    /// Claimed time of the records that this command makes, such as 2026-11-25T01:02:03.000Z, for networks whose block times are set by hand (default: now)
    #[arg(long, global = true, value_name = "TIME", value_parser = genesis::parse_time, hide_short_help = true)]
    pub at: Option<Time>,
}

#[derive(Debug, Parser)]
#[command(
    name = "sharelog",
    version,
    about,
    max_term_width = 120,
    after_help = "Exit codes: 0 ok, 1 negative answer, 2 usage, 3 configuration, 4 network, 5 refused by rules, 6 unreadable file, 70 bug.

Examples:
  sharelog demo --exit
  sharelog query deliveries --agency nhs-stockport-ccg"
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A local four-agency network with real data: record, query, verify
    Demo(demo::DemoArgs),
    /// Make the keys, genesis and homes of a local network
    #[command(subcommand)]
    Testnet(testnet::TestnetCommand),
    /// Make or run a node
    #[command(subcommand)]
    Node(node::NodeCommand),
    /// Put a real network's genesis together, or show one
    #[command(subcommand)]
    Genesis(genesis::GenesisCommand),
    /// Make, show, rotate or revoke keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Agencies: admit, change, suspend, retire
    #[command(subcommand)]
    Agency(kinds::AgencyCommand),
    /// Duties: declare, retire
    #[command(subcommand)]
    Duty(kinds::DutyCommand),
    /// The catalogue: publish, retire, review
    #[command(subcommand)]
    Dataset(kinds::DatasetCommand),
    /// Requests, answers, deliveries, receipts, and what happens beside them
    #[command(subcommand)]
    Share(Box<kinds::ShareCommand>),
    /// Errors in shared data: report, close
    #[command(subcommand)]
    Correction(kinds::CorrectionCommand),
    /// Disputes: file, refer, decide
    #[command(subcommand)]
    Dispute(kinds::DisputeCommand),
    /// An inspector's findings: file, rectify, close
    #[command(subcommand)]
    Finding(kinds::FindingCommand),
    /// Collection of data from lower levels: notices
    #[command(subcommand)]
    Collect(kinds::CollectCommand),
    /// Limits and rules of the ledger: set, show
    #[command(subcommand)]
    Policy(kinds::PolicyCommand),
    /// Working days: set a year's calendar
    #[command(subcommand)]
    Calendar(kinds::CalendarCommand),
    /// Territories: set
    #[command(subcommand)]
    Territory(kinds::TerritoryCommand),
    /// The validator set: add, change, remove
    #[command(subcommand)]
    Validator(Box<kinds::ValidatorCommand>),
    /// Any record: drafted, signed, amended
    #[command(subcommand)]
    Record(Box<record::RecordCommand>),
    /// Records in bulk from tables and catalogues
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// What others read: the catalogue as DCAT, the ledger as tiles
    #[command(subcommand)]
    Export(export::ExportCommand),
    /// Lists with filters
    #[command(subcommand)]
    Query(ask::QueryCommand),
    /// One record, agency, dataset or duty by its id
    Get(ask::GetArgs),
    /// Duty, dataset, request, answer, delivery and receipt that hang together
    Chain(ask::ChainArgs),
    /// What an agency must answer, deliver or settle, and by which day
    Todo(questions::TodoArgs),
    /// Who is late or silent, and by how many working days
    Overdue(questions::OverdueArgs),
    /// Refusals without a basis or against the catalogue, withheld entries without a legal bar
    Refusals(questions::RefusalsArgs),
    /// What was agreed and not delivered, delivered and not receipted, or does not match
    Promises(questions::PromisesArgs),
    /// Grants over without disposal, deliveries outside the term, uses beyond the purpose
    Terms(questions::TermsArgs),
    /// The health of the catalogue
    #[command(subcommand)]
    Catalogue(questions::CatalogueCommand),
    /// What a territory is asked for again, and which data came back to it
    Burden(questions::BurdenArgs),
    /// Who gives which data to whom, by what law, until when
    Public(questions::PublicArgs),
    /// The line x territory matrix of a period
    Matrix(questions::MatrixArgs),
    /// The life of a record, dataset, duty or agency in order, amended texts struck
    History(ask::HistoryArgs),
    /// What an agency owed and was owed in a period
    Obligations(questions::ObligationsArgs),
    /// Write a folder about one agency and one period: a page to read and print, the records, and their evidence
    Report(report::ReportArgs),
    /// Write an evidence file for records
    Evidence(ask::EvidenceArgs),
    /// Check an evidence file offline
    Verify(verify::VerifyArgs),
    /// Make or run a witness, which cosigns checkpoints of logs that only grow
    #[command(subcommand)]
    Witness(witness::WitnessCommand),
    /// Watch many nodes: alarms on split views, rollbacks, stalls
    Monitor(monitor::MonitorArgs),
    /// Check a whole ledger: every leaf, signature, rule and block from the genesis file on
    Audit(audit::AuditArgs),
    /// Check whether two nodes, copies or checkpoints show one history
    Compare(compare::CompareArgs),
    /// Check or rebuild a node's store
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// What the ledger costs, beside what its cryptography costs
    Bench(bench::BenchArgs),
    /// Shell completions
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog completions bash
  sharelog completions zsh")]
struct CompletionsArgs {
    shell: clap_complete::Shell,
}

/// Runs the program; its exit code is documented at [`failure::Failure`].
pub fn main() -> ExitCode {
    failure::end_on_panic();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let global = &cli.global;
    match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Testnet(command) => testnet::run(&command, global),
        Command::Node(command) => node::run(&command, global),
        Command::Genesis(command) => genesis::run(&command, global),
        Command::Key(command) => key::run(&command, global),
        Command::Agency(command) => kinds::agency(&command, global),
        Command::Duty(command) => kinds::duty(&command, global),
        Command::Dataset(command) => kinds::dataset(&command, global),
        Command::Share(command) => kinds::share(&command, global),
        Command::Correction(command) => kinds::correction(&command, global),
        Command::Dispute(command) => kinds::dispute(&command, global),
        Command::Finding(command) => kinds::finding(&command, global),
        Command::Collect(command) => kinds::collect(&command, global),
        Command::Policy(command) => kinds::policy(&command, global),
        Command::Calendar(command) => kinds::calendar(&command, global),
        Command::Territory(command) => kinds::territory(&command, global),
        Command::Validator(command) => kinds::validator(&command, global),
        Command::Record(command) => record::run(&command, global),
        Command::Import(command) => import::run(&command, global),
        Command::Export(command) => export::run(&command, global),
        Command::Query(command) => ask::query(&command, global),
        Command::Get(args) => ask::get(&args, global),
        Command::Chain(args) => ask::chain(&args, global),
        Command::Todo(args) => questions::todo(&args, global),
        Command::Overdue(args) => questions::overdue(&args, global),
        Command::Refusals(args) => questions::refusals(&args, global),
        Command::Promises(args) => questions::promises(&args, global),
        Command::Terms(args) => questions::terms(&args, global),
        Command::Catalogue(command) => questions::catalogue(&command, global),
        Command::Burden(args) => questions::burden(&args, global),
        Command::Public(args) => questions::public(&args, global),
        Command::Matrix(args) => questions::matrix(&args, global),
        Command::History(args) => ask::history(&args, global),
        Command::Obligations(args) => questions::obligations(&args, global),
        Command::Report(args) => report::run(&args, global),
        Command::Evidence(args) => ask::evidence(&args, global),
        Command::Verify(args) => verify::run(&args, global),
        Command::Witness(command) => witness::run(&command, global),
        Command::Monitor(args) => monitor::run(&args, global),
        Command::Audit(args) => audit::run(&args, global),
        Command::Compare(args) => compare::run(&args, global),
        Command::Store(command) => store::run(&command, global),
        Command::Bench(args) => bench::run(&args, global),
        Command::Completions(args) => {
            clap_complete::generate(args.shell, &mut Cli::command(), "sharelog", &mut std::io::stdout());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path of every command that does something.
    fn leaves(command: &clap::Command, path: &str, into: &mut Vec<(String, String)>) {
        let path = format!("{path} {}", command.get_name());
        if command.has_subcommands() {
            command.get_subcommands().for_each(|child| leaves(child, &path, into));
        } else if !command.is_subcommand_required_set() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            into.push((path, help));
        }
    }

    #[test]
    fn every_command_shows_two_examples() {
        let mut command = Cli::command();
        command.build();
        let mut found = Vec::new();
        leaves(&command, "", &mut found);
        found.retain(|(path, _)| !path.contains(" help"));
        let examples = |help: &str| help.lines().filter(|line| line.starts_with("  ") && line.contains("sharelog ")).count();
        let short: Vec<_> = found.iter().filter(|(_, help)| examples(help) < 2).map(|(path, _)| path).collect();
        assert!(short.is_empty(), "{short:?}");
    }

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    /// What people copy from: the pages, and the examples of every command.
    const PAGES: [(&str, &str); 5] = [
        ("README.md", include_str!("../README.md")),
        ("docs/clerks.en.md", include_str!("../docs/clerks.en.md")),
        ("docs/clerks.zh.md", include_str!("../docs/clerks.zh.md")),
        ("docs/inspectors.en.md", include_str!("../docs/inspectors.en.md")),
        ("docs/inspectors.zh.md", include_str!("../docs/inspectors.zh.md")),
    ];

    /// The words of a shell line as far as the first comment, pipe or redirection.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (None, '#' | '|' | '>') if word.is_none() => break,
                (None, c) if c.is_whitespace() => words.extend(word.take()),
                (_, c) => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
    }

    /// Commands in the fenced blocks of a page.
    fn fenced(page: &str) -> Vec<String> {
        let joined = page.replace("\\\n", " ");
        let blocks = joined.split("\n```").skip(1).step_by(2);
        blocks.flat_map(|block| block.lines().filter(|line| line.starts_with("sharelog ")).map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    /// Commands within a sentence, which may leave out what they need.
    fn mentioned(page: &str) -> Vec<String> {
        page.split('`').filter(|part| part.starts_with("sharelog ") && !part.contains('\n')).map(str::to_owned).collect()
    }

    #[test]
    fn every_documented_command_is_understood() {
        use clap::error::ErrorKind;
        let mut command = Cli::command();
        command.build();
        let mut helps = Vec::new();
        leaves(&command, "", &mut helps);
        let examples = helps.iter().flat_map(|(path, help)| {
            let joined = help.replace("\\\n", " ");
            let lines = joined.lines().filter(|line| line.starts_with("  sharelog ")).map(|line| line.trim().to_owned());
            lines.map(|line| (path.clone(), line, false)).collect::<Vec<_>>()
        });
        let pages = PAGES.iter().flat_map(|(name, page)| {
            let whole = fenced(page).into_iter().map(|line| ((*name).to_owned(), line, false));
            let parts = mentioned(page).into_iter().map(|line| ((*name).to_owned(), line, true));
            whole.chain(parts).collect::<Vec<_>>()
        });
        let mut count = 0;
        let mut wrong = Vec::new();
        for (place, line, is_mention) in pages.chain(examples) {
            count += 1;
            let Err(error) = Cli::try_parse_from(words(&line)) else {
                continue;
            };
            let help = [ErrorKind::DisplayHelp, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, ErrorKind::DisplayVersion];
            let left_out = [ErrorKind::MissingRequiredArgument, ErrorKind::MissingSubcommand];
            let is_fine = help.contains(&error.kind()) || is_mention && left_out.contains(&error.kind());
            if !is_fine {
                wrong.push(format!("{place}: {line}\n  {}", error.to_string().lines().next().unwrap_or_default()));
            }
        }
        assert!(count > 250, "{count}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
