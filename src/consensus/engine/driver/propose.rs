//! `GetValue` and `RestreamProposal`: building a block, and sending proposals as parts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use malachite_app::app::types::LocallyProposedValue;
use malachite_app::app::types::core::Round;
use malachite_app::app::types::streaming::StreamId;
use malachite_app::{NetworkMsg, Reply};

use super::blocks::{Known, Proposed};
use super::{Driver, answer, blocking, execute, now};
use crate::consensus::engine::context::{Address, Height, Init, Ledger};
use crate::consensus::engine::streams::{Assembled, parts};
use crate::consensus::engine::undecided::Kept;
use crate::core::hash::Hash;
use crate::limits::PROPOSER_WAIT_MAX;

impl Driver {
    /// It is this node's turn: answers with a block whose body is on disk, and streams the body. The same round gets the same
    /// block. With nothing to say, and too early for a block without records, there is no answer and the round passes.
    pub(super) async fn get_value(
        &mut self,
        height: Height,
        round: Round,
        timeout: Duration,
        reply: Reply<LocallyProposedValue<Ledger>>,
    ) -> anyhow::Result<()> {
        let Some(turn) = round.as_u32().filter(|_| height.0 == self.next.height) else {
            tracing::warn!(%height, %round, "a block was asked for of another height than the next");
            return Ok(());
        };
        let proposed = Proposed { height: height.0, round: turn, valid_round: None, proposer: self.address };
        let block = match self.blocks.built_for(turn, &self.address) {
            Some(block) => block,
            None => match self.build(proposed, timeout).await? {
                Some(block) => block,
                None => return Ok(()),
            },
        };
        answer(reply, LocallyProposedValue::new(height, round, block));
        self.send(proposed, block).await
    }

    /// Sends a proposal again: an own one signed for its valid round, another's under the signature that came with it.
    pub(super) async fn restream(
        &mut self,
        height: Height,
        round: Round,
        valid_round: Round,
        proposer: Address,
        block: Hash,
    ) -> anyhow::Result<()> {
        let Some(round) = round.as_u32().filter(|_| height.0 == self.next.height) else {
            return Ok(());
        };
        let proposed = Proposed { height: height.0, round, valid_round: valid_round.as_u32(), proposer };
        self.send(proposed, block).await
    }

    async fn build(&mut self, proposed: Proposed, timeout: Duration) -> anyhow::Result<Option<Hash>> {
        let until = Instant::now() + (timeout * 3 / 4).min(PROPOSER_WAIT_MAX);
        let mut arrivals = self.shared.pool.arrivals();
        let executed = loop {
            let (shared, head) = (Arc::clone(&self.shared), Arc::clone(&self.next.head));
            let time = now().max(head.time.plus_ms(1));
            if let Some(executed) = blocking(move || execute::build(&shared, &head, time)).await? {
                break executed;
            }
            let earliest = execute::earliest_empty(&self.next.head).unix_ms().saturating_sub(now().unix_ms());
            let wait = until.saturating_duration_since(Instant::now()).min(Duration::from_millis(earliest + 1));
            if wait.is_zero() {
                tracing::debug!(height = proposed.height, round = proposed.round, "nothing to propose");
                return Ok(None);
            }
            // Either a record came or the time is over: the next look tells.
            let _ = tokio::time::timeout(wait, arrivals.changed()).await;
        };
        let block = executed.body.hash();
        let bytes = executed.body.to_bytes()?;
        let known = Known { proposed, executed: Arc::new(executed), bytes };
        Ok(self.keep(block, known).await?.then_some(block))
    }

    /// Puts a body on disk and only then knows it; false when the height has too many.
    pub(super) async fn keep(&mut self, block: Hash, known: Known) -> anyhow::Result<bool> {
        let Proposed { height, round, valid_round, proposer } = known.proposed;
        let kept = Kept { height, round, valid_round, proposer, body: known.bytes.clone() };
        let shared = Arc::clone(&self.shared);
        let is_kept = blocking(move || shared.undecided.lock().expect("no holder panics").keep(&kept)).await??;
        if is_kept {
            self.blocks.insert(block, known);
        } else {
            tracing::warn!(height, round, %block, "too many proposals of one height: this one is passed over");
            self.shared.metrics.limits_reached.inc();
        }
        Ok(is_kept)
    }

    /// Streams a proposal to the validators.
    async fn send(&mut self, proposed: Proposed, block: Hash) -> anyhow::Result<()> {
        let Some(known) = self.blocks.get(&block) else {
            return Ok(());
        };
        let Proposed { height, round, valid_round, proposer } = proposed;
        let signature = if proposer == self.address {
            self.shared.signer.sign_parts(height, round, valid_round, &block)
        } else if let Some(signature) = self.blocks.signature(&proposed, block) {
            signature
        } else {
            return Ok(());
        };
        let init = Init { height: Height(height), round, valid_round, proposer };
        let proposal = Assembled { init, body: known.bytes.clone(), signature };
        self.stream.1 += 1;
        let id = [&self.stream.0[..], &self.stream.1.to_be_bytes()[..]].concat();
        for message in parts(&StreamId::new(id.into()), &proposal) {
            let sent = self.session.channels.network.send(NetworkMsg::PublishProposalPart(message)).await;
            sent.map_err(|_| anyhow::anyhow!("the engine's network ended"))?;
        }
        Ok(())
    }
}
