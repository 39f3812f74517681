//! `sharelog bench series`: how cost grows with the ledger and with the validators.
//!
//! For each number of validators a network is filled step by step. At each size the last ten thousand records are the sample:
//! rate, CPU and latency while they go in; then memory, disk and the time that a restarted node needs. At the largest size one
//! node loses its data and catches up from the others. The machine's floors are measured before and after.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::cli::Global;
use crate::cli::bench::floors::{self, Floors};
use crate::cli::bench::load::{self, Saturation, cpu_s};
use crate::cli::bench::prepare::{self, Writer};
use crate::cli::bench::report::allocated;
use crate::cli::bench::{Network, chart, on_own_network};
use crate::node::local::LocalNetwork;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog bench series --records 10000,100000 --validators 4 --out report
  sharelog bench series --records 10000 --validators 4,7,10,16 --out validators")]
pub struct SeriesArgs {
    /// Sizes of the ledger at which to measure, ascending
    #[arg(long, value_delimiter = ',', default_value = "10000,100000", value_parser = clap::value_parser!(u32).range(10_000..=10_000_000))]
    records: Vec<u32>,
    /// Numbers of validators
    #[arg(long, value_delimiter = ',', default_value = "4", value_parser = clap::value_parser!(u16).range(4..=22))]
    validators: Vec<u16>,
    /// Providers that write records
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(16..=256))]
    agencies: u32,
    /// Where report.json, report.md and the charts are written
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// First port of the network's nodes
    #[arg(long, default_value_t = 27_600)]
    base_port: u16,
    /// First HTTP port of the network's nodes
    #[arg(long, default_value_t = 9_600)]
    http_port: u16,
}

/// Records of a sample: what is measured at each size.
const SAMPLE: u32 = 10_000;
/// Records signed at once while the ledger is filled.
const FILL: u32 = 100_000;
const RESTART_WAIT: Duration = Duration::from_secs(300);
const CATCH_UP_WAIT: Duration = Duration::from_secs(3_600);

/// One size of one network.
struct Point {
    validators: usize,
    records: u32,
    sample: Saturation,
    disk_bytes: u64,
    record_bytes: u64,
    restart_s: f64,
}

/// An empty node that takes the whole ledger from its peers.
struct CatchUp {
    validators: usize,
    records: u32,
    seconds: f64,
    cpu_s: f64,
}

pub fn run(args: &SeriesArgs, global: &Global) -> Result<()> {
    ensure!(args.records.is_sorted(), "--records: found sizes out of order; expected them ascending");
    let before = floors::measure()?;
    let (mut points, mut catch_ups) = (Vec::new(), Vec::new());
    for validators in &args.validators {
        let ports = Network { validators: *validators, base_port: args.base_port, http_port: args.http_port };
        catch_ups.push(on_own_network("series", &ports, |network| {
            grow(args, network, &mut points)?;
            catch_up(args, network)
        })?);
    }
    let floors = before.mean(&floors::measure()?);
    let report = Report { floors, points, catch_ups };
    std::fs::create_dir_all(&args.out).with_context(|| format!("creating {}", args.out.display()))?;
    let write = |name: &str, text: String| {
        let path = args.out.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    write("report.json", report.to_json() + "\n")?;
    write("report.md", report.to_markdown())?;
    write("rate.svg", report.chart("committed records per second", |point| point.rate()))?;
    write("cpu.svg", report.chart("CPU per record and validator, in verifications", |point| report.cpu_ratio(point)))?;
    println!("{}", if global.json { report.to_json() } else { report.to_markdown() });
    Ok(())
}

fn grow(args: &SeriesArgs, network: &mut LocalNetwork, points: &mut Vec<Point>) -> Result<()> {
    let writers = prepare::writers(network, args.agencies)?;
    let (mut done, mut record_bytes) = (0, 0);
    for size in &args.records {
        while size - done > SAMPLE {
            let count = (size - done - SAMPLE).min(FILL);
            record_bytes += fill(network, &writers, count)?.1;
            done += count;
            eprintln!("{} validators: {done} records", network.nodes.len());
        }
        let (sample, bytes) = fill(network, &writers, size - done)?;
        record_bytes += bytes;
        done = *size;
        let mut disk_bytes = 0;
        for node in &network.nodes {
            disk_bytes = disk_bytes.max(allocated(&node.home.join("data"))?);
        }
        ensure!(network.stop(0), "node 0 did not end cleanly");
        let start = Instant::now();
        network.start(0)?;
        network.wait_ready(0, RESTART_WAIT)?;
        let restart_s = start.elapsed().as_secs_f64();
        points.push(Point { validators: network.nodes.len(), records: done, sample, disk_bytes, record_bytes, restart_s });
    }
    Ok(())
}

/// Commits so many more records; gives what was measured, and their bytes.
fn fill(network: &mut LocalNetwork, writers: &[Writer], count: u32) -> Result<(Saturation, u64)> {
    let notes = prepare::signed_deliveries(writers, count);
    let bytes = notes.iter().map(|note| u64::try_from(note.len()).unwrap_or(u64::MAX)).sum();
    Ok((load::saturate(network, notes, load::IN_FLIGHT_MAX)?, bytes))
}

fn catch_up(args: &SeriesArgs, network: &mut LocalNetwork) -> Result<CatchUp> {
    let last = network.nodes.len() - 1;
    let (_, size) = network.head(0)?;
    network.stop(last);
    let data = network.nodes[last].home.join("data");
    std::fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))?;
    let start = Instant::now();
    network.start(last)?;
    network.wait_size(last, size, CATCH_UP_WAIT)?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu_s = network.pid(last).and_then(|pid| cpu_s(&pid.to_string())).context("reading the node's CPU time")?;
    Ok(CatchUp { validators: last + 1, records: *args.records.last().context("--records is not empty")?, seconds, cpu_s })
}

