//! The pool over a real store: what is taken, what is refused, in which order records leave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sharelog::consensus::pool::{Source, Status, Submitted};
use sharelog::core::hash::Hash;
use sharelog::core::record::Record;
use sharelog::core::refusal::Code;
use sharelog::limits::{POOL_AGENCY_RECORDS_MAX, RECHECK_AFTER};

use crate::it::stores::{Node, ago, duty, duty_at, genesis, now, with_bad_signature};

fn node() -> Node {
    let mut node = Node::new(&genesis([1, 2, 3, 4], &[]));
    node.commit(&[], ago(60_000));
    node
}

fn id_of(note: &str) -> Hash {
    Hash::of(&note.as_bytes()[..=note.rfind("\n\n").unwrap()])
}

fn submit(node: &Node, note: &str) -> Result<Submitted, Code> {
    node.pool.submit(note.as_bytes(), Source::Client).map_err(|refusal| refusal.code)
}

#[test]
fn a_record_is_kept_once_and_verified_once() {
    let node = node();
    let note = duty(&node.genesis.origin, "agency-0", "one");
    let id = id_of(&note);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(submit(&node, &note), Ok(Submitted::Pending { id })));
        }
    });
    assert_eq!(node.pool.pending(), (1, note.len()));
    assert!(matches!(node.pool.status(&id), Some(Status::Pending(record)) if record.id() == id));
    assert_eq!(node.pool.to_spread(None).0.len(), 1);
    let verified = node.metrics.signatures_verified.get();
    let block = node.pool.by_leaf_hash(&sharelog::log::merkle::leaf_hash(note.as_bytes())).unwrap();
    assert_eq!(block.signatures_verified(), 1);
    assert_eq!(submit(&node, &note), Ok(Submitted::Pending { id }));
    assert_eq!(node.metrics.signatures_verified.get(), verified);
}

#[test]
fn known_ids_are_answered_before_any_key_check() {
    let mut node = node();
    let note = duty(&node.genesis.origin, "agency-0", "one");
    let (id, forged) = (id_of(&note), with_bad_signature(&note));
    assert_eq!(submit(&node, &forged), Err(Code::SignatureInvalid), "an id counts only by a copy that verified");
    assert!(node.pool.status(&id).is_none());
    assert_eq!(submit(&node, &note), Ok(Submitted::Pending { id }));
    assert_eq!(submit(&node, &forged), Ok(Submitted::Pending { id }));
    let block = node.commit(&[&note], now());
    let committed = Submitted::Committed { id, position: block.entry.first };
    assert_eq!(submit(&node, &note), Ok(committed));
    assert_eq!(submit(&node, &forged), Ok(committed));
    assert_eq!(node.pool.pending(), (0, 0));
    assert!(node.pool.status(&id).is_none());
    let leaf_hash = sharelog::log::merkle::leaf_hash(note.as_bytes());
    assert_eq!(node.pool.by_leaf_hash(&leaf_hash).map(|record| record.id()), Some(id), "proposals may still name it");
}

#[test]
fn malformed_and_foreign_records_are_refused_and_not_kept() {
    let node = node();
    assert_eq!(submit(&node, "no note"), Err(Code::NoteMalformed));
    assert_eq!(submit(&node, &"x".repeat(20_000)), Err(Code::TooLarge));
    assert_eq!(submit(&node, &duty("other.example/0123456789abcdef", "agency-0", "one")), Err(Code::LedgerWrong));
    let origin = &node.genesis.origin;
    assert_eq!(submit(&node, &duty(origin, "agency-9", "one")), Err(Code::KeyUnknown));
    assert_eq!(submit(&node, &duty_at(origin, "agency-0", "one", ago(8 * 86_400_000), None)), Err(Code::AtOutOfRange));
    assert_eq!(node.pool.pending(), (0, 0));
    assert_eq!(node.metrics.records_refused.get(), 5);
}

#[test]
fn one_agencys_flood_leaves_room_for_others() {
    let node = node();
    let origin = &node.genesis.origin;
    for index in 0..POOL_AGENCY_RECORDS_MAX {
        submit(&node, &duty(origin, "agency-0", &format!("d{index}"))).unwrap();
    }
    let verified = node.metrics.signatures_verified.get();
    for index in 0..100 {
        assert_eq!(submit(&node, &duty(origin, "agency-0", &format!("more{index}"))), Err(Code::Quota));
    }
    assert_eq!(node.metrics.signatures_verified.get(), verified, "a flood costs no signature checks");
    assert_eq!(node.metrics.limits_reached.get(), 100);
    for agency in ["agency-1", "agency-2"] {
        submit(&node, &duty(origin, agency, "a")).unwrap();
        submit(&node, &duty(origin, agency, "b")).unwrap();
    }
    let writers = |records: &[Arc<Record>]| records.iter().map(|record| record.by.clone()).collect::<Vec<_>>();
    let block = node.pool.candidates(9, 1 << 20);
    let of_flood = block.iter().filter(|record| record.by == "agency-0").count();
    assert_eq!(of_flood, 5, "{:?}", writers(&block));
    let bytes: usize = node.pool.candidates(4_096, 10_000).iter().map(|record| record.leaf().len()).sum();
    assert!((9_000..=10_000).contains(&bytes), "{bytes}");
}

