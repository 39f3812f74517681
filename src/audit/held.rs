//! A checkpoint note in hand: parsed, its signatures unchecked.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::audit::AuditError;
use crate::audit::finding::{Fault, Finding};
use crate::audit::source::Source;
use crate::audit::tiles::Tree;
use crate::core::hash::Hash;
use crate::core::note::Note;
use crate::core::refusal::Refusal;
use crate::limits::NOTE_FILE_BYTES_MAX;
use crate::log::checkpoint::Checkpoint;
use crate::log::merkle::root_at;

/// Where a source's checkpoint is.
pub const CHECKPOINT_PATH: &str = "/checkpoint";

/// A note and the checkpoint that it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub note: Note,
    pub checkpoint: Checkpoint,
}

impl Held {
    /// # Errors
    /// `note-malformed`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        Ok(Held { note, checkpoint })
    }

    /// From a file that the auditor holds.
    ///
    /// # Errors
    /// [`AuditError::Io`], [`AuditError::Unreadable`].
    pub fn read(path: &Path) -> Result<Self, AuditError> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(NOTE_FILE_BYTES_MAX).read_to_end(&mut bytes));
        read.map_err(|source| AuditError::Io { operation: "reading", path: path.to_owned(), source })?;
        Held::parse(&bytes).map_err(|refusal| AuditError::Unreadable { path: path.to_owned(), refusal })
    }

    /// A source's newest checkpoint.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn of(source: &dyn Source) -> Result<Self, AuditError> {
        let bytes_max = usize::try_from(NOTE_FILE_BYTES_MAX).expect("64 KiB");
        let bytes = source.read(CHECKPOINT_PATH, bytes_max)?;
        Held::parse(&bytes).map_err(|refusal| {
            let found = format!("a checkpoint of {} that cannot be read: {}", source.name(), refusal.found);
            Finding::new(Fault::Checkpoint, found, refusal.expected).into()
        })
    }

    /// That it is about the ledger `origin`.
    ///
    /// # Errors
    /// [`Fault::Checkpoint`].
    pub fn check_origin(&self, origin: &str) -> Result<(), Finding> {
        if self.checkpoint.origin == origin {
            return Ok(());
        }
        Err(Finding::new(Fault::Checkpoint, format!("a checkpoint of {}", self.checkpoint.origin), format!("one of {origin}")))
    }

    /// That `offered` is no earlier and no other checkpoint than this one, as far as the two alone can tell.
    ///
    /// # Errors
    /// [`Fault::Rollback`] for a smaller tree, [`Fault::Fork`] for another root of the same size.
    pub fn check_later(&self, offered: &Checkpoint) -> Result<(), Finding> {
        let Checkpoint { size, root, .. } = self.checkpoint;
        if offered.size < size {
            let expected = format!("at least {size}, the size of the checkpoint that you hold");
            return Err(Finding::new(Fault::Rollback, format!("a checkpoint of size {}", offered.size), expected));
        }
        if offered.size == size && offered.root != root {
            return Err(self.fork(&offered.root));
        }
        Ok(())
    }

    /// That `tree`, which is no smaller, begins with this checkpoint's leaves.
    ///
    /// # Errors
    /// [`Fault::Fork`] for another history; what keeps the tiles from being read.
    pub fn check_continued(&self, tree: &Tree<'_>) -> Result<(), AuditError> {
        let found = root_at(tree, self.checkpoint.size)?;
        if found == self.checkpoint.root { Ok(()) } else { Err(self.fork(&found).into()) }
    }

    fn fork(&self, found: &Hash) -> Finding {
        let Checkpoint { size, root, .. } = self.checkpoint;
        let expected = format!("root {root}, of the checkpoint that you hold");
        Finding::new(Fault::Fork, format!("root {found} of the first {size} leaves"), expected)
    }
}
