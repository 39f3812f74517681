//! The witness as a real process: the statuses of C2SP tlog-witness, what a kill leaves, requests at once; and a network of
//! nodes that ask two witnesses.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use ed25519_dalek::{Signature, VerifyingKey};
use sharelog::core::genesis::Genesis;
use sharelog::core::hash::Hash;
use sharelog::core::json::{self, Strings, Value};
use sharelog::core::key::{Algorithm, SecretKey, VerifierKey, encode_base64};
use sharelog::core::note::{Note, SignatureLine};
use sharelog::log::checkpoint::Checkpoint;
use sharelog::log::merkle::{MemoryNodes, consistency_proof, leaf_hash, root_at};
use sharelog::log::witness::Submission;
use tempfile::TempDir;

use super::network::{BINARY, TestNetwork, duty, free_ports, record_id, sharelog};

const ORIGIN: &str = "log.example/behind-the-sofa";
const UP: Duration = Duration::from_secs(30);

/// A log of one key and these leaves.
#[derive(Clone)]
struct TestLog {
    origin: String,
    leaves: Vec<String>,
}

impl TestLog {
    fn new(leaves: usize) -> Self {
        TestLog { origin: ORIGIN.to_owned(), leaves: (0..leaves).map(|leaf| leaf.to_string()).collect() }
    }

    fn with(&self, leaves: impl IntoIterator<Item = String>) -> Self {
        TestLog { leaves: self.leaves.iter().cloned().chain(leaves).collect(), ..self.clone() }
    }

    fn secret() -> SecretKey {
        SecretKey::from_seed(&[21; 32])
    }

    fn vkey() -> VerifierKey {
        VerifierKey::new(ORIGIN.to_owned(), Algorithm::Ed25519, TestLog::secret().public()).unwrap()
    }

    fn nodes(&self) -> MemoryNodes {
        let mut nodes = MemoryNodes::default();
        self.leaves.iter().for_each(|leaf| nodes.push(leaf_hash(leaf.as_bytes())));
        nodes
    }

    fn size(&self) -> u64 {
        u64::try_from(self.leaves.len()).unwrap()
    }

    fn text(&self) -> String {
        let root = root_at(&self.nodes(), self.size()).unwrap();
        Checkpoint { origin: self.origin.clone(), size: self.size(), root }.to_text()
    }

    /// What is submitted from the size `old` on.
    fn submission(&self, old: u64) -> Submission {
        let (vkey, text) = (TestLog::vkey(), self.text());
        let line =
            SignatureLine { name: vkey.name().to_owned(), id: vkey.id(), signature: TestLog::secret().sign(text.as_bytes()).to_vec() };
        let proof = consistency_proof(&self.nodes(), old, self.size()).unwrap();
        Submission { old, proof, note: Note { text, lines: vec![line] } }
    }

    fn body(&self, old: u64) -> String {
        self.submission(old).to_text()
    }
}

/// A witness's home and process.
struct TestWitness {
    dir: TempDir,
    pub address: String,
    pub vkey: VerifierKey,
    child: Option<Child>,
}

