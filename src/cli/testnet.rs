//! `sharelog testnet`: keys, genesis and homes of a local network.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum TestnetCommand {
    /// Make the keys, genesis.json, node homes and client keys of a local network
    Init(InitArgs),
}

#[derive(Debug, Args)]
pub struct InitArgs {
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
}

impl InitArgs {
    /// A local network with fresh keys, as the benchmark starts one.
    pub fn local(_dir: &Path, _validators: u16, _base_port: u16, _http_port: u16) -> Self {
        todo!()
    }
}

pub fn run(_command: &TestnetCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}

/// Makes the network's folder; prints nothing.
pub fn init(_args: &InitArgs) -> anyhow::Result<()> {
    todo!()
}
