//! `sharelog store`: check or rebuild a node's store.

use clap::Subcommand;

use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum StoreCommand {}

pub fn run(_command: &StoreCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}
