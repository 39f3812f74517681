//! `sharelog import`: records in bulk from CSV files, resumable by their journal.

use clap::Subcommand;

use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum ImportCommand {}

pub fn run(_command: &ImportCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}
