//! `sharelog store check`: everything that can be known of a store at rest.
//!
//! 1. Every frame of every log file: checksum, order, no gap.
//! 2. Every block is executed again from genesis, in scratch databases beside the real ones: form and signatures of each
//!    record, the rules, the entry byte for byte (state hash, root and chain included), and its certificate against the
//!    set of its height.
//! 3. The databases, as they lie there, hold what the log gives at the height of the state: rows, index entries and tiles.
//!
//! The log is not changed, not even a torn tail; the node must be stopped.

use std::iter::Peekable;
use std::path::Path;
use std::sync::Arc;

use crate::core::genesis::Genesis;
use crate::core::rules;
use crate::log::merkle::leaf_hash;
use crate::store::db::{Db, Opened};
use crate::store::index::{self, TERM_PREFIX_BYTES};
use crate::store::opening::{self, Progress};
use crate::store::segments::LogFiles;
use crate::store::state::State;
use crate::store::tile_db::TileDb;
use crate::store::{StoreError, segments, tiles};

/// Differences between the databases and the log that are named one by one.
const NAMED_MAX: usize = 10;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blocks that were executed again.
    pub blocks: u64,
    pub records: u64,
    /// Each with file, byte and height as far as they are known; empty for a sound store.
    pub damage: Vec<String>,
    /// What is no damage but worth knowing, such as a state that the next start will bring up to date.
    pub notes: Vec<String>,
}

/// Checks the store under `dir`.
///
/// # Errors
/// [`StoreError::Io`] when the check itself cannot go on; damage is in the report.
pub fn check(dir: &Path, genesis: &Arc<Genesis>, cache_bytes: u64, progress: Progress<'_>) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let (log, damage) = match LogFiles::survey(&dir.join("log")) {
        Err(error @ StoreError::Corrupt { .. }) => {
            report.damage.push(error.to_string());
            return Ok(report);
        }
        other => other?,
    };
    report.damage.extend(damage.iter().map(ToString::to_string));
    let (opened, tiles) = (Db::open(dir, cache_bytes)?, TileDb::open(dir)?);
    for reason in [opened.as_ref().err(), tiles.as_ref().err()].into_iter().flatten() {
        report.notes.push(format!("will be rebuilt at the next start: {reason}"));
    }
    let found = Found { state: opened.ok(), tiles: tiles.ok().map(|opened| opened.db) };
    let scratch = dir.join("check");
    remove_dir(&scratch)?;
    std::fs::create_dir_all(&scratch).map_err(segments::io_error("create", &scratch))?;
    let outcome = replay_all(&scratch, &log, genesis, cache_bytes, &found, &mut report, progress);
    remove_dir(&scratch)?;
    outcome?;
    if let Some(tiles) = &found.tiles {
        tiles.close()?;
    }
    if !report.damage.is_empty() {
        found.state.iter().for_each(|opened| opened.db.suspect());
        found.tiles.iter().for_each(TileDb::suspect);
    }
    Ok(report)
}

/// What there is to check; `None` is not believed.
struct Found {
    state: Option<Opened>,
    tiles: Option<TileDb>,
}

fn remove_dir(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(segments::io_error("remove", path)(source)),
        _ => Ok(()),
    }
}

/// Executes the log into new databases under `scratch`, and compares when it has reached the height of the one to check.
fn replay_all(
    scratch: &Path,
    log: &Arc<LogFiles>,
    genesis: &Arc<Genesis>,
    cache_bytes: u64,
    found: &Found,
    report: &mut Report,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let state = opening::start_new(scratch, cache_bytes, log, genesis)?;
    let compared_at = found.state.as_ref().map(|opened| opened.mark.height);
    let heights = log.height();
    if let Some(height) = compared_at.filter(|height| *height > heights) {
        report.damage.push(format!("the state stands at height {height}, the log ends at {heights}"));
    }
    for height in 0..=heights {
        if height > 0 {
            if let Err(error) = check_block(&state, log, genesis, height) {
                report.damage.push(error.to_string());
                break;
            }
            report.blocks = height;
            report.records += log.place(height).map_or(0, |place| u64::from(place.header.records));
            progress(height, heights);
        }
        if let Some(opened) = found.state.as_ref().filter(|opened| opened.mark.height == height) {
            state.settle()?;
            let head = state.shared().view().head.clone();
            if (opened.mark.entry, opened.mark.state) != (head.entry_hash, head.state) {
                report.damage.push(format!("the state names another block or state at height {height}"));
            }
            compare(items(&opened.db), items(&state.shared().db), report);
            if let Some(tiles) = &found.tiles {
                compare(tile_items(tiles, head.size), tile_items(&state.shared().tile_db, head.size), report);
            }
            if height < heights {
                report.notes.push(format!("the state stands at height {height} of {heights}; the next start brings it up to date"));
            }
        }
    }
    Ok(())
}

