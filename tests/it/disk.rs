//! What disks do to a node: damage, failing writes, a kill at each durable write, a full, a lost and a rolled-back disk.
//!
//! One node, the victim, runs the program with faults and writes down each text that it signs: what it signed is judged, not
//! only what the others saw of it. Every run prints its seed; `SHARELOG_SEED` replays it, `SHARELOG_COUNT` makes it longer.

mod damage;
mod failing;
mod full;
mod rolled_back;
mod truth;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sharelog::core::json::Value;

use super::judge::{Watcher, judge};
use super::network::{FAULTY_BINARY, Load, Outcome, READY, TestNetwork, WRITERS, check_load, duty};

const VICTIM: usize = 3;
const SETTLE: Duration = Duration::from_secs(120);

/// xorshift64*: a schedule that a printed seed replays.
struct Seeded(u64);

impl Seeded {
    fn new() -> Self {
        let seed = number("SHARELOG_SEED").unwrap_or(1);
        println!("SHARELOG_SEED={seed}");
        Seeded(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[usize::try_from(self.below(u64::try_from(items.len()).unwrap())).unwrap()]
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// How many times a test does its thing: few in the suite, more by `SHARELOG_COUNT`.
fn count(few: u64) -> u64 {
    number("SHARELOG_COUNT").unwrap_or(few)
}

/// How late in a process a fault may come, in calls: early in the suite, whose machine may be slow.
fn latest(early: u64, late: u64) -> u64 {
    if number("SHARELOG_COUNT").is_some() { late } else { early }
}

/// Copies a folder; a file that goes away meanwhile is left out, as in a backup of a running node.
fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_dir(&path, &target);
        } else if let Err(error) = fs::copy(&path, &target) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}", path.display());
        }
    }
}

/// Puts a copy of `from` in the place of `to`.
fn replace_dir(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    copy_dir(from, to);
}

fn data(network: &TestNetwork) -> PathBuf {
    network.net.nodes[VICTIM].home.join("data")
}

/// The file of the texts that the victim signed.
fn signed(network: &TestNetwork) -> PathBuf {
    network.path("signed")
}

/// Starts the victim, with a fault or without.
fn start_victim(network: &mut TestNetwork, fault: &str) {
    let signed = signed(network).display().to_string();
    let environment = [("SHARELOG_SIGNED", signed.as_str()), ("SHARELOG_FAULT", fault), ("SHARELOG_SEGMENT_BYTES", "60000")];
    network.net.start_with(VICTIM, FAULTY_BINARY.as_ref(), &environment).unwrap();
}

fn victim_ready(network: &mut TestNetwork) {
    network.net.wait_ready(VICTIM, READY).unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(VICTIM)));
}

/// Four nodes, of which the victim writes down what it signs.
fn network() -> TestNetwork {
    let mut network = TestNetwork::init(4);
    (0..VICTIM).for_each(|index| network.net.start(index).unwrap());
    start_victim(&mut network, "");
    network.all_ready();
    network
}

fn log_text(network: &TestNetwork) -> String {
    String::from_utf8_lossy(&fs::read(network.net.nodes[VICTIM].home.join("node.log")).unwrap_or_default()).into_owned()
}

/// Runs a load on all nodes while `fault` works on the victim, lets the network settle, and judges: what the nodes serve, what
/// the victim signed, and that nobody holds a proof of misbehaviour.
fn under_load(network: &mut TestNetwork, prefix: &str, fault: impl FnOnce(&mut TestNetwork)) {
    let start = Instant::now();
    // The victim is away for much of the time, and its turns to propose with it: some writers for each agency.
    let keys: Vec<_> = (0..4).map(|index| format!("agency-{index}")).map(|id| (id.clone(), network.key(&id, "office"))).collect();
    let origin = network.net.origin.clone();
    let urls: Vec<_> = network.net.nodes.iter().map(|node| node.http.clone()).collect();
    let load = Load { origin: &origin, urls: urls.clone(), keys, prefix, writers: WRITERS };
    // An older copy of the victim's disk shows an older checkpoint at first.
    let (seen, log) = Watcher::watch(&urls[..VICTIM], || {
        let (mut log, ()) = load.run(|| fault(network));
        log.iter_mut().for_each(|operation| unknown_if_failed(&mut operation.outcome));
        network.settle(SETTLE);
        log
    });
    let texts = check_signed(&signed(network));
    println!("{texts} texts signed by the victim, none against another");
    check_load(&log, start);
    judge(network, &log, &seen);
    check_nobody_is_accused(network);
}

/// A node that fails says 500, which is no word on the record.
fn unknown_if_failed(outcome: &mut Outcome) {
    if matches!(outcome, Outcome::Refused { status: 500.., .. }) {
        *outcome = Outcome::Unknown;
    }
}

fn check_nobody_is_accused(network: &TestNetwork) {
    (0..network.net.nodes.len()).for_each(|node| check_accuses_nobody(network, node));
}

fn check_accuses_nobody(network: &TestNetwork, node: usize) {
    let answer = network.net.ask(node, "/api/v1/misbehaviour").unwrap();
    let accused = answer.get("items").and_then(Value::as_array).unwrap();
    assert!(accused.is_empty(), "node {node}: {accused:?}");
}

/// The victim's vote is needed, and comes: with another node gone, a record is committed.
fn check_it_votes(network: &mut TestNetwork, local: &str) {
    network.net.kill(0);
    let key = network.key("agency-1", "office");
    let note = duty(&network.net.origin, "agency-1", local, &key);
    // One `wait=committed` is 30 s: a validator that lets heights pass first needs these heights.
    let committed = (0..4).any(|_| network.net.post(1, &note, "?wait=committed").is_ok_and(|(status, _)| status == 200));
    assert!(committed, "no commit without the victim's vote\n{}", network.log_tail(VICTIM));
    network.net.start(0).unwrap();
    network.all_ready();
}

/// What was signed at one height and round in one step is one text. Gives the number of texts.
fn check_signed(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let mut known: BTreeMap<Vec<&str>, &str> = BTreeMap::new();
    for line in text.lines() {
        // `sharelog/<step>/v1 <origin> <height> <round> ...`
        let place: Vec<_> = line.split(' ').take(4).collect();
        assert_eq!(place.len(), 4, "{line}");
        let first = *known.entry(place).or_insert(line);
        assert_eq!(first, line, "two texts were signed at one place");
    }
    assert!(known.len() > 20, "void: the victim signed {} texts", known.len());
    known.len()
}

#[test]
fn two_texts_at_one_place_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("signed");
    let lines: Vec<_> = (0..30).map(|height| format!("sharelog/prevote/v1 l/0 {height} 0 nil\n")).collect();
    fs::write(&path, lines.concat()).unwrap();
    assert_eq!(check_signed(&path), 30);
    fs::write(&path, format!("{}sharelog/prevote/v1 l/0 7 0 abcd\n", lines.concat())).unwrap();
    assert!(std::panic::catch_unwind(|| check_signed(&path)).is_err());
}
