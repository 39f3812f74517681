//! C2SP tlog-tiles: paths and shapes of tiles and entry bundles.

/// `/tile/<L>/<N>[.p/<W>]`; `width` 1 to 256, 256 is a full tile.
pub fn tile_path(_level: u32, _index: u64, _width: u32) -> String {
    todo!()
}

/// `/tile/entries/<N>[.p/<W>]`; `width` 1 to 256, 256 is a full bundle.
pub fn entries_path(_index: u64, _width: u32) -> String {
    todo!()
}

/// Which tile a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileName {
    /// `None`: a bundle of entries.
    pub level: Option<u32>,
    pub index: u64,
    /// 1 to 256.
    pub width: u32,
}

/// Reads what stands after `/tile/`; `None` for a path that is not spelled as the functions above spell it.
pub fn parse_path(_rest: &str) -> Option<TileName> {
    todo!()
}
