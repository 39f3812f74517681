//! The questions of the domain on the command line: who owes what by when, who is late, which refusals lack a basis, and so on.
//! That something is overdue is an answer, and the exit code is 0.

mod text;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::client::{Client, PAGE_MAX, escaped, every_page};
use crate::cli::failure::Failure;
use crate::cli::output::show;
use crate::core::json::{Value, object};
use crate::locale::Language;
use crate::query::questions::{self, Question};

/// What every question takes.
#[derive(Debug, Args)]
pub struct Common {
    /// Judged at this moment: a time, or the end of a day of the ledger's zone; else the newest block's time
    #[arg(long, value_name = "TIME|DAY")]
    as_of: Option<String>,
    /// Print CSV
    #[arg(long)]
    csv: bool,
    /// Language of tables: en or zh; else from LANG
    #[arg(long, value_name = "LANG", value_parser = ["en", "zh"])]
    lang: Option<String>,
}

/// How much of a list.
#[derive(Debug, Args)]
pub struct Part {
    /// Lines on a page, 1 to 1000
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Go on after an earlier page: its `next`
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// All pages
    #[arg(long, conflicts_with = "after")]
    all: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog todo --agency 380120000J
  sharelog todo --agency 380120000J --ics todo.ics --lang zh")]
pub struct TodoArgs {
    #[arg(long, value_name = "ID")]
    agency: String,
    /// Write the due days as an iCalendar file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["csv", "limit", "after", "all"])]
    ics: Option<PathBuf>,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog overdue --territory 3301 --as-of 2026-12-31
  sharelog overdue --agency nhs-digital --clock answer --csv
  sharelog overdue --agency nhs-digital --ics overdue.ics")]
pub struct OverdueArgs {
    /// Who is late
    #[arg(long, value_name = "ID")]
    agency: Option<String>,
    /// answer, delivery, receipt, mismatch, correction, catalogue_update, catalogue_review, backflow, dispute or rectification
    #[arg(long)]
    clock: Option<String>,
    /// Line of who is late
    #[arg(long, value_name = "CODE")]
    line: Option<String>,
    /// Territory of who is late, or one that holds it
    #[arg(long, value_name = "CODE")]
    territory: Option<String>,
    /// Write the open ones as an iCalendar file
    #[arg(long, value_name = "FILE", requires = "agency",
        conflicts_with_all = ["csv", "limit", "after", "all", "clock", "line", "territory"])]
    ics: Option<PathBuf>,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog refusals
  sharelog refusals --as-of 2026-12-31 --csv")]
pub struct RefusalsArgs {
    #[command(flatten)]
    plain: PlainArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog promises
  sharelog promises --all --json")]
pub struct PromisesArgs {
    #[command(flatten)]
    plain: PlainArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog terms
  sharelog terms --lang zh")]
pub struct TermsArgs {
    #[command(flatten)]
    plain: PlainArgs,
}

#[derive(Debug, Args)]
pub struct PlainArgs {
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
pub enum CatalogueCommand {
    /// What is stale, unconditioned, dutiless, never delivered, retired while granted, claimed twice or never used
    #[command(after_help = "Examples:
  sharelog catalogue check
  sharelog catalogue check --all --csv")]
    Check(PlainArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog burden --territory 330106
  sharelog burden --territory 330106001 --json")]
pub struct BurdenArgs {
    #[arg(long, value_name = "CODE")]
    territory: String,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog public --agency nhs-digital
  sharelog public --dataset nhs-digital:sus --csv")]
pub struct PublicArgs {
    /// Provider or requester
    #[arg(long, value_name = "ID")]
    agency: Option<String>,
    #[arg(long, value_name = "ID")]
    dataset: Option<String>,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog matrix --from 2026-01-01 --to 2027-01-01
  sharelog matrix --territory 3301 --digits 6 --csv")]
pub struct MatrixArgs {
    /// Start of the period: a time, or a day of the ledger's zone
    #[arg(long, value_name = "TIME|DAY")]
    from: Option<String>,
    /// End of the period, not included
    #[arg(long, value_name = "TIME|DAY")]
    to: Option<String>,
    /// Cells within this territory alone, without the flow
    #[arg(long, value_name = "CODE")]
    territory: Option<String>,
    /// Digits that territory codes are cut to: 12, 9, 6 or 4
    #[arg(long, value_name = "N")]
    digits: Option<u64>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog obligations --agency 380120000J --from 2026-01-01 --to 2027-01-01
  sharelog obligations --agency 380120000J --state late --all --csv")]
pub struct ObligationsArgs {
    /// Who owes or is owed
    #[arg(long, value_name = "ID")]
    agency: String,
    /// Start of the period: a time, or a day of the ledger's zone
    #[arg(long, value_name = "TIME|DAY")]
    from: Option<String>,
    /// End of the period, not included
    #[arg(long, value_name = "TIME|DAY")]
    to: Option<String>,
    /// open, met, late or stopped
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    common: Common,
}

type Parameters<'a> = Vec<(&'static str, Option<&'a String>)>;

/// # Errors
/// [`Failure`].
pub fn todo(args: &TodoArgs, global: &Global) -> anyhow::Result<()> {
    match &args.ics {
        Some(file) => calendar(Question::Todo, &args.agency, file, &args.common, global),
        None => list(Question::Todo, vec![("agency", Some(&args.agency))], &args.part, &args.common, global),
    }
}

/// # Errors
/// [`Failure`].
pub fn overdue(args: &OverdueArgs, global: &Global) -> anyhow::Result<()> {
    if let (Some(file), Some(agency)) = (&args.ics, &args.agency) {
        return calendar(Question::Overdue, agency, file, &args.common, global);
    }
    let parameters = vec![
        ("agency", args.agency.as_ref()),
        ("clock", args.clock.as_ref()),
        ("line", args.line.as_ref()),
        ("territory", args.territory.as_ref()),
    ];
    list(Question::Overdue, parameters, &args.part, &args.common, global)
}

/// # Errors
/// [`Failure`].
pub fn obligations(args: &ObligationsArgs, global: &Global) -> anyhow::Result<()> {
    let parameters =
        vec![("agency", Some(&args.agency)), ("from", args.from.as_ref()), ("to", args.to.as_ref()), ("state", args.state.as_ref())];
    list(Question::Obligations, parameters, &args.part, &args.common, global)
}

/// # Errors
/// [`Failure`].
pub fn refusals(args: &RefusalsArgs, global: &Global) -> anyhow::Result<()> {
    list(Question::Refusals, Vec::new(), &args.plain.part, &args.plain.common, global)
}

/// # Errors
/// [`Failure`].
pub fn promises(args: &PromisesArgs, global: &Global) -> anyhow::Result<()> {
    list(Question::Promises, Vec::new(), &args.plain.part, &args.plain.common, global)
}

/// # Errors
/// [`Failure`].
pub fn terms(args: &TermsArgs, global: &Global) -> anyhow::Result<()> {
    list(Question::Terms, Vec::new(), &args.plain.part, &args.plain.common, global)
}

/// # Errors
/// [`Failure`].
pub fn catalogue(command: &CatalogueCommand, global: &Global) -> anyhow::Result<()> {
    let CatalogueCommand::Check(args) = command;
    list(Question::Catalogue, Vec::new(), &args.part, &args.common, global)
}

/// # Errors
/// [`Failure`].
pub fn burden(args: &BurdenArgs, global: &Global) -> anyhow::Result<()> {
    list(Question::Burden, vec![("territory", Some(&args.territory))], &args.part, &args.common, global)
}

/// # Errors
/// [`Failure`].
pub fn public(args: &PublicArgs, global: &Global) -> anyhow::Result<()> {
    let parameters = vec![("agency", args.agency.as_ref()), ("dataset", args.dataset.as_ref())];
    list(Question::Public, parameters, &args.part, &args.common, global)
}

/// # Errors
/// [`Failure`].
pub fn matrix(args: &MatrixArgs, global: &Global) -> anyhow::Result<()> {
    let digits = args.digits.map(|digits| digits.to_string());
    let parameters =
        vec![("from", args.from.as_ref()), ("to", args.to.as_ref()), ("territory", args.territory.as_ref()), ("digits", digits.as_ref())];
    let answer = Client::new(global)?.json(&path(Question::Matrix.path(), parameters, &args.common))?;
    print(Question::Matrix, &answer, &args.common, global)
}

fn path<'a>(list: &str, mut parameters: Parameters<'a>, common: &'a Common) -> String {
    parameters.push(("as_of", common.as_of.as_ref()));
    let given = parameters.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escaped(value?))));
    let query = given.collect::<Vec<_>>().join("&");
    if query.is_empty() { format!("/api/v1/{list}") } else { format!("/api/v1/{list}?{query}") }
}

fn list(question: Question, parameters: Parameters<'_>, part: &Part, common: &Common, global: &Global) -> anyhow::Result<()> {
    let client = Client::new(global)?;
    let whole = || part.all.then(|| u64::try_from(PAGE_MAX).unwrap_or(u64::MAX));
    let limit = part.limit.or_else(whole).map(|limit| limit.to_string());
    let mut parameters: Parameters<'_> = parameters;
    parameters.extend([("limit", limit.as_ref()), ("after", part.after.as_ref())]);
    let path = path(question.path(), parameters, common);
    let answer = if part.all { every_page(&client, &path)? } else { client.json(&path)? };
    print(question, &answer, common, global)
}

fn language(common: &Common) -> Language {
    common.lang.as_deref().map_or_else(Language::from_environment, Language::from_tag)
}

fn print(question: Question, answer: &Value, common: &Common, global: &Global) -> anyhow::Result<()> {
    if common.csv && global.json {
        return Err(Failure::Usage("--csv and --json: one of them".to_owned()).into());
    }
    if common.csv {
        anstream::print!("{}", questions::csv(question, answer));
    } else {
        show(global, answer, |answer| text::of(question, answer, language(common)));
    }
    Ok(())
}

fn calendar(question: Question, agency: &str, file: &Path, common: &Common, global: &Global) -> anyhow::Result<()> {
    let agency = agency.to_owned();
    let path = path(&format!("{}.ics", question.path()), vec![("agency", Some(&agency))], common);
    let bytes = Client::new(global)?.bytes_in(&path, language(common))?;
    std::fs::write(file, &bytes).map_err(|error| Failure::Unreadable(format!("writing {}: {error}", file.display())))?;
    let events = String::from_utf8_lossy(&bytes).lines().filter(|line| *line == "BEGIN:VEVENT").count();
    let made = object([("events", u64::try_from(events).unwrap_or(u64::MAX).into()), ("file", file.display().to_string().into())]);
    show(global, &made, |_| format!("{}: {events} due days", file.display()));
    Ok(())
}