impl Point {
    fn rate(&self) -> f64 {
        self.sample.records as f64 / self.sample.seconds
    }

    fn cpu_us(&self) -> f64 {
        let total: f64 = self.sample.cpu_s.iter().flatten().sum();
        total * 1e6 / self.sample.records as f64 / self.validators as f64
    }

    fn memory_mib(&self) -> f64 {
        self.sample.memory_mib.iter().flatten().copied().fold(0.0, f64::max)
    }
}

struct Report {
    floors: Floors,
    points: Vec<Point>,
    catch_ups: Vec<CatchUp>,
}

impl Report {
    fn cpu_ratio(&self, point: &Point) -> f64 {
        point.cpu_us() * self.floors.verify_per_s / 1e6
    }

    /// Records per second of CPU, over what one core verifies.
    fn catch_up_ratio(&self, catch_up: &CatchUp) -> f64 {
        f64::from(catch_up.records) / catch_up.cpu_s / self.floors.verify_per_s
    }

    fn to_json(&self) -> String {
        let point = |point: &Point| {
            serde_json::json!({
                "commit_latency_p50_ms": point.sample.latency.p50_ms,
                "commit_latency_p99_ms": point.sample.latency.p99_ms,
                "committed_records_per_s": point.rate(),
                "cpu_over_one_verification": self.cpu_ratio(point),
                "cpu_per_record_and_validator_us": point.cpu_us(),
                "disk_over_record_bytes": point.disk_bytes as f64 / point.record_bytes as f64,
                "node_memory_max_mib": point.memory_mib(),
                "records": point.records,
                "restart_s": point.restart_s,
                "validators": point.validators,
            })
        };
        let catch_up = |catch_up: &CatchUp| {
            serde_json::json!({
                "cpu_s": catch_up.cpu_s,
                "records": catch_up.records,
                "records_per_cpu_s_over_verifications": self.catch_up_ratio(catch_up),
                "seconds": catch_up.seconds,
                "validators": catch_up.validators,
            })
        };
        let floors = serde_json::json!({
            "fdatasync_p50_ms": self.floors.fdatasync_ms,
            "sha256_per_s": self.floors.sha256_per_s,
            "verify_strict_per_s": self.floors.verify_per_s,
        });
        serde_json::json!({
            "catch_up": self.catch_ups.iter().map(catch_up).collect::<Vec<_>>(),
            "floors": floors,
            "sizes": self.points.iter().map(point).collect::<Vec<_>>(),
        })
        .to_string()
    }

    fn to_markdown(&self) -> String {
        let mut out = format!(
            "Floors of one core: {:.0} verifications/s (verify_strict), {:.0} SHA-256/s of 450 bytes; fdatasync {:.2} ms.\n\n",
            self.floors.verify_per_s, self.floors.sha256_per_s, self.floors.fdatasync_ms
        );
        out.push_str(
            "| validators | records | records/s | commit p50 / p99 ms | CPU per record and validator | in verifications | memory MiB \
             | disk over record bytes | restart s |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for point in &self.points {
            let row = format!(
                "| {} | {} | {:.0} | {:.0} / {:.0} | {:.0} us | {:.2} | {:.0} | {:.2} | {:.1} |",
                point.validators,
                point.records,
                point.rate(),
                point.sample.latency.p50_ms,
                point.sample.latency.p99_ms,
                point.cpu_us(),
                self.cpu_ratio(point),
                point.memory_mib(),
                point.disk_bytes as f64 / point.record_bytes as f64,
                point.restart_s
            );
            writeln!(out, "{row}").expect("writing to a string");
        }
        out.push_str("\n| an empty node among | records | caught up in | its CPU | records per CPU second, over verifications |\n");
        out.push_str("|---:|---:|---:|---:|---:|\n");
        for catch_up in &self.catch_ups {
            let (seconds, cpu, ratio) = (catch_up.seconds, catch_up.cpu_s, self.catch_up_ratio(catch_up));
            writeln!(out, "| {} validators | {} | {seconds:.1} s | {cpu:.1} s | {ratio:.2} |", catch_up.validators, catch_up.records)
                .expect("writing to a string");
        }
        out
    }

    /// One line for each number of validators over the ledger's size.
    fn chart(&self, title: &str, value: impl Fn(&Point) -> f64) -> String {
        let mut lines: Vec<chart::Line> = Vec::new();
        for point in &self.points {
            let name = format!("{} validators", point.validators);
            let at = (f64::from(point.records), value(point));
            match lines.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push(at),
                None => lines.push(chart::Line { name, points: vec![at] }),
            }
        }
        chart::svg(title, "records on the ledger", &lines)
    }
}
