//! The judge judged: what a sound network showed passes, and each change of it is seen as the breach that it is.

use std::sync::OnceLock;
use std::time::Duration;

use sharelog::core::hash::Hash;
use sharelog::log::entry::BlockEntry;

use super::super::network::{Load, Outcome, TestNetwork, WRITERS};
use super::invariants::{Violation, judge};
use super::{Observed, Seen, Sight, Watcher};

/// What four validators show after two seconds of load; asked for once.
fn sound() -> Observed {
    static SOUND: OnceLock<Observed> = OnceLock::new();
    let observe = || {
        let mut network = TestNetwork::start();
        let keys = (0..4).map(|index| (format!("agency-{index}"), network.key(&format!("agency-{index}"), "office"))).collect();
        let urls: Vec<_> = network.net.nodes.iter().map(|node| node.http.clone()).collect();
        let origin = network.net.origin.clone();
        let load = Load { origin: &origin, urls: urls.clone(), keys, prefix: "sound", writers: WRITERS };
        let (seen, log) = Watcher::watch(&urls, || {
            let (log, ()) = load.run(|| std::thread::sleep(Duration::from_secs(2)));
            network.settle(Duration::from_secs(60));
            log
        });
        let observed = Observed { is_log_whole: true, ..Observed::collect(&network, log, seen) };
        assert_eq!(judge(&observed), Ok(()));
        observed
    };
    SOUND.get_or_init(observe).clone()
}

/// A change of what was observed breaks exactly this invariant.
fn breaks(invariant: &str, what: &str, change: impl FnOnce(&mut Observed)) {
    let mut observed = sound();
    change(&mut observed);
    match judge(&observed) {
        Err(Violation { invariant: found, .. }) if found == invariant => {}
        other => panic!("{what}: expected a breach of {invariant}, found {other:?}"),
    }
}

fn with_entry(leaf: &str, change: impl FnOnce(&mut BlockEntry)) -> String {
    let mut entry = BlockEntry::parse(leaf.as_bytes()).unwrap();
    change(&mut entry);
    entry.to_text()
}

/// The places in the log of the first and the last record that was acknowledged, by position.
fn ends(observed: &Observed) -> (usize, usize) {
    let mut placed: Vec<_> =
        observed.log.iter().enumerate().filter_map(|(index, operation)| Some((operation.position()?, index))).collect();
    placed.sort_unstable();
    (placed[0].1, placed[placed.len() - 1].1)
}

fn head_of(seen: &mut [Seen]) -> &mut Seen {
    seen.iter_mut().rfind(|seen| matches!(seen.sight, Sight::Head(..))).unwrap()
}

#[test]
fn s1_two_entries_of_one_height_are_seen() {
    breaks("S1", "another entry on one node", |observed| {
        let block = &mut observed.nodes[2].blocks[1];
        block.0 = with_entry(&block.0, |entry| entry.time = entry.time.plus_ms(1));
    });
    breaks("S1", "a height that one node lacks", |observed| drop(observed.nodes[3].blocks.pop()));
    breaks("S1", "another head while faults worked", |observed| {
        if let Sight::Head(_, state, _) = &mut head_of(&mut observed.seen).sight {
            *state = Hash::of(b"another").to_hex();
        }
    });
}

#[test]
fn s2_a_gap_in_the_chain_is_seen() {
    breaks("S2", "a block left out", |observed| {
        for node in &mut observed.nodes {
            node.blocks.remove(1);
        }
        observed.seen.clear();
    });
    breaks("S2", "a foreign parent", |observed| {
        for node in &mut observed.nodes {
            node.blocks[1].0 = with_entry(&node.blocks[1].0, |entry| entry.previous = Hash::of(b"another"));
        }
    });
}

#[test]
fn s3_a_lost_and_a_moved_record_are_seen() {
    breaks("S3", "a lost record", |observed| {
        let id = observed.log[ends(observed).0].id.to_hex();
        observed.nodes.iter_mut().for_each(|node| node.records.retain(|(other, _, _)| *other != id));
    });
    breaks("S3", "an answer of another place", |observed| {
        let (_, last) = ends(observed);
        if let Outcome::Committed { height, .. } = &mut observed.log[last].outcome {
            *height += 1;
        }
    });
}

