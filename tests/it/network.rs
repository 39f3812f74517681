//! A network of real node processes for one test: own folder, own ports, keys of its agencies, a signed load.

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sharelog::core::hash::Hash;
use sharelog::core::json::{self, Strings, Value, object, strings};
use sharelog::core::key::{SecretKey, VerifierKey};
use sharelog::core::kinds::Kind;
use sharelog::core::record::Draft;
use sharelog::core::time::Time;
use sharelog::keystore;
use sharelog::node::local::LocalNetwork;
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_sharelog");
#[cfg(feature = "test-faults")]
pub const FAULTY_BINARY: &str = env!("CARGO_BIN_EXE_sharelog-faults");
pub const READY: Duration = Duration::from_secs(120);
/// No test of a network takes this long; one that does hangs, and would take all others along.
const HANGS: Duration = Duration::from_secs(15 * 60);

/// One network at a time: two cores carry four nodes and their load, not eight.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
static PORTS: AtomicU64 = AtomicU64::new(0);

/// Sets a flag when it goes: threads that run until then end with their scope, also when the scope ends by a panic.
pub struct Ends<'a>(pub &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Ends the whole run, by name of the test, where one test hangs: a run that never ends says nothing at all.
struct Watchdog(#[allow(dead_code, reason = "its end is the message")] Sender<()>);

impl Watchdog {
    fn start() -> Self {
        let (alive, gone) = channel::<()>();
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        std::thread::spawn(move || {
            if gone.recv_timeout(HANGS) == Err(RecvTimeoutError::Timeout) {
                // Past the capture of test output.
                let _ = writeln!(std::io::stderr(), "{test} hangs: no end after {HANGS:?}");
                std::process::exit(101);
            }
        });
        Watchdog(alive)
    }
}

/// A `testnet init` network in a temporary folder.
pub struct TestNetwork {
    pub net: LocalNetwork,
    pub genesis: Vec<u8>,
    // Dropped after the processes.
    pub dir: TempDir,
    _watchdog: Watchdog,
    _turn: MutexGuard<'static, ()>,
}

/// A first port from which `count` are free: below the ephemeral range, apart for each process and each call.
pub fn free_ports(count: u16) -> u16 {
    for _ in 0..200 {
        let turn = PORTS.fetch_add(1, Ordering::Relaxed);
        let first = 10_000 + u16::try_from((u64::from(std::process::id()) * 7 + turn * 13) % 1_000).unwrap() * 20;
        if (first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
    panic!("no free ports");
}

/// Runs the program to its end.
pub fn sharelog(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

impl TestNetwork {
    /// Initialised, not started.
    pub fn init(validators: u16) -> Self {
        TestNetwork::init_with(validators, BINARY)
    }

    /// Initialised with another program for the nodes, not started.
    pub fn init_with(validators: u16, binary: &str) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        let (base, http) = (free_ports(2 * validators), free_ports(validators));
        let out = sharelog(&[
            "testnet",
            "init",
            "--dir",
            dir.path().to_str().unwrap(),
            "--validators",
            &validators.to_string(),
            "--base-port",
            &base.to_string(),
            "--http-port",
            &http.to_string(),
            "--seed",
            "7",
        ]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let net = LocalNetwork::open(dir.path(), binary.as_ref()).unwrap();
        let genesis = std::fs::read(dir.path().join("genesis.json")).unwrap();
        TestNetwork { net, genesis, dir, _watchdog: Watchdog::start(), _turn: turn }
    }

    /// Four validators, ready.
    pub fn start() -> Self {
        let mut network = TestNetwork::init(4);
        network.net.start_all().unwrap();
        network.all_ready();
        network
    }

    pub fn all_ready(&mut self) {
        for index in 0..self.net.nodes.len() {
            self.net.wait_ready(index, READY).unwrap_or_else(|error| panic!("{error}\n{}", self.log_tail(index)));
        }
    }

    /// The end of a node's log, for messages.
    pub fn log_tail(&self, index: usize) -> String {
        let log = std::fs::read_to_string(self.net.nodes[index].home.join("node.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub fn key_path(&self, agency: &str, role: &str) -> String {
        self.path(&format!("clients/{agency}/{role}.pem")).display().to_string()
    }

    pub fn key(&self, agency: &str, role: &str) -> (VerifierKey, SecretKey) {
        keystore::load(&self.path(&format!("clients/{agency}/{role}.pem"))).unwrap()
    }

    /// Runs the program against node 0; gives the JSON that it printed, or its exit status and error text.
    pub fn cli(&self, arguments: &[&str]) -> Result<Value, (i32, String)> {
        let out = Command::new(BINARY).args(arguments).args(["--json", "--node", &self.net.nodes[0].http]).output().unwrap();
        if !out.status.success() {
            let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
            return Err((out.status.code().unwrap_or(-1), text));
        }
        Ok(json::parse(out.stdout.trim_ascii_end(), Strings::WithNotes).unwrap())
    }

    /// The sizes of all nodes are equal and nothing is pending.
    pub fn settle(&mut self, limit: Duration) {
        let settled = self.net.wait_until("equal heads, nothing pending", limit, |net| {
            let look = |index: usize| {
                let status = net.ask(index, "/api/v1/status").ok()?;
                let pending = status.get("pool")?.get("records")?.as_u64()?;
                Some((status.get("head")?.get("size")?.as_u64()?, pending))
            };
            let looks: Option<Vec<_>> = (0..net.nodes.len()).map(look).collect();
            looks.is_some_and(|looks| looks.iter().all(|look| *look == (looks[0].0, 0)))
        });
        if let Err(error) = settled {
            let tails: Vec<_> = (0..self.net.nodes.len()).map(|index| self.log_tail(index)).collect();
            panic!("{error}\n{}", tails.join("\n---\n"));
        }
    }
}

/// The time now.
pub fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time::from_unix_ms(u64::try_from(since.as_millis()).unwrap()).unwrap()
}

/// A fresh UUIDv7.
pub fn uid() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The record id of a note.
pub fn record_id(note: &str) -> Hash {
    let end = note.rfind("\n\n").unwrap();
    Hash::of(&note.as_bytes()[..=end])
}

/// Signs a duty of its own: the smallest record that stands alone.
pub fn duty(origin: &str, agency: &str, local: &str, key: &(VerifierKey, SecretKey)) -> String {
    let body =
        object([("basis", strings(["Test Act"])), ("id", format!("{agency}:{local}").into()), ("title", format!("Duty {local}").into())]);
    Draft { at: now(), by: agency.to_owned(), kind: Kind::DutyDeclare, refs: Vec::new(), uid: uid(), body }
        .sign(origin, &[(&key.0, &key.1)])
}

/// What became of a submission; an unknown one may or may not be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Committed { position: u64, height: u64 },
    Refused { status: u16, body: String },
    Unknown,
}

/// One submission: when it went out, when its outcome was known.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: Hash,
    pub submitted: Instant,
    pub answered: Instant,
    pub outcome: Outcome,
}

/// Every submission of a load.
pub type OperationLog = Vec<Operation>;

/// Writers for each agency of a load: four nodes on a busy machine take a second for each record.
pub const WRITERS: usize = 4;

/// Signed load from agencies on all nodes: some writers for each, every one with a record in flight.
pub struct Load<'a> {
    pub origin: &'a str,
    pub urls: Vec<String>,
    pub keys: Vec<(String, (VerifierKey, SecretKey))>,
    pub prefix: &'a str,
    /// For each agency.
    pub writers: usize,
}

impl Load<'_> {
    /// Runs the load while `during` does its work; gives the log of all writers.
    pub fn run<T>(&self, during: impl FnOnce() -> T) -> (OperationLog, T) {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..self.keys.len() * self.writers)
                .map(|writer| {
                    scope.spawn({
                        let stop = &stop;
                        move || self.write(writer, stop)
                    })
                })
                .collect();
            let ends = Ends(&stop);
            let result = during();
            drop(ends);
            let log = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
            (log, result)
        })
    }

    fn write(&self, writer: usize, stop: &AtomicBool) -> OperationLog {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).http_status_as_error(false).build().into();
        let (agency, key) = &self.keys[writer % self.keys.len()];
        let mut log = Vec::new();
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            let note = duty(self.origin, agency, &format!("{}-{writer}-{count}", self.prefix), key);
            let submitted = Instant::now();
            let outcome = submit(&agent, &self.urls[(writer + count) % self.urls.len()], &note);
            if matches!(outcome, Outcome::Unknown) {
                std::thread::sleep(Duration::from_millis(20));
            }
            log.push(Operation { id: record_id(&note), submitted, answered: Instant::now(), outcome });
            count += 1;
        }
        log
    }
}

