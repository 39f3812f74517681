//! `sharelog key`: make, show and rotate keys.

use clap::Subcommand;

use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum KeyCommand {}

pub fn run(_command: &KeyCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}
