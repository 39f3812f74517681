//! `ConsensusReady`, `StartedRound` and the answer to `Finalized`: which height comes next, and what is known of it.

use std::collections::VecDeque;

use malachite_app::Reply;
use malachite_app::app::engine::host::{HeightParams, Next};
use malachite_app::app::types::ProposedValue;
use malachite_app::app::types::core::Round;

use super::{Driver, reply_with};
use crate::consensus::clock;
use crate::consensus::engine::context::{Height, Ledger};
use crate::consensus::engine::start::timeouts;
use crate::limits::LEVEL_WAIT;

impl Driver {
    /// The engine is up: it starts at the height above the store's, with the bodies that the disk still has for it.
    pub(super) async fn consensus_ready(&mut self, reply: Reply<(Height, HeightParams<Ledger>)>) -> anyhow::Result<()> {
        let found = self.read_kept().await?;
        let height = self.next.height;
        tracing::info!(height, undecided = found.len(), standing = ?self.standing, "consensus starts");
        for (block, known) in found {
            self.blocks.insert(block, known);
        }
        reply_with(reply, (Height(height), self.params()));
        Ok(())
    }

    /// A round started: the engine hears again of the blocks that were proposed in it, and first of those that came before
    /// this node had reached the height.
    pub(super) async fn started_round(
        &mut self,
        height: Height,
        round: Round,
        reply: Reply<Vec<ProposedValue<Ledger>>>,
    ) -> anyhow::Result<()> {
        let mut values = Vec::new();
        if height.0 == self.next.height {
            self.round = round.as_u32().unwrap_or(0);
            self.asked = None;
            self.watch.round_since = Some(clock::instant());
            values = round.as_u32().map(|round| self.blocks.of_round(round)).unwrap_or_default();
            let (ripe, later): (VecDeque<_>, _) =
                self.later.drain(..).partition(|(_, proposal)| proposal.init.height.0 == self.next.height);
            self.later = later;
            for (_, proposal) in ripe {
                values.extend(self.judge(proposal).await?);
            }
        }
        reply_with(reply, values);
        Ok(())
    }

    /// Lets the engine go on to the next height.
    pub(super) fn start_next(&mut self, reply: Reply<Next<Ledger>>) {
        reply_with(reply, Next::Start(Height(self.next.height), self.params()));
    }

    fn params(&self) -> HeightParams<Ledger> {
        // Before it is level it may sign nothing: rounds go by slowly, so that the decided blocks can come first.
        let configured = self.shared.propose_timeout;
        let propose = if self.shared.level.is_level() { configured } else { configured.max(LEVEL_WAIT) };
        HeightParams::new(self.next.members.clone(), timeouts(propose), None)
    }
}
