//! The tree's hashes in tiles of 256: full tiles lie in sled, the unfinished one of each tile level in memory.
//!
//! Tile level L holds the nodes of tree level 8 L. A full tile's root is a hash in the tile above it, up to the unfinished
//! tiles in memory, which are checked against the newest entry's `root` when the store is opened. So a tile from sled is
//! believed only when its root is the hash that stands for it above.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::core::hash::Hash;
use crate::limits::TILES_CACHED_MAX;
use crate::log::merkle::{Frontier, NodeHashes, subtree_root};
use crate::store::StoreError;

pub const TILE_WIDTH: usize = 256;
/// Tree levels in a tile.
const TILE_LEVELS: u32 = 8;
const HASH_BYTES: usize = 32;

/// Tile level and index within the level.
pub type TileId = (u32, u64);
/// The hashes of a tile; 256 of them in a full one.
pub type Tile = Arc<Vec<Hash>>;

/// The hash that stands for a full tile in the one above it.
pub fn tile_root(tile: &Tile) -> Hash {
    subtree_root(tile)
}

pub fn encode(tile: &[Hash]) -> Vec<u8> {
    tile.iter().flat_map(Hash::as_bytes).copied().collect()
}

pub fn decode(bytes: &[u8]) -> Option<Tile> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    (rest.is_empty() && hashes.len() == TILE_WIDTH).then(|| Arc::new(hashes.iter().copied().map(Hash).collect()))
}

/// The key of a tile in sled.
pub fn key(id: TileId) -> Vec<u8> {
    let mut key = vec![b't'];
    key.extend_from_slice(&id.0.to_be_bytes());
    key.extend_from_slice(&id.1.to_be_bytes());
    key
}

/// The tile of a key in sled.
pub fn id(key: &[u8]) -> Option<TileId> {
    let (level, index) = key.strip_prefix(b"t")?.split_first_chunk()?;
    Some((u32::from_be_bytes(*level), u64::from_be_bytes(index.try_into().ok()?)))
}

/// Full tiles of a tile level in a tree of `size` leaves.
pub fn full_tiles(size: u64, level: u32) -> u64 {
    size.checked_shr((level + 1).saturating_mul(TILE_LEVELS)).unwrap_or(0)
}

/// The unfinished tiles at a tree's right edge, lowest first; some may be empty.
#[derive(Clone, Debug, Default)]
pub struct Edges {
    size: u64,
    tiles: Vec<Tile>,
}

impl Edges {
    /// Hashes at a tile level, full tiles included.
    fn count(&self, level: u32) -> u64 {
        self.size.checked_shr(level.saturating_mul(TILE_LEVELS)).unwrap_or(0)
    }

    /// The index of the unfinished tile of a tile level.
    fn open_index(&self, level: u32) -> u64 {
        self.count(level) / WIDTH
    }

    /// Appends a leaf; answers the tiles that it completes.
    pub fn push(&mut self, leaf: Hash, full: &mut Vec<(TileId, Tile)>) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0.. {
            let index = usize::try_from(level).expect("a tile level is small");
            if index == self.tiles.len() {
                self.tiles.push(Tile::default());
            }
            let tile = Arc::make_mut(&mut self.tiles[index]);
            tile.push(hash);
            if tile.len() < TILE_WIDTH {
                return;
            }
            let tile = std::mem::take(&mut self.tiles[index]);
            hash = tile_root(&tile);
            full.push(((level, self.open_index(level) - 1), tile));
        }
    }

    /// The edges of a tree of `size` leaves from its full tiles and the hashes of its last leaves (those behind the last
    /// full tile of level 0). Nothing is checked yet.
    pub fn read(size: u64, last: Vec<Hash>, full: impl Fn(TileId) -> Result<Tile, StoreError>) -> Result<Self, StoreError> {
        let mut edges = Edges { size, tiles: vec![Arc::new(last)] };
        let mut level = 1;
        while edges.count(level) > 0 {
            let first = edges.open_index(level) * WIDTH;
            let roots = (first..edges.count(level)).map(|index| full((level - 1, index)).map(|tile| tile_root(&tile)));
            let tile = roots.collect::<Result<_, _>>()?;
            edges.tiles.push(Arc::new(tile));
            level += 1;
        }
        Ok(edges)
    }

    fn open_tile(&self, id: TileId) -> Option<&Tile> {
        let tile = self.tiles.get(usize::try_from(id.0).ok()?)?;
        (self.open_index(id.0) == id.1).then_some(tile)
    }
}