#[test]
fn small_blocks_serve_every_agency_in_turn() {
    let node = node();
    for agency in ["agency-0", "agency-1", "agency-2"] {
        for local in ["a", "b", "c"] {
            submit(&node, &duty(&node.genesis.origin, agency, local)).unwrap();
        }
    }
    let one = |_| node.pool.candidates(1, 1 << 20)[0].by.clone();
    let served: Vec<_> = (0..6).map(one).collect();
    assert_eq!(served, ["agency-0", "agency-1", "agency-2", "agency-0", "agency-1", "agency-2"]);
    assert_eq!(node.pool.pending().0, 9, "candidates stay in the pool");
}

#[test]
fn a_peers_record_that_builds_on_the_next_block_waits_for_it() {
    let mut node = node();
    let origin = node.genesis.origin.clone();
    let first = duty(&origin, "agency-0", "parent");
    let second = duty_at(&origin, "agency-1", "child", now(), Some("agency-0:parent"));
    assert_eq!(submit(&node, &second), Err(Code::DutyUnknown), "a client is told at once");
    let refusal = node.pool.submit(second.as_bytes(), Source::Peer).unwrap_err();
    assert_eq!(refusal.code, Code::DutyUnknown);
    node.pool.retry_waiting();
    assert_eq!(node.pool.pending().0, 0);
    node.commit(&[&first], now());
    let verified = node.metrics.signatures_verified.get();
    node.pool.retry_waiting();
    assert_eq!(node.pool.pending().0, 1);
    assert_eq!(node.metrics.signatures_verified.get(), verified, "it was verified when it came");
    assert!(node.pool.to_spread(None).0.is_empty(), "its peer spreads it");
}

#[test]
fn a_client_that_brings_a_peers_record_makes_this_node_spread_it() {
    let node = node();
    let note = duty(&node.genesis.origin, "agency-0", "one");
    node.pool.submit(note.as_bytes(), Source::Peer).unwrap();
    let (records, count) = node.pool.to_spread(None);
    assert!(records.is_empty());
    let mut arrivals = node.pool.arrivals();
    arrivals.borrow_and_update();
    submit(&node, &note).unwrap();
    assert!(arrivals.has_changed().unwrap());
    let (records, later) = node.pool.to_spread(Some(count));
    assert_eq!((records.len(), later), (1, count + 1));
    assert!(node.pool.to_spread(Some(later)).0.is_empty());
}

#[test]
fn a_refusal_by_a_later_head_is_remembered() {
    let mut node = node();
    let origin = node.genesis.origin.clone();
    let (first, second) = (duty(&origin, "agency-0", "same"), duty(&origin, "agency-0", "same"));
    submit(&node, &first).unwrap();
    submit(&node, &second).unwrap();
    node.commit(&[&first], now());
    assert_eq!(node.pool.pending().0, 1);
    assert!(node.pool.oldest().is_some());
    let since = Instant::now();
    while node.pool.pending().0 > 0 && since.elapsed() < 3 * RECHECK_AFTER {
        node.pool.recheck();
        std::thread::sleep(Duration::from_millis(50));
    }
    match node.pool.status(&id_of(&second)) {
        Some(Status::Refused(refusal)) => assert_eq!((refusal.code, refusal.rule), (Code::Duplicate, Some("R-DUTY-2"))),
        other => panic!("{other:?}"),
    }
    assert_eq!(submit(&node, &second), Err(Code::Duplicate));
}

#[test]
fn a_record_that_grew_too_old_is_dropped_at_the_next_head() {
    let mut node = Node::new(&genesis([1, 2, 3, 4], &[("record_age_ms_max", 60_000)]));
    node.commit(&[], ago(30_000));
    let note = duty_at(&node.genesis.origin, "agency-0", "old", ago(50_000), None);
    submit(&node, &note).unwrap();
    node.commit(&[], now());
    assert_eq!(node.pool.pending().0, 1);
    node.commit(&[], now().plus_ms(20_000));
    assert_eq!(node.pool.pending(), (0, 0));
    assert!(matches!(node.pool.status(&id_of(&note)), Some(Status::Refused(refusal)) if refusal.code == Code::AtOutOfRange));
}
