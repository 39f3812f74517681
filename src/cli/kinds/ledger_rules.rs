//! policy.set, calendar.set and territory.set: what an authority lays down for all.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand, value_parser};

use crate::cli::Global;
use crate::cli::client::{Client, PAGE_MAX, items_of};
use crate::cli::failure::Failure;
use crate::cli::genesis::read_json;
use crate::cli::import::calendars;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::sign::Signing;
use crate::cli::output::{members, show};
use crate::core::json::Value;
use crate::core::policy;

#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Replace the policy: that of a file, or the one in force with other values
    Set(Box<PolicySetArgs>),
    /// Show the policy in force
    Show(PolicyShowArgs),
}

#[derive(Debug, Subcommand)]
pub enum CalendarCommand {
    /// Lay down the days off and make-up working days of a year
    Set(CalendarSetArgs),
}

#[derive(Debug, Subcommand)]
pub enum TerritoryCommand {
    /// Name territories, or name them anew
    Set(TerritorySetArgs),
}

/// A member of the policy and the flag that sets it.
struct Flag {
    name: String,
    /// The object that holds the member: `clocks` or `extensions`.
    within: Option<String>,
    member: String,
    is_switch: bool,
}

/// One for each member of a policy.
fn flags() -> &'static [Flag] {
    static FLAGS: OnceLock<Vec<Flag>> = OnceLock::new();
    FLAGS.get_or_init(|| {
        let mut flags = Vec::new();
        let mut add = |within: Option<&str>, member: &str, value: &Value| {
            let path = within.map_or_else(|| member.to_owned(), |within| format!("{within}-{member}"));
            let is_switch = value.as_bool().is_some();
            flags.push(Flag { name: path.replace('_', "-"), within: within.map(str::to_owned), member: member.to_owned(), is_switch });
        };
        for (member, value) in policy::default_body().as_object().into_iter().flatten() {
            match value.as_object() {
                Some(inner) => inner.iter().for_each(|(name, value)| add(Some(member), name, value)),
                None => add(None, member, value),
            }
        }
        flags
    })
}

/// The members that the command line sets.
#[derive(Clone, Debug, Default)]
struct PolicyFlags(Vec<(Option<&'static str>, &'static str, Value)>);

impl PolicyFlags {
    /// `body` with these members.
    fn over(&self, body: Value) -> Value {
        let Value::Object(mut members) = body else { return body };
        for (within, member, value) in &self.0 {
            match within {
                None => {
                    members.insert((*member).to_owned(), value.clone());
                }
                Some(within) => {
                    if let Some(Value::Object(inner)) = members.get_mut(*within) {
                        inner.insert((*member).to_owned(), value.clone());
                    }
                }
            }
        }
        Value::Object(members)
    }
}

