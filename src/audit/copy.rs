//! A copy of a ledger's public files in a folder that any file server can carry.
//!
//! 1. The source's checkpoint is read; everything below is for its size. One that lies in the folder must be its beginning.
//! 2. The tree's right edge must give the checkpoint's root.
//! 3. Each tile and each bundle is written when it is the tree's: from its place in the folder, where it stays, or from the
//!    source. Files are written beside their places and renamed.
//! 4. `genesis` and `policy`, and at last `checkpoint`: a reader that finds it finds all that it covers.
//!
//! Who signed the checkpoint is not judged here: an audit of the folder does. Unfinished tiles of earlier copies stay.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;

use crate::audit::finding::{Fault, Finding};
use crate::audit::held::{CHECKPOINT_PATH, Held};
use crate::audit::snapshot::write_whole;
use crate::audit::source::{Folder, Source};
use crate::audit::tiles::{TILE_BYTES_MAX, Tile, Tree, WIDTH, levels, path_of_bundle, path_of_tile, tiles};
use crate::audit::{AuditError, Progress};
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::limits::GENESIS_BYTES_MAX;
use crate::limits::{AUDIT_FETCHERS, POLICY_FILE_BYTES_MAX};
use crate::log::checkpoint::Checkpoint;

/// Where a source's genesis file is.
pub const GENESIS_PATH: &str = "/genesis";
/// Where a source's tlog-policy is.
pub const POLICY_PATH: &str = "/policy";

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub ledger: String,
    pub size: u64,
    pub root: Hash,
    /// Tiles and bundles that were read from the source.
    pub written: u64,
    /// Tiles and bundles that lay in the folder and are the tree's.
    pub kept: u64,
}

/// Copies the source's public files into `dir`.
///
/// # Errors
/// [`AuditError`]; what was written stays, and the next copy keeps it.
pub fn copy(source: &dyn Source, dir: &Path, progress: Progress<'_>) -> Result<Copied, AuditError> {
    let offered = Held::of(source)?;
    let genesis = source.read(GENESIS_PATH, GENESIS_BYTES_MAX)?;
    check_genesis(&genesis, &offered)?;
    let policy = source.read(POLICY_PATH, POLICY_FILE_BYTES_MAX)?;
    check_policy(&policy)?;
    let local = Folder::new(dir);
    let checkpoint = &offered.checkpoint;
    let earlier = local.path(CHECKPOINT_PATH).exists().then(|| Held::read(&local.path(CHECKPOINT_PATH))).transpose()?;
    if let Some(earlier) = &earlier {
        earlier.check_origin(&checkpoint.origin)?;
        earlier.check_later(checkpoint)?;
    }
    let tree = Tree::open(source, checkpoint)?;
    if let Some(earlier) = &earlier {
        earlier.check_continued(&tree)?;
    }
    let copy = Copy { source, local, tree: &tree, size: checkpoint.size, written: AtomicU64::new(0), kept: AtomicU64::new(0) };
    copy.tiles_above()?;
    copy.leaves(progress)?;
    copy.write(GENESIS_PATH, &genesis)?;
    copy.write(POLICY_PATH, &policy)?;
    copy.write(CHECKPOINT_PATH, offered.note.to_text().as_bytes())?;
    let Checkpoint { origin, size, root } = offered.checkpoint;
    Ok(Copied { ledger: origin, size, root, written: copy.written.into_inner(), kept: copy.kept.into_inner() })
}

/// The genesis file is the one that the ledger's name says.
fn check_genesis(bytes: &[u8], offered: &Held) -> Result<(), Finding> {
    let wrong = |found: String, expected: String| Finding::new(Fault::Genesis, found, expected);
    let genesis =
        Genesis::parse(bytes).map_err(|refusal| wrong(format!("a genesis file that is refused: {}", refusal.found), refusal.expected))?;
    offered.check_origin(&genesis.origin)
}

/// The policy is the node's own word: only its form is checked.
fn check_policy(bytes: &[u8]) -> Result<(), Finding> {
    let is_text = bytes.len() <= POLICY_FILE_BYTES_MAX && bytes.starts_with(b"log ") && std::str::from_utf8(bytes).is_ok();
    let found = || format!("a policy of {} bytes that does not begin with a log line", bytes.len());
    if is_text {
        Ok(())
    } else {
        Err(Finding::new(Fault::Checkpoint, found(), format!("a tlog-policy of at most {POLICY_FILE_BYTES_MAX} bytes")))
    }
}

/// A copy under way.
struct Copy<'a> {
    source: &'a dyn Source,
    local: Folder,
    tree: &'a Tree<'a>,
    size: u64,
    written: AtomicU64,
    kept: AtomicU64,
}

impl Copy<'_> {
    /// The tiles above level 0: few beside the others.
    fn tiles_above(&self) -> Result<(), AuditError> {
        for level in 1..levels(self.size) {
            for index in 0..tiles(self.size, level) {
                self.tile(level, index)?;
            }
        }
        Ok(())
    }

    fn tile(&self, level: u32, index: u64) -> Result<Tile, AuditError> {
        let path = path_of_tile(self.size, (level, index));
        self.bring(&path, TILE_BYTES_MAX, |bytes| self.tree.check_tile((level, index), bytes))
    }

    /// All tiles of level 0 with their bundles, a few at once.
    fn leaves(&self, progress: Progress<'_>) -> Result<(), AuditError> {
        let next = AtomicU64::new(0);
        let bundles = self.tree.bundles();
        std::thread::scope(|scope| {
            let (sender, results) = sync_channel(AUDIT_FETCHERS);
            for _ in 0..AUDIT_FETCHERS {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        // Nobody hears when another bundle was wrong.
                        if index >= bundles || sender.send(self.bundle(index)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            for (done, result) in (1..).zip(results) {
                result?;
                progress((done * WIDTH).min(self.size), self.size);
            }
            Ok(())
        })
    }

    fn bundle(&self, index: u64) -> Result<(), AuditError> {
        let tile = self.tile(0, index)?;
        let path = path_of_bundle(self.size, index);
        self.bring(&path, self.tree.bundle_bytes_max(index), |bytes| self.tree.check_bundle(index, &tile, bytes))?;
        Ok(())
    }

    /// What the file holds: of the one in its place if that is good, else of the source's, which is written there.
    fn bring<T>(&self, path: &str, bytes_max: usize, check: impl Fn(&[u8]) -> Result<T, AuditError>) -> Result<T, AuditError> {
        let there = self.local.read(path, bytes_max).map_err(AuditError::from).and_then(|bytes| check(&bytes));
        if there.is_ok() {
            self.kept.fetch_add(1, Ordering::Relaxed);
            return there;
        }
        let bytes = self.source.read(path, bytes_max)?;
        let good = check(&bytes)?;
        self.write(path, &bytes)?;
        self.written.fetch_add(1, Ordering::Relaxed);
        Ok(good)
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), AuditError> {
        let path = self.local.path(path);
        let dir = path.parent().expect("a file in a folder");
        fs::create_dir_all(dir).map_err(|source| AuditError::Io { operation: "making", path: dir.to_owned(), source })?;
        write_whole(&path, bytes)
    }
}
