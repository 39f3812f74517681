//! Building and executing blocks; blocking work.

use std::sync::Arc;

use crate::consensus::engine::body::Body;
use crate::consensus::engine::driver::Shared;
use crate::core::hash::Hash;
use crate::core::limits::EMPTY_BLOCK_GAP_MS;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules;
use crate::core::time::Time;
use crate::core::validators::ValidatorSet;
use crate::log::entry::BlockEntry;
use crate::log::merkle::leaf_hash;
use crate::store::Head;
use crate::store::execution::{Execution, Executor};

/// Looks at refused candidates: one may build on a record that stood behind it.
const PASSES_MAX: usize = 3;

/// A block whose content is valid on top of the head.
#[derive(Debug)]
pub struct Executed {
    pub body: Body,
    pub execution: Execution,
    /// Ids of its records.
    pub ids: Vec<Hash>,
}

/// Executes a body on top of `head`; judges everything but the clock and whose turn it is.
///
/// # Errors
/// Why the block is invalid.
pub fn execute(shared: &Shared, head: &Head, set: &ValidatorSet, body: Body) -> Result<Executed, Refusal> {
    let entry = BlockEntry::parse(&body.entry_leaf)?;
    if set.member(&entry.proposer).is_none() {
        return Err(Refusal::new(Code::FieldInvalid, entry.proposer, "a proposer of the height's validator set"));
    }
    check_time(head, entry.time, body.leaves.is_empty())?;
    let mut executor = Executor::new(&shared.reader, head, &shared.genesis, entry.time);
    let mut ids = Vec::with_capacity(body.leaves.len());
    for leaf in &body.leaves {
        let record = match shared.pool.by_leaf_hash(&leaf_hash(leaf)) {
            Some(record) => record,
            None => Arc::new(Record::parse(leaf, &shared.genesis.origin)?),
        };
        executor.push(&record)?;
        ids.push(record.id());
    }
    let execution = executor.finish(&entry.proposer);
    if execution.entry != entry || execution.entry.to_text().as_bytes() != body.entry_leaf.as_ref() {
        return Err(Refusal::new(Code::FieldInvalid, entry.to_text(), execution.entry.to_text()));
    }
    Ok(Executed { body, execution, ids })
}

/// Time rises; a block without records keeps its distance.
fn check_time(head: &Head, time: Time, is_empty: bool) -> Result<(), Refusal> {
    let earliest = if is_empty { earliest_empty(head) } else { head.time.plus_ms(1) };
    if time < earliest {
        return Err(Refusal::new(Code::FieldInvalid, format!("block time {time}"), format!("{earliest} or later")));
    }
    Ok(())
}

/// From when on a block without records may stand on `head`.
pub fn earliest_empty(head: &Head) -> Time {
    head.time.plus_ms(if head.height == 0 { 1 } else { EMPTY_BLOCK_GAP_MS })
}

/// Builds a block of pending records at `time`; `None` when there is nothing to say yet.
pub fn build(shared: &Shared, head: &Head, time: Time) -> Option<Executed> {
    #[cfg(feature = "test-faults")]
    let time = crate::consensus::faults::alter_time(time);
    let policy = rules::policy(&shared.reader);
    let records_max = usize::try_from(policy.block_records_max).unwrap_or(usize::MAX);
    let bytes_max = usize::try_from(policy.block_bytes_max).unwrap_or(usize::MAX);
    let mut executor = Executor::new(&shared.reader, head, &shared.genesis, time);
    let mut waiting = shared.pool.candidates(records_max, bytes_max);
    let (mut records, mut refused) = (Vec::with_capacity(waiting.len()), Vec::new());
    let mut is_full = false;
    for _ in 0..PASSES_MAX {
        let before = records.len();
        refused.clear();
        for record in std::mem::take(&mut waiting) {
            match executor.push(&record) {
                Ok(()) => records.push(record),
                Err(refusal) if refusal.code == Code::TooLarge => is_full = true,
                Err(refusal) => {
                    refused.push((record.id(), refusal));
                    waiting.push(record);
                }
            }
        }
        if refused.is_empty() || records.len() == before {
            break;
        }
    }
    for (id, refusal) in refused {
        // What it builds on may stand in the next block, when this one had no room.
        if !(is_full && refusal.may_pass_later()) {
            shared.pool.refused(&id, refusal);
        }
    }
    if records.is_empty() && time < earliest_empty(head) {
        return None;
    }
    let execution = executor.finish(&shared.agency);
    let leaves = records.iter().map(|record| Arc::clone(record.leaf())).collect();
    #[cfg(feature = "test-faults")]
    let (leaves, execution) = crate::consensus::faults::alter_block(head, leaves, execution);
    let body = Body { entry_leaf: execution.entry.to_text().into_bytes().into(), leaves };
    Some(Executed { body, execution, ids: records.iter().map(|record| record.id()).collect() })
}
