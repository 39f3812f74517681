//! Four real processes: agreement, crashes, damage. Every test ends with the judge.

use std::time::{Duration, Instant};

use super::judge::judge;
use super::network::TestNetwork;
use super::torture::{SETTLE, Seeded, minutes, runs, under_load};

/// A node that was killed holds all but the newest block again within this time.
const BACK: Duration = Duration::from_secs(10);

#[test]
fn four_validators_agree_under_load() {
    let mut network = TestNetwork::start();
    under_load(&mut network, "plain", |_| std::thread::sleep(Duration::from_secs(4)));
    assert!(network.net.stop_all(), "a clean end within the promised time");
}

#[test]
fn a_node_that_was_down_catches_up_and_votes_again() {
    let mut network = TestNetwork::start();
    under_load(&mut network, "down", |network| {
        network.net.kill(3);
        std::thread::sleep(Duration::from_secs(3));
        let (_, size) = network.net.head(0).unwrap();
        network.net.start(3).unwrap();
        network.net.wait_size(3, size, Duration::from_secs(60)).unwrap();
        network.net.wait_ready(3, Duration::from_secs(60)).unwrap();
    });
    // With another one gone, nothing goes on without the vote of the one that came back.
    network.net.kill(0);
    let key = network.key("agency-1", "office");
    let note = super::network::duty(&network.net.origin, "agency-1", "needs-the-returned-vote", &key);
    let (status, body) = network.net.post(1, &note, "?wait=committed").unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
}

/// Kills one node after the other; each is back within one height of the others in [`BACK`].
#[test]
fn fifty_random_kills_lose_and_double_nothing() {
    let kills = if minutes().is_some() { 200 } else { 50 };
    runs("random kills", |seed| {
        let mut network = TestNetwork::start();
        let mut random = Seeded::of(seed);
        let mut slowest = Duration::ZERO;
        let records = under_load(&mut network, "kill", |network| {
            for _ in 0..kills {
                let victim = usize::try_from(random.below(4)).unwrap();
                network.net.kill(victim);
                std::thread::sleep(Duration::from_millis(random.below(300)));
                network.net.start(victim).unwrap();
                slowest = slowest.max(back(network, victim));
                std::thread::sleep(Duration::from_millis(200 + random.below(500)));
            }
        });
        println!("back within one height of the others after at most {slowest:?}");
        (records, kills)
    });
}

/// Waits until a started node is ready and at most one height below the others; gives how long that took.
fn back(network: &mut TestNetwork, node: usize) -> Duration {
    let since = Instant::now();
    let outcome = network.net.wait_until("the return of the killed node", BACK, |net| {
        let own = net.get(node, "/readyz").is_ok_and(|(status, _)| status == 200).then(|| net.head(node).ok()).flatten();
        let highest = (0..4).filter(|other| *other != node).filter_map(|other| net.head(other).ok()).max();
        own.zip(highest).is_some_and(|(own, highest)| own.0 + 1 >= highest.0)
    });
    outcome.unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(node)));
    since.elapsed()
}

#[test]
fn the_whole_network_killed_at_once_comes_back() {
    let mut network = TestNetwork::start();
    under_load(&mut network, "all", |network| {
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(1_200));
            (0..4).for_each(|index| network.net.kill(index));
            network.net.start_all().unwrap();
            network.all_ready();
        }
    });
}

#[test]
fn two_of_four_down_halts_and_goes_on_when_one_returns() {
    let mut network = TestNetwork::start();
    network.net.kill(2);
    network.net.kill(3);
    let key = network.key("agency-0", "office");
    let note = super::network::duty(&network.net.origin, "agency-0", "waits", &key);
    let (status, _) = network.net.post(0, &note, "").unwrap();
    assert_eq!(status, 202);
    std::thread::sleep(Duration::from_secs(3));
    let id = super::network::record_id(&note);
    let path = format!("/api/v1/records/{id}");
    assert_eq!(network.net.ask(0, &path).unwrap().get("status").unwrap().as_str(), Some("pending"));
    network.net.start(2).unwrap();
    let committed = |net: &mut sharelog::node::local::LocalNetwork, node: usize| {
        net.ask(node, &path).is_ok_and(|record| record.get("status").and_then(|status| status.as_str()) == Some("committed"))
    };
    network.net.wait_until("the commit", Duration::from_secs(60), |net| committed(net, 0)).unwrap();
    // The one that was down when the record was spread ends with it.
    network.net.start(3).unwrap();
    network.net.wait_until("the record at the last to return", Duration::from_secs(60), |net| committed(net, 3)).unwrap();
    network.settle(SETTLE);
    judge(&network, &Vec::new(), &[]);
}

#[test]
fn a_torn_log_and_lost_or_damaged_databases_are_repaired() {
    let mut network = TestNetwork::start();
    under_load(&mut network, "store", |network| {
        std::thread::sleep(Duration::from_secs(2));
        // The state is gone.
        network.net.kill(0);
        std::fs::remove_dir_all(network.net.nodes[0].home.join("data/state")).unwrap();
        network.net.start(0).unwrap();
        network.all_ready();
        // The files of both databases are damaged in the middle.
        network.net.kill(1);
        for folder in ["data/state", "data/sled"] {
            let damaged = damage_files(&network.net.nodes[1].home.join(folder));
            assert!(damaged > 0, "void: nothing was damaged");
        }
        network.net.start(1).unwrap();
        network.all_ready();
        // The log ends in the middle of a frame.
        network.net.kill(2);
        tear_tail(&network.net.nodes[2].home.join("data/log"));
        network.net.start(2).unwrap();
        network.all_ready();
    });
}

/// Flips bytes all over every file of a folder; gives how many.
fn damage_files(dir: &std::path::Path) -> usize {
    let mut damaged = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damaged += damage_files(&path);
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        for at in (64..bytes.len()).step_by(997) {
            bytes[at] ^= 0x55;
            damaged += 1;
        }
        std::fs::write(&path, bytes).unwrap();
    }
    damaged
}

/// Cuts the newest log file in the middle of what is written.
fn tear_tail(dir: &std::path::Path) {
    let newest = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .max()
        .unwrap();
    let bytes = std::fs::read(&newest).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let file = std::fs::File::options().write(true).open(&newest).unwrap();
    file.set_len(u64::try_from(written - 40).unwrap()).unwrap();
}

/// After a power cut the machines come back one after the other: two that wait long for the rest vote with them in the end.
#[test]
fn validators_that_start_long_before_the_others_vote_with_them_in_the_end() {
    let mut network = TestNetwork::start();
    let mut log = Vec::new();
    let key = network.key("agency-0", "office");
    let mut commit = |network: &TestNetwork, node: usize, local: &str| {
        let note = super::network::duty(&network.net.origin, "agency-0", local, &key);
        let (status, body) = network.net.post(node, &note, "?wait=committed").unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        log.push(super::network::acknowledged(&note, &body));
    };
    for round in 0..2 {
        commit(&network, 1, &format!("before-{round}"));
        (0..4).for_each(|index| network.net.kill(index));
        network.net.start(0).unwrap();
        network.net.start(1).unwrap();
        std::thread::sleep(Duration::from_secs(12));
        network.net.start(2).unwrap();
        network.net.start(3).unwrap();
        network.all_ready();
        commit(&network, 2, &format!("after-{round}"));
    }
    // The votes of both are needed now.
    network.net.kill(3);
    commit(&network, 0, "needs-both");
    network.net.start(3).unwrap();
    network.settle(SETTLE);
    judge(&network, &log, &[]);
}