/// [`TILE_WIDTH`] as a number of hashes.
const WIDTH: u64 = 256;

/// A tree whose full tiles come from somewhere.
pub struct Tree<'a> {
    pub edges: &'a Edges,
    /// Full tiles, unchecked; [`StoreError::Corrupt`] when there is none.
    pub full: &'a dyn Fn(TileId) -> Result<Tile, StoreError>,
    /// Names damage.
    pub damaged: &'a dyn Fn(TileId, &'static str) -> StoreError,
    /// `None`: tiles are not checked against those above them.
    pub checked: Option<&'a std::sync::Mutex<TileCache>>,
}

impl Tree<'_> {
    /// A tile with at least `width` hashes; `None` beyond the tree.
    pub fn tile(&self, id: TileId, width: usize) -> Result<Option<Tile>, StoreError> {
        let (level, index) = id;
        if let Some(tile) = self.edges.open_tile(id) {
            return Ok((width <= tile.len()).then(|| tile.clone()));
        }
        if index >= self.edges.open_index(level) {
            return Ok(None);
        }
        let Some(cache) = self.checked else {
            return (self.full)(id).map(Some);
        };
        if let Some(tile) = cache.lock().expect("no holder panics").get(id) {
            return Ok(Some(tile));
        }
        let tile = (self.full)(id)?;
        let within = usize::try_from(index % WIDTH).expect("below 256");
        let above = self.tile((level + 1, index / WIDTH), within + 1)?;
        if above.and_then(|above| above.get(within).copied()) != Some(tile_root(&tile)) {
            return Err((self.damaged)(id, "another root than the tree has"));
        }
        cache.lock().expect("no holder panics").put(id, tile.clone());
        Ok(Some(tile))
    }

    /// The peaks of the tree's right edge, largest first.
    pub fn frontier(&self) -> Result<Frontier, StoreError> {
        let size = self.edges.size;
        let levels = (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1);
        let peaks = levels.map(|level| self.node(level, (size >> level) - 1)).collect::<Result<Vec<_>, _>>()?;
        Frontier::from_peaks(size, peaks).ok_or_else(|| (self.damaged)((0, 0), "another number of peaks than the size has"))
    }
}

impl NodeHashes for Tree<'_> {
    type Error = StoreError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, StoreError> {
        let (tile_level, above) = (level / TILE_LEVELS, level % TILE_LEVELS);
        let width = usize::try_from(1_u64 << above).expect("at most 128");
        let beyond = || (self.damaged)((tile_level, index), "a node beyond the tree was asked for");
        let first = index.checked_mul(1 << above).ok_or_else(beyond)?;
        let within = usize::try_from(first % WIDTH).expect("below 256");
        let tile = self.tile((tile_level, first / WIDTH), within + width)?.ok_or_else(beyond)?;
        tile.get(within..within + width).map(subtree_root).ok_or_else(beyond)
    }
}

/// Full tiles that were checked, the newest ones.
#[derive(Debug, Default)]
pub struct TileCache {
    tiles: BTreeMap<TileId, Tile>,
    order: VecDeque<TileId>,
}

impl TileCache {
    fn get(&self, id: TileId) -> Option<Tile> {
        self.tiles.get(&id).cloned()
    }

    fn put(&mut self, id: TileId, tile: Tile) {
        if self.tiles.insert(id, tile).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > TILES_CACHED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.tiles.remove(&oldest);
        }
    }
}
