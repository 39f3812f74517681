//! Runs of the cluster tests: their seeds, the load around a fault, and what `scripts/torture` wants to know of each.
//!
//! `SHARELOG_SEED` chooses the seed. With `TORTURE_MINUTES` a scenario runs again and again for so long, each time with a new
//! network and the next seed; with `TORTURE_REPORT` each run leaves a row in that file.

use std::fs::File;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use super::judge::{Watcher, judge_whole};
use super::network::{Load, TestNetwork, check_load, committed_records};

pub const SETTLE: Duration = Duration::from_secs(120);
const REPORT_HEAD: &str = "| scenario | seed | seconds | records committed | faults | result |\n| --- | --- | --- | --- | --- | --- |\n";

/// Records in flight at once for each agency: enough that a run with halts still shows something.
const WRITERS: usize = 8;

/// xorshift64*: a schedule that a printed seed replays.
#[derive(Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// Seeds next to each other give rows that have nothing in common.
    pub fn of(seed: u64) -> Self {
        Seeded(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }

    pub fn bytes(&mut self, count: u64) -> Vec<u8> {
        (0..count).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: expected a number")))
}

/// How long `scripts/torture` wants a scenario to run.
pub fn minutes() -> Option<Duration> {
    variable("TORTURE_MINUTES").map(|minutes| Duration::from_secs(minutes * 60))
}

/// A time of a scenario: in the suite, where all have to end soon, and in a long run.
pub fn lasts(suite: Duration, long: Duration) -> Duration {
    if minutes().is_some() { long } else { suite }
}

/// Runs a scenario, which gives how many records were committed and how many faults worked: once, or for the time asked for.
pub fn runs(name: &str, mut run: impl FnMut(u64) -> (usize, usize)) {
    let since = Instant::now();
    let first = variable("SHARELOG_SEED").unwrap_or(1);
    for seed in first.. {
        println!("{name}: SHARELOG_SEED={seed}");
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| run(seed)));
        let counts = outcome.as_ref().map_or("| | |".to_owned(), |(records, faults)| format!("| {records} | {faults} |"));
        let result = if outcome.is_ok() { "passed" } else { "FAILED" };
        report(&format!("| {name} | {seed} | {} {counts} {result} |\n", start.elapsed().as_secs()));
        if let Err(failure) = outcome {
            resume_unwind(failure);
        }
        if minutes().is_none_or(|minutes| since.elapsed() >= minutes) {
            return;
        }
    }
}

fn report(row: &str) {
    print!("{row}");
    if let Some(path) = std::env::var_os("TORTURE_REPORT") {
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        let head = if file.metadata().unwrap().len() == 0 { REPORT_HEAD } else { "" };
        file.write_all(format!("{head}{row}").as_bytes()).unwrap();
    }
}

/// Runs a load on all nodes while `fault` works on them, lets the network settle, and judges all that was written on it; gives
/// how many records were committed.
pub fn under_load<N: AsMut<TestNetwork>>(network: &mut N, prefix: &str, fault: impl FnOnce(&mut N)) -> usize {
    under_load_of(WRITERS, network, prefix, fault)
}

/// The same, with so many records in flight for each agency.
pub fn under_load_of<N: AsMut<TestNetwork>>(writers: usize, network: &mut N, prefix: &str, fault: impl FnOnce(&mut N)) -> usize {
    let start = Instant::now();
    let of = network.as_mut();
    let keys: Vec<_> = (0..4).map(|index| (format!("agency-{index}"), of.key(&format!("agency-{index}"), "office"))).collect();
    let urls: Vec<_> = of.net.nodes.iter().map(|node| node.http.clone()).collect();
    let origin = of.net.origin.clone();
    let load = Load { origin: &origin, urls: urls.clone(), keys, prefix, writers };
    let (seen, log) = Watcher::watch(&urls, || {
        let (log, ()) = load.run(|| fault(network));
        network.as_mut().settle(SETTLE);
        log
    });
    check_load(&log, start);
    check_alive(network.as_mut());
    judge_whole(network.as_mut(), &log, &seen);
    committed_records(&log)
}

/// No node ended by itself, and none had a task that panicked.
fn check_alive(network: &mut TestNetwork) {
    for node in 0..network.net.nodes.len() {
        assert_eq!(network.net.ended(node), None, "node {node} ended by itself\n{}", network.log_tail(node));
        let log = std::fs::read_to_string(network.net.nodes[node].home.join("node.log")).unwrap();
        let panicked = log.lines().find(|line| line.contains("panicked at"));
        assert_eq!(panicked, None, "node {node}");
    }
}

impl AsMut<TestNetwork> for TestNetwork {
    fn as_mut(&mut self) -> &mut TestNetwork {
        self
    }
}