impl TestWitness {
    /// Made for these keys of the origins that stand in them, and started.
    fn start(name: &str, keys: &[VerifierKey]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_ports(1));
        let home = dir.path().join("w").display().to_string();
        let vkeys: Vec<_> = keys.iter().map(ToString::to_string).collect();
        let mut arguments = vec!["witness", "init", "--json", "--home", &home, "--name", name, "--http", &address];
        vkeys.iter().for_each(|vkey| arguments.extend(["--log", vkey]));
        let made = json::parse(good(&sharelog(&arguments)).trim_end().as_bytes(), Strings::Strict).unwrap();
        let vkey = VerifierKey::parse(made.get("vkey").unwrap().as_str().unwrap()).unwrap();
        let mut witness = TestWitness { dir, address, vkey, child: None };
        witness.run();
        witness
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("w")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.args(["witness", "run", "--home"]).arg(self.home()).stdin(Stdio::null());
        command
    }

    fn run(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        self.child = Some(self.command().stderr(log).spawn().unwrap());
        let until = Instant::now() + UP;
        while TcpStream::connect(&self.address).is_err() {
            assert!(Instant::now() < until, "{}", std::fs::read_to_string(self.dir.path().join("log")).unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// kill -9.
    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// One raw request; gives status, headers in lower case, and body.
    fn raw(&self, head: &str, body: &[u8]) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(UP)).unwrap();
        let head = format!("{head}\r\nHost: witness.example\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
    }

    fn post(&self, body: &str) -> (u16, String, String) {
        self.raw("POST /add-checkpoint HTTP/1.1", body.as_bytes())
    }

    /// The size that the witness says it has.
    fn size(&self, log: &TestLog) -> u64 {
        // No witness here ever has this size.
        let asked = TestLog { leaves: vec!["x".to_owned(); 100], ..log.clone() };
        let (status, head, body) = self.post(&asked.body(99));
        assert_eq!(status, 409, "{body}");
        assert!(head.contains("\r\ncontent-type: text/x.tlog.size\r\n"), "{head}");
        body.strip_suffix('\n').unwrap().parse().unwrap()
    }
}

impl Drop for TestWitness {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

fn good(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout.clone()).unwrap()
}

/// Verifies a cosignature line with nothing but the standard's text and dalek; gives its time.
fn check_cosignature(line: &SignatureLine, text: &str, vkey: &VerifierKey) -> u64 {
    assert_eq!((line.name.as_str(), line.id), (vkey.name(), vkey.id()));
    let (time, signature) = line.signature.split_first_chunk::<8>().unwrap();
    let time = u64::from_be_bytes(*time);
    let message = format!("cosignature/v1\ntime {time}\n{text}");
    let key = VerifyingKey::from_bytes(vkey.public().as_bytes()).unwrap();
    key.verify_strict(message.as_bytes(), &Signature::from_slice(signature).unwrap()).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(time <= now && now - time < 60, "{time}");
    time
}

/// The one line of a 200.
fn cosigned(answer: (u16, String, String), text: &str, vkey: &VerifierKey) {
    assert_eq!(answer.0, 200, "{}", answer.2);
    let note = Note::parse(format!("{text}\n{}", answer.2).as_bytes()).unwrap();
    assert_eq!(note.lines.len(), 1);
    check_cosignature(&note.lines[0], text, vkey);
}

#[test]
fn a_witness_answers_with_the_statuses_of_the_standard() {
    let witness = TestWitness::start("witness.example/w1", &[TestLog::vkey()]);
    let (five, nine) = (TestLog::new(5), TestLog::new(9));
    let status = |body: &str| witness.post(body).0;
    // Nothing was cosigned yet.
    assert_eq!(witness.size(&five), 0);
    let elsewhere = TestLog { origin: "log.example/other".to_owned(), ..five.clone() };
    assert_eq!(status(&elsewhere.body(0)), 404);
    let name = Hash::of(ORIGIN.as_bytes()).to_hex();
    let latest = format!("GET /{name}/checkpoint HTTP/1.1");
    assert_eq!(witness.raw(&latest, b"").0, 404);
    // Malformed requests.
    let body = five.body(0);
    for bad in [
        body.replacen("old 0", "old 00", 1),
        body.replacen("old 0", "old -1", 1),
        body.replacen("old 0\n", "", 1),
        body.replacen("old 0\n", "old 0\n\n", 1),
        body.replacen("\n5\n", "\n05\n", 1),
        body.replacen("old 0\n", &format!("old 0\n{}", format!("{}\n", encode_base64(&[7; 32])).repeat(64)), 1),
        body.replacen("old 0\n", "old 0\nAAAA\n", 1),
        body.trim_end().to_owned(),
        String::new(),
        five.body(5).replacen("old 5", "old 6", 1),
    ] {
        assert_eq!(status(&bad), 400, "{bad}");
    }
    // Signatures: none by a trusted key, a bad one beside a name and id that are known.
    let mut unsigned = five.submission(0);
    unsigned.note.lines[0].id = [1, 2, 3, 4];
    assert_eq!(status(&unsigned.to_text()), 403);
    let mut forged = five.submission(0);
    forged.note.lines[0].signature[9] ^= 1;
    assert_eq!(status(&forged.to_text()), 403);
    // A proof from nothing; an empty tree with leaves.
    let mut proof = five.submission(0);
    proof.proof.push(Hash::of(b"x"));
    assert_eq!(status(&proof.to_text()), 422);
    let mut empty = TestLog::new(0).submission(0);
    empty.note.text = Checkpoint { origin: ORIGIN.to_owned(), size: 0, root: Hash::of(b"x") }.to_text();
    empty.note.lines[0].signature = TestLog::secret().sign(empty.note.text.as_bytes()).to_vec();
    assert_eq!(status(&empty.to_text()), 422);
    // None of all that was cosigned. Lines of unknown keys do not matter.
    assert_eq!(witness.size(&five), 0);
    let mut more = five.submission(0);
    more.note.lines.push(SignatureLine { name: "stranger.example".to_owned(), id: [9; 4], signature: vec![1; 64] });
    cosigned(witness.post(&more.to_text()), &five.text(), &witness.vkey);
    assert_eq!(witness.size(&five), 5);
    // From there on only the same, or its continuation.
    cosigned(witness.post(&five.body(5)), &five.text(), &witness.vkey);
    assert_eq!(status(&TestLog::new(4).with(["fork".to_owned()]).body(5)), 422, "another root at the same size");
    assert_eq!(status(&TestLog::new(4).with((0..5).map(|leaf| format!("fork {leaf}"))).body(5)), 422, "another history");
    let mut short = nine.submission(5);
    short.proof.pop();
    assert_eq!(status(&short.to_text()), 422);
    assert_eq!(status(&nine.body(0)), 409);
    assert_eq!(status(&TestLog::new(4).body(4)), 409);
    cosigned(witness.post(&nine.body(5)), &nine.text(), &witness.vkey);
    assert_eq!(witness.size(&five), 9);
    // What monitors read: the log's line and the witness's.
    let (code, _, note) = witness.raw(&latest, b"");
    let note = Note::parse(note.as_bytes()).unwrap();
    assert_eq!((code, note.text.as_str(), note.lines.len()), (200, nine.text().as_str(), 2));
    assert_eq!(note.lines[0], nine.submission(5).note.lines[0]);
    check_cosignature(&note.lines[1], &nine.text(), &witness.vkey);
    let oracle = signed_note::Note::from_bytes(note.to_text().as_bytes()).unwrap();
    let known = signed_note::StandardVerifier::new(&TestLog::vkey().to_string()).unwrap();
    let (verified, others) = oracle.verify(&signed_note::VerifierList::new(vec![Box::new(known)])).unwrap();
    assert_eq!((verified.len(), others.len()), (1, 1));
    // Bounds, and what is no request of the standard.
    assert_eq!(witness.raw("GET /add-checkpoint HTTP/1.1", b"").0, 405);
    assert_eq!(witness.raw("POST /elsewhere HTTP/1.1", b"").0, 404);
    assert_eq!(status(&format!("{}{}", nine.body(9), "x".repeat(70_000))), 413);
    assert_eq!(witness.raw("POST /add-checkpoint HTTP/1.1\r\nContent-Encoding: gzip", nine.body(9).as_bytes()).0, 415);
    let (code, _, about) = witness.raw("GET / HTTP/1.1", b"");
    assert!(code == 200 && about.contains(&witness.vkey.to_string()) && about.contains(ORIGIN) && about.contains("9 leaves"), "{about}");
}

#[test]
fn a_witness_that_is_killed_after_its_answer_has_kept_it() {
    let mut witness = TestWitness::start("witness.example/w2", &[TestLog::vkey()]);
    for size in 1..=6 {
        let log = TestLog::new(size);
        let old = log.size() - 1;
        cosigned(witness.post(&log.body(old)), &log.text(), &witness.vkey);
        witness.kill();
        witness.run();
        assert_eq!(witness.size(&log), log.size());
        let fork = TestLog::new(size - 1).with(["fork".to_owned()]);
        assert_eq!(witness.post(&fork.body(log.size())).0, 422, "a second root at {size}");
        assert_eq!(witness.post(&fork.body(old)).0, 409);
    }
    // A second process leaves the home alone; a clean end is one.
    let second = witness.command().output().unwrap();
    assert!(!second.status.success() && String::from_utf8_lossy(&second.stderr).contains("another process"), "{second:?}");
    let child = witness.child.as_mut().unwrap();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert!(witness.child.take().unwrap().wait().unwrap().success());
    // What it kept is sealed by its own signature.
    let file = witness.home().join("latest").join(format!("{}.note", Hash::of(ORIGIN.as_bytes())));
    let kept = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, kept.replacen("\n6\n", "\n1\n", 1)).unwrap();
    let damaged = witness.command().output().unwrap();
    assert!(!damaged.status.success() && String::from_utf8_lossy(&damaged.stderr).contains("damaged"), "{damaged:?}");
}

