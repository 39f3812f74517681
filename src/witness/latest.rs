//! The newest cosigned checkpoint of one log, and its file.
//!
//! `latest/<SHA-256 of the origin>.note` is the checkpoint's note with the log's lines and the witness's own. The file is
//! replaced as a whole and synced before the witness's line is given out. The own line seals it: a file that was changed or
//! damaged does not verify, and the witness does not start.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::config::ConfigError;
use crate::consensus::durable;
use crate::core::hash::Hash;
use crate::core::key::VerifierKey;
use crate::core::note::Note;
use crate::limits::WITNESSED_FILE_BYTES_MAX;
use crate::log::checkpoint::Checkpoint;
use crate::log::witness::{line_verifies, tree_of};

/// The newest cosigned checkpoint; none before the first.
pub struct Latest {
    file: PathBuf,
    kept: Option<(Checkpoint, String)>,
}

impl Latest {
    /// Reads what earlier runs kept.
    ///
    /// # Errors
    /// A file that cannot be read, or that this witness did not sign.
    pub fn open(dir: &Path, origin: &str, vkey: &VerifierKey) -> anyhow::Result<Self> {
        let file = dir.join(format!("{}.note", name_of(origin)));
        let kept = read(&file, origin, vkey).with_context(|| format!("reading the newest checkpoint of {origin}, {}", file.display()))?;
        Ok(Latest { file, kept })
    }

    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.kept.as_ref().map(|(checkpoint, _)| checkpoint)
    }

    /// The note with the log's lines and the witness's own.
    pub fn note(&self) -> Option<&str> {
        self.kept.as_ref().map(|(_, note)| note.as_str())
    }

    /// Keeps what will be given out next; on disk when this returns.
    ///
    /// # Errors
    /// A file that cannot be written: nothing may be given out then.
    pub fn advance(&mut self, checkpoint: Checkpoint, note: &Note) -> anyhow::Result<()> {
        let text = note.to_text();
        durable::replace(&self.file, text.as_bytes()).with_context(|| format!("writing {}", self.file.display()))?;
        self.kept = Some((checkpoint, text));
        Ok(())
    }
}

/// How a log is named where its origin does not fit: in files, and in the addresses of the standard.
pub fn name_of(origin: &str) -> String {
    Hash::of(origin.as_bytes()).to_hex()
}

fn read(file: &Path, origin: &str, vkey: &VerifierKey) -> anyhow::Result<Option<(Checkpoint, String)>> {
    let Some(text) = durable::read(file, WITNESSED_FILE_BYTES_MAX)? else {
        return Ok(None);
    };
    let signed = Note::parse(text.as_bytes()).and_then(|note| tree_of(&note.text).map(|checkpoint| (note, checkpoint)));
    let is_own = |note: &Note| note.lines.iter().any(|line| line_verifies(line, &note.text, vkey));
    match signed {
        Ok((note, checkpoint)) if checkpoint.origin == origin && is_own(&note) => Ok(Some((checkpoint, text))),
        _ => Err(ConfigError {
            origin: file.display().to_string(),
            found: "a damaged file, or the witness of another key".to_owned(),
            expected: format!("a checkpoint of {origin} with a line of {vkey}; without it a second history could be cosigned"),
        }
        .into()),
    }
}
