//! Executing a block over the state: the one path of proposers, voters, sync and rebuild.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::key::{KeyId, PublicKey, Role};
use crate::core::limits::EMPTY_BLOCK_GAP_MS;
use crate::core::policy::Policy;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::{self, BlockContext};
use crate::core::state::{Changes, Overlay, Rows, next_state};
use crate::core::time::Time;
use crate::limits::RECORDS_PER_THREAD_MIN;
use crate::log::entry::BlockEntry;
use crate::log::merkle::{Frontier, leaf_hash};
use crate::store::Head;
use crate::store::index;

/// What a block does: the rows it writes, its leaves, its index entries.
#[derive(Clone, Debug)]
pub struct Execution {
    pub entry: BlockEntry,
    pub changes: Changes,
    /// Hashes of the record leaves and, last, of the entry.
    pub leaf_hashes: Vec<Hash>,
    /// (term, position) for the indexes, ascending by position.
    pub terms: Vec<(String, u64)>,
    /// The tree's right edge after the entry.
    pub frontier: Frontier,
}

/// Takes the records of one block in order.
pub struct Executor<'a> {
    rows: &'a dyn Rows,
    head: &'a Head,
    genesis: &'a Genesis,
    time: Time,
    /// After the block before.
    policy: Policy,
    /// The rule set of this block's height.
    rules: u64,
    overlay: Overlay<'a>,
    leaf_bytes: u64,
    leaf_hashes: Vec<Hash>,
    /// `None`: nobody indexes the block.
    terms: Option<Vec<(String, u64)>>,
    frontier: Frontier,
}

impl<'a> Executor<'a> {
    /// A block on top of `head`, whose rows are `rows`, at block time `time`.
    pub fn new(rows: &'a dyn Rows, head: &'a Head, genesis: &'a Genesis, time: Time) -> Self {
        Executor {
            rows,
            head,
            genesis,
            time,
            policy: rules::policy(rows),
            rules: rules::rules_in_force(rows, head.height + 1),
            overlay: Overlay::new(rows),
            leaf_bytes: 0,
            leaf_hashes: Vec::new(),
            terms: Some(Vec::new()),
            frontier: head.frontier.clone(),
        }
    }

    /// Gives no index entries.
    pub fn unindexed(self) -> Self {
        Executor { terms: None, ..self }
    }

    /// Adds a record, or says why it may not stand at this place; a refused one leaves no trace.
    ///
    /// # Errors
    /// Those of `apply`; `too-large` when the block's limits (policy) are reached.
    pub fn push(&mut self, record: &Arc<Record>) -> Result<(), Refusal> {
        let leaf_bytes = self.leaf_bytes + count(record.leaf().len());
        self.check_room(count(self.leaf_hashes.len()) + 1, leaf_bytes)?;
        let position = self.frontier.size();
        let context = BlockContext { height: self.head.height + 1, position, time: self.time, rules: self.rules };
        let changes = rules::apply(&self.overlay, record, &context)?;
        self.overlay.changes.extend(changes);
        if let Some(terms) = &mut self.terms {
            let subjects = rules::subjects(&self.overlay, record);
            terms.extend(index::terms(record, &subjects).into_iter().map(|term| (term, position)));
        }
        self.leaf_bytes = leaf_bytes;
        self.leaf_hashes.push(record.leaf_hash());
        self.frontier.push(record.leaf_hash());
        Ok(())
    }

    fn check_room(&self, records: u64, leaf_bytes: u64) -> Result<(), Refusal> {
        if records > self.policy.block_records_max {
            let most = format!("at most {} records", self.policy.block_records_max);
            return Err(Refusal::new(Code::TooLarge, format!("a block of {records} records"), most));
        }
        if leaf_bytes > self.policy.block_bytes_max {
            let most = format!("at most {} bytes", self.policy.block_bytes_max);
            return Err(Refusal::new(Code::TooLarge, format!("a block of {leaf_bytes} bytes"), most));
        }
        Ok(())
    }

