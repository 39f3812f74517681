//! One subcommand per record kind: flags become the body, key files sign, the node commits.
//!
//! Flags are the body's members with `-` for `_`; lists repeat their flag; refs go by name. The record is checked here by
//! the rules of form before anything is sent.

mod agency;
mod catalogue;
pub mod handover;
pub mod members;
pub mod share;
pub mod sign;
pub mod submit;

use clap::Subcommand;

pub use agency::RotateArgs;

use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum AgencyCommand {
    /// Admit an agency with its keys
    Admit(agency::AdmitArgs),
}

#[derive(Debug, Subcommand)]
pub enum DutyCommand {
    /// Declare what an agency is by law responsible for
    Declare(catalogue::DeclareArgs),
}

#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// Publish a dataset in the catalogue, or its next version
    Publish(catalogue::PublishArgs),
}

#[derive(Debug, Subcommand)]
pub enum ShareCommand {
    /// Ask a provider for datasets
    Request(share::RequestArgs),
    /// Agree to a request, wholly or partly, or refuse it
    Answer(share::AnswerArgs),
    /// Record a batch that was handed over
    Deliver(handover::DeliverArgs),
    /// Acknowledge a delivery: the batch matches, or it does not
    Receipt(handover::ReceiptArgs),
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn agency(command: &AgencyCommand, global: &Global) -> anyhow::Result<()> {
    match command {
        AgencyCommand::Admit(args) => Ok(agency::admit(args, global)?),
    }
}

/// `sharelog key rotate`.
///
/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn rotate(args: &RotateArgs, global: &Global) -> anyhow::Result<()> {
    Ok(agency::rotate(args, global)?)
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn duty(command: &DutyCommand, global: &Global) -> anyhow::Result<()> {
    match command {
        DutyCommand::Declare(args) => Ok(catalogue::declare(args, global)?),
    }
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn dataset(command: &DatasetCommand, global: &Global) -> anyhow::Result<()> {
    match command {
        DatasetCommand::Publish(args) => Ok(catalogue::publish(args, global)?),
    }
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn share(command: &ShareCommand, global: &Global) -> anyhow::Result<()> {
    match command {
        ShareCommand::Request(args) => Ok(share::request(args, global)?),
        ShareCommand::Answer(args) => Ok(share::answer(args, global)?),
        ShareCommand::Deliver(args) => Ok(handover::deliver(args, global)?),
        ShareCommand::Receipt(args) => Ok(handover::receipt(args, global)?),
    }
}
