//! Operators at work: local networks, a real network step by step, keys and settings.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use sharelog::config::Config;
use sharelog::core::genesis::Genesis;
use sharelog::core::json::{self, Strings, Value};
use sharelog::core::key::{Algorithm, Role, agency_key_name, decode_base64};
use sharelog::keystore::{self, NodeKeys};
use tempfile::TempDir;

/// What a run of the program gave.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(dir: &TempDir, arguments: &[&str]) -> Ran {
    let out = Command::new(env!("CARGO_BIN_EXE_sharelog")).args(arguments).current_dir(dir.path()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: out.status.code().unwrap(), out: text(out.stdout), err: text(out.stderr) }
}

/// Runs what must succeed; gives its output.
fn good(dir: &TempDir, line: &str) -> String {
    let ran = run(dir, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.code, 0, "{line}: {}", ran.err);
    ran.out
}

/// Runs what must fail with `code`; gives what was said.
fn bad(dir: &TempDir, code: i32, line: &str) -> String {
    let ran = run(dir, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.code, code, "{line}: {}", ran.err);
    ran.err
}

fn parse(text: &str) -> Value {
    json::parse(text.trim_end().as_bytes(), Strings::Strict).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).unwrap().as_str().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_local_network_has_the_documented_files() {
    let dir = tempfile::tempdir().unwrap();
    good(&dir, "testnet init --dir net --validators 5 --base-port 30000 --http-port 9000 --name a.test/b");
    let net = dir.path().join("net");
    let bytes = fs::read(net.join("genesis.json")).unwrap();
    let genesis = Genesis::parse(&bytes).unwrap();
    let network = parse(&fs::read_to_string(net.join("network.json")).unwrap());
    assert_eq!(text(&network, "genesis_hash"), genesis.hash.to_hex());
    assert_eq!(text(&network, "origin"), genesis.origin);
    assert_eq!(genesis.validators.len(), 5);

    let clients = network.get("clients").unwrap().as_array().unwrap();
    assert_eq!(clients.len(), 5 * 3 + 4 + 2);
    for client in clients {
        let pem = net.join(text(client, "key"));
        let (vkey, _) = keystore::load(&pem).unwrap();
        let role = Role::parse(text(client, "role")).unwrap();
        assert_eq!(vkey.name(), agency_key_name(&genesis.origin, text(client, "agency"), role));
        assert_eq!((mode(&pem), vkey.algorithm()), (0o600, Algorithm::Ed25519));
    }
    for (index, node) in network.get("nodes").unwrap().as_array().unwrap().iter().enumerate() {
        let (home, agency) = (net.join(text(node, "home")), text(node, "agency"));
        assert_eq!((text(node, "home"), agency), (format!("node{index}").as_str(), format!("agency-{index}").as_str()));
        assert_eq!(text(node, "http"), format!("http://127.0.0.1:{}", 9000 + index));
        let config = Config::load(&home).unwrap();
        assert_eq!((config.agency.as_str(), config.http.to_string()), (agency, format!("127.0.0.1:{}", 9000 + index)));
        assert_eq!(config.consensus, format!("/ip4/127.0.0.1/tcp/{}", 30000 + 2 * index));
        assert_eq!(config.records, format!("/ip4/127.0.0.1/tcp/{}", 30001 + 2 * index));
        let keys = NodeKeys::load(&home.join("keys")).unwrap();
        let validator = genesis.validators.iter().find(|validator| validator.agency == agency).unwrap();
        let voting = keys.consensus.zip(keys.cosigner).map(|(consensus, cosigner)| (consensus.public(), cosigner.public()));
        assert_eq!(Some((validator.consensus, validator.cosigner)), voting);
        assert_eq!((&validator.addresses, &validator.records), (&vec![config.consensus], &vec![config.records]));
        assert_eq!(validator.peer, keystore::peer_id(&keys.network.public()));
        assert_eq!(fs::read(home.join("genesis.json")).unwrap(), bytes);
    }
}

#[test]
fn a_seed_and_a_moment_give_the_same_network_and_nothing_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let line =
        |name: &str, seed: u32| format!("testnet init --dir {name} --validators 4 --seed {seed} --created 2026-11-25T01:02:03.000Z --json");
    let first = parse(&good(&dir, &line("a", 7)));
    assert_eq!(first, parse(&good(&dir, &line("b", 7))));
    assert_ne!(first, parse(&good(&dir, &line("c", 8))));
    assert!(bad(&dir, 2, &line("a", 7)).contains("not empty"));
    bad(&dir, 2, "testnet init --dir d --validators 3");
    bad(&dir, 2, "testnet init --dir d --validators 23");
    bad(&dir, 2, "testnet init --dir d --validators 22 --base-port 65000 --http-port 65000 --name a//b");
    assert!(!dir.path().join("d").exists());
}

