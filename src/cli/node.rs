//! `sharelog node`: make a home, run a node.

use clap::Subcommand;

use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum NodeCommand {}

pub fn run(_command: &NodeCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}
