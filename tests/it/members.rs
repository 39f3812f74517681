//! A network whose members change while it runs: validators that join, change their keys and leave, and followers.

use std::time::{Duration, Instant};

use sharelog::core::json::Value;

use super::judge::{Watcher, judge};
use super::network::{Load, READY, TestNetwork, WRITERS, acknowledged, check_load, free_ports, sharelog};

const SETTLE: Duration = Duration::from_secs(120);

fn urls(network: &TestNetwork) -> Vec<String> {
    network.net.nodes.iter().map(|node| node.http.clone()).collect()
}

/// Runs a load of the four first agencies on the nodes that run now while `change` works, then judges all nodes.
fn under_load(network: &mut TestNetwork, prefix: &str, change: impl FnOnce(&mut TestNetwork)) {
    let start = Instant::now();
    let keys: Vec<_> = (0..4).map(|index| (format!("agency-{index}"), network.key(&format!("agency-{index}"), "office"))).collect();
    let origin = network.net.origin.clone();
    let load = Load { origin: &origin, urls: urls(network), keys, prefix, writers: WRITERS };
    let (seen, log) = Watcher::watch(&urls(network), || {
        let (log, ()) = load.run(|| change(network));
        network.settle(SETTLE);
        log
    });
    check_load(&log, start);
    judge(network, &log, &seen);
}

/// The home of a node that is to join, with the network's genesis; gives its index.
fn new_home(network: &mut TestNetwork, name: &str, agency: &str, flags: &[&str]) -> usize {
    let home = network.path(name);
    let (base, http) = (free_ports(2), free_ports(1));
    let address = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}");
    let home_text = home.display().to_string();
    let (consensus, records, http) = (address(base), address(base + 1), format!("127.0.0.1:{http}"));
    let mut arguments = vec!["node", "init", "--home", &home_text, "--agency", agency];
    arguments.extend(["--consensus-address", &consensus, "--records-address", &records, "--http", &http]);
    arguments.extend(flags);
    good(&arguments);
    good(&["genesis", "install", &network.path("genesis.json").display().to_string(), "--home", &home_text]);
    network.net.add(agency, &home, &format!("http://{http}"))
}

fn good(arguments: &[&str]) {
    let out = sharelog(arguments);
    assert!(out.status.success(), "{arguments:?}: {}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
}

fn send(network: &TestNetwork, arguments: &[&str]) -> Value {
    network.cli(arguments).unwrap_or_else(|(status, text)| panic!("{arguments:?}: {status} {text}"))
}

/// Lets a new agency be admitted, with the keys that its home holds.
fn admit(network: &TestNetwork, index: usize) {
    let node = &network.net.nodes[index];
    let key = |role: &str| node.home.join(format!("agency/{role}.vkey")).display().to_string();
    let authority = network.key_path("authority", "authority");
    let (office, head, recovery) = (key("office"), key("head"), key("recovery"));
    let keys = ["--keys", &head, "--keys", &office, "--keys", &recovery];
    let mut arguments = vec!["agency", "admit", "--id", &node.agency, "--name-en", &node.agency, "--level", "city", "--territory", "3301"];
    arguments.extend(["--scheme", "plain"]);
    arguments.extend(keys);
    arguments.extend(["--key", &authority]);
    send(network, &arguments);
}

/// The height a little ahead at which a change is to take effect.
fn soon(network: &TestNetwork) -> u64 {
    network.net.head(0).unwrap().0 + 30
}

fn change(network: &TestNetwork, verb: &str, flags: &[&str]) -> u64 {
    let from = soon(network);
    let (authority, height) = (network.key_path("authority", "authority"), from.to_string());
    let mut arguments = vec!["validator", verb];
    arguments.extend(flags);
    arguments.extend(["--from", &height, "--key", &authority]);
    send(network, &arguments);
    from
}

fn wait_height(network: &mut TestNetwork, height: u64) {
    let waited = network
        .net
        .wait_until(&format!("height {height}"), Duration::from_secs(180), |net| net.head(0).is_ok_and(|(found, _)| found >= height));
    waited.unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(0)));
}

fn role(network: &TestNetwork, index: usize) -> Option<String> {
    let status = network.net.ask(index, "/api/v1/status").ok()?;
    Some(status.get("role")?.as_str()?.to_owned())
}

fn wait_role(network: &mut TestNetwork, index: usize, wanted: &str) {
    let what = format!("{} as {wanted}", network.net.nodes[index].agency);
    let took = network.net.wait_until(&what, Duration::from_secs(120), |net| {
        let status = net.ask(index, "/api/v1/status").ok();
        status.and_then(|status| Some(status.get("role")?.as_str()? == wanted)).unwrap_or(false)
    });
    took.unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(index)));
}

