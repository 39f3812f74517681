//! The store: log files (the truth) and sled (state and indexes, rebuildable from the log at any time).

pub mod execution;

use std::path::Path;
use std::sync::Arc;

use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::state::{Rows, Table};
use crate::core::time::Time;
use crate::log::certificate::Certificate;
use crate::log::entry::BlockEntry;
use crate::log::merkle::{Frontier, NodeHashes};
use crate::store::execution::Execution;

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
    #[error("an earlier write failed; the store refuses to go on")]
    Failed,
}

/// Opens the store under `dir`, cutting a torn tail of the log, and rebuilding sled where it is missing, damaged or behind.
///
/// # Errors
/// [`StoreError`].
pub fn open(_dir: &Path, _genesis: Arc<Genesis>, _cache_bytes: u64) -> Result<(Writer, Reader), StoreError> {
    todo!()
}

/// The one writer.
pub struct Writer {}

impl Writer {
    /// Appends a decided block: log frame, one fdatasync, then state and indexes; the reader's head moves last.
    /// Blocking; call it from a blocking thread.
    ///
    /// # Errors
    /// [`StoreError`]; after one, every later call fails.
    pub fn append(&mut self, _block: &Block, _execution: &Execution) -> Result<(), StoreError> {
        todo!()
    }

    pub fn reader(&self) -> Reader {
        todo!()
    }

    /// Flushes and cuts what was preallocated: a clean stop.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn close(self) -> Result<(), StoreError> {
        todo!()
    }
}

/// Read access for everybody else: cheap to clone, never waits for the writer.
#[derive(Clone)]
pub struct Reader {}

impl Reader {
    pub fn head(&self) -> Arc<Head> {
        todo!()
    }

    /// Wakes at every new head.
    pub fn subscribe(&self) -> tokio::sync::watch::Receiver<Arc<Head>> {
        todo!()
    }

    pub fn genesis(&self) -> &Arc<Genesis> {
        todo!()
    }

    /// The block of `height`, its leaves checked against the tree; `None` beyond the head.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn block(&self, _height: u64) -> Result<Option<Block>, StoreError> {
        todo!()
    }

    /// The entry of `height`, checked against the tree; `None` beyond the head and for 0.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn entry(&self, _height: u64) -> Result<Option<BlockEntry>, StoreError> {
        todo!()
    }

    /// The certificate of `height`; `None` beyond the head and for 0.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn certificate(&self, height: u64) -> Result<Option<Certificate>, StoreError> {
        Ok(self.block(height)?.map(|block| block.certificate))
    }

    /// The height of the block that holds `position` (its entry included); `None` beyond the head.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn height_of(&self, _position: u64) -> Result<Option<u64>, StoreError> {
        todo!()
    }

    /// The leaf at `position`, checked against the tree.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn leaf(&self, _position: u64) -> Result<Option<Arc<[u8]>>, StoreError> {
        todo!()
    }

    /// The bytes of a C2SP tile of hashes: `width` (1 to 256) hashes from `index * 256` at tile level `level`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tile(&self, _level: u32, _index: u64, _width: u32) -> Result<Option<Vec<u8>>, StoreError> {
        todo!()
    }

    /// The bytes of a C2SP entry bundle: `width` leaves from `index * 256`, each behind its length as two bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn entries(&self, _index: u64, _width: u32) -> Result<Option<Vec<u8>>, StoreError> {
        todo!()
    }

    /// Positions indexed under `term` (see `store/index.rs`), ascending, in `from..to`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn positions(&self, _term: &str, _from: u64, _to: u64, _limit: usize) -> Result<Vec<u64>, StoreError> {
        todo!()
    }

    /// `first` of the first block whose time is at or after `time`; the head's size when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn first_at_or_after(&self, _time: Time) -> Result<u64, StoreError> {
        todo!()
    }

    /// Rows of `table` with keys after `after`, ascending by key, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rows(&self, _table: Table, _after: Option<&str>, _limit: usize) -> Result<Vec<(String, Arc<Value>)>, StoreError> {
        todo!()
    }
}

impl Rows for Reader {
    fn get(&self, _table: Table, _key: &str) -> Option<Arc<Value>> {
        todo!()
    }
}

impl NodeHashes for Reader {
    type Error = StoreError;

    fn node(&self, _level: u32, _index: u64) -> Result<Hash, StoreError> {
        todo!()
    }
}