#[test]
fn of_two_roots_at_one_size_one_is_cosigned_whoever_asks_at_once() {
    let witness = TestWitness::start("witness.example/w3", &[TestLog::vkey()]);
    let mut log = TestLog::new(3);
    cosigned(witness.post(&log.body(0)), &log.text(), &witness.vkey);
    for round in 0..8 {
        let forks = ["a", "b"].map(|side| log.with((0..=round).map(|leaf| format!("{side} {leaf}"))));
        let bodies = forks.clone().map(|fork| fork.body(log.size()));
        let barrier = Barrier::new(16);
        let answers: Vec<(usize, u16)> = std::thread::scope(|scope| {
            let ask = |caller: usize| {
                let (witness, bodies, barrier) = (&witness, &bodies, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    (caller % 2, witness.post(&bodies[caller % 2]).0)
                })
            };
            let asked: Vec<_> = (0..16).map(ask).collect();
            asked.into_iter().map(|answer| answer.join().unwrap()).collect()
        });
        let winners: Vec<_> = answers.iter().filter(|(_, status)| *status == 200).map(|(side, _)| *side).collect();
        assert_eq!(winners.len(), 1, "the first one is cosigned, all others named the size before it: {answers:?}");
        assert!(answers.iter().all(|(_, status)| [200, 409].contains(status)), "{answers:?}");
        let size = forks[0].size();
        assert_eq!(witness.size(&log), size);
        let [winner, loser] = if winners[0] == 0 { [&forks[0], &forks[1]] } else { [&forks[1], &forks[0]] };
        assert_eq!((witness.post(&winner.body(size)).0, witness.post(&loser.body(size)).0), (200, 422));
        log = winner.clone();
    }
}

