//! The cosigner's note: the newest (size, root) that it may have signed.
//!
//! The file holds the checkpoint's three lines and the SHA-256 of them. It is replaced and synced before the signature is
//! made, so that a node that comes back never signs another root at a size up to it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::consensus::durable;
use crate::core::hash::Hash;
use crate::limits::NOTE_FILE_BYTES_MAX;
use crate::log::checkpoint::Checkpoint;

/// The note and its file.
pub struct Noted {
    file: PathBuf,
    last: Option<Checkpoint>,
}

impl Noted {
    /// Reads the note; a cosigner without a file has not signed yet.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or belongs to another ledger.
    pub fn open(file: PathBuf, origin: &str) -> anyhow::Result<Self> {
        let last = read(&file, origin).with_context(|| format!("cosigner's note {}", file.display()))?;
        Ok(Noted { file, last })
    }

    pub fn last(&self) -> Option<&Checkpoint> {
        self.last.as_ref()
    }

    /// Notes what will be signed next; on disk when this returns.
    ///
    /// # Errors
    /// A file that cannot be written: nothing may be signed then.
    pub fn advance(&mut self, checkpoint: Checkpoint) -> anyhow::Result<()> {
        let text = checkpoint.to_text();
        let sealed = format!("{text}{}\n", Hash::of(text.as_bytes()));
        durable::replace(&self.file, sealed.as_bytes()).with_context(|| format!("cosigner's note {}", self.file.display()))?;
        self.last = Some(checkpoint);
        Ok(())
    }
}

fn read(file: &Path, origin: &str) -> anyhow::Result<Option<Checkpoint>> {
    let Some(sealed) = durable::read(file, NOTE_FILE_BYTES_MAX)? else {
        return Ok(None);
    };
    let split = sealed.trim_end_matches('\n').rfind('\n').map_or(0, |end| end + 1);
    let (text, seal) = sealed.split_at(split);
    if seal != format!("{}\n", Hash::of(text.as_bytes())) {
        bail!("damaged: its last line is not the SHA-256 of the others");
    }
    let checkpoint = Checkpoint::parse(text)?;
    if checkpoint.origin != origin {
        bail!("a note of another ledger: {}", checkpoint.origin);
    }
    Ok(Some(checkpoint))
}
