//! The judge: every safety invariant, from public interfaces alone.
//!
//! What the nodes show is collected here, over HTTP; `invariants` judges it and asks nobody. Its sentences are:
//!
//! - S1 agreement: no two nodes show two entries of one height, and no head seen while faults worked is another one.
//! - S2 chain: heights rise by one, each entry names the one before, nothing lies between or is left out.
//! - S3 durability: every acknowledged record stands where its answer said, on every node.
//! - S4 no duplicates, no phantoms: each id stands once; nothing refused is committed, nor what nobody submitted.
//! - S5 order: acknowledged before the other was submitted means a lower position; times rise and no block is of the future.
//! - S6 certificates: more than two thirds of the set of the height, which is the one that the entry before names as next.
//! - S7 state: equal at equal height.
//! - S8 tree: every root is that of the leaves; of all checkpoints seen, each is consistent with the next one and cosigned
//!   by more than two thirds; proofs of inclusion hold.
//! - S9 no rollback: the checkpoint of a node never falls, not over a kill either.

mod invariants;
mod mutated;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sharelog::core::genesis::Genesis;
use sharelog::core::hash::Hash;
use sharelog::core::json::{self, Strings, Value};
use sharelog::core::key::decode_base64;
use sharelog::core::note::Note;
use sharelog::core::validators::ValidatorSet;
use sharelog::log::certificate::Certificate;
use sharelog::log::checkpoint::Checkpoint;
use sharelog::log::entry::BlockEntry;
use sharelog::log::merkle::leaf_hash;
use sharelog::log::tile::entries_path;
use sharelog::node::local::LocalNetwork;

use super::network::{Ends, Operation, OperationLog, Outcome, TestNetwork, now};

/// Acknowledged records whose proofs of inclusion are asked for, spread over the run.
const INCLUSIONS: usize = 64;

/// What one node showed at one moment.
#[derive(Clone, Debug)]
pub struct Seen {
    pub node: usize,
    /// By the clock of the test, ms since 1970.
    pub at_ms: u64,
    pub sight: Sight,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The note of a public checkpoint.
    Checkpoint(String),
    /// The newest block as the status tells it: height, state, time in ms.
    Head(u64, String, u64),
}

