//! Full tiles and bundles that were read and checked once: they never change, so they are kept in memory up to a bound and
//! the oldest make room.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use bytes::Bytes;

use crate::limits::HTTP_TILES_BYTES_MAX;
use crate::log::tile::TileName;

/// A full tile's bytes with their ETag.
#[derive(Clone, Debug)]
pub struct FullTile {
    pub bytes: Bytes,
    pub tag: String,
}

#[derive(Debug, Default)]
struct Held {
    tiles: HashMap<TileName, FullTile>,
    /// Oldest first.
    order: VecDeque<TileName>,
    bytes: usize,
}

/// The full tiles that were read from the store last.
#[derive(Debug, Default)]
pub struct Tiles(Mutex<Held>);

impl Tiles {
    pub fn get(&self, name: &TileName) -> Option<FullTile> {
        self.0.lock().expect("no holder panics").tiles.get(name).cloned()
    }

    pub fn keep(&self, name: TileName, tile: FullTile) {
        let mut held = self.0.lock().expect("no holder panics");
        let length = tile.bytes.len();
        if held.tiles.insert(name, tile).is_some() {
            return;
        }
        held.order.push_back(name);
        held.bytes += length;
        while held.bytes > HTTP_TILES_BYTES_MAX {
            let Some(oldest) = held.order.pop_front().and_then(|oldest| held.tiles.remove(&oldest)) else {
                return;
            };
            held.bytes -= oldest.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room() {
        let tiles = Tiles::default();
        let name = |index| TileName { level: None, index, width: 256 };
        let bytes = Bytes::from(vec![0; HTTP_TILES_BYTES_MAX / 2]);
        let tile = FullTile { bytes, tag: String::new() };
        (0..3).for_each(|index| tiles.keep(name(index), tile.clone()));
        tiles.keep(name(2), tile);
        assert_eq!([0, 1, 2].map(|index| tiles.get(&name(index)).is_some()), [false, true, true]);
    }
}
