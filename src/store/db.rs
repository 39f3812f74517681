//! sled behind one door: small values under short keys, each with a checksum, all of it rebuildable from the log.
//!
//! Keys, by their first byte: `h` the newest block that is in; `r` rows (`store/rows.rs`), `t` tiles of hashes, `i` index
//! entries (`store/index.rs`). A value ends with the CRC-32 of key and value, so a flipped bit is found when it is read.
//!
//! sled can open with acknowledged data silently missing, so nothing is believed for having opened:
//! 1. Every batch carries the head row: height, hashes, and a digest (count and sum) over all entries.
//! 2. A clean stop writes `sled.sum`, the checksums of sled's files, and the next start compares before sled sees them.
//! 3. Without `sled.sum` (the process was killed) the start reads every entry and compares the digest.
//! 4. `sled.suspect` lies beside the folder while sled is being opened and once damage was read: if it lies there at a
//!    start, sled is not opened at all.
//!
//! Whatever disagrees, the folder is removed and rebuilt.
//!
//! Every start reads the keys of all rows, so that most searches for a row that is not there end in memory.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sled::IVec;

use crate::core::hash::Hash;
use crate::store::StoreError;
use crate::store::disk;
use crate::store::key_filter::KeyFilter;
use crate::store::rows;
use crate::store::segments::{io_error, sync_dir};

const HEAD_KEY: &[u8] = b"h";
const CRC_BYTES: usize = 4;

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

/// Which block sled has reached.
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

/// Where sled and its two companions lie.
#[derive(Clone, Debug)]
pub struct Paths {
    parent: PathBuf,
    folder: PathBuf,
    sum: PathBuf,
    suspect: PathBuf,
}

impl Paths {
    pub fn under(dir: &Path) -> Self {
        Paths { parent: dir.to_owned(), folder: dir.join("sled"), sum: dir.join("sled.sum"), suspect: dir.join("sled.suspect") }
    }

    /// Removes sled, so that it is rebuilt.
    pub fn remove(&self) -> Result<(), StoreError> {
        remove(&self.sum)?;
        match fs::remove_dir_all(&self.folder) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(io_error("remove", &self.folder)(source)),
            _ => {}
        }
        remove(&self.suspect)
    }

    /// Marks sled as not to be believed at the next start.
    pub fn suspect(&self) {
        if let Err(error) = fs::write(&self.suspect, b"") {
            tracing::error!(path = %self.suspect.display(), %error, "cannot mark sled as damaged");
        }
    }

    fn sums(&self) -> Result<String, StoreError> {
        let mut out = String::new();
        add_sums(&self.folder, "", &mut out)?;
        Ok(out)
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", path)(source)),
        _ => Ok(()),
    }
}

/// A line per file: path inside sled's folder (a home may move), length, CRC-32; ascending by path.
fn add_sums(folder: &Path, prefix: &str, out: &mut String) -> Result<(), StoreError> {
    let items = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(io_error("list", folder))?;
    let mut paths: Vec<_> = items.into_iter().map(|item| item.path()).collect();
    paths.sort();
    for path in paths {
        let name = format!("{prefix}{}", path.file_name().unwrap_or_default().display());
        if path.is_dir() {
            add_sums(&path, &format!("{name}/"), out)?;
            continue;
        }
        let mut file = fs::File::open(&path).map_err(io_error("read", &path))?;
        let (mut hasher, mut bytes, mut buffer) = (crc32fast::Hasher::new(), 0, vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer).map_err(io_error("read", &path))? {
                0 => break,
                read => {
                    hasher.update(&buffer[..read]);
                    bytes += read;
                }
            }
        }
        writeln!(out, "{name} {bytes} {:08x}", hasher.finalize()).expect("writing to a string");
    }
    Ok(())
}

/// An open sled.
#[derive(Clone, Debug)]
pub struct Db {
    sled: sled::Db,
    paths: Paths,
    /// Of rows alone.
    keys: Arc<KeyFilter>,
}

/// A sled that may be believed, and what it holds.
pub struct Opened {
    pub db: Db,
    pub mark: Mark,
    pub digest: Digest,
}

impl Db {
    /// Opens sled when everything about it agrees; a reason not to believe it is the inner error.
    ///
    /// # Errors
    /// [`StoreError::Io`] when its companions cannot be read or written.
    pub fn open(paths: &Paths, cache_bytes: u64) -> Result<Result<Opened, String>, StoreError> {
        if paths.suspect.exists() {
            return Ok(Err("an earlier start could not open it, or an earlier run read damage".to_owned()));
        }
        if !paths.folder.exists() {
            remove(&paths.sum)?;
            return Ok(Err("there is none".to_owned()));
        }
        let stopped_cleanly = match fs::read_to_string(&paths.sum) {
            Ok(sums) if sums == paths.sums()? => true,
            Ok(_) => return Ok(Err("its files changed since the last stop".to_owned())),
            Err(_) => false,
        };
        remove(&paths.sum)?;
        fs::write(&paths.suspect, b"").map_err(io_error("write", &paths.suspect))?;
        let opened = catch_unwind(|| Db::open_unchecked(paths, cache_bytes).and_then(|db| db.believe(stopped_cleanly)));
        match opened {
            Ok(Ok(opened)) => {
                remove(&paths.suspect)?;
                Ok(Ok(opened))
            }
            Ok(Err(reason)) => Ok(Err(reason)),
            Err(_) => Ok(Err("it panicked".to_owned())),
        }
    }