/// Four homes and an authority without a node, as their operators make them.
fn parts(dir: &TempDir) -> String {
    for index in 0..4 {
        let port = 31000 + 2 * index;
        good(
            dir,
            &format!(
                "node init --home n{index} --agency agency-{index} --consensus-address /ip4/192.0.2.{index}/tcp/{port} \
                 --records-address /ip4/192.0.2.{index}/tcp/{} --http 127.0.0.1:{}",
                port + 1,
                9100 + index
            ),
        );
    }
    good(
        dir,
        "genesis part --home boss --agency authority --role authority --role recovery --level city --territory 3301 --line government",
    );
    "n0/part.json n1/part.json n2/part.json n3/part.json boss/part.json".to_owned()
}

#[test]
fn a_real_network_is_put_together_step_by_step() {
    let dir = tempfile::tempdir().unwrap();
    let parts = parts(&dir);
    let path = |relative: &str| dir.path().join(relative);
    let config = fs::read_to_string(path("n2/config.toml")).unwrap();
    assert!(config.contains("consensus = \"/ip4/0.0.0.0/tcp/31004\""), "listens on all addresses, at the port that others dial");

    let assembled = parse(&good(&dir, &format!("genesis assemble {parts} --name city.example/ledger -o g.json --json")));
    let genesis = Genesis::parse(&fs::read(path("g.json")).unwrap()).unwrap();
    assert_eq!(assembled, parse(&good(&dir, "genesis show g.json --json")));
    assert_eq!(text(&assembled, "hash"), genesis.hash.to_hex());
    let shown = good(&dir, "genesis show g.json");
    assert!(shown.contains(&genesis.origin) && shown.contains("192.0.2.3"), "{shown}");
    assert!(bad(&dir, 2, &format!("genesis assemble {parts} --name city.example/ledger -o g.json")).contains("exists"));

    assert!(bad(&dir, 3, "node run --home n0").contains("genesis install"));
    for home in ["n0", "n1", "n2", "n3", "boss"] {
        good(&dir, &format!("genesis install g.json --home {home}"));
        good(&dir, &format!("genesis install g.json --home {home}"));
    }
    let (vkey, _) = keystore::load(&path("boss/agency/authority.pem")).unwrap();
    assert_eq!(vkey.name(), format!("{}/agency/authority/authority", genesis.origin));
    let (cosigner, _) = keystore::load(&path("n1/keys/cosigner.pem")).unwrap();
    assert_eq!(
        (cosigner.name(), cosigner.algorithm()),
        (format!("{}/validator/agency-1", genesis.origin).as_str(), Algorithm::Cosignature)
    );
    let (publication, _) = keystore::load(&path("n1/keys/publication.pem")).unwrap();
    assert_eq!(publication.name(), genesis.origin);
    assert_eq!(good(&dir, "key show boss/agency/authority.pem").trim_end(), vkey.to_string());

    // Another ledger's genesis does not get into a home, nor one without the home's keys.
    good(&dir, &format!("genesis assemble {parts} --name other.example/ledger -o other.json"));
    assert!(bad(&dir, 3, "genesis install other.json --home n0").contains("another genesis"));
    good(&dir, "node init --home late --agency agency-1");
    assert!(bad(&dir, 3, "genesis install g.json --home late").contains("no such key"));
    assert!(!path("late/genesis.json").exists());
}

#[test]
fn no_secret_leaves_its_home() {
    let dir = tempfile::tempdir().unwrap();
    parts(&dir);
    for (part, keys) in [("n0/part.json", "n0/keys"), ("n0/part.json", "n0/agency"), ("boss/part.json", "boss/agency")] {
        let part = fs::read_to_string(dir.path().join(part)).unwrap();
        for entry in fs::read_dir(dir.path().join(keys)).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            let seed = keystore::load_secret(&path).unwrap().dalek().to_bytes();
            assert!(!part.contains(&sharelog::core::key::encode_base64(&seed)), "{}", path.display());
            assert!(!part.contains(&sharelog::core::hash::to_hex(&seed)), "{}", path.display());
        }
    }
}

#[test]
fn a_wrong_part_or_policy_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let parts = parts(&dir);
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    let assemble = |parts: &str, more: &str| format!("genesis assemble {parts} --name a.test/b -o x.json{more}");
    bad(&dir, 5, &assemble("n0/part.json n1/part.json n2/part.json boss/part.json", ""));
    assert!(bad(&dir, 5, &assemble(&format!("{parts} n0/part.json"), "")).contains("agency-0"));
    bad(&dir, 5, &assemble("n0/part.json n1/part.json n2/part.json n3/part.json", ""));
    bad(&dir, 6, &assemble("n9/part.json", ""));
    write("p.json", "{\n  \"rules\": 1,\n  \"rules\": 2\n}");
    assert!(bad(&dir, 6, &assemble(&parts, " --policy p.json")).contains("member rules twice at line"));
    write("p.json", "{\"rules\": null}");
    bad(&dir, 6, &assemble(&parts, " --policy p.json"));
    write("p.json", "{\"rules\": 1}");
    bad(&dir, 5, &assemble(&parts, " --policy p.json"));
    let part = fs::read_to_string(dir.path().join("n0/part.json")).unwrap();
    write("part.json", &part.replace("\"format\":", "\"extra\":1,\"format\":"));
    let said = bad(&dir, 6, &assemble("part.json", ""));
    assert!(said.contains("part.json") && said.contains("part.extra"), "{said}");
    assert!(!dir.path().join("x.json").exists(), "nothing is written before all is checked");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/policy.example.json");
    good(&dir, &assemble(&parts, &format!(" --policy {example} --created 2026-11-25T00:00:00.000Z")));
    let with_example = fs::read(dir.path().join("x.json")).unwrap();
    good(&dir, &format!("genesis assemble {parts} --name a.test/b -o y.json --created 2026-11-25T00:00:00.000Z"));
    assert_eq!(with_example, fs::read(dir.path().join("y.json")).unwrap(), "the example is the default");
}