    /// Closes the block with its entry.
    pub fn finish(mut self, proposer: &str) -> Execution {
        let height = self.head.height + 1;
        let entry = BlockEntry {
            first: self.head.size,
            height,
            ledger: self.genesis.origin.clone(),
            next: rules::validator_set(&self.overlay, height + 1).hash(),
            position: self.frontier.size(),
            previous: self.head.entry_hash,
            proposer: proposer.to_owned(),
            root: self.frontier.root(),
            rules: self.rules,
            state: next_state(&self.head.state, &self.overlay.changes),
            time: self.time,
            validators: rules::validator_set(self.rows, height).hash(),
        };
        let hash = entry.hash();
        self.leaf_hashes.push(hash);
        self.frontier.push(hash);
        let terms = self.terms.unwrap_or_default();
        Execution { entry, changes: self.overlay.changes, leaf_hashes: self.leaf_hashes, terms, frontier: self.frontier }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).expect("a count in memory fits in 64 bits")
}

/// Why a block is invalid.
#[derive(Debug, thiserror::Error)]
pub enum BlockFault {
    #[error("the record at position {position}: {refusal}")]
    Record { position: u64, refusal: Refusal },
    #[error("the block's entry: {refusal}")]
    Form { refusal: Refusal },
    #[error("the block's {member}: found {found}; expected {expected}")]
    Entry { member: &'static str, found: String, expected: String },
}

/// Parses and executes the leaves of a block on top of `head`, whose rows are `rows`, and checks that they give its entry,
/// byte for byte. `known` gives records that were parsed and verified before, by leaf hash; the signatures of the others
/// are verified in parallel. Without `is_indexed` there are no index entries. The clock, the round's proposer and the
/// certificate are for the caller to check.
///
/// # Errors
/// [`BlockFault`].
pub fn replay(
    rows: &dyn Rows,
    head: &Head,
    genesis: &Genesis,
    entry_leaf: &[u8],
    leaves: &[Arc<[u8]>],
    known: &dyn Fn(&Hash) -> Option<Arc<Record>>,
    is_indexed: bool,
) -> Result<(Execution, Vec<Arc<Record>>), BlockFault> {
    let entry = BlockEntry::parse(entry_leaf).map_err(|refusal| BlockFault::Form { refusal })?;
    check_entry(rows, head, genesis, &entry, leaves.len())?;
    let executor = Executor::new(rows, head, genesis, entry.time);
    let mut executor = if is_indexed { executor } else { executor.unindexed() };
    let leaf_bytes = leaves.iter().map(|leaf| count(leaf.len())).sum();
    let at = |position: u64| move |refusal| BlockFault::Record { position, refusal };
    executor.check_room(count(leaves.len()), leaf_bytes).map_err(at(entry.first))?;
    let records = parse_all(genesis, leaves, known).map_err(|(index, refusal)| at(entry.first + count(index))(refusal))?;
    verify_signatures(rows, &records);
    for (position, record) in (entry.first..).zip(&records) {
        executor.push(record).map_err(at(position))?;
    }
    let execution = executor.finish(&entry.proposer);
    compare(&entry, &execution.entry)?;
    if execution.entry.to_text().as_bytes() != entry_leaf {
        return Err(fault("text", "another spelling", "the entry's one text"));
    }
    Ok((execution, records))
}

fn fault(member: &'static str, found: impl ToString, expected: impl ToString) -> BlockFault {
    BlockFault::Entry { member, found: found.to_string(), expected: expected.to_string() }
}

/// What can be said of an entry before its records are executed.
fn check_entry(rows: &dyn Rows, head: &Head, genesis: &Genesis, entry: &BlockEntry, records: usize) -> Result<(), BlockFault> {
    if entry.ledger != genesis.origin {
        return Err(fault("ledger", &entry.ledger, &genesis.origin));
    }
    if entry.height != head.height + 1 {
        return Err(fault("height", entry.height, head.height + 1));
    }
    if entry.first != head.size || entry.position != entry.first + count(records) {
        let expected = format!("{} to {}", head.size, head.size + count(records));
        return Err(fault("place", format!("{} to {}", entry.first, entry.position), expected));
    }
    if entry.time <= head.time {
        return Err(fault("time", entry.time, format!("after {}", head.time)));
    }
    let rests = head.height == 0 || records > 0 || entry.time >= head.time.plus_ms(EMPTY_BLOCK_GAP_MS);
    if !rests {
        return Err(fault("time", entry.time, format!("{EMPTY_BLOCK_GAP_MS} ms after {}, being empty", head.time)));
    }
    if rules::validator_set(rows, entry.height).member(&entry.proposer).is_none() {
        return Err(fault("proposer", &entry.proposer, "a member of the validator set"));
    }
    Ok(())
}

fn compare(found: &BlockEntry, expected: &BlockEntry) -> Result<(), BlockFault> {
    let hashes = [
        ("next", found.next, expected.next),
        ("previous", found.previous, expected.previous),
        ("root", found.root, expected.root),
        ("state", found.state, expected.state),
        ("validators", found.validators, expected.validators),
    ];
    if let Some((member, found, expected)) = hashes.into_iter().find(|(_, found, expected)| found != expected) {
        return Err(fault(member, found, expected));
    }
    if found.rules != expected.rules {
        return Err(fault("rules", found.rules, expected.rules));
    }
    Ok(())
}

/// Every leaf as a record; the first refusal with its index otherwise.
fn parse_all(
    genesis: &Genesis,
    leaves: &[Arc<[u8]>],
    known: &dyn Fn(&Hash) -> Option<Arc<Record>>,
) -> Result<Vec<Arc<Record>>, (usize, Refusal)> {
    let given: Vec<_> = leaves.iter().map(|leaf| known(&leaf_hash(leaf))).collect();
    if given.iter().all(Option::is_some) {
        return Ok(given.into_iter().flatten().collect());
    }
    let parse = |(leaf, given): (&Arc<[u8]>, Option<Arc<Record>>)| match given {
        Some(record) => Ok(record),
        None => Record::parse(leaf, &genesis.origin).map(Arc::new),
    };
    let parsed: Vec<_> = leaves.par_iter().zip(given).map(parse).collect();
    parsed.into_iter().enumerate().map(|(index, outcome)| outcome.map_err(|refusal| (index, refusal))).collect()
}

/// Verifies the records' signatures in parallel under the keys that `rows` hold; the outcomes stay with the records, so
/// that `apply` finds them. A signature by a key that comes later in the same block is left to `apply`.
pub fn verify_signatures(rows: &dyn Rows, records: &[Arc<Record>]) {
    verify(&wanted_signatures(rows, records));
}

/// A signature line that is to be verified: record, line, key.
pub type Wanted = (Arc<Record>, usize, PublicKey);

/// The lines that are not verified yet and whose keys `rows` hold. Those of one key follow each other, so that what is prepared
/// of it (`core/prepared.rs`) stays in the processor's cache.
pub fn wanted_signatures(rows: &dyn Rows, records: &[Arc<Record>]) -> Vec<Wanted> {
    let mut keys: BTreeMap<(&str, Role, KeyId), Option<PublicKey>> = BTreeMap::new();
    let mut wanted = Vec::new();
    for record in records.iter().filter(|record| record.signatures_verified() < record.signatures.len()) {
        for (index, line) in record.signatures.iter().enumerate() {
            let find = || {
                let mut keys = rules::agency_keys(rows, &line.agency).into_iter();
                keys.find(|key| key.role == line.role && key.vkey.id() == line.id).map(|key| *key.vkey.public())
            };
            if let Some(key) = *keys.entry((&line.agency, line.role, line.id)).or_insert_with(find) {
                wanted.push((record.clone(), index, key));
            }
        }
    }
    wanted.sort_by_key(|(_, _, key)| *key);
    wanted
}

/// Verifies these in parallel; the outcomes stay with the records.
pub fn verify(wanted: &[Wanted]) {
    if wanted.is_empty() {
        return;
    }
    wanted.par_iter().with_min_len(RECORDS_PER_THREAD_MIN).for_each(|(record, index, key)| {
        record.verifies(*index, key);
    });
}
