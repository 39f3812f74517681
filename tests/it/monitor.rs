//! The monitor against a real network, and against what a bad node would show: servers of the test that replay, forge and
//! fork, with the keys of a seeded network.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sharelog::core::hash::Hash;
use sharelog::core::json::{self, Strings, Value, object, strings};
use sharelog::core::key::encode_base64;
use sharelog::core::note::Note;
use sharelog::keystore::load_secret;
use sharelog::log::checkpoint::{Checkpoint, Cosignature, publish};
use sharelog::log::entry::BlockEntry;
use sharelog::log::merkle::{MemoryNodes, consistency_proof, inclusion_proof, leaf_hash, root_at};
use sharelog::log::tile::{entries_path, tile_path};

use super::network::{BINARY, TestNetwork, duty, free_ports, sharelog};

/// A node that answers some addresses by itself, and all others as the one behind it.
struct FakeNode {
    url: String,
    own: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl FakeNode {
    /// Ends with the test's process.
    fn before(node: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let own: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
        let (answers, behind) = (Arc::clone(&own), node.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, behind) = (Arc::clone(&answers), behind.clone());
                std::thread::spawn(move || answer(stream.unwrap(), &answers, &behind));
            }
        });
        FakeNode { url, own }
    }

    fn show(&self, path: &str, body: impl Into<Vec<u8>>) {
        self.own.lock().unwrap().insert(path.to_owned(), body.into());
    }

    fn be_honest(&self) {
        self.own.lock().unwrap().clear();
    }
}

/// One request on one connection.
fn answer(mut stream: TcpStream, own: &Mutex<BTreeMap<String, Vec<u8>>>, behind: &str) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let Some(path) = head.split(' ').nth(1) else {
        return;
    };
    let shown = own.lock().unwrap().get(path).cloned();
    let (status, body) = match shown {
        Some(body) => (200, body),
        None => {
            let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let mut response = agent.get(format!("{behind}{path}")).call().unwrap();
            (response.status().as_u16(), response.body_mut().read_to_vec().unwrap())
        }
    };
    let head = format!("HTTP/1.1 {status} Answer\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    // Whoever asked may be gone.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

/// What `monitor --once --json` printed: its lines, and whether it exited with 0.
fn look(genesis: &str, more: &[&str], nodes: &[&str]) -> (bool, Vec<Value>) {
    let mut arguments = vec!["monitor", "--once", "--json", "--genesis", genesis];
    arguments.extend(more);
    arguments.extend(nodes);
    let out = sharelog(&arguments);
    let text = String::from_utf8(out.stdout).unwrap();
    let lines = text.lines().map(|line| json::parse(line.as_bytes(), Strings::Strict).unwrap()).collect();
    let is_quiet = match out.status.code() {
        Some(0) => true,
        Some(1) => false,
        code => panic!("exit {code:?}: {}", String::from_utf8_lossy(&out.stderr)),
    };
    (is_quiet, lines)
}

/// (alarm, node) of each line, which has all its members.
fn alarms(lines: &[Value]) -> Vec<(String, String)> {
    let text = |line: &Value, name: &str| {
        let member = line.get(name).and_then(Value::as_str);
        member.filter(|text| !text.is_empty()).unwrap_or_else(|| panic!("no {name} in {}", line.to_jcs())).to_owned()
    };
    for line in lines {
        ["expected", "found", "next", "time"].iter().for_each(|name| drop(text(line, name)));
    }
    lines.iter().map(|line| (text(line, "alarm"), text(line, "node"))).collect()
}

fn alarm(kind: &str, node: &str) -> (String, String) {
    (kind.to_owned(), node.to_owned())
}

fn files(line: &Value) -> Vec<String> {
    let files = line.get("files").and_then(Value::as_array).unwrap_or_default();
    files.iter().map(|file| file.as_str().unwrap().to_owned()).collect()
}

/// A network and what the tests forge with its keys.
struct Forger<'a>(&'a TestNetwork);

