//! `sharelog bench engines`: what rows and index entries cost in fjall, where they lie, and in sled, where they lay.
//!
//! Each engine runs in a process of its own and writes the same entries in batches like those of the store: of each record a
//! row under its id, another under a hash, two index entries under hashed terms; of each third one the row of an earlier
//! record is read and written again.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};

use crate::cli::Global;
use crate::cli::bench::load::{cpu_s, memory_mib};
use crate::cli::bench::report::{Table, allocated};
use crate::core::hash::Hash;
use crate::limits::{APPLY_RECORDS, STATE_JOURNAL_BYTES, STATE_MEMTABLE_BYTES};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    Fjall,
    Sled,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog bench engines
  sharelog bench engines --records 400000 --json")]
pub struct EnginesArgs {
    /// Records whose entries are written
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(10_000..=10_000_000))]
    records: u32,
    /// The engine that this process measures
    #[arg(long, hide = true, value_enum)]
    engine: Option<Engine>,
}

/// The cache that `config/node.toml` gives.
const CACHE_BYTES: u64 = 32 << 20;
/// A row in the database: the id's share, and a text.
const ROW_BYTES: usize = 150;
/// How far back an earlier record lies at most.
const BACK_MAX: u64 = 10_000;

pub fn run(args: &EnginesArgs, global: &Global) -> Result<()> {
    let table = match args.engine {
        Some(engine) => measure(engine, args.records)?,
        None => both(args.records)?,
    };
    println!("{}", if global.json { table.to_json() } else { table.to_markdown() });
    Ok(())
}

/// The figures that a process gives of its engine.
const FIGURES: [(&str, &str); 4] =
    [("cpu_per_record", "us"), ("cpu_per_record_of_the_last_tenth", "us"), ("memory_max", "MiB"), ("disk_per_record", "bytes")];

fn both(records: u32) -> Result<Table> {
    let mut table = Table::default();
    table.row("records", f64::from(records), "");
    for engine in ["fjall", "sled"] {
        eprintln!("{engine}: {records} records");
        let own = std::env::current_exe()?;
        let child = Command::new(own)
            .args(["bench", "engines", "--json", "--engine", engine, "--records", &records.to_string()])
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(child.status.success(), "{engine} ended with {}", child.status);
        let figures: serde_json::Value = serde_json::from_slice(&child.stdout).context("reading the figures")?;
        for (name, unit) in FIGURES {
            let value = figures[name]["value"].as_f64().with_context(|| format!("{engine} gives no {name}"))?;
            table.row(&format!("{engine}_{name}"), value, unit);
        }
    }
    Ok(table)
}

enum Database {
    Fjall(fjall::Database, fjall::Keyspace),
    Sled(sled::Db),
}

impl Database {
    /// As the store opens it.
    fn open(engine: Engine, dir: &Path) -> Result<Self> {
        Ok(match engine {
            Engine::Fjall => {
                let database = fjall::Database::builder(dir).cache_size(CACHE_BYTES).worker_threads(1);
                let database = database.max_journaling_size(STATE_JOURNAL_BYTES).manual_journal_persist(true).open()?;
                let options = || fjall::KeyspaceCreateOptions::default().max_memtable_size(STATE_MEMTABLE_BYTES);
                let entries = database.keyspace("state", options)?;
                Database::Fjall(database, entries)
            }
            Engine::Sled => {
                let config = sled::Config::new().path(dir).mode(sled::Mode::LowSpace).cache_capacity(CACHE_BYTES);
                Database::Sled(config.flush_every_ms(None).open()?)
            }
        })
    }

    fn holds(&self, key: &[u8]) -> Result<bool> {
        Ok(match self {
            Database::Fjall(_, entries) => entries.get(key)?.is_some(),
            Database::Sled(sled) => sled.get(key)?.is_some(),
        })
    }

