//! One node without network and engine: store, pool and checkpoints behind the real HTTP server, blocks made on demand and
//! certified by the fixed keys of [`crate::it::ledger`].

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sharelog::api::{self, Api};
use sharelog::consensus::checkpoints::{Checkpoints, Cosigned};
use sharelog::consensus::misbehaviours::Misbehaviours;
use sharelog::consensus::pool::Pool;
use sharelog::core::genesis::Genesis;
use sharelog::core::hash::Hash;
use sharelog::core::json::{self, Strings, Value};
use sharelog::core::key::{Algorithm, Role, VerifierKey};
use sharelog::core::kinds::Kind;
use sharelog::core::record::Draft;
use sharelog::core::time::Time;
use sharelog::health::{Health, Known, Life};
use sharelog::log::certificate::{Certificate, Step, vote_text};
use sharelog::log::checkpoint::{Checkpoint, Cosignature};
use sharelog::metrics::Metrics;
use sharelog::query::book::BookKeeper;
use sharelog::store::execution::Executor;
use sharelog::store::{self, Block, Reader, Writer};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::it::ledger::{self, FIRST_SET, agency_key, secret};
use crate::it::network::Ends;

const SIGNERS: [&str; 3] = ["agency-0", "agency-1", "agency-2"];

pub struct Node {
    pub genesis: Vec<u8>,
    pub origin: String,
    pub reader: Reader,
    pub pool: Arc<Pool>,
    pub health: Arc<Health>,
    pub address: SocketAddr,
    checkpoints: Arc<Checkpoints>,
    writer: Arc<Mutex<Writer>>,
    stop: CancellationToken,
    served: Mutex<Option<JoinHandle<anyhow::Result<()>>>>,
    runtime: Runtime,
    agent: ureq::Agent,
    uids: AtomicU64,
    _dir: tempfile::TempDir,
}

