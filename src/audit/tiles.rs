//! Tiles and entry bundles of a source, believed only under a checkpoint's root.
//!
//! 1. The unfinished tiles at the right edge hold the roots of the tree's complete subtrees, and together give its root: they
//!    are read first, each as wide as the checkpoint's size wants it, and must give the checkpoint's root.
//! 2. The root of a full tile is a hash of the tile above it, up to an unfinished one: a full tile is believed when that tile,
//!    believed before, has its root.
//! 3. A bundle is believed when each of its leaves has the hash that stands for it in its tile of level 0, none missing, none
//!    too many.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::audit::AuditError;
use crate::audit::finding::{Fault, Finding};
use crate::audit::source::Source;
use crate::core::hash::{Hash, to_hex};
use crate::core::limits::RECORD_BYTES_MAX;
use crate::log::checkpoint::Checkpoint;
use crate::log::merkle::{Frontier, NodeHashes, leaf_hash, subtree_root};
use crate::log::tile::{TILE_WIDTH, entries_path, tile_path};

/// Leaves of a bundle, hashes of a tile.
pub const WIDTH: u64 = 256;
/// Tree levels in a tile.
const TILE_LEVELS: u32 = 8;
const HASH_BYTES: usize = 32;
/// A full tile.
pub const TILE_BYTES_MAX: usize = 256 * HASH_BYTES;
/// A leaf behind its length; a longer one than a record may be is no sound leaf.
const ENTRY_BYTES_MAX: usize = 2 + RECORD_BYTES_MAX;

/// Tile level and index within the level.
pub type TileId = (u32, u64);
/// The hashes of a tile.
pub type Tile = Arc<Vec<Hash>>;

/// A leaf whose place in the tree is proven.
#[derive(Clone, Debug)]
pub struct ProvenLeaf {
    pub bytes: Arc<[u8]>,
    pub hash: Hash,
}

/// Hashes at a tile level of a tree of `size` leaves.
fn count(size: u64, level: u32) -> u64 {
    level.checked_mul(TILE_LEVELS).and_then(|bits| size.checked_shr(bits)).unwrap_or(0)
}

/// Tiles at a tile level, the unfinished one included.
pub fn tiles(size: u64, level: u32) -> u64 {
    count(size, level).div_ceil(WIDTH)
}

/// Tile levels of a tree of `size` leaves.
pub fn levels(size: u64) -> u32 {
    (0..).find(|level| count(size, *level) == 0).expect("a size has 64 bits")
}

/// Hashes of a tile, leaves of a bundle (as those of level 0).
fn width(size: u64, (level, index): TileId) -> u32 {
    let rest = count(size, level).saturating_sub(index.saturating_mul(WIDTH));
    u32::try_from(rest).unwrap_or(TILE_WIDTH).min(TILE_WIDTH)
}

fn decode(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    rest.is_empty().then(|| hashes.iter().copied().map(Hash).collect())
}

/// The path of a tile as wide as a tree of `size` leaves has it.
pub fn path_of_tile(size: u64, id: TileId) -> String {
    tile_path(id.0, id.1, width(size, id))
}

/// The path of a bundle, likewise.
pub fn path_of_bundle(size: u64, index: u64) -> String {
    entries_path(index, width(size, (0, index)))
}

/// The tree under a checkpoint, its tiles read when they are wanted.
pub struct Tree<'a> {
    source: &'a dyn Source,
    size: u64,
    /// The unfinished tiles, lowest first; empty where a level has none.
    edges: Vec<Tile>,
    /// Full tiles that were checked: all above level 0, and those of level 0 that proofs touched.
    checked: Mutex<BTreeMap<TileId, Tile>>,
}