    /// A new, empty sled in place of whatever there was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn create(paths: &Paths, cache_bytes: u64) -> Result<Self, StoreError> {
        paths.remove()?;
        fs::create_dir_all(&paths.folder).map_err(io_error("create", &paths.folder))?;
        sync_dir(&paths.parent)?;
        Db::open_unchecked(paths, cache_bytes).map_err(|found| paths.corrupt(found))
    }

    fn open_unchecked(paths: &Paths, cache_bytes: u64) -> Result<Self, String> {
        let config = sled::Config::new().path(&paths.folder).mode(sled::Mode::LowSpace).cache_capacity(cache_bytes).flush_every_ms(None);
        let sled = config.open().map_err(|error| error.to_string())?;
        Ok(Db { sled, paths: paths.clone(), keys: Arc::default() })
    }

    /// Reads the head row, the keys of rows and, after an unclean stop, every entry.
    fn believe(self, stopped_cleanly: bool) -> Result<Opened, String> {
        let Some(head) = self.get(HEAD_KEY).map_err(|error| error.to_string())? else {
            return Err("it has no head".to_owned());
        };
        let (mark, digest) = Mark::decode(&head).ok_or("its head is malformed")?;
        if !stopped_cleanly {
            let mut found = Digest::default();
            for item in self.sled.iter() {
                let (key, stored) = item.map_err(|error| error.to_string())?;
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
        } else {
            for key in self.sled.scan_prefix(rows::PREFIX).keys() {
                self.keys.add(&key.map_err(|error| error.to_string())?);
            }
        }
        Ok(Opened { db: self, mark, digest })
    }

    /// Whether a row may lie under `key`; there is surely none where the answer is no.
    pub fn may_hold(&self, key: &[u8]) -> bool {
        self.keys.may_hold(key)
    }

    /// The value under `key`, its checksum checked and taken off.
    pub fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        let stored = self.sled.get(key).map_err(|error| self.paths.corrupt(error.to_string()))?;
        stored.map(|stored| unseal(key, &stored).ok_or_else(|| self.damaged(key))).transpose()
    }

    /// Entries from `start` (inclusive) to `end` (exclusive), ascending.
    pub fn range(&self, start: &[u8], end: &[u8]) -> impl Iterator<Item = Result<(IVec, IVec), StoreError>> + use<> {
        let db = self.clone();
        self.sled.range(start..end).map(move |item| db.check(item))
    }

    /// The last entry from `start` (inclusive) to `end` (inclusive).
    pub fn last_in(&self, start: &[u8], end: &[u8]) -> Result<Option<(IVec, IVec)>, StoreError> {
        self.sled.range(start..=end).next_back().map(|item| self.check(item)).transpose()
    }

    fn check(&self, item: sled::Result<(IVec, IVec)>) -> Result<(IVec, IVec), StoreError> {
        let (key, stored) = item.map_err(|error| self.paths.corrupt(error.to_string()))?;
        let value = unseal(&key, &stored).ok_or_else(|| self.damaged(&key))?;
        Ok((key, value))
    }

    /// Writes a batch with its mark, whole or not at all; `digest` is brought up to date.
    pub fn apply(&self, batch: Batch, mark: &Mark, digest: &mut Digest) -> Result<(), StoreError> {
        let failed = |error: sled::Error| self.paths.corrupt(error.to_string());
        let mut writes = sled::Batch::default();
        for write in batch.writes {
            let may_replace = write.is_row && self.may_hold(&write.key);
            if may_replace && let Some(old) = self.sled.get(&write.key).map_err(failed)? {
                digest.remove(&old);
            }
            match write.value {
                Some(value) => {
                    if write.is_row && !may_replace {
                        self.keys.add(&write.key);
                    }
                    let stored = seal(&write.key, value);
                    digest.add(&stored);
                    writes.insert(write.key, stored);
                }
                None => writes.remove(write.key),
            }
        }
        writes.insert(HEAD_KEY, seal(HEAD_KEY, mark.encode(digest)));
        disk::at("sled.batch", || self.sled.apply_batch(writes)).map_err(failed)?;
        disk::at("sled.flush", || self.sled.flush()).map(|_| ()).map_err(failed)
    }

    /// Marks a clean stop: nothing is written after this.
    pub fn close(&self) -> Result<(), StoreError> {
        self.sled.flush().map_err(|error| self.paths.corrupt(error.to_string()))?;
        fs::write(&self.paths.sum, self.paths.sums()?).map_err(io_error("write", &self.paths.sum))
    }

    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    fn damaged(&self, key: &[u8]) -> StoreError {
        self.paths.corrupt(format!("the entry under {} fails its checksum", String::from_utf8_lossy(key).escape_default()))
    }
}

impl Paths {
    fn corrupt(&self, found: String) -> StoreError {
        StoreError::Corrupt { object: self.folder.display().to_string(), found }
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

fn checksum(key: &[u8], value: &[u8]) -> [u8; CRC_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize().to_be_bytes()
}

fn seal(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let crc = checksum(key, &value);
    value.extend_from_slice(&crc);
    value
}

fn unseal(key: &[u8], stored: &IVec) -> Option<IVec> {
    let (value, crc) = stored.split_last_chunk::<CRC_BYTES>()?;
    (checksum(key, value) == *crc).then(|| stored.subslice(0, value.len()))
}
