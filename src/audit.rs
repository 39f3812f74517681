//! Checking a whole ledger from its public tiles, believing only the genesis file; copying and comparing ledgers.
//!
//! An audit goes in this order, and the first thing that is not sound ends it:
//!
//! 1. The source's checkpoint is read. Its origin must be the genesis'.
//! 2. The tree's right edge must give the checkpoint's root; every tile is believed only under a tile believed before
//!    ([`tiles`]).
//! 3. The last checkpoint that was verified before, and one that the auditor brings, must be beginnings of this tree: a
//!    smaller or another tree is refused, and both checkpoints are kept ([`memory`]).
//! 4. Every leaf must have its hash in the tree, before anything in it is acted on ([`feed`]).
//! 5. Block by block everything is executed again, from the genesis rows or from a snapshot of an earlier audit: form,
//!    signatures and rules of each record, then the block's entry byte for byte, with chain, root, state hash and validator
//!    sets ([`replay`]).
//! 6. The last leaf must be a block entry, and more than two thirds of the set that it names must have cosigned the checkpoint
//!    ([`cosigners`]).
//!
//! The tiles hold no certificates, and none is needed: each validator set follows from the genesis file by the records that
//! were executed, and the last set vouches for the whole tree. What that does not show is in [`Report::not_shown`].

pub mod compare;
pub mod copy;
pub mod cosigners;
pub mod feed;
pub mod finding;
pub mod held;
pub mod memory;
pub mod replay;
pub mod snapshot;
pub mod source;
pub mod tiles;

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use crate::audit::cosigners::Vouched;
use crate::audit::finding::{Fault, Finding};
use crate::audit::held::Held;
use crate::audit::memory::Memory;
use crate::audit::replay::{Reached, Replay};
use crate::audit::source::{Source, SourceError};
use crate::audit::tiles::Tree;
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::policy::RULES_NEWEST;
use crate::core::refusal::Refusal;
use crate::core::tables;
use crate::log::merkle::root_at;

/// Called with leaves done and leaves in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Why an audit, a copy or a comparison ended without its result.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The answer is no.
    #[error("{0}")]
    Unsound(Box<Finding>),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{operation} {path}: {source}")]
    Io { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("{path}: {refusal}; expected a checkpoint note as /checkpoint serves it")]
    Unreadable { path: PathBuf, refusal: Refusal },
    /// Nothing is wrong: a newer program goes on from here.
    #[error("block {height} is under rule set {rules}; this program has those up to {RULES_NEWEST}: use a newer one")]
    RulesUnknown { height: u64, rules: u64 },
    /// The two places do not hold enough to tell.
    #[error("{0}")]
    Incomparable(String),
}

impl From<Finding> for AuditError {
    fn from(finding: Finding) -> Self {
        AuditError::Unsound(Box::new(finding))
    }
}

/// What is audited, and against what.
pub struct Audit<'a> {
    pub source: &'a dyn Source,
    pub genesis: &'a Genesis,
    /// `None`: nothing is remembered.
    pub memory: Option<&'a Memory<'a>>,
    /// A checkpoint that the auditor brings.
    pub since: Option<&'a Held>,
    /// Leaves between two snapshots, [`crate::limits::AUDIT_SNAPSHOT_LEAVES`] in use.
    pub snapshot_leaves: u64,
}

/// A ledger that was found sound.
#[derive(Clone, Debug)]
pub struct Report {
    pub ledger: String,
    pub size: u64,
    pub root: Hash,
    /// In all, from genesis on.
    pub blocks: u64,
    pub records: u64,
    pub signatures: u64,
    /// Of these, what this run executed.
    pub blocks_now: u64,
    pub records_now: u64,
    pub signatures_now: u64,
    /// Validator sets up to the last block.
    pub sets: usize,
    pub vouched: Vouched,
    /// Where this run began: 0, or the size behind which an earlier one stopped.
    pub resumed_from: u64,
    pub duration_ms: u64,
    /// What was passed over, with why.
    pub notes: Vec<String>,
}

impl Report {
    /// What even a sound ledger does not show.
    pub fn not_shown(&self) -> Vec<String> {
        let mut list = vec![
            format!("anything after the first {} leaves: what came later, or did not come", self.size),
            "who voted for which block: the tiles hold no certificates, and none is needed, since each validator set follows from the \
             genesis file by the records, and those of the last set that are named here vouch for all of it"
                .to_owned(),
            "that this set signed no other history beside this one: compare sources (sharelog compare), and keep auditing".to_owned(),
            "that the data behind a commitment is true; a receipt shows what the other side saw".to_owned(),
        ];
        if self.resumed_from > 0 {
            list.push(format!(
                "the first {} leaves anew: an earlier audit executed them, and the state folder holds what it found",
                self.resumed_from
            ));
        }
        list
    }
}

