//! The tree against a naive recursive one and against an independent crate.

use ct_merkle::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update, consts::U32};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use sha2::Digest as _;
use sharelog::core::hash::Hash;
use sharelog::log::merkle::{
    Frontier, MemoryNodes, ProofError, consistency_proof, inclusion_proof, leaf_hash, node_hash, root_at, verify_consistency,
    verify_inclusion, verify_inclusion_prefix,
};

/// Our SHA-256 behind the newer traits that the oracle is written for.
#[derive(Clone, Default)]
struct Sha256(sha2::Sha256);

impl OutputSizeUser for Sha256 {
    type OutputSize = U32;
}

impl Update for Sha256 {
    fn update(&mut self, bytes: &[u8]) {
        sha2::Digest::update(&mut self.0, bytes);
    }
}

impl FixedOutput for Sha256 {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0.finalize());
    }
}

impl HashMarker for Sha256 {}

fn output(hash: &Hash) -> Output<Sha256> {
    Output::<Sha256>::from(*hash.as_bytes())
}

/// RFC 9162 section 2.1.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves.len() {
        0 => Hash::of(b""),
        1 => leaves[0],
        n => {
            let k = n.next_power_of_two() / 2;
            node_hash(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
        }
    }
}

/// RFC 9162 section 2.1.3.1.
fn naive_inclusion(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, last) = if m < k {
        (naive_inclusion(m, &leaves[..k]), naive_root(&leaves[k..]))
    } else {
        (naive_inclusion(m - k, &leaves[k..]), naive_root(&leaves[..k]))
    };
    path.push(last);
    path
}

/// RFC 9162 section 2.1.4.1.
fn naive_consistency(m: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if known { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, last) = if m <= k {
        (naive_consistency(m, &leaves[..k], known), naive_root(&leaves[k..]))
    } else {
        (naive_consistency(m - k, &leaves[k..], false), naive_root(&leaves[..k]))
    };
    path.push(last);
    path
}

fn leaf(index: usize) -> Vec<u8> {
    index.to_string().into_bytes()
}

fn leaves(size: usize) -> (MemoryNodes, Vec<Hash>) {
    let hashes: Vec<_> = (0..size).map(|index| leaf_hash(&leaf(index))).collect();
    let mut nodes = MemoryNodes::default();
    for hash in &hashes {
        nodes.push(*hash);
    }
    (nodes, hashes)
}

fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap()
}

#[test]
fn all_small_trees_have_the_naive_roots_and_proofs() {
    let (nodes, hashes) = leaves(70);
    let mut frontier = Frontier::default();
    for size in 0..=hashes.len() {
        let root = naive_root(&hashes[..size]);
        assert_eq!(root_at(&nodes, wide(size)).unwrap(), root);
        assert_eq!(frontier.root(), root);
        assert_eq!(Frontier::from_peaks(wide(size), frontier.peaks().to_vec()), Some(frontier.clone()));
        for position in 0..size {
            let proof = inclusion_proof(&nodes, wide(position), wide(size)).unwrap();
            assert_eq!(proof, naive_inclusion(position, &hashes[..size]), "{position} in {size}");
            let prefix = verify_inclusion_prefix(&hashes[position], wide(position), wide(size), &proof, &root).unwrap();
            assert_eq!(prefix.before, naive_root(&hashes[..position]), "{position} in {size}");
            assert_eq!(prefix.through, naive_root(&hashes[..=position]), "{position} in {size}");
        }
        for from in 1..=size {
            let proof = consistency_proof(&nodes, wide(from), wide(size)).unwrap();
            assert_eq!(proof, naive_consistency(from, &hashes[..size], true), "{from} to {size}");
            verify_consistency(wide(from), wide(size), &naive_root(&hashes[..from]), &root, &proof).unwrap();
        }
        if let Some(hash) = hashes.get(size) {
            frontier.push(*hash);
        }
    }
}

#[test]
fn a_frontier_takes_one_peak_for_each_bit_of_its_size() {
    assert!(Frontier::from_peaks(3, vec![Hash::of(b"a")]).is_none());
    assert!(Frontier::from_peaks(0, vec![Hash::of(b"a")]).is_none());
    assert_eq!(Frontier::from_peaks(0, Vec::new()), Some(Frontier::default()));
}

