//! Deterministic simulation: the engine's state machine with our driver, pool, store and signer on four nodes, whose network,
//! clock, crashes and liars one seed moves (`SHARELOG_SEED` replays it).
//!
//! | file | what it is for |
//! | --- | --- |
//! | `plan` | what happens, drawn from the seed |
//! | `world` | the event loop: nodes, network, crashes |
//! | `evil` | nodes that lie |
//! | `judge` | what must hold |
//! | `trace` | what happened |

mod chance;
mod evil;
mod judge;
mod plan;
mod trace;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sharelog::consensus::engine::replica::Replica;

use self::plan::{Part, Plan};
use self::world::{Counts, World};

/// Seeds of an ordinary run.
const SEEDS: u64 = 100;
const THREADS: usize = 2;

struct Failure {
    why: String,
    end: String,
}

/// One run; its counts and the hash of its trace.
fn run(plan: Plan) -> Result<(Counts, sharelog::core::hash::Hash), Failure> {
    let mut world = World::new(plan);
    match world.run() {
        Ok(()) => Ok((world.counts, world.trace.hash())),
        Err(why) => Err(Failure { why, end: world.trace.end(200) }),
    }
}

/// Runs seeds from `first` on, on a few threads, until `is_over`; gives the counts of all, or panics with the first failure.
fn run_seeds(first: u64, is_over: impl Fn(u64) -> bool + Sync) -> Vec<(Plan, Counts)> {
    let (next, done) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if is_over(seed - first) {
                    return;
                }
                let plan = Plan::of(seed);
                match run(plan.clone()) {
                    Ok((counts, _)) => done.lock().unwrap().push((plan, counts)),
                    Err(failure) => {
                        next.store(u64::MAX / 2, Ordering::SeqCst);
                        panic!("SHARELOG_SEED={seed}: {}\n{plan:#?}\n{}", failure.why, failure.end);
                    }
                }
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    done.into_inner().unwrap()
}

/// Every fault of the plans took place somewhere, and the liars lied.
fn check_effects(done: &[(Plan, Counts)]) {
    let sum = |count: fn(&Counts) -> usize| done.iter().map(|(_, counts)| count(counts)).sum::<usize>();
    let total = Counts {
        crashes: sum(|counts| counts.crashes),
        torn: sum(|counts| counts.torn),
        lost: sum(|counts| counts.lost),
        cut: sum(|counts| counts.cut),
        sessions: sum(|counts| counts.sessions),
        lies: sum(|counts| counts.lies),
        proofs: sum(|counts| counts.proofs),
        blocks: done.iter().map(|(_, counts)| counts.blocks).sum(),
        votes: sum(|counts| counts.votes),
        events: sum(|counts| counts.events),
    };
    println!("{} runs: {total:?}", done.len());
    let effects = [total.crashes, total.torn, total.lost, total.cut, total.lies, total.proofs];
    assert!(effects.iter().all(|count| *count > 0), "a fault never took place: void: {total:?}");
}

/// `SHARELOG_SEED` runs that seed alone; `TORTURE_MINUTES` goes on with fresh seeds for so long.
#[test]
fn simulation_of_seeds() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let start = Instant::now();
    match (number("TORTURE_MINUTES"), number("SHARELOG_SEED")) {
        (Some(minutes), seed) => {
            let first = seed.unwrap_or(1 << 20);
            println!("SHARELOG_SEED={first} and those after it");
            let done = run_seeds(first, |_| start.elapsed() > Duration::from_secs(60 * minutes));
            check_effects(&done);
        }
        (None, Some(seed)) => {
            println!("SHARELOG_SEED={seed}");
            let done = run_seeds(seed, |count| count > 0);
            println!("{done:#?}");
        }
        (None, None) => {
            let done = run_seeds(1, |count| count >= SEEDS);
            check_effects(&done);
        }
    }
    println!("{:?}", start.elapsed());
}

