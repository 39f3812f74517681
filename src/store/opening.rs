//! Opening: the log first, then sled at the log's word.
//!
//! 1. The log is read; a torn tail is cut off.
//! 2. sled is opened if it may be believed (`store/db.rs`), stands at a block of the log, and gives the tree whose root that
//!    block's entry names. Otherwise it is removed and starts from the genesis rows.
//! 3. The blocks that it lacks are executed again, each checked against its entry. If that fails on a sled that was not
//!    new, it is removed, too; if it fails on a new one, the log is damaged.
//! 4. The newest block's certificate is checked against the validator set of its height.

use std::path::Path;
use std::sync::Arc;

use crate::core::genesis::Genesis;
use crate::core::rules;
use crate::log::entry::BlockEntry;
use crate::log::merkle::{Frontier, leaf_hash, root_at};
use crate::store::db::{Db, Digest, Mark, Opened, Paths};
use crate::store::execution;
use crate::store::segments::{LogFiles, LogWriter};
use crate::store::state::State;
use crate::store::tiles::{Edges, Tree};
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

/// Opens log and sled under `dir`.
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
    let paths = Paths::under(dir);
    if rebuild == Rebuild::IfNeeded {
        match believe(&paths, cache_bytes, log.files(), genesis, progress)? {
            Ok(state) => {
                check_certificate(log.files(), genesis, &state.reader())?;
                state.check_rules()?;
                return Ok((log, state));
            }
            Err(reason) => tracing::warn!(reason, blocks = log.files().height(), "sled is rebuilt from the log"),
        }
    }
    let state = start_new(&paths, cache_bytes, log.files(), genesis)?;
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

/// sled as it lies there, caught up with the log; the inner error says why it is not believed.
fn believe(
    paths: &Paths,
    cache_bytes: u64,
    log: &Arc<LogFiles>,
    genesis: &Arc<Genesis>,
    progress: Progress<'_>,
) -> Result<Result<State, String>, StoreError> {
    let opened = match Db::open(paths, cache_bytes)? {
        Ok(opened) => opened,
        Err(reason) => return Ok(Err(reason)),
    };
    let started = start_at_mark(opened, log, genesis).and_then(|state| {
        catch_up(&state, log.height(), progress)?;
        Ok(state)
    });
    match started {
        Ok(state) => Ok(Ok(state)),
        Err(StoreError::Corrupt { object, found }) => Ok(Err(format!("{object}: {found}"))),
        Err(other) => Err(other),
    }
}

/// Checks sled's mark and tiles against the log, and starts there.
fn start_at_mark(opened: Opened, log: &Arc<LogFiles>, genesis: &Arc<Genesis>) -> Result<State, StoreError> {
    let Opened { db, mark, digest } = opened;
    let disagrees = |found: &str| StoreError::Corrupt { object: format!("sled at height {}", mark.height), found: found.to_owned() };
    let view = if mark.height == 0 {
        let head = genesis_head(genesis);
        if mark.entry != head.entry_hash {
            return Err(disagrees("another genesis"));
        }
        View { head: Arc::new(head), edges: Edges::default(), layers: Vec::new() }
    } else {
        let place = log.place(mark.height).ok_or_else(|| disagrees("the log ends before it"))?;
        let leaf = log.entry_leaf(&place)?;
        let entry = BlockEntry::parse(&leaf).map_err(|refusal| log.damaged(&place, refusal.to_string()))?;
        if leaf_hash(&leaf) != mark.entry || entry.state != mark.state {
            return Err(disagrees("another block or state than the log has"));
        }
        view_at(&db, log, &entry, &mark)?
    };
    State::start(Shared::new(genesis.clone(), log.clone(), db, view), digest)
}

/// The tree at the end of a block, its full tiles from sled, checked against the entry's root.
fn view_at(db: &Db, log: &LogFiles, entry: &BlockEntry, mark: &Mark) -> Result<View, StoreError> {
    let size = entry.position + 1;
    let last = (size / 256 * 256..size).map(|position| leaf_hash_of(log, position)).collect::<Result<_, _>>()?;
    let full = |id| view::read_tile(db, id);
    let edges = Edges::read(size, last, full)?;
    let tree = Tree { edges: &edges, full: &full, damaged: &view::damaged_tile, checked: None };
    if root_at(&tree, entry.position)? != entry.root {
        return Err(StoreError::Corrupt { object: "the tiles in sled".into(), found: "another root than the newest entry's".into() });
    }
    let frontier = tree.frontier()?;
    let head =
        Head { height: entry.height, size, root: frontier.root(), state: entry.state, time: entry.time, entry_hash: mark.entry, frontier };
    Ok(View { head: Arc::new(head), edges, layers: Vec::new() })
}

fn leaf_hash_of(log: &LogFiles, position: u64) -> Result<crate::core::hash::Hash, StoreError> {
    let height = log.first_height(|place| place.position() >= position);
    let place = log.place(height).ok_or_else(|| missing(height))?;
    let index = usize::try_from(position - place.header.first).expect("a block fits in memory");
    Ok(leaf_hash(&log.leaf(&place, index)?))
}

/// A new sled with the genesis rows.
///
/// # Errors
/// [`StoreError`].
pub fn start_new(paths: &Paths, cache_bytes: u64, log: &Arc<LogFiles>, genesis: &Arc<Genesis>) -> Result<State, StoreError> {
    let db = Db::create(paths, cache_bytes)?;
    let head = genesis_head(genesis);
    let mark = Mark { height: 0, entry: head.entry_hash, state: head.state };
    let mut digest = Digest::default();
    db.apply(view::genesis_batch(genesis), &mark, &mut digest)?;
    let view = View { head: Arc::new(head), edges: Edges::default(), layers: Vec::new() };
    State::start(Shared::new(genesis.clone(), log.clone(), db, view), digest)
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