impl Args for PolicyFlags {
    fn augment_args(command: Command) -> Command {
        command.args(flags().iter().map(|flag| {
            let arg = Arg::new(flag.name.as_str()).long(flag.name.as_str()).help_heading("Members of the policy");
            match flag.is_switch {
                true => arg.value_name("true|false").value_parser(value_parser!(bool)),
                false => arg.value_name("N").value_parser(value_parser!(u64)),
            }
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PolicyFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = flags().iter().filter_map(|flag| {
            let value = match flag.is_switch {
                true => Value::Bool(*matches.get_one::<bool>(&flag.name)?),
                false => Value::Int(*matches.get_one::<u64>(&flag.name)?),
            };
            Some((flag.within.as_deref(), flag.member.as_str(), value))
        });
        Ok(PolicyFlags(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog policy set --clocks-receipt 7 --extensions-answer 5 --key authority.pem
  sharelog policy set --file policy.json --key a/authority.pem --key b/authority.pem --dry-run")]
pub struct PolicySetArgs {
    /// A whole policy in JSON (default: the policy in force); flags replace its members
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    flags: PolicyFlags,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog policy show
  sharelog policy show --json > policy.json")]
pub struct PolicyShowArgs {}

/// # Errors
/// [`Failure`].
pub fn policy(command: &PolicyCommand, global: &Global) -> Result<(), Failure> {
    let args = match command {
        PolicyCommand::Show(_) => {
            show(global, &policy_in_force(&Client::new(global)?)?, members);
            return Ok(());
        }
        PolicyCommand::Set(args) => args,
    };
    let base = match &args.file {
        Some(file) => read_json(file)?,
        None if args.flags.0.is_empty() => {
            return Err(Failure::Usage("what shall change? give --file or one of the flags for members of the policy".to_owned()));
        }
        None => policy_in_force(&Client::new(global)?)?,
    };
    let body = args.flags.over(base);
    crate::core::policy::Policy::from_value(&body)?;
    args.signing.send("policy.set", Vec::new(), Members::of(body), global)
}

/// The body of the policy that the next record will meet.
fn policy_in_force(client: &Client) -> Result<Value, Failure> {
    let mut newest = None;
    client.each_page(&format!("/api/v1/records?kind=policy.set&limit={PAGE_MAX}"), |page| {
        newest = items_of(page).last().and_then(|record| record.get("body").cloned()).or(newest.take());
    })?;
    newest.map_or_else(|| Ok(client.genesis()?.policy.body), Ok)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog calendar set --file holidays.csv --year 2026 --key authority.pem
  sharelog calendar set --year 2027 --off 2027-01-01 --work 2027-01-03 --notice-url https://www.gov.cn/notice --key authority.pem")]
pub struct CalendarSetArgs {
    /// JSON with the body of calendar.set, or CSV with the columns date, kind (off or work), notice_year, notice_url
    #[arg(long, value_name = "FILE", conflicts_with_all = ["off", "work", "notice_url", "notice_sha256"])]
    file: Option<PathBuf>,
    /// The year of the notice; with a CSV file of several years, the one that is meant
    #[arg(long, required_unless_present = "file")]
    year: Option<u64>,
    /// A day off that falls on a weekday; weekends need none; repeat
    #[arg(long, value_name = "DAY")]
    off: Vec<String>,
    /// A weekend day that is worked; repeat
    #[arg(long, value_name = "DAY")]
    work: Vec<String>,
    /// Where the notice stands
    #[arg(long, value_name = "URL", required_unless_present = "file")]
    notice_url: Option<String>,
    /// SHA-256 of the notice, in hex
    #[arg(long, value_name = "HEX")]
    notice_sha256: Option<String>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn calendar(command: &CalendarCommand, global: &Global) -> Result<(), Failure> {
    let CalendarCommand::Set(args) = command;
    let body = match &args.file {
        Some(file) => calendars::read_one(file, args.year)?,
        None => {
            let notice = Members::new().text("sha256", args.notice_sha256.as_ref()).text("url", args.notice_url.as_ref());
            let sorted = |days: &[String]| {
                let mut days: Vec<Value> = days.iter().map(|day| day.as_str().into()).collect();
                days.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                Value::Array(days)
            };
            let days = Members::new().with("off", sorted(&args.off)).with("work", sorted(&args.work));
            days.with("notice", notice.into_value()).maybe("year", args.year).into_value()
        }
    };
    args.signing.send("calendar.set", Vec::new(), Members::of(body), global)
}

#[derive(Debug, Args)]
#[command(after_help = "For many territories: sharelog import territories FILE.

Examples:
  sharelog territory set --code 330102 --level district --name-en Shangcheng --parent 3301 --key authority.pem
  sharelog territory set --file territories.json --key authority.pem")]
pub struct TerritorySetArgs {
    /// JSON with the body of territory.set: 1 to 100 territories
    #[arg(long, value_name = "FILE", conflicts_with_all = ["code", "level", "name_en", "name_zh", "parent"])]
    file: Option<PathBuf>,
    /// 2 to 12 digits
    #[arg(long, required_unless_present = "file")]
    code: Option<String>,
    /// city, district, street or community
    #[arg(long, required_unless_present = "file")]
    level: Option<String>,
    #[arg(long)]
    name_en: Option<String>,
    #[arg(long)]
    name_zh: Option<String>,
    /// Code of the territory above; none at level city
    #[arg(long, value_name = "CODE")]
    parent: Option<String>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn territory(command: &TerritoryCommand, global: &Global) -> Result<(), Failure> {
    let TerritoryCommand::Set(args) = command;
    let body = match &args.file {
        Some(file) => Members::of(read_json(file)?),
        None => {
            let territory = Members::new()
                .text("code", args.code.as_ref())
                .text("level", args.level.as_ref())
                .names(args.name_en.as_ref(), args.name_zh.as_ref())?
                .text("parent", args.parent.as_ref());
            Members::new().with("territories", vec![territory.into_value()])
        }
    };
    args.signing.send("territory.set", Vec::new(), body, global)
}
