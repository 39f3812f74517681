//! Looking around: what life to tell, and whether catching up is stuck.

use std::time::Instant;

use super::{Driver, End, blocking};
use crate::consensus::clock;
use crate::consensus::engine::start::Standing;
use crate::health::Life;
use crate::limits::{ALONE_READY_AFTER, BEHIND_HEIGHTS_MAX, BEHIND_LONG, NEW_LEDGER_HEIGHTS, ROUND_STALLED, STUCK_AGAIN, STUCK_SAID};

/// What was seen so far.
pub struct Watch {
    started: Instant,
    /// The height last looked at, and since when this node is behind at it.
    height: u64,
    behind_since: Option<Instant>,
    has_warned: bool,
    /// When the newest round of the height that is being decided started; `None` while none is.
    pub round_since: Option<Instant>,
}

impl Watch {
    pub fn new() -> Self {
        Watch { started: clock::instant(), height: 0, behind_since: None, has_warned: false, round_since: None }
    }
}

impl Driver {
    /// Looks after what this validator may sign. One that does not know what it signed last asks the others how far they are:
    /// it cannot have voted above the second height after theirs, and votes again above that. One whose store is empty in a
    /// ledger that has gone on does not know either: its disk may have been lost.
    pub(super) async fn look_after_signer(&mut self) -> anyhow::Result<Option<End>> {
        let Some(signer) = self.shared.signer.clone() else {
            return Ok(None);
        };
        self.shared.level.look(&self.shared.heard, self.next.head.height);
        if signer.is_unknown() {
            if self.standing == Standing::Votes {
                return Ok(Some(End::Again("what it signed last is unknown")));
            }
            // A height without a second one above it is a lie, and not to be wrapped around.
            if let Some(above) = self.shared.heard.highest_of_quorum().and_then(|highest| highest.checked_add(2)) {
                tracing::warn!(above, "this validator does not know what it signed last, and votes above that height");
                blocking(move || signer.settle(above)).await??;
            }
            return Ok(None);
        }
        if self.may_have_lost_disk() && self.shared.heard.is_surely_beyond(NEW_LEDGER_HEIGHTS) {
            blocking(move || signer.forget()).await??;
            return Ok(Some(End::Again("the ledger went on without this validator")));
        }
        Ok(None)
    }

    /// Whether the store is empty in a ledger that has gone on, as somebody says, and what was signed before is not in question
    /// yet.
    pub(super) fn may_have_lost_disk(&self) -> bool {
        self.next.head.height == 0
            && self.shared.heard.reached().is_some_and(|reached| reached >= NEW_LEDGER_HEIGHTS)
            && self.shared.signer.as_ref().is_some_and(|signer| signer.height() < NEW_LEDGER_HEIGHTS)
    }

    /// Tells the node's life, and gives a reason to start the engine again, if there is one.
    pub(super) fn look_around(&mut self) -> Option<End> {
        let height = self.next.head.height;
        let reached = self.shared.heard.reached();
        let watch = &mut self.watch;
        let is_behind = reached.is_some_and(|reached| reached > height);
        if height != watch.height || !is_behind {
            (watch.height, watch.behind_since, watch.has_warned) = (height, None, false);
        }
        if is_behind {
            watch.behind_since.get_or_insert_with(clock::instant);
        }
        let behind_for = watch.behind_since.map(clock::since).unwrap_or_default();
        let life = self.shared.health.life();
        let next = match life {
            Life::Starting | Life::Syncing if height == 0 => is_behind.then_some(Life::Syncing),
            Life::Starting | Life::Syncing => {
                let has_looked = reached.is_some() || clock::since(self.watch.started) >= ALONE_READY_AFTER;
                let is_level = reached.is_none_or(|reached| reached <= height + 1);
                Some(if has_looked && is_level { Life::Ready } else { Life::Syncing })
            }
            Life::Ready if reached.is_some_and(|reached| reached > height + BEHIND_HEIGHTS_MAX) || behind_for > BEHIND_LONG => {
                Some(Life::Syncing)
            }
            Life::Ready | Life::LowSpace | Life::Corrupt => None,
        };
        if let Some(next) = next.filter(|next| *next != life) {
            tracing::info!(height, from = life.as_str(), to = next.as_str(), "life");
            self.shared.health.set_life(next);
        }
        let signed = self.shared.signer.as_ref().map(|signer| signer.height());
        if self.standing == Standing::Follows && signed.is_some_and(|signed| height >= signed) && self.shared.level.is_level() {
            return Some(End::Again("it is level, and the height signed last is decided"));
        }
        if behind_for > STUCK_SAID && !self.watch.has_warned {
            self.watch.has_warned = true;
            tracing::error!(height, ?reached, "behind the network and no new block for {STUCK_SAID:?}");
        }
        if self.is_round_stalled() {
            return Some(End::Again("a round stands still although enough validators are there"));
        }
        (behind_for > STUCK_AGAIN).then_some(End::Again("catching up is stuck"))
    }

    /// Whether a round lasts far longer than its timeouts while more than two thirds of the validators speak: their votes do
    /// not arrive. The engine's broadcast tells a peer of its subscriptions only on the first of several connections, so one
    /// that came back before its old connection was seen closed hears nothing until both connect anew.
    fn is_round_stalled(&self) -> bool {
        let timeouts = self.shared.propose_timeout * self.round.saturating_add(4);
        self.watch.round_since.is_some_and(|since| clock::since(since) > ROUND_STALLED + timeouts)
            && self.shared.heard.highest_of_quorum().is_some()
    }
}
