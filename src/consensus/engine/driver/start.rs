//! `ConsensusReady`, `StartedRound` and the answer to `Finalized`: which height comes next, and what is known of it.

use std::collections::VecDeque;
use std::sync::Arc;

use malachite_app::Reply;
use malachite_app::app::engine::host::{HeightParams, Next};
use malachite_app::app::types::ProposedValue;
use malachite_app::app::types::core::Round;

use super::blocks::{Known, Proposed};
use super::{Driver, answer, blocking, execute};
use crate::consensus::engine::body::Body;
use crate::consensus::engine::context::{Height, Ledger};
use crate::consensus::engine::start::timeouts;
use crate::consensus::engine::undecided::Kept;

impl Driver {
    /// The engine is up: it starts at the height above the store's, with the bodies that the disk still has for it.
    pub(super) async fn consensus_ready(&mut self, reply: Reply<(Height, HeightParams<Ledger>)>) -> anyhow::Result<()> {
        let shared = Arc::clone(&self.shared);
        let head = Arc::clone(&self.next.head);
        let height = self.next.height;
        let found = blocking(move || -> std::io::Result<Vec<Known>> {
            let bodies = shared.undecided.lock().expect("no holder panics").bodies()?;
            let of_height = bodies.into_iter().filter(|kept| kept.height == height);
            // A body that does not execute was kept on top of another store: the engine will not ask for it.
            Ok(of_height.filter_map(|kept| known_again(kept, |body| execute::execute(&shared, &head, body).ok())).collect())
        })
        .await??;
        tracing::info!(height, undecided = found.len(), part = ?self.part, "consensus starts");
        for known in found {
            self.blocks.insert(known.executed.body.hash(), known);
        }
        answer(reply, (Height(height), self.params()));
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
            values = round.as_u32().map(|round| self.blocks.of_round(round)).unwrap_or_default();
            let (ripe, later): (VecDeque<_>, _) =
                self.later.drain(..).partition(|(_, proposal)| proposal.init.height.0 == self.next.height);
            self.later = later;
            for (_, proposal) in ripe {
                values.extend(self.judge(proposal).await?);
            }
        }
        answer(reply, values);
        Ok(())
    }

    /// Lets the engine go on to the next height.
    pub(super) fn start_next(&mut self, reply: Reply<Next<Ledger>>) {
        answer(reply, Next::Start(Height(self.next.height), self.params()));
    }

    fn params(&self) -> HeightParams<Ledger> {
        HeightParams::new(self.next.members.clone(), timeouts(self.shared.propose_timeout), None)
    }
}

fn known_again(kept: Kept, execute: impl FnOnce(Body) -> Option<execute::Executed>) -> Option<Known> {
    let executed = execute(Body::parse(kept.body.clone()).ok()?)?;
    let proposed = Proposed { height: kept.height, round: kept.round, valid_round: kept.valid_round, proposer: kept.proposer };
    Some(Known { proposed, executed: Arc::new(executed), bytes: kept.body })
}