impl Forger<'_> {
    fn checkpoint(&self) -> String {
        String::from_utf8(self.0.net.get(0, "/checkpoint").unwrap().1).unwrap()
    }

    /// A checkpoint that node 0 publishes with the cosignatures of these validators.
    fn sign(&self, size: u64, root: Hash, validators: &[usize]) -> String {
        let checkpoint = Checkpoint { origin: self.0.net.origin.clone(), size, root };
        let key = |node: usize, name: &str| load_secret(&self.0.net.nodes[node].home.join(format!("keys/{name}.pem"))).unwrap();
        let cosign = |node: &usize| Cosignature::sign(&checkpoint, &format!("agency-{node}"), 1_700_000_000, &key(*node, "cosigner"));
        let cosignatures: Vec<_> = validators.iter().map(cosign).collect();
        publish(&checkpoint, &key(0, "publication"), &cosignatures).to_text()
    }

    /// Another history from the last leaf before `size` on, one leaf longer, signed by a quorum, with all that a node shows
    /// of it.
    fn fork(&self, fake: &FakeNode, size: u64) -> Checkpoint {
        let hashes = self.0.net.get(0, &tile_path(0, 0, u32::try_from(size).unwrap())).unwrap().1;
        let mut nodes = MemoryNodes::default();
        hashes.chunks(32).take(usize::try_from(size - 1).unwrap()).for_each(|hash| nodes.push(Hash(hash.try_into().unwrap())));
        nodes.push(leaf_hash(b"a record that was never admitted"));
        let (height, _) = self.0.net.head(0).unwrap();
        let block = self.0.net.ask(0, &format!("/api/v1/blocks/{height}")).unwrap();
        let honest = BlockEntry::parse(block.get("entry").unwrap().as_str().unwrap().as_bytes()).unwrap();
        let forged = BlockEntry { first: size - 1, height: height + 1, position: size, root: nodes.frontier().root(), ..honest };
        nodes.push(forged.hash());
        let root = nodes.frontier().root();
        fake.show("/checkpoint", self.sign(size + 1, root, &[0, 1, 2]));
        let mut bundle = vec![0; 2 * usize::try_from(size).unwrap()];
        let leaf = forged.to_text();
        bundle.extend(u16::try_from(leaf.len()).unwrap().to_be_bytes());
        bundle.extend(leaf.as_bytes());
        fake.show(&entries_path(0, u32::try_from(size + 1).unwrap()), bundle);
        let list = |proof: Vec<Hash>| strings(proof.iter().map(|hash| encode_base64(hash.as_bytes())));
        let inclusion = object([("proof", list(inclusion_proof(&nodes, size, size + 1).unwrap()))]);
        fake.show(&format!("/api/v1/proofs/inclusion?position={size}&size={}", size + 1), inclusion.to_jcs());
        let from_root = root_at(&nodes, size).unwrap().to_hex();
        let consistency = object([("from_root", from_root.into()), ("proof", list(consistency_proof(&nodes, size, size + 1).unwrap()))]);
        fake.show(&format!("/api/v1/proofs/consistency?from={size}&to={}", size + 1), consistency.to_jcs());
        Checkpoint { origin: self.0.net.origin.clone(), size: size + 1, root }
    }
}

/// Commits a record at node 0 and waits until all nodes publish one checkpoint that covers it.
fn grow(network: &mut TestNetwork, local: &str) -> u64 {
    let office = network.key("agency-1", "office");
    let note = duty(&network.net.origin, "agency-1", local, &office);
    let (status, body) = network.net.post(0, &note, "?wait=committed").unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    let answer = json::parse(&body, Strings::WithNotes).unwrap();
    let covered = answer.get("position").unwrap().as_u64().unwrap() + 1;
    let mut size = 0;
    let waited = network.net.wait_until("one checkpoint", Duration::from_secs(60), |net| {
        let size_of = |node: usize| {
            let (_, note) = net.get(node, "/checkpoint").ok()?;
            Some(Checkpoint::parse(&Note::parse(&note).ok()?.text).ok()?.size)
        };
        let sizes: Option<Vec<_>> = (0..net.nodes.len()).map(size_of).collect();
        sizes.is_some_and(|sizes| {
            size = sizes[0];
            sizes.iter().all(|one| *one == size && *one >= covered)
        })
    });
    waited.unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(0)));
    size
}

