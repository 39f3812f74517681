//! The effects of the engine's state machine, and what it asks of the application.

use std::fmt::Debug;

use futures::FutureExt as _;
use malachite_app::AppMsg;
use malachite_app::app::consensus::{ConsensusMsg, Effect, Error, MisbehaviorEvidence, Resumable as _, Resume};
use malachite_app::app::engine::host::SyncedValueOutcome;
use malachite_app::app::types::PeerId;
use malachite_app::app::types::core::{CommitCertificate, Round, Timeout, ValueOrigin, ValueResponse as SyncedValue, VoteExtensions};
use malachite_app::app::types::streaming::StreamMessage;
use malachite_signing::{Signer as _, VerifierExt as _};
use tokio::sync::oneshot;

use super::{Halt, Hull, Message, Wish, at_once};
use crate::consensus::engine::context::{Address, Height, Ledger, Part};
use crate::core::hash::Hash;

/// What the state machine asks of the application and does not wait for.
pub enum Ask {
    Value(Height, Round, Timeout),
    Restream(Height, Round, Round, Address, Hash),
    Part(PeerId, StreamMessage<Part>),
    Decided(CommitCertificate<Ledger>, VoteExtensions<Ledger>),
    Finalized(CommitCertificate<Ledger>, VoteExtensions<Ledger>, MisbehaviorEvidence<Ledger>),
    Synced(SyncedValue<Ledger>, Address),
}

/// What the state machine goes on with; an error makes it go on without.
type Resumed = Result<Resume<Ledger>, String>;

impl Hull {
    /// Does what an effect says.
    pub fn effect(&mut self, effect: Effect<Ledger>) -> Result<Resumed, Halt> {
        self.step()?;
        let checker = self.plan.checker.clone();
        Ok(Ok(match effect {
            Effect::CancelAllTimeouts(r) => {
                self.timers.clear();
                r.resume_with(())
            }
            Effect::CancelTimeout(timeout, r) => {
                self.timers.retain(|(set, _)| *set != timeout);
                r.resume_with(())
            }
            Effect::ScheduleTimeout(timeout, r) => {
                self.set_timer(timeout);
                r.resume_with(())
            }
            Effect::StartRound(height, round, proposer, role, r) => {
                self.flush();
                while let Some(ask) = self.asks.pop_front() {
                    self.answer(ask)?;
                }
                let values = self.answered(|reply_value| AppMsg::StartedRound { height, round, proposer, role, reply_value })?;
                values.into_iter().for_each(|value| self.propose(value, ValueOrigin::Consensus));
                r.resume_with(())
            }
            Effect::SignProposal(proposal, r) => match now(self.signer().sign_proposal(proposal)) {
                Ok(signed) => r.resume_with(signed),
                Err(error) => return Ok(Err(error.to_string())),
            },
            Effect::SignVote(vote, r) => match now(self.signer().sign_vote(vote)) {
                Ok(signed) => r.resume_with(signed),
                Err(error) => return Ok(Err(error.to_string())),
            },
            Effect::VerifySignature(message, key, r) => r.resume_with(match &message.message {
                ConsensusMsg::Vote(vote) => checker.is_signed_vote(vote, &message.signature, &key),
                ConsensusMsg::Proposal(proposal) => checker.is_signed_proposal(proposal, &message.signature, &key),
            }),
            Effect::VerifyCommitCertificate(certificate, set, thresholds, r) => {
                r.resume_with(now(checker.verify_commit_certificate(&Ledger, &certificate, &set, thresholds)))
            }
            Effect::VerifyPolkaCertificate(certificate, set, thresholds, r) => {
                r.resume_with(now(checker.verify_polka_certificate(&Ledger, &certificate, &set, thresholds)))
            }
            Effect::VerifyExtendedCommitCertificate(certificate, set, thresholds, policy, r) => {
                r.resume_with(now(checker.verify_extended_commit_certificate(&Ledger, &certificate, &set, thresholds, policy)))
            }
            Effect::VerifyRoundCertificate(certificate, set, thresholds, r) => {
                r.resume_with(now(checker.verify_round_certificate(&Ledger, &certificate, &set, thresholds)))
            }
            Effect::ExtendVote(_, _, _, _, r) => r.resume_with(None),
            Effect::VerifyVoteExtension(_, _, _, _, _, _, r) => {
                r.resume_with(Err(malachite_app::app::consensus::VoteExtensionError::InvalidVoteExtension))
            }
            Effect::PublishConsensusMsg(message, r) => {
                self.flush();
                self.wishes.push(Wish::Broadcast(Message::Consensus(message)));
                r.resume_with(())
            }
            Effect::PublishLivenessMsg(message, r) => {
                self.wishes.push(Wish::Broadcast(Message::Liveness(message)));
                r.resume_with(())
            }
            Effect::RepublishVote(vote, r) => {
                let message = malachite_app::app::consensus::LivenessMsg::Vote(vote);
                self.wishes.push(Wish::Broadcast(Message::Liveness(message)));
                r.resume_with(())
            }
            Effect::RepublishRoundCertificate(certificate, r) => {
                let message = malachite_app::app::consensus::LivenessMsg::SkipRoundCertificate(certificate);
                self.wishes.push(Wish::Broadcast(Message::Liveness(message)));
                r.resume_with(())
            }
            Effect::GetValue(height, round, timeout, r) => {
                self.asks.push_back(Ask::Value(height, round, timeout));
                r.resume_with(())
            }
            Effect::RestreamProposal(height, round, valid_round, proposer, block, r) => {
                self.asks.push_back(Ask::Restream(height, round, valid_round, proposer, block));
                r.resume_with(())
            }
            Effect::Decide(certificate, extensions, r) => {
                self.flush();
                self.asks.push_back(Ask::Decided(certificate, extensions));
                r.resume_with(())
            }
            Effect::Finalize(certificate, extensions, evidence, r) => {
                self.asks.push_back(Ask::Finalized(certificate, extensions, evidence));
                r.resume_with(())
            }
            Effect::CertVerifiedSyncValue(value, proposer, r) => {
                self.asks.push_back(Ask::Synced(value, proposer));
                r.resume_with(())
            }
            Effect::CertRejectedSyncValue(peer, _, error, r) => {
                if matches!(error, Error::InvalidCommitCertificate(..)) {
                    self.wishes.push(Wish::Blame(peer));
                }
                r.resume_with(())
            }
            Effect::WalAppend(height, entry, r) => {
                if !self.is_recovering && self.is_validator {
                    self.wal.append(height, entry);
                }
                r.resume_with(())
            }
        }))
    }

