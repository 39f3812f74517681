//! Calls that fail, and kills, at the places of durable writes (`src/store/disk.rs`), while the network is under load.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use sharelog::store::faults::TOOK_EFFECT;

use super::super::network::TestNetwork;
use super::{Seeded, VICTIM, check_it_votes, count, latest, log_text, network, start_victim, under_load, victim_ready};

/// Time for the call with the wanted count to come.
const EFFECT: Duration = Duration::from_secs(120);
/// From the fault to the end of the process: a stop takes at most 10 s.
const END: Duration = Duration::from_secs(20);

/// Places where each block and each vote writes, and those that come about once a second.
const OFTEN: [&str; 6] = ["log.write", "log.sync", "signed.write", "signed.sync", "body.write", "body.sync"];
const SELDOM: [&str; 14] = [
    "log.ahead",
    "log.create",
    "log.cut",
    "sled.batch",
    "sled.flush",
    "state.batch",
    "checkpoint.write",
    "checkpoint.sync",
    "checkpoint.rename",
    "checkpoint.folder",
    "cosigner.write",
    "cosigner.sync",
    "cosigner.rename",
    "cosigner.folder",
];

/// The victim runs into the fault and ends; gives how.
fn run_into(network: &mut TestNetwork, fault: &str) -> std::process::ExitStatus {
    network.net.kill(VICTIM);
    let before = log_text(network).matches(TOOK_EFFECT).count();
    start_victim(network, fault);
    let has_effect = |network: &TestNetwork| log_text(network).matches(TOOK_EFFECT).count() > before;
    let started = Instant::now();
    while !has_effect(network) {
        assert!(started.elapsed() < EFFECT, "void: {fault} took no effect\n{}", network.log_tail(VICTIM));
        std::thread::sleep(Duration::from_millis(20));
    }
    let since = Instant::now();
    loop {
        if let Some(status) = network.net.ended(VICTIM) {
            println!("{fault}: took effect after {:?}, ended {:?} later, {status}", since - started, since.elapsed());
            return status;
        }
        assert!(since.elapsed() < END, "{fault}: the node goes on\n{}", network.log_tail(VICTIM));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Faults one after the other on one network under load, each followed by a start without it.
fn one_after_the_other(prefix: &str, few: u64, next: impl Fn(&mut Seeded) -> String, check: impl Fn(&str, std::process::ExitStatus)) {
    let mut network = network();
    let mut random = Seeded::new();
    under_load(&mut network, prefix, |network| {
        for _ in 0..count(few) {
            let fault = next(&mut random);
            let status = run_into(network, &fault);
            check(&fault, status);
            start_victim(network, "");
            victim_ready(network);
        }
    });
    check_it_votes(&mut network, "after-all-faults");
}

#[test]
fn killed_at_the_places_of_durable_writes() {
    let next = |random: &mut Seeded| {
        let often = random.below(2) == 0;
        let point = if often { random.pick(&OFTEN) } else { random.pick(&SELDOM) };
        let kinds: &[&str] = if point.ends_with("write") { &["die-before", "die-after", "torn"] } else { &["die-before", "die-after"] };
        let most = if often { latest(15, 60) } else { 3 };
        // The tail is cut once at a start, a file is made now and then.
        let most = if ["log.ahead", "log.cut", "log.create"].contains(point) { 1 } else { most };
        format!("disk:{}:{point}:{}", random.pick(kinds), 1 + random.below(most))
    };
    let check = |fault: &str, status: std::process::ExitStatus| assert!(status.signal().is_some(), "{fault}: {status}");
    one_after_the_other("points", 10, next, check);
}

#[test]
fn failing_writes_and_syncs_end_the_node() {
    let next = |random: &mut Seeded| match random.below(4) {
        0 => format!("disk:eio:sync:{}", 1 + random.below(latest(60, 200))),
        1 => format!("disk:eio:{}:{}", random.pick(&OFTEN), 1 + random.below(latest(15, 60))),
        2 => format!("disk:eio:{}:{}", random.pick(&SELDOM[3..]), 1 + random.below(3)),
        _ => format!(
            "disk:enospc:{}:{}",
            random.pick(&["write", "log.write", "signed.write", "body.write"]),
            1 + random.below(latest(15, 100))
        ),
    };
    let check = |fault: &str, status: std::process::ExitStatus| {
        assert!(status.code().is_some_and(|code| code != 0), "{fault}: {status}");
    };
    one_after_the_other("failing", 8, next, check);
}