#[test]
fn s4_a_doubled_a_refused_and_a_foreign_record_are_seen() {
    breaks("S4", "a doubled record", |observed| {
        for node in &mut observed.nodes {
            let (id, position, height) = node.records[0].clone();
            let last = node.records.len() - 1;
            node.records[last] = (id, position + 1_000_000, height);
        }
    });
    breaks("S4", "a refused record that stands", |observed| {
        let (first, _) = ends(observed);
        observed.log[first].outcome = Outcome::Refused { status: 409, body: String::new() };
    });
    breaks("S4", "a record that nobody submitted", |observed| {
        let (first, _) = ends(observed);
        observed.log.remove(first);
    });
}

#[test]
fn s5_a_record_below_one_that_was_acknowledged_before_is_seen() {
    breaks("S5", "an overtaken acknowledgement", |observed| {
        let (first, last) = ends(observed);
        observed.log[first].submitted = observed.log[last].answered + Duration::from_millis(1);
    });
    breaks("S5", "a block of the future", |observed| {
        let drift_ms = observed.genesis.policy.block_drift_ms;
        let seen = head_of(&mut observed.seen);
        if let Sight::Head(_, _, time_ms) = seen.sight {
            seen.at_ms = time_ms - drift_ms - 1;
        }
    });
    breaks("S5", "a time that does not rise", |observed| {
        observed.genesis.created = BlockEntry::parse(observed.nodes[0].blocks[0].0.as_bytes()).unwrap().time;
    });
}

#[test]
fn s6_a_certificate_without_its_quorum_is_seen() {
    breaks("S6", "too few signatures", |observed| observed.nodes[1].blocks[0].1.signatures.truncate(2));
    breaks("S6", "a signature twice", |observed| {
        let signatures = &mut observed.nodes[1].blocks[0].1.signatures;
        let first = signatures[0].clone();
        *signatures.last_mut().unwrap() = first;
    });
    breaks("S6", "a bent signature", |observed| observed.nodes[0].blocks[1].1.signatures[0].1[7] ^= 1);
    breaks("S6", "another round", |observed| observed.nodes[0].blocks[1].1.round += 1);
    breaks("S6", "another ledger's certificate", |observed| observed.nodes[0].blocks[1].1.ledger.push('x'));
    breaks("S6", "another set", |observed| {
        let set = observed.sets.pop_first().unwrap().1;
        observed.sets.insert(Hash::of(b"another"), set);
    });
}

#[test]
fn s7_another_state_is_seen() {
    breaks("S7", "the state of one node", |observed| observed.nodes[3].head.1 = Hash::of(b"another").to_hex());
}

#[test]
fn s8_another_tree_is_seen() {
    breaks("S8", "another leaf", |observed| observed.nodes[2].leaves[0] = Hash::of(b"another"));
    breaks("S8", "a leaf left out", |observed| observed.nodes[2].leaves.truncate(1));
    breaks("S8", "a proof that proves nothing", |observed| {
        let proof = observed.consistency.values_mut().find(|proof| !proof.is_empty()).expect("a proof of consistency");
        proof[0] = Hash::of(b"another");
    });
    breaks("S8", "a record that is not in the tree", |observed| observed.inclusion[0].proof[0] = Hash::of(b"another"));
    breaks("S8", "a checkpoint with two cosignatures", |observed| {
        let note = &mut observed.nodes[1].checkpoint;
        let lines: Vec<_> = note.lines().map(str::to_owned).collect();
        let cosigned = lines.iter().position(|line| line.contains("/validator/")).expect("a cosignature");
        *note = lines[..cosigned + 2].iter().map(|line| format!("{line}\n")).collect();
    });
    breaks("S8", "another root at a size", |observed| {
        let note = &mut observed.nodes[1].checkpoint;
        let root = note.lines().nth(2).unwrap().to_owned();
        *note = note.replace(&root, &sharelog::core::key::encode_base64(Hash::of(b"another").as_bytes()));
    });
}

#[test]
fn s9_a_checkpoint_that_falls_is_seen() {
    breaks("S9", "an earlier checkpoint again", |observed| {
        let is_checkpoint = |seen: &&Seen| seen.node == 0 && matches!(seen.sight, Sight::Checkpoint(_));
        let first = observed.seen.iter().find(is_checkpoint).expect("a checkpoint of node 0").clone();
        observed.seen.push(first);
    });
}
