//! Clocks that are wrong, by seconds and by hours, and that jump while their node runs.

use std::time::{Duration, Instant};

use super::arena::{Arena, Fault};
use super::torture::{lasts, runs, under_load};

const HOUR_MS: i64 = 3_600_000;
const TURNS: Duration = Duration::from_secs(30);

/// How long a clock is wrong.
fn wrong() -> Duration {
    lasts(Duration::from_secs(4), Duration::from_secs(15))
}

/// How often a node refused a proposal of an agency for its time.
fn refused_times(arena: &Arena, node: usize, agency: &str) -> usize {
    let log = std::fs::read_to_string(arena.network.net.nodes[node].home.join("node.log")).unwrap();
    let is_refusal = |line: &&str| line.contains("proposal refused") && line.contains("the block's time") && line.contains(agency);
    log.lines().filter(is_refusal).count()
}

/// Waits for what comes within some turns of the proposers.
fn waits(arena: &Arena, what: &str, condition: impl Fn(&Arena) -> bool) {
    let since = Instant::now();
    while !condition(arena) {
        assert!(since.elapsed() < TURNS, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn one_wrong_clock_holds_nobody_up_and_its_times_are_refused() {
    runs("one wrong clock", |seed| {
        let mut arena = Arena::start(seed);
        let records = under_load(&mut arena, "clock", |arena| {
            std::thread::sleep(Duration::from_secs(2));
            // From +1 h to -1 h the clock jumps back two hours under way.
            for (node, offset_ms) in [(1, 5_000), (1, -5_000), (2, HOUR_MS), (2, -HOUR_MS)] {
                let before = refused_times(arena, 0, "agency-2");
                arena.work(&Fault::Clock(node, offset_ms));
                arena.check_clock(node);
                arena.goes_on_at(&[0, 1, 2, 3], "one clock is wrong");
                std::thread::sleep(wrong());
                arena.goes_on_at(&[0, 1, 2, 3], "one clock is wrong");
                if offset_ms == HOUR_MS {
                    waits(arena, "a refusal of a proposal of an hour ahead", |arena| refused_times(arena, 0, "agency-2") > before);
                }
                if offset_ms == -HOUR_MS {
                    // It is the one that thinks the others wrong.
                    let others = refused_times(arena, 2, "agency-");
                    waits(arena, "a refusal of others' times by the one that lags", |arena| refused_times(arena, 2, "agency-") > others);
                }
            }
            arena.heals_in_time("a clock wrong by an hour");
        });
        (records, arena.faults)
    });
}

#[test]
fn two_wrong_clocks_may_halt_the_network_and_break_nothing() {
    runs("two wrong clocks", |seed| {
        let mut arena = Arena::start(seed);
        let records = under_load(&mut arena, "clocks", |arena| {
            std::thread::sleep(Duration::from_secs(3));
            let refused = |arena: &Arena| (0..4).map(|node| refused_times(arena, node, "agency-")).sum::<usize>();
            for offset_ms in [HOUR_MS, -HOUR_MS] {
                let before = refused(arena);
                for node in [0, 3] {
                    arena.work(&Fault::Clock(node, offset_ms));
                }
                std::thread::sleep(wrong());
                assert!(refused(arena) > before, "void: two nodes are wrong by {offset_ms} ms and no time was refused");
                arena.heals_in_time("two clocks wrong by an hour");
                std::thread::sleep(Duration::from_secs(3));
            }
        });
        (records, arena.faults)
    });
}
