//! RFC 9162 Merkle tree over SHA-256: roots, inclusion and consistency proofs, and their strict verification.
//!
//! A tree is never held whole. [`Frontier`] appends leaves and keeps the right edge alone; proofs are cut from stored
//! hashes of complete subtrees ([`NodeHashes`]), which [`Frontier::push_with`] hands out once each, when they complete.

use crate::core::hash::Hash;

/// SHA-256(0x00 || leaf).
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Hash::of_parts(&[&[0], leaf])
}

/// SHA-256(0x01 || left || right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Hash::of(b"")
}

/// The root of a complete subtree over `hashes`, whose number is a power of two.
pub fn subtree_root(hashes: &[Hash]) -> Hash {
    if let [hash] = hashes {
        return *hash;
    }
    let (left, right) = hashes.split_at(hashes.len() / 2);
    node_hash(&subtree_root(left), &subtree_root(right))
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
    /// The frontier of `size` leaves with these roots of complete subtrees, largest first; `None` when a tree of this size
    /// has another number of them.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (u32::try_from(peaks.len()) == Ok(size.count_ones())).then_some(Frontier { size, peaks })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first: one for each bit set in the size.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _, _| ());
    }

    /// Appends a leaf by its hash, and tells `complete` each node (level, index, hash) that the leaf completes, itself
    /// first: just those that [`NodeHashes`] wants stored.
    pub fn push_with(&mut self, leaf: Hash, mut complete: impl FnMut(u32, u64, &Hash)) {
        let mut node = leaf;
        complete(0, self.size, &node);
        for level in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("there is a peak for each bit set in the size");
            node = node_hash(&left, &node);
            complete(level + 1, self.size >> (level + 1), &node);
        }
        self.peaks.push(node);
        self.size = self.size.checked_add(1).expect("a log holds less than 2^64 leaves");
    }

    /// The tree's root; SHA-256 of nothing when it is empty.
    pub fn root(&self) -> Hash {
        fold_right(&self.peaks)
    }
}

/// Peaks, largest first, to the root of their tree.
fn fold_right(peaks: &[Hash]) -> Hash {
    peaks.iter().copied().rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
}

/// A tree in memory with all its node hashes, for small logs and for tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryNodes {
    frontier: Frontier,
    levels: Vec<Vec<Hash>>,
}

/// A node that is not complete in this tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no complete node {index} at level {level}")]
pub struct IncompleteNode {
    pub level: u32,
    pub index: u64,
}

impl MemoryNodes {
    pub fn push(&mut self, leaf: Hash) {
        let levels = &mut self.levels;
        self.frontier.push_with(leaf, |level, _, hash| {
            let level = usize::try_from(level).expect("a level is below 64");
            if levels.len() == level {
                levels.push(Vec::new());
            }
            levels[level].push(*hash);
        });
    }

    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }
}

impl NodeHashes for MemoryNodes {
    type Error = IncompleteNode;

    fn node(&self, level: u32, index: u64) -> Result<Hash, IncompleteNode> {
        let nodes = usize::try_from(level).ok().and_then(|level| self.levels.get(level));
        let node = nodes.zip(usize::try_from(index).ok()).and_then(|(nodes, index)| nodes.get(index));
        node.copied().ok_or(IncompleteNode { level, index })
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

/// The inclusion proof of the leaf at `position` in the tree of `size`. The caller checks `position` < `size` first; a
/// position outside has an empty list, which proves nothing.
///
/// # Errors
/// Those of `hashes`.
pub fn inclusion_proof<H: NodeHashes>(hashes: &H, position: u64, size: u64) -> Result<Vec<Hash>, H::Error> {
    let mut proof = Vec::new();
    if position >= size {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if position < middle {
            proof.push(range_root(hashes, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(hashes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The consistency proof between the trees of sizes `from` and `to`. The caller checks 0 < `from` <= `to` first; other
/// sizes have an empty list, which proves nothing.
///
/// # Errors
/// Those of `hashes`.
pub fn consistency_proof<H: NodeHashes>(hashes: &H, from: u64, to: u64) -> Result<Vec<Hash>, H::Error> {
    let mut proof = Vec::new();
    if from == 0 || from > to {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, to);
    while from != end {
        let middle = start + split(end - start);
        if from <= middle {
            proof.push(range_root(hashes, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(hashes, start, middle)?);
            start = middle;
        }
    }
    // The old tree's own root is known to the verifier when the walk never turned right.
    if start > 0 {
        proof.push(range_root(hashes, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root of the tree of `size` leaves.
///
/// # Errors
/// Those of `hashes`.
pub fn root_at<H: NodeHashes>(hashes: &H, size: u64) -> Result<Hash, H::Error> {
    range_root(hashes, 0, size)
}

/// The largest power of two below `leaves`, which is at least 2: where RFC 9162 splits a tree.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The root over leaves `start..end`, where `start` is a multiple of a power of two not below the range's length.
fn range_root<H: NodeHashes>(hashes: &H, start: u64, end: u64) -> Result<Hash, H::Error> {
    let mut peaks = Vec::new();
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2();
        peaks.push(hashes.node(level, at >> level)?);
        at += 1 << level;
    }
    Ok(fold_right(&peaks))
}

/// What an inclusion proof shows beside the leaf itself: its hashes to the left are the peaks of the leaves before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Root of the leaves before the proven one.
    pub before: Hash,
    /// Root of the leaves up to and including it.
    pub through: Hash,
}

/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(leaf: &Hash, position: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    verify_inclusion_prefix(leaf, position, size, proof, root).map(|_| ())
}

/// As [`verify_inclusion`], and gives the two earlier roots that the same proof shows to be consistent with `root`.
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion_prefix(leaf: &Hash, position: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<Prefix, ProofError> {
    if position >= size {
        return Err(ProofError::OutOfRange);
    }
    let (mut node, mut last) = (position, size - 1);
    let mut hash = *leaf;
    let mut before: Option<Hash> = None;
    let mut through = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            before = Some(before.map_or(*sibling, |right| node_hash(sibling, &right)));
            through = node_hash(sibling, &through);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    if hash != *root {
        return Err(ProofError::WrongRoot);
    }
    Ok(Prefix { before: before.unwrap_or_else(empty_root), through })
}

/// # Errors
/// [`ProofError`].
pub fn verify_consistency(from: u64, to: u64, from_root: &Hash, to_root: &Hash, proof: &[Hash]) -> Result<(), ProofError> {
    if from == 0 || from > to {
        return Err(ProofError::OutOfRange);
    }
    if from == to {
        return match (proof.is_empty(), from_root == to_root) {
            (false, _) => Err(ProofError::WrongLength),
            (true, false) => Err(ProofError::WrongRoot),
            (true, true) => Ok(()),
        };
    }
    let (first, rest) = match (from.is_power_of_two(), proof.split_first()) {
        (true, _) => (from_root, proof),
        (false, Some(parts)) => parts,
        (false, None) => return Err(ProofError::WrongLength),
    };
    let skip = (from - 1).trailing_ones();
    let (mut node, mut last) = ((from - 1) >> skip, (to - 1) >> skip);
    let (mut old, mut new) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new = node_hash(&new, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    if old != *from_root || new != *to_root {
        return Err(ProofError::WrongRoot);
    }
    Ok(())
}
