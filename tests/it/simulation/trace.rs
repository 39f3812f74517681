//! What happened, line by line: the end of it is shown of a run that failed, and its hash says whether two runs were the same.

use malachite_app::app::consensus::{LivenessMsg, SignedConsensusMsg};
use malachite_app::app::types::core::{NilOrVal, VoteType};
use sharelog::consensus::engine::replica::{Ledger, Message, Part};
use sharelog::core::hash::Hash;

#[derive(Debug, Default)]
pub struct Trace(Vec<String>);

impl Trace {
    pub fn note(&mut self, now_ms: u64, line: String) {
        self.0.push(format!("{now_ms:>7} {line}"));
    }

    pub fn hash(&self) -> Hash {
        Hash::of(self.0.join("\n").as_bytes())
    }

    /// The newest lines, without those in which nothing happened.
    pub fn end(&self, lines: usize) -> String {
        let shown: Vec<_> = self.0.iter().filter(|line| !line.ends_with("tick") && !line.ends_with("status")).collect();
        let from = shown.len().saturating_sub(lines);
        shown[from..].iter().map(|line| format!("{line}\n")).collect()
    }
}

/// A message in a few words.
pub fn told(message: &Message) -> String {
    match message {
        Message::Consensus(SignedConsensusMsg::Vote(vote)) => vote_told("", vote),
        Message::Consensus(SignedConsensusMsg::Proposal(proposal)) => {
            let said = &proposal.message;
            format!("proposal {}/{} valid {} {}", said.height, said.round, said.valid_round, short(&said.block))
        }
        Message::Liveness(LivenessMsg::Vote(vote)) => vote_told("again ", vote),
        Message::Liveness(LivenessMsg::PolkaCertificate(certificate)) => {
            format!("polka {}/{} {}", certificate.height, certificate.round, short(&certificate.value_id))
        }
        Message::Liveness(LivenessMsg::SkipRoundCertificate(certificate)) => {
            format!("round certificate {}/{}", certificate.height, certificate.round)
        }
        Message::Part(part) => match part.content.as_data() {
            Some(Part::Init(init)) => format!("init {}/{} valid {:?}", init.height, init.round, init.valid_round),
            Some(Part::Body(bytes)) => format!("body of {} bytes", bytes.len()),
            Some(Part::Fin(_)) => "fin".to_owned(),
            None => "end of stream".to_owned(),
        },
        Message::Status(status) => format!("at {}: status", status.tip_height),
        Message::Request(_) => "request for values".to_owned(),
        Message::Response(_) => "values".to_owned(),
        Message::Record(note) => format!("record {}", short(&Hash::of(note))),
    }
}

fn vote_told(again: &str, vote: &malachite_app::app::types::core::SignedVote<Ledger>) -> String {
    let step = if vote.message.step == VoteType::Prevote { "prevote" } else { "precommit" };
    let block = match &vote.message.block {
        NilOrVal::Nil => "nil".to_owned(),
        NilOrVal::Val(block) => short(block),
    };
    format!("{again}{step} of {} {}/{} {block}", vote.message.voter, vote.message.height, vote.message.round)
}

fn short(hash: &Hash) -> String {
    hash.to_hex()[..8].to_owned()
}
