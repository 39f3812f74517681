//! One subcommand per record kind: flags become the body, key files sign, the node commits.
//!
//! Flags are the body's members with `-` for `_`; lists repeat their flag; refs go by name. The record is checked here by
//! the rules of form before anything is sent.

mod agency;
mod catalogue;
pub mod handover;
mod ledger_rules;
pub mod lifecycle;
mod matters;
pub mod members;
mod membership;
mod nodes;
pub mod share;
pub mod sign;
pub mod submit;
mod upkeep;

use clap::Subcommand;

pub use agency::RotateArgs;
pub use ledger_rules::{CalendarCommand, PolicyCommand, TerritoryCommand};
pub use matters::{CorrectionCommand, DisputeCommand, FindingCommand};
pub use membership::RevokeArgs;
pub use nodes::{AdmitArgs as AdmitNodeArgs, RemoveArgs as RemoveNodeArgs, ValidatorCommand};
pub use upkeep::{AmendArgs, CollectCommand};

use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum AgencyCommand {
    /// Admit an agency with its keys
    Admit(agency::AdmitArgs),
    /// Say what an agency is from now on: names, level, territory, line, parent
    Change(membership::ChangeArgs),
    /// Suspend an agency, or lift it
    Suspend(membership::SuspendArgs),
    /// Retire an agency, with the successor that takes over
    Retire(membership::RetireArgs),
}

#[derive(Debug, Subcommand)]
pub enum DutyCommand {
    /// Declare what an agency is by law responsible for
    Declare(catalogue::DeclareArgs),
    /// Retire a duty
    Retire(upkeep::RetireDutyArgs),
}

#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// Publish a dataset in the catalogue, or its next version
    Publish(Box<catalogue::PublishArgs>),
    /// Take a dataset out of the catalogue
    Retire(upkeep::RetireDatasetArgs),
    /// Approve a version of a dataset, or return it
    Review(upkeep::ReviewArgs),
}

#[derive(Debug, Subcommand)]
pub enum ShareCommand {
    /// Ask a provider for datasets
    Request(share::RequestArgs),
    /// Ask once for what a request lacks, or give it
    Supplement(lifecycle::SupplementArgs),
    /// Take a request back before its answer
    Withdraw(lifecycle::WithdrawArgs),
    /// Agree to a request, wholly or partly, or refuse it
    Answer(share::AnswerArgs),
    /// Give a clock more working days
    Extend(lifecycle::ExtendArgs),
    /// Record a batch that was handed over
    Deliver(handover::DeliverArgs),
    /// Acknowledge a delivery: the batch matches, or it does not
    Receipt(handover::ReceiptArgs),
    /// Suspend a grant
    Suspend(lifecycle::GrantArgs),
    /// Resume a suspended grant
    Resume(lifecycle::ResumeArgs),
    /// End a grant
    End(lifecycle::GrantArgs),
    /// Report how often the data were used, by purpose
    Use(lifecycle::UseArgs),
    /// Report that the data were disposed of after the grant's end
    Dispose(lifecycle::DisposeArgs),
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn agency(command: &AgencyCommand, global: &Global) -> anyhow::Result<()> {
    match command {
        AgencyCommand::Admit(args) => Ok(agency::admit(args, global)?),
        AgencyCommand::Change(args) => Ok(membership::change(args, global)?),
        AgencyCommand::Suspend(args) => Ok(membership::suspend(args, global)?),
        AgencyCommand::Retire(args) => Ok(membership::retire(args, global)?),
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
        DutyCommand::Retire(args) => Ok(upkeep::retire_duty(args, global)?),
    }
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn dataset(command: &DatasetCommand, global: &Global) -> anyhow::Result<()> {
    match command {
        DatasetCommand::Publish(args) => Ok(catalogue::publish(args, global)?),
        DatasetCommand::Retire(args) => Ok(upkeep::retire_dataset(args, global)?),
        DatasetCommand::Review(args) => Ok(upkeep::review(args, global)?),
    }
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn share(command: &ShareCommand, global: &Global) -> anyhow::Result<()> {
    match command {
        ShareCommand::Request(args) => Ok(share::request(args, global)?),
        ShareCommand::Supplement(args) => Ok(lifecycle::supplement(args, global)?),
        ShareCommand::Withdraw(args) => Ok(lifecycle::withdraw(args, global)?),
        ShareCommand::Answer(args) => Ok(share::answer(args, global)?),
        ShareCommand::Extend(args) => Ok(lifecycle::extend(args, global)?),
        ShareCommand::Deliver(args) => Ok(handover::deliver(args, global)?),
        ShareCommand::Receipt(args) => Ok(handover::receipt(args, global)?),
        ShareCommand::Suspend(args) => Ok(lifecycle::stop("share.suspend", args, global)?),
        ShareCommand::Resume(args) => Ok(lifecycle::resume(args, global)?),
        ShareCommand::End(args) => Ok(lifecycle::stop("share.end", args, global)?),
        ShareCommand::Use(args) => Ok(lifecycle::use_of(args, global)?),
        ShareCommand::Dispose(args) => Ok(lifecycle::dispose(args, global)?),
    }
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn policy(command: &PolicyCommand, global: &Global) -> anyhow::Result<()> {
    Ok(ledger_rules::policy(command, global)?)
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn calendar(command: &CalendarCommand, global: &Global) -> anyhow::Result<()> {
    Ok(ledger_rules::calendar(command, global)?)
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn territory(command: &TerritoryCommand, global: &Global) -> anyhow::Result<()> {
    Ok(ledger_rules::territory(command, global)?)
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn correction(command: &CorrectionCommand, global: &Global) -> anyhow::Result<()> {
    Ok(matters::correction(command, global)?)
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn dispute(command: &DisputeCommand, global: &Global) -> anyhow::Result<()> {
    Ok(matters::dispute(command, global)?)
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn finding(command: &FindingCommand, global: &Global) -> anyhow::Result<()> {
    Ok(matters::finding(command, global)?)
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn collect(command: &CollectCommand, global: &Global) -> anyhow::Result<()> {
    Ok(upkeep::collect(command, global)?)
}

/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn validator(command: &ValidatorCommand, global: &Global) -> anyhow::Result<()> {
    Ok(nodes::validator(command, global)?)
}

/// `sharelog key revoke`.
///
/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn revoke(args: &RevokeArgs, global: &Global) -> anyhow::Result<()> {
    Ok(membership::revoke(args, global)?)
}

/// `sharelog node admit`.
///
/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn admit_node(args: &AdmitNodeArgs, global: &Global) -> anyhow::Result<()> {
    Ok(nodes::admit(args, global)?)
}

/// `sharelog node remove`.
///
/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn remove_node(args: &RemoveNodeArgs, global: &Global) -> anyhow::Result<()> {
    Ok(nodes::remove(args, global)?)
}

/// `sharelog record amend`.
///
/// # Errors
/// [`crate::cli::failure::Failure`].
pub fn amend(args: &AmendArgs, global: &Global) -> anyhow::Result<()> {
    Ok(upkeep::amend(args, global)?)
}
