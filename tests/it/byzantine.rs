//! One of four real processes that lies to the others: what they hold against it, and that the chain goes on.

use std::time::{Duration, Instant};

use sharelog::core::json::Value;
use sharelog::log::misbehaviour::Misbehaviour;

use super::judge::{Watcher, judge};
use super::network::{FAULTY_BINARY, Load, OperationLog, TestNetwork, WRITERS, acknowledged, check_load, duty, sharelog};

const LIAR: usize = 0;
const SETTLE: Duration = Duration::from_secs(120);
/// A validator that lies costs at most its turn and one more; a block on the way when the record came, and one to spare.
const TURNS_MAX: u64 = 5;
/// A proof is at every honest node within this time.
const ACCUSED_WITHIN: Duration = Duration::from_secs(120);
/// From the first contradiction to the last honest node that holds a proof, in blocks.
const HEIGHTS_MAX: u64 = 10;

fn network_with(fault: &str) -> TestNetwork {
    let mut network = TestNetwork::init(4);
    network.net.start_with(LIAR, FAULTY_BINARY.as_ref(), &[("SHARELOG_FAULT", fault)]).unwrap();
    (1..4).for_each(|index| network.net.start(index).unwrap());
    network.all_ready();
    network
}

/// Loads the honest nodes for a while, and judges.
fn under_load(network: &mut TestNetwork, during: impl FnOnce(&mut TestNetwork)) {
    let start = Instant::now();
    let keys: Vec<_> = (0..4).map(|index| (format!("agency-{index}"), network.key(&format!("agency-{index}"), "office"))).collect();
    let honest: Vec<_> = (1..4).map(|index| network.net.nodes[index].http.clone()).collect();
    let origin = network.net.origin.clone();
    let load = Load { origin: &origin, urls: honest.clone(), keys, prefix: "byzantine", writers: WRITERS };
    let (seen, log) = Watcher::watch(&honest, || {
        let (log, ()) = load.run(|| during(network));
        network.settle(SETTLE);
        log
    });
    check_load(&log, start);
    judge(network, &log, &seen);
}

fn blocks(network: &TestNetwork, node: usize) -> Vec<Value> {
    let page = network.net.ask(node, "/api/v1/blocks?limit=1000").unwrap();
    page.get("items").and_then(Value::as_array).unwrap().to_vec()
}

