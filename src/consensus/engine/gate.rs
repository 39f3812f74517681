//! The idle gate: a height starts only when there is something to order.
//!
//! The engine starts the next height when the driver answers its `Finalized`; the gate holds that answer. It opens for a
//! pending record, for the heartbeat, and when others are ahead: a vote or proposal of the next height that verifies, or
//! statuses that tell of a higher block. Block 1 does not wait.

use malachite_app::Reply;
use malachite_app::app::engine::host::Next;

use super::context::Ledger;

/// What the gate looks at.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The newest committed height.
    pub height: u64,
    pub is_record_pending: bool,
    /// Milliseconds since the newest block's time, by the own clock.
    pub age_ms: u64,
    pub heartbeat_ms: u64,
    /// The height that the network has reached, as far as peers tell.
    pub reached: Option<u64>,
}

/// The held answer.
#[derive(Default)]
pub struct Gate {
    held: Option<Reply<Next<Ledger>>>,
    /// The highest height of a vote or proposal that verified.
    voted: u64,
}

impl Gate {
    pub fn hold(&mut self, reply: Reply<Next<Ledger>>) {
        self.held = Some(reply);
    }

    /// Notes a verified vote or proposal of `height`.
    pub fn note_vote(&mut self, height: u64) {
        self.voted = self.voted.max(height);
    }

    /// The highest height of which a vote verified.
    pub fn voted(&self) -> u64 {
        self.voted
    }

    /// The held answer, when it is time to give it.
    pub fn open(&mut self, view: &View) -> Option<Reply<Next<Ledger>>> {
        let is_open = view.height == 0
            || view.is_record_pending
            || view.age_ms >= view.heartbeat_ms
            || self.voted > view.height
            || view.reached.is_some_and(|reached| reached > view.height);
        if is_open { self.held.take() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_each_reason_and_for_no_other() {
        let idle = View { height: 5, is_record_pending: false, age_ms: 100, heartbeat_ms: 600_000, reached: Some(5) };
        let opens = |view: View, voted: u64| {
            let mut gate = Gate::default();
            gate.hold(tokio::sync::oneshot::channel().0);
            gate.note_vote(voted);
            gate.open(&view).is_some()
        };
        assert!(!opens(idle, 5));
        assert!(opens(idle, 6));
        assert!(opens(View { is_record_pending: true, ..idle }, 0));
        assert!(opens(View { age_ms: 600_000, ..idle }, 0));
        assert!(opens(View { reached: Some(6), ..idle }, 0));
        assert!(opens(View { height: 0, reached: None, ..idle }, 0));
    }
}
