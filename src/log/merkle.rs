//! RFC 9162 Merkle tree over SHA-256.

use crate::core::hash::Hash;

/// SHA-256(0x00 || leaf).
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Hash::of_parts(&[&[0], leaf])
}

/// SHA-256(0x01 || left || right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// Stored hashes of complete subtrees: node (level, index) covers leaves `index * 2^level` up to `(index + 1) * 2^level`.
pub trait NodeHashes {
    type Error;
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The right edge of a tree: its size and the roots of its complete subtrees, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, _leaf: Hash) {
        todo!()
    }

    /// The tree's root; SHA-256 of nothing when it is empty.
    pub fn root(&self) -> Hash {
        todo!()
    }
}

/// Why a proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("the position or size lies outside the tree")]
    OutOfRange,
    #[error("the proof has another number of hashes than its sizes want")]
    WrongLength,
    #[error("the proof leads to another root")]
    WrongRoot,
}

/// The inclusion proof of the leaf at `position` in the tree of `size` (position < size, else `Ok` of an empty list is never given: panics are the caller's bug, so check first).
///
/// # Errors
/// Those of `hashes`.
pub fn inclusion_proof<H: NodeHashes>(_hashes: &H, _position: u64, _size: u64) -> Result<Vec<Hash>, H::Error> {
    todo!()
}

/// The consistency proof between the trees of sizes `from` and `to` (0 < from <= to).
///
/// # Errors
/// Those of `hashes`.
pub fn consistency_proof<H: NodeHashes>(_hashes: &H, _from: u64, _to: u64) -> Result<Vec<Hash>, H::Error> {
    todo!()
}

/// The root of the tree of `size` leaves.
///
/// # Errors
/// Those of `hashes`.
pub fn root_at<H: NodeHashes>(_hashes: &H, _size: u64) -> Result<Hash, H::Error> {
    todo!()
}

/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(_leaf: &Hash, _position: u64, _size: u64, _proof: &[Hash], _root: &Hash) -> Result<(), ProofError> {
    todo!()
}

/// # Errors
/// [`ProofError`].
pub fn verify_consistency(_from: u64, _to: u64, _from_root: &Hash, _to_root: &Hash, _proof: &[Hash]) -> Result<(), ProofError> {
    todo!()
}
