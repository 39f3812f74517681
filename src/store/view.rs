//! What readers see: the head, and the newest blocks' rows, index entries and tiles in memory, above the databases.
//!
//! The databases are off the path of a commit. A block that is on disk becomes a layer in memory, at once visible to
//! readers; a thread of its own writes layers to them in batches, and takes them out of the view afterwards. A reader takes
//! the view first and reads a database second, so it misses nothing; what it finds in both is the same.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use crate::core::genesis::Genesis;
use crate::core::json::Value;
use crate::core::state::Changes;
use crate::limits::APPLY_RECORDS;
use crate::store::db::{Batch, Db, Mark};
use crate::store::execution::Execution;
use crate::store::index::{self, TermKey};
use crate::store::row_cache::RowCache;
use crate::store::rows;
use crate::store::segments::LogFiles;
use crate::store::tile_db::TileDb;
use crate::store::tiles::{Edges, Tile, TileCache, TileId, Tree};
use crate::store::{Head, StoreError};

/// What one block added.
#[derive(Debug)]
pub struct Layer {
    pub made: Instant,
    pub mark: Mark,
    /// Leaves of the block, its entry included.
    pub leaves: usize,
    /// By encoded key; `None` is a deleted row.
    pub rows: BTreeMap<Vec<u8>, Option<Arc<Value>>>,
    filter: Filter,
    pub terms: BTreeMap<TermKey, Vec<u64>>,
    pub tiles: HashMap<TileId, Tile>,
}

impl Layer {
    /// The layer of a block; `edges` move on by its leaves.
    pub fn of(execution: &Execution, edges: &mut Edges) -> Self {
        let mut tiles = Vec::new();
        for leaf in &execution.leaf_hashes {
            edges.push(*leaf, &mut tiles);
        }
        let entry = execution.leaf_hashes.last().copied().unwrap_or_default();
        let rows = encode_rows(&execution.changes);
        Layer {
            made: Instant::now(),
            mark: Mark { height: execution.entry.height, entry, state: execution.entry.state },
            leaves: execution.leaf_hashes.len(),
            filter: Filter::of(&rows),
            rows,
            terms: index::by_term(&execution.terms),
            tiles: tiles.into_iter().collect(),
        }
    }
}

/// Which keys a layer may hold: nearly all that are asked for stand in no layer, and a search costs a microsecond in each.
#[derive(Debug)]
struct Filter(Vec<u64>);

/// Bits per key: one key in 16 that a layer does not hold is searched for all the same.
const FILTER_BITS_PER_KEY: usize = 16;

impl Filter {
    fn of(rows: &BTreeMap<Vec<u8>, Option<Arc<Value>>>) -> Self {
        let words = (rows.len() * FILTER_BITS_PER_KEY).div_ceil(64).max(1);
        let mut filter = Filter(vec![0; words]);
        for key in rows.keys() {
            let (word, bit) = filter.place(checksum(key));
            filter.0[word] |= bit;
        }
        filter
    }

    fn may_hold(&self, checksum: u64) -> bool {
        let (word, bit) = self.place(checksum);
        self.0[word] & bit != 0
    }

    /// The word and the bit in it.
    fn place(&self, checksum: u64) -> (usize, u64) {
        let words = u64::try_from(self.0.len()).expect("a length fits in 64 bits");
        let word = usize::try_from((checksum >> 6) % words).expect("below a length");
        (word, 1 << (checksum % 64))
    }
}

fn checksum(key: &[u8]) -> u64 {
    crc32fast::hash(key).into()
}

fn encode_rows(changes: &Changes) -> BTreeMap<Vec<u8>, Option<Arc<Value>>> {
    changes.0.iter().map(|((table, key), value)| (rows::encode_key(*table, key), value.clone())).collect()
}

/// The rows that the state starts with, as a batch.
pub fn genesis_batch(genesis: &Genesis) -> Batch {
    let mut batch = Batch::default();
    for (key, value) in encode_rows(&genesis.rows()) {
        batch.write(key, value.map(|value| rows::encode_value(&value)));
    }
    batch
}

/// Layers as one batch: of a row the last value alone, of a term one entry.
pub fn merge(layers: &[Arc<Layer>]) -> Batch {
    let mut last_rows = BTreeMap::new();
    let mut terms: BTreeMap<&TermKey, Vec<u64>> = BTreeMap::new();
    let mut batch = Batch::default();
    for layer in layers {
        last_rows.extend(layer.rows.iter());
        for (term, positions) in &layer.terms {
            terms.entry(term).or_default().extend(positions);
        }
    }
    for (key, value) in last_rows {
        batch.write(key.clone(), value.as_ref().map(|value| rows::encode_value(value)));
    }
    for (term, positions) in terms {
        if let Some(first) = positions.first() {
            batch.add(index::entry_key(term, *first), index::encode(&positions));
        }
    }
    batch
}

