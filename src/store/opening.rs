//! Opening: the log first, then the databases at the log's word.
//!
//! 1. The log is read; a torn tail is cut off.
//! 2. The state is opened if it may be believed (`store/db.rs`) and stands at a block of the log. Otherwise it is removed
//!    and starts from the genesis rows.
//! 3. The tiles are opened if they may be believed (`store/tile_db.rs`), are all there up to that block, and give the tree
//!    whose root its entry names. Otherwise they are removed and made again from the log's leaves.
//! 4. The blocks that the state lacks are executed again, each checked against its entry. If that fails on a state that was
//!    not new, it is removed, too; if it fails on a new one, the log is damaged.
//! 5. The newest block's certificate is checked against the validator set of its height.

use std::path::Path;
use std::sync::Arc;

use crate::core::genesis::Genesis;
use crate::core::rules;
use crate::log::entry::BlockEntry;
use crate::log::merkle::{Frontier, leaf_hash, root_at};
use crate::store::db::{Db, Digest, Mark, Opened};
use crate::store::execution;
use crate::store::segments::{LogFiles, LogWriter};
use crate::store::state::State;
use crate::store::tile_db::{self, TileDb};
use crate::store::tiles::{Edges, TILE_WIDTH, Tree};
use crate::store::view::{self, Shared, View};
use crate::store::{Head, Reader, StoreError};

/// Called with blocks done and blocks in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebuild {
    IfNeeded,
    Always,
}

/// The head before block 1.
pub fn genesis_head(genesis: &Genesis) -> Head {
    let frontier = Frontier::default();
    Head { height: 0, size: 0, root: frontier.root(), state: genesis.hash, time: genesis.created, entry_hash: genesis.hash, frontier }
}

/// Opens log and databases under `dir`.
///
/// # Errors
/// [`StoreError`].
pub fn open(
    dir: &Path,
    genesis: &Arc<Genesis>,
    cache_bytes: u64,
    rebuild: Rebuild,
    progress: Progress<'_>,
) -> Result<(LogWriter, State), StoreError> {
    view::create_dir(dir)?;
    let log = LogWriter::open(&dir.join("log"))?;
    check_genesis(log.files(), genesis)?;
    if rebuild == Rebuild::IfNeeded {
        match believe(dir, cache_bytes, log.files(), genesis, progress)? {
            Ok(state) => {
                check_certificate(log.files(), genesis, &state.reader())?;
                state.check_rules()?;
                return Ok((log, state));
            }
            Err(reason) => tracing::warn!(reason, blocks = log.files().height(), "the state is rebuilt from the log"),
        }
    }
    let state = start_new(dir, cache_bytes, log.files(), genesis)?;
    catch_up(&state, log.files().height(), progress)?;
    check_certificate(log.files(), genesis, &state.reader())?;
    Ok((log, state))
}

/// The log belongs to this genesis file.
fn check_genesis(log: &LogFiles, genesis: &Genesis) -> Result<(), StoreError> {
    let Some(place) = log.place(1) else {
        return Ok(());
    };
    let entry = parse_entry(log, 1)?;
    if entry.previous != genesis.hash {
        return Err(log.damaged(&place, format!("a log of genesis {}, and genesis.json is {}", entry.previous, genesis.hash)));
    }
    Ok(())
}

fn check_certificate(log: &LogFiles, genesis: &Genesis, reader: &Reader) -> Result<(), StoreError> {
    let head = reader.head();
    let Some(place) = log.place(head.height) else {
        return Ok(());
    };
    let certificate = log.block(&place)?.certificate;
    let set = rules::validator_set(reader, head.height);
    certificate
        .verify(&genesis.origin, head.height, &head.entry_hash, &set)
        .map_err(|refusal| log.damaged(&place, format!("the newest certificate: {refusal}")))
}

fn parse_entry(log: &LogFiles, height: u64) -> Result<BlockEntry, StoreError> {
    let place = log.place(height).ok_or_else(|| missing(height))?;
    BlockEntry::parse(&log.entry_leaf(&place)?).map_err(|refusal| log.damaged(&place, refusal.to_string()))
}

