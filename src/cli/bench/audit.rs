//! `sharelog bench audit`: how fast a whole ledger is checked, beside what its signatures alone would cost.
//!
//! 1. A four-validator network takes the records (signed deliveries, as at saturation), until a public checkpoint covers them.
//! 2. Inclusion proofs of positions all over the ledger: how long each takes when one node is asked over HTTP, and, when it has
//!    stopped, how long the same answer takes to make from its store.
//! 3. The ledger is exported into a folder, and the network stopped.
//! 4. The folder is audited from genesis, and once more from where that ended. Floors are measured before and after.
//!
//! The ratio is records per second over what all cores would verify by `verify_strict` alone. By CPU time it says what an
//! idle machine would do, also when others use this one.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::audit::copy::copy;
use crate::audit::memory::Memory;
use crate::audit::source::{Folder, Url};
use crate::audit::{Audit, Report};
use crate::cli::Global;
use crate::cli::bench::load::{self, Latency, cpu_s};
use crate::cli::bench::report::Table;
use crate::cli::bench::{Network, VALIDATORS, floors, prepare, start_network};
use crate::core::genesis::Genesis;
use crate::core::json::Value;
use crate::limits::AUDIT_SNAPSHOT_LEAVES;
use crate::node::local::LocalNetwork;
use crate::query::proofs;
use crate::store;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog bench audit --records 100000
  sharelog bench audit --records 20000 --proofs 500 --json")]
pub struct AuditArgs {
    /// Records that the ledger holds
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    records: u32,
    /// Inclusion proofs that are asked for
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    proofs: u32,
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

/// A checkpoint follows the last block within about a second.
const COVERED_WAIT: Duration = Duration::from_secs(60);
/// The cache that `config/node.toml` gives.
const CACHE_BYTES: u64 = 32 << 20;
/// Steps between the positions that are proven: prime, so that they lie all over the ledger.
const POSITION_STEP: u64 = 7_919;

pub fn run(args: &AuditArgs, global: &Global) -> Result<()> {
    let dir = std::env::temp_dir().join(format!("sharelog-bench-audit-{}", std::process::id()));
    let mut network = start_network(&dir, &Network { validators: VALIDATORS, base_port: args.base_port, http_port: args.http_port })?;
    let mut table = Table::default();
    let filled = fill(args, &mut network, &dir.join("copy"), &mut table);
    let clean = network.stop_all();
    filled?;
    ensure!(clean, "a node did not end cleanly within its 10 s");
    let genesis = std::fs::read(dir.join("genesis.json")).context("reading the network's genesis")?;
    let genesis = Arc::new(Genesis::parse(&genesis)?);
    make_proofs(args, &network, &genesis, &mut table)?;
    audit(&dir, &genesis, &mut table)?;
    std::fs::remove_dir_all(&dir).context("removing the temporary network")?;
    println!("{}", if global.json { table.to_json() } else { table.to_markdown() });
    Ok(())
}

/// A ledger of the wanted records, its proofs, and its copy.
fn fill(args: &AuditArgs, network: &mut LocalNetwork, to: &Path, table: &mut Table) -> Result<()> {
    let writers = prepare::writers(network, args.agencies)?;
    eprintln!("{} agencies admitted; {} records go in", writers.len(), args.records);
    load::saturate(network, prepare::signed_deliveries(&writers, args.records), load::IN_FLIGHT_MAX)?;
    let (_, size) = network.head(0)?;
    network.wait_until("a public checkpoint of all records", COVERED_WAIT, |network| {
        let status = network.ask(0, "/api/v1/status").ok();
        let covered = status.as_ref().and_then(|status| status.get("checkpoint")?.get("size")?.as_u64());
        covered.is_some_and(|covered| covered >= size)
    })?;
    let mut spans = Vec::new();
    for turn in 0..u64::from(args.proofs) {
        let start = Instant::now();
        let proof = network.ask(0, &format!("/api/v1/proofs/inclusion?position={}&size={size}", turn * POSITION_STEP % size))?;
        spans.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(proof.get("proof").is_some_and(|proof| matches!(proof, Value::Array(_))), "no proof: {}", proof.to_jcs());
    }
    table.latency("inclusion_proof_by_http", &Latency::of(spans));
    let start = Instant::now();
    copy(&Url::new(&network.nodes[0].http), to, &mut |_, _| {})?;
    table.row("export", start.elapsed().as_secs_f64(), "s");
    Ok(())
}

/// The answers that were asked for, made again from the store of the node that gave them.
fn make_proofs(args: &AuditArgs, network: &LocalNetwork, genesis: &Arc<Genesis>, table: &mut Table) -> Result<()> {
    let (_writer, reader) = store::open(&network.nodes[0].home.join("data"), genesis.clone(), CACHE_BYTES)?;
    let size = reader.head().size;
    let mut spans = Vec::new();
    for turn in 0..u64::from(args.proofs) {
        let start = Instant::now();
        let proof = proofs::inclusion(&reader, turn * POSITION_STEP % size, size)?.to_jcs();
        spans.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(proof.contains("\"proof\":["), "no proof: {proof}");
    }
    table.latency("inclusion_proof_made", &Latency::of(spans));
    Ok(())
}

fn audit(dir: &Path, genesis: &Genesis, table: &mut Table) -> Result<()> {
    let before = floors::measure()?;
    let source = Folder::new(&dir.join("copy"));
    let memory = Memory::open(&dir.join("state"), genesis)?;
    let audit = Audit { source: &source, genesis, memory: Some(&memory), since: None, snapshot_leaves: AUDIT_SNAPSHOT_LEAVES };
    let now = || cpu_s("self").context("reading /proc/self/stat");
    let (start, start_cpu) = (Instant::now(), now()?);
    let report: Report = audit.run(&mut |_, _| {})?;
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), now()? - start_cpu);
    let again = Instant::now();
    audit.run(&mut |_, _| {})?;
    let again = again.elapsed().as_secs_f64();
    let floors = before.mean(&floors::measure()?);
    let cores = std::thread::available_parallelism().context("counting cores")?.get() as f64;
    let records = report.records as f64;
    table.row("records", records, "");
    table.row("blocks", report.blocks as f64, "");
    table.row("cores", cores, "");
    table.row("verify_strict_per_s", floors.verify_per_s, "1/s");
    table.row("sha256_per_s", floors.sha256_per_s, "1/s");
    table.row("audit", seconds, "s");
    table.row("audit_records_per_s", records / seconds, "1/s");
    table.row("audit_over_all_cores_verifying", records / seconds / (cores * floors.verify_per_s), "ratio");
    table.row("audit_cpu_per_record", cpu * 1e6 / records, "us");
    table.row("audit_over_verifying_by_cpu_time", records / cpu / floors.verify_per_s, "ratio");
    table.row("audit_again", again, "s");
    Ok(())
}
