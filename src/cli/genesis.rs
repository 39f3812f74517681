//! `sharelog genesis`: put a network together, step by step; show a genesis file.
//!
//! 1. Every operator runs `node init`, and every agency without a node `genesis part`; each keeps its keys and hands on
//!    `part.json`, which holds public keys alone.
//! 2. One of them runs `genesis assemble` on all parts, and hands the genesis file to everybody.
//! 3. All compare its hash by another way, a telephone for instance, look at it with `genesis show`, and run
//!    `genesis install`, which finds their own keys in it, copies it into the home and writes the vkey files.
//! 4. Every operator runs `node run`.

mod assemble;
mod files;
mod install;
mod part;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

pub use assemble::{Plan, assemble};
pub use files::{make_empty_dir, read, read_genesis, read_json, write_new};
pub use install::{GENESIS_FILE, KEYS_DIR, vkey_of};
pub use part::{AGENCY_DIR, AgencyFlags, FILE as PART_FILE, Node, NodePart, Part, make_agency_keys};

use crate::cli::Global;
use crate::core::genesis::Genesis;
use crate::core::json::{Value, object, strings};
use crate::core::key::Role;
use crate::core::time::Time;
use crate::keystore::KeySource;

#[derive(Debug, Subcommand)]
pub enum GenesisCommand {
    /// Make the keys and the part file of an agency that runs no node
    Part(PartArgs),
    /// Put the parts of all operators together into a genesis file
    Assemble(AssembleArgs),
    /// Show a genesis file: its hash, origin, agencies, validators and policy
    Show(ShowArgs),
    /// Check a genesis file against a home's keys, copy it there and write the .vkey files
    Install(InstallArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog genesis part --home authority --agency authority --role authority --role office --role head --role recovery
  sharelog genesis part --home inspector --agency inspector --role inspector --role recovery --name-en \"Audit Office\"")]
