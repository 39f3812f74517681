//! Cosignatures of one checkpoint, as a signed note: the form in which they travel and lie on disk.

use crate::core::key::cosigner_key_name;
use crate::core::note::{Note, SignatureLine};
use crate::core::refusal::{Code, Refusal};
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
        let line = |cosignature: &Cosignature| SignatureLine {
            name: cosigner_key_name(&self.checkpoint.origin, &cosignature.agency),
            id: cosignature.id,
            signature: [cosignature.timestamp.to_be_bytes().as_slice(), &cosignature.signature].concat(),
        };
        Note { text: self.checkpoint.to_text(), lines: self.cosignatures.iter().map(line).collect() }
    }

    /// Reads a checkpoint's note; lines of other keys than cosigners' are left out, nothing is verified.
    ///
    /// # Errors
    /// `note-malformed`.
    pub fn from_note(note: &Note) -> Result<Self, Refusal> {
        let checkpoint = Checkpoint::parse(&note.text)?;
        let prefix = cosigner_key_name(&checkpoint.origin, "");
        let cosignatures = note
            .lines
            .iter()
            .filter_map(|line| line.name.strip_prefix(&prefix).map(|agency| (agency, line)))
            .map(|(agency, line)| cosignature(agency, line))
            .collect::<Result<_, _>>()?;
        Ok(Cosigned { checkpoint, cosignatures })
    }
}

fn cosignature(agency: &str, line: &SignatureLine) -> Result<Cosignature, Refusal> {
    let malformed = || Refusal::new(Code::NoteMalformed, format!("{} bytes of {}", line.signature.len(), line.name), "72 bytes");
    let (timestamp, signature) = line.signature.split_first_chunk::<8>().ok_or_else(malformed)?;
    let signature = signature.try_into().map_err(|_| malformed())?;
    Ok(Cosignature { agency: agency.to_owned(), id: line.id, timestamp: u64::from_be_bytes(*timestamp), signature })
}