/// Whether a node's newest public checkpoint carries the cosignature of `agency`, within some checkpoints.
fn wait_cosigner(network: &mut TestNetwork, agency: &str) {
    let what = format!("a cosignature of {agency}");
    let took = network.net.wait_until(&what, Duration::from_secs(120), |net| {
        let status = net.ask(0, "/api/v1/status").ok();
        let cosigners = status.as_ref().and_then(|status| status.get("checkpoint")?.get("cosigners")?.as_array());
        cosigners.is_some_and(|cosigners| cosigners.iter().any(|cosigner| cosigner.as_str() == Some(agency)))
    });
    took.unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(0)));
}

#[test]
fn from_four_validators_to_seven_and_back_under_load() {
    let mut network = TestNetwork::start();
    let genesis = network.net.genesis_hash.clone();
    let key = network.key("agency-0", "office");
    let early = super::network::duty(&network.net.origin, "agency-0", "of-the-first-four", &key);
    assert_eq!(network.net.post(0, &early, "?wait=committed").unwrap().0, 200);
    let early = super::network::record_id(&early).to_hex();
    let old = network.path("old.evidence.json").display().to_string();
    send(&network, &["evidence", &early, "-o", &old]);
    let newcomers: Vec<_> = (4..7).map(|index| new_home(&mut network, &format!("node{index}"), &format!("agency-{index}"), &[])).collect();
    for index in &newcomers {
        admit(&network, *index);
        network.net.start(*index).unwrap();
    }
    under_load(&mut network, "seven", |network| {
        for index in newcomers.clone() {
            let part = network.net.nodes[index].home.join("part.json").display().to_string();
            let from = change(network, "add", &["--part", &part]);
            network.net.wait_ready(index, READY).unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(index)));
            let joined_as = role(network, index);
            // A quick network may have passed the height by then.
            if network.net.head(0).unwrap().0 + 1 < from {
                assert_eq!(joined_as.as_deref(), Some("follower"), "it votes from height {from} on");
            }
            wait_height(network, from + 1);
            wait_role(network, index, "validator");
            network.net.wait_ready(index, READY).unwrap();
            let agency = network.net.nodes[index].agency.clone();
            wait_cosigner(network, &agency);
        }
        // With seven, five carry on.
        network.net.kill(1);
        network.net.kill(2);
        let (height, _) = network.net.head(0).unwrap();
        wait_height(network, height + 10);
        network.net.start(1).unwrap();
        network.net.start(2).unwrap();
        network.all_ready();
        for agency in ["agency-1", "agency-4", "agency-5"] {
            let from = change(network, "remove", &["--agency", agency]);
            wait_height(network, from + 1);
            let index = network.net.nodes.iter().position(|node| node.agency == agency).unwrap();
            wait_role(network, index, "follower");
            network.net.wait_ready(index, READY).unwrap();
        }
    });
    // Four are left: with one of them gone the others go on, with two they do not.
    network.net.kill(6);
    let key = network.key("agency-0", "office");
    let note = super::network::duty(&network.net.origin, "agency-0", "three-of-four", &key);
    let (status, body) = network.net.post(0, &note, "?wait=committed").unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    let authority = network.key_path("authority", "authority");
    let refused = network.cli(&["validator", "remove", "--agency", "agency-6", "--from", "100000", "--key", &authority]);
    assert!(refused.as_ref().is_err_and(|(status, text)| *status == 5 && text.contains("R-VALIDATOR-8")), "{refused:?}");
    // Evidence of a record that the last of all sets admitted proves every handover from the genesis on.
    let id = super::network::record_id(&note).to_hex();
    let file = network.path("handed-over.evidence.json");
    send(&network, &["evidence", &id, "-o", &file.display().to_string()]);
    let verdict = send(&network, &["verify", &file.display().to_string(), "--genesis", &genesis]);
    assert_eq!(verdict.get("ok"), Some(&Value::Bool(true)), "{}", verdict.to_jcs());
    let evidence = sharelog::core::json::parse(&std::fs::read(&file).unwrap(), sharelog::core::json::Strings::WithNotes).unwrap();
    assert_eq!(evidence.get("handovers").unwrap().as_array().unwrap().len(), 6);
    // What the first four signed stands, also beside the checkpoint of the last four.
    let verdict = send(&network, &["verify", &old, "--genesis", &genesis]);
    assert_eq!(verdict.get("ok"), Some(&Value::Bool(true)), "{}", verdict.to_jcs());
    let (state, url) = (network.path("audits").display().to_string(), network.net.nodes[0].http.clone());
    let audited = send(&network, &["audit", &url, "--genesis", &genesis, "--state", &state]);
    assert_eq!(audited.get("sets").and_then(Value::as_u64), Some(7), "{}", audited.to_jcs());
}

