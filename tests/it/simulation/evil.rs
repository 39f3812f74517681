//! What nodes that lie make of the messages of an honest one. Each has its own key and no other.

use bytes::Bytes;
use malachite_app::app::consensus::SignedConsensusMsg;
use malachite_app::app::types::core::{NilOrVal, SignedMessage};
use malachite_app::app::types::streaming::StreamId;
use malachite_app::app::types::sync::Response;
use sharelog::consensus::engine::replica::{
    Address, Assembled, Body, Height, Init, Ledger, Message, Part as ProposalPart, Replica, Wish, stream_parts, text_of_proposal,
    text_of_vote,
};
use sharelog::core::genesis::Genesis;
use sharelog::core::hash::Hash;
use sharelog::core::key::SecretKey;
use sharelog::log::certificate::parts_text;
use sharelog::store::execution::Executor;

use super::chance::Chance;
use super::plan::Part;

/// A wish of a liar with those who get it: all, or one side.
pub struct Lie {
    pub wish: Wish,
    /// A number per node; those whose is odd get it, or those whose is even.
    pub side: Option<u64>,
}

/// Who lies.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    pub validator: usize,
    pub part: Part,
    pub key: &'a SecretKey,
    pub replica: &'a Replica,
    pub genesis: &'a Genesis,
}

/// What a liar remembers of its lies.
#[derive(Debug, Default)]
pub struct Liar {
    /// The block seen last: the second vote names it.
    seen: Option<Hash>,
    /// The second block of (height, round).
    second: Option<(u64, u32, Hash)>,
    pub told: usize,
}

impl Liar {
    /// What it sends in place of `wish`.
    pub fn twist(&mut self, who: &Identity<'_>, wish: Wish, chance: &mut Chance) -> Vec<Lie> {
        let Identity { part, genesis, key, .. } = *who;
        let all = |wish| vec![Lie { wish, side: None }];
        match (part, wish) {
            (_, wish @ Wish::Timer(..)) => all(wish),
            (Part::Silent, Wish::Broadcast(Message::Record(note))) => all(Wish::Broadcast(Message::Record(note))),
            (Part::Silent, _) => {
                self.told += 1;
                Vec::new()
            }
            (Part::TwoVotes, Wish::Broadcast(Message::Consensus(SignedConsensusMsg::Vote(vote)))) => {
                let block = match vote.message.block {
                    NilOrVal::Val(hash) => {
                        self.seen = Some(hash);
                        if chance.is_one_in(2) { NilOrVal::Nil } else { NilOrVal::Val(Hash::of(b"another block")) }
                    }
                    NilOrVal::Nil => NilOrVal::Val(self.seen.unwrap_or_default()),
                };
                let mut second = vote.clone();
                second.message.block = block;
                let text = text_of_vote(&genesis.origin, &second.message).expect("a vote has a round");
                second.signature = key.sign(text.as_bytes());
                self.told += 1;
                let message = |vote| Wish::Broadcast(Message::Consensus(SignedConsensusMsg::Vote(vote)));
                if chance.is_one_in(3) {
                    return vec![Lie { wish: message(vote), side: None }, Lie { wish: message(second), side: None }];
                }
                vec![Lie { wish: message(vote), side: Some(0) }, Lie { wish: message(second), side: Some(1) }]
            }
            (Part::TwoProposals, Wish::Broadcast(Message::Part(part))) => {
                let mut lies = Vec::new();
                if let Some(ProposalPart::Init(init)) = part.content.as_data()
                    && init.valid_round.is_none()
                    && init.proposer == Address::from(&key.public())
                    && let Some((body, block)) = second_body(who, init.height, chance)
                {
                    self.second = Some((init.height.0, init.round, block));
                    let text = parts_text(&genesis.origin, init.height.0, init.round, None, &block);
                    let proposal = Assembled { init: Init { ..*init }, body, signature: key.sign(text.as_bytes()) };
                    let stream = StreamId::new(Bytes::copy_from_slice(&block.as_bytes()[..16]));
                    let second = stream_parts(&stream, &proposal).into_iter();
                    lies.extend(second.map(|part| Lie { wish: Wish::Broadcast(Message::Part(part)), side: None }));
                }
                lies.push(Lie { wish: Wish::Broadcast(Message::Part(part)), side: None });
                lies
            }
            (Part::TwoProposals, Wish::Broadcast(Message::Consensus(SignedConsensusMsg::Proposal(proposal)))) => {
                let place = (proposal.message.height.0, proposal.message.round.as_u32());
                let Some((height, round, block)) = self.second.filter(|(height, round, _)| place == (*height, Some(*round))) else {
                    return all(Wish::Broadcast(Message::Consensus(SignedConsensusMsg::Proposal(proposal))));
                };
                let mut second: SignedMessage<_, _> = proposal.clone();
                second.message.block = block;
                let text = text_of_proposal(&genesis.origin, &second.message).expect("a proposal has a round");
                second.signature = key.sign(text.as_bytes());
                self.told += 1;
                let message = |proposal| Wish::Broadcast(Message::Consensus(SignedConsensusMsg::Proposal(proposal)));
                let is_shown_to_all = (height + u64::from(round)) % 2 == 0;
                let side = |side| if is_shown_to_all { None } else { Some(side) };
                vec![Lie { wish: message(proposal), side: side(0) }, Lie { wish: message(second), side: side(1) }]
            }
            (Part::LyingSync, Wish::Send(to, Message::Response(response))) => {
                self.told += 1;
                all(Wish::Send(to, Message::Response(lying_answer(response, chance))))
            }
            (Part::LyingSync, Wish::Broadcast(Message::Status(mut status))) => {
                status.tip_height = match chance.below(3) {
                    0 => Height(status.tip_height.0 + 1_000),
                    1 => Height(0),
                    _ => Height(u64::MAX - 1),
                };
                all(Wish::Broadcast(Message::Status(status)))
            }
            (_, wish) => all(wish),
        }
    }
}

