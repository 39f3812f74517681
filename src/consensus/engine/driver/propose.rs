//! `GetValue` and `RestreamProposal`: building a block, and sending proposals as parts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use malachite_app::app::types::LocallyProposedValue;
use malachite_app::app::types::core::Round;
use malachite_app::app::types::streaming::StreamId;
use malachite_app::{NetworkMsg, Reply};

use super::blocks::{Known, Proposed};
use super::{Driver, blocking, execute, reply_with};
use crate::consensus::clock::{self, Clock};
use crate::consensus::engine::body::Body;
use crate::consensus::engine::context::{Address, Height, Init, Ledger};
use crate::consensus::engine::level::Stand;
use crate::consensus::engine::streams::{Assembled, parts};
use crate::consensus::engine::undecided::Kept;
use crate::core::hash::Hash;
use crate::limits::{LEVEL_LOOK, PROPOSER_WAIT_MAX};

/// A block that the engine waits for.
pub struct Asked {
    proposed: Proposed,
    /// When the wait ends.
    until: Instant,
    /// When it is worth to look again, unless a record comes before.
    pub again: Instant,
    reply: Reply<LocallyProposedValue<Ledger>>,
}

impl Driver {
    /// It is this node's turn: answers with a block whose body is on disk, and streams the body. The same round gets the same
    /// block. With nothing to say, and too early for a block without records, it waits for a record, and at last the round
    /// passes without an answer.
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
        let now = clock::instant();
        let until = now + (timeout * 3 / 4).min(PROPOSER_WAIT_MAX);
        let proposed = Proposed { height: height.0, round: turn, valid_round: None, proposer: self.address };
        self.asked = Some(Asked { proposed, until, again: now, reply });
        self.try_propose().await
    }

    /// Builds the block that the engine asked for, if it did and there is something to say.
    pub(in crate::consensus::engine) async fn try_propose(&mut self) -> anyhow::Result<()> {
        let Some(asked) = self.asked.take() else {
            return Ok(());
        };
        let now = clock::instant();
        if self.shared.level.look(&self.shared.heard, self.next.head.height) != Stand::Level {
            if now >= asked.until {
                tracing::info!(height = asked.proposed.height, "nothing is proposed: this validator is not level with the others yet");
                return Ok(());
            }
            self.asked = Some(Asked { again: asked.until.min(now + LEVEL_LOOK), ..asked });
            return Ok(());
        }
        let proposed = asked.proposed;
        let built = match self.blocks.built_for(proposed.round, &self.address) {
            Some(block) => Some(block),
            None => self.build(proposed).await?,
        };
        if let Some(block) = built {
            let value = LocallyProposedValue::new(Height(proposed.height), Round::new(proposed.round), block);
            reply_with(asked.reply, value);
            return self.send(proposed, block).await;
        }
        let now = clock::instant();
        if now >= asked.until {
            tracing::debug!(height = proposed.height, round = proposed.round, "nothing to propose");
            return Ok(());
        }
        self.asked = Some(Asked { again: asked.until.min(now + self.empty_block_in()), ..asked });
        Ok(())
    }

    /// How long it is until a block without records may stand on the head.
    fn empty_block_in(&self) -> Duration {
        let rested = clock::since(self.next.since);
        let empty_at = Clock::of(&self.next.policy).block_time(self.next.head.time, rested, std::iter::empty());
        let earliest = execute::earliest_empty(&self.next.head).unix_ms().saturating_sub(empty_at.unix_ms());
        Duration::from_millis(earliest.saturating_add(1))
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

    async fn build(&mut self, proposed: Proposed) -> anyhow::Result<Option<Hash>> {
        let (shared, head) = (Arc::clone(&self.shared), Arc::clone(&self.next.head));
        let (clock, rested) = (Clock::of(&self.next.policy), clock::since(self.next.since));
        let Some(executed) = blocking(move || execute::build(&shared, &head, clock, rested)).await? else {
            return Ok(None);
        };
        let block = executed.body.hash();
        let bytes = executed.body.to_bytes()?;
        self.keep(block, Known { proposed, executed: Arc::new(executed), bytes }).await?;
        Ok(Some(block))
    }

    /// Puts a body on disk and only then knows it.
    pub(super) async fn keep(&mut self, block: Hash, known: Known) -> anyhow::Result<()> {
        let Proposed { height, round, valid_round, proposer } = known.proposed;
        let kept = Kept { height, round, valid_round, proposer, body: known.bytes.clone() };
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.undecided.lock().expect("no holder panics").keep(&kept)).await?.context("keeping a proposed body")?;
        self.blocks.insert(block, known);
        Ok(())
    }

    /// A valid block of the next height, read back from disk when it is no longer in memory.
    pub(super) async fn known(&mut self, block: &Hash) -> anyhow::Result<Option<Known>> {
        if !self.blocks.is_kept(block) || self.blocks.known(block).is_some() {
            return Ok(self.blocks.known(block).cloned());
        }
        let found = self.read_kept().await?;
        for (hash, known) in found {
            if hash == *block {
                self.blocks.insert(hash, known.clone());
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    /// The bodies on disk for the next height, executed. One that does not execute was kept on top of another store, and the
    /// engine will not ask for it.
    pub(super) async fn read_kept(&self) -> anyhow::Result<Vec<(Hash, Known)>> {
        let (shared, head, height) = (Arc::clone(&self.shared), Arc::clone(&self.next.head), self.next.height);
        blocking(move || {
            let bodies = shared.undecided.lock().expect("no holder panics").bodies()?;
            let of_height = bodies.into_iter().filter(|kept| kept.height == height);
            Ok(of_height.filter_map(|kept| known_again(kept, |body| execute::execute(&shared, &head, body).ok())).collect())
        })
        .await?
    }

    /// Streams a proposal to the validators.
    async fn send(&mut self, proposed: Proposed, block: Hash) -> anyhow::Result<()> {
        let Some(known) = self.known(&block).await? else {
            return Ok(());
        };
        let Proposed { height, round, valid_round, proposer } = proposed;
        let own = self.shared.signer.as_ref().filter(|_| proposer == self.address);
        let signature = if let Some(signer) = own {
            signer.sign_parts(height, round, valid_round, &block)
        } else if let Some(signature) = self.blocks.signature(&proposed, block) {
            signature
        } else {
            return Ok(());
        };
        let init = Init { height: Height(height), round, valid_round, proposer };
        let proposal = Assembled { init, body: known.bytes, signature };
        self.stream.1 += 1;
        let id = [&self.stream.0[..], &self.stream.1.to_be_bytes()[..]].concat();
        for message in parts(&StreamId::new(id.into()), &proposal) {
            let sent = self.outlets.parts.send(NetworkMsg::PublishProposalPart(message)).await;
            sent.map_err(|_| anyhow::anyhow!("the engine's network ended"))?;
        }
        Ok(())
    }
}

fn known_again(kept: Kept, execute: impl FnOnce(Body) -> Option<execute::Executed>) -> Option<(Hash, Known)> {
    let executed = execute(Body::parse(kept.body.clone()).ok()?)?;
    let proposed = Proposed { height: kept.height, round: kept.round, valid_round: kept.valid_round, proposer: kept.proposer };
    Some((executed.body.hash(), Known { proposed, executed: Arc::new(executed), bytes: kept.body }))
}
