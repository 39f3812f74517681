//! The executed blocks that are proposed for the next height: a block is executed once, at its proposal.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use malachite_app::app::types::ProposedValue;
use malachite_app::app::types::core::{Round, Validity};

use super::execute::Executed;
use crate::consensus::engine::context::{Address, Height, Ledger};
use crate::core::hash::Hash;

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

/// Everything known of the next height's blocks.
#[derive(Debug, Default)]
pub struct Blocks {
    known: HashMap<Hash, Known>,
    /// The signatures of proposals that came: a restream forwards them unchanged.
    signatures: HashMap<(u32, Option<u32>, Hash), [u8; 64]>,
}

impl Blocks {
    pub fn get(&self, block: &Hash) -> Option<&Known> {
        self.known.get(block)
    }

    pub fn insert(&mut self, block: Hash, known: Known) {
        self.known.insert(block, known);
    }

    /// The blocks first proposed in `round`.
    pub fn of_round(&self, round: u32) -> Vec<ProposedValue<Ledger>> {
        let of_round = self.known.iter().filter(|(_, known)| known.proposed.round == round);
        of_round.map(|(block, known)| known.proposed.value(*block, Validity::Valid)).collect()
    }

    /// The block that `proposer` built for `round`.
    pub fn built_for(&self, round: u32, proposer: &Address) -> Option<Hash> {
        let is_built =
            |known: &Known| known.proposed.round == round && known.proposed.valid_round.is_none() && known.proposed.proposer == *proposer;
        self.known.iter().find(|(_, known)| is_built(known)).map(|(block, _)| *block)
    }

    pub fn keep_signature(&mut self, proposed: &Proposed, block: Hash, signature: [u8; 64]) {
        self.signatures.insert((proposed.round, proposed.valid_round, block), signature);
    }

    pub fn signature(&self, proposed: &Proposed, block: Hash) -> Option<[u8; 64]> {
        self.signatures.get(&(proposed.round, proposed.valid_round, block)).copied()
    }
}
