//! `sharelog verify`: an evidence file, offline.

use clap::Args;

use crate::cli::Global;

#[derive(Debug, Args)]
pub struct VerifyArgs {}

pub fn run(_args: &VerifyArgs, _global: &Global) -> anyhow::Result<()> {
    todo!()
}