    /// Has the driver answer, and hands on what it says.
    pub fn answer(&mut self, ask: Ask) -> Result<(), Halt> {
        self.step()?;
        match ask {
            Ask::Value(height, round, timeout) => {
                let timeout = self.timeouts.duration_for(timeout);
                let (reply, value) = oneshot::channel();
                self.value = Some(value);
                at_once(self.driver()?.answer(AppMsg::GetValue { height, round, timeout, reply }))?;
            }
            Ask::Restream(height, round, valid_round, address, value_id) => {
                at_once(self.driver()?.answer(AppMsg::RestreamProposal { height, round, valid_round, address, value_id }))?;
            }
            Ask::Part(from, part) => {
                let message = |reply| AppMsg::ReceivedProposalPart { from, published_by: None, part, reply };
                if let Some(value) = self.answered(message)? {
                    self.propose(value, ValueOrigin::Consensus);
                }
            }
            Ask::Decided(certificate, extensions) => self.answered(|reply| AppMsg::Decided { certificate, extensions, reply })?,
            Ask::Finalized(certificate, extensions, evidence) => {
                let (reply, next) = oneshot::channel();
                self.next = Some(next);
                at_once(self.driver()?.answer(AppMsg::Finalized { certificate, extensions, evidence, reply }))?;
            }
            Ask::Synced(value, proposer) => self.answer_synced(value, proposer)?,
        }
        Ok(())
    }

    fn answer_synced(&mut self, value: SyncedValue<Ledger>, proposer: Address) -> Result<(), Halt> {
        let (height, round, block) = (value.certificate.height, value.certificate.round, value.certificate.value_id);
        let value_bytes = value.value_bytes;
        match self.answered(|reply| AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply })? {
            SyncedValueOutcome::Verdict(mut proposed) if proposed.value == block => {
                proposed.round = round;
                self.propose(proposed, ValueOrigin::Sync);
            }
            SyncedValueOutcome::Verdict(_) | SyncedValueOutcome::PeerFault => self.wishes.push(Wish::Blame(value.peer)),
            SyncedValueOutcome::LocalTransientError => {}
        }
        Ok(())
    }

    fn signer(&self) -> &crate::consensus::engine::signing::Signer {
        self.plan.signer.as_ref().expect("the state machine of a validator alone signs")
    }

    fn flush(&mut self) {
        if !self.is_recovering && self.is_validator {
            self.wal.flush();
        }
    }

    fn set_timer(&mut self, timeout: Timeout) {
        self.timers.retain(|(set, _)| *set != timeout);
        self.timers_set += 1;
        let number = (self.sessions << 32) + self.timers_set;
        self.timers.push((timeout, number));
        self.wishes.push(Wish::Timer(number, self.timeouts.duration_for(timeout)));
    }
}

/// The outcome of a signature or a check, which wait for nothing in a simulation.
fn now<T: Debug>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("signing and checking wait for nothing in a simulation")
}
