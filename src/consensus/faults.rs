//! Faults for the tests, chosen by the variable `SHARELOG_FAULT`; never part of a release build.
//!
//! Each fault is one evil thing; all else about the node stays honest, so that exactly this is what others see:
//! - `bad-signature`: a block's first record has a broken signature, and its entry covers that leaf;
//! - `wrong-time`: a fresh block's time lies an hour ahead;
//! - `clock=FILE`: the node's clock is wrong by the milliseconds that the file holds, a signed number that may change while it runs;
//! - `nil-first`: the precommit of a height's first round is nil, whatever was prevoted, so that rounds have to repeat;
//! - `censor:AGENCY`: blocks that this node builds hold no record of that agency;
//! - `silent`: this validator follows, and neither votes nor proposes;
//! - `lying-sync`: answers of value sync are empty, have gaps, are out of order, cut, falsely signed, or late, by turns;
//! - `two-votes`: for each prevote of a block a second one for none, in place of the precommit;
//! - `unguarded`: signatures are made whatever was signed before;
//! - `any-time`: a fresh block may have any time;
//! - `disk:...`: failing disks, see `store/faults.rs`.
//!
//! Several are joined by commas. The simulation, which runs many nodes on one thread, says instead whose turn it is.
//! `SHARELOG_SIGNED` names a file that takes every text that is signed with the consensus key, for tests that look for
//! contradictions.

use std::cell::RefCell;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::core::time::Time;
use crate::log::merkle::leaf_hash;
use crate::store::Head;
use crate::store::execution::Execution;

/// How far `wrong-time` goes.
const AHEAD_MS: u64 = 3_600_000;

thread_local! {
    static CHOSEN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The faults of the simulated node that runs next on this thread.
pub fn choose(faults: &str) {
    CHOSEN.set(Some(faults.to_owned()));
}

fn is_chosen(fault: &str) -> bool {
    let is_among = |chosen: &str| chosen.split(',').any(|chosen| chosen == fault);
    CHOSEN.with_borrow(|chosen| match chosen {
        Some(chosen) => is_among(chosen),
        None => std::env::var("SHARELOG_FAULT").is_ok_and(|chosen| is_among(&chosen)),
    })
}

/// Whether this validator signs two prevotes where it may sign one.
pub fn votes_twice() -> bool {
    is_chosen("two-votes")
}

/// Whether this validator keeps silent.
pub fn is_silent() -> bool {
    is_chosen("silent")
}

/// What is wrong with an answer of value sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncLie {
    Empty,
    Gap,
    Backwards,
    Cut,
    FalseSignatures,
    /// Signatures of members, under addresses that are none.
    ForeignSet,
    /// Behind the last body as many zeros as an answer may hold.
    Huge,
    Late,
}

/// The lie whose turn it is, if this node lies in value sync.
pub fn sync_lie() -> Option<SyncLie> {
    use SyncLie::{Backwards, Cut, Empty, FalseSignatures, ForeignSet, Gap, Huge, Late};
    const LIES: [SyncLie; 8] = [Gap, FalseSignatures, ForeignSet, Cut, Huge, Empty, Backwards, Late];
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    is_chosen("lying-sync").then(|| LIES[TOLD.fetch_add(1, Ordering::Relaxed) % LIES.len()])
}

/// Whether the signer takes no note of what it signs.
pub fn is_unguarded() -> bool {
    is_chosen("unguarded")
}

/// Whether the time of a fresh block is not looked at.
pub fn takes_any_time() -> bool {
    is_chosen("any-time")
}

/// Whether records of `agency` are left out of blocks.
pub fn is_censored(agency: &str) -> bool {
    is_chosen(&format!("censor:{agency}"))
}

/// What this node's clock shows instead of `since_ms`, milliseconds since 1970; a file that cannot be read changes nothing.
pub fn alter_clock(since_ms: u64) -> u64 {
    let chosen = std::env::var("SHARELOG_FAULT").unwrap_or_default();
    let offset = chosen.strip_prefix("clock=").and_then(|file| std::fs::read_to_string(file).ok());
    let offset_ms: i64 = offset.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    since_ms.saturating_add_signed(offset_ms)
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
