//! The executed blocks that are proposed for the next height: a block is executed once, at its proposal.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use malachite_app::app::types::ProposedValue;
use malachite_app::app::types::core::{Round, Validity};

use super::execute::Executed;
use crate::consensus::engine::context::{Address, Height, Ledger};
use crate::core::hash::Hash;
use crate::limits::{KNOWN_BLOCKS_MAX, PROPOSALS_PER_ROUND_MAX};

/// The round in which a block was proposed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposed {
    pub height: u64,
    pub round: u32,
    pub valid_round: Option<u32>,
    pub proposer: Address,
}

impl Proposed {
    /// The engine's form.
    pub fn value(&self, block: Hash, validity: Validity) -> ProposedValue<Ledger> {
        ProposedValue {
            height: Height(self.height),
            round: Round::new(self.round),
            valid_round: Round::from(self.valid_round),
            proposer: self.proposer,
            value: block,
            validity,
        }
    }
}

/// A block that was found valid, and whose body is on disk.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its first proposal.
    pub proposed: Proposed,
    pub executed: Arc<Executed>,
    pub bytes: Bytes,
}

/// The valid blocks of the next height.
#[derive(Debug, Default)]
pub struct Blocks {
    /// All whose bodies are on disk, by their first proposal.
    kept: BTreeMap<Hash, Proposed>,
    /// The newest ones in memory, oldest first.
    known: VecDeque<(Hash, Known)>,
    /// The signatures of their proposals: a restream forwards them unchanged.
    signatures: HashMap<(u32, Option<u32>, Hash), [u8; 64]>,
    /// How many proposals of a round were executed, valid or not.
    executed: HashMap<u32, usize>,
}

impl Blocks {
    /// Whether one more proposal of `round` may be executed; counts it.
    pub fn may_execute(&mut self, round: u32) -> bool {
        let executed = self.executed.entry(round).or_default();
        *executed += 1;
        *executed <= PROPOSALS_PER_ROUND_MAX
    }

    pub fn is_kept(&self, block: &Hash) -> bool {
        self.kept.contains_key(block)
    }

    /// The block as executed; `None` also when its body has to be read from disk.
    pub fn known(&self, block: &Hash) -> Option<&Known> {
        self.known.iter().find(|(hash, _)| hash == block).map(|(_, known)| known)
    }

    pub fn insert(&mut self, block: Hash, known: Known) {
        self.kept.entry(block).or_insert(known.proposed);
        self.known.retain(|(hash, _)| *hash != block);
        if self.known.len() == KNOWN_BLOCKS_MAX {
            self.known.pop_front();
        }
        self.known.push_back((block, known));
    }

    /// The blocks first proposed in `round`.
    pub fn of_round(&self, round: u32) -> Vec<ProposedValue<Ledger>> {
        let of_round = self.kept.iter().filter(|(_, proposed)| proposed.round == round);
        of_round.map(|(block, proposed)| proposed.value(*block, Validity::Valid)).collect()
    }

    /// The block that `proposer` built for `round`.
    pub fn built_for(&self, round: u32, proposer: &Address) -> Option<Hash> {
        let is_built = |proposed: &Proposed| proposed.round == round && proposed.valid_round.is_none() && proposed.proposer == *proposer;
        self.kept.iter().find(|(_, proposed)| is_built(proposed)).map(|(block, _)| *block)
    }

    pub fn keep_signature(&mut self, proposed: &Proposed, block: Hash, signature: [u8; 64]) {
        self.signatures.insert((proposed.round, proposed.valid_round, block), signature);
    }

    pub fn signature(&self, proposed: &Proposed, block: Hash) -> Option<[u8; 64]> {
        self.signatures.get(&(proposed.round, proposed.valid_round, block)).copied()
    }
}
