//! The invariants S1 to S9 over what was observed; see the page of the judge for their sentences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sharelog::core::hash::Hash;
use sharelog::core::note::Note;
use sharelog::core::validators::ValidatorSet;
use sharelog::log::checkpoint::{Checkpoint, Cosignature};
use sharelog::log::entry::BlockEntry;
use sharelog::log::merkle::{Frontier, leaf_hash, verify_consistency, verify_inclusion};

use super::super::network::{Operation, Outcome};
use super::{Observed, Seen, Shown, Sight};

/// The invariant that does not hold, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    pub invariant: &'static str,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} does not hold: {}", self.invariant, self.what)
    }
}

type Judged = Result<(), String>;
type Check = fn(&Observed) -> Judged;

/// # Errors
/// The first violation.
pub fn judge(observed: &Observed) -> Result<(), Violation> {
    let checks: [(&'static str, Check); 9] = [
        ("S1", agreement),
        ("S2", chain),
        ("S4", duplicates_and_phantoms),
        ("S3", durability),
        ("S5", order),
        ("S6", certificates),
        ("S7", state),
        ("S8", tree),
        ("S9", no_rollback),
    ];
    checks.into_iter().try_for_each(|(invariant, check)| check(observed).map_err(|what| Violation { invariant, what }))
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Judged {
    if holds { Ok(()) } else { Err(what()) }
}

fn entries(shown: &Shown) -> Vec<BlockEntry> {
    shown.blocks.iter().map(|(leaf, _)| BlockEntry::parse(leaf.as_bytes()).unwrap()).collect()
}

fn agreement(observed: &Observed) -> Judged {
    let first = &observed.nodes[0].blocks;
    for (node, shown) in observed.nodes.iter().enumerate() {
        for (height, (one, other)) in first.iter().zip(&shown.blocks).enumerate() {
            ensure(one.0 == other.0, || format!("nodes 0 and {node} differ at height {}", height + 1))?;
        }
        ensure(first.len() == shown.blocks.len(), || {
            format!("nodes 0 and {node} show {} and {} heights", first.len(), shown.blocks.len())
        })?;
        ensure(observed.nodes[0].records == shown.records, || format!("the records of nodes 0 and {node} differ"))?;
    }
    let entries = entries(&observed.nodes[0]);
    for Seen { node, sight, .. } in &observed.seen {
        if let Sight::Head(height, state, time_ms) = sight
            && *height > 0
        {
            let entry = usize::try_from(height - 1).ok().and_then(|index| entries.get(index));
            let is_same = entry.is_some_and(|entry| entry.state.to_hex() == *state && entry.time.unix_ms() == *time_ms);
            ensure(is_same, || format!("node {node} showed another head at height {height} while faults worked"))?;
        }
    }
    Ok(())
}

fn chain(observed: &Observed) -> Judged {
    let genesis = &observed.genesis;
    for (node, shown) in observed.nodes.iter().enumerate() {
        let (mut previous, mut first, mut height) = (genesis.hash, 0, 0);
        for (leaf, _) in &shown.blocks {
            let entry = BlockEntry::parse(leaf.as_bytes()).unwrap();
            ensure(entry.height == height + 1, || format!("node {node}: height {} after {height}", entry.height))?;
            ensure(entry.previous == previous && entry.first == first, || {
                format!("node {node}: height {} does not continue", entry.height)
            })?;
            (previous, first, height) = (leaf_hash(leaf.as_bytes()), entry.position + 1, entry.height);
        }
    }
    Ok(())
}

fn duplicates_and_phantoms(observed: &Observed) -> Judged {
    let submitted: BTreeMap<_, _> = observed.log.iter().map(|operation| (operation.id.to_hex(), &operation.outcome)).collect();
    for (node, shown) in observed.nodes.iter().enumerate() {
        let mut found = BTreeSet::new();
        let mut last = None;
        for (id, position, _) in &shown.records {
            ensure(found.insert(id), || format!("node {node}: {id} stands twice"))?;
            ensure(last < Some(position), || format!("node {node}: position {position} after {last:?}"))?;
            last = Some(position);
            match submitted.get(id) {
                Some(Outcome::Refused { .. }) => return Err(format!("node {node}: {id} was refused and stands")),
                None if observed.is_log_whole => return Err(format!("node {node}: nobody submitted {id}")),
                Some(_) | None => {}
            }
        }
    }
    Ok(())
}

fn durability(observed: &Observed) -> Judged {
    for (node, shown) in observed.nodes.iter().enumerate() {
        let records: BTreeMap<&str, (u64, u64)> =
            shown.records.iter().map(|(id, position, height)| (&id[..], (*position, *height))).collect();
        for operation in &observed.log {
            if let Outcome::Committed { position, height } = operation.outcome {
                let found = records.get(&operation.id.to_hex()[..]);
                ensure(found == Some(&(position, height)), || {
                    format!("node {node}: {} was acknowledged at {position}, height {height}, and is at {found:?}", operation.id)
                })?;
            }
        }
    }
    Ok(())
}

fn order(observed: &Observed) -> Judged {
    // Submissions in their order, each with the highest position acknowledged before.
    let stands: BTreeMap<&str, u64> = observed.nodes[0].records.iter().map(|(id, position, _)| (&id[..], *position)).collect();
    let mut acknowledged: Vec<_> = observed.log.iter().filter(|operation| operation.position().is_some()).collect();
    acknowledged.sort_by_key(|operation| operation.answered);
    let mut submitted: Vec<&Operation> = observed.log.iter().collect();
    submitted.sort_by_key(|operation| operation.submitted);
    let (mut before, mut highest) = (acknowledged.iter().peekable(), None);
    for operation in submitted {
        while let Some(earlier) = before.next_if(|earlier| earlier.answered < operation.submitted) {
            highest = highest.max(earlier.position());
        }
        if let Some(position) = stands.get(&operation.id.to_hex()[..]) {
            ensure(highest < Some(*position), || {
                format!("{} stands at {position}, below {highest:?}, which was acknowledged before it was submitted", operation.id)
            })?;
        }
    }
    let policy = &observed.genesis.policy;
    let mut time = observed.genesis.created;
    for entry in entries(&observed.nodes[0]) {
        ensure(entry.time > time, || format!("height {}: time does not rise", entry.height))?;
        time = entry.time;
    }
    let is_early = |time_ms: u64, at_ms: u64| policy.test_clock || time_ms <= at_ms + policy.block_drift_ms;
    ensure(is_early(time.unix_ms(), observed.at_ms), || format!("the last block is of the future, {time}"))?;
    for Seen { node, at_ms, sight } in &observed.seen {
        if let Sight::Head(height, _, time_ms) = sight {
            ensure(is_early(*time_ms, *at_ms), || format!("node {node} showed height {height} {} ms ahead of its time", time_ms - at_ms))?;
        }
    }
    Ok(())
}

fn certificates(observed: &Observed) -> Judged {
    for (hash, set) in &observed.sets {
        ensure(set.hash() == *hash, || format!("a validator set that is not {hash}"))?;
    }
    let origin = &observed.genesis.origin;
    for (node, shown) in observed.nodes.iter().enumerate() {
        let mut next = observed.genesis.validator_set().hash();
        for (leaf, certificate) in &shown.blocks {
            let entry = BlockEntry::parse(leaf.as_bytes()).unwrap();
            let height = entry.height;
            ensure(entry.validators == next, || format!("node {node}, height {height}: not the set that the entry before names"))?;
            next = entry.next;
            let set = observed.sets.get(&entry.validators).ok_or_else(|| format!("height {height}: no set"))?;
            let mut signers = BTreeSet::new();
            let has_repeats = certificate.signatures.iter().any(|(agency, _)| !signers.insert(agency));
            ensure(!has_repeats, || format!("node {node}, height {height}: one validator signs twice"))?;
            certificate
                .verify(origin, height, &leaf_hash(leaf.as_bytes()), set)
                .map_err(|refusal| format!("node {node}, height {height}: {refusal}"))?;
        }
    }
    Ok(())
}

fn state(observed: &Observed) -> Judged {
    for (node, shown) in observed.nodes.iter().enumerate() {
        let (height, state) = &shown.head;
        let entry = usize::try_from(height - 1).ok().and_then(|index| observed.nodes[0].blocks.get(index));
        let expected = entry.map(|(leaf, _)| BlockEntry::parse(leaf.as_bytes()).unwrap().state.to_hex());
        ensure(expected.as_ref() == Some(state), || format!("node {node}: state {state} at height {height}, expected {expected:?}"))?;
    }
    Ok(())
}

fn tree(observed: &Observed) -> Judged {
    let entries = entries(&observed.nodes[0]);
    let judging: BTreeMap<u64, &ValidatorSet> =
        entries.iter().filter_map(|entry| Some((entry.position + 1, observed.sets.get(&entry.validators)?))).collect();
    let mut roots: BTreeMap<u64, Hash> = BTreeMap::new();
    let last = observed.nodes.iter().map(|shown| shown.checkpoint.as_str());
    for note in observed.seen.iter().filter_map(|seen| seen.sight.note()).chain(last) {
        let checkpoint = cosigned(note, &observed.genesis.origin, &judging)?;
        let root = *roots.entry(checkpoint.size).or_insert(checkpoint.root);
        ensure(root == checkpoint.root, || format!("two roots at size {}", checkpoint.size))?;
    }
    let sizes: Vec<_> = roots.iter().collect();
    for pair in sizes.windows(2) {
        let ((from, from_root), (to, to_root)) = (pair[0], pair[1]);
        let proof = observed.consistency.get(&(*from, *to)).ok_or_else(|| format!("no proof from {from} to {to}"))?;
        verify_consistency(*from, *to, from_root, to_root, proof).map_err(|error| format!("{from} to {to}: {error}"))?;
    }
    for (node, shown) in observed.nodes.iter().enumerate() {
        leaves(node, shown, &roots)?;
    }
    for included in &observed.inclusion {
        let leaf = usize::try_from(included.position).ok().and_then(|index| observed.nodes[0].leaves.get(index));
        let (leaf, root) = leaf.zip(roots.get(&included.size)).ok_or_else(|| format!("no leaf {}", included.position))?;
        verify_inclusion(leaf, included.position, included.size, &included.proof, root)
            .map_err(|error| format!("leaf {} in {}: {error}", included.position, included.size))?;
    }
    Ok(())
}

/// The leaves of a node give the root of each of its entries and of every checkpoint that they reach.
fn leaves(node: usize, shown: &Shown, roots: &BTreeMap<u64, Hash>) -> Judged {
    let mut entries = entries(shown).into_iter().peekable();
    let mut frontier = Frontier::default();
    for leaf in &shown.leaves {
        if let Some(entry) = entries.next_if(|entry| entry.position == frontier.size()) {
            ensure(entry.root == frontier.root(), || {
                format!("node {node}: the root in the entry of height {} is not that of its leaves", entry.height)
            })?;
            ensure(entry.hash() == *leaf, || format!("node {node}: the entry of height {} is not its leaf", entry.height))?;
        }
        frontier.push(*leaf);
        if let Some(root) = roots.get(&frontier.size()) {
            ensure(*root == frontier.root(), || format!("node {node}: the leaves do not give the root at size {}", frontier.size()))?;
        }
    }
    let size = super::size_of(&shown.checkpoint);
    ensure(size == Some(frontier.size()), || format!("node {node}: {} leaves for a checkpoint of {size:?}", frontier.size()))
}

/// The checkpoint of a note, its quorum checked.
fn cosigned(note: &str, origin: &str, judging: &BTreeMap<u64, &ValidatorSet>) -> Result<Checkpoint, String> {
    let note = Note::parse(note.as_bytes()).map_err(|refusal| refusal.to_string())?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|refusal| refusal.to_string())?;
    let size = checkpoint.size;
    ensure(checkpoint.origin == origin, || format!("a checkpoint of {}", checkpoint.origin))?;
    let set = judging.get(&size).ok_or_else(|| format!("no block ends at {size} leaves"))?;
    let (mut power, mut signers) = (0, BTreeSet::new());
    let prefix = format!("{origin}/validator/");
    for line in &note.lines {
        let Some(agency) = line.name.strip_prefix(&prefix) else {
            ensure(line.name == origin, || format!("a line of {}, neither the serving node nor a validator", line.name))?;
            continue;
        };
        let member = set.member(agency).ok_or_else(|| format!("size {size}: {agency} is no validator"))?;
        ensure(signers.insert(agency), || format!("size {size}: {agency} cosigns twice"))?;
        let cosignature = line.signature.split_first_chunk::<8>().and_then(|(time, signature)| {
            let timestamp = u64::from_be_bytes(*time);
            Some(Cosignature { agency: agency.to_owned(), id: line.id, timestamp, signature: signature.try_into().ok()? })
        });
        let verifies = cosignature.is_some_and(|cosignature| cosignature.verifies(&checkpoint, &member.cosigner));
        ensure(verifies, || format!("size {size}: the cosignature of {agency}"))?;
        power += member.power;
    }
    ensure(set.is_quorum(power), || format!("size {size}: cosigned with power {power}"))?;
    Ok(checkpoint)
}

fn no_rollback(observed: &Observed) -> Judged {
    let mut highest: BTreeMap<usize, u64> = BTreeMap::new();
    let seen = observed.seen.iter().filter_map(|seen| Some((seen.node, seen.sight.size()?)));
    let last = observed.nodes.iter().enumerate().filter_map(|(node, shown)| Some((node, super::size_of(&shown.checkpoint)?)));
    for (node, size) in seen.chain(last) {
        let before = highest.insert(node, size).unwrap_or(0);
        ensure(before <= size, || format!("the checkpoint of node {node} fell from {before} to {size}"))?;
    }
    Ok(())
}

impl Sight {
    fn note(&self) -> Option<&str> {
        match self {
            Sight::Checkpoint(note) => Some(note),
            Sight::Head(..) => None,
        }
    }
}
