//! `sharelog testnet`: keys, genesis and homes of a local network.
//!
//! Agencies `agency-0`... run a validator each; `authority` and `inspector` are clients without a node. The folder holds
//! `genesis.json`, the homes `node0`..., `clients/<agency>/<role>.pem`, and at last `network.json`, which names it all.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::genesis::{
    AgencyFlags, GENESIS_FILE, KEYS_DIR, NodePart, Part, Plan, assemble, make_agency_keys, make_empty_dir, parse_time, read_json, vkey_of,
    write_new,
};
use crate::config::{self, Written};
use crate::core::genesis::Genesis;
use crate::core::json::{Value, object};
use crate::core::key::{PublicKey, Role};
use crate::core::policy::default_body;
use crate::core::time::Time;
use crate::keystore::{self, KeySource, NodeKeys};

/// All nodes share one machine: no need to wait as long as over a country.
const PROPOSE_TIMEOUT_MS: u64 = 500;
const NAME: &str = "local.test/ledger";
const CLIENTS_DIR: &str = "clients";
const NETWORK_FILE: &str = "network.json";
const AGENCY_ROLES: [Role; 3] = [Role::Head, Role::Office, Role::Recovery];
const AUTHORITY_ROLES: [Role; 4] = [Role::Authority, Role::Head, Role::Office, Role::Recovery];
const INSPECTOR_ROLES: [Role; 2] = [Role::Inspector, Role::Recovery];

#[derive(Debug, Subcommand)]
pub enum TestnetCommand {
    /// Make the keys, genesis.json, node homes and client keys of a local network
    Init(InitArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog testnet init --dir net --validators 4
  sharelog testnet init --dir net --validators 7 --base-port 36600 --http-port 9600 --seed 1 --created 2026-11-25T00:00:00.000Z")]
pub struct InitArgs {
    /// A new folder for the network
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// How many agencies run a validator
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=22))]
    pub validators: u16,
    /// First port of the nodes: node i takes this + 2i and the next one
    #[arg(long, value_name = "P", default_value_t = 26_600, value_parser = clap::value_parser!(u16).range(1..=65_000))]
    pub base_port: u16,
    /// First HTTP port: node i takes this + i
    #[arg(long, value_name = "H", default_value_t = 8_600, value_parser = clap::value_parser!(u16).range(1..=65_000))]
    pub http_port: u16,
    /// The ledger's name
    #[arg(long, value_name = "NAME", default_value = NAME)]
    pub name: String,
    /// Keys that follow from this number, the same at every run: anybody can compute them, so for test networks only
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The moment to name as the ledger's creation (default: now); with --seed, makes the whole genesis reproducible
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub created: Option<Time>,
    /// A policy, the body of policy.set as JSON (default: the one in config/policy.example.json)
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Blocks take their time from the records' own claims (--at), from --created on: to live through months in a minute
    #[arg(long, requires = "created")]
    pub test_clock: bool,
}

impl InitArgs {
    /// A local network with fresh keys, as the benchmark starts one.
    pub fn local(dir: &Path, validators: u16, base_port: u16, http_port: u16) -> Self {
        InitArgs {
            dir: dir.to_owned(),
            validators,
            base_port,
            http_port,
            name: NAME.to_owned(),
            seed: None,
            created: None,
            policy: None,
            test_clock: false,
        }
    }

    fn source(&self) -> KeySource {
        self.seed.map_or(KeySource::Random, KeySource::Seeded)
    }
}

/// One validator of the network to be.
struct PlannedNode {
    agency: String,
    /// Relative to the network's folder.
    home: String,
    http: SocketAddr,
    consensus: String,
    records: String,
}

impl PlannedNode {
    fn of(index: u16, args: &InitArgs) -> Option<Self> {
        let port = args.base_port.checked_add(index.checked_mul(2)?)?;
        let address = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}");
        Some(PlannedNode {
            agency: format!("agency-{index}"),
            home: format!("node{index}"),
            http: (Ipv4Addr::LOCALHOST, args.http_port.checked_add(index)?).into(),
            consensus: address(port),
            records: address(port.checked_add(1)?),
        })
    }

    fn config(&self) -> String {
        Written {
            agency: &self.agency,
            http: self.http,
            consensus: &self.consensus,
            records: &self.records,
            propose_timeout_ms: PROPOSE_TIMEOUT_MS,
        }
        .to_text()
    }
}

/// An agency with the keys that it signs records with.
struct Client {
    agency: String,
    keys: Vec<(Role, PublicKey)>,
}

pub fn run(command: &TestnetCommand, global: &Global) -> Result<()> {
    let TestnetCommand::Init(args) = command;
    init(args)?;
    let network = read_json(&args.dir.join(NETWORK_FILE))?;
    if global.json {
        anstream::println!("{}", network.to_jcs());
        return Ok(());
    }
    let text = |name: &str| network.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let dir = args.dir.display();
    anstream::println!(
        "A network of {} validators in {dir}\n  genesis  {}\n  origin   {}\n  keys     {dir}/{CLIENTS_DIR}/<agency>/<role>.pem\n",
        args.validators,
        text("genesis_hash"),
        text("origin")
    );
    anstream::println!("Next, each node in a terminal of its own (or `sharelog demo`, which does all of it):");
    for index in 0..args.validators {
        anstream::println!("  sharelog node run --home {dir}/node{index}");
    }
    anstream::println!("Then, for instance:\n  SHARELOG_NODE=http://127.0.0.1:{} sharelog query agencies", args.http_port);
    Ok(())
}