#[test]
fn the_monitor_is_quiet_on_a_good_network_and_tells_what_is_wrong_with_a_bad_one() {
    let mut network = TestNetwork::start();
    let genesis = network.path("genesis.json").display().to_string();
    let state = network.path("watch").display().to_string();
    let keeps = ["--state", state.as_str()];
    let urls: Vec<_> = network.net.nodes.iter().map(|node| node.http.clone()).collect();
    let nodes: Vec<&str> = urls.iter().map(String::as_str).collect();
    let fake = FakeNode::before(nodes[0]);
    let watched = [nodes[0], nodes[1], nodes[2], nodes[3], fake.url.as_str()];
    grow(&mut network, "one");
    let old = Forger(&network).checkpoint();
    // Quiet, by file and by hash, at first and later.
    let (is_quiet, lines) = look(&genesis, &keeps, &watched);
    assert!(is_quiet && lines[0].get("nodes").and_then(Value::as_u64) == Some(5), "{lines:?}");
    let size = grow(&mut network, "two");
    let hash = network.net.genesis_hash.clone();
    let (is_quiet, lines) = look(&hash, &keeps, &watched);
    assert!(is_quiet && lines[0].get("size").and_then(Value::as_u64) == Some(size), "{lines:?}");
    let forger = Forger(&network);
    // A node that shows what it showed before.
    fake.show("/checkpoint", old);
    let (is_quiet, lines) = look(&genesis, &keeps, &watched);
    assert!(!is_quiet);
    assert_eq!(alarms(&lines), [alarm("rollback", &fake.url)]);
    assert_eq!(files(&lines[0]).len(), 2);
    assert_eq!(look(&genesis, &keeps, &watched).1.len(), 1, "it lasts");
    // Cosigned by too few; by nobody who is known; a bad line.
    let real = Note::parse(forger.checkpoint().as_bytes()).unwrap();
    fake.show("/checkpoint", Note { lines: real.lines[..3].to_vec(), ..real.clone() }.to_text());
    assert_eq!(alarms(&look(&genesis, &[], &watched).1), [alarm("no-quorum", &fake.url)]);
    let mut lines = real.lines.clone();
    lines.iter_mut().for_each(|line| line.id[0] ^= 1);
    fake.show("/checkpoint", Note { lines, ..real.clone() }.to_text());
    assert_eq!(alarms(&look(&genesis, &[], &watched).1), [alarm("no-quorum", &fake.url)]);
    let mut lines = real.lines.clone();
    lines[1].signature[20] ^= 1;
    fake.show("/checkpoint", Note { lines, ..real.clone() }.to_text());
    assert_eq!(alarms(&look(&genesis, &[], &watched).1), [alarm("malformed", &fake.url)]);
    fake.show("/checkpoint", "no note");
    assert_eq!(alarms(&look(&genesis, &[], &watched).1), [alarm("malformed", &fake.url)]);
    // Two roots at one size, signed by all validators: their own keys prove it of those that signed the other one too.
    fake.show("/checkpoint", forger.sign(size, Hash::of(b"another tree"), &[0, 1, 2, 3]));
    let (_, lines) = look(&genesis, &keeps, &watched);
    assert_eq!(alarms(&lines), [alarm("split-view", &fake.url), alarm("no-quorum", &fake.url)]);
    let kept = files(&lines[0]);
    assert_eq!(kept.iter().filter(|file| file.ends_with(".note")).count(), 2, "{kept:?}");
    let proofs: Vec<_> = kept.iter().filter(|file| file.contains("misbehaviour-agency-")).collect();
    assert!(proofs.len() >= 3, "{kept:?}");
    for proof in proofs {
        let verdict = network.cli(&["verify", proof, "--genesis", &genesis]).unwrap();
        assert_eq!(verdict.get("kind").and_then(Value::as_str), Some("cosignature"));
    }
    // Another history of another size, complete with quorum, last block and proofs of its own.
    let forked = forger.fork(&fake, size);
    let (_, lines) = look(&genesis, &keeps, &watched);
    assert_eq!(alarms(&lines), [alarm("split-view", &fake.url)], "{lines:?}");
    assert!(files(&lines[0]).iter().any(|file| file.contains("consistency-")), "{lines:?}");
    assert!(lines[0].get("found").unwrap().as_str().unwrap().contains(&forked.root.to_hex()));
    // The same without the proof: it cannot be told apart from a node that hides it.
    fake.show(&format!("/api/v1/proofs/consistency?from={size}&to={}", size + 1), "{}");
    assert_eq!(alarms(&look(&genesis, &keeps, &watched).1), [alarm("unproven", &fake.url)]);
    // None of all that was believed.
    fake.be_honest();
    assert!(look(&genesis, &keeps, &watched).0);
    // Another ledger; nobody there.
    let other = network.path("other").display().to_string();
    assert!(sharelog(&["testnet", "init", "--dir", &other, "--seed", "8"]).status.success());
    let (_, lines) = look(&format!("{other}/genesis.json"), &[], &nodes[..2]);
    assert_eq!(alarms(&lines), [alarm("other-ledger", nodes[0]), alarm("other-ledger", nodes[1])]);
    let nobody = format!("http://127.0.0.1:{}", free_ports(1));
    assert_eq!(alarms(&look(&genesis, &[], &[nodes[0], &nobody]).1), [alarm("unreachable", &nobody)]);
    watch_lasting(&genesis, &fake, nodes[1]);
    // Half of the validators stop: no new block comes.
    assert!(network.net.stop(2) && network.net.stop(3));
    std::thread::sleep(Duration::from_millis(2_100));
    let (_, lines) = look(&genesis, &["--stall", "2s"], &nodes);
    let mut found = alarms(&lines);
    found.sort();
    assert_eq!(
        found,
        [alarm("stalled", nodes[0]), alarm("stalled", nodes[1]), alarm("unreachable", nodes[2]), alarm("unreachable", nodes[3])]
    );
}

/// Without --once an alarm is told when it begins and when it is over, by a file of settings.
fn watch_lasting(genesis: &str, fake: &FakeNode, node: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("monitor.toml");
    std::fs::write(&file, format!("genesis = \"{genesis}\"\nnodes = [\"{node}\", \"{}\"]\nevery = \"100ms\"\n", fake.url)).unwrap();
    fake.show("/checkpoint", "no note");
    let mut child = Command::new(BINARY).args(["monitor", "--json", "--config"]).arg(&file).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || json::parse(lines.next().unwrap().unwrap().as_bytes(), Strings::Strict).unwrap();
    assert_eq!(next().get("alarm").and_then(Value::as_str), Some("malformed"));
    std::thread::sleep(Duration::from_millis(400));
    fake.be_honest();
    let over = next();
    assert_eq!(
        (over.get("over").and_then(Value::as_str), over.get("node").and_then(Value::as_str)),
        (Some("malformed"), Some(fake.url.as_str()))
    );
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::write(&file, format!("genesis = \"{genesis}\"\nnode = \"{node}\"\n")).unwrap();
    let out = sharelog(&["monitor", "--config", file.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(3), "an unknown key: {}", String::from_utf8_lossy(&out.stderr));
}