#[test]
fn a_validator_takes_new_keys_at_the_height_that_its_change_names() {
    let mut network = TestNetwork::start();
    under_load(&mut network, "rekey", |network| {
        let home = network.net.nodes[3].home.clone();
        // A home of testnet init has no part.json: it is written from the genesis.
        let genesis = sharelog::core::genesis::Genesis::parse(&network.genesis).unwrap();
        let bytes = sharelog::core::json::parse(&network.genesis, sharelog::core::json::Strings::Strict).unwrap();
        let agency = bytes
            .get("agencies")
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .find(|agency| agency.get("id").and_then(Value::as_str) == Some("agency-3"));
        let part = sharelog::core::json::object([
            ("agency", agency.unwrap().clone()),
            ("format", "sharelog/genesis-part/v1".into()),
            ("validator", genesis.validators[3].to_value()),
        ]);
        std::fs::write(home.join("part.json"), part.to_jcs()).unwrap();
        good(&["node", "rekey", "--home", &home.display().to_string()]);
        network.net.stop(3);
        network.net.start(3).unwrap();
        network.net.wait_ready(3, READY).unwrap();
        let old_peer = genesis.validators[3].peer.clone();
        let from = change(network, "change", &["--part", &home.join("part-next.json").display().to_string()]);
        wait_height(network, from + 5);
        wait_role(network, 3, "validator");
        network.net.wait_ready(3, READY).unwrap();
        wait_cosigner(network, "agency-3");
        let peers = network.net.ask(0, "/api/v1/status").unwrap().get("peers").unwrap().to_jcs();
        assert!(!peers.contains(&old_peer), "the old peer id is off the list: {peers}");
        assert!(!home.join("keys/next/consensus.pem").exists());
    });
    // The vote of the new key is needed now.
    network.net.kill(0);
    let key = network.key("agency-1", "office");
    let note = super::network::duty(&network.net.origin, "agency-1", "needs-the-new-key", &key);
    let (status, body) = network.net.post(1, &note, "?wait=committed").unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
}

#[test]
fn twenty_followers_replicate_serve_and_forward() {
    let mut network = TestNetwork::start();
    let agencies = ["agency-0", "agency-1", "agency-2", "agency-3", "authority"];
    for (number, agency) in agencies.iter().flat_map(|agency| [agency; 4]).enumerate() {
        let index = new_home(&mut network, &format!("follower{number}"), agency, &["--follower"]);
        let part = network.net.nodes[index].home.join("part.json").display().to_string();
        send(&network, &["node", "admit", "--part", &part, "--key", &network.key_path(agency, "head")]);
        network.net.start(index).unwrap();
    }
    let followers = 4..24;
    network.all_ready();
    let key = network.key("agency-2", "office");
    let mut log = Vec::new();
    for index in followers.clone() {
        assert_eq!(role(&network, index).as_deref(), Some("follower"));
        let note = super::network::duty(&network.net.origin, "agency-2", &format!("through-{index}"), &key);
        let (status, body) = network.net.post(index, &note, "?wait=committed").unwrap();
        assert_eq!(status, 200, "{}\n{}", String::from_utf8_lossy(&body), network.log_tail(index));
        log.push(acknowledged(&note, &body));
    }
    network.settle(SETTLE);
    judge(&network, &log, &[]);
    // One that is taken off the list hears no more.
    let connected = |status: &Value| {
        let peers = status.get("peers").and_then(Value::as_array).unwrap_or_default();
        peers.iter().filter(|peer| peer.get("connected") == Some(&Value::Bool(true))).count()
    };
    let all = network.net.wait_until("connections to all", Duration::from_secs(30), |net| {
        net.ask(0, "/api/v1/status").is_ok_and(|status| connected(&status) == 23)
    });
    all.unwrap();
    let part = std::fs::read(network.net.nodes[23].home.join("part.json")).unwrap();
    let part = sharelog::core::json::parse(&part, sharelog::core::json::Strings::Strict).unwrap();
    let peer = part.get("follower").unwrap().get("peer").unwrap().as_str().unwrap().to_owned();
    send(&network, &["node", "remove", "--peer", &peer, "--key", &network.key_path("authority", "head")]);
    let dropped = network.net.wait_until("the removed follower's end of connection", Duration::from_secs(20), |net| {
        net.ask(0, "/api/v1/status").is_ok_and(|status| !status.to_jcs().contains(&peer))
    });
    dropped.unwrap();
    let (_, before) = network.net.head(23).unwrap();
    let note = super::network::duty(&network.net.origin, "agency-2", "after-the-removal", &key);
    let (status, body) = network.net.post(22, &note, "?wait=committed").unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    std::thread::sleep(Duration::from_secs(3));
    let (_, after) = network.net.head(23).unwrap();
    assert!(after <= before + 3, "{before} to {after}: at most the block that removed it");
    assert!(network.net.head(22).unwrap().1 > after);
}
