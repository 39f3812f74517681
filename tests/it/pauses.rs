//! Processes that stand still or are gone, as many as may be and more: a halt is no fork, and ends with its cause.

use std::time::{Duration, Instant};

use sharelog::node::local::LocalNetwork;

use super::arena::{Arena, Fault, NODES};
use super::torture::{runs, under_load};

const PROPOSER_STOPPED: Duration = Duration::from_secs(10);
const HALT: Duration = Duration::from_secs(2);

#[test]
fn a_stopped_proposer_is_passed_over_and_a_network_that_stood_still_goes_on() {
    runs("pauses", |seed| {
        let mut arena = Arena::start(seed);
        let records = under_load(&mut arena, "pause", |arena| {
            let grown = |net: &mut LocalNetwork| net.head(0).is_ok_and(|head| head.0 > 4);
            arena.net().wait_until("some heights", Duration::from_secs(60), grown).unwrap();
            // Whoever proposed four heights ago is next in turn, or soon.
            let before = arena.height();
            let proposer = arena.proposer(before - 3);
            let others: Vec<_> = (0..NODES).filter(|node| *node != proposer).collect();
            arena.work(&Fault::Pause(vec![proposer]));
            let since = Instant::now();
            arena.goes_on_at(&others, "a proposer is stopped");
            std::thread::sleep(PROPOSER_STOPPED.saturating_sub(since.elapsed()));
            let passed_over = (before + 1..=arena.height()).any(|height| arena.round(others[0], height) > 0);
            assert!(passed_over, "void: no height needed a second round");
            arena.heals_in_time("a proposer stopped for 10 s");
            std::thread::sleep(Duration::from_secs(2));
            arena.work(&Fault::Pause(vec![0, 1, 3]));
            arena.halts_for(HALT, "all but one stand still");
            arena.heals_in_time("all but one stopped");
            std::thread::sleep(Duration::from_secs(2));
        });
        (records, arena.faults)
    });
}

#[test]
fn without_two_of_four_nothing_is_acknowledged_until_they_return() {
    runs("two of four down", |seed| {
        let mut arena = Arena::start(seed);
        let records = under_load(&mut arena, "two", |arena| {
            std::thread::sleep(Duration::from_secs(3));
            for pair in [[1, 2], [0, 3]] {
                arena.work(&Fault::Kill(pair.to_vec()));
                arena.halts_for(HALT, "two of four are down");
                arena.heals_in_time("two of four down");
                std::thread::sleep(Duration::from_secs(3));
            }
        });
        (records, arena.faults)
    });
}
