//! `sharelog record`: any signed record.

use clap::Subcommand;

use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum RecordCommand {}

pub fn run(_command: &RecordCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}
