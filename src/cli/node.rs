//! `sharelog node`: make a home, run a node, admit or remove a follower.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::genesis::{
    AGENCY_DIR, AgencyFlags, GENESIS_FILE, KEYS_DIR, Node, NodePart, PART_FILE, Part, make_agency_keys, make_empty_dir, parse_role,
    read_genesis, roles_or_usual, write_new,
};
use crate::cli::kinds;
use crate::config::{self, Written};
use crate::core::json::object;
use crate::core::key::{Role, SecretKey};
use crate::keystore::{KeySource, NEXT_DIR, NextKeys, NodeKeys, peer_id};
use crate::node::run::Ended;

/// The part that announces new keys.
const PART_NEXT_FILE: &str = "part-next.json";
/// How many pools glibc's allocator keeps (mallopt(3)).
const MEMORY_POOLS: &str = "MALLOC_ARENA_MAX";
/// So many threads allocate at once without waiting; others share.
const MEMORY_POOLS_MAX: &str = "4";

#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Make the home of a node: its keys, its agency's keys, config.toml and part.json, by which others let it in
    Init(Box<InitArgs>),
    /// Make new keys for a validator, to be announced by validator change
    Rekey(RekeyArgs),
    /// Run the node of a home until SIGTERM or Ctrl-C
    Run(RunArgs),
    /// Put an agency's follower on every node's allow-list
    Admit(kinds::AdmitNodeArgs),
    /// Take a follower off the allow-list
    Remove(kinds::RemoveNodeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "A new ledger: hand part.json to whoever runs `genesis assemble`; with the finished genesis run `genesis install`.
A running one: run `genesis install` with its genesis, let an authority run `validator add --part`, or the agency's head
`node admit --part`, and start it: it catches up, and votes from the height on that the authority named.

Examples:
  sharelog node init --home /var/lib/sharelog --agency 380120000J --name-en \"Social Affairs Bureau\" \\
      --consensus-address /ip4/192.0.2.10/tcp/26600 --records-address /ip4/192.0.2.10/tcp/26601
  sharelog node init --home a --agency authority --role authority --role office --role head --role recovery
  sharelog node init --home follower --agency 380120000J --follower --http 127.0.0.1:8610")]
pub struct InitArgs {
    /// A new folder
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    #[command(flatten)]
    agency: AgencyFlags,
    /// A role to make an agency key for (default: office, head and recovery)
    #[arg(long = "role", value_name = "ROLE", value_parser = parse_role)]
    roles: Vec<Role>,
    /// Where the other validators reach this one's consensus engine
    #[arg(long, value_name = "MULTIADDR", default_value = "/ip4/127.0.0.1/tcp/26600")]
    consensus_address: String,
    /// Where the others reach this one's record swarm
    #[arg(long, value_name = "MULTIADDR", default_value = "/ip4/127.0.0.1/tcp/26601")]
    records_address: String,
    /// Where HTTP listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8600")]
    http: SocketAddr,
    /// Make no keys of the agency: it is on the ledger already
    #[arg(long, conflicts_with = "roles")]
    node_only: bool,
    /// Make no keys that vote either: the node follows, and never signs
    #[arg(long, conflicts_with = "roles")]
    follower: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "The node goes on with its old keys until the height that the change names, then takes the new ones by itself.

Examples:
  sharelog node rekey --home /var/lib/sharelog
  sharelog validator change --part /var/lib/sharelog/part-next.json --key authority.pem
  sharelog node rekey --home /var/lib/sharelog --only consensus --only cosigner")]
pub struct RekeyArgs {
    /// The validator's home
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// A key to replace (default: all four)
    #[arg(long, value_name = "NAME", value_parser = ["consensus", "cosigner", "publication", "network"])]
    only: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog node run --home /var/lib/sharelog
  SHARELOG_LOG=debug sharelog node run --home node0")]
pub struct RunArgs {
    /// The node's home: config.toml, genesis.json, keys/
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
}

pub fn run(command: &NodeCommand, global: &Global) -> Result<()> {
    match command {
        NodeCommand::Init(args) => init(args, global),
        NodeCommand::Rekey(args) => rekey(args, global),
        NodeCommand::Admit(args) => kinds::admit_node(args, global),
        NodeCommand::Remove(args) => kinds::remove_node(args, global),
        NodeCommand::Run(args) => {
            bound_memory_pools();
            for name in config::unknown_variables() {
                anstream::eprintln!("sharelog: {name} is no setting and is ignored");
            }
            check_home(&args.home)?;
            match crate::node::run::run(&args.home)? {
                Ended::Asked => Ok(()),
                Ended::Changed => Err(start_over(&[]).context("starting the node again")),
            }
        }
    }
}

/// Starts this process over with fewer of the C library's memory pools, unless their number is set already: it is read at
/// a process's start alone. Eight for each core, the default, keep a third more memory than a node uses, and on larger
/// machines a multiple. Where that fails, the node runs with what there is.
fn bound_memory_pools() {
    if std::env::var_os(MEMORY_POOLS).is_none() {
        let error = start_over(&[(MEMORY_POOLS, MEMORY_POOLS_MAX)]);
        anstream::eprintln!("sharelog: {MEMORY_POOLS} is not set: {error:#}");
    }
}

/// Starts this process over, with more environment; comes back only when that fails.
fn start_over(environment: &[(&str, &str)]) -> anyhow::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error.into(),
    };
    Command::new(program).args(std::env::args_os().skip(1)).envs(environment.iter().copied()).exec().into()
}

/// A home that misses a step gets told which, instead of the file that was not found; a wrong genesis is named as one.
fn check_home(home: &Path) -> Result<(), Failure> {
    if !home.join(config::FILE).exists() {
        let advice = "put it back if this was a node's home; make a new one with node init";
        return Err(Failure::Configuration(format!("{} has no {}: {advice}", home.display(), config::FILE)));
    }
    let genesis = home.join(GENESIS_FILE);
    if !genesis.exists() {
        return Err(Failure::Configuration(format!("{} has no {GENESIS_FILE}; get it with genesis install", home.display())));
    }
    read_genesis(&genesis).map(drop)
}

/// The wildcard address with the port of `address`, which others dial.
fn listening(address: &str, flag: &str) -> Result<String, Failure> {
    let port = config::check_multiaddress(address)
        .map_err(|expected| Failure::Usage(format!("--{flag}: found {address}; expected {expected}")))?;
    Ok(if address.starts_with("/ip6/") { format!("/ip6/::/tcp/{port}") } else { format!("/ip4/0.0.0.0/tcp/{port}") })
}

fn init(args: &InitArgs, global: &Global) -> Result<()> {
    let consensus = listening(&args.consensus_address, "consensus-address")?;
    let records = listening(&args.records_address, "records-address")?;
    let agency = &args.agency.agency;
    Part::check_flags(&args.agency)?;
    make_empty_dir(&args.home)?;
    let keys = NodeKeys::generate(KeySource::Random, "", args.follower)?;
    keys.write(&args.home.join(KEYS_DIR))?;
    let has_agency_keys = !args.node_only && !args.follower;
    let agency_keys = match has_agency_keys {
        true => make_agency_keys(&args.home.join(AGENCY_DIR), &roles_or_usual(&args.roles), KeySource::Random, "")?,
        false => Vec::new(),
    };
    let written = Written { agency, http: args.http, consensus: &consensus, records: &records, propose_timeout_ms: 1_000 };
    write_new(&args.home.join(config::FILE), written.to_text().as_bytes())?;
    let node = NodePart { keys: &keys, consensus_address: &args.consensus_address, records_address: &args.records_address };
    let file = args.home.join(PART_FILE);
    Part::new(&args.agency, agency_keys, Some(node)).write(&file)?;
    let (home, file, peer) = (args.home.display().to_string(), file.display().to_string(), peer_id(&keys.network.public()));
    if global.json {
        let value = object([("agency", agency.as_str().into()), ("home", home.into()), ("part", file.into()), ("peer", peer.into())]);
        anstream::println!("{}", value.to_jcs());
        return Ok(());
    }
    let officers = match has_agency_keys {
        true => format!("  {home}/{AGENCY_DIR}/  the agency's own keys: move them to where its officers sign\n"),
        false => String::new(),
    };
    let next = match (args.follower, has_agency_keys) {
        (true, _) => format!("sharelog node admit --part {file} --key head.pem lets it in"),
        (false, false) => format!("sharelog validator add --part {file} --key authority.pem lets it in"),
        (false, true) => format!("hand {file} to whoever assembles the genesis, or to an authority of a ledger that runs"),
    };
    anstream::println!(
        "Home of {agency}'s node: {home}\n  {home}/{KEYS_DIR}/    the node's keys: back them up, never run two nodes with them\n\
         {officers}  {file}  public keys and addresses, no secrets\nOthers reach it at {} and {}.\nNext: {next}; with the genesis file:\n  \
         sharelog genesis install genesis.json --home {home}\n  sharelog node run --home {home}",
        args.consensus_address,
        args.records_address
    );
    Ok(())
}

/// `keys/next/` and `part-next.json`: the old part with the new public keys.
fn rekey(args: &RekeyArgs, global: &Global) -> Result<()> {
    let (keys_dir, file) = (args.home.join(KEYS_DIR), args.home.join(PART_NEXT_FILE));
    let old = Part::read(&args.home.join(PART_FILE))?;
    let Some(Node::Validator(mut validator)) = old.node else {
        return Err(Failure::Usage(format!("{} describes no validator; a follower's keys are those of a new home", PART_FILE)).into());
    };
    let next_dir = keys_dir.join(NEXT_DIR);
    if next_dir.exists() && std::fs::read_dir(&next_dir)?.next().is_some() {
        return Err(Failure::Usage(format!("{} has keys that are to come still; they count first", next_dir.display())).into());
    }
    let is_wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let made = |name: &str| is_wanted(name).then(|| KeySource::Random.key(name)).transpose();
    let next = NextKeys {
        consensus: made("consensus")?,
        cosigner: made("cosigner")?,
        publication: made("publication")?,
        network: made("network")?,
    };
    let current = NodeKeys::load(&keys_dir)?;
    let public = |new: &Option<SecretKey>, old: Option<&SecretKey>| new.as_ref().or(old).map(SecretKey::public);
    validator.consensus = public(&next.consensus, current.consensus.as_ref()).unwrap_or(validator.consensus);
    validator.cosigner = public(&next.cosigner, current.cosigner.as_ref()).unwrap_or(validator.cosigner);
    validator.publication = public(&next.publication, Some(&current.publication)).unwrap_or(validator.publication);
    validator.peer = public(&next.network, Some(&current.network)).map_or(validator.peer, |key| peer_id(&key));
    next.write(&next_dir)?;
    if file.exists() {
        std::fs::remove_file(&file)?;
    }
    Part { agency: old.agency, node: Some(Node::Validator(validator)) }.write(&file)?;
    let (dir, file) = (next_dir.display().to_string(), file.display().to_string());
    if global.json {
        anstream::println!("{}", object([("keys", dir.into()), ("part", file.into())]).to_jcs());
        return Ok(());
    }
    anstream::println!(
        "New keys in {dir}: back them up.\nNext: sharelog validator change --part {file} --key authority.pem\n\
         The node takes them by itself at the height that the change names; until then it works with the old ones."
    );
    Ok(())
}
