//! Cosignatures of one checkpoint, as a signed note: the form in which they travel and lie on disk.

use crate::core::note::Note;
use crate::core::refusal::Refusal;
use crate::log::checkpoint::{Checkpoint, Cosignature};

/// Cosignatures of one checkpoint, as they travel on the record swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    pub checkpoint: Checkpoint,
    pub cosignatures: Vec<Cosignature>,
}

impl Cosigned {
    /// The checkpoint with its 0x04 lines.
    pub fn to_note(&self) -> Note {
        let lines = self.cosignatures.iter().map(|cosignature| cosignature.to_line(&self.checkpoint.origin)).collect();
        Note { text: self.checkpoint.to_text(), lines }
    }

    /// Reads a checkpoint's note; lines of other keys than cosigners' are left out, nothing is verified.
    ///
    /// # Errors
    /// `note-malformed`.
    pub fn from_note(note: &Note) -> Result<Self, Refusal> {
        let checkpoint = Checkpoint::parse(&note.text)?;
        let cosignatures = note.lines.iter().filter_map(|line| Cosignature::from_line(line, &checkpoint.origin)).collect();
        Ok(Cosigned { checkpoint, cosignatures })
    }
}
