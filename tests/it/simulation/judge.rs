//! What must hold in every run, whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use malachite_app::app::consensus::{LivenessMsg, SignedConsensusMsg};
use malachite_app::app::types::core::VoteType;
use sharelog::consensus::engine::replica::{Message, Replica, text_of_proposal, text_of_vote};
use sharelog::core::genesis::Genesis;
use sharelog::core::hash::Hash;
use sharelog::core::record::Record;
use sharelog::core::rules;
use sharelog::core::time::Time;
use sharelog::log::certificate::Certificate;
use sharelog::log::misbehaviour::{Misbehaviour, Place, Said, Statement};
use sharelog::store::Block;

/// A moment at which a node may sign once.
type Moment = (usize, u64, u32, u8);

/// What was seen so far.
pub struct Judge {
    origin: String,
    /// Drift that blocks may have, with the skew of the fastest clock.
    drift_ms: u64,
    /// By height: the block that the first honest node committed.
    chain: BTreeMap<u64, (Hash, Time, Hash)>,
    records: BTreeMap<Hash, u64>,
    pub submitted: BTreeSet<Hash>,
    signed: BTreeMap<Moment, String>,
    pub votes: usize,
}

impl Judge {
    pub fn new(genesis: &Genesis, drift_ms: u64) -> Self {
        Judge {
            origin: genesis.origin.clone(),
            drift_ms,
            chain: BTreeMap::new(),
            records: BTreeMap::new(),
            submitted: BTreeSet::new(),
            signed: BTreeMap::new(),
            votes: 0,
        }
    }

    pub fn height(&self) -> u64 {
        self.chain.last_key_value().map_or(0, |(height, _)| *height)
    }

    pub fn is_committed(&self, id: &Hash) -> bool {
        self.records.contains_key(id)
    }

    /// A node that is honest is at a new height, or came back after a crash.
    pub fn look(&mut self, node: usize, replica: &Replica, seen: u64, now: Time) -> Result<u64, String> {
        let reader = replica.reader();
        let head = reader.head();
        if head.height < seen {
            return Err(format!("node {node} lost blocks: it was at {seen}, and is at {}", head.height));
        }
        for height in seen + 1..=head.height {
            let block = reader.block(height).map_err(|error| error.to_string())?.ok_or("a block below the head is missing")?;
            self.look_at_block(node, replica, &block, now)?;
        }
        if self.chain.get(&head.height).is_some_and(|(_, _, state)| *state != head.state) {
            return Err(format!("node {node} has another state at {}", head.height));
        }
        Ok(head.height)
    }

    fn look_at_block(&mut self, node: usize, replica: &Replica, block: &Block, now: Time) -> Result<(), String> {
        let (height, hash) = (block.entry.height, block.entry.hash());
        let set = rules::validator_set(replica.reader(), height);
        let certified = block.certificate.verify(&self.origin, height, &hash, &set);
        certified.map_err(|refusal| format!("node {node}: the certificate of {height}: {refusal}"))?;
        if let Some((known, ..)) = self.chain.get(&height) {
            return if *known == hash { Ok(()) } else { Err(format!("FORK: node {node} has {hash} at {height}, others {known}")) };
        }
        let before = self.chain.get(&(height - 1)).map(|(_, time, _)| *time);
        if before.is_some_and(|before| before >= block.entry.time) {
            return Err(format!("the time of {height} is not after that of the block below"));
        }
        if block.entry.time > now.plus_ms(self.drift_ms) {
            return Err(format!("the time of {height}, {}, lies ahead of {now}", block.entry.time));
        }
        for leaf in &block.records {
            let id = Record::parse(leaf, &self.origin).map_err(|refusal| refusal.to_string())?.id();
            if !self.submitted.contains(&id) {
                return Err(format!("a record of {height} was never submitted"));
            }
            if let Some(first) = self.records.insert(id, height) {
                return Err(format!("the record {id} is in {first} and in {height}"));
            }
        }
        self.chain.insert(height, (hash, block.entry.time, block.entry.state));
        Ok(())
    }

    /// What an honest node says to others: no two signatures for one moment, over all its lives.
    pub fn hear(&mut self, node: usize, message: &Message) -> Result<(), String> {
        let (moment, text) = match message {
            Message::Consensus(SignedConsensusMsg::Vote(vote)) | Message::Liveness(LivenessMsg::Vote(vote)) => {
                let step = if vote.message.step == VoteType::Prevote { 1 } else { 2 };
                let round = vote.message.round.as_u32().ok_or("a vote without a round")?;
                ((node, vote.message.height.0, round, step), text_of_vote(&self.origin, &vote.message))
            }
            Message::Consensus(SignedConsensusMsg::Proposal(proposal)) => {
                let round = proposal.message.round.as_u32().ok_or("a proposal without a round")?;
                ((node, proposal.message.height.0, round, 0), text_of_proposal(&self.origin, &proposal.message))
            }
            _ => return Ok(()),
        };
        let text = text.ok_or("a message without a text")?;
        self.votes += 1;
        match self.signed.insert(moment, text.clone()) {
            Some(before) if before != text => Err(format!("node {node} signed two texts at {moment:?}: {before:?} and {text:?}")),
            _ => Ok(()),
        }
    }

    /// Proofs of misbehaviour hold, and name liars alone; gives how many there are.
    pub fn look_at_proofs(&self, node: usize, replica: &Replica, liars: &[String]) -> Result<usize, String> {
        let proofs = replica.misbehaviours().all();
        for proof in &proofs {
            proof.check().map_err(|refusal| format!("node {node} keeps a proof that is none: {refusal}"))?;
            if !liars.contains(&proof.agency) {
                return Err(format!("node {node} accuses {}, which is honest: {:?}", proof.agency, proof.place));
            }
        }
        Ok(proofs.len())
    }
}

/// Who signed both of two certificates of one height and round for two blocks.
pub fn accuse(origin: &str, pair: [&Certificate; 2], replica: &Replica) -> Vec<Misbehaviour> {
    let [first, second] = pair;
    if (first.height, first.round) != (second.height, second.round) || first.block == second.block {
        return Vec::new();
    }
    let set = rules::validator_set(replica.reader(), first.height);
    let statement =
        |certificate: &Certificate, signature: [u8; 64]| Statement { said: Said::Vote { block: Some(certificate.block) }, signature };
    let of = |(agency, signature): &(String, [u8; 64])| {
        let (_, other) = second.signatures.iter().find(|(also, _)| also == agency)?;
        let place = Place::Precommit { height: first.height, round: first.round };
        let pair = [statement(first, *signature), statement(second, *other)];
        Misbehaviour::of(agency, set.member(agency)?.consensus, origin, place, pair).ok()
    };
    first.signatures.iter().filter_map(of).collect()
}
