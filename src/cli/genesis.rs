//! `sharelog genesis`: put a network together, step by step; show a genesis file.

use clap::Subcommand;

use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum GenesisCommand {}

pub fn run(_command: &GenesisCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}
