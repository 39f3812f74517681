//! Questions to a node: lists, one record, chains, evidence.

use clap::{Args, Subcommand};

use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum QueryCommand {}
#[derive(Debug, Args)]
pub struct GetArgs {}
#[derive(Debug, Args)]
pub struct ChainArgs {}
#[derive(Debug, Args)]
pub struct EvidenceArgs {}

pub fn query(_command: &QueryCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}

pub fn get(_args: &GetArgs, _global: &Global) -> anyhow::Result<()> {
    todo!()
}

pub fn chain(_args: &ChainArgs, _global: &Global) -> anyhow::Result<()> {
    todo!()
}

pub fn evidence(_args: &EvidenceArgs, _global: &Global) -> anyhow::Result<()> {
    todo!()
}