#[test]
fn simulation_replays_a_seed() {
    for seed in [3, 11, 29] {
        let mut hashes = (0..2).map(|_| run(Plan::of(seed)).map_err(|failure| failure.why).unwrap().1);
        assert_eq!(hashes.next(), hashes.next(), "SHARELOG_SEED={seed} runs in two ways");
    }
}

/// A liar of each kind lies, is never believed, and is the only one accused; who signs twice is accused.
#[test]
fn simulation_accuses_the_guilty_alone() {
    for (part, leaves_proof) in [(Part::TwoVotes, true), (Part::TwoProposals, true), (Part::Twin, true), (Part::LyingSync, false)] {
        let mut total = Counts::default();
        for seed in 1..=6 {
            let plan = Plan::with_part(seed, part);
            let (counts, _) = run(plan).unwrap_or_else(|failure| panic!("{part:?}, seed {seed}: {}\n{}", failure.why, failure.end));
            total.lies += counts.lies;
            total.proofs += counts.proofs;
        }
        println!("{part:?}: {} lies, {} proofs", total.lies, total.proofs);
        assert!(part == Part::Twin || total.lies > 0, "{part:?} told no lie: void");
        assert_eq!(total.proofs > 0, leaves_proof, "{part:?}");
    }
}

/// More than a third lies: the ledger forks, the judge sees it, and the two certificates of one round name both liars and
/// nobody else.
#[test]
fn simulation_of_a_fork_names_its_makers() {
    let (mut forks, mut named) = (0, 0);
    for seed in 1..=12 {
        let mut world = World::new(Plan::fork(seed));
        let Err(why) = world.run() else {
            continue;
        };
        assert!(why.starts_with("FORK"), "seed {seed}: {why}\n{}", world.trace.end(60));
        forks += 1;
        let replicas = [0, 1].map(|node| world.nodes[node].replica.as_ref().expect("it is up"));
        let certificate = |replica: &Replica, height| replica.reader().certificate(height).unwrap();
        let differ = |height: &u64| {
            let [first, second] = replicas.map(|replica| certificate(replica, *height));
            first.zip(second).filter(|(first, second)| first.block != second.block)
        };
        let (first, second) = (1..100).find_map(|height| differ(&height)).expect("the height of the fork");
        let accused = judge::accuse(&world.genesis.origin, [&first, &second], replicas[0]);
        accused.iter().for_each(|proof| proof.check().unwrap());
        let agencies: Vec<_> = accused.iter().map(|proof| proof.agency.as_str()).collect();
        assert!(agencies.is_empty() || agencies == ["agency-2", "agency-3"], "seed {seed}: {agencies:?}");
        named += usize::from(!agencies.is_empty());
    }
    println!("{forks} forks, {named} of them in one round, with both makers named");
    assert!(forks > 0 && named > 0, "no fork in one round: void");
}

/// The simulation finds what it is there for: with a check switched off a seed fails, and with it on the same seed passes.
#[test]
fn simulation_sees_a_check_that_is_off() {
    let unguarded = |seed| Plan { switched_off: "unguarded", ..Plan::lost_logs(seed) };
    let any_time = |seed| Plan { switched_off: "any-time", ..Plan::with_part(seed, Part::Faulty("wrong-time")) };
    fails_without(unguarded, Plan::lost_logs, "signed two texts");
    fails_without(any_time, |seed| Plan::with_part(seed, Part::Faulty("wrong-time")), "lies ahead");
}

fn fails_without(off: impl Fn(u64) -> Plan, on: impl Fn(u64) -> Plan, why: &str) {
    let found = (1..=30).find_map(|seed| run(off(seed)).err().map(|failure| (seed, failure.why)));
    let (seed, found) = found.unwrap_or_else(|| panic!("no seed of 30 fails with '{why}'"));
    assert!(found.contains(why), "seed {seed}: {found}");
    println!("seed {seed}: {found}");
    run(on(seed)).unwrap_or_else(|failure| panic!("seed {seed} with the check: {}\n{}", failure.why, failure.end));
}