/// An answer: status, headers, body.
pub struct Got {
    pub status: u16,
    headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Got {
    pub fn json(&self) -> Value {
        json::parse(&self.body, Strings::WithNotes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a problem.
    pub fn problem(&self) -> (u16, String) {
        let value = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(value.get("status").unwrap().as_u64(), Some(u64::from(self.status)));
        (self.status, text(&value, "code"))
    }
}

pub fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {}", value.to_jcs())).to_owned()
}

pub fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {name} in {}", value.to_jcs()))
}

pub fn items(page: &Value) -> &[Value] {
    page.get("items").and_then(Value::as_array).unwrap()
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

impl Node {
    /// Serving, with an empty log.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut genesis = ledger::genesis();
        if let Value::Object(members) = &mut genesis {
            members.insert("created".to_owned(), "2024-01-01T00:00:00.000Z".into());
        }
        let genesis = genesis.to_jcs().into_bytes();
        let parsed = Arc::new(Genesis::parse(&genesis).unwrap());
        let origin = parsed.origin.clone();
        let (writer, reader) = store::open(&dir.path().join("data"), parsed, 1 << 20).unwrap();
        let metrics = Arc::new(Metrics::default());
        let pool = Pool::new(reader.clone(), Arc::clone(&metrics));
        let publication = || secret("agency-0/publication");
        let checkpoints = Checkpoints::new(reader.clone(), publication(), dir.path().join("checkpoint.note")).unwrap();
        let health = Arc::new(Health::new("agency-0".to_owned(), true));
        health.set_peers(FIRST_SET[1..].iter().map(|agency| Known { agency: (*agency).to_owned(), peer: format!("peer-{agency}") }));
        health.set_life(Life::Ready);
        let api = Arc::new(Api {
            reader: reader.clone(),
            book: Arc::new(BookKeeper::new(reader.clone())),
            pool: Arc::clone(&pool),
            checkpoints: Arc::clone(&checkpoints),
            misbehaviours: Arc::new(Misbehaviours::open(dir.path().join("misbehaviour")).unwrap()),
            health: Arc::clone(&health),
            metrics,
            publication: VerifierKey::new(origin.clone(), Algorithm::Ed25519, publication().public()).unwrap(),
            witnesses: Vec::new(),
            hosts: vec!["node.example".to_owned()],
        });
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = runtime.spawn(api::serve(api, listener, stop.clone()));
        let agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(40))).http_status_as_error(false);
        Node {
            genesis,
            origin,
            reader,
            pool,
            health,
            address,
            checkpoints,
            writer: Arc::new(Mutex::new(writer)),
            stop,
            served: Mutex::new(Some(served)),
            runtime,
            agent: agent.build().into(),
            uids: AtomicU64::new(0),
            _dir: dir,
        }
    }

    /// Commits what is pending as one block; gives its height.
    pub fn commit(&self) -> u64 {
        let mut writer = self.writer.lock().unwrap();
        let head = self.reader.head();
        let time = Time::from_unix_ms(now_ms()).unwrap().max(head.time.plus_ms(1));
        let genesis = Arc::clone(self.reader.genesis());
        let mut executor = Executor::new(&self.reader, &head, &genesis, time);
        let records = self.pool.candidates(1000, 1 << 20);
        for record in &records {
            executor.push(record).unwrap();
        }
        let execution = executor.finish("agency-0");
        let entry = execution.entry.clone();
        let vote = vote_text(&self.origin, Step::Precommit, entry.height, 0, Some(&entry.hash()));
        let sign = |agency: &str| (agency.to_owned(), secret(&format!("{agency}/consensus")).sign(vote.as_bytes()));
        let certificate = Certificate {
            block: entry.hash(),
            height: entry.height,
            ledger: self.origin.clone(),
            round: 0,
            signatures: SIGNERS.into_iter().map(sign).collect(),
        };
        let block = Block {
            entry_leaf: entry.to_text().into_bytes().into(),
            entry,
            records: records.iter().map(|record| Arc::clone(record.leaf())).collect(),
            certificate,
        };
        writer.append(&block, &execution).unwrap();
        self.pool.committed(&records.iter().map(|record| record.id()).collect::<Vec<_>>());
        block.entry.height
    }

    /// Makes the newest size public.
    pub fn cosign(&self) {
        let head = self.reader.head();
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: head.size, root: head.root };
        let sign = |agency| Cosignature::sign(&checkpoint, agency, now_ms() / 1000, &secret(&format!("{agency}/cosigner")));
        let cosignatures = SIGNERS.into_iter().map(sign).collect();
        self.checkpoints.add(&Cosigned { checkpoint, cosignatures });
        assert_eq!(self.checkpoints.public().unwrap().checkpoint.size, head.size);
    }

    /// Commits and cosigns whatever comes in while `during` runs.
    pub fn running<T>(&self, during: impl FnOnce() -> T) -> T {
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    if self.pool.pending().0 > 0 {
                        self.commit();
                        self.cosign();
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            // The engine ends with the test, however the test ends.
            let _ends = Ends(&end);
            during()
        })
    }

    /// A signed record of now.
    pub fn sign(&self, by: &str, kind: Kind, refs: &[Hash], body: &str, keys: &[(&str, Role, u32)]) -> String {
        let count = self.uids.fetch_add(1, Ordering::Relaxed);
        let draft = Draft {
            at: Time::from_unix_ms(now_ms()).unwrap(),
            by: by.to_owned(),
            kind,
            refs: refs.to_vec(),
            uid: format!("01939d7c-3f0a-7abc-8def-{count:012x}"),
            body: json::parse(body.as_bytes(), Strings::Strict).unwrap(),
        };
        let keys: Vec<_> = keys.iter().map(|(agency, role, turn)| agency_key(&self.origin, agency, *role, *turn)).collect();
        draft.sign(&self.origin, &keys.iter().map(|(secret, vkey)| (vkey, secret)).collect::<Vec<_>>())
    }

    /// A duty of agency-1, the smallest record that stands alone.
    pub fn duty(&self, local: &str) -> String {
        let body = format!(r#"{{"basis":["Test Act"],"id":"agency-1:{local}","title":"Duty {local}"}}"#);
        self.sign("agency-1", Kind::DutyDeclare, &[], &body, &[("agency-1", Role::Office, 0)])
    }

    /// Submits a record and waits for its commit; gives its id.
    pub fn put(&self, note: &str) -> Hash {
        let got = self.post("?wait=committed", note);
        assert_eq!(got.status, 200, "{}", String::from_utf8_lossy(&got.body));
        Hash::parse(&text(&got.json(), "id")).unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn post(&self, query: &str, note: &str) -> Got {
        let request = self.agent.post(self.url(&format!("/api/v1/records{query}"))).header("content-type", "text/plain");
        got(request.send(note))
    }

    pub fn post_as(&self, content_type: &str, body: &[u8]) -> Got {
        got(self.agent.post(self.url("/api/v1/records")).header("content-type", content_type).send(body))
    }

    pub fn get(&self, path: &str) -> Got {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        let request = self.agent.get(self.url(path));
        got(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).call())
    }

    pub fn head(&self, path: &str) -> Got {
        got(self.agent.head(self.url(path)).call())
    }

    /// The JSON of a GET that succeeds.
    pub fn ask(&self, path: &str) -> Value {
        let got = self.get(path);
        assert_eq!(got.status, 200, "{path}: {}", String::from_utf8_lossy(&got.body));
        assert_eq!(got.header("content-type"), "application/json");
        got.json()
    }

    /// All pages of a list, `limit` items each.
    pub fn all(&self, path: &str, limit: usize) -> Vec<Value> {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = self.ask(&format!("{path}{separator}limit={limit}{after}"));
            assert!(items(&page).len() <= limit);
            found.extend_from_slice(items(&page));
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = format!("&after={next}"),
                None => return found,
            }
        }
    }

    /// Sends raw bytes; gives everything that comes back until the other side closes or is silent for `wait`.
    pub fn raw(&self, bytes: &[u8], wait: Duration) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        read_all(&mut stream, wait)
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    /// Tells the server to stop; gives how long it took.
    pub fn stop(&self) -> Duration {
        let start = std::time::Instant::now();
        self.stop.cancel();
        let served = self.served.lock().unwrap().take().unwrap();
        self.runtime.block_on(served).unwrap().unwrap();
        start.elapsed()
    }
}

fn got(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Got {
    let mut response = response.unwrap();
    let body = response.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap();
    Got { status: response.status().as_u16(), headers: response.headers().clone(), body }
}

/// What a connection gives until it closes or is silent for `wait`.
pub fn read_all(stream: &mut TcpStream, wait: Duration) -> String {
    stream.set_read_timeout(Some(wait)).unwrap();
    let mut out = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        out.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&out).into_owned()
}
