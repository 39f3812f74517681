//! The judge: every safety invariant, from public interfaces alone.
//!
//! 1. No two nodes disagree on any height: equal entry bytes.
//! 2. The chain is unbroken; heights rise by one, times rise.
//! 3. Each certificate holds under the set of its height: the one whose hash the entry names, and the entry before it as next.
//! 4. Every acknowledged record stands where its answer said, once, on every node; nothing refused is committed.
//! 5. Each public checkpoint is cosigned by more than two thirds; every pair of those seen is consistent.
//! 6. All nodes reach the same state hash.
//! 7. The root of the last checkpoint is the root of the leaves that the node serves.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sharelog::core::genesis::Genesis;
use sharelog::core::hash::Hash;
use sharelog::core::json::Value;
use sharelog::core::key::decode_base64;
use sharelog::core::note::Note;
use sharelog::core::validators::ValidatorSet;
use sharelog::log::certificate::Certificate;
use sharelog::log::checkpoint::{Checkpoint, Cosignature};
use sharelog::log::entry::BlockEntry;
use sharelog::log::merkle::{Frontier, leaf_hash, verify_consistency};
use sharelog::node::local::LocalNetwork;

use super::network::{Ends, OperationLog, Outcome, TestNetwork};

/// A public checkpoint as one node served it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub node: usize,
    pub note: String,
}

/// Watches all nodes' checkpoints while something else runs.
#[derive(Default)]
pub struct Watcher {
    seen: Mutex<Vec<Seen>>,
    stop: AtomicBool,
}

impl Watcher {
    /// Runs `during` with the watch on; gives what was seen, in order for each node.
    pub fn watch<T>(urls: &[String], during: impl FnOnce() -> T) -> (Vec<Seen>, T) {
        let watcher = Watcher::default();
        let result = std::thread::scope(|scope| {
            scope.spawn(|| watcher.poll(urls));
            let _ends = Ends(&watcher.stop);
            during()
        });
        (watcher.seen.into_inner().unwrap(), result)
    }

