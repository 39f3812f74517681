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

#[cfg(test)]
mod tests {
    use malachite_app::app::types::core::{Round, SignedMessage};

    use super::*;
    use crate::consensus::engine::context::{Address, Height, Proposal, Vote};
    use crate::consensus::engine::signing::{text_of_proposal, text_of_vote};
    use crate::core::key::SecretKey;
    use crate::core::validators::{Member, ValidatorSet};

    const ORIGIN: &str = "l.example/0123456789abcdef";

    fn secret(number: u8) -> SecretKey {
        SecretKey::from_seed(&[number; 32])
    }

    fn members() -> Members {
        let member = |index: u8| Member {
            agency: format!("agency-{index}"),
            consensus: secret(index).public(),
            cosigner: secret(index + 10).public(),
            power: 1,
        };
        Members::new(&ValidatorSet::new((0..4).map(member).collect()).unwrap(), vec![0, 1, 2, 3])
    }

    fn vote(by: u8, block: NilOrVal<Hash>) -> SignedVote<Ledger> {
        let voter = Address::from(&secret(by).public());
        let vote = Vote { step: VoteType::Prevote, height: Height(5), round: Round::new(2), block, voter };
        let signature = secret(by).sign(text_of_vote(ORIGIN, &vote).unwrap().as_bytes());
        SignedMessage::new(vote, signature)
    }

    #[test]
    fn two_votes_and_two_proposals_become_proofs_against_their_validator() {
        let members = members();
        let proof = of_votes(ORIGIN, &members, &(vote(2, NilOrVal::Nil), vote(2, NilOrVal::Val(Hash::of(b"x"))))).unwrap();
        assert_eq!((proof.agency.as_str(), &proof.place), ("agency-2", &Place::Prevote { height: 5, round: 2 }));
        assert_eq!(proof.check(), Ok(()));
        let proposal = |block: &[u8]| {
            let proposer = Address::from(&secret(1).public());
            let proposal = Proposal { height: Height(5), round: Round::new(0), block: Hash::of(block), valid_round: Round::Nil, proposer };
            let signature = secret(1).sign(text_of_proposal(ORIGIN, &proposal).unwrap().as_bytes());
            SignedMessage::new(proposal, signature)
        };
        let proof = of_proposals(ORIGIN, &members, &(proposal(b"a"), proposal(b"b"))).unwrap();
        assert_eq!((proof.agency.as_str(), proof.place.kind()), ("agency-1", "proposal"));
    }

    #[test]
    fn nobody_is_accused_by_one_vote_a_forged_one_or_a_strangers() {
        let members = members();
        let honest = vote(2, NilOrVal::Nil);
        assert_eq!(of_votes(ORIGIN, &members, &(honest.clone(), honest.clone())), None);
        let mut forged = vote(3, NilOrVal::Val(Hash::of(b"x")));
        forged.message.voter = Address::from(&secret(2).public());
        assert_eq!(of_votes(ORIGIN, &members, &(honest, forged)), None);
        assert_eq!(of_votes(ORIGIN, &members, &(vote(9, NilOrVal::Nil), vote(9, NilOrVal::Val(Hash::of(b"x"))))), None);
    }
}