impl Audit<'_> {
    /// Runs the audit.
    ///
    /// # Errors
    /// [`AuditError::Unsound`] for what is not sound; otherwise why there is no answer.
    pub fn run(&self, progress: Progress<'_>) -> Result<Report, AuditError> {
        let start = Instant::now();
        let offered = Held::of(self.source)?;
        offered.check_origin(&self.genesis.origin)?;
        let tree = self.open_tree(&offered)?;
        let (reached, notes) = self.start(&tree)?;
        let (resumed_from, before) = (reached.head.size, (reached.head.height, reached.records(), reached.signatures));
        let reached = self.replay(&tree, reached, progress)?;
        let vouched = cosigners::judge(&offered.note, &offered.checkpoint, &reached.rows, reached.head.height)?;
        if let Some(memory) = self.memory {
            memory.keep_verified(&offered.note, &reached)?;
        }
        let height = reached.head.height;
        let report = Report {
            ledger: offered.checkpoint.origin,
            size: offered.checkpoint.size,
            root: offered.checkpoint.root,
            blocks: height,
            records: reached.records(),
            signatures: reached.signatures,
            blocks_now: height - before.0,
            records_now: reached.records() - before.1,
            signatures_now: reached.signatures - before.2,
            sets: tables::set_heights(&reached.rows).iter().filter(|first| **first <= height).count(),
            vouched,
            resumed_from,
            duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            notes,
        };
        // To free some hundred thousand rows takes longer than to say what they showed.
        rayon::spawn(move || drop(reached));
        Ok(report)
    }

    /// The tree of the checkpoint, which must continue the ones that are held.
    fn open_tree(&self, offered: &Held) -> Result<Tree<'_>, AuditError> {
        let verified = self.memory.map(Memory::verified).transpose()?.flatten();
        if let Some(since) = self.since {
            since.check_origin(&self.genesis.origin)?;
        }
        let held: Vec<_> = verified.iter().chain(self.since).collect();
        for held in &held {
            self.keep_refused(held, offered, held.check_later(&offered.checkpoint).map_err(AuditError::from))?;
        }
        let tree = Tree::open(self.source, &offered.checkpoint)?;
        for held in &held {
            self.keep_refused(held, offered, held.check_continued(&tree))?;
        }
        Ok(tree)
    }

    /// Keeps both checkpoints when one contradicts the other.
    fn keep_refused(&self, held: &Held, offered: &Held, outcome: Result<(), AuditError>) -> Result<(), AuditError> {
        match (outcome, self.memory) {
            (Err(AuditError::Unsound(mut finding)), Some(memory)) if matches!(finding.fault, Fault::Rollback | Fault::Fork) => {
                let dir = memory.keep_refused(held, offered)?;
                finding.expected = format!("{}; both are kept in {}", finding.expected, dir.display());
                Err(AuditError::Unsound(finding))
            }
            (outcome, _) => outcome,
        }
    }

    /// The furthest state of an earlier audit of this tree's beginning, else that of the genesis.
    fn start(&self, tree: &Tree<'_>) -> Result<(Reached, Vec<String>), AuditError> {
        let (snapshots, mut notes) = self.memory.map(Memory::snapshots).unwrap_or_default();
        for reached in snapshots {
            let size = reached.head.size;
            if size <= tree.size() && root_at(tree, size)? == reached.head.root {
                return Ok((reached, notes));
            }
            notes.push(format!("what an interrupted audit reached, {size} leaves, is no beginning of this tree and is not used"));
        }
        Ok((Reached::genesis(self.genesis), notes))
    }

    fn replay(&self, tree: &Tree<'_>, reached: Reached, progress: Progress<'_>) -> Result<Reached, AuditError> {
        let from = reached.head.size;
        let mut snapshot_at = self.next_snapshot(from);
        let mut replay = Replay::new(self.genesis, reached);
        feed::feed(tree, &self.genesis.origin, from, |leaves| {
            replay.take(leaves)?;
            let size = replay.reached.head.size;
            progress(size, tree.size());
            if size >= snapshot_at
                && size < tree.size()
                && let Some(memory) = self.memory
            {
                memory.keep_unfinished(&replay.reached)?;
                snapshot_at = self.next_snapshot(size);
            }
            Ok(())
        })?;
        replay.take(Vec::new())?;
        progress(replay.reached.head.size, tree.size());
        let (open, head) = (replay.open_leaves(), &replay.reached.head);
        if open > 0 || head.height == 0 {
            let found = format!("{open} leaves behind the last block entry, of block {}", head.height);
            return Err(Finding::new(Fault::Tail, found, "a block entry as the last leaf").at(head.size).into());
        }
        Ok(replay.reached)
    }

    /// Some ten thousand leaves on, and at least half as far again as what is done: a snapshot costs what the state holds.
    fn next_snapshot(&self, size: u64) -> u64 {
        size + self.snapshot_leaves.max(size / 2)
    }
}