/// Makes the network's folder; prints nothing.
///
/// # Errors
/// [`Failure::Usage`] for a folder that is not empty or ports beyond 65535; what writing files gives.
pub fn init(args: &InitArgs) -> Result<()> {
    let nodes: Vec<_> = (0..args.validators)
        .map(|index| PlannedNode::of(index, args))
        .collect::<Option<_>>()
        .ok_or_else(|| Failure::Usage("the last node's ports lie beyond 65535; choose lower first ports".to_owned()))?;
    crate::core::ids::check_ledger_name(&args.name).map_err(|refusal| Failure::Usage(format!("--name: {refusal}")))?;
    make_empty_dir(&args.dir)?;
    let clients = make_clients(args, &nodes)?;
    let keys: Vec<_> =
        nodes.iter().map(|node| NodeKeys::generate(args.source(), &format!("{}/", node.home), false)).collect::<Result<_, _>>()?;
    let genesis = make_genesis(args, &nodes, &keys, &clients)?;
    write_new(&args.dir.join(GENESIS_FILE), &genesis.bytes)?;
    for (node, keys) in nodes.iter().zip(&keys) {
        let home = args.dir.join(&node.home);
        let keys_dir = home.join(KEYS_DIR);
        keys.write(&keys_dir)?;
        keys.write_vkeys(&keys_dir, &genesis.origin, &node.agency)?;
        write_new(&home.join(config::FILE), node.config().as_bytes())?;
        write_new(&home.join(GENESIS_FILE), &genesis.bytes)?;
    }
    for client in &clients {
        for (role, public) in &client.keys {
            let (_, _, vkey) = vkey_of(&genesis, public).context("a key that was put into the genesis is not in it")?;
            keystore::write_vkey(&args.dir.join(key_file(&client.agency, *role)), &vkey)?;
        }
    }
    write_new(&args.dir.join(NETWORK_FILE), network(&nodes, &clients, &genesis).to_jcs().as_bytes())?;
    Ok(())
}

/// `clients/<agency>/<role>.pem`.
fn key_file(agency: &str, role: Role) -> String {
    format!("{CLIENTS_DIR}/{agency}/{role}.pem")
}

/// Keys of all agencies, ascending by agency.
fn make_clients(args: &InitArgs, nodes: &[PlannedNode]) -> Result<Vec<Client>> {
    let mut agencies: Vec<(&str, &[Role])> = nodes.iter().map(|node| (node.agency.as_str(), AGENCY_ROLES.as_slice())).collect();
    agencies.extend([("authority", AUTHORITY_ROLES.as_slice()), ("inspector", INSPECTOR_ROLES.as_slice())]);
    agencies.sort_unstable();
    let client = |(agency, roles): (&str, &[Role])| -> Result<Client> {
        let relative = format!("{CLIENTS_DIR}/{agency}");
        let keys = make_agency_keys(&args.dir.join(&relative), roles, args.source(), &format!("{relative}/"))?;
        Ok(Client { agency: agency.to_owned(), keys })
    };
    agencies.into_iter().map(client).collect()
}

fn make_genesis(args: &InitArgs, nodes: &[PlannedNode], keys: &[NodeKeys], clients: &[Client]) -> Result<Genesis> {
    let validator = |agency: &str| {
        let (node, keys) = nodes.iter().zip(keys).find(|(node, _)| node.agency == agency)?;
        Some(NodePart { keys, consensus_address: &node.consensus, records_address: &node.records })
    };
    let part = |client: &Client| Part::new(&AgencyFlags::plain(&client.agency), client.keys.clone(), validator(&client.agency));
    let mut policy = args.policy.as_deref().map(read_json).transpose()?;
    if args.test_clock {
        let mut members = policy.unwrap_or_else(default_body).as_object().cloned().unwrap_or_default();
        members.insert("test_clock".to_owned(), true.into());
        policy = Some(Value::Object(members));
    }
    let genesis = assemble(Plan {
        name: &args.name,
        created: args.created,
        policy,
        calendars: Vec::new(),
        parts: clients.iter().map(part).collect(),
    });
    Ok(genesis.map_err(Failure::from)?)
}

/// `network.json`: paths relative to its folder.
fn network(nodes: &[PlannedNode], clients: &[Client], genesis: &Genesis) -> Value {
    let key = |agency: &str, role: Role| {
        object([("agency", agency.into()), ("key", key_file(agency, role).into()), ("role", role.as_str().into())])
    };
    let keys = clients.iter().flat_map(|client| client.keys.iter().map(move |(role, _)| key(&client.agency, *role)));
    let node = |node: &PlannedNode| {
        let http = format!("http://{}", node.http);
        object([("agency", node.agency.as_str().into()), ("home", node.home.as_str().into()), ("http", http.into())])
    };
    object([
        ("clients", Value::Array(keys.collect())),
        ("genesis_hash", genesis.hash.to_hex().into()),
        ("nodes", Value::Array(nodes.iter().map(node).collect())),
        ("origin", genesis.origin.as_str().into()),
    ])
}