fn metric(network: &TestNetwork, node: usize, name: &str) -> u64 {
    let (_, body) = network.net.get(node, "/metrics").unwrap();
    let text = String::from_utf8(body).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[test]
fn a_silent_validator_is_done_without() {
    let mut network = network_with("silent");
    under_load(&mut network, |_| std::thread::sleep(Duration::from_secs(6)));
    for block in blocks(&network, 1) {
        let certificate = block.get("certificate").unwrap().to_jcs();
        assert!(!certificate.contains("agency-0"), "the silent one voted: void: {certificate}");
    }
}

#[test]
fn a_censored_agency_is_served_by_the_other_proposers() {
    let mut network = network_with("censor:agency-1");
    let keys = ["agency-1", "agency-2"].map(|agency| (agency, network.key(agency, "office")));
    let mut log = OperationLog::new();
    let (mut slowest, mut oldest_ms) = (0, 0);
    for turn in 0..60 {
        let (agency, key) = &keys[turn % 2];
        let note = duty(&network.net.origin, agency, &format!("censored-{turn}"), key);
        let (before, _) = network.net.head(1).unwrap();
        let (status, body) = network.net.post(1 + turn % 3, &note, "").unwrap();
        assert_eq!(status, 202, "{}", String::from_utf8_lossy(&body));
        oldest_ms = oldest_ms.max((1..4).map(|node| metric(&network, node, "sharelog_pool_oldest_ms")).max().unwrap());
        let (status, body) = network.net.post(1 + turn % 3, &note, "?wait=committed").unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let height = sharelog::core::json::parse(&body, sharelog::core::json::Strings::WithNotes).unwrap();
        let height = height.get("height").and_then(Value::as_u64).unwrap();
        slowest = slowest.max(height - before);
        assert!(height - before <= TURNS_MAX, "record {turn} of {agency} waited for {} blocks", height - before);
        log.push(acknowledged(&note, &body));
    }
    println!("at most {slowest} blocks and {oldest_ms} ms in the pool");
    assert!(oldest_ms > 0, "no record was seen waiting");
    network.settle(SETTLE);
    judge(&network, &log, &[]);
    let built = |block: &&Value| block.get("proposer").and_then(Value::as_str) == Some("agency-0");
    let blocks = blocks(&network, 1);
    let of_liar: Vec<_> = blocks.iter().filter(built).collect();
    assert!(of_liar.len() > 3, "agency-0 built no blocks: void");
}

/// Kinds of lies in value sync.
const LIES: usize = 8;

/// A node that was away catches up from the honest ones, however its first source lies.
#[test]
fn a_peer_that_lies_in_value_sync_is_passed_over() {
    let mut network = network_with("lying-sync");
    under_load(&mut network, |network| {
        let lied = |network: &TestNetwork| {
            std::fs::read_to_string(network.net.nodes[LIAR].home.join("node.log")).unwrap().matches("lying to a peer").count()
        };
        for turn in 0..24 {
            network.net.kill(3);
            std::thread::sleep(Duration::from_secs(3));
            let (_, size) = network.net.head(1).unwrap();
            network.net.start(3).unwrap();
            let took = network.net.wait_size(3, size, Duration::from_secs(60)).unwrap();
            println!("turn {turn}: level after {took:?}, {} lies", lied(network));
            if lied(network) >= LIES {
                break;
            }
        }
        assert!(lied(network) >= LIES, "the liar was not asked often enough: void");
    });
}

/// The proofs that a node keeps.
fn proofs(network: &TestNetwork, node: usize) -> Vec<Misbehaviour> {
    let answer = network.net.ask(node, "/api/v1/misbehaviour").unwrap();
    let items = answer.get("items").and_then(Value::as_array).unwrap();
    items.iter().map(|item| Misbehaviour::from_value(item).unwrap()).collect()
}

/// A validator that signs two prevotes for one round: the others go on, and every one of them names it, and nobody else, by
/// proofs that hold offline.
#[test]
fn who_votes_twice_is_named_by_every_honest_node() {
    let mut network = network_with("two-votes");
    let key = network.key("agency-1", "office");
    let mut log = OperationLog::new();
    let start = Instant::now();
    let mut first = None;
    for turn in 0.. {
        let note = duty(&network.net.origin, "agency-1", &format!("twice-{turn}"), &key);
        let (status, body) = network.net.post(1 + turn % 3, &note, "?wait=committed").unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        log.push(acknowledged(&note, &body));
        let counts: Vec<_> = (1..4).map(|node| proofs(&network, node).len()).collect();
        let (height, _) = network.net.head(1).unwrap();
        if counts.iter().any(|count| *count > 0) {
            first.get_or_insert(height);
        }
        if let Some(first) = first.filter(|_| counts.iter().all(|count| *count > 0)) {
            println!("proofs {counts:?} after {} records, {} heights from the first", turn + 1, height - first);
            assert!(height - first <= HEIGHTS_MAX, "{} heights from the first proof to the last node", height - first);
            break;
        }
        assert!(start.elapsed() < ACCUSED_WITHIN, "not every honest node holds a proof: {counts:?} after {turn} records");
    }
    for node in 1..4 {
        for proof in proofs(&network, node) {
            assert_eq!(proof.agency, "agency-0", "node {node} accuses an honest one");
            let file = network.path(&format!("proof-{node}.json"));
            std::fs::write(&file, proof.to_value().to_jcs()).unwrap();
            let out = sharelog(&["verify", file.to_str().unwrap(), "--genesis", &network.net.genesis_hash]);
            assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        }
    }
    network.settle(SETTLE);
    judge(&network, &log, &[]);
}
