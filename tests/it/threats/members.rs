//! What a member agency can do to others: floods, and the same records again and again.

use std::time::{Duration, Instant};

use sharelog::core::json::{self, Strings, Value};

use crate::it::network::{Operation, TestNetwork, acknowledged, duty};

const AGAIN: usize = 1_000;
const SENDERS: usize = 16;

fn position(body: &[u8]) -> u64 {
    json::parse(body, Strings::WithNotes).unwrap().get("position").and_then(Value::as_u64).unwrap()
}

/// Calls `each` with 0 to `count` from some threads, and gives what it gave in order.
fn spread<T: Send>(count: usize, each: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let each = &each;
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let turns: Vec<_> = (0..SENDERS)
            .map(|first| scope.spawn(move || (first..count).step_by(SENDERS).map(|index| (index, each(index))).collect::<Vec<_>>()))
            .collect();
        turns.into_iter().flat_map(|turn| turn.join().unwrap()).collect()
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, value)| value).collect()
}

#[test]
fn a_thousand_committed_records_sent_again_to_all_nodes_change_nothing() {
    let mut network = TestNetwork::start();
    let keys: Vec<_> = (0..4).map(|index| network.key(&format!("agency-{index}"), "office")).collect();
    let notes: Vec<_> = (0..AGAIN)
        .map(|index| duty(&network.net.origin, &format!("agency-{}", index % 4), &format!("again-{index}"), &keys[index % 4]))
        .collect();
    let send = |index: usize, node: usize| {
        let (status, body) = network.net.post(node, &notes[index], "?wait=committed").unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        body
    };
    let (log, first): (Vec<_>, Vec<_>) = spread(AGAIN, |index| {
        let submitted = Instant::now();
        let body = send(index, index % 4);
        (Operation { submitted, ..acknowledged(&notes[index], &body) }, body)
    })
    .into_iter()
    .unzip();
    network.settle(Duration::from_secs(120));
    // All leaves but the entry of each block.
    let records = |network: &TestNetwork| network.net.head(0).map(|(height, size)| size - height).unwrap();
    let before = records(&network);
    let send = |index: usize, node: usize| network.net.post(node, &notes[index], "?wait=committed").unwrap();
    let again = spread(4 * AGAIN, |turn| send(turn % AGAIN, turn / AGAIN));
    for (turn, (status, body)) in again.iter().enumerate() {
        assert_eq!(*status, 200, "{}", String::from_utf8_lossy(body));
        assert_eq!(position(body), position(&first[turn % AGAIN]), "record {}", turn % AGAIN);
    }
    network.settle(Duration::from_secs(120));
    assert_eq!(records(&network), before, "no record is there twice");
    crate::it::judge::judge(&network, &log, &[]);
}

/// Latencies of one agency's records, one at a time; the worst but one in fifty.
fn write(network: &TestNetwork, count: usize, prefix: &str) -> Duration {
    let key = network.key("agency-1", "office");
    let mut spans: Vec<_> = (0..count)
        .map(|index| {
            let note = duty(&network.net.origin, "agency-1", &format!("{prefix}-{index}"), &key);
            let start = Instant::now();
            let (status, body) = network.net.post(1, &note, "?wait=committed").unwrap();
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
            start.elapsed()
        })
        .collect();
    spans.sort();
    spans[count - 1 - count / 50]
}

/// One agency offers thousands of records at a node of its own; each is taken or refused by its quota (which `it::pool` fills for
/// sure), and the records of another one do not wait behind them.
#[test]
fn another_agencys_records_do_not_wait_behind_a_flood() {
    const FLOOD: usize = 12_000;
    let network = TestNetwork::start();
    let key = network.key("agency-0", "office");
    let flood: Vec<_> = (0..FLOOD).map(|index| duty(&network.net.origin, "agency-0", &format!("flood-{index}"), &key)).collect();
    let quiet = write(&network, 50, "quiet");
    let (told, beside) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| spread(FLOOD, |index| network.net.post(0, &flood[index], "").unwrap()));
        let beside = write(&network, 50, "beside");
        (flood.join().unwrap(), beside)
    });
    let taken = told.iter().filter(|(status, _)| *status == 202 || *status == 200).count();
    let refused: Vec<_> = told.iter().filter(|(status, _)| *status == 429).collect();
    assert_eq!(taken + refused.len(), FLOOD, "nothing else is answered");
    assert!(taken > 1_000, "void: {taken} records of the flood were taken");
    for (_, body) in refused {
        let problem = json::parse(body, Strings::WithNotes).unwrap();
        assert_eq!(problem.get("code").and_then(Value::as_str), Some("quota"), "{}", problem.to_jcs());
    }
    println!("{taken} of {FLOOD} taken; another agency's records: {quiet:?} in quiet, {beside:?} beside the flood");
    // Behind the whole flood they would wait for all of it; how much slower they are depends on the machine and is printed.
    assert!(beside < Duration::from_secs(10), "{beside:?}");
}