    fn poll(&self, urls: &[String]) {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).build().into();
        let mut last = vec![String::new(); urls.len()];
        while !self.stop.load(Ordering::Relaxed) {
            for (node, url) in urls.iter().enumerate() {
                let Ok(mut response) = agent.get(&format!("{url}/checkpoint")).call() else {
                    continue;
                };
                let Ok(note) = response.body_mut().read_to_string() else {
                    continue;
                };
                if last[node] != note {
                    last[node].clone_from(&note);
                    self.seen.lock().unwrap().push(Seen { node, note });
                }
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// All invariants over a settled network. `log` is what the load was answered, `seen` what the watcher saw.
pub fn judge(network: &TestNetwork, log: &OperationLog, seen: &[Seen]) {
    let genesis = Genesis::parse(&network.genesis).unwrap();
    let net = &network.net;
    let mut sets = Sets::of(&genesis);
    let entries = blocks(net, 0, &mut sets);
    for node in 1..net.nodes.len() {
        assert_eq!(blocks(net, node, &mut sets), entries, "node {node} disagrees with node 0");
    }
    check_chain(&genesis, &entries);
    let records = records(net, 0);
    check_log(&records, log);
    for node in 1..net.nodes.len() {
        assert_eq!(self::records(net, node), records, "records of node {node} differ from node 0's");
    }
    let states: Vec<_> = (0..net.nodes.len()).map(|node| head_state(net, node)).collect();
    assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
    let entry = BlockEntry::parse(entries.last().unwrap().as_bytes()).unwrap();
    assert_eq!(states[0], (entry.height, entry.state.to_hex()));
    check_checkpoints(net, &sets, seen);
    check_leaves(net, &sets);
}

/// Validator sets by their hashes, which block entries name, and the sizes that each judges.
struct Sets {
    origin: String,
    sets: BTreeMap<Hash, ValidatorSet>,
    /// The set of each size at which a block ends.
    judging: BTreeMap<u64, Hash>,
}

impl Sets {
    fn of(genesis: &Genesis) -> Self {
        let first = genesis.validator_set();
        Sets { origin: genesis.origin.clone(), sets: BTreeMap::from([(first.hash(), first)]), judging: BTreeMap::new() }
    }

    /// The set of an entry, asked from a node when it is new, and believed for its hash.
    fn take(&mut self, net: &LocalNetwork, node: usize, entry: &BlockEntry) -> &ValidatorSet {
        self.judging.insert(entry.position + 1, entry.validators);
        self.sets.entry(entry.validators).or_insert_with(|| {
            let answer = net.ask(node, &format!("/api/v1/validators?height={}", entry.height)).unwrap();
            let set = ValidatorSet::from_value(answer.get("validators").unwrap()).unwrap();
            assert_eq!(set.hash(), entry.validators, "the set of height {}", entry.height);
            set
        })
    }

    fn judging(&self, size: u64) -> &ValidatorSet {
        &self.sets[self.judging.get(&size).unwrap_or_else(|| panic!("no block ends at {size} leaves"))]
    }
}

fn head_state(net: &LocalNetwork, node: usize) -> (u64, String) {
    let status = net.ask(node, "/api/v1/status").unwrap();
    let head = status.get("head").unwrap();
    (head.get("height").unwrap().as_u64().unwrap(), head.get("state").unwrap().as_str().unwrap().to_owned())
}

/// The entries of all heights of a node, each certificate verified.
fn blocks(net: &LocalNetwork, node: usize, sets: &mut Sets) -> Vec<String> {
    let mut entries = Vec::new();
    let mut after = String::new();
    loop {
        let page = net.ask(node, &format!("/api/v1/blocks?limit=1000{after}")).unwrap();
        for block in page.get("items").unwrap().as_array().unwrap() {
            let leaf = block.get("entry").unwrap().as_str().unwrap();
            let entry = BlockEntry::parse(leaf.as_bytes()).unwrap();
            let certificate = Certificate::from_value(block.get("certificate").unwrap()).unwrap();
            let origin = sets.origin.clone();
            certificate.verify(&origin, entry.height, &leaf_hash(leaf.as_bytes()), sets.take(net, node, &entry)).unwrap();
            entries.push(leaf.to_owned());
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = format!("&after={next}"),
            None => return entries,
        }
    }
}

fn check_chain(genesis: &Genesis, entries: &[String]) {
    let mut previous = genesis.hash;
    let mut first = 0;
    let mut time = genesis.created;
    let mut validators = genesis.validator_set().hash();
    for (index, leaf) in entries.iter().enumerate() {
        let entry = BlockEntry::parse(leaf.as_bytes()).unwrap();
        assert_eq!(entry.height, u64::try_from(index).unwrap() + 1);
        assert_eq!((entry.previous, entry.first), (previous, first), "height {}", entry.height);
        assert!(entry.time > time, "height {}: time does not rise", entry.height);
        assert_eq!(entry.validators, validators, "height {}: the set that the entry before names as next", entry.height);
        validators = entry.next;
        (previous, first, time) = (leaf_hash(leaf.as_bytes()), entry.position + 1, entry.time);
    }
}

/// (position, height) of every committed record by id; an id that stands twice fails.
fn records(net: &LocalNetwork, node: usize) -> BTreeMap<String, (u64, u64)> {
    let mut found = BTreeMap::new();
    let mut after = String::new();
    let mut last = None;
    loop {
        let page = net.ask(node, &format!("/api/v1/records?limit=1000{after}")).unwrap();
        for record in page.get("items").unwrap().as_array().unwrap() {
            let number = |name: &str| record.get(name).unwrap().as_u64().unwrap();
            let id = record.get("id").unwrap().as_str().unwrap().to_owned();
            assert!(last < Some(number("position")), "positions rise");
            last = Some(number("position"));
            let double = found.insert(id.clone(), (number("position"), number("height")));
            assert!(double.is_none(), "{id} stands twice");
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

fn check_log(records: &BTreeMap<String, (u64, u64)>, log: &OperationLog) {
    for (id, outcome) in log {
        let found = records.get(&id.to_hex());
        match outcome {
            Outcome::Committed { position, height } => assert_eq!(found, Some(&(*position, *height)), "acknowledged {id}"),
            Outcome::Refused { .. } => assert_eq!(found, None, "refused {id}"),
            Outcome::Unknown => {}
        }
    }
}

/// The checkpoint of a note, its quorum checked.
fn checkpoint(note: &str, sets: &Sets) -> Checkpoint {
    let note = Note::parse(note.as_bytes()).unwrap();
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    assert_eq!(checkpoint.origin, sets.origin);
    let set = sets.judging(checkpoint.size);
    let mut power = 0;
    let prefix = format!("{}/validator/", sets.origin);
    for line in &note.lines {
        let Some(agency) = line.name.strip_prefix(&prefix) else {
            assert_eq!(line.name, sets.origin, "a line of the serving node or of a validator");
            continue;
        };
        let member = set.member(agency).unwrap();
        let (time, signature) = line.signature.split_first_chunk::<8>().unwrap();
        let cosignature = Cosignature {
            agency: agency.to_owned(),
            id: line.id,
            timestamp: u64::from_be_bytes(*time),
            signature: signature.try_into().unwrap(),
        };
        assert!(cosignature.verifies(&checkpoint, &member.cosigner), "cosignature of {agency}");
        power += member.power;
    }
    assert!(set.is_quorum(power), "a checkpoint with power {power}");
    checkpoint
}

fn check_checkpoints(net: &LocalNetwork, sets: &Sets, seen: &[Seen]) {
    let mut highest: BTreeMap<usize, u64> = BTreeMap::new();
    let mut roots: BTreeMap<u64, Hash> = BTreeMap::new();
    let last = (0..net.nodes.len()).map(|node| Seen { node, note: String::from_utf8(net.get(node, "/checkpoint").unwrap().1).unwrap() });
    for Seen { node, note } in seen.iter().cloned().chain(last) {
        let checkpoint = checkpoint(&note, sets);
        let before = highest.insert(node, checkpoint.size).unwrap_or(0);
        assert!(before <= checkpoint.size, "the checkpoint of node {node} fell from {before} to {}", checkpoint.size);
        let root = *roots.entry(checkpoint.size).or_insert(checkpoint.root);
        assert_eq!(root, checkpoint.root, "two roots at size {}", checkpoint.size);
    }
    // Consistency is transitive: neighbours suffice for every pair.
    let roots: Vec<_> = roots.into_iter().collect();
    for pair in roots.windows(2) {
        let ((from, from_root), (to, to_root)) = (pair[0], pair[1]);
        let answer = net.ask(0, &format!("/api/v1/proofs/consistency?from={from}&to={to}")).unwrap();
        let proof: Vec<_> = answer.get("proof").unwrap().as_array().unwrap().iter().map(node_hash).collect();
        verify_consistency(from, to, &from_root, &to_root, &proof).unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
    }
}

fn node_hash(value: &Value) -> Hash {
    Hash(decode_base64(value.as_str().unwrap()).unwrap().try_into().unwrap())
}

/// Recomputes the public root from the entry bundles of every node.
fn check_leaves(net: &LocalNetwork, sets: &Sets) {
    for node in 0..net.nodes.len() {
        let note = String::from_utf8(net.get(node, "/checkpoint").unwrap().1).unwrap();
        let checkpoint = checkpoint(&note, sets);
        let mut frontier = Frontier::default();
        while frontier.size() < checkpoint.size {
            let index = frontier.size() / 256;
            let width = (checkpoint.size - index * 256).min(256);
            let path = sharelog::log::tile::entries_path(index, u32::try_from(width).unwrap());
            let (status, bundle) = net.get(node, &path).unwrap();
            assert_eq!(status, 200, "{path}");
            let mut rest = bundle.as_slice();
            while let Some((length, after)) = rest.split_first_chunk::<2>() {
                let (leaf, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
                frontier.push(leaf_hash(leaf));
                rest = after;
            }
        }
        assert_eq!((frontier.size(), frontier.root()), (checkpoint.size, checkpoint.root), "the leaves of node {node}");
    }
}

#[test]
fn the_judge_sees_a_lost_and_a_doubled_record() {
    let id = Hash::of(b"x");
    let committed = vec![(id, Outcome::Committed { position: 3, height: 1 })];
    let empty = BTreeMap::new();
    assert!(std::panic::catch_unwind(|| check_log(&empty, &committed)).is_err());
    let moved = BTreeMap::from([(id.to_hex(), (4, 1))]);
    assert!(std::panic::catch_unwind(|| check_log(&moved, &committed)).is_err());
    let there = BTreeMap::from([(id.to_hex(), (3, 1))]);
    check_log(&there, &committed);
    let refused = vec![(id, Outcome::Refused { status: 409, body: String::new() })];
    assert!(std::panic::catch_unwind(|| check_log(&there, &refused)).is_err());
}