/// Another valid block on the liar's head: the same records at a later time.
fn second_body(who: &Identity<'_>, height: Height, chance: &mut Chance) -> Option<(Bytes, Hash)> {
    let Identity { replica, genesis, .. } = *who;
    let reader = replica.reader();
    let head = reader.head();
    if head.height + 1 != height.0 {
        return None;
    }
    let records = replica.pool().candidates(100, 1 << 20);
    let newest = records.iter().map(|record| record.at).max().unwrap_or(head.time).max(head.time);
    let mut executor = Executor::new(reader, &head, genesis, newest.plus_ms(1 + chance.below(50)));
    let taken: Vec<_> = records.into_iter().filter(|record| executor.push(record).is_ok()).collect();
    let execution = executor.finish(&format!("agency-{}", who.validator));
    let leaves = taken.iter().map(|record| record.leaf().clone()).collect();
    let body = Body { entry_leaf: execution.entry.to_text().into_bytes().into(), leaves };
    Some((body.to_bytes().ok()?, body.hash()))
}

fn lying_answer(response: Response<Ledger>, chance: &mut Chance) -> Response<Ledger> {
    let Response::ValueResponse(mut response) = response;
    match chance.below(6) {
        0 => response.values.clear(),
        1 if !response.values.is_empty() => drop(response.values.remove(0)),
        2 => response.values.reverse(),
        3 => response.values.iter_mut().for_each(|value| value.value_bytes = value.value_bytes.slice(..value.value_bytes.len() / 2)),
        4 => response.values.iter_mut().for_each(|value| {
            for signature in &mut value.certificate.commit_signatures {
                signature.signature[5] ^= 1;
            }
        }),
        _ => response.values.iter_mut().for_each(|value| value.certificate.value_id = Hash::of(b"another block")),
    }
    Response::ValueResponse(response)
}
