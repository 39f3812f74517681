//! Networks in parts: none decides without more than two thirds, none forks, and a whole one decides again within 10 s.

use std::time::Duration;

use super::arena::{Arena, Fault, between, both_ways, directions};
use super::links::Condition;
use super::torture::{lasts, minutes, runs, under_load};

const FLAP: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(1);

/// A network whose connections are all dead has them anew, and decides, within this time.
const FORGOTTEN: Duration = Duration::from_secs(40);

/// How long the network is whole before the next one.
fn whole() -> Duration {
    lasts(Duration::from_secs(2), Duration::from_secs(10))
}

/// Its name, the links that fail, how, and the nodes that must go on.
type Partition = (&'static str, Vec<(usize, usize)>, Condition, &'static [usize]);

/// How long a partition lasts.
fn partition() -> Duration {
    lasts(Duration::from_secs(2), Duration::from_secs(6))
}

#[test]
fn halves_and_flapping_links_halt_and_heal() {
    runs("partitions without a majority", |seed| {
        let mut arena = Arena::start(seed);
        let records = under_load(&mut arena, "halves", |arena| {
            std::thread::sleep(PAUSE);
            for (name, condition) in [("2|2, connections end", Condition::CUT), ("2|2, silent", Condition::HELD)] {
                arena.work(&Fault::Links(between(&[&[0, 1], &[2, 3]]), condition));
                arena.halts_for(partition(), name);
                arena.heals_in_time(name);
                std::thread::sleep(whole());
            }
            // The halves change each time, so that no connection is older than a flap.
            for other in [1, 2, 3].into_iter().cycle().take(if minutes().is_some() { 15 } else { 3 }) {
                let rest: Vec<_> = (1..4).filter(|node| *node != other).collect();
                arena.work(&Fault::Links(between(&[&[0, other], &rest]), Condition::CUT));
                std::thread::sleep(FLAP);
                arena.work(&Fault::Links(Vec::new(), Condition::default()));
                std::thread::sleep(FLAP);
            }
            arena.heals_in_time("flapping every 2 s");
            std::thread::sleep(whole());
        });
        (records, arena.faults)
    });
}

#[test]
fn a_majority_goes_on_and_the_rest_comes_after() {
    runs("partitions with a majority", |seed| {
        let mut arena = Arena::start(seed);
        let records = under_load(&mut arena, "majority", |arena| {
            std::thread::sleep(PAUSE);
            let mute: Vec<_> = directions().filter(|(from, _)| *from == 0).collect();
            let deaf: Vec<_> = directions().filter(|(_, to)| *to == 1).collect();
            // Those must go on that are a clique of three. A ring has none, and nobody passes votes on: it may halt.
            let partitions: [Partition; 6] = [
                ("3|1, connections end", between(&[&[0, 1, 2], &[3]]), Condition::CUT, &[0, 1, 2]),
                ("3|1, silent", between(&[&[0, 1, 3], &[2]]), Condition::HELD, &[0, 1, 3]),
                ("one-way, node 0 is not heard", mute, Condition::HELD, &[1, 2, 3]),
                ("one-way, node 1 does not hear", deaf, Condition::HELD, &[0, 2, 3]),
                ("a bridge, node 2 alone sees node 3", both_ways(&[(0, 3), (1, 3)]), Condition::CUT, &[0, 1, 2, 3]),
                ("a ring", both_ways(&[(0, 2), (1, 3)]), Condition::CUT, &[]),
            ];
            for (name, links, condition, majority) in partitions {
                arena.work(&Fault::Links(links, condition));
                arena.goes_on_at(majority, name);
                std::thread::sleep(partition());
                arena.heals_in_time(name);
                std::thread::sleep(PAUSE);
            }
        });
        (records, arena.faults)
    });
}

/// A firewall between all nodes starts again and drops what it does not know: no connection is closed, none carries a byte. Both
/// swarms have to find that out and dial anew; TCP alone takes a quarter of an hour.
#[test]
fn connections_that_a_firewall_forgot_are_made_anew() {
    runs("forgotten connections", |seed| {
        let mut arena = Arena::start(seed);
        let records = under_load(&mut arena, "forgot", |arena| {
            std::thread::sleep(5 * PAUSE);
            arena.work(&Fault::Forget(directions().collect()));
            arena.heals_within(FORGOTTEN, "all connections forgotten");
            std::thread::sleep(partition() + 10 * PAUSE);
        });
        (records, arena.faults)
    });
}