impl<'a> Tree<'a> {
    /// Reads the tree's right edge and checks it against the checkpoint's root.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn open(source: &'a dyn Source, checkpoint: &Checkpoint) -> Result<Self, AuditError> {
        let size = checkpoint.size;
        let mut edges = Vec::new();
        for level in 0..levels(size) {
            let hashes = count(size, level);
            let edge = if hashes.is_multiple_of(WIDTH) { Vec::new() } else { read_hashes(source, size, (level, hashes / WIDTH))? };
            edges.push(Arc::new(edge));
        }
        let peaks = edges.iter().rev().flat_map(|edge| peaks(edge)).collect();
        let root = Frontier::from_peaks(size, peaks).map(|frontier| frontier.root());
        if root != Some(checkpoint.root) {
            let found = root.map_or_else(|| "no root".to_owned(), Hash::to_hex);
            let found = format!("root {found}, as the tiles at the right edge of {} give it", source.name());
            return Err(Finding::new(Fault::Tile, found, format!("root {}, as the checkpoint says", checkpoint.root)).into());
        }
        Ok(Tree { source, size, edges, checked: Mutex::default() })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn bundles(&self) -> u64 {
        tiles(self.size, 0)
    }

    fn edge(&self, (level, index): TileId) -> Option<&Tile> {
        let edge = self.edges.get(usize::try_from(level).ok()?)?;
        (index == count(self.size, level) / WIDTH).then_some(edge)
    }

    /// A tile, checked, and kept for the next time.
    fn tile(&self, id: TileId) -> Result<Tile, AuditError> {
        if let Some(edge) = self.edge(id) {
            return Ok(edge.clone());
        }
        if let Some(tile) = self.checked.lock().expect("no holder panics").get(&id) {
            return Ok(tile.clone());
        }
        let tile = self.read_tile(id)?;
        self.checked.lock().expect("no holder panics").insert(id, tile.clone());
        Ok(tile)
    }

    /// A tile, checked and not kept.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn read_tile(&self, id: TileId) -> Result<Tile, AuditError> {
        if let Some(edge) = self.edge(id) {
            return Ok(edge.clone());
        }
        let bytes = self.source.read(&path_of_tile(self.size, id), TILE_BYTES_MAX)?;
        self.check_tile(id, &bytes)
    }

    /// The tile that these bytes are, if they are the tree's.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn check_tile(&self, id: TileId, bytes: &[u8]) -> Result<Tile, AuditError> {
        let (level, index) = id;
        let tile = Arc::new(hashes_of(bytes, self.size, id)?);
        let path = path_of_tile(self.size, id);
        if let Some(edge) = self.edge(id) {
            let wrong = || Finding::new(Fault::Tile, format!("{path} with other hashes"), "those that give the checkpoint's root");
            return if tile == *edge { Ok(tile) } else { Err(wrong().into()) };
        }
        let above = self.tile((level + 1, index / WIDTH))?;
        let within = usize::try_from(index % WIDTH).expect("below 256");
        let expected = above.get(within).copied().unwrap_or_default();
        let root = subtree_root(&tile);
        if root != expected {
            let expected = format!("root {expected}, as {} says", path_of_tile(self.size, (level + 1, index / WIDTH)));
            return Err(Finding::new(Fault::Tile, format!("{path} with root {root}"), expected).into());
        }
        Ok(tile)
    }

    /// A bundle has no more bytes.
    pub fn bundle_bytes_max(&self, index: u64) -> usize {
        usize::try_from(width(self.size, (0, index))).expect("at most 256") * ENTRY_BYTES_MAX
    }

    /// The leaves that these bytes are, if they are the tree's: each has its hash in `tile`, the bundle's tile of level 0.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn check_bundle(&self, index: u64, tile: &[Hash], bytes: &[u8]) -> Result<Vec<ProvenLeaf>, AuditError> {
        let path = path_of_bundle(self.size, index);
        let mut leaves = Vec::with_capacity(tile.len());
        let mut rest = bytes;
        for (position, expected) in (index * WIDTH..).zip(tile) {
            let Some((leaf, behind)) = split_leaf(rest) else {
                let expected = format!("a leaf of at most {RECORD_BYTES_MAX} bytes behind its length");
                let found = format!("{path} that holds {} more bytes at its place, 0x{}", rest.len(), to_hex(&rest[..rest.len().min(2)]));
                return Err(Finding::new(Fault::Bundle, found, expected).at(position).into());
            };
            let hash = leaf_hash(leaf);
            if hash != *expected {
                let found = format!("{path} with a leaf of hash {hash}");
                return Err(Finding::new(Fault::Bundle, found, format!("hash {expected}, as the tree says")).at(position).into());
            }
            leaves.push(ProvenLeaf { bytes: leaf.into(), hash });
            rest = behind;
        }
        if !rest.is_empty() {
            let found = format!("{path} with {} bytes behind its last leaf", rest.len());
            return Err(Finding::new(Fault::Bundle, found, format!("{} leaves and nothing else", tile.len())).into());
        }
        Ok(leaves)
    }

    /// The leaves of a bundle.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn bundle(&self, index: u64) -> Result<Vec<ProvenLeaf>, AuditError> {
        let tile = self.read_tile((0, index))?;
        let bytes = self.source.read(&path_of_bundle(self.size, index), self.bundle_bytes_max(index))?;
        self.check_bundle(index, &tile, &bytes)
    }
}

