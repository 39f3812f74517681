//! Links that are slow, jittery, lossy or narrow: the network keeps to a stated floor, and loses nobody.
//!
//! The floors are those of a debug build on two cores that do other things too. What the delay itself costs: the engine's
//! broadcast opens a stream for each message, so that a step of consensus crosses a link three times, and a height about ten.

use std::time::{Duration, Instant};

use super::arena::{Arena, Fault, NODES, directions};
use super::links::Condition;
use super::torture::{lasts, runs, under_load_of};

/// A third of 256 kbit/s, for each of the three peers of a node behind such a line.
const NARROW_BYTES_PER_S: u64 = 32_000 / 3;

/// Records in flight for each agency: a slow network carries many at once.
const WRITERS: usize = 10;
/// What was lost is sent again after a time that doubled with each loss.
const HEALED: Duration = Duration::from_secs(30);

/// A condition of links and the floor that holds under it.
struct Case {
    name: &'static str,
    links: Vec<(usize, usize)>,
    condition: Condition,
    records_per_s_min: f64,
}

fn cases() -> Vec<Case> {
    let all = || directions().collect::<Vec<_>>();
    let ms = Duration::from_millis;
    vec![
        Case {
            name: "200 ms +- 100 ms",
            links: all(),
            condition: Condition { delay: ms(100), jitter: ms(200), ..Condition::default() },
            records_per_s_min: 1.0,
        },
        Case { name: "10 % loss", links: all(), condition: Condition { loss_percent: 10, ..Condition::default() }, records_per_s_min: 1.0 },
        Case { name: "30 % loss", links: all(), condition: Condition { loss_percent: 30, ..Condition::default() }, records_per_s_min: 0.5 },
        Case {
            name: "one peer behind 256 kbit/s",
            links: directions().filter(|(from, to)| *from == 3 || *to == 3).collect(),
            condition: Condition { bytes_per_s: Some(NARROW_BYTES_PER_S), ..Condition::default() },
            records_per_s_min: 2.0,
        },
    ]
}

/// The highest (height, size) of all nodes.
fn head(arena: &Arena) -> (u64, u64) {
    (0..NODES).map(|node| arena.network.net.head(node).unwrap()).max().unwrap()
}

fn carried(arena: &Arena) -> Vec<u64> {
    directions().map(|(from, to)| arena.links.carried(from, to)).collect()
}

#[test]
#[ignore = "its floors want a machine without other tests: scripts/torture slow_and_lossy"]
fn slow_and_lossy_links_keep_to_their_floor() {
    runs("slow and lossy links", |seed| {
        // A proposer may hear of the last block a third of a second after others, and its proposal takes as long again.
        let mut arena = Arena::start_with(seed, &[("SHARELOG_PROPOSE_TIMEOUT_MS", "2000")]);
        let records = under_load_of(WRITERS, &mut arena, "slow", |arena| {
            std::thread::sleep(Duration::from_secs(2));
            for Case { name, links, condition, records_per_s_min } in cases() {
                let (lost, bytes) = (arena.links.lost(), carried(arena));
                arena.work(&Fault::Links(links.clone(), condition));
                let (since, before) = (Instant::now(), head(arena));
                std::thread::sleep(lasts(Duration::from_secs(12), Duration::from_secs(20)));
                let (after, seconds) = (head(arena), since.elapsed().as_secs_f64());
                let heights = after.0 - before.0;
                let rate = f64::from(u32::try_from(after.1 - before.1 - heights).unwrap()) / seconds;
                let known = arena.network.net.head(0).unwrap().0;
                let again = (before.0 + 1..=known).filter(|height| arena.round(0, *height) > 0).count();
                println!(
                    "{name}: {rate:.1} records/s, {heights} heights in {seconds:.0} s, {again} of more than one round, {} chunks lost",
                    arena.links.lost() - lost
                );
                if condition.delay > Duration::ZERO {
                    // A proposal, a prevote and a precommit cross the link one after the other.
                    let fastest = 3.0 * condition.delay.as_secs_f64();
                    assert!(f64::from(u32::try_from(heights).unwrap()) * fastest < seconds + 1.0, "void: {heights} heights in {seconds} s");
                }
                assert!(condition.loss_percent == 0 || arena.links.lost() > lost + 20, "void: {} chunks lost", arena.links.lost() - lost);
                if let Some(rate) = condition.bytes_per_s {
                    let carried = carried(arena).into_iter().zip(bytes).zip(directions());
                    for ((after, before), link) in carried.filter(|(_, link)| links.contains(link)) {
                        let most = f64::from(u32::try_from(rate).unwrap()) * (seconds + 1.0) + 8_192.0;
                        assert!(f64::from(u32::try_from(after - before).unwrap()) < most, "void: {} bytes at {link:?}", after - before);
                    }
                }
                assert!(rate >= records_per_s_min, "{name}: {rate:.1} records/s, stated {records_per_s_min}");
                arena.heals_within(HEALED, name);
            }
        });
        (records, arena.faults)
    });
}