/// Sizes around the edges of tiles, against ct-merkle.
#[test]
fn an_independent_tree_agrees_at_the_edges_of_tiles() {
    let (nodes, hashes) = leaves(65_537);
    let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in [1_usize, 2, 3, 255, 256, 257, 65_535, 65_536, 65_537] {
        while oracle.len() < wide(size) {
            oracle.push(leaf(usize::try_from(oracle.len()).unwrap()));
        }
        let root = root_at(&nodes, wide(size)).unwrap();
        assert_eq!(oracle.root().as_bytes().as_slice(), root.as_bytes(), "size {size}");
        let oracle_root = RootHash::<Sha256>::new(output(&root), wide(size));
        for position in [0, size / 3, size / 2, size - 1] {
            let theirs = oracle.prove_inclusion(position);
            let ours = inclusion_proof(&nodes, wide(position), wide(size)).unwrap();
            assert_eq!(theirs.as_bytes(), joined(&ours), "{position} in {size}");
            verify_inclusion(&hashes[position], wide(position), wide(size), &ours, &root).unwrap();
            let proof = InclusionProof::<Sha256>::try_from_bytes(joined(&ours)).unwrap();
            oracle_root.verify_inclusion(&leaf(position), wide(position), &proof).unwrap();
        }
        for from in [1, size / 3, size / 2, size - 1].into_iter().filter(|from| (1..size).contains(from)) {
            let ours = consistency_proof(&nodes, wide(from), wide(size)).unwrap();
            assert_eq!(oracle.prove_consistency(size - from).as_bytes(), joined(&ours), "{from} to {size}");
            let from_root = root_at(&nodes, wide(from)).unwrap();
            verify_consistency(wide(from), wide(size), &from_root, &root, &ours).unwrap();
            let old = RootHash::<Sha256>::new(output(&from_root), wide(from));
            oracle_root.verify_consistency(&old, &ConsistencyProof::try_from_bytes(joined(&ours)).unwrap()).unwrap();
        }
    }
}

fn joined(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

#[test]
fn sizes_outside_the_tree_are_refused() {
    let (nodes, hashes) = leaves(7);
    let root = root_at(&nodes, 7).unwrap();
    assert_eq!(verify_inclusion(&hashes[0], 7, 7, &[], &root), Err(ProofError::OutOfRange));
    assert_eq!(verify_inclusion(&hashes[0], 0, 0, &[], &root), Err(ProofError::OutOfRange));
    assert_eq!(verify_consistency(0, 7, &root, &root, &[]), Err(ProofError::OutOfRange));
    assert_eq!(verify_consistency(8, 7, &root, &root, &[]), Err(ProofError::OutOfRange));
    assert_eq!(verify_consistency(7, 7, &root, &root, &[root]), Err(ProofError::WrongLength));
    assert_eq!(verify_consistency(7, 7, &hashes[0], &root, &[]), Err(ProofError::WrongRoot));
    assert_eq!(verify_consistency(3, 7, &root, &root, &[]), Err(ProofError::WrongLength));
    assert_eq!(verify_inclusion(&hashes[0], u64::MAX - 1, u64::MAX, &[], &root), Err(ProofError::WrongLength));
}

/// What a liar could do to a proof: leave hashes out, add some, swap or change them, or move the leaf.
fn bent(proof: &[Hash], how: usize, at: usize, bit: usize) -> Vec<Hash> {
    let mut proof = proof.to_vec();
    let at = at % (proof.len() + 1);
    match how {
        0 => proof.truncate(at),
        1 => proof.insert(at, Hash::of(b"more")),
        2 if at < proof.len() => proof[at].0[bit / 8 % 32] ^= 1 << (bit % 8),
        3 if at + 1 < proof.len() => proof.swap(at, at + 1),
        _ if !proof.is_empty() => drop(proof.remove(at % proof.len())),
        _ => {}
    }
    proof
}

proptest! {
    #[test]
    fn random_trees_agree_with_the_naive_one(size in 1_usize..600, position in 0_usize..600, from in 1_usize..600) {
        let (nodes, hashes) = leaves(size);
        let (position, from) = (position % size, from % size + 1);
        let root = naive_root(&hashes);
        prop_assert_eq!(root_at(&nodes, wide(size)).unwrap(), root);
        let proof = inclusion_proof(&nodes, wide(position), wide(size)).unwrap();
        prop_assert_eq!(&proof, &naive_inclusion(position, &hashes));
        prop_assert!(verify_inclusion(&hashes[position], wide(position), wide(size), &proof, &root).is_ok());
        let proof = consistency_proof(&nodes, wide(from), wide(size)).unwrap();
        prop_assert_eq!(&proof, &naive_consistency(from, &hashes, true));
        prop_assert!(verify_consistency(wide(from), wide(size), &naive_root(&hashes[..from]), &root, &proof).is_ok());
    }

    #[test]
    fn a_bent_proof_is_refused(size in 2_usize..300, position in 0_usize..300, other in 0_usize..300, how in 0_usize..5, at in 0_usize..10, bit in 0_usize..256) {
        let (nodes, hashes) = leaves(size);
        let (position, other) = (position % size, other % size);
        let root = naive_root(&hashes);
        let proof = inclusion_proof(&nodes, wide(position), wide(size)).unwrap();
        if other != position {
            prop_assert!(verify_inclusion(&hashes[position], wide(other), wide(size), &proof, &root).is_err());
            prop_assert!(verify_inclusion(&hashes[other], wide(position), wide(size), &proof, &root).is_err());
        }
        let crooked = bent(&proof, how, at, bit);
        if crooked != proof {
            prop_assert!(verify_inclusion(&hashes[position], wide(position), wide(size), &crooked, &root).is_err());
        }
        let from = position + 1;
        let from_root = naive_root(&hashes[..from]);
        let proof = consistency_proof(&nodes, wide(from), wide(size)).unwrap();
        let crooked = bent(&proof, how, at, bit);
        if crooked != proof {
            prop_assert!(verify_consistency(wide(from), wide(size), &from_root, &root, &crooked).is_err());
        }
        if from != size {
            prop_assert!(verify_consistency(wide(from), wide(size), &root, &root, &proof).is_err());
        }
    }
}
