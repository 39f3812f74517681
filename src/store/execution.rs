//! Executing a block over the state: the one path of proposers, voters, sync and rebuild.

use std::sync::Arc;

use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::record::Record;
use crate::core::refusal::Refusal;
use crate::core::state::{Changes, Rows};
use crate::core::time::Time;
use crate::log::entry::BlockEntry;
use crate::log::merkle::Frontier;
use crate::store::Head;

/// What a block does: the rows it writes, its leaves, its index entries.
#[derive(Clone, Debug)]
pub struct Execution {
    pub entry: BlockEntry,
    pub changes: Changes,
    /// Hashes of the record leaves and, last, of the entry.
    pub leaf_hashes: Vec<Hash>,
    /// (term, position) for the indexes.
    pub terms: Vec<(String, u64)>,
    /// The tree's right edge after the entry.
    pub frontier: Frontier,
}

/// Takes the records of one block in order.
pub struct Executor<'a> {
    _rows: &'a dyn Rows,
    _head: &'a Head,
}

impl<'a> Executor<'a> {
    /// A block on top of `head`, whose rows are `rows`, at block time `time`.
    pub fn new(rows: &'a dyn Rows, head: &'a Head, _genesis: &'a Genesis, _time: Time) -> Self {
        Executor { _rows: rows, _head: head }
    }

    /// Adds a record, or says why it may not stand at this place; a refused one leaves no trace.
    ///
    /// # Errors
    /// Those of `apply`; `too-large` when the block's limits (policy) are reached.
    pub fn push(&mut self, _record: &Arc<Record>) -> Result<(), Refusal> {
        todo!()
    }

    /// Closes the block with its entry.
    pub fn finish(self, _proposer: &str) -> Execution {
        todo!()
    }
}