/// Watches all nodes' checkpoints and heads while something else runs.
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
            for (node, url) in urls.iter().enumerate() {
                let watcher = &watcher;
                scope.spawn(move || watcher.poll(node, url));
            }
            let _ends = Ends(&watcher.stop);
            during()
        });
        (watcher.seen.into_inner().unwrap(), result)
    }

    fn poll(&self, node: usize, url: &str) {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).build().into();
        let ask = |path: &str| agent.get(&format!("{url}{path}")).call().ok()?.body_mut().read_to_string().ok();
        let mut last = [None, None];
        while !self.stop.load(Ordering::Relaxed) {
            let sights = [ask("/checkpoint").map(Sight::Checkpoint), ask("/api/v1/status").and_then(|status| head_of(&status))];
            for (sight, last) in sights.into_iter().zip(&mut last) {
                if sight.is_some() && *last != sight {
                    last.clone_from(&sight);
                    self.seen.lock().unwrap().extend(sight.map(|sight| Seen { node, at_ms: now().unix_ms(), sight }));
                }
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn head_of(status: &str) -> Option<Sight> {
    let status = json::parse(status.as_bytes(), Strings::WithNotes).ok()?;
    let head = status.get("head")?;
    let time = sharelog::core::time::Time::parse(head.get("time")?.as_str()?).ok()?;
    Some(Sight::Head(head.get("height")?.as_u64()?, head.get("state")?.as_str()?.to_owned(), time.unix_ms()))
}

/// What one settled node shows.
#[derive(Clone)]
struct Shown {
    /// The entry's leaf and the certificate of each height.
    blocks: Vec<(String, Certificate)>,
    /// Id, position, height of each record, in the order of the list.
    records: Vec<(String, u64, u64)>,
    /// Height and state of the head.
    head: (u64, String),
    /// The note of the public checkpoint.
    checkpoint: String,
    /// Hashes of the leaves that it covers.
    leaves: Vec<Hash>,
}

/// A proof that the leaf at `position` stands in the tree of `size`.
#[derive(Clone)]
struct Included {
    position: u64,
    size: u64,
    proof: Vec<Hash>,
}

/// All that is judged.
#[derive(Clone)]
struct Observed {
    genesis: Genesis,
    nodes: Vec<Shown>,
    /// Believed for their hashes alone.
    sets: BTreeMap<Hash, ValidatorSet>,
    /// Between neighbours of the sizes seen.
    consistency: BTreeMap<(u64, u64), Vec<Hash>>,
    inclusion: Vec<Included>,
    log: OperationLog,
    /// Whether the log names everything that was submitted.
    is_log_whole: bool,
    seen: Vec<Seen>,
    at_ms: u64,
}

/// All invariants over a settled network. `log` is what was answered to submissions that it names, `seen` what the watcher saw.
pub fn judge(network: &TestNetwork, log: &OperationLog, seen: &[Seen]) {
    judge_observed(&Observed::collect(network, log.clone(), seen.to_vec()));
}

/// The same, with a log that names every submission: nothing else may stand on the ledger.
pub fn judge_whole(network: &TestNetwork, log: &OperationLog, seen: &[Seen]) {
    judge_observed(&Observed { is_log_whole: true, ..Observed::collect(network, log.clone(), seen.to_vec()) });
}

fn judge_observed(observed: &Observed) {
    if let Err(violation) = invariants::judge(observed) {
        panic!("{violation}");
    }
}

impl Observed {
    fn collect(network: &TestNetwork, log: OperationLog, seen: Vec<Seen>) -> Self {
        let net = &network.net;
        let genesis = Genesis::parse(&network.genesis).unwrap();
        let first = genesis.validator_set();
        let mut sets = BTreeMap::from([(first.hash(), first)]);
        let nodes: Vec<_> = (0..net.nodes.len()).map(|node| shown(net, node, &mut sets)).collect();
        let mut sizes: Vec<_> = seen.iter().filter_map(|seen| seen.sight.size()).collect();
        sizes.extend(nodes.iter().filter_map(|node| size_of(&node.checkpoint)));
        sizes.sort_unstable();
        sizes.dedup();
        let ask = |path: String| net.ask(0, &path).ok().and_then(|answer| hashes(answer.get("proof")?)).unwrap_or_default();
        // Consistency is transitive: neighbours suffice for every pair.
        let pairs = sizes.windows(2).map(|pair| (pair[0], pair[1]));
        let consistency = pairs.map(|(from, to)| ((from, to), ask(format!("/api/v1/proofs/consistency?from={from}&to={to}")))).collect();
        let acknowledged: Vec<_> = log.iter().filter_map(Operation::position).collect();
        let size = size_of(&nodes[0].checkpoint).unwrap_or(0);
        let chosen = acknowledged.iter().step_by(acknowledged.len() / INCLUSIONS + 1).filter(|position| **position < size);
        let inclusion = chosen
            .map(|&position| Included { position, size, proof: ask(format!("/api/v1/proofs/inclusion?position={position}&size={size}")) })
            .collect();
        Observed { genesis, nodes, sets, consistency, inclusion, log, is_log_whole: false, seen, at_ms: now().unix_ms() }
    }
}

impl Sight {
    fn size(&self) -> Option<u64> {
        match self {
            Sight::Checkpoint(note) => size_of(note),
            Sight::Head(..) => None,
        }
    }
}

impl Operation {
    /// Where it stands, if it was acknowledged.
    fn position(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Committed { position, .. } => Some(position),
            Outcome::Refused { .. } | Outcome::Unknown => None,
        }
    }
}

fn size_of(note: &str) -> Option<u64> {
    Checkpoint::parse(&Note::parse(note.as_bytes()).ok()?.text).ok().map(|checkpoint| checkpoint.size)
}

fn hashes(proof: &Value) -> Option<Vec<Hash>> {
    let hash = |value: &Value| decode_base64(value.as_str()?).ok()?.try_into().ok().map(Hash);
    proof.as_array()?.iter().map(hash).collect()
}

fn shown(net: &LocalNetwork, node: usize, sets: &mut BTreeMap<Hash, ValidatorSet>) -> Shown {
    let mut blocks = Vec::new();
    each(net, node, "/api/v1/blocks", |block| {
        let leaf = block.get("entry").unwrap().as_str().unwrap();
        let entry = BlockEntry::parse(leaf.as_bytes()).unwrap();
        sets.entry(entry.validators).or_insert_with(|| {
            let answer = net.ask(node, &format!("/api/v1/validators?height={}", entry.height)).unwrap();
            ValidatorSet::from_value(answer.get("validators").unwrap()).unwrap()
        });
        blocks.push((leaf.to_owned(), Certificate::from_value(block.get("certificate").unwrap()).unwrap()));
    });
    let mut records = Vec::new();
    each(net, node, "/api/v1/records", |record| {
        let number = |name: &str| record.get(name).unwrap().as_u64().unwrap();
        records.push((record.get("id").unwrap().as_str().unwrap().to_owned(), number("position"), number("height")));
    });
    let status = net.ask(node, "/api/v1/status").unwrap();
    let head = status.get("head").unwrap();
    let head = (head.get("height").unwrap().as_u64().unwrap(), head.get("state").unwrap().as_str().unwrap().to_owned());
    let checkpoint = String::from_utf8(net.get(node, "/checkpoint").unwrap().1).unwrap();
    let leaves = leaves(net, node, size_of(&checkpoint).unwrap_or_else(|| panic!("no checkpoint: {checkpoint}")));
    Shown { blocks, records, head, checkpoint, leaves }
}

/// All items of a list, page by page.
fn each(net: &LocalNetwork, node: usize, list: &str, mut take: impl FnMut(&Value)) {
    let mut after = String::new();
    loop {
        let page = net.ask(node, &format!("{list}?limit=1000{after}")).unwrap();
        page.get("items").unwrap().as_array().unwrap().iter().for_each(&mut take);
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = format!("&after={next}"),
            None => return,
        }
    }
}

/// Hashes of the first `size` leaves, from the entry bundles of a node.
fn leaves(net: &LocalNetwork, node: usize, size: u64) -> Vec<Hash> {
    let mut found = Vec::new();
    for index in 0..size.div_ceil(256) {
        let width = (size - index * 256).min(256);
        let path = entries_path(index, u32::try_from(width).unwrap());
        let (status, bundle) = net.get(node, &path).unwrap();
        assert_eq!(status, 200, "{path}");
        let mut rest = bundle.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (leaf, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            found.push(leaf_hash(leaf));
            rest = after;
        }
    }
    found
}