fn missing(height: u64) -> StoreError {
    StoreError::Corrupt { object: format!("height {height}"), found: "not in the log".into() }
}

/// The state as it lies there, caught up with the log; the inner error says why it is not believed.
fn believe(
    dir: &Path,
    cache_bytes: u64,
    log: &Arc<LogFiles>,
    genesis: &Arc<Genesis>,
    progress: Progress<'_>,
) -> Result<Result<State, String>, StoreError> {
    let opened = match Db::open(dir, cache_bytes)? {
        Ok(opened) => opened,
        Err(reason) => return Ok(Err(reason)),
    };
    let started = start_at_mark(dir, opened, log, genesis).and_then(|state| {
        catch_up(&state, log.height(), progress)?;
        Ok(state)
    });
    match started {
        Ok(state) => Ok(Ok(state)),
        Err(StoreError::Corrupt { object, found }) => Ok(Err(format!("{object}: {found}"))),
        Err(other) => Err(other),
    }
}

/// Checks the state's mark against the log, and starts there.
fn start_at_mark(dir: &Path, opened: Opened, log: &Arc<LogFiles>, genesis: &Arc<Genesis>) -> Result<State, StoreError> {
    let Opened { db, mark, digest } = opened;
    let disagrees = |found: &str| StoreError::Corrupt { object: format!("the state at height {}", mark.height), found: found.to_owned() };
    if mark.height == 0 {
        let head = genesis_head(genesis);
        if mark.entry != head.entry_hash {
            return Err(disagrees("another genesis"));
        }
        let view = View { head: Arc::new(head), edges: Edges::default(), layers: Vec::new() };
        return State::start(Shared::new(genesis.clone(), log.clone(), db, TileDb::create(dir)?, view), digest);
    }
    let place = log.place(mark.height).ok_or_else(|| disagrees("the log ends before it"))?;
    let leaf = log.entry_leaf(&place)?;
    let entry = BlockEntry::parse(&leaf).map_err(|refusal| log.damaged(&place, refusal.to_string()))?;
    if leaf_hash(&leaf) != mark.entry || entry.state != mark.state {
        return Err(disagrees("another block or state than the log has"));
    }
    let (tile_db, view) = tiles_at(dir, log, &entry, &mark)?;
    State::start(Shared::new(genesis.clone(), log.clone(), db, tile_db, view), digest)
}

/// The tiles and the tree at the end of a block, from sled or, where it is not to be believed, from the log.
fn tiles_at(dir: &Path, log: &LogFiles, entry: &BlockEntry, mark: &Mark) -> Result<(TileDb, View), StoreError> {
    match TileDb::open(dir)?.and_then(|opened| believe_tiles(opened, log, entry, mark)) {
        Ok(tiles) => return Ok(tiles),
        Err(reason) => tracing::warn!(reason, "the tiles are made again from the log"),
    }
    let tile_db = TileDb::create(dir)?;
    let edges = make_tiles(&tile_db, log, entry.height)?;
    let view = view_at(&tile_db, edges, entry, mark)?;
    Ok((tile_db, view))
}

fn believe_tiles(opened: tile_db::Opened, log: &LogFiles, entry: &BlockEntry, mark: &Mark) -> Result<(TileDb, View), String> {
    let size = entry.position + 1;
    if !opened.holds(size) {
        return Err("some are missing".to_owned());
    }
    let last = (size / WIDTH * WIDTH..size).map(|position| leaf_hash_of(log, position)).collect::<Result<_, _>>();
    let edges = last.and_then(|last| Edges::read(size, last, |id| view::read_tile(&opened.db, id)));
    let view = edges.and_then(|edges| view_at(&opened.db, edges, entry, mark)).map_err(|error| error.to_string())?;
    Ok((opened.db, view))
}

/// [`TILE_WIDTH`] as a number of leaves.
const WIDTH: u64 = 256;

