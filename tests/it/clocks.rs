//! Clocks that are wrong, by seconds and by hours, and that jump while their node runs.

use std::time::Duration;

use super::arena::{Arena, Fault};
use super::torture::{runs, under_load};

const WRONG: Duration = Duration::from_secs(5);
const HOUR_MS: i64 = 3_600_000;

/// The lines of a node's log that refuse a proposal for its time: (the agency that proposed, how many).
fn refused_times(arena: &Arena, node: usize, agency: &str) -> usize {
    let log = std::fs::read_to_string(arena.network.net.nodes[node].home.join("node.log")).unwrap();
    let is_refusal = |line: &&str| line.contains("proposal refused") && line.contains("the block's time") && line.contains(agency);
    log.lines().filter(is_refusal).count()
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
                std::thread::sleep(WRONG);
                arena.goes_on_at(&[0, 1, 2, 3], "one clock is wrong");
                if offset_ms == HOUR_MS {
                    assert!(refused_times(arena, 0, "agency-2") > before, "no proposal of an hour ahead was refused");
                }
                if offset_ms == -HOUR_MS {
                    // It is the one that thinks the others wrong.
                    assert!(refused_times(arena, 2, "agency-0") > 0, "void: the clock of node 2 does not lag");
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
            for offset_ms in [HOUR_MS, -HOUR_MS] {
                for node in [0, 3] {
                    arena.work(&Fault::Clock(node, offset_ms));
                }
                std::thread::sleep(WRONG);
                for (node, agency) in [(0, "agency-1"), (3, "agency-1"), (1, "agency-0")] {
                    let refused = refused_times(arena, node, agency);
                    assert!(refused > 0 || offset_ms < 0, "void: node {node} refused no time of {agency}");
                }
                arena.heals_in_time("two clocks wrong by an hour");
                std::thread::sleep(Duration::from_secs(3));
            }
        });
        (records, arena.faults)
    });
}
