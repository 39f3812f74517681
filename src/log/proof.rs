//! C2SP tlog-proof: one text with an entry's index, inclusion proof and checkpoint (`c2sp.org/tlog-proof@v1`).

use crate::core::hash::Hash;
use crate::core::refusal::Refusal;

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
        todo!()
    }

    /// # Errors
    /// `note-malformed`.
    pub fn parse(_text: &str) -> Result<Self, Refusal> {
        todo!()
    }
}
