//! The engine's evidence of double votes and proposals, as proofs in the ledger's own texts.

use std::sync::Arc;

use malachite_app::app::consensus::MisbehaviorEvidence;
use malachite_app::app::types::core::{NilOrVal, SignedProposal, SignedVote, VoteType};

use super::{Driver, blocking};
use crate::consensus::engine::context::{Ledger, Members};
use crate::core::hash::Hash;
use crate::log::misbehaviour::{Misbehaviour, Place, Said, Statement};

impl Driver {
    /// Keeps what the validators of the height just decided are accused of; each proof is checked again first.
    pub(super) async fn accuse(&self, evidence: &MisbehaviorEvidence<Ledger>) -> anyhow::Result<()> {
        let Some(members) = &self.decided else {
            return Ok(());
        };
        let origin = &self.shared.genesis.origin;
        let votes = evidence.votes.iter().flat_map(|(_, pairs)| pairs).filter_map(|pair| of_votes(origin, members, pair));
        let proposals = evidence.proposals.iter().flat_map(|(_, pairs)| pairs).filter_map(|pair| of_proposals(origin, members, pair));
        let proofs: Vec<_> = votes.chain(proposals).collect();
        if proofs.is_empty() {
            return Ok(());
        }
        let kept = Arc::clone(&self.shared.misbehaviours);
        blocking(move || proofs.into_iter().try_for_each(|proof| kept.keep(proof))).await?
    }
}

fn of_votes(origin: &str, members: &Members, (first, second): &(SignedVote<Ledger>, SignedVote<Ledger>)) -> Option<Misbehaviour> {
    let member = members.by_address(&first.message.voter)?;
    let (height, round) = (first.message.height.0, first.message.round.as_u32()?);
    let place = match first.message.step {
        VoteType::Prevote => Place::Prevote { height, round },
        VoteType::Precommit => Place::Precommit { height, round },
    };
    let block = |block: &NilOrVal<Hash>| match block {
        NilOrVal::Nil => None,
        NilOrVal::Val(hash) => Some(*hash),
    };
    let pair = [first, second].map(|vote| Statement { said: Said::Vote { block: block(&vote.message.block) }, signature: vote.signature });
    Misbehaviour::of(&member.agency, member.key, origin, place, pair).ok()
}

fn of_proposals(
    origin: &str,
    members: &Members,
    (first, second): &(SignedProposal<Ledger>, SignedProposal<Ledger>),
) -> Option<Misbehaviour> {
    let member = members.by_address(&first.message.proposer)?;
    let place = Place::Proposal { height: first.message.height.0, round: first.message.round.as_u32()? };
    let pair = [first, second].map(|proposal| Statement {
        said: Said::Proposal { block: proposal.message.block, valid_round: proposal.message.valid_round.as_u32() },
        signature: proposal.signature,
    });
    Misbehaviour::of(&member.agency, member.key, origin, place, pair).ok()
}
