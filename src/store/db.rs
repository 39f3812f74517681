//! The state in fjall, behind one door: small values under short keys, each with a checksum, all rebuildable from the log.
//!
//! Keys, by their first byte: `h` the newest block that is in; `i` index entries (`store/index.rs`), `r` rows
//! (`store/rows.rs`).
//!
//! Why not sled as well: its pages are written again for a few entries each, and record ids fall on all of them
//! (`sharelog bench engines` compares the two).
//!
//! Nothing is believed for having opened. Every batch carries the head row: height, hashes, and a digest (count and sum) over
//! all entries; every start reads every entry, compares the digest, and keeps the keys of rows in memory, so that most
//! searches for a row that is not there end there.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Guard, Keyspace, KeyspaceCreateOptions, PersistMode, Slice};

use crate::core::hash::Hash;
use crate::limits::{STATE_JOURNAL_BYTES, STATE_MEMTABLE_BYTES};
use crate::store::StoreError;
use crate::store::disk;
use crate::store::folder::Folder;
use crate::store::key_filter::KeyFilter;
use crate::store::rows;
use crate::store::seal::{CRC_BYTES, seal, unseal};

const HEAD_KEY: &[u8] = b"h";

/// Count and sum over all entries: tells whether one is missing, added or changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    count: u64,
    sum: u64,
}

impl Digest {
    /// `stored` is a value with its checksum, which covers the key.
    fn add(&mut self, stored: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(weight(stored));
    }

    fn remove(&mut self, stored: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(weight(stored));
    }
}

/// The finaliser of splitmix64 over length and checksum, so that sums of checksums do not cancel out.
fn weight(stored: &[u8]) -> u64 {
    let crc = stored.last_chunk::<CRC_BYTES>().map_or(0, |crc| u32::from_be_bytes(*crc));
    let mut x = u64::from(crc) << 32 | u64::try_from(stored.len() & 0xffff_ffff).expect("32 bits");
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Which block the state has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// 0: the genesis rows alone.
    pub height: u64,
    /// Leaf hash of that height's entry; the genesis hash at height 0.
    pub entry: Hash,
    pub state: Hash,
}

impl Mark {
    fn encode(&self, digest: &Digest) -> Vec<u8> {
        let mut out = Vec::with_capacity(88);
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(self.entry.as_bytes());
        out.extend_from_slice(self.state.as_bytes());
        out.extend_from_slice(&digest.count.to_be_bytes());
        out.extend_from_slice(&digest.sum.to_be_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<(Self, Digest)> {
        let number = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let hash = |at: usize| Some(Hash(bytes.get(at..at + 32)?.try_into().ok()?));
        let mark = Mark { height: number(0)?, entry: hash(8)?, state: hash(40)? };
        (bytes.len() == 88).then_some((mark, Digest { count: number(72)?, sum: number(80)? }))
    }
}

/// The open state. Clones share it.
#[derive(Clone)]
pub struct Db {
    database: Database,
    entries: Keyspace,
    folder: Folder,
    /// Of rows alone.
    keys: Arc<KeyFilter>,
}

/// A value whose checksum was right.
pub struct Stored(Slice);

impl std::ops::Deref for Stored {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0[..self.0.len() - CRC_BYTES]
    }
}

/// A state that may be believed, and what it holds.
pub struct Opened {
    pub db: Db,
    pub mark: Mark,
    pub digest: Digest,
}

impl Db {
    fn folder(dir: &Path) -> Folder {
        Folder::new(dir, "state")
    }

    /// Opens the state under `dir` when everything about it agrees; a reason not to believe it is the inner error.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the mark beside its folder cannot be written.
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<Result<Opened, String>, StoreError> {
        let folder = Db::folder(dir);
        folder.open(AssertUnwindSafe(|| Db::open_unchecked(&folder, cache_bytes).and_then(Db::believe)))
    }

    /// A new, empty state in place of whatever there was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn create(dir: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let folder = Db::folder(dir);
        folder.create()?;
        Db::open_unchecked(&folder, cache_bytes).map_err(|found| folder.corrupt(found))
    }

    fn open_unchecked(folder: &Folder, cache_bytes: u64) -> Result<Self, String> {
        let opened = || {
            let database = Database::builder(folder.path())
                .cache_size(cache_bytes)
                .worker_threads(1)
                .max_journaling_size(STATE_JOURNAL_BYTES)
                .manual_journal_persist(true)
                .open()?;
            let options = || KeyspaceCreateOptions::default().max_memtable_size(STATE_MEMTABLE_BYTES);
            let entries = database.keyspace("state", options)?;
            Ok(Db { database, entries, folder: folder.clone(), keys: Arc::default() })
        };
        opened().map_err(|error: fjall::Error| error.to_string())
    }

