//! C2SP tlog-checkpoint and cosignature/v1.

use crate::core::hash::Hash;
use crate::core::key::{KeyId, PublicKey, SecretKey, VerifierKey};
use crate::core::note::Note;
use crate::core::refusal::Refusal;

/// The three lines of a checkpoint: origin, tree size, root; no extension lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// `<origin>\n<size>\n<base64 root>\n`.
    pub fn to_text(&self) -> String {
        todo!()
    }

    /// # Errors
    /// `note-malformed` for anything but three such lines.
    pub fn parse(_text: &str) -> Result<Self, Refusal> {
        todo!()
    }
}

/// One validator's cosignature of a checkpoint: a 0x04 line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    pub agency: String,
    pub id: KeyId,
    /// Seconds since 1970, by the validator's own clock.
    pub timestamp: u64,
    pub signature: [u8; 64],
}

impl Cosignature {
    /// Signs `checkpoint` as `agency` at `timestamp` (Unix seconds): the message is
    /// `cosignature/v1\ntime <timestamp>\n<checkpoint text>`.
    pub fn sign(_checkpoint: &Checkpoint, _agency: &str, _timestamp: u64, _key: &SecretKey) -> Self {
        todo!()
    }

    /// Whether the line verifies under `cosigner` for its own `agency`'s key name.
    pub fn verifies(&self, _checkpoint: &Checkpoint, _cosigner: &PublicKey) -> bool {
        todo!()
    }
}

/// The published note: one 0x01 line under the origin by `publication`, then the cosignatures ascending by key name,
/// 16 lines in all at most.
pub fn publish(_checkpoint: &Checkpoint, _publication: &SecretKey, _cosignatures: &[Cosignature]) -> Note {
    todo!()
}

/// C2SP tlog-policy: one log line (`publication`), the validators and a quorum group of more than 2/3 (count), `quorum`.
pub fn policy_text(_publication: &VerifierKey, _cosigners: &[VerifierKey]) -> String {
    todo!()
}
