//! Proposers that lie, one of four: what the others saw and voted, and that the chain goes on without it.

use std::time::{Duration, Instant};

use super::judge::{Watcher, judge};
use super::network::{FAULTY_BINARY, Load, TestNetwork, WRITERS, check_load};

const LIAR: usize = 0;

fn metric(network: &TestNetwork, node: usize, name: &str) -> u64 {
    let (_, body) = network.net.get(node, "/metrics").unwrap();
    let text = String::from_utf8(body).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// One validator lies about its proposals while all agencies write at the honest nodes.
fn with_a_liar(fault: &str, reason: &str) {
    let mut network = TestNetwork::init(4);
    network.net.start_with(LIAR, FAULTY_BINARY.as_ref(), &[("SHARELOG_FAULT", fault)]).unwrap();
    (1..4).for_each(|index| network.net.start(index).unwrap());
    network.all_ready();
    let start = Instant::now();
    let keys: Vec<_> = (0..4).map(|index| (format!("agency-{index}"), network.key(&format!("agency-{index}"), "office"))).collect();
    let honest: Vec<_> = (1..4).map(|index| network.net.nodes[index].http.clone()).collect();
    let origin = network.net.origin.clone();
    let load = Load { origin: &origin, urls: honest.clone(), keys, prefix: "liar", writers: WRITERS };
    let (seen, log) = Watcher::watch(&honest, || {
        let (log, ()) = load.run(|| std::thread::sleep(Duration::from_secs(12)));
        network.settle(Duration::from_secs(120));
        log
    });
    check_load(&log, start);
    for node in 1..4 {
        assert!(metric(&network, node, "sharelog_proposals_refused_total") > 0, "node {node} refused no proposal: void");
        let text = std::fs::read_to_string(network.net.nodes[node].home.join("node.log")).unwrap();
        let refused = text.lines().find(|line| line.contains("proposal refused") && line.contains("agency-0") && line.contains(reason));
        assert!(refused.is_some(), "node {node} saw no proposal of agency-0 with {reason}");
        let voted = text.lines().any(|line| line.contains("voted nil"));
        assert!(voted, "node {node} did not vote nil");
        let accused = text.lines().filter(|line| line.contains("proposal refused")).find(|line| !line.contains("agency-0"));
        assert_eq!(accused, None, "node {node} refused an honest proposal");
    }
    judge(&network, &log, &seen);
}

#[test]
fn a_proposer_of_a_bad_signature_is_outvoted() {
    with_a_liar("bad-signature", "signature-invalid");
}

#[test]
fn a_proposer_of_a_wrong_time_is_outvoted() {
    with_a_liar("wrong-time", "time");
}

#[test]
fn a_block_that_missed_its_first_round_is_proposed_again() {
    let mut network = TestNetwork::init(4);
    // Two precommit nil in every first round: a quorum prevotes, none precommits, and the next round repeats the block.
    for node in 0..2 {
        network.net.start_with(node, FAULTY_BINARY.as_ref(), &[("SHARELOG_FAULT", "nil-first")]).unwrap();
    }
    (2..4).for_each(|index| network.net.start(index).unwrap());
    network.all_ready();
    let office = network.key("agency-2", "office");
    let notes: Vec<_> =
        (0..5).map(|index| super::network::duty(&network.net.origin, "agency-2", &format!("again-{index}"), &office)).collect();
    let mut log = Vec::new();
    for (index, note) in notes.iter().enumerate() {
        let (status, body) = network.net.post(index % 4, note, "?wait=committed").unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        log.push(super::network::acknowledged(note, &body));
    }
    let repeated: u64 = (0..4).map(|node| metric(&network, node, "sharelog_proposals_repeated_total")).sum();
    assert!(repeated > 0, "no block was proposed again: void");
    network.settle(Duration::from_secs(120));
    let page = network.net.ask(2, "/api/v1/blocks?limit=1000").unwrap();
    let rounds: Vec<_> = page.get("items").and_then(|items| items.as_array()).unwrap().iter().map(round).collect();
    assert!(rounds.iter().all(|round| *round > 0), "a first round decided: {rounds:?}");
    judge(&network, &log, &[]);
}

fn round(block: &sharelog::core::json::Value) -> u64 {
    block.get("certificate").and_then(|certificate| certificate.get("round")).and_then(|round| round.as_u64()).unwrap()
}
