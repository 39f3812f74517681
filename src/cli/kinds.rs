//! One subcommand per record kind.

use clap::Subcommand;

use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum AgencyCommand {}
#[derive(Debug, Subcommand)]
pub enum DutyCommand {}
#[derive(Debug, Subcommand)]
pub enum DatasetCommand {}
#[derive(Debug, Subcommand)]
pub enum ShareCommand {}

pub fn agency(_command: &AgencyCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}

pub fn duty(_command: &DutyCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}

pub fn dataset(_command: &DatasetCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}

pub fn share(_command: &ShareCommand, _global: &Global) -> anyhow::Result<()> {
    todo!()
}