/// The first leaf of a bundle's rest, and what follows it.
pub(crate) fn split_leaf(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    rest.split_at_checked(length).filter(|_| length <= RECORD_BYTES_MAX)
}

fn read_hashes(source: &dyn Source, size: u64, id: TileId) -> Result<Vec<Hash>, AuditError> {
    let bytes = source.read(&path_of_tile(size, id), TILE_BYTES_MAX)?;
    hashes_of(&bytes, size, id)
}

/// The hashes of a tile, as many as it must have.
fn hashes_of(bytes: &[u8], size: u64, id: TileId) -> Result<Vec<Hash>, AuditError> {
    let width = usize::try_from(width(size, id)).expect("at most 256");
    decode(bytes).filter(|hashes| hashes.len() == width).ok_or_else(|| {
        let found =
            format!("{} of {}{} bytes", path_of_tile(size, id), if bytes.len() > TILE_BYTES_MAX { "at least " } else { "" }, bytes.len());
        Finding::new(Fault::Tile, found, format!("{} bytes", width * HASH_BYTES)).into()
    })
}

/// The roots of the complete subtrees that the hashes of an unfinished tile make, largest first.
fn peaks(edge: &[Hash]) -> Vec<Hash> {
    let mut rest = edge;
    let mut peaks = Vec::new();
    while !rest.is_empty() {
        let (subtree, behind) = rest.split_at(1 << rest.len().ilog2());
        peaks.push(subtree_root(subtree));
        rest = behind;
    }
    peaks
}

impl NodeHashes for Tree<'_> {
    type Error = AuditError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, AuditError> {
        let (tile_level, above) = (level / TILE_LEVELS, level % TILE_LEVELS);
        let first = index << above;
        let tile = self.tile((tile_level, first / WIDTH))?;
        let within = usize::try_from(first % WIDTH).expect("below 256");
        let hashes = tile.get(within..within + (1 << above));
        Ok(subtree_root(hashes.expect("nodes are asked for within the size that the tree was opened with")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_follow_the_size() {
        assert_eq!((levels(0), levels(1), levels(255), levels(256), levels(65_536)), (0, 1, 1, 2, 3));
        assert_eq!((width(65_537, (0, 0)), width(65_537, (0, 256)), width(65_537, (1, 0)), width(65_537, (2, 0))), (256, 1, 256, 1));
        assert_eq!((width(700, (0, 2)), width(700, (0, 3)), width(700, (1, 0)), width(700, (9, 0))), (188, 0, 2, 0));
        assert_eq!((tiles(0, 0), tiles(256, 0), tiles(257, 0), tiles(257, 1)), (0, 1, 2, 1));
    }

    #[test]
    fn leaves_stand_behind_their_lengths() {
        assert_eq!(split_leaf(&[0, 1, 7, 9]), Some((&[7][..], &[9][..])));
        assert_eq!(split_leaf(&[0, 0]), Some((&[][..], &[][..])));
        assert_eq!((split_leaf(&[]), split_leaf(&[0]), split_leaf(&[0, 2, 7])), (None, None, None));
        let long = [&[0x40, 0x01][..], &[0; 0x4001]].concat();
        assert_eq!(split_leaf(&long), None, "16,385 bytes");
        assert!(split_leaf(&[&[0x40, 0x00][..], &[0; 0x4000]].concat()).is_some());
    }
}