/// The view at the end of a block, whose tree is checked against the entry's root.
fn view_at(tile_db: &TileDb, edges: Edges, entry: &BlockEntry, mark: &Mark) -> Result<View, StoreError> {
    let full = |id| view::read_tile(tile_db, id);
    let tree = Tree { edges: &edges, full: &full, damaged: &view::damaged_tile, checked: None };
    if root_at(&tree, entry.position)? != entry.root {
        return Err(StoreError::Corrupt { object: "the tiles".into(), found: "another root than the newest entry's".into() });
    }
    let frontier = tree.frontier()?;
    let head = Head {
        height: entry.height,
        size: entry.position + 1,
        root: frontier.root(),
        state: entry.state,
        time: entry.time,
        entry_hash: mark.entry,
        frontier,
    };
    Ok(View { head: Arc::new(head), edges, layers: Vec::new() })
}

/// Writes the full tiles of the log's leaves up to those of `height`; answers the tree's right edge.
fn make_tiles(tile_db: &TileDb, log: &LogFiles, height: u64) -> Result<Edges, StoreError> {
    let (mut edges, mut full) = (Edges::default(), Vec::new());
    for height in 1..=height {
        let place = log.place(height).ok_or_else(|| missing(height))?;
        let block = log.block(&place)?;
        for leaf in block.records.iter().chain([&block.entry_leaf]) {
            edges.push(leaf_hash(leaf), &mut full);
        }
        if full.len() >= TILE_WIDTH {
            tile_db.apply(full.iter().map(|(id, tile)| (id, tile)))?;
            full.clear();
        }
    }
    tile_db.apply(full.iter().map(|(id, tile)| (id, tile)))?;
    Ok(edges)
}

fn leaf_hash_of(log: &LogFiles, position: u64) -> Result<crate::core::hash::Hash, StoreError> {
    let height = log.first_height(|place| place.position() >= position);
    let place = log.place(height).ok_or_else(|| missing(height))?;
    let index = usize::try_from(position - place.header.first).expect("a block fits in memory");
    Ok(leaf_hash(&log.leaf(&place, index)?))
}

/// New databases with the genesis rows.
///
/// # Errors
/// [`StoreError`].
pub fn start_new(dir: &Path, cache_bytes: u64, log: &Arc<LogFiles>, genesis: &Arc<Genesis>) -> Result<State, StoreError> {
    let (db, tile_db) = (Db::create(dir, cache_bytes)?, TileDb::create(dir)?);
    let head = genesis_head(genesis);
    let mark = Mark { height: 0, entry: head.entry_hash, state: head.state };
    let mut digest = Digest::default();
    db.apply(view::genesis_batch(genesis), &mark, &mut digest)?;
    let view = View { head: Arc::new(head), edges: Edges::default(), layers: Vec::new() };
    State::start(Shared::new(genesis.clone(), log.clone(), db, tile_db, view), digest)
}

/// Executes the log's blocks from the state's head up to `height`.
fn catch_up(state: &State, height: u64, progress: Progress<'_>) -> Result<(), StoreError> {
    let first = state.shared().view().head.height + 1;
    for next in first..=height {
        apply_from_log(state, next)?;
        progress(next + 1 - first, height + 1 - first);
    }
    Ok(())
}

/// Executes the log's block of `height` on the state, whose head is the one before it.
///
/// # Errors
/// [`StoreError::Corrupt`] when the block is damaged or does not execute to its entry.
pub fn apply_from_log(state: &State, height: u64) -> Result<(), StoreError> {
    let shared = state.shared();
    let place = shared.log.place(height).ok_or_else(|| missing(height))?;
    let block = shared.log.block(&place)?;
    let reader = state.reader();
    let replayed = execution::replay(&reader, &reader.head(), &shared.genesis, &block.entry_leaf, &block.records, &|_| None, true);
    let (execution, _) = replayed.map_err(|fault| shared.log.damaged(&place, fault.to_string()))?;
    state.apply(&execution)
}
