//! Four engines in one process, over real sockets on loopback: they agree, idle, stop and come back.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sharelog::consensus::engine::{Engine, Voter};
use sharelog::consensus::misbehaviours::Misbehaviours;
use sharelog::consensus::pool::{Pool, Source};
use sharelog::core::genesis::{Genesis, GenesisAgency, GenesisParts, Validator, peer_id};
use sharelog::core::json::{object, strings};
use sharelog::core::key::{Algorithm, Role, SecretKey, VerifierKey, agency_key_name};
use sharelog::core::kinds::Kind;
use sharelog::core::policy;
use sharelog::core::record::Draft;
use sharelog::core::time::Time;
use sharelog::health::{Health, Life};
use sharelog::metrics::Metrics;
use sharelog::store::{self, Reader};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const WAIT: Duration = Duration::from_secs(60);

fn secret(agency: usize, which: u8) -> SecretKey {
    let mut seed = [which; 32];
    seed[0] = u8::try_from(agency).unwrap();
    SecretKey::from_seed(&seed)
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn genesis(ports: &[u16]) -> Arc<Genesis> {
    let agency = |index: usize| {
        let id = format!("agency-{index}");
        let body = [
            ("id", id.as_str().into()),
            ("level", "city".into()),
            ("names", object([("en", id.as_str().into())])),
            ("scheme", "plain".into()),
            ("territory", "3301".into()),
        ];
        let role = if index == 0 { Role::Authority } else { Role::Recovery };
        let keys = vec![(Role::Office, secret(index, 10).public()), (role, secret(index, 11).public())];
        GenesisAgency { id: id.clone(), keys, body: object(body) }
    };
    let validator = |(index, port): (usize, &u16)| Validator {
        addresses: vec![format!("/ip4/127.0.0.1/tcp/{port}")],
        agency: format!("agency-{index}"),
        consensus: secret(index, 1).public(),
        cosigner: secret(index, 2).public(),
        peer: peer_id(&secret(index, 3).public()),
        power: 1,
        publication: secret(index, 4).public(),
        records: vec![format!("/ip4/127.0.0.1/tcp/{}", port + 1)],
    };
    let parts = GenesisParts {
        name: "engine.example/sharelog".to_owned(),
        created: Time::from_unix_ms(now_ms() - 1000).unwrap(),
        agencies: (0..ports.len()).map(agency).collect(),
        calendars: Vec::new(),
        policy: policy::default_body(),
        validators: ports.iter().enumerate().map(validator).collect(),
    };
    Arc::new(Genesis::parse(&parts.to_bytes()).unwrap())
}

fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

struct Node {
    reader: Reader,
    pool: Arc<Pool>,
    health: Arc<Health>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Node {
    fn start(index: usize, genesis: &Arc<Genesis>, dir: &Path) -> Self {
        let home = dir.join(format!("node{index}"));
        let (writer, reader) = store::open(&home, Arc::clone(genesis), 8 << 20).unwrap();
        let metrics = Arc::new(Metrics::default());
        let pool = Pool::new(reader.clone(), Arc::clone(&metrics));
        let agency = format!("agency-{index}");
        let health = Arc::new(Health::new(agency.clone(), true));
        let engine = Engine {
            genesis: Arc::clone(genesis),
            agency,
            voter: Voter::Validator { key: Box::new(secret(index, 1)), has_just_joined: false },
            network_key: secret(index, 3),
            listen: genesis.validators[index].addresses[0].clone(),
            detours: Arc::default(),
            dir: home.join("consensus"),
            mark: home.join("voted"),
            propose_timeout: Duration::from_millis(500),
            writer,
            pool: Arc::clone(&pool),
            misbehaviours: Arc::new(Misbehaviours::open(home.join("misbehaviour")).unwrap()),
            health: Arc::clone(&health),
            metrics,
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(engine.run(stop.clone()));
        Node { reader, pool, health, stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("a stop within 10 s").unwrap().unwrap();
    }

    fn height(&self) -> u64 {
        self.reader.head().height
    }
}

async fn wait_for(what: &str, nodes: &[Node], mut condition: impl FnMut(&[Node]) -> bool) -> Duration {
    let start = Instant::now();
    while !condition(nodes) {
        let heights: Vec<_> = nodes.iter().map(|node| (node.height(), node.health.life())).collect();
        assert!(start.elapsed() < WAIT, "{what}: {heights:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

/// Gives a duty of `agency` to all nodes, as the record swarm would.
async fn submit(genesis: &Genesis, nodes: &[Node], agency: usize, local: &str) {
    let id = format!("agency-{agency}");
    let key = secret(agency, 10);
    let vkey = VerifierKey::new(agency_key_name(&genesis.origin, &id, Role::Office), Algorithm::Ed25519, key.public()).unwrap();
    let body = object([("basis", strings(["Test Act"])), ("id", format!("{id}:{local}").into()), ("title", "A duty".into())]);
    let at = Time::from_unix_ms(now_ms()).unwrap();
    let draft = Draft { at, by: id, kind: Kind::DutyDeclare, refs: Vec::new(), uid: uuid::Uuid::now_v7().to_string(), body };
    let note = draft.sign(&genesis.origin, &[(&vkey, &key)]);
    for node in nodes {
        let (pool, note) = (Arc::clone(&node.pool), note.clone());
        tokio::task::spawn_blocking(move || pool.submit(note.as_bytes(), Source::Client)).await.unwrap().unwrap();
    }
}

fn same_heads(nodes: &[Node]) -> bool {
    nodes.windows(2).all(|pair| pair[0].reader.head().entry_hash == pair[1].reader.head().entry_hash)
}

/// With `ENGINE_LOG=info`, say, the engines' own words are shown.
fn show_log() {
    if let Ok(filter) = std::env::var("ENGINE_LOG") {
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).try_init();
    }
}

/// The height at and below which node `index` signs nothing more, from its `last-signed` file; `None` while unknown.
fn signed_height(dir: &Path, index: usize) -> Option<u64> {
    let bytes = std::fs::read(dir.join(format!("node{index}/consensus/last-signed"))).ok()?;
    let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
    let (_, height) = [0, 4096].map(|slot| (number(slot), number(slot + 8))).into_iter().max()?;
    (height != u64::MAX).then_some(height)
}

/// Commits records until node 3 has settled what it may sign and the chain is above that.
async fn commit_until_it_votes(genesis: &Genesis, dir: &Path, nodes: &[Node], what: &str) {
    wait_for("the fourth is level", nodes, same_heads).await;
    wait_for("the fourth has settled", nodes, |_| signed_height(dir, 3).is_some()).await;
    let settled = signed_height(dir, 3).unwrap();
    for turn in 0.. {
        if nodes[0].height() >= settled {
            break;
        }
        commit(genesis, nodes, &format!("{what}{turn}-"), 1).await;
    }
}

/// Records one after the other, each of which gets its block on all nodes.
async fn commit(genesis: &Genesis, nodes: &[Node], what: &str, count: usize) {
    for turn in 0..count {
        let height = nodes.iter().map(Node::height).max().unwrap();
        submit(genesis, nodes, turn % 4, &format!("{what}{turn}")).await;
        let took = wait_for(what, nodes, |nodes| nodes.iter().all(|node| node.height() > height)).await;
        if took > Duration::from_millis(500) {
            println!("{what} {turn}: a block after {took:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_engines_agree_idle_and_come_back() {
    show_log();
    let dir = TempDir::new().unwrap();
    let genesis = genesis(&free_ports(4));
    let mut nodes: Vec<_> = (0..4).map(|index| Node::start(index, &genesis, dir.path())).collect();
    let took = wait_for("block 1", &nodes, |nodes| nodes.iter().all(|node| node.height() >= 1)).await;
    println!("block 1 after {took:?}");
    wait_for("ready", &nodes, |nodes| nodes.iter().all(|node| node.health.life() == Life::Ready)).await;

    commit(&genesis, &nodes, "four", 20).await;
    wait_for("one head", &nodes, same_heads).await;
    let idle = nodes[0].height();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(nodes[0].height(), idle, "no block without a record");

    nodes.pop().unwrap().stop().await;
    commit(&genesis, &nodes, "three", 20).await;
    nodes.push(Node::start(3, &genesis, dir.path()));
    let took = wait_for("the fourth is level", &nodes, same_heads).await;
    println!("level after {took:?}");
    let took = wait_for("the fourth is ready", &nodes, |nodes| nodes[3].health.life() == Life::Ready).await;
    println!("ready after {took:?}");

    for node in nodes.drain(..) {
        node.stop().await;
    }
    let mut nodes: Vec<_> = (0..4).map(|index| Node::start(index, &genesis, dir.path())).collect();
    let took = wait_for("all ready again", &nodes, |nodes| nodes.iter().all(|node| node.health.life() == Life::Ready)).await;
    println!("all ready again after {took:?}");
    commit(&genesis, &nodes, "again", 3).await;
    for node in nodes.drain(..) {
        node.stop().await;
    }
}

/// A validator whose `last-signed` or whole disk is gone does not vote at once, but later, when it cannot contradict itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_does_not_know_what_it_signed_follows_first() {
    show_log();
    let dir = TempDir::new().unwrap();
    let genesis = genesis(&free_ports(4));
    let mut nodes: Vec<_> = (0..4).map(|index| Node::start(index, &genesis, dir.path())).collect();
    wait_for("block 1", &nodes, |nodes| nodes.iter().all(|node| node.height() >= 1)).await;
    commit(&genesis, &nodes, "first", 20).await;

    nodes.pop().unwrap().stop().await;
    let files = dir.path().join("node3/consensus");
    std::fs::remove_file(files.join("last-signed")).unwrap();
    let error = Node::start(3, &genesis, dir.path()).task.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("rejoin"), "{error:#}");

    std::fs::write(files.join("rejoin"), "").unwrap();
    nodes.push(Node::start(3, &genesis, dir.path()));
    commit_until_it_votes(&genesis, dir.path(), &nodes, "rejoined").await;
    nodes.remove(2).stop().await;
    commit(&genesis, &nodes, "needed", 3).await;

    nodes.remove(2).stop().await;
    std::fs::remove_dir_all(dir.path().join("node3")).unwrap();
    nodes.push(Node::start(2, &genesis, dir.path()));
    nodes.push(Node::start(3, &genesis, dir.path()));
    commit_until_it_votes(&genesis, dir.path(), &nodes, "empty").await;
    nodes.remove(2).stop().await;
    commit(&genesis, &nodes, "needed-again", 3).await;
    for node in nodes.drain(..) {
        node.stop().await;
    }
}
