//! Block entries: the validator sets from genesis to the head, and that all entries of the file fit one chain.

use std::collections::BTreeMap;

use crate::core::hash::Hash;
use crate::core::policy::RULES_NEWEST;
use crate::core::validators::ValidatorSet;
use crate::log::entry::BlockEntry;
use crate::log::evidence::{Evidence, ProvenLeaf};
use crate::log::merkle::leaf_hash;
use crate::verify::{At, Failure, Step, View, contradicts};

/// The proven entries of a file and the sets that they lead through.
pub struct Chain {
    /// (first height, set), ascending; the first is the genesis'.
    sets: Vec<(u64, ValidatorSet)>,
    /// All entries, by position.
    entries: BTreeMap<u64, BlockEntry>,
    /// Positions of the entries in `blocks`.
    blocks: Vec<u64>,
    head: u64,
}

/// Walks the handovers and checks the head.
pub fn follow(view: &View<'_>, evidence: &Evidence) -> Result<Chain, Failure> {
    let mut sets = vec![(1, view.genesis.validator_set())];
    let mut entries = BTreeMap::new();
    for handover in &evidence.handovers {
        let entry = prove_entry(view, &handover.entry, Step::Handovers)?;
        let (since, old) = sets.last().expect("the genesis' set comes first");
        if entry.height < *since {
            return contradicts(Step::Handovers, format!("height {}", entry.height), format!("a height from {since}"));
        }
        check_set("validators", &entry.validators, old, Step::Handovers)?;
        check_set("next", &entry.next, &handover.validators, Step::Handovers)?;
        if handover.validators == *old {
            return contradicts(Step::Handovers, format!("height {} with an unchanged set", entry.height), "a change of set");
        }
        let hash = leaf_hash(handover.entry.leaf.as_bytes());
        handover.certificate.verify(&view.genesis.origin, entry.height, &hash, old).at(Step::Handovers)?;
        let Some(next) = entry.height.checked_add(1) else {
            return contradicts(Step::Handovers, format!("height {}", entry.height), "a height that has a next one");
        };
        sets.push((next, handover.validators.clone()));
        entries.insert(entry.position, entry);
    }
    let head = prove_entry(view, &evidence.head, Step::Head)?;
    if head.position.checked_add(1) != Some(view.checkpoint.size) {
        return contradicts(Step::Head, format!("position {}", head.position), format!("the last of {} leaves", view.checkpoint.size));
    }
    let (since, last) = sets.last().expect("the genesis' set comes first");
    if head.height < *since {
        return contradicts(Step::Head, format!("height {}", head.height), format!("a height from {since}"));
    }
    check_set("validators", &head.validators, last, Step::Head)?;
    let mut chain = Chain { sets, entries, blocks: Vec::new(), head: head.position };
    chain.entries.insert(head.position, head);
    Ok(chain)
}

impl Chain {
    /// The set that judges the checkpoint.
    pub fn judging_set(&self) -> &ValidatorSet {
        &self.sets.last().expect("the genesis' set comes first").1
    }

    fn set_at(&self, height: u64) -> &ValidatorSet {
        let (_, set) = self.sets.iter().rev().find(|(since, _)| *since <= height).expect("the genesis' set is there from height 1");
        set
    }

    /// The entry among `blocks` whose records include `position`.
    pub fn block_of(&self, position: u64) -> Option<&BlockEntry> {
        let index = self.blocks.partition_point(|block| *block <= position);
        self.entries.get(self.blocks.get(index)?).filter(|entry| entry.first <= position)
    }

    /// Proves `blocks`; then all entries must fit one chain under the sets of their heights.
    pub fn check_entries(&mut self, view: &View<'_>, blocks: &[ProvenLeaf]) -> Result<(), Failure> {
        for block in blocks {
            let entry = prove_entry(view, block, Step::Blocks)?;
            self.blocks.push(entry.position);
            self.entries.insert(entry.position, entry);
        }
        let mut earlier: Option<&BlockEntry> = None;
        for entry in self.entries.values() {
            check_set("validators", &entry.validators, self.set_at(entry.height), Step::Blocks)?;
            // A change that takes effect just after the head has no handover in the file.
            if entry.position != self.head {
                check_set("next", &entry.next, self.set_at(entry.height + 1), Step::Blocks)?;
            }
            match earlier {
                Some(earlier) => check_order(earlier, entry)?,
                None => check_first(view, entry)?,
            }
            earlier = Some(entry);
        }
        Ok(())
    }
}

/// An entry that stands where it says, under this ledger, over the leaves that its root closes.
fn prove_entry(view: &View<'_>, proven: &ProvenLeaf, step: Step) -> Result<BlockEntry, Failure> {
    let prefix = view.prove(proven, step)?;
    let entry = BlockEntry::parse(proven.leaf.as_bytes()).at(step)?;
    let origin = &view.genesis.origin;
    if entry.ledger != *origin {
        return contradicts(step, format!("an entry of {}", entry.ledger), origin);
    }
    if entry.position != proven.position {
        return contradicts(step, format!("the entry of position {}", entry.position), format!("that of {}", proven.position));
    }
    if entry.root != prefix.before {
        return contradicts(step, format!("root {} at position {}", entry.root, entry.position), prefix.before.to_hex());
    }
    if !(1..=RULES_NEWEST).contains(&entry.rules) {
        return contradicts(step, format!("rule set {}", entry.rules), format!("rule sets up to {RULES_NEWEST}: use a newer verifier"));
    }
    Ok(entry)
}

fn check_set(member: &str, named: &Hash, set: &ValidatorSet, step: Step) -> Result<(), Failure> {
    let hash = set.hash();
    if *named != hash {
        return contradicts(step, format!("{member} {named}"), format!("the set {hash}"));
    }
    Ok(())
}

/// What can be said of the first entry of the file without those before it.
fn check_first(view: &View<'_>, entry: &BlockEntry) -> Result<(), Failure> {
    let fits = entry.first >= entry.height - 1
        && entry.time > view.genesis.created
        && (entry.height > 1 || (entry.first == 0 && entry.previous == view.genesis.hash));
    if !fits {
        return contradicts(
            Step::Blocks,
            format!("height {} from position {} at {}", entry.height, entry.first, entry.time),
            "an entry after the genesis",
        );
    }
    Ok(())
}

/// Two entries in order of position, with unseen ones between them or none.
fn check_order(earlier: &BlockEntry, later: &BlockEntry) -> Result<(), Failure> {
    let between = later.height.checked_sub(earlier.height).and_then(|heights| heights.checked_sub(1));
    let leaves_between = later.first.checked_sub(earlier.position).and_then(|leaves| leaves.checked_sub(1));
    let fits = match (between, leaves_between) {
        (Some(0), Some(0)) => later.previous == earlier.hash() && later.validators == earlier.next,
        (Some(0), _) => false,
        (Some(blocks), Some(leaves)) => leaves >= blocks,
        _ => false,
    };
    if !fits || later.time <= earlier.time {
        return contradicts(
            Step::Blocks,
            format!("height {} at position {} after height {} at {}", later.height, later.position, earlier.height, earlier.position),
            "entries of one chain",
        );
    }
    Ok(())
}
