//! Evidence files: everything to check records offline, given only the genesis hash (shape in INTERFACES.md).

use crate::core::commitment::Opening;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::refusal::Refusal;
use crate::core::validators::ValidatorSet;
use crate::log::certificate::Certificate;

/// A leaf with its inclusion proof to the checkpoint's size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenLeaf {
    pub leaf: String,
    pub position: u64,
    pub proof: Vec<Hash>,
}

/// The last block entry decided by an old set, that set's certificate over it, and the new set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub certificate: Certificate,
    pub entry: ProvenLeaf,
    pub validators: ValidatorSet,
}

/// An evidence file, well-formed; nothing is verified yet (see [`crate::verify`]).
#[derive(Clone, Debug)]
pub struct Evidence {
    pub blocks: Vec<ProvenLeaf>,
    /// The checkpoint note.
    pub checkpoint: String,
    pub entries: Vec<ProvenLeaf>,
    /// The genesis file, parsed as JSON; its JCS text is the file's bytes.
    pub genesis: Value,
    pub handovers: Vec<Handover>,
    pub head: ProvenLeaf,
    pub keys: Vec<ProvenLeaf>,
    pub openings: Vec<Opening>,
}

impl Evidence {
    pub fn to_value(&self) -> Value {
        todo!()
    }

    /// Strict: unknown members, repeats, another order, non-canonical base64 and over-long files are refused.
    ///
    /// # Errors
    /// `too-large` and the codes of status 400.
    pub fn parse(_bytes: &[u8]) -> Result<Self, Refusal> {
        todo!()
    }
}
