//! The clock that blocks are timed by: the node's own, or, where the policy says `test_clock`, that of the records.
//!
//! In a network with a test clock a block's time is the newest claim of its records, and between records time goes on at
//! the speed of the node's clock. So a network on one machine lives through months in a minute, and every node agrees,
//! since the times are in the records. Nobody checks such times against a clock; a production policy never says
//! `test_clock`, and a ledger keeps what its genesis says.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::core::policy::Policy;
use crate::core::time::Time;

/// What a ledger's blocks are timed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// This node's clock.
    Own,
    /// The claimed times of the records.
    Records,
}

impl Clock {
    pub fn of(policy: &Policy) -> Self {
        if policy.test_clock { Clock::Records } else { Clock::Own }
    }

    /// The time of a block on one of time `head`, whose records make these claims; `rested`: since that one came.
    pub fn block_time(self, head: Time, rested: Duration, claims: impl Iterator<Item = Time>) -> Time {
        let time = match self {
            Clock::Own => now(),
            Clock::Records => claims.max().unwrap_or_else(|| head.plus_ms(ms(rested))),
        };
        time.max(head.plus_ms(1))
    }

    /// How old a block of time `head` is that came `rested` ago, in milliseconds.
    pub fn age_ms(self, head: Time, rested: Duration) -> u64 {
        match self {
            Clock::Own => now().unix_ms().saturating_sub(head.unix_ms()),
            Clock::Records => ms(rested),
        }
    }
}

/// This node's clock; one beyond year 9999 stands still.
pub fn now() -> Time {
    #[cfg(feature = "test-faults")]
    if let Some((time, _)) = simulated::moment() {
        return time;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since_ms = ms(since);
    #[cfg(feature = "test-faults")]
    let since_ms = crate::consensus::faults::alter_clock(since_ms);
    Time::from_unix_ms(0).expect("the first moment").plus_ms(since_ms)
}

/// This node's steady clock: for how long something lasted, whatever the other clock did meanwhile.
pub fn instant() -> Instant {
    #[cfg(feature = "test-faults")]
    if let Some((_, instant)) = simulated::moment() {
        return instant;
    }
    Instant::now()
}

/// How long ago `instant` was.
pub fn since(instant: Instant) -> Duration {
    self::instant().saturating_duration_since(instant)
}

/// The clocks of the thread that runs a simulation: they stand still between two settings.
#[cfg(feature = "test-faults")]
pub mod simulated {
    use std::cell::Cell;
    use std::sync::LazyLock;
    use std::time::{Duration, Instant};

    use crate::core::time::Time;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    thread_local! {
        static MOMENT: Cell<Option<(Time, Instant)>> = const { Cell::new(None) };
    }

    /// From now on this thread's clock says `time`, and its steady clock `elapsed` since the simulation's start.
    pub fn set(time: Time, elapsed: Duration) {
        MOMENT.set(Some((time, *START + elapsed)));
    }

    /// Whether this thread runs a simulation.
    pub fn is_on() -> bool {
        MOMENT.get().is_some()
    }

    pub(super) fn moment() -> Option<(Time, Instant)> {
        MOMENT.get()
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_move_a_test_clock_and_nothing_else_does_by_leaps() {
        let time = |text: &str| Time::parse(text).unwrap();
        let head = time("2025-09-01T00:00:00.000Z");
        let claims = [time("2025-10-09T00:00:00.000Z"), time("2025-08-01T00:00:00.000Z")];
        let rested = Duration::from_secs(3);
        assert_eq!(Clock::Records.block_time(head, rested, claims.into_iter()), claims[0]);
        assert_eq!(Clock::Records.block_time(head, rested, claims[1..].iter().copied()), head.plus_ms(1));
        assert_eq!(Clock::Records.block_time(head, rested, std::iter::empty()), head.plus_ms(3_000));
        assert_eq!(Clock::Records.age_ms(head, rested), 3_000);
        assert!(Clock::Own.block_time(head, rested, claims.into_iter()) > claims[0]);
    }
}
