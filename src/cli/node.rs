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
    AGENCY_DIR, AgencyFlags, GENESIS_FILE, KEYS_DIR, PART_FILE, Part, ValidatorPart, make_agency_keys, make_empty_dir, parse_role,
    read_genesis, roles_or_usual, write_new,
};
use crate::cli::kinds;
use crate::config::{self, Written};
use crate::core::json::object;
use crate::core::key::Role;
use crate::keystore::{KeySource, NodeKeys, peer_id};

/// How many pools glibc's allocator keeps (mallopt(3)).
const MEMORY_POOLS: &str = "MALLOC_ARENA_MAX";
/// So many threads allocate at once without waiting; others share.
const MEMORY_POOLS_MAX: &str = "4";

#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Make the home of a validator: its keys, its agency's keys, config.toml and part.json for the genesis
    Init(Box<InitArgs>),
    /// Run the node of a home until SIGTERM or Ctrl-C
    Run(RunArgs),
    /// Put an agency's follower on every node's allow-list
    Admit(kinds::AdmitNodeArgs),
    /// Take a follower off the allow-list
    Remove(kinds::RemoveNodeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Then: hand part.json to whoever runs `genesis assemble`; with the finished genesis run `genesis install`.

Examples:
  sharelog node init --home /var/lib/sharelog --agency 380120000J --name-en \"Social Affairs Bureau\" \\
      --consensus-address /ip4/192.0.2.10/tcp/26600 --records-address /ip4/192.0.2.10/tcp/26601
  sharelog node init --home a --agency authority --role authority --role office --role head --role recovery")]
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
        NodeCommand::Admit(args) => kinds::admit_node(args, global),
        NodeCommand::Remove(args) => kinds::remove_node(args, global),
        NodeCommand::Run(args) => {
            bound_memory_pools();
            for name in config::unknown_variables() {
                anstream::eprintln!("sharelog: {name} is no setting and is ignored");
            }
            check_home(&args.home)?;
            crate::node::run::run(&args.home)
        }
    }
}

/// Starts this process over with fewer of the C library's memory pools, unless their number is set already: it is read at
/// a process's start alone. Eight for each core, the default, keep a third more memory than a node uses, and on larger
/// machines a multiple. Where that fails, the node runs with what there is.
fn bound_memory_pools() {
    if std::env::var_os(MEMORY_POOLS).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        let error = Command::new(program).args(std::env::args_os().skip(1)).env(MEMORY_POOLS, MEMORY_POOLS_MAX).exec();
        anstream::eprintln!("sharelog: {MEMORY_POOLS} is not set: {error}");
    }
}

/// A home that misses a step gets told which, instead of the file that was not found; a wrong genesis is named as one.
fn check_home(home: &Path) -> Result<(), Failure> {
    if !home.join(config::FILE).exists() {
        return Err(Failure::Configuration(format!("{} is no node's home; make one with node init", home.display())));
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
    let keys = NodeKeys::generate(KeySource::Random, "")?;
    keys.write(&args.home.join(KEYS_DIR))?;
    let agency_keys = make_agency_keys(&args.home.join(AGENCY_DIR), &roles_or_usual(&args.roles), KeySource::Random, "")?;
    let written = Written { agency, http: args.http, consensus: &consensus, records: &records, propose_timeout_ms: 1_000 };
    write_new(&args.home.join(config::FILE), written.to_text().as_bytes())?;
    let validator = ValidatorPart { keys: &keys, consensus_address: &args.consensus_address, records_address: &args.records_address };
    let file = args.home.join(PART_FILE);
    Part::new(&args.agency, agency_keys, Some(validator)).write(&file)?;
    let (home, file, peer) = (args.home.display().to_string(), file.display().to_string(), peer_id(&keys.network.public()));
    if global.json {
        let value = object([("agency", agency.as_str().into()), ("home", home.into()), ("part", file.into()), ("peer", peer.into())]);
        anstream::println!("{}", value.to_jcs());
        return Ok(());
    }
    anstream::println!(
        "Home of {agency}'s node: {home}\n  {home}/{KEYS_DIR}/    the node's keys: back them up, never run two nodes with them\n  \
         {home}/{AGENCY_DIR}/  the agency's own keys: move them to where its officers sign\n  {file}  public keys and addresses, no secrets\n\
         Others reach it at {} and {}.\nNext: hand {file} to whoever assembles the genesis; with the genesis file:\n  \
         sharelog genesis install genesis.json --home {home}\n  sharelog node run --home {home}",
        args.consensus_address,
        args.records_address
    );
    Ok(())
}