    /// Reads every entry and compares with the head.
    fn believe(self) -> Result<Opened, String> {
        let Some(head) = self.get(HEAD_KEY).map_err(|error| error.to_string())? else {
            return Err("it has no head".to_owned());
        };
        let (mark, digest) = Mark::decode(&head).ok_or("its head is malformed")?;
        let mut found = Digest::default();
        for item in self.entries.iter() {
            let (key, stored) = item.into_inner().map_err(|error| error.to_string())?;
            if unseal(&key, &stored).is_none() {
                return Err("an entry's checksum differs".to_owned());
            }
            if key != HEAD_KEY {
                found.add(&stored);
            }
            if key.starts_with(rows::PREFIX) {
                self.keys.add(&key);
            }
        }
        if found != digest {
            return Err(format!("{} entries, or others, where the head counts {}", found.count, digest.count));
        }
        Ok(Opened { db: self, mark, digest })
    }

    /// Whether a row may lie under `key`; there is surely none where the answer is no.
    pub fn may_hold(&self, key: &[u8]) -> bool {
        self.keys.may_hold(key)
    }

    /// The value under `key`, its checksum checked and taken off.
    pub fn get(&self, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        let stored = self.entries.get(key).map_err(|error| self.failed(&error))?;
        stored.map(|stored| self.value(key, stored)).transpose()
    }

    /// Entries from `start` (inclusive) to `end` (exclusive), ascending.
    pub fn range(&self, start: &[u8], end: &[u8]) -> impl Iterator<Item = Result<(Slice, Stored), StoreError>> + use<> {
        let db = self.clone();
        self.entries.range(start..end).map(move |item| db.item(item))
    }

    /// The last entry from `start` (inclusive) to `end` (inclusive).
    pub fn last_in(&self, start: &[u8], end: &[u8]) -> Result<Option<(Slice, Stored)>, StoreError> {
        self.entries.range(start..=end).next_back().map(|item| self.item(item)).transpose()
    }

    fn item(&self, item: Guard) -> Result<(Slice, Stored), StoreError> {
        let (key, stored) = item.into_inner().map_err(|error| self.failed(&error))?;
        let value = self.value(&key, stored)?;
        Ok((key, value))
    }

    fn value(&self, key: &[u8], stored: Slice) -> Result<Stored, StoreError> {
        unseal(key, &stored).ok_or_else(|| self.damaged(key))?;
        Ok(Stored(stored))
    }

    /// Writes a batch with its mark, whole or not at all; `digest` is brought up to date.
    pub fn apply(&self, batch: Batch, mark: &Mark, digest: &mut Digest) -> Result<(), StoreError> {
        let mut writes = self.database.batch().durability(Some(PersistMode::Buffer));
        for write in batch.writes {
            let may_replace = write.is_row && self.may_hold(&write.key);
            if may_replace && let Some(old) = self.entries.get(&write.key).map_err(|error| self.failed(&error))? {
                digest.remove(&old);
            }
            match write.value {
                Some(value) => {
                    if write.is_row && !may_replace {
                        self.keys.add(&write.key);
                    }
                    let stored = seal(&write.key, value);
                    digest.add(&stored);
                    writes.insert(&self.entries, write.key, stored);
                }
                None => writes.remove(&self.entries, write.key),
            }
        }
        writes.insert(&self.entries, HEAD_KEY, seal(HEAD_KEY, mark.encode(digest)));
        disk::at("state.batch", || writes.commit()).map_err(|error| self.failed(&error))
    }

    /// Makes everything durable, for a clean stop.
    pub fn flush(&self) -> Result<(), StoreError> {
        disk::at("state.sync", || self.database.persist(PersistMode::SyncAll)).map_err(|error| self.failed(&error))
    }

    /// Marks the state as not to be believed at the next start.
    pub fn suspect(&self) {
        self.folder.suspect();
    }

    fn failed(&self, error: &fjall::Error) -> StoreError {
        self.folder.corrupt(error.to_string())
    }

    fn damaged(&self, key: &[u8]) -> StoreError {
        self.folder.corrupt(format!("the entry under {} fails its checksum", String::from_utf8_lossy(key).escape_default()))
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Entries to write together.
#[derive(Default)]
pub struct Batch {
    writes: Vec<BatchWrite>,
}

struct BatchWrite {
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    is_row: bool,
}

impl Batch {
    /// Sets or, with `None`, removes a row. A key is given once.
    pub fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.writes.push(BatchWrite { key, value, is_row: true });
    }

    /// Adds an entry that is no row and was never there.
    pub fn add(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.push(BatchWrite { key, value: Some(value), is_row: false });
    }
}