/// One block: certificate and execution.
fn check_block(state: &State, log: &LogFiles, genesis: &Genesis, height: u64) -> Result<(), StoreError> {
    if let Some(place) = log.place(height) {
        let block = log.block(&place)?;
        let set = rules::validator_set(&state.reader(), height);
        let verdict = block.certificate.verify(&genesis.origin, height, &leaf_hash(&block.entry_leaf), &set);
        verdict.map_err(|refusal| log.damaged(&place, format!("the certificate: {refusal}")))?;
    }
    opening::apply_from_log(state, height)
}

/// Names what `found` lacks, has too much, or has otherwise than `expected`.
fn compare(mut found: Items, mut expected: Items, report: &mut Report) {
    let mut differences = 0;
    let mut name = |difference: String| {
        differences += 1;
        if differences <= NAMED_MAX {
            report.damage.push(difference);
        }
    };
    loop {
        let order = match (found.peek(), expected.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(Err(error)), _) => {
                name(error.to_string());
                break;
            }
            (_, Some(Err(_))) => break,
            (Some(Ok((found, _))), Some(Ok((expected, _)))) => found.cmp(expected),
        };
        let left = if order.is_le() { found.next().and_then(Result::ok) } else { None };
        let right = if order.is_ge() { expected.next().and_then(Result::ok) } else { None };
        match (left, right) {
            (Some((key, value)), Some((_, wanted))) if value != wanted => name(format!("{} differs", shown(&key))),
            (Some((key, _)), None) => name(format!("{} is not from the log", shown(&key))),
            (None, Some((key, _))) => name(format!("{} is missing", shown(&key))),
            _ => {}
        }
    }
    if differences > NAMED_MAX {
        report.damage.push(format!("{} more differences", differences - NAMED_MAX));
    }
}

fn shown(key: &[u8]) -> String {
    let what = match key.first() {
        Some(b'r') => "row",
        Some(b't') => "tile",
        _ => "index entry",
    };
    format!("{what} {}", key.get(1..).unwrap_or_default().escape_ascii())
}

type Item = Result<(Vec<u8>, Vec<u8>), StoreError>;
type Items = Peekable<Box<dyn Iterator<Item = Item>>>;

/// Everything in the state but its head; an index entry is taken apart into one item per position, since batches differ.
fn items(db: &Db) -> Items {
    let rest = db.range(b"i", b"z").flat_map(|item| match item {
        Ok((key, value)) => take_apart(&key, &value),
        Err(error) => vec![Err(error)],
    });
    (Box::new(rest) as Box<dyn Iterator<Item = Item>>).peekable()
}

/// The full tiles of a tree of `size` leaves; sled may hold later ones.
fn tile_items(tiles: &TileDb, size: u64) -> Items {
    let is_later = move |key: &[u8]| tiles::id(key).is_some_and(|(level, index)| index >= tiles::full_tiles(size, level));
    let items = tiles.items().filter(move |item| !item.as_ref().is_ok_and(|(key, _)| is_later(key)));
    (Box::new(items) as Box<dyn Iterator<Item = Item>>).peekable()
}

fn take_apart(key: &[u8], value: &[u8]) -> Vec<Item> {
    let term = key.get(1..TERM_PREFIX_BYTES).and_then(|term| term.try_into().ok()).filter(|_| key[0] == b'i');
    match (term, index::decode(key, value)) {
        (Some(term), Some(positions)) => {
            positions.into_iter().map(|position| Ok((index::entry_key(&term, position), Vec::new()))).collect()
        }
        _ => vec![Ok((key.to_vec(), value.to_vec()))],
    }
}