/// Every node's public checkpoint, once all have `size` leaves or more and the lines of all these witnesses.
fn wait_witnessed(network: &mut TestNetwork, size: u64, witnesses: &[&TestWitness]) -> Vec<Note> {
    let dir = network.dir.path().to_owned();
    let look = |net: &sharelog::node::local::LocalNetwork, node: usize| {
        let (_, note) = net.get(node, "/checkpoint").ok()?;
        let note = Note::parse(&note).ok()?;
        let is_there = Checkpoint::parse(&note.text).unwrap().size >= size;
        let has_all = witnesses.iter().all(|witness| note.lines.iter().any(|line| line.name == witness.vkey.name()));
        (is_there && has_all).then_some(note)
    };
    let mut notes = Vec::new();
    let waited = network.net.wait_until("the lines of the witnesses", Duration::from_secs(60), |net| {
        notes = (0..net.nodes.len()).filter_map(|node| look(net, node)).collect();
        notes.len() == net.nodes.len()
    });
    waited.unwrap_or_else(|error| panic!("{error}\n{}", std::fs::read_to_string(dir.join("node0/node.log")).unwrap()));
    notes
}

#[test]
fn a_networks_checkpoints_carry_the_lines_of_its_witnesses() {
    let mut network = TestNetwork::init(4);
    let genesis = Genesis::parse(&network.genesis).unwrap();
    let publication = |key| VerifierKey::new(genesis.origin.clone(), Algorithm::Ed25519, key).unwrap();
    let keys: Vec<_> = genesis.validators.iter().map(|validator| publication(validator.publication)).collect();
    let (first, mut second) = (TestWitness::start("audit.example/1", &keys), TestWitness::start("audit.example/2", &keys));
    let setting = [&first, &second].map(|witness| format!("http://{} {}", witness.address, witness.vkey)).join(",");
    network.net.environment.push(("SHARELOG_WITNESSES".to_owned(), setting));
    network.net.start_all().unwrap();
    network.all_ready();
    let office = network.key("agency-1", "office");
    let commit = |network: &TestNetwork, local: &str| {
        let note = duty(&network.net.origin, "agency-1", local, &office);
        let (status, body) = network.net.post(0, &note, "?wait=committed").unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let answer = json::parse(&body, Strings::WithNotes).unwrap();
        (record_id(&note), answer.get("position").unwrap().as_u64().unwrap())
    };
    let (id, position) = commit(&network, "witnessed");
    for note in wait_witnessed(&mut network, position + 1, &[&first, &second]) {
        assert!(note.lines.len() <= 16);
        assert_eq!(note.lines[0].name, genesis.origin);
        assert_eq!(note.lines.iter().filter(|line| line.name == genesis.origin).count(), 1);
        let validators = note.lines.iter().filter(|line| line.name.starts_with(&format!("{}/validator/", genesis.origin))).count();
        assert!(validators >= 3, "the quorum stays");
        for witness in [&first, &second] {
            let line = note.lines.iter().find(|line| line.name == witness.vkey.name()).unwrap();
            check_cosignature(line, &note.text, &witness.vkey);
        }
    }
    let status = network.net.ask(0, "/api/v1/status").unwrap();
    let named = status.get("checkpoint").unwrap().get("witnesses").unwrap().as_array().unwrap();
    assert_eq!(named.iter().filter_map(Value::as_str).collect::<Vec<_>>(), ["audit.example/1", "audit.example/2"]);
    let policy = String::from_utf8(network.net.get(2, "/policy").unwrap().1).unwrap();
    assert!(policy.contains(&format!("witness audit.example/1 {} http://{}\n", first.vkey, first.address)), "{policy}");
    assert!(policy.ends_with("\ngroup witnesses any audit.example/1 audit.example/2\nquorum validators\n"), "{policy}");
    // The monitor finds one tree at nodes and witnesses.
    let addressed = [&first, &second].map(|witness| format!("http://{} {}", witness.address, witness.vkey));
    let mut looked = vec!["monitor", "--once", "--genesis", &network.net.genesis_hash];
    addressed.iter().for_each(|witness| looked.extend(["--witness", witness]));
    network.net.nodes.iter().for_each(|node| looked.push(&node.http));
    assert!(good(&sharelog(&looked)).starts_with("No alarm: 4 nodes"));
    // Evidence leaves the lines out and holds.
    let file = network.path("it.evidence.json").display().to_string();
    network.cli(&["evidence", &id.to_hex(), "-o", &file]).unwrap();
    let verdict = network.cli(&["verify", &file, "--genesis", &network.net.genesis_hash]).unwrap();
    assert_eq!(verdict.get("ok"), Some(&Value::Bool(true)));
    assert!(!std::fs::read_to_string(&file).unwrap().contains("audit.example"));
    // One that is down changes nothing for the ledger, nor for the other.
    second.kill();
    let (_, position) = commit(&network, "with-one");
    for note in wait_witnessed(&mut network, position + 1, &[&first]) {
        assert!(note.lines.iter().all(|line| line.name != second.vkey.name()), "nobody signs while it is down");
    }
    // It comes back, and is asked again.
    second.run();
    wait_witnessed(&mut network, position + 1, &[&first, &second]);
    assert!(network.net.stop_all(), "a clean end, witnesses or not");
}
