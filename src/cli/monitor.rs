//! `sharelog monitor`: watches many nodes from outside, believing none of them.

mod alarm;
mod kept;
mod sets;
mod settings;
mod source;
mod watch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::genesis::read_genesis;
use crate::cli::monitor::alarm::{Alarm, Kind};
use crate::cli::monitor::kept::Kept;
use crate::cli::monitor::sets::Sets;
use crate::cli::monitor::settings::{Settings, parse_wait};
use crate::cli::monitor::source::Source;
use crate::cli::monitor::watch::Watch;
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::json::object;
use crate::core::time::Time;

#[derive(Debug, Args)]
#[command(after_help = "Alarms: unreachable, no-checkpoint, malformed, other-ledger, no-quorum, rollback, split-view, unproven, stalled.
Each is printed when it begins and when it is over. With --once: exit 0 when there was none, 1 when there was.

A file for --config has the keys genesis, nodes, witnesses (texts \"URL VKEY\"), every, stall and state; flags go before it.

Examples:
  sharelog monitor --genesis genesis.json --state watch http://127.0.0.1:8600 http://127.0.0.1:8601 http://127.0.0.1:8602
  sharelog monitor --config monitor.toml --once --json
  sharelog monitor --genesis 5f3a09c1d2e4b677000102030405060708090a0b0c0d0e0f1011121314151617 --every 1m --stall 30m https://ledger.example")]
pub struct MonitorArgs {
    /// Addresses of the nodes to watch
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// A file that says what to watch
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The genesis hash that you know from elsewhere, or a genesis file that you trust
    #[arg(long, value_name = "FILE|HEX")]
    genesis: Option<String>,
    /// Between two looks (default: 10s)
    #[arg(long, value_name = "WAIT", value_parser = parse_wait)]
    every: Option<Duration>,
    /// A newest block that is older is a stall (default: two heartbeats of the ledger's first policy)
    #[arg(long, value_name = "WAIT", value_parser = parse_wait)]
    stall: Option<Duration>,
    /// A folder that keeps the last checkpoint of each node and what proves an alarm; without it a restart forgets them
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// A witness whose newest cosigned checkpoint is compared too: its address, a space and its vkey
    #[arg(long = "witness", value_name = "URL VKEY")]
    witnesses: Vec<String>,
    /// Look once and end
    #[arg(long)]
    once: bool,
}

pub fn run(args: &MonitorArgs, global: &Global) -> Result<()> {
    let settings = Settings::of(args)?;
    let nodes = settings.nodes.iter().map(|address| Source::node(address)).collect::<Result<Vec<_>, _>>()?;
    let genesis = pinned_genesis(&settings.genesis, &nodes)?;
    let stall = settings.stall.unwrap_or(Duration::from_millis(genesis.policy.heartbeat_ms.saturating_mul(2)));
    let witnesses = settings.witnesses.iter().map(|witness| Source::witness(witness, &genesis.origin));
    let witnesses = witnesses.collect::<Result<Vec<_>, _>>()?;
    let count = nodes.len();
    let sources = nodes.into_iter().chain(witnesses).collect();
    let origin = genesis.origin.clone();
    let mut watch = Watch::new(sources, Sets::of(genesis), Kept::open(settings.state.as_deref())?, stall)?;
    if args.once {
        let now = now()?;
        let alarms = watch.look(now)?;
        alarms.iter().for_each(|alarm| print(alarm, now, global));
        return match alarms.len() {
            0 => {
                quiet(&origin, count, watch.size(), global);
                Ok(())
            }
            count => Err(Failure::Negative(format!("{count} alarms")).into()),
        };
    }
    let mut lasting = BTreeSet::new();
    loop {
        let (start, now) = (Instant::now(), now()?);
        lasting = tell(&watch.look(now)?, &lasting, now, global);
        std::thread::sleep(settings.every.saturating_sub(start.elapsed()));
    }
}

/// The genesis that is pinned: a file, or a hash whose file one of the nodes gives.
fn pinned_genesis(pin: &str, nodes: &[Source]) -> Result<Genesis, Failure> {
    let Ok(hash) = Hash::parse(pin) else {
        return read_genesis(Path::new(pin)).map_err(|failure| {
            Failure::Unreadable(format!("--genesis is neither 64 lower-case hex digits nor a genesis file: {failure}"))
        });
    };
    let mut whys = Vec::new();
    for node in nodes {
        match node.genesis() {
            Ok(bytes) if Hash::of(&bytes) == hash => {
                return Genesis::parse(&bytes).map_err(|refusal| Failure::Configuration(format!("the genesis {hash}: {refusal}")));
            }
            Ok(bytes) => whys.push(format!("{} serves the genesis {}", node.address, Hash::of(&bytes))),
            Err(failure) => whys.push(failure.to_string()),
        }
    }
    Err(Failure::Network(format!("no node serves the genesis {hash}: {}; give the genesis file instead", whys.join("; "))))
}

fn now() -> Result<Time> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Time::from_unix_ms(unix_ms).context("the clock shows a time that no record could name")
}

/// An alarm that lasts: its kind and node.
type Lasting = BTreeSet<(Kind, String)>;

/// Prints the alarms that began, and those that are over; gives those that last.
fn tell(alarms: &[Alarm], before: &Lasting, now: Time, global: &Global) -> Lasting {
    let lasting: Lasting = alarms.iter().map(|alarm| (alarm.kind, alarm.node.clone())).collect();
    let mut told = before.clone();
    for alarm in alarms {
        if told.insert((alarm.kind, alarm.node.clone())) {
            print(alarm, now, global);
        }
    }
    for (kind, node) in before.difference(&lasting) {
        if global.json {
            let members = [("node", node.as_str().into()), ("over", kind.as_str().into()), ("time", now.to_string().into())];
            anstream::println!("{}", object(members).to_jcs());
        } else {
            anstream::println!("{now} over: {}: {node}", kind.as_str());
        }
    }
    lasting
}

fn print(alarm: &Alarm, now: Time, global: &Global) {
    if global.json {
        anstream::println!("{}", alarm.to_value(now).to_jcs());
    } else {
        anstream::println!("{}", alarm.to_text(now));
    }
}

/// No alarm, and what was looked at.
fn quiet(origin: &str, nodes: usize, size: u64, global: &Global) {
    if global.json {
        let nodes = u64::try_from(nodes).unwrap_or(u64::MAX);
        let members = [("nodes", nodes.into()), ("ok", true.into()), ("origin", origin.into()), ("size", size.into())];
        anstream::println!("{}", object(members).to_jcs());
    } else {
        anstream::println!("No alarm: {nodes} nodes show one tree of {origin}, with {size} leaves, signed by a quorum.");
    }
}
