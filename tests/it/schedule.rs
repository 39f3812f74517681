//! Schedules of faults: data from a seed, printed, worked under load, and judged.
//!
//! The seed gives the same faults at the same times; how the threads and packets of a run fall between them, it does not.

use std::time::{Duration, Instant};

use super::arena::{Arena, Fault, NODES, between, both_ways, directions};
use super::links::Condition;
use super::torture::{Seeded, minutes, runs, under_load};

/// Episodes of one run: faults that come and go.
const EPISODES: usize = 6;
const EPISODES_LONG: usize = 25;
/// Every kind of episode.
const KINDS: u64 = 15;

/// A fault, and when it begins, from the start of the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub at: Duration,
    pub fault: Fault,
}

/// Episodes one after the other, each with its end before the next one begins.
pub fn schedule(random: &mut Seeded, episodes: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = Duration::from_secs(2);
    for _ in 0..episodes {
        for (fault, lasts_ms) in episode(random) {
            steps.push(Step { at, fault });
            at += Duration::from_millis(lasts_ms);
        }
        at += Duration::from_millis(500 + random.below(2_000));
    }
    steps
}

fn open() -> Fault {
    Fault::Links(Vec::new(), Condition::default())
}

/// The faults of one episode, each with how long it lasts, the last one its end.
fn episode(random: &mut Seeded) -> Vec<(Fault, u64)> {
    let mut order: Vec<usize> = (0..NODES).collect();
    for index in (1..NODES).rev() {
        order.swap(index, usize::try_from(random.below(u64::try_from(index).unwrap() + 1)).unwrap());
    }
    let (one, rest) = (order[0], &order[1..]);
    let lasts_ms = 500 + random.below(4_000);
    let silence = if random.below(2) == 0 { Condition::CUT } else { Condition::HELD };
    let links = |links: Vec<(usize, usize)>, condition: Condition| vec![(Fault::Links(links, condition), lasts_ms), (open(), 0)];
    let clock = |offset_ms: i64| vec![(Fault::Clock(one, offset_ms), lasts_ms), (Fault::Clock(one, 0), 0)];
    let all = || directions().collect::<Vec<_>>();
    match random.below(KINDS) {
        0 | 1 => vec![(Fault::Kill(vec![one]), random.below(2_000)), (Fault::Start(vec![one]), lasts_ms)],
        2 => vec![(Fault::Kill(order.clone()), 0), (Fault::Start(order), lasts_ms)],
        3 => vec![(Fault::Pause(vec![one]), lasts_ms), (Fault::Resume(vec![one]), 0)],
        4 => vec![(Fault::Pause(rest.to_vec()), lasts_ms), (Fault::Resume(rest.to_vec()), 0)],
        5 => links(between(&[&order[..2], &order[2..]]), silence),
        6 => links(between(&[&[one], rest]), silence),
        7 => links(directions().filter(|(from, _)| *from == one).collect(), Condition::HELD),
        8 => {
            let flap = || [(Fault::Links(between(&[&order[..2], &order[2..]]), silence), 700), (open(), 700)];
            (0..3).flat_map(|_| flap()).collect()
        }
        9 => links(both_ways(&[(one, order[1]), (one, order[2])]), silence),
        10 => links(both_ways(&[(one, order[1]), (order[2], order[3])]), silence),
        11 => {
            let (delay, jitter) = (Duration::from_millis(20 + random.below(150)), Duration::from_millis(random.below(100)));
            links(all(), Condition { delay, jitter, ..Condition::default() })
        }
        12 => {
            let of_one = directions().filter(|(from, to)| *from == one || *to == one).collect();
            links(of_one, Condition { bytes_per_s: Some(32_000), ..Condition::default() })
        }
        13 => links(all(), Condition { loss_percent: 1 + random.below(10), ..Condition::default() }),
        _ => {
            let ahead_ms = i64::try_from(random.below(2 * 3_600_000)).unwrap() - 3_600_000;
            clock(if random.below(2) == 0 { ahead_ms } else { ahead_ms / 600 })
        }
    }
}

/// Works a schedule; each fault asserts its effect.
fn work(arena: &mut Arena, steps: &[Step]) {
    let since = Instant::now();
    for Step { at, fault } in steps {
        std::thread::sleep(at.saturating_sub(since.elapsed()));
        println!("{:>6} ms {fault:?}", since.elapsed().as_millis());
        arena.work(fault);
    }
}

#[test]
fn faults_of_all_kinds_in_any_order_break_nothing() {
    let episodes = if minutes().is_some() { EPISODES_LONG } else { EPISODES };
    runs("random faults", |seed| {
        let steps = schedule(&mut Seeded::of(seed), episodes);
        steps.iter().for_each(|step| println!("{:>6} ms {:?}", step.at.as_millis(), step.fault));
        let mut arena = Arena::start(seed);
        let records = under_load(&mut arena, "random", |arena| {
            work(arena, &steps);
            arena.heals_in_time("the schedule");
            std::thread::sleep(Duration::from_secs(2));
        });
        (records, arena.faults)
    });
}

#[test]
fn a_seed_gives_its_schedule_again_and_all_kinds_come() {
    let of = |seed| schedule(&mut Seeded::of(seed), 100);
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
    let steps: Vec<_> = (0..5).flat_map(of).collect();
    let has = |kind: &dyn Fn(&Fault) -> bool| assert!(steps.iter().any(|step| kind(&step.fault)));
    has(&|fault| matches!(fault, Fault::Kill(nodes) if nodes.len() == 1));
    has(&|fault| matches!(fault, Fault::Kill(nodes) if nodes.len() == NODES));
    has(&|fault| matches!(fault, Fault::Pause(nodes) if nodes.len() == 3));
    has(&|fault| matches!(fault, Fault::Clock(_, offset_ms) if offset_ms.abs() > 600_000));
    has(&|fault| matches!(fault, Fault::Clock(_, offset_ms) if *offset_ms != 0 && offset_ms.abs() < 7_000));
    for condition in [Condition::CUT, Condition::HELD] {
        // Halves, one alone, a bridge and a ring.
        for count in [8, 6, 4] {
            has(&|fault| matches!(fault, Fault::Links(links, found) if links.len() == count && *found == condition));
        }
    }
    has(&|fault| matches!(fault, Fault::Links(links, found) if links.len() == 3 && *found == Condition::HELD));
    has(&|fault| matches!(fault, Fault::Links(_, found) if found.loss_percent > 0));
    has(&|fault| matches!(fault, Fault::Links(_, found) if found.bytes_per_s.is_some()));
    has(&|fault| matches!(fault, Fault::Links(_, found) if found.jitter > Duration::ZERO));
}
