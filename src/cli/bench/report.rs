//! The report: JSON for programs, Markdown for people, ratios in one run on one machine.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cli::bench::floors::Floors;
use crate::cli::bench::load::{Latency, Saturation};
use crate::node::local::LocalNetwork;

/// What the folders hold after a clean stop, as `du` counts.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    /// The whole data folder of the largest node, bytes.
    pub data_bytes: u64,
    /// Its log files alone, bytes.
    pub log_bytes: u64,
    /// Bytes of all record leaves of the log.
    pub leaf_bytes: u64,
}

impl Disk {
    pub fn measure(network: &LocalNetwork, leaf_bytes: u64) -> Result<Self> {
        let mut data_bytes = 0;
        let mut log_bytes = 0;
        for node in &network.nodes {
            data_bytes = data_bytes.max(allocated(&node.home.join("data"))?);
            log_bytes = log_bytes.max(allocated(&node.home.join("data/log"))?);
        }
        Ok(Disk { data_bytes, log_bytes, leaf_bytes })
    }
}

/// Allocated bytes of a folder and what is in it.
pub fn allocated(path: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::symlink_metadata(path).with_context(|| format!("reading {}", path.display()))?;
    let mut bytes = metadata.blocks() * 512;
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
            bytes += allocated(&entry?.path())?;
        }
    }
    Ok(bytes)
}

/// All figures of a run.
#[derive(Clone, Debug)]
pub struct Report {
    pub floors: Floors,
    pub agencies: u32,
    pub validators: usize,
    pub light: Latency,
    pub saturation: Saturation,
    pub leaf_bytes_per_record: f64,
    /// Bytes of the record leaves that saturation wrote.
    pub leaf_bytes: u64,
    pub disk: Option<Disk>,
}

impl Report {
    pub fn new(agencies: u32, network: &LocalNetwork, light: Latency, saturation: Saturation, leaf_bytes_per_record: f64) -> Self {
        let leaf_bytes = (leaf_bytes_per_record * saturation.records as f64) as u64;
        let validators = network.nodes.len();
        Report { floors: Floors::default(), agencies, validators, light, saturation, leaf_bytes_per_record, leaf_bytes, disk: None }
    }

    /// CPU microseconds per committed record and validator.
    fn cpu_us(&self) -> Option<f64> {
        let total: f64 = self.saturation.cpu_s.iter().copied().sum::<Option<f64>>()?;
        Some(total * 1e6 / self.saturation.records as f64 / self.validators as f64)
    }

    fn verify_us(&self) -> f64 {
        1e6 / self.floors.verify_per_s
    }

    fn rss_max_mib(&self) -> Option<f64> {
        self.saturation.memory_mib.iter().copied().collect::<Option<Vec<_>>>()?.into_iter().reduce(f64::max)
    }

    /// One row for each figure.
    pub fn table(&self) -> Table {
        let run = &self.saturation;
        let mut table = Table::default();
        table.row("validators", self.validators as f64, "");
        table.row("agencies", f64::from(self.agencies), "");
        table.row("verify_strict_per_s", self.floors.verify_per_s, "1/s");
        table.row("sha256_per_s", self.floors.sha256_per_s, "1/s");
        table.row("fdatasync_p50", self.floors.fdatasync_ms, "ms");
        table.latency("light", &self.light);
        table.row("record_bytes", self.leaf_bytes_per_record, "bytes");
        table.row("committed_blocks", run.blocks as f64, "");
        table.row("committed_records", run.records as f64, "");
        table.row("committed_records_per_s", run.records as f64 / run.seconds, "1/s");
        table.latency("saturated", &run.latency);
        if let Some(cpu_us) = self.cpu_us() {
            table.row("cpu_per_record_and_validator", cpu_us, "us");
            table.row("cpu_over_one_verification", cpu_us / self.verify_us(), "ratio");
        }
        if let Some(rss) = self.rss_max_mib() {
            table.row("node_memory_max", rss, "MiB");
        }
        if let Some(disk) = &self.disk {
            let leaves = disk.leaf_bytes as f64;
            table.row("disk_per_record", disk.data_bytes as f64 / run.records as f64, "bytes");
            table.row("disk_over_record_bytes", disk.data_bytes as f64 / leaves, "ratio");
            table.row("log_over_record_bytes", disk.log_bytes as f64 / leaves, "ratio");
        }
        table
    }
}

/// Figures in their order: name, value, unit.
#[derive(Clone, Debug, Default)]
pub struct Table(Vec<(String, f64, &'static str)>);

impl Table {
    pub fn row(&mut self, name: &str, value: f64, unit: &'static str) {
        self.0.push((name.to_owned(), value, unit));
    }

    /// How many, and the two percentiles.
    pub fn latency(&mut self, name: &str, latency: &Latency) {
        self.row(&format!("{name}_count"), latency.records as f64, "");
        self.row(&format!("{name}_latency_p50"), latency.p50_ms, "ms");
        self.row(&format!("{name}_latency_p99"), latency.p99_ms, "ms");
    }

    pub fn to_json(&self) -> String {
        let member = |(name, value, unit): &(String, f64, &str)| (name.clone(), serde_json::json!({ "unit": unit, "value": value }));
        serde_json::Value::Object(self.0.iter().map(member).collect()).to_string()
    }

    pub fn to_markdown(&self) -> String {
        let mut out = String::from("| figure | value | unit |\n| --- | ---: | --- |\n");
        for (name, value, unit) in &self.0 {
            let digits = if value.fract() == 0.0 || *value >= 1_000.0 { 0 } else { 2 };
            writeln!(out, "| {} | {value:.digits$} | {unit} |", name.replace('_', " ")).expect("writing to a string");
        }
        out
    }
}
