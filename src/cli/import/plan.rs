//! The course that simple imports share: each row becomes one record, is on the ledger already, or is refused.

use std::collections::HashMap;

use clap::Args;

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::import::fields::{Field, Mapping, check_known};
use crate::cli::import::ledger::{self, KnownAgency};
use crate::cli::import::run::{OnError, Run, Want};
use crate::cli::import::table::{Row, Table};
use crate::cli::import::{Ended, Source};
use crate::cli::kinds::members::Members;
use crate::core::hash::Hash;
use crate::core::key::Role;
use crate::core::kinds::Kind;

/// Flags of a simple import.
#[derive(Debug, Args)]
pub struct RowsArgs {
    #[command(flatten)]
    source: Source,
}

/// The record of a row, signed by its writer's office key.
pub struct Plan {
    /// What it is for, once in a journal.
    pub key: String,
    pub kind: &'static str,
    pub refs: Vec<Hash>,
    pub body: Members,
    /// The writer, as spelled on the ledger.
    pub by: String,
}

/// What becomes of a row.
pub enum Planned {
    New(Plan),
    /// It is on the ledger already.
    Kept,
    /// An earlier row of this file says the same.
    Repeated,
    /// It is part of a record that [`Rows::finish`] gives.
    Gathered,
}

/// What rows are read with.
pub struct Reading<'a> {
    pub run: &'a Run,
    pub mapping: &'a Mapping,
    pub agencies: &'a HashMap<String, KnownAgency>,
}

/// One import: its fields, its name in the summary, and how a row is read.
pub trait Rows {
    const FIELDS: &'static [Field];
    const WHAT: &'static str;

    /// # Errors
    /// [`Failure::Refused`] for a row that cannot stand; any other failure ends the import.
    fn read(&mut self, reading: &Reading<'_>, row: &Row) -> Result<Planned, Failure>;

    /// Records for which several rows stand, once all are read; each with the line of its first.
    fn finish(&mut self) -> Vec<(u64, Plan)> {
        Vec::new()
    }
}

/// Runs an import.
///
/// # Errors
/// [`Failure`], when nothing could begin.
pub fn run<R: Rows>(mut rows: R, args: &RowsArgs, global: &Global) -> Result<Ended, Failure> {
    let sheet = &args.source.sheet;
    check_known(&[R::FIELDS], &sheet.maps)?;
    check_known(&[R::FIELDS], &sheet.sets)?;
    let table = Table::read(&sheet.file)?;
    let mapping = Mapping::with_names(R::FIELDS, &sheet.maps, &sheet.sets, &table)?;
    let mut run = args.source.begin(global)?;
    let outcome = import(&mut rows, &mut run, &table, &mapping);
    Ok((run.summary, outcome))
}

/// With `stop`, rows before the first that is refused are sent, and none behind it.
fn import<R: Rows>(rows: &mut R, run: &mut Run, table: &Table, mapping: &Mapping) -> Result<(), Failure> {
    run.summary.add("rows", table.rows.len() + table.faults.len());
    let agencies = ledger::agencies(&run.client)?;
    let first_fault = table.faults.first().map_or(u64::MAX, |fault| fault.line);
    let mut plans = Vec::new();
    let mut ended = None;
    let mut counts = [0, 0];
    for row in &table.rows {
        if run.on_error == OnError::Stop && row.line > first_fault {
            break;
        }
        match rows.read(&Reading { run, mapping, agencies: &agencies }, row) {
            Ok(Planned::New(plan)) => plans.push((row.line, plan)),
            Ok(Planned::Kept) => counts[0] += 1,
            Ok(Planned::Repeated) => counts[1] += 1,
            Ok(Planned::Gathered) => {}
            Err(Failure::Refused(refusal)) => {
                if let Err(failure) = run.refuse(table, row.line, refusal.into()) {
                    ended = Some(failure);
                    break;
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    run.summary.add("kept", counts[0]);
    run.summary.add("repeated", counts[1]);
    if ended.is_none() {
        plans.extend(rows.finish());
    }
    let want = |(line, plan): (u64, Plan)| {
        let signer = run.keys.get(&plan.by, Role::Office)?;
        let (kind, body) = (Kind::parse(plan.kind)?, plan.body.into_value());
        Ok(Want { line, key: plan.key, kind, refs: plan.refs, body, signer, by: plan.by, opening: None })
    };
    let wants = plans.into_iter().map(want).collect::<Result<_, Failure>>()?;
    run.phase(table, R::WHAT, wants)?;
    ended.map_or_else(|| run.faults(table), Err)
}
