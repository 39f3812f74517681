//! C2SP tlog-proof: one text with an entry's index, inclusion proof and checkpoint (`c2sp.org/tlog-proof@v1`).
//!
//! The optional `extra` line is not used by sharelog, and refused: it is signed by nobody.

use crate::core::hash::Hash;
use crate::core::key::{decode_base64, encode_base64};
use crate::core::limits::INTEGER_MAX;
use crate::core::note::Note;
use crate::core::refusal::{Code, Refusal};
use crate::log::checkpoint::{Checkpoint, parse_decimal};

/// First line of the text.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1\n";
/// A tree of less than 2^63 leaves has no longer path.
pub const PROOF_HASHES_MAX: usize = 63;

/// A tlog-proof, as read; nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    pub index: u64,
    pub proof: Vec<Hash>,
    /// The checkpoint note.
    pub checkpoint: String,
}

impl TlogProof {
    pub fn to_text(&self) -> String {
        let hashes: String = self.proof.iter().map(|hash| format!("{}\n", encode_base64(hash.as_bytes()))).collect();
        format!("{HEADER}index {}\n{hashes}\n{}", self.index, self.checkpoint)
    }

    /// # Errors
    /// `note-malformed`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let malformed = |found: &str, expected: &str| Refusal::new(Code::NoteMalformed, found, expected);
        let rest = text.strip_prefix(HEADER).ok_or_else(|| malformed("another first line", HEADER.trim_end()))?;
        let (head, checkpoint) =
            rest.split_once("\n\n").ok_or_else(|| malformed("no empty line", "index, hashes, an empty line, a checkpoint"))?;
        let mut lines = head.split('\n');
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(parse_decimal)
            .filter(|index| *index <= INTEGER_MAX)
            .ok_or_else(|| malformed("another second line", "index <decimal>"))?;
        let proof = lines.map(parse_node).collect::<Result<Vec<_>, _>>()?;
        if proof.len() > PROOF_HASHES_MAX {
            return Err(malformed("too many hashes", "at most 63"));
        }
        Checkpoint::parse(&Note::parse(checkpoint.as_bytes())?.text)?;
        Ok(TlogProof { index, proof, checkpoint: checkpoint.to_owned() })
    }
}

/// A hash of a proof: standard base64 of 32 bytes.
///
/// # Errors
/// `note-malformed`.
pub fn parse_node(text: &str) -> Result<Hash, Refusal> {
    let bytes = decode_base64(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Hash).ok_or_else(|| Refusal::new(Code::NoteMalformed, text, "base64 of 32 bytes"))
}
