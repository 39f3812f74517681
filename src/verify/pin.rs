//! Comparing the file with a checkpoint that the caller holds.
//!
//! An inclusion proof is also a consistency proof: its hashes to the left give the roots of the leaves before and through
//! its leaf. So a pinned size is compared with the checkpoint itself, or with an earlier size that one of the file's proofs
//! shows. For a larger one the caller brings a tlog-proof of the file's head.

use crate::core::hash::Hash;
use crate::core::note::Note;
use crate::log::checkpoint::Checkpoint;
use crate::log::evidence::Evidence;
use crate::log::merkle::{leaf_hash, verify_inclusion_prefix};
use crate::log::proof::{self, TlogProof};
use crate::verify::{At, Failure, Step, View, contradicts};

pub fn check(view: &View<'_>, evidence: &Evidence, later: &str) -> Result<(), Failure> {
    if later.starts_with(proof::HEADER) {
        return check_proof(view, evidence, &TlogProof::parse(later).at(Step::Pin)?);
    }
    let pinned = read(view, later)?;
    let Some(root) = root_at(view, evidence, pinned.size)? else {
        let size = view.checkpoint.size;
        return contradicts(
            Step::Pin,
            format!("a checkpoint of size {}, which the file, of size {size}, shows no root of", pinned.size),
            format!("a checkpoint of size {size}, or a tlog-proof of position {} under a later one", evidence.head.position),
        );
    };
    if root != pinned.root {
        return contradicts(
            Step::Pin,
            format!("root {root} of the first {} leaves: another history", pinned.size),
            format!("the pinned root {}", pinned.root),
        );
    }
    Ok(())
}

fn read(view: &View<'_>, note: &str) -> Result<Checkpoint, Failure> {
    let note = Note::parse(note.as_bytes()).at(Step::Pin)?;
    let checkpoint = Checkpoint::parse(&note.text).at(Step::Pin)?;
    if checkpoint.origin != view.genesis.origin {
        return contradicts(Step::Pin, format!("a checkpoint of {}", checkpoint.origin), &view.genesis.origin);
    }
    Ok(checkpoint)
}

/// The root of the first `size` leaves, when the file shows it.
fn root_at(view: &View<'_>, evidence: &Evidence, size: u64) -> Result<Option<Hash>, Failure> {
    if size == view.checkpoint.size {
        return Ok(Some(view.checkpoint.root));
    }
    let handovers = evidence.handovers.iter().map(|handover| &handover.entry);
    let mut leaves = evidence.blocks.iter().chain(&evidence.entries).chain(&evidence.keys).chain(handovers).chain([&evidence.head]);
    let found = leaves.find(|leaf| leaf.position == size || leaf.position.checked_add(1) == Some(size));
    let Some(leaf) = found else {
        return Ok(None);
    };
    let prefix = view.prove(leaf, Step::Pin)?;
    Ok(Some(if leaf.position == size { prefix.before } else { prefix.through }))
}

fn check_proof(view: &View<'_>, evidence: &Evidence, proof: &TlogProof) -> Result<(), Failure> {
    let pinned = read(view, &proof.checkpoint)?;
    let head = &evidence.head;
    if proof.index != head.position {
        return contradicts(
            Step::Pin,
            format!("a proof of position {}", proof.index),
            format!("one of the head, position {}", head.position),
        );
    }
    let hash = leaf_hash(head.leaf.as_bytes());
    let prefix = verify_inclusion_prefix(&hash, head.position, pinned.size, &proof.proof, &pinned.root)
        .or_else(|error| contradicts(Step::Pin, error.to_string(), format!("the head under the pinned root {}", pinned.root)))?;
    if prefix.through != view.checkpoint.root {
        return contradicts(
            Step::Pin,
            format!("root {} of the first {} leaves: another history", view.checkpoint.root, view.checkpoint.size),
            prefix.through.to_hex(),
        );
    }
    Ok(())
}
