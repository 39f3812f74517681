//! Building and executing blocks; blocking work.

use std::sync::Arc;
use std::time::Duration;

use crate::consensus::clock::Clock;
use crate::consensus::engine::body::Body;
use crate::consensus::engine::driver::Shared;
use crate::core::hash::Hash;
use crate::core::limits::EMPTY_BLOCK_GAP_MS;
use crate::core::refusal::Code;
use crate::core::rules;
use crate::core::time::Time;
use crate::limits::CANDIDATE_PASSES_MAX;
use crate::store::Head;
use crate::store::execution::{BlockFault, Execution, Executor, replay};

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
pub fn execute(shared: &Shared, head: &Head, body: Body) -> Result<Executed, BlockFault> {
    let known = |leaf: &Hash| shared.pool.by_leaf_hash(leaf);
    let (execution, records) = replay(&shared.reader, head, &shared.genesis, &body.entry_leaf, &body.leaves, &known, true)?;
    Ok(Executed { body, execution, ids: records.iter().map(|record| record.id()).collect() })
}

/// From when on a block without records may stand on `head`.
pub fn earliest_empty(head: &Head) -> Time {
    head.time.plus_ms(if head.height == 0 { 1 } else { EMPTY_BLOCK_GAP_MS })
}

/// Builds a block of pending records on `head`, which came `rested` ago; `None` when there is nothing to say yet.
pub fn build(shared: &Shared, head: &Head, clock: Clock, rested: Duration) -> Option<Executed> {
    let policy = rules::policy(&shared.reader);
    let records_max = usize::try_from(policy.block_records_max).unwrap_or(usize::MAX);
    let bytes_max = usize::try_from(policy.block_bytes_max).unwrap_or(usize::MAX);
    let mut waiting = shared.pool.candidates(records_max, bytes_max);
    #[cfg(feature = "test-faults")]
    waiting.retain(|record| !crate::consensus::faults::is_censored(&record.by));
    let time = clock.block_time(head.time, rested, waiting.iter().map(|record| record.at));
    #[cfg(feature = "test-faults")]
    let time = crate::consensus::faults::alter_time(time);
    let mut executor = Executor::new(&shared.reader, head, &shared.genesis, time);
    let (mut records, mut refused) = (Vec::with_capacity(waiting.len()), Vec::new());
    let mut is_full = false;
    for _ in 0..CANDIDATE_PASSES_MAX {
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