    fn apply(&self, entries: Vec<(Vec<u8>, Vec<u8>)>) -> Result<()> {
        match self {
            Database::Fjall(database, keyspace) => {
                let mut batch = database.batch().durability(Some(fjall::PersistMode::Buffer));
                entries.into_iter().for_each(|(key, value)| batch.insert(keyspace, key, value));
                batch.commit()?;
            }
            Database::Sled(sled) => {
                let mut batch = sled::Batch::default();
                entries.into_iter().for_each(|(key, value)| batch.insert(key, value));
                sled.apply_batch(batch)?;
                sled.flush()?;
            }
        }
        Ok(())
    }
}

fn measure(engine: Engine, records: u32) -> Result<Table> {
    let dir = std::env::temp_dir().join(format!("sharelog-bench-engine-{}", std::process::id()));
    let database = Database::open(engine, &dir)?;
    let records = u64::from(records);
    let (started, mut cpu, mut memory, mut written) = (Instant::now(), Vec::new(), 0.0_f64, 0);
    while written < records {
        cpu.push((written, cpu_s("self").context("reading the CPU time")?));
        let end = records.min(written + u64::try_from(APPLY_RECORDS)?);
        let mut entries = std::collections::BTreeMap::new();
        for number in written..end {
            add_entries(&database, number, &mut entries)?;
        }
        database.apply(entries.into_iter().collect())?;
        memory = memory.max(memory_mib(std::process::id()).context("reading the memory")?);
        written = end;
    }
    eprintln!("{:.0} s", started.elapsed().as_secs_f64());
    cpu.push((written, cpu_s("self").context("reading the CPU time")?));
    drop(database);
    let disk = allocated(&dir)?;
    std::fs::remove_dir_all(&dir).context("removing the temporary database")?;
    let per_record = |from: (u64, f64), to: (u64, f64)| (to.1 - from.1) * 1e6 / (to.0 - from.0) as f64;
    let (first, last) = (cpu[0], cpu[cpu.len() - 1]);
    let tenth = cpu.iter().rfind(|(written, _)| *written <= records / 10 * 9).copied().unwrap_or(first);
    let mut table = Table::default();
    let figures = [per_record(first, last), per_record(tenth, last), memory, disk as f64 / records as f64];
    for ((name, unit), value) in FIGURES.into_iter().zip(figures) {
        table.row(name, value, unit);
    }
    Ok(table)
}

/// The entries of one record.
fn add_entries(database: &Database, number: u64, into: &mut std::collections::BTreeMap<Vec<u8>, Vec<u8>>) -> Result<()> {
    let hashed = |what: &str, number: u64| Hash::of(format!("{what} {number}").as_bytes());
    let key = |prefix: &[u8], hash: &Hash, bytes: usize, rest: &[u8]| [prefix, &hash.as_bytes()[..bytes], rest].concat();
    let position = &number.to_be_bytes()[3..];
    let row = |hash: &Hash, bytes: usize| {
        let mut row = hash.as_bytes().to_vec();
        row.resize(bytes, b'x');
        row
    };
    let id = hashed("record", number);
    into.insert(key(b"rrecord\0\0", &id, 32, b""), row(&id, ROW_BYTES));
    into.insert(key(b"rbatch\0\x02", &hashed("batch", number), 20, b""), position.to_vec());
    let chance = u64::from_be_bytes(*id.as_bytes().first_chunk().expect("a hash has 32 bytes"));
    let earlier = number - chance % number.clamp(1, BACK_MAX);
    for term in ["ref", "request"] {
        into.insert(key(b"i", &hashed(term, earlier), 12, position), Vec::new());
    }
    if number.is_multiple_of(3) {
        let id = hashed("record", earlier);
        let earlier = key(b"rrecord\0\0", &id, 32, b"");
        ensure!(into.contains_key(&earlier) || database.holds(&earlier)?, "a row that was written is gone");
        into.insert(earlier, row(&id, ROW_BYTES + 33));
    }
    Ok(())
}
