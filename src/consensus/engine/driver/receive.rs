//! `ReceivedProposalPart`: putting a proposal together and judging it.
//!
//! 1. Parts are gathered per peer and stream.
//! 2. The proposal must name its round's proposer and carry that proposer's signature; others are dropped unanswered.
//! 3. The body is executed in full, unless it is known: what was found valid stays so.
//! 4. A fresh proposal (no valid round) must be built by its round's proposer, at a time near the own clock.
//! 5. A valid body is on disk before the engine hears of it.

use std::sync::Arc;

use malachite_app::app::types::core::Validity;
use malachite_app::app::types::streaming::StreamMessage;
use malachite_app::app::types::{PeerId, ProposedValue};

use super::blocks::{Known, Proposed};
use super::{Driver, blocking, execute};
use crate::consensus::clock::{Clock, now};
use crate::consensus::engine::body::Body;
use crate::consensus::engine::context::{Ledger, Part};
use crate::consensus::engine::streams::Assembled;
use crate::core::hash::Hash;
use crate::core::time::Time;
use crate::limits::{PROPOSAL_ROUNDS_AHEAD_MAX, PROPOSALS_LATER_MAX, PROPOSALS_LATER_PER_PEER_MAX};
use crate::log::certificate::parts_text;
use crate::log::entry::BlockEntry;

impl Driver {
    /// Takes a part; gives the proposal that it completes, judged.
    pub(super) async fn received_part(&mut self, peer: PeerId, part: StreamMessage<Part>) -> anyhow::Result<Option<ProposedValue<Ledger>>> {
        let Some(proposal) = self.streams.add(peer, part) else {
            return Ok(None);
        };
        if proposal.init.height.0 > self.next.height {
            self.keep_for_later(peer, proposal);
            return Ok(None);
        }
        self.judge(proposal).await
    }

    fn keep_for_later(&mut self, peer: PeerId, proposal: Assembled) {
        if self.later.iter().filter(|(owner, _)| *owner == peer).count() >= PROPOSALS_LATER_PER_PEER_MAX
            && let Some(oldest) = self.later.iter().position(|(owner, _)| *owner == peer)
        {
            self.later.remove(oldest);
        }
        if self.later.len() == PROPOSALS_LATER_MAX {
            self.later.pop_front();
        }
        self.later.push_back((peer, proposal));
    }

    /// Judges a whole proposal; `None` when it is not to be answered at all.
    pub(super) async fn judge(&mut self, proposal: Assembled) -> anyhow::Result<Option<ProposedValue<Ledger>>> {
        let Assembled { init, body: bytes, signature } = proposal;
        let proposed = Proposed { height: init.height.0, round: init.round, valid_round: init.valid_round, proposer: init.proposer };
        let turn = self.next.members.proposer(init.round);
        if proposed.height != self.next.height || init.proposer != turn.address || init.proposer == self.address {
            return Ok(None);
        }
        let (agency, key) = (turn.agency.clone(), turn.key);
        let origin = self.shared.genesis.origin.clone();
        let parsing = bytes.clone();
        let read = blocking(move || {
            let body = Body::parse(parsing).ok()?;
            let block = body.hash();
            let text = parts_text(&origin, proposed.height, proposed.round, proposed.valid_round, &block);
            key.verifies(text.as_bytes(), &signature).then_some((body, block))
        });
        let Some((body, block)) = read.await? else {
            tracing::warn!(
                height = proposed.height,
                round = proposed.round,
                proposer = agency,
                "proposal without its proposer's signature"
            );
            return Ok(None);
        };
        let judged = self.validity(proposed, block, body, bytes, &agency).await?;
        if judged == Some(Validity::Valid) {
            if proposed.valid_round.is_some() {
                self.shared.metrics.proposals_repeated.inc();
            }
            self.blocks.keep_signature(&proposed, block, signature);
        }
        Ok(judged.map(|validity| proposed.value(block, validity)))
    }

    async fn validity(
        &mut self,
        proposed: Proposed,
        block: Hash,
        body: Body,
        bytes: bytes::Bytes,
        agency: &str,
    ) -> anyhow::Result<Option<Validity>> {
        // Once valid, always: neither the clock nor another round takes it back.
        if self.blocks.is_kept(&block) {
            return Ok(Some(Validity::Valid));
        }
        let is_far = proposed.round > self.round.saturating_add(PROPOSAL_ROUNDS_AHEAD_MAX);
        if is_far || !self.blocks.may_execute(proposed.round) {
            self.shared.metrics.limits_reached.inc();
            tracing::warn!(
                height = proposed.height,
                round = proposed.round,
                proposer = agency,
                "proposal passed over: too many, or too far ahead"
            );
            return Ok(None);
        }
        let (shared, head) = (Arc::clone(&self.shared), Arc::clone(&self.next.head));
        let executed = match blocking(move || execute::execute(&shared, &head, body)).await? {
            Ok(executed) => executed,
            Err(fault) => return Ok(Some(self.refuse(&proposed, &block, agency, &fault.to_string()))),
        };
        if proposed.valid_round.is_none()
            && let Err(fault) = self.check_fresh(&executed.execution.entry, agency, now())
        {
            return Ok(Some(self.refuse(&proposed, &block, agency, &fault)));
        }
        self.keep(block, Known { proposed, executed: Arc::new(executed), bytes }).await?;
        Ok(Some(Validity::Valid))
    }

    /// What only a fresh proposal is held to: built by the round's proposer, at a time near the own clock.
    fn check_fresh(&self, entry: &BlockEntry, agency: &str, now: Time) -> Result<(), String> {
        if entry.proposer != agency {
            return Err(format!("a fresh block of {agency} was built by {}", entry.proposer));
        }
        #[cfg(feature = "test-faults")]
        if crate::consensus::faults::takes_any_time() {
            return Ok(());
        }
        let drift_ms = self.next.policy.block_drift_ms;
        if Clock::of(&self.next.policy) == Clock::Own && entry.time.unix_ms().abs_diff(now.unix_ms()) > drift_ms {
            return Err(format!("the block's time: found {}; expected at most {drift_ms} ms from this node's clock, {now}", entry.time));
        }
        Ok(())
    }

    fn refuse(&self, proposed: &Proposed, block: &Hash, agency: &str, reason: &str) -> Validity {
        self.shared.metrics.proposals_refused.inc();
        tracing::warn!(height = proposed.height, round = proposed.round, proposer = agency, %block, reason, "proposal refused");
        Validity::Invalid
    }
}