/// Whether these layers are a full batch.
pub fn are_enough(layers: &[Arc<Layer>]) -> bool {
    layers.iter().map(|layer| layer.leaves).sum::<usize>() >= APPLY_RECORDS
}

/// A moment of the store.
#[derive(Debug)]
pub struct View {
    pub head: Arc<Head>,
    pub edges: Edges,
    /// Not yet in the databases, oldest first.
    pub layers: Vec<Arc<Layer>>,
}

impl View {
    /// The newest value of a row among the layers; `Some(None)` for one that is deleted.
    pub fn row(&self, key: &[u8]) -> Option<&Option<Arc<Value>>> {
        let sum = checksum(key);
        self.layers.iter().rev().filter(|layer| layer.filter.may_hold(sum)).find_map(|layer| layer.rows.get(key))
    }
}

/// Shared by the writer, the thread that writes to the databases, and the readers.
#[derive(Debug)]
pub struct Shared {
    pub genesis: Arc<Genesis>,
    pub log: Arc<LogFiles>,
    pub db: Db,
    pub tile_db: TileDb,
    /// Locked to take or replace the pointer, no longer.
    view: Mutex<Arc<View>>,
    tiles: Mutex<TileCache>,
    pub rows: RowCache,
    /// The first damage found; from then on nothing is read or written.
    damage: OnceLock<(String, String)>,
}

impl Shared {
    pub fn new(genesis: Arc<Genesis>, log: Arc<LogFiles>, db: Db, tile_db: TileDb, view: View) -> Self {
        let view = Mutex::new(Arc::new(view));
        Shared { genesis, log, db, tile_db, view, tiles: Mutex::default(), rows: RowCache::default(), damage: OnceLock::new() }
    }

    pub fn view(&self) -> Arc<View> {
        self.view.lock().expect("no holder panics").clone()
    }

    /// Puts a block's layer on top.
    pub fn push(&self, head: Arc<Head>, edges: Edges, layer: Arc<Layer>) {
        let mut view = self.view.lock().expect("no holder panics");
        let layers = view.layers.iter().cloned().chain([layer]).collect();
        *view = Arc::new(View { head, edges, layers });
    }

    /// Takes out the oldest `count` layers: they are in the databases.
    pub fn settle(&self, count: usize) {
        let mut view = self.view.lock().expect("no holder panics");
        let layers = view.layers.iter().skip(count).cloned().collect();
        *view = Arc::new(View { head: view.head.clone(), edges: view.edges.clone(), layers });
    }

    /// # Errors
    /// The damage that was found earlier.
    pub fn check(&self) -> Result<(), StoreError> {
        match self.damage.get() {
            Some((object, found)) => Err(StoreError::Corrupt { object: object.clone(), found: found.clone() }),
            None => Ok(()),
        }
    }

    /// Remembers an error: the databases are rebuilt at the next start, and until then the store answers nothing.
    pub fn remember(&self, error: StoreError) -> StoreError {
        let (object, found) = match &error {
            StoreError::Corrupt { object, found } => (object.clone(), found.clone()),
            other => ("the store".to_owned(), other.to_string()),
        };
        if self.damage.set((object, found)).is_ok() {
            self.db.suspect();
            self.tile_db.suspect();
            tracing::error!(%error, "the store is damaged");
        }
        error
    }

    /// A full tile of `view`'s tree as it is stored, not yet checked.
    fn full_tile(&self, view: &View, id: TileId) -> Result<Tile, StoreError> {
        if let Some(tile) = view.layers.iter().rev().find_map(|layer| layer.tiles.get(&id)) {
            return Ok(tile.clone());
        }
        read_tile(&self.tile_db, id)
    }

    /// Calls `read` with the tree of `view`.
    pub fn with_tree<T>(&self, view: &View, read: impl FnOnce(&Tree<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let full = |id| self.full_tile(view, id);
        let tree = Tree { edges: &view.edges, full: &full, damaged: &damaged_tile, checked: Some(&self.tiles) };
        read(&tree)
    }
}

pub fn read_tile(db: &TileDb, id: TileId) -> Result<Tile, StoreError> {
    db.get(id)?.ok_or_else(|| damaged_tile(id, "missing"))
}

pub fn damaged_tile(id: TileId, found: &'static str) -> StoreError {
    StoreError::Corrupt { object: format!("tile {}/{} of the tree", id.0, id.1), found: found.to_owned() }
}

/// Makes sure that the folder of the store is there.
pub fn create_dir(dir: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(dir).map_err(super::segments::io_error("create", dir))
}
