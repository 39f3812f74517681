//! The full tiles of the tree in sled, behind one door, each with a checksum, all rebuildable from the log.
//!
//! sled can open with acknowledged data silently missing, so it is not believed for having opened:
//! 1. A clean stop writes `sled.sum`, the checksums of sled's files, and the next start compares before sled sees them.
//! 2. Every start reads every tile, and counts how many there are without a gap.
//! 3. A tile that is read later is believed only under the tree's root (`store/tiles.rs`).

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use crate::limits::TILE_CACHE_BYTES;
use crate::store::StoreError;
use crate::store::disk;
use crate::store::folder::{self, Folder};
use crate::store::seal::{seal, unseal};
use crate::store::segments::io_error;
use crate::store::tiles::{self, Tile, TileId};

/// The open sled. Clones share it.
#[derive(Clone, Debug)]
pub struct TileDb {
    sled: sled::Db,
    folder: Folder,
    sums: PathBuf,
}

/// A sled whose tiles are whole.
pub struct Opened {
    pub db: TileDb,
    /// By tile level: the tiles from the first one on, up to the first that is missing.
    counts: Vec<u64>,
}

impl Opened {
    /// Whether every full tile of a tree of `size` leaves is there.
    pub fn holds(&self, size: u64) -> bool {
        let wanted = (0..).map(|level| tiles::full_tiles(size, level)).take_while(|wanted| *wanted > 0);
        wanted.enumerate().all(|(level, wanted)| self.counts.get(level).is_some_and(|count| *count >= wanted))
    }
}

impl TileDb {
    fn places(dir: &Path) -> (Folder, PathBuf) {
        (Folder::new(dir, "sled"), dir.join("sled.sum"))
    }

    /// Opens the tiles under `dir` when they are whole; a reason not to believe them is the inner error.
    ///
    /// # Errors
    /// [`StoreError::Io`] when sled's companions cannot be read or written.
    pub fn open(dir: &Path) -> Result<Result<Opened, String>, StoreError> {
        let (folder, sums) = TileDb::places(dir);
        let changed = match fs::read_to_string(&sums) {
            Ok(written) if folder.path().exists() => written != sums_of(&folder)?,
            _ => false,
        };
        folder::remove(&sums)?;
        if changed {
            return Ok(Err(format!("{}: its files changed since the last stop", folder.path().display())));
        }
        folder.open(AssertUnwindSafe(|| TileDb::open_unchecked(&folder, &sums).and_then(TileDb::believe)))
    }

    /// A new, empty sled in place of whatever there was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn create(dir: &Path) -> Result<Self, StoreError> {
        let (folder, sums) = TileDb::places(dir);
        folder::remove(&sums)?;
        folder.create()?;
        TileDb::open_unchecked(&folder, &sums).map_err(|found| folder.corrupt(found))
    }

    fn open_unchecked(folder: &Folder, sums: &Path) -> Result<Self, String> {
        let config = sled::Config::new().path(folder.path()).mode(sled::Mode::LowSpace).cache_capacity(TILE_CACHE_BYTES);
        let sled = config.flush_every_ms(None).open().map_err(|error| error.to_string())?;
        Ok(TileDb { sled, folder: folder.clone(), sums: sums.to_owned() })
    }

    fn believe(self) -> Result<Opened, String> {
        let mut counts: Vec<u64> = Vec::new();
        for item in self.items() {
            let (key, _) = item.map_err(|error| error.to_string())?;
            let (level, index) = tiles::id(&key).ok_or("an entry is no tile")?;
            let level = usize::try_from(level).map_err(|_| "an entry is no tile")?;
            if level >= counts.len() {
                counts.resize(level + 1, 0);
            }
            if counts[level] == index {
                counts[level] += 1;
            }
        }
        Ok(Opened { db: self, counts })
    }

    /// A tile as it is stored; `None` when there is none.
    pub fn get(&self, id: TileId) -> Result<Option<Tile>, StoreError> {
        let key = tiles::key(id);
        let stored = self.sled.get(&key).map_err(|error| self.folder.corrupt(error.to_string()))?;
        let tile = |stored: sled::IVec| unseal(&key, &stored).and_then(tiles::decode).ok_or_else(|| self.damaged(&key));
        stored.map(tile).transpose()
    }

    /// Every tile as (key, bytes), ascending.
    pub fn items(&self) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        let db = self.clone();
        self.sled.iter().map(move |item| {
            let (key, stored) = item.map_err(|error| db.folder.corrupt(error.to_string()))?;
            let value = unseal(&key, &stored).ok_or_else(|| db.damaged(&key))?;
            Ok((key.to_vec(), value.to_vec()))
        })
    }

    /// Writes tiles, whole or not at all.
    pub fn apply<'a>(&self, tiles: impl Iterator<Item = (&'a TileId, &'a Tile)>) -> Result<(), StoreError> {
        let mut writes = sled::Batch::default();
        for (id, tile) in tiles {
            let key = tiles::key(*id);
            let stored = seal(&key, tiles::encode(tile));
            writes.insert(key, stored);
        }
        let failed = |error: sled::Error| self.folder.corrupt(error.to_string());
        disk::at("sled.batch", || self.sled.apply_batch(writes)).map_err(failed)?;
        disk::at("sled.flush", || self.sled.flush()).map(|_| ()).map_err(failed)
    }

    /// Marks a clean stop: nothing is written after this.
    pub fn close(&self) -> Result<(), StoreError> {
        self.sled.flush().map_err(|error| self.folder.corrupt(error.to_string()))?;
        fs::write(&self.sums, sums_of(&self.folder)?).map_err(io_error("write", &self.sums))
    }

    /// Marks the tiles as not to be believed at the next start.
    pub fn suspect(&self) {
        self.folder.suspect();
    }

    fn damaged(&self, key: &[u8]) -> StoreError {
        self.folder.corrupt(format!("the tile under {} is damaged", key.escape_ascii()))
    }
}

fn sums_of(folder: &Folder) -> Result<String, StoreError> {
    let mut out = String::new();
    add_sums(folder.path(), "", &mut out)?;
    Ok(out)
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