pub struct PartArgs {
    /// A new folder for the keys and part.json
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    #[command(flatten)]
    agency: AgencyFlags,
    /// A role to make a key for (default: office, head and recovery)
    #[arg(long = "role", value_name = "ROLE", value_parser = parse_role)]
    roles: Vec<Role>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog genesis assemble a/part.json b/part.json c/part.json d/part.json --name city.example/sharelog -o genesis.json
  sharelog genesis assemble */part.json --policy policy.json --calendar 2026.json --calendar 2027.json --name city.example/sharelog")]
pub struct AssembleArgs {
    /// Part files, as node init and genesis part write them
    #[arg(required = true, value_name = "PART")]
    parts: Vec<PathBuf>,
    /// The ledger's name: parts of [a-z0-9.-] joined by '/'
    #[arg(long, value_name = "NAME")]
    name: String,
    /// A policy, the body of policy.set as JSON (default: the one in config/policy.example.json)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A year's calendar, the body of calendar.set as JSON; repeated for several years
    #[arg(long = "calendar", value_name = "FILE")]
    calendars: Vec<PathBuf>,
    /// The moment to name as the ledger's creation, such as 2026-11-25T01:02:03.000Z (default: now)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    created: Option<Time>,
    /// Where to write the genesis file
    #[arg(short, long, value_name = "FILE", default_value = "genesis.json")]
    output: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog genesis show genesis.json
  sharelog genesis show node0/genesis.json --json")]
pub struct ShowArgs {
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog genesis install genesis.json --home /var/lib/sharelog
  sharelog genesis install genesis.json --home authority")]
pub struct InstallArgs {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A folder that node init or genesis part made
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
}

/// For clap: a role's name.
pub fn parse_role(text: &str) -> Result<Role, String> {
    Role::parse(text).map_err(|refusal| format!("expected {}", refusal.expected))
}

/// For clap: a time of 24 characters.
pub fn parse_time(text: &str) -> Result<Time, String> {
    Time::parse(text).map_err(|refusal| format!("expected {}", refusal.expected))
}

/// The keys of an agency that names no roles.
pub const USUAL_ROLES: [Role; 3] = [Role::Head, Role::Office, Role::Recovery];

/// The roles asked for, none twice, or the usual ones.
pub fn roles_or_usual(roles: &[Role]) -> Vec<Role> {
    let mut roles = if roles.is_empty() { USUAL_ROLES.to_vec() } else { roles.to_vec() };
    roles.sort_by_key(|role| role.as_str());
    roles.dedup();
    roles
}

pub fn run(command: &GenesisCommand, global: &Global) -> Result<()> {
    match command {
        GenesisCommand::Part(args) => make_part(args, global),
        GenesisCommand::Assemble(args) => assemble_files(args, global),
        GenesisCommand::Show(args) => {
            let genesis = read_genesis(&args.file)?;
            print(global, || summary(&genesis), || describe(&genesis));
            Ok(())
        }
        GenesisCommand::Install(args) => install_file(args, global),
    }
}

/// JSON for programs, a text for people.
fn print(global: &Global, json: impl FnOnce() -> Value, text: impl FnOnce() -> String) {
    if global.json {
        anstream::println!("{}", json().to_jcs());
    } else {
        anstream::println!("{}", text());
    }
}

fn make_part(args: &PartArgs, global: &Global) -> Result<()> {
    Part::check_flags(&args.agency)?;
    make_empty_dir(&args.home)?;
    let keys = make_agency_keys(&args.home.join(AGENCY_DIR), &roles_or_usual(&args.roles), KeySource::Random, "")?;
    let file = args.home.join(PART_FILE);
    Part::new(&args.agency, keys, None).write(&file)?;
    let (file, home) = (file.display().to_string(), args.home.display().to_string());
    let json = || object([("agency", args.agency.agency.as_str().into()), ("home", home.as_str().into()), ("part", file.as_str().into())]);
    let text = || {
        format!(
            "Keys of {} in {home}/{AGENCY_DIR}; keep them secret.\nHand {file} to whoever assembles the genesis; then:\n  \
             sharelog genesis install genesis.json --home {home}",
            args.agency.agency
        )
    };
    print(global, json, text);
    Ok(())
}

fn assemble_files(args: &AssembleArgs, global: &Global) -> Result<()> {
    let genesis = assemble(Plan {
        name: &args.name,
        created: args.created,
        policy: args.policy.as_deref().map(read_json).transpose()?,
        calendars: args.calendars.iter().map(|path| read_json(path)).collect::<Result<_, _>>()?,
        parts: args.parts.iter().map(|path| Part::read(path)).collect::<Result<_, _>>()?,
    })
    .map_err(crate::cli::failure::Failure::from)?;
    write_new(&args.output, &genesis.bytes)?;
    let text = || {
        format!(
            "{} written.\n  hash    {}\n  origin  {}\nGive it to every operator. Each compares the hash, and then runs:\n  \
             sharelog genesis install genesis.json --home HOME",
            args.output.display(),
            genesis.hash,
            genesis.origin
        )
    };
    print(global, || summary(&genesis), text);
    Ok(())
}

fn install_file(args: &InstallArgs, global: &Global) -> Result<()> {
    let genesis = read_genesis(&args.file)?;
    let installed = install::install(&args.home, &genesis)?;
    let home = args.home.display().to_string();
    let vkeys: Vec<_> = installed.vkeys.iter().map(|path| path.display().to_string()).collect();
    let json = || {
        object([
            ("agency", installed.agency.as_str().into()),
            ("genesis_hash", genesis.hash.to_hex().into()),
            ("home", home.as_str().into()),
            ("origin", genesis.origin.as_str().into()),
            ("vkeys", strings(&vkeys)),
        ])
    };
    let text = || {
        let next = if args.home.join(KEYS_DIR).exists() { format!("\nNext: sharelog node run --home {home}") } else { String::new() };
        format!(
            "All keys of {} are in the genesis {}.\nWritten: {home}/{GENESIS_FILE} and {}{next}",
            installed.agency,
            genesis.hash,
            vkeys.join(", ")
        )
    };
    print(global, json, text);
    Ok(())
}

/// What a genesis file holds, without its keys.
fn summary(genesis: &Genesis) -> Value {
    let agency = |agency: &crate::core::genesis::GenesisAgency| {
        object([("id", agency.id.as_str().into()), ("roles", strings(agency.keys.iter().map(|(role, _)| role.as_str())))])
    };
    let validator = |validator: &crate::core::genesis::Validator| {
        object([
            ("addresses", strings(&validator.addresses)),
            ("agency", validator.agency.as_str().into()),
            ("peer", validator.peer.as_str().into()),
            ("records", strings(&validator.records)),
        ])
    };
    object([
        ("agencies", Value::Array(genesis.agencies.iter().map(agency).collect())),
        ("calendars", Value::Array(genesis.calendars.iter().filter_map(|calendar| calendar.get("year").cloned()).collect())),
        ("created", genesis.created.to_string().into()),
        ("hash", genesis.hash.to_hex().into()),
        ("name", genesis.name.as_str().into()),
        ("origin", genesis.origin.as_str().into()),
        ("policy", genesis.policy.body.clone()),
        ("validators", Value::Array(genesis.validators.iter().map(validator).collect())),
    ])
}

fn describe(genesis: &Genesis) -> String {
    let mut agencies = table(["agency", "keys for"]);
    for agency in &genesis.agencies {
        let roles: Vec<_> = agency.keys.iter().map(|(role, _)| role.as_str()).collect();
        agencies.add_row([agency.id.clone(), roles.join(", ")]);
    }
    let mut validators = table(["validator", "consensus", "records", "peer"]);
    for validator in &genesis.validators {
        let row = [&validator.agency, &validator.addresses.join(" "), &validator.records.join(" "), &validator.peer];
        validators.add_row(row);
    }
    let mut policy = table(["policy", "value"]);
    for (name, value) in genesis.policy.body.as_object().into_iter().flatten() {
        policy.add_row([name.clone(), value.to_jcs()]);
    }
    let calendars: Vec<_> = genesis.calendars.iter().filter_map(|calendar| calendar.get("year")).map(Value::to_jcs).collect();
    let calendars = if calendars.is_empty() { "none: due days are provisional".to_owned() } else { calendars.join(", ") };
    format!(
        "hash       {}\norigin     {}\nname       {}\ncreated    {}\ncalendars  {calendars}\n{agencies}\n{validators}\n{policy}",
        genesis.hash, genesis.origin, genesis.name, genesis.created
    )
}

fn table<const N: usize>(header: [&str; N]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(header);
    table
}
