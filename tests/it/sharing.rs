//! The main job through the command line: a request's whole life, its evidence, and each refusal a clerk can meet.

use std::path::Path;

use sharelog::core::json::Value;

use super::network::{TestNetwork, sharelog};

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {}", value.to_jcs()))
}

fn items(value: &Value) -> &[Value] {
    value.get("items").and_then(Value::as_array).unwrap_or_else(|| panic!("no items in {}", value.to_jcs()))
}

/// A network in which agency-1 asked agency-0 for a dataset, and got it.
struct Shared {
    network: TestNetwork,
    request: String,
    grant: String,
    delivery: String,
}

impl Shared {
    fn new() -> Self {
        let network = TestNetwork::start();
        let (office0, head0) = (network.key_path("agency-0", "office"), network.key_path("agency-0", "head"));
        let office1 = network.key_path("agency-1", "office");
        let run = |arguments: &[&str]| network.cli(arguments).unwrap_or_else(|(status, text)| panic!("{arguments:?}: {status}: {text}"));
        run(&["duty", "declare", "--id", "agency-1:register", "--title", "Register", "--basis", "Register Act", "--key", &office1]);
        run(&[
            "dataset",
            "publish",
            "--id",
            "agency-0:roads",
            "--title",
            "Roads",
            "--version",
            "1",
            "--class",
            "unconditional",
            "--frequency",
            "monthly",
            "--key",
            &head0,
        ]);
        let request = run(&[
            "share",
            "request",
            "--dataset",
            "agency-0:roads",
            "--duty",
            "agency-1:register",
            "--basis",
            "Register Act",
            "--purpose",
            "street lists",
            "--mode",
            "file",
            "--sort",
            "ordinary",
            "--key",
            &office1,
        ]);
        let request = text(&request, "id").to_owned();
        let grant =
            run(&["share", "answer", "--request", &request, "--outcome", "agree", "--dataset", "agency-0:roads", "--key", &office0]);
        let grant = text(&grant, "id").to_owned();
        std::fs::write(network.path("roads.csv"), "id,name\n1,First Street\n").unwrap();
        let (file, opening) = (network.path("roads.csv"), network.path("roads.opening.json"));
        let delivery = run(&[
            "share",
            "deliver",
            "--grant",
            &grant,
            "--dataset",
            "agency-0:roads",
            "--version",
            "1",
            "--batch",
            "b1",
            "--mode",
            "file",
            "--file",
            path(&file),
            "--opening",
            path(&opening),
            "--key",
            &office0,
        ]);
        let delivery = text(&delivery, "id").to_owned();
        Shared { network, request, grant, delivery }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_request_lives_from_duty_to_receipt_and_is_proven_offline() {
    let shared = Shared::new();
    let network = &shared.network;
    let office1 = network.key_path("agency-1", "office");
    let (file, opening) = (network.path("roads.csv"), network.path("roads.opening.json"));
    // A file that is not the one delivered: refused before anything is sent.
    std::fs::write(network.path("other.csv"), "id,name\n1,Second Street\n").unwrap();
    let (_, before) = network.net.head(0).unwrap();
    let (status, output) = network
        .cli(&[
            "share",
            "receipt",
            "--delivery",
            &shared.delivery,
            "--file",
            path(&network.path("other.csv")),
            "--opening",
            path(&opening),
            "--key",
            &office1,
        ])
        .unwrap_err();
    assert_eq!(status, 5, "{output}");
    assert!(output.contains("commitment-mismatch"), "{output}");
    assert_eq!(network.net.head(0).unwrap().1, before, "nothing was sent");
    // The real one.
    let receipt =
        ["share", "receipt", "--delivery", &shared.delivery, "--file", path(&file), "--opening", path(&opening), "--key", &office1];
    network.cli(&receipt).unwrap();
    let (status, output) = network.cli(&receipt).unwrap_err();
    assert_eq!(status, 5, "a second receipt: {output}");
    // Everybody's answer to who got what.
    let deliveries = network.cli(&["query", "deliveries", "--agency", "agency-1"]).unwrap();
    assert_eq!(items(&deliveries).len(), 1);
    assert_eq!(text(&items(&deliveries)[0], "status"), "matched");
    assert_eq!(text(&items(&deliveries)[0], "grant"), shared.grant);
    let requests = network.cli(&["query", "requests", "--agency", "agency-0"]).unwrap();
    assert_eq!((text(&items(&requests)[0], "id"), text(&items(&requests)[0], "status")), (shared.request.as_str(), "agreed"));
    let chain = network.cli(&["chain", &shared.delivery]).unwrap();
    let kinds: Vec<_> = items(&chain).iter().map(|record| text(record, "kind")).collect();
    assert_eq!(kinds, ["duty.declare", "dataset.publish", "share.request", "share.answer", "share.deliver", "share.receipt"]);
    proven(&shared, &opening);
}

/// Evidence of the delivery, with its opening: verified with the genesis hash alone, refused after any change.
fn proven(shared: &Shared, opening: &Path) {
    let network = &shared.network;
    let file = network.path("delivery.evidence.json");
    network.cli(&["evidence", &shared.delivery, "-o", path(&file), "--opening", path(opening)]).unwrap();
    let hash = network.net.genesis_hash.clone();
    let good = sharelog(&["verify", path(&file), "--genesis", &hash, "--json"]);
    assert_eq!(good.status.code(), Some(0), "{}{}", String::from_utf8_lossy(&good.stdout), String::from_utf8_lossy(&good.stderr));
    let verdict = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(verdict.contains(&shared.delivery) && verdict.contains("\"ok\":true"), "{verdict}");
    let bytes = std::fs::read(&file).unwrap();
    let forged = network.path("forged.evidence.json");
    for at in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        std::fs::write(&forged, changed).unwrap();
        let out = sharelog(&["verify", path(&forged), "--genesis", &hash, "--json"]);
        assert_eq!(out.status.code(), Some(1), "byte {at}: {}", String::from_utf8_lossy(&out.stdout));
    }
    let other = "00".repeat(32);
    assert_eq!(sharelog(&["verify", path(&file), "--genesis", &other]).status.code(), Some(1), "an unknown network");
    assert_eq!(sharelog(&["verify", path(&network.path("missing")), "--genesis", &hash]).status.code(), Some(6));
}

#[test]
fn what_a_rule_refuses_has_its_code_and_exit_status() {
    let shared = Shared::new();
    let network = &shared.network;
    let (office0, office1) = (network.key_path("agency-0", "office"), network.key_path("agency-1", "office"));
    let (head0, office2) = (network.key_path("agency-0", "head"), network.key_path("agency-2", "office"));
    let unknown = "ab".repeat(32);
    let file = network.path("roads.csv");
    let request = |dataset: &'static str, key: &str| {
        [
            "share",
            "request",
            "--dataset",
            dataset,
            "--duty",
            "agency-1:register",
            "--basis",
            "Act",
            "--purpose",
            "p",
            "--mode",
            "file",
            "--sort",
            "ordinary",
            "--key",
            key,
        ]
        .map(str::to_owned)
        .to_vec()
    };
    let deliver = |grant: &str, batch: &str, key: &str| {
        [
            "share",
            "deliver",
            "--grant",
            grant,
            "--dataset",
            "agency-0:roads",
            "--version",
            "1",
            "--batch",
            batch,
            "--mode",
            "file",
            "--file",
            path(&file),
            "--opening",
            path(&network.path(&format!("{batch}.opening.json"))),
            "--key",
            key,
        ]
        .map(str::to_owned)
        .to_vec()
    };
    let answer = |request: &str, key: &str| {
        ["share", "answer", "--request", request, "--outcome", "agree", "--dataset", "agency-0:roads", "--key", key]
            .map(str::to_owned)
            .to_vec()
    };
    let cases = [
        ("dataset-unknown", request("agency-0:nothing@1", &office1)),
        ("ref-unknown", answer(&unknown, &office0)),
        ("already-answered", answer(&shared.request, &office0)),
        ("ref-unknown", deliver(&unknown, "b2", &office0)),
        ("ref-wrong", deliver(&shared.request, "b3", &office0)),
        ("duplicate", deliver(&shared.grant, "b1", &office0)),
        ("not-party", deliver(&shared.grant, "b4", &office2)),
        ("role-wrong", deliver(&shared.grant, "b5", &head0)),
    ];
    for (code, arguments) in cases {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let _ = std::fs::remove_file(network.path("b1.opening.json"));
        let (status, output) = network.cli(&arguments).unwrap_err();
        assert!(output.contains(code), "{code}: {arguments:?}: {output}");
        assert_eq!(status, 5, "{code}: {output}");
    }
}

#[test]
fn a_command_that_reaches_no_node_says_so() {
    let out = sharelog(&["query", "records", "--node", "http://127.0.0.1:9", "--json"]);
    assert_eq!(out.status.code(), Some(4), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(sharelog(&["query", "nonsense"]).status.code(), Some(2));
}
