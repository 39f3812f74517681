//! The store: log files (the truth), and what is rebuildable from them at any time: the state and its indexes in fjall, the
//! tree's tiles in sled.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `execution` | executing a block over the state |
//! | `disk` | the calls that make bytes durable |
//! | `segments`, `frame` | the log files and the bytes of a block in them |
//! | `db`, `rows`, `index`, `key_filter` | fjall, and what lies in it |
//! | `tile_db`, `tiles` | sled, and what lies in it |
//! | `folder`, `seal` | when a database's folder and its values are believed |
//! | `view`, `state`, `reader` | the newest blocks in memory above the databases: writing and reading |
//! | `opening` | opening, catching up, rebuilding |
//! | `check` | checking everything |

pub mod check;
mod db;
pub mod disk;
pub mod execution;
#[cfg(feature = "test-faults")]
pub mod faults;
mod folder;
pub(crate) mod frame;
pub mod index;
mod key_filter;
pub mod lock;
mod opening;
mod reader;
mod row_cache;
mod rows;
mod seal;
pub(crate) mod segments;
mod state;
mod tile_db;
pub(crate) mod tiles;
mod view;

use std::path::Path;
use std::sync::Arc;

use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::policy::RULES_NEWEST;
use crate::core::time::Time;
use crate::log::certificate::Certificate;
use crate::log::entry::BlockEntry;
use crate::log::merkle::Frontier;
use crate::store::execution::Execution;
use crate::store::opening::Rebuild;
pub use crate::store::opening::{Progress, genesis_head};
pub use crate::store::reader::Reader;
use crate::store::segments::LogWriter;
use crate::store::state::State;

/// A decided block, as it lies in the log.
#[derive(Clone, Debug)]
pub struct Block {
    pub entry: BlockEntry,
    /// The entry's leaf bytes.
    pub entry_leaf: Arc<[u8]>,
    /// The leaves of the records, positions `entry.first` to `entry.position - 1`.
    pub records: Vec<Arc<[u8]>>,
    pub certificate: Certificate,
}

/// The newest block that is on disk and applied; before block 1 that of the genesis.
#[derive(Clone, Debug)]
pub struct Head {
    /// 0 before block 1.
    pub height: u64,
    /// Leaves in the log: the newest entry's position + 1.
    pub size: u64,
    /// Root of the first `size` leaves.
    pub root: Hash,
    /// state(height).
    pub state: Hash,
    /// The newest block's time; before block 1 the genesis' `created`.
    pub time: Time,
    /// Leaf hash of the newest entry; before block 1 the genesis hash.
    pub entry_hash: Hash,
    /// The tree's right edge at `size`.
    pub frontier: Frontier,
}

/// What went wrong with the store. Corruption and failed syncs end the node.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{operation} {object}")]
    Io { operation: &'static str, object: String, source: std::io::Error },
    #[error("damaged: {object}: {found}")]
    Corrupt { object: String, found: String },
    /// Nothing is damaged: a newer program goes on from here.
    #[error("height {height} is under rule set {rules}; this program has those up to {RULES_NEWEST}: use a newer one")]
    RulesUnknown { height: u64, rules: u64 },
    #[error("an earlier write failed; the store refuses to go on")]
    Failed,
    /// The caller's mistake: nothing is damaged.
    #[error("node {index} at level {level} lies beyond the tree")]
    Beyond { level: u32, index: u64 },
    /// The caller's mistake: nothing is written.
    #[error("block {height} does not follow the head or differs from its execution")]
    Misplaced { height: u64 },
}

/// Opens the store under `dir` (`log/`, `state/`, `sled/`), cutting a torn tail of the log, and rebuilding a database that is
/// missing, damaged or behind. A second opening, by this process or another, is refused.
///
/// # Errors
/// [`StoreError`].
pub fn open(dir: &Path, genesis: Arc<Genesis>, cache_bytes: u64) -> Result<(Writer, Reader), StoreError> {
    let (log, state) = opening::open(dir, &genesis, cache_bytes, Rebuild::IfNeeded, &mut |_, _| {})?;
    let reader = state.reader();
    Ok((Writer { log, state }, reader))
}

/// Removes the databases under `dir` and builds them from the log.
///
/// # Errors
/// [`StoreError`].
pub fn rebuild(dir: &Path, genesis: Arc<Genesis>, cache_bytes: u64, progress: Progress<'_>) -> Result<(), StoreError> {
    let (log, state) = opening::open(dir, &genesis, cache_bytes, Rebuild::Always, progress)?;
    Writer { log, state }.close()
}

/// The one writer.
pub struct Writer {
    log: LogWriter,
    state: State,
}

impl Writer {
    /// Appends a decided block: log frame, one fdatasync, then state and indexes; the reader's head moves last.
    /// Blocking; call it from a blocking thread.
    ///
    /// # Errors
    /// [`StoreError`]; after one of I/O or damage, every later call fails.
    pub fn append(&mut self, block: &Block, execution: &Execution) -> Result<(), StoreError> {
        let shared = self.state.shared();
        shared.check()?;
        let head = shared.view().head.clone();
        let follows = block.entry.height == head.height + 1 && block.entry.first == head.size;
        let same = block.entry == execution.entry
            && block.records.len() + 1 == execution.leaf_hashes.len()
            && execution.frontier.size() == block.entry.position + 1;
        if !follows || !same {
            return Err(StoreError::Misplaced { height: block.entry.height });
        }
        self.log.append(block)?;
        self.state.apply(execution)?;
        self.log.preallocate();
        Ok(())
    }

    pub fn reader(&self) -> Reader {
        self.state.reader()
    }

    /// Flushes and cuts what was preallocated: a clean stop.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn close(mut self) -> Result<(), StoreError> {
        self.log.cut()?;
        self.state.finish()?;
        self.state.shared().db.flush()?;
        self.state.shared().tile_db.close()
    }
}
