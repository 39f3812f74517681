//! C2SP tlog-tiles: paths and shapes of tiles and entry bundles (<https://c2sp.org/tlog-tiles>).

/// Hashes in a full tile, leaves in a full bundle.
pub const TILE_WIDTH: u32 = 256;
/// Tile levels are written 0 to 63.
const LEVEL_MAX: u32 = 63;

/// `/tile/<L>/<N>[.p/<W>]`; `width` 1 to 256, 256 is a full tile.
pub fn tile_path(level: u32, index: u64, width: u32) -> String {
    format!("/tile/{}", TileName { level: Some(level), index, width }.spelled())
}

/// `/tile/entries/<N>[.p/<W>]`; `width` 1 to 256, 256 is a full bundle.
pub fn entries_path(index: u64, width: u32) -> String {
    format!("/tile/{}", TileName { level: None, index, width }.spelled())
}

/// Which tile a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileName {
    /// `None`: a bundle of entries.
    pub level: Option<u32>,
    pub index: u64,
    /// 1 to 256.
    pub width: u32,
}

impl TileName {
    /// What stands after `/tile/`.
    fn spelled(&self) -> String {
        let kind = self.level.map_or_else(|| "entries".to_owned(), |level| level.to_string());
        let width = if self.width == TILE_WIDTH { String::new() } else { format!(".p/{}", self.width) };
        format!("{kind}/{}{width}", spell_index(self.index))
    }
}

/// Zero-padded path elements of 3 digits, all but the last behind an `x`.
fn spell_index(index: u64) -> String {
    let mut spelled = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        spelled = format!("x{:03}/{spelled}", rest % 1000);
        rest /= 1000;
    }
    spelled
}

/// Reads what stands after `/tile/`; `None` for a path that is not spelled as the functions above spell it.
pub fn parse_path(rest: &str) -> Option<TileName> {
    let (kind, rest) = rest.split_once('/')?;
    let level = if kind == "entries" { None } else { Some(kind.parse().ok().filter(|level| *level <= LEVEL_MAX)?) };
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok().filter(|width| (1..TILE_WIDTH).contains(width))?),
        None => (rest, TILE_WIDTH),
    };
    let index = index.split('/').try_fold(0_u64, |sum, part| {
        let digits = part.strip_prefix('x').unwrap_or(part);
        sum.checked_mul(1000)?.checked_add(digits.parse().ok().filter(|value| *value < 1000)?)
    })?;
    let name = TileName { level, index, width };
    // One spelling each: signs, missing zeros and misplaced x do not come back the same.
    (format!("{kind}/{rest}") == name.spelled()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_spellings_are_no_paths() {
        for bad in [
            "",
            "0",
            "0/",
            "00/000",
            "+1/000",
            "64/000",
            "0/0",
            "0/1000",
            "0/x001",
            "0/x000/001",
            "0/001/002",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/",
            "entries",
            "entries/00",
            "0/+01",
            "0/000/",
            "/0/000",
            "0/x18/446/744/073/709/551/616",
            "data/000",
        ] {
            assert_eq!(parse_path(bad), None, "{bad}");
        }
    }
}
