//! `sharelog bench query`: how fast a ledger of many records answers, and what that costs those who write.
//!
//! 1. A four-validator network takes the records (signed deliveries, as at saturation).
//! 2. Writes alone at a fixed rate: their latency.
//! 3. Each question again and again from one node, while the same writes go on: both latencies, side by side.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cli::Global;
use crate::cli::bench::load::{self, Latency};
use crate::cli::bench::prepare::{self, Writer};
use crate::cli::bench::report::Table;
use crate::cli::bench::{Network, VALIDATORS, on_own_network};
use crate::node::local::LocalNetwork;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog bench query --records 100000
  sharelog bench query --records 20000 --asks 500 --json")]
pub struct QueryArgs {
    /// Records that the ledger holds when it is asked
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    records: u32,
    /// How often each question is asked
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    asks: u32,
    /// Records per second that are written meanwhile
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Providers that write records
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(16..=256))]
    agencies: u32,
    /// First port of the network's nodes
    #[arg(long, default_value_t = 27_600)]
    base_port: u16,
    /// First HTTP port of the network's nodes
    #[arg(long, default_value_t = 9_600)]
    http_port: u16,
}

/// Seconds of writes alone.
const ALONE_SECONDS: u32 = 10;

pub fn run(args: &QueryArgs, global: &Global) -> Result<()> {
    let ports = Network { validators: VALIDATORS, base_port: args.base_port, http_port: args.http_port };
    let table = on_own_network("query", &ports, |network| measure(args, network))?;
    println!("{}", if global.json { table.to_json() } else { table.to_markdown() });
    Ok(())
}

fn measure(args: &QueryArgs, network: &mut LocalNetwork) -> Result<Table> {
    let writers = prepare::writers(network, args.agencies)?;
    eprintln!("{} agencies admitted; {} records go in", writers.len(), args.records);
    load::saturate(network, prepare::signed_deliveries(&writers, args.records), load::IN_FLIGHT_MAX)?;
    let mut table = Table::default();
    table.row("records", f64::from(args.records), "");
    let alone = load::light(network, &writers, args.rate, ALONE_SECONDS)?;
    table.latency("writes_alone", &alone);
    let debtor = writers.first().context("at least 16 writers")?.agency.clone();
    let questions = [
        ("todo", format!("/api/v1/todo?agency={debtor}")),
        ("overdue", "/api/v1/overdue".to_owned()),
        ("matrix", "/api/v1/matrix".to_owned()),
    ];
    for (name, path) in questions {
        let first = Instant::now();
        network.ask(0, &path)?;
        table.row(&format!("{name}_first"), first.elapsed().as_secs_f64() * 1e3, "ms");
        let (asked, written) = beside_writes(args, network, &writers, &path)?;
        eprintln!("{name}: p99 {:.1} ms", asked.p99_ms);
        table.latency(name, &asked);
        table.latency(&format!("writes_beside_{name}"), &written);
    }
    Ok(table)
}

/// Asks `path` again and again while records are written, at least as often as wanted.
fn beside_writes(args: &QueryArgs, network: &LocalNetwork, writers: &[Writer], path: &str) -> Result<(Latency, Latency)> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| -> Result<Vec<f64>> {
            let mut spans = Vec::new();
            while spans.len() < usize::try_from(args.asks)? || !is_over.load(Ordering::Relaxed) {
                let start = Instant::now();
                network.ask(0, path)?;
                spans.push(start.elapsed().as_secs_f64() * 1e3);
            }
            Ok(spans)
        });
        let written = load::light(network, writers, args.rate, ALONE_SECONDS);
        is_over.store(true, Ordering::Relaxed);
        let spans = asking.join().map_err(|_| anyhow::anyhow!("the asking thread panicked"))??;
        Ok((Latency::of(spans), written?))
    })
}