#[test]
fn the_example_genesis_is_a_genesis() {
    let bytes = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/config/genesis.example.json")).unwrap();
    assert_eq!(Genesis::parse(&bytes).unwrap().validators.len(), 4);
}

#[test]
fn a_key_file_is_pkcs8_for_its_owner_alone_and_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = |relative: &str| dir.path().join(relative);
    let line = "key generate --agency a --role office --origin x.test/y/0123456789abcdef --out office.pem";
    let vkey = good(&dir, line);
    let pem = fs::read_to_string(path("office.pem")).unwrap();
    let body = pem.strip_prefix("-----BEGIN PRIVATE KEY-----\n").unwrap().strip_suffix("\n-----END PRIVATE KEY-----\n").unwrap();
    let der = decode_base64(body).unwrap();
    // RFC 8410, version 0: sequence, version, Ed25519, then the seed in two octet strings and nothing after it.
    assert_eq!(sharelog::core::hash::to_hex(&der[..16]), "302e020100300506032b657004220420");
    assert_eq!(der.len(), 48);
    assert_eq!((mode(&path("office.pem")), vkey), (0o600, fs::read_to_string(path("office.vkey")).unwrap()));
    assert!(bad(&dir, 2, line).contains("never replaced"));

    fs::set_permissions(path("office.pem"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(bad(&dir, 3, "key show office.pem").contains("0640"));
    fs::set_permissions(path("office.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    good(&dir, "key generate --agency a --role head --origin x.test/y/0123456789abcdef");
    fs::copy(path("head.vkey"), path("office.vkey")).unwrap();
    assert!(bad(&dir, 3, "key show office.pem").contains("another key"));
    fs::write(path("office.pem"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    bad(&dir, 3, "key show office.pem");
    bad(&dir, 6, "key show none.pem");
    bad(&dir, 2, "key generate --agency a --role boss --origin x");
}

#[test]
fn settings_that_are_wrong_are_refused_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    good(&dir, "testnet init --dir net --validators 4");
    let file = dir.path().join("net/node0/config.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\nhtpp = \"127.0.0.1:1\"\n")).unwrap();
    let said = bad(&dir, 3, "node run --home net/node0");
    assert!(said.contains("net/node0/config.toml") && said.contains("htpp"), "{said}");
    bad(&dir, 3, "node run --home nowhere");
}

#[test]
fn a_store_is_checked_and_rebuilt_at_rest() {
    let dir = tempfile::tempdir().unwrap();
    good(&dir, "testnet init --dir net --validators 4");
    let home = dir.path().join("net/node0");
    assert!(bad(&dir, 6, "store check --home net/node0").contains("never ran"));
    let genesis = Genesis::parse(&fs::read(home.join("genesis.json")).unwrap()).unwrap();
    sharelog::store::open(&home.join("data"), genesis.into(), 1 << 20).unwrap().0.close().unwrap();
    let report = parse(&good(&dir, "store check --home net/node0 --json"));
    assert_eq!((report.get("ok"), report.get("blocks")), (Some(&Value::Bool(true)), Some(&Value::Int(0))));
    good(&dir, "store rebuild --home net/node0");
    good(&dir, "store check --home net/node0");
    fs::remove_dir_all(home.join("data/state")).unwrap();
    good(&dir, "store rebuild --home net/node0 --json");
    good(&dir, "store check --home net/node0");
}

#[test]
fn evidence_that_is_none_is_refused_and_one_that_is_not_there_is_unreadable() {
    let dir = tempfile::tempdir().unwrap();
    let hash = "0".repeat(64);
    fs::write(dir.path().join("e.json"), "{}").unwrap();
    let ran = run(&dir, &["verify", "e.json", "--genesis", &hash, "--json"]);
    let verdict = parse(&ran.out);
    assert_eq!((ran.code, verdict.get("ok")), (1, Some(&Value::Bool(false))));
    assert!(text(&verdict, "failed").starts_with("form"));
    fs::write(dir.path().join("long.json"), vec![b' '; (4 << 20) + 1]).unwrap();
    assert!(bad(&dir, 1, &format!("verify long.json --genesis {hash}")).contains("too-large"));
    bad(&dir, 6, &format!("verify none.json --genesis {hash}"));
    bad(&dir, 6, "verify e.json --genesis 0123");
    bad(&dir, 6, &format!("verify e.json --genesis {hash} --pin none"));
}
