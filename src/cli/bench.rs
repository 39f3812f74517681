//! `sharelog bench`: what the ledger costs, beside what its cryptography costs, in one run on one machine.
//!
//! 1. Measures the machine's floors, before the load and after it: `verify_strict` on one core, SHA-256, fdatasync of a small
//!    file. A machine's speed drifts within minutes, so the mean of both stands for the time between.
//! 2. Starts a four-validator network, or takes a running one (`--network`), and prepares agencies, datasets and grants.
//! 3. Light load: records one after the other at a fixed rate, each waited for until committed: latency.
//! 4. Saturation: signed deliveries from all agencies as fast as the nodes take them; a record counts when its block is
//!    committed and on disk. CPU time of the node processes comes from /proc.
//! 5. Memory, then a clean stop and the folders' sizes.

mod audit;
mod chart;
mod engines;
mod floors;
mod load;
mod prepare;
mod query;
mod report;
mod saturation;
mod series;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};

use crate::cli::{Global, testnet};
use crate::node::local::LocalNetwork;

/// Of an own network: the least that bears a fault.
const VALIDATORS: u16 = 4;
/// Waiting for the nodes of a fresh network.
const READY_WAIT: Duration = Duration::from_secs(60);

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// Ask a ledger of many records, alone and beside writes
    Query(query::QueryArgs),
    /// Check a whole ledger of many records, beside what its signatures alone cost
    Audit(audit::AuditArgs),
    /// Measure at growing sizes of the ledger and numbers of validators; a report with charts
    Series(series::SeriesArgs),
    /// Find how many records in flight the network needs to be saturated
    Saturation(saturation::SaturationArgs),
    /// Compare the database of the state with the one of the tiles on the state's entries
    Engines(engines::EnginesArgs),
}

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  sharelog bench --records 20000 --out bench.json
  sharelog bench --network /tmp/net --agencies 32 --json
  sharelog bench query --records 100000
  sharelog bench audit --records 100000
  sharelog bench saturation
  sharelog bench engines --records 400000
  sharelog bench series --records 10000,100000 --validators 4,7 --out report"
)]
pub struct BenchArgs {
    #[command(subcommand)]
    command: Option<BenchCommand>,
    /// A folder with a running `testnet init` network; without it the benchmark starts its own
    #[arg(long, value_name = "DIR")]
    network: Option<PathBuf>,
    /// Where the own network lives; kept afterwards (default: a temporary folder, removed)
    #[arg(long, value_name = "DIR", conflicts_with = "network")]
    dir: Option<PathBuf>,
    /// Providers that write records
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(16..=256))]
    agencies: u32,
    /// Records offered at saturation
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    records: u32,
    /// Seconds of light load
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    light_seconds: u32,
    /// Records per second under light load
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// First port of the own network's nodes
    #[arg(long, default_value_t = 27_600)]
    base_port: u16,
    /// First HTTP port of the own network's nodes
    #[arg(long, default_value_t = 9_600)]
    http_port: u16,
    /// Report file: JSON, and beside it the same name with .md
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// An own network: how many validators, on which ports.
struct Network {
    validators: u16,
    base_port: u16,
    http_port: u16,
}

pub fn run(args: &BenchArgs, global: &Global) -> Result<()> {
    match &args.command {
        Some(BenchCommand::Query(args)) => return query::run(args, global),
        Some(BenchCommand::Audit(args)) => return audit::run(args, global),
        Some(BenchCommand::Series(args)) => return series::run(args, global),
        Some(BenchCommand::Saturation(args)) => return saturation::run(args, global),
        Some(BenchCommand::Engines(args)) => return engines::run(args, global),
        None => {}
    }
    let before = floors::measure()?;
    eprintln!("floors measured: {:.0} verify_strict/s on one core", before.verify_per_s);
    let temporary = std::env::temp_dir().join(format!("sharelog-bench-{}", std::process::id()));
    let own_dir = args.dir.clone().unwrap_or_else(|| temporary.clone());
    let mut network = match &args.network {
        Some(dir) => LocalNetwork::open(dir, &std::env::current_exe()?)?,
        None => start_network(&own_dir, &Network { validators: VALIDATORS, base_port: args.base_port, http_port: args.http_port })?,
    };
    let outcome = measure(args, &mut network);
    let clean = network.stop_all();
    let mut report = outcome?;
    ensure!(args.network.is_some() || clean, "a node did not end cleanly within its 10 s");
    report.floors = before.mean(&floors::measure()?);
    if args.network.is_none() {
        report.disk = Some(report::Disk::measure(&network, report.leaf_bytes)?);
    }
    if args.network.is_none() && args.dir.is_none() {
        std::fs::remove_dir_all(&temporary).context("removing the temporary network")?;
    }
    if let Some(out) = &args.out {
        std::fs::write(out, report.table().to_json() + "\n").with_context(|| format!("writing {}", out.display()))?;
        let markdown = out.with_extension("md");
        std::fs::write(&markdown, report.table().to_markdown()).with_context(|| format!("writing {}", markdown.display()))?;
    }
    if global.json {
        println!("{}", report.table().to_json());
    } else {
        println!("{}", report.table().to_markdown());
    }
    Ok(())
}

fn start_network(dir: &std::path::Path, ports: &Network) -> Result<LocalNetwork> {
    testnet::init(&testnet::InitArgs::local(dir, ports.validators, ports.base_port, ports.http_port))?;
    let mut network = LocalNetwork::open(dir, &std::env::current_exe()?)?;
    network.start_all()?;
    for index in 0..network.nodes.len() {
        network.wait_ready(index, READY_WAIT)?;
    }
    Ok(network)
}

/// Runs `work` on an own network in a temporary folder, which is removed when all went well.
fn on_own_network<T>(name: &str, ports: &Network, work: impl FnOnce(&mut LocalNetwork) -> Result<T>) -> Result<T> {
    let dir = std::env::temp_dir().join(format!("sharelog-bench-{name}-{}", std::process::id()));
    let mut network = start_network(&dir, ports)?;
    let outcome = work(&mut network);
    let clean = network.stop_all();
    let outcome = outcome?;
    ensure!(clean, "a node did not end cleanly within its 10 s");
    std::fs::remove_dir_all(&dir).context("removing the temporary network")?;
    Ok(outcome)
}

fn measure(args: &BenchArgs, network: &mut LocalNetwork) -> Result<report::Report> {
    let writers = prepare::writers(network, args.agencies)?;
    eprintln!("{} agencies admitted, their datasets granted", writers.len());
    let light = load::light(network, &writers, args.rate, args.light_seconds)?;
    eprintln!("light load: p50 {:.0} ms", light.p50_ms);
    let batch = prepare::signed_deliveries(&writers, args.records);
    eprintln!("{} deliveries signed; offering them", batch.len());
    let leaf_bytes_per_record = batch.iter().map(|note| note.len()).sum::<usize>() as f64 / batch.len() as f64;
    let saturation = load::saturate(network, batch, load::IN_FLIGHT_MAX)?;
    Ok(report::Report::new(args.agencies, network, light, saturation, leaf_bytes_per_record))
}
