//! Faults for the tests, chosen by the variable `SHARELOG_FAULT`; never part of a release build.
//!
//! Each fault is one evil thing; all else about the node stays honest, so that exactly this is what others see:
//! - `bad-signature`: a block's first record has a broken signature, and its entry covers that leaf;
//! - `wrong-time`: a fresh block's time lies an hour ahead;
//! - `nil-first`: the precommit of a height's first round is nil, whatever was prevoted, so that rounds have to repeat;
//! - `disk:...`: failing disks, see `store/faults.rs`.
//!
//! `SHARELOG_SIGNED` names a file that takes every text that is signed with the consensus key, for tests that look for
//! contradictions.

use std::io::Write as _;
use std::sync::Arc;

use crate::core::time::Time;
use crate::log::merkle::leaf_hash;
use crate::store::Head;
use crate::store::execution::Execution;

/// How far `wrong-time` goes.
const AHEAD_MS: u64 = 3_600_000;

fn is_chosen(fault: &str) -> bool {
    std::env::var("SHARELOG_FAULT").is_ok_and(|chosen| chosen == fault)
}

/// The time of a block that this node builds.
pub fn alter_time(time: Time) -> Time {
    if is_chosen("wrong-time") { time.plus_ms(AHEAD_MS) } else { time }
}

/// Whether a precommit of this round is made nil.
pub fn precommits_nil(round: Option<u32>) -> bool {
    round == Some(0) && is_chosen("nil-first")
}

/// Writes down a vote or proposal that is about to be signed.
pub fn tell_signed(text: &str) {
    let Some(path) = std::env::var_os("SHARELOG_SIGNED") else {
        return;
    };
    let file = std::fs::File::options().create(true).append(true).open(&path);
    let line = format!("{}\n", text.trim_end().replace('\n', " "));
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the tests' file of signed texts takes a line");
}

/// A block that this node built, before it is proposed.
pub fn alter_block(head: &Head, mut leaves: Vec<Arc<[u8]>>, mut execution: Execution) -> (Vec<Arc<[u8]>>, Execution) {
    if is_chosen("bad-signature")
        && let Some(first) = leaves.first_mut()
    {
        *first = break_signature(first);
        let mut frontier = head.frontier.clone();
        for (leaf, hash) in leaves.iter().zip(&mut execution.leaf_hashes) {
            *hash = leaf_hash(leaf);
            frontier.push(*hash);
        }
        execution.entry.root = frontier.root();
        let hash = execution.entry.hash();
        frontier.push(hash);
        if let Some(last) = execution.leaf_hashes.last_mut() {
            *last = hash;
        }
        execution.frontier = frontier;
    }
    (leaves, execution)
}

/// Changes a letter in the last signature line: still base64, still 64 bytes, no longer the signature.
fn break_signature(leaf: &[u8]) -> Arc<[u8]> {
    let mut leaf = leaf.to_vec();
    let place = leaf.len().saturating_sub(20);
    if let Some(letter) = leaf.get_mut(place) {
        *letter = if *letter == b'A' { b'B' } else { b'A' };
    }
    leaf.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_letter_of_the_signature_changes() {
        let leaf = b"sharelog/record/v1\n{}\n\n\xe2\x80\x94 name AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n";
        let broken = break_signature(leaf);
        assert_eq!(broken.iter().zip(leaf).filter(|(a, b)| a != b).count(), 1);
        assert_eq!(broken.len(), leaf.len());
    }
}
