//! Executing the ledger again from its leaves, block by block, from the genesis rows or from a snapshot.
//!
//! The signatures of a batch of leaves are verified on all cores while the batch before it is executed, under the keys of the
//! state before both; whatever rests on a later key is left to the rules. Everything else is [`execution::replay`], the nodes' own path: form, rules,
//! state hash, validator sets and the entry byte for byte.

use std::collections::HashMap;
use std::sync::Arc;

use crate::audit::AuditError;
use crate::audit::feed::{Content, Leaf};
use crate::audit::finding::{Fault, Finding};
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::policy::RULES_NEWEST;
use crate::core::record::Record;
use crate::core::rules;
use crate::core::state::MemoryRows;
use crate::store::execution::{self, BlockFault};
use crate::store::{Head, genesis_head};

/// A ledger's state behind one of its blocks, with what was checked on the way there from genesis.
#[derive(Clone, Debug)]
pub struct Reached {
    pub rows: MemoryRows,
    pub head: Head,
    /// Signature lines of all records up to here.
    pub signatures: u64,
}

impl Reached {
    /// Before block 1.
    pub fn genesis(genesis: &Genesis) -> Self {
        let mut rows = MemoryRows::default();
        rows.apply(&genesis.rows());
        Reached { rows, head: genesis_head(genesis), signatures: 0 }
    }

    /// Records up to here: all leaves but the block entries.
    pub fn records(&self) -> u64 {
        self.head.size.saturating_sub(self.head.height)
    }
}

/// A replay under way.
pub struct Replay<'a> {
    genesis: &'a Genesis,
    pub reached: Reached,
    /// The newest batch, its signatures verified.
    next: Vec<Leaf>,
    /// Leaves behind the newest block entry.
    open: Vec<Leaf>,
}

impl<'a> Replay<'a> {
    pub fn new(genesis: &'a Genesis, reached: Reached) -> Self {
        Replay { genesis, reached, next: Vec::new(), open: Vec::new() }
    }

    /// Takes the leaves that follow, and executes each block that those before them complete; no leaves follow the last ones.
    ///
    /// # Errors
    /// [`AuditError`]: the first record or block that is not sound, or is under newer rules than this program has.
    pub fn take(&mut self, leaves: Vec<Leaf>) -> Result<(), AuditError> {
        let record = |leaf: &Leaf| match &leaf.content {
            Content::Record(record) => Some(record.clone()),
            _ => None,
        };
        let records: Vec<_> = leaves.iter().filter_map(record).collect();
        let wanted = execution::wanted_signatures(&self.reached.rows, &records);
        let batch = std::mem::replace(&mut self.next, leaves);
        let ((), executed) = rayon::join(|| execution::verify(&wanted), || self.execute_all(batch));
        executed
    }

    fn execute_all(&mut self, leaves: Vec<Leaf>) -> Result<(), AuditError> {
        for leaf in leaves {
            match leaf.content {
                Content::Entry => self.execute(&leaf)?,
                _ => self.open.push(leaf),
            }
        }
        let most = rules::policy(&self.reached.rows).block_records_max;
        if count(self.open.len()) > most {
            let found = format!("{} leaves behind the entry of block {}, and no other entry", self.open.len(), self.reached.head.height);
            let expected = format!("a block entry behind at most {most} records");
            return Err(Finding::new(Fault::Entry, found, expected).at(self.reached.head.size).into());
        }
        Ok(())
    }

    /// Leaves behind the newest block.
    pub fn open_leaves(&self) -> usize {
        self.open.len()
    }

    fn execute(&mut self, entry: &Leaf) -> Result<(), AuditError> {
        let Reached { rows, head, .. } = &self.reached;
        let height = head.height + 1;
        let rules = rules::rules_in_force(rows, height);
        if rules > RULES_NEWEST {
            return Err(AuditError::RulesUnknown { height, rules });
        }
        let bytes: Vec<_> = self.open.iter().map(|leaf| leaf.bytes.clone()).collect();
        let parsed: HashMap<Hash, &Arc<Record>> = self
            .open
            .iter()
            .filter_map(|leaf| match &leaf.content {
                Content::Record(record) => Some((leaf.hash, record)),
                _ => None,
            })
            .collect();
        let known = |hash: &Hash| parsed.get(hash).map(|record| Arc::clone(record));
        let position = head.size + count(self.open.len());
        let replayed = execution::replay(rows, head, self.genesis, &entry.bytes, &bytes, &known, false);
        let (execution, records) = replayed.map_err(|fault| finding(fault, position).in_block(height))?;
        let frontier = execution.frontier;
        let head = Head {
            height,
            size: frontier.size(),
            root: frontier.root(),
            state: execution.entry.state,
            time: execution.entry.time,
            entry_hash: entry.hash,
            frontier,
        };
        self.reached.signatures += records.iter().map(|record| count(record.signatures.len())).sum::<u64>();
        self.reached.rows.apply(&execution.changes);
        self.reached.head = head;
        self.open.clear();
        Ok(())
    }
}

/// `position` is the entry's.
fn finding(fault: BlockFault, position: u64) -> Finding {
    match fault {
        BlockFault::Record { position, refusal } => {
            let rule = refusal.rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
            let found = format!("a record that is refused here: {}", refusal.found);
            Finding::new(Fault::Record(refusal.code), found, format!("{}{rule}", refusal.expected)).at(position)
        }
        BlockFault::Form { refusal } => {
            let found = format!("an entry that is refused ({}): {}", refusal.code, refusal.found);
            Finding::new(Fault::Entry, found, refusal.expected).at(position)
        }
        BlockFault::Entry { member, found, expected } => {
            Finding::new(Fault::Entry, format!("{member} {found}"), format!("{member} {expected}")).at(position)
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).expect("a count in memory fits in 64 bits")
}
