//! `sharelog bench saturation`: the rate and the latency with ever more records in flight, until more bring nothing.

use anyhow::Result;
use clap::Args;

use crate::cli::Global;
use crate::cli::bench::report::Table;
use crate::cli::bench::{Network, VALIDATORS, load, on_own_network, prepare};
use crate::node::local::LocalNetwork;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog bench saturation
  sharelog bench saturation --records 20000 --json")]
pub struct SaturationArgs {
    /// Records offered at each step
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    records: u32,
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

/// Records in flight at the first step; each step doubles them.
const FIRST: u64 = 250;
const STEPS: u32 = 7;
/// A step that brings less than this share more ends the search.
const GAIN_MIN: f64 = 0.05;

pub fn run(args: &SaturationArgs, global: &Global) -> Result<()> {
    let ports = Network { validators: VALIDATORS, base_port: args.base_port, http_port: args.http_port };
    let table = on_own_network("saturation", &ports, |network| search(args, network))?;
    println!("{}", if global.json { table.to_json() } else { table.to_markdown() });
    Ok(())
}

fn search(args: &SaturationArgs, network: &mut LocalNetwork) -> Result<Table> {
    let writers = prepare::writers(network, args.agencies)?;
    let mut table = Table::default();
    let mut best = (0.0, 0);
    for in_flight in (0..STEPS).map(|step| FIRST << step) {
        let run = load::saturate(network, prepare::signed_deliveries(&writers, args.records), in_flight)?;
        let rate = run.records as f64 / run.seconds;
        eprintln!("{in_flight} in flight: {rate:.0} records/s, p50 {:.0} ms", run.latency.p50_ms);
        table.row(&format!("in_flight_{in_flight}_records_per_s"), rate, "1/s");
        table.latency(&format!("in_flight_{in_flight}"), &run.latency);
        let is_gain = rate > best.0 * (1.0 + GAIN_MIN);
        if rate > best.0 {
            best = (rate, in_flight);
        }
        if !is_gain {
            break;
        }
    }
    table.row("saturated_records_per_s", best.0, "1/s");
    table.row("saturated_in_flight", best.1 as f64, "records");
    Ok(table)
}