/// What an answer of status 200 acknowledges.
fn committed(body: &[u8]) -> Outcome {
    let answer = json::parse(body, Strings::WithNotes).unwrap();
    let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap();
    Outcome::Committed { position: number("position"), height: number("height") }
}

/// A line of the operation log from an answer of status 200 that just came, to a test that submits one record after the other.
pub fn acknowledged(note: &str, body: &[u8]) -> Operation {
    let now = Instant::now();
    Operation { id: record_id(note), submitted: now, answered: now, outcome: committed(body) }
}

fn submit(agent: &ureq::Agent, url: &str, note: &str) -> Outcome {
    let request = agent.post(&format!("{url}/api/v1/records?wait=committed")).header("content-type", "text/plain");
    let Ok(mut response) = request.send(note) else {
        return Outcome::Unknown;
    };
    let Ok(body) = response.body_mut().read_to_vec() else {
        return Outcome::Unknown;
    };
    match response.status().as_u16() {
        200 => committed(&body),
        202 | 429 | 503 => Outcome::Unknown,
        status => Outcome::Refused { status, body: String::from_utf8_lossy(&body).into_owned() },
    }
}

/// How many submissions were acknowledged as committed.
pub fn committed_records(log: &OperationLog) -> usize {
    log.iter().filter(|operation| matches!(operation.outcome, Outcome::Committed { .. })).count()
}

/// Committed records per second must reach this, else the run shows nothing.
pub const LOAD_MIN_PER_S: f64 = 5.0;

/// Fails a run whose load was too thin to show anything, or in which a good record was refused.
pub fn check_load(log: &OperationLog, since: Instant) {
    let committed = committed_records(log);
    let refused: Vec<_> = log.iter().filter(|operation| matches!(operation.outcome, Outcome::Refused { .. })).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let rate = f64::from(u32::try_from(committed).unwrap()) / since.elapsed().as_secs_f64();
    assert!(rate >= LOAD_MIN_PER_S, "void: {rate:.1} committed records/s");
    println!("{committed} committed, {rate:.1}/s, {} submissions", log.len());
}
