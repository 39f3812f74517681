//! Links that fail: a TCP proxy between each two nodes, for either direction of dialling and for both swarms.
//!
//! The nodes dial the proxies because the setting `peers` names them; nobody knows another way. Conditions hold for the traffic
//! from one node to another, whoever dialled, and may change at any time:
//!
//! - `Held`: nothing arrives, and nobody is told; what waits arrives when the link is open again, as TCP sends anew. A link
//!   that is held in one direction alone hears and does not speak.
//! - `Cut`: all connections between the two end, and new ones end at once.
//! - A link forgets its connections, as a firewall does that starts again: they carry nothing any more, and nobody is told. New
//!   ones do.
//! - A delay with jitter, a rate in bytes/s, and loss. No proxy can lose a segment of TCP; what TCP makes of a loss is a stream
//!   that stands still until the segment was sent again, and that is what happens here: for 20 ms, as long as a probe of Linux
//!   takes, and when that is lost too for 200 ms, doubled each further time.
//!
//! Each direction counts its bytes, so that a test can tell whether its fault took effect.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sharelog::core::genesis::Genesis;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::network::TestNetwork;
use super::torture::Seeded;

/// What a proxy reads at once: about three segments.
const CHUNK_BYTES: usize = 4 * 1024;
/// Chunks on the way in one direction of a connection; the sender waits when there are more.
const CHUNKS_MAX: usize = 32;
/// How long Linux waits before it probes for a lost segment on a fast link.
const PROBE: Duration = Duration::from_millis(20);
/// How long TCP waits before it sends a segment again whose probe was lost, at least.
const RETRANSMISSION: Duration = Duration::from_millis(200);
/// After a link was cut, what was being written at that moment may still arrive.
pub const LAST_BYTES: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passage {
    #[default]
    Open,
    Held,
    Cut,
}

/// How a direction of a link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    pub passage: Passage,
    pub delay: Duration,
    /// Up to so much is added to the delay; the order of bytes stays.
    pub jitter: Duration,
    pub bytes_per_s: Option<u64>,
    /// Of a hundred chunks so many are lost and sent again.
    pub loss_percent: u64,
}

impl Condition {
    pub const HELD: Condition =
        Condition { passage: Passage::Held, delay: Duration::ZERO, jitter: Duration::ZERO, bytes_per_s: None, loss_percent: 0 };
    pub const CUT: Condition = Condition { passage: Passage::Cut, ..Condition::HELD };
}

/// The traffic from one node to another.
struct Flow {
    condition: watch::Sender<Condition>,
    carried: AtomicU64,
    lost: AtomicU64,
    /// Connections made before the link forgot them the last time carry nothing any more.
    memory: AtomicU64,
    /// When the link has sent what it took, at its rate.
    free_at: Mutex<Instant>,
    random: Mutex<Seeded>,
}

impl Flow {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Flow {
            condition: watch::Sender::new(Condition::default()),
            carried: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            memory: AtomicU64::new(0),
            free_at: Mutex::new(Instant::now()),
            random: Mutex::new(Seeded::of(seed)),
        })
    }

    async fn until(&self, wanted: impl Fn(Passage) -> bool) {
        let mut condition = self.condition.subscribe();
        // The sender lives as long as this flow.
        let _ = condition.wait_for(|condition| wanted(condition.passage)).await;
    }

    /// Goes on for a connection made at this memory, and never for one that was forgotten.
    async fn remembers(&self, memory: u64) {
        if self.memory.load(Ordering::Relaxed) != memory {
            std::future::pending::<()>().await;
        }
    }

    /// When a chunk that was read now arrives.
    fn arrival(&self) -> Instant {
        let condition = *self.condition.borrow();
        let mut random = self.random.lock().unwrap();
        let jitter_ms = u64::try_from(condition.jitter.as_millis()).unwrap();
        let mut delay = condition.delay + Duration::from_millis(random.below(jitter_ms + 1));
        let mut again = PROBE;
        while random.below(100) < condition.loss_percent {
            delay += again;
            again = (2 * again).max(RETRANSMISSION);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Instant::now() + delay
    }

    /// When the link has room for so many bytes more.
    fn sent_at(&self, bytes: usize) -> Instant {
        let Some(rate) = self.condition.borrow().bytes_per_s else {
            return Instant::now();
        };
        let mut free_at = self.free_at.lock().unwrap();
        let takes = Duration::from_micros(u64::try_from(bytes).unwrap() * 1_000_000 / rate);
        *free_at = (*free_at).max(Instant::now()) + takes;
        *free_at
    }
}

/// All links of a network.
pub struct Links {
    nodes: usize,
    /// From node `i` to node `j` at `i * nodes + j`.
    flows: Vec<Arc<Flow>>,
    _runtime: Runtime,
}

impl Links {
    /// Puts proxies between all nodes of a network that is initialised and not started.
    pub fn between(network: &TestNetwork, seed: u64) -> Self {
        let genesis = Genesis::parse(&network.genesis).unwrap();
        let nodes = &network.net.nodes;
        let validator = |node: usize| genesis.validators.iter().find(|validator| validator.agency == nodes[node].agency).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("links").enable_all().build().unwrap();
        let count = nodes.len();
        let flows: Vec<_> = (0..count * count).map(|index| Flow::new(seed + u64::try_from(index).unwrap())).collect();
        for from in 0..count {
            let mut peers = Vec::new();
            for to in (0..count).filter(|to| *to != from) {
                let proxy = |address: &str| {
                    let port: u16 = address.rsplit('/').next().unwrap().parse().unwrap();
                    let flows = (Arc::clone(&flows[from * count + to]), Arc::clone(&flows[to * count + from]));
                    format!("/ip4/127.0.0.1/tcp/{}", runtime.block_on(listen(port, flows)))
                };
                let validator = validator(to);
                peers.push(format!("\"{} {} {}\"", validator.peer, proxy(&validator.addresses[0]), proxy(&validator.records[0])));
            }
            let file = nodes[from].home.join("config.toml");
            let text = std::fs::read_to_string(&file).unwrap();
            let changed = text.replace("\npeers = []\n", &format!("\npeers = [{}]\n", peers.join(", ")));
            assert_ne!(text, changed, "the settings have the key peers");
            std::fs::write(&file, changed).unwrap();
        }
        Links { nodes: count, flows, _runtime: runtime }
    }

    fn flow(&self, from: usize, to: usize) -> &Flow {
        &self.flows[from * self.nodes + to]
    }

    /// Sets the traffic from one node to another.
    pub fn set(&self, from: usize, to: usize, condition: Condition) {
        self.flow(from, to).condition.send_replace(condition);
    }

    /// Forgets the connections that carry the traffic from one node to another.
    pub fn forget(&self, from: usize, to: usize) {
        self.flow(from, to).memory.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes that arrived from one node at another.
    pub fn carried(&self, from: usize, to: usize) -> u64 {
        self.flow(from, to).carried.load(Ordering::Relaxed)
    }

    /// Chunks of all links that were lost and sent again.
    pub fn lost(&self) -> u64 {
        self.flows.iter().map(|flow| flow.lost.load(Ordering::Relaxed)).sum()
    }
}

/// A proxy to a port of this machine; gives its own port.
async fn listen(port: u16, flows: (Arc<Flow>, Arc<Flow>)) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((dialler, _)) = listener.accept().await {
            tokio::spawn(connection(dialler, (Ipv4Addr::LOCALHOST, port).into(), flows.clone()));
        }
    });
    own
}

/// One connection, until both ends closed it or the link is cut.
async fn connection(dialler: TcpStream, target: SocketAddr, (forth, back): (Arc<Flow>, Arc<Flow>)) {
    let carry = async {
        // A call and its answer cross the link in both directions.
        forth.until(|passage| passage == Passage::Open).await;
        back.until(|passage| passage == Passage::Open).await;
        let Ok(listener) = TcpStream::connect(target).await else {
            return;
        };
        // Both ends are sockets of this machine; what fails here fails when they are used.
        let _ = (dialler.set_nodelay(true), listener.set_nodelay(true));
        let ((from_dialler, to_dialler), (from_listener, to_listener)) = (dialler.into_split(), listener.into_split());
        tokio::join!(carry(&forth, from_dialler, to_listener), carry(&back, from_listener, to_dialler));
    };
    tokio::select! {
        () = carry => {}
        () = forth.until(|passage| passage == Passage::Cut) => {}
        () = back.until(|passage| passage == Passage::Cut) => {}
    }
}

/// Carries one direction of a connection to its end, and the end too.
async fn carry(flow: &Flow, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let memory = flow.memory.load(Ordering::Relaxed);
    let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS_MAX);
    let read = async move {
        let mut last = Instant::now();
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let Ok(count @ 1..) = from.read(&mut chunk).await else {
                return;
            };
            chunk.truncate(count);
            last = last.max(flow.arrival());
            if sender.send((last, chunk)).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((arrival, chunk)) = chunks.recv().await {
            sleep_until(arrival).await;
            flow.until(|passage| passage == Passage::Open).await;
            flow.remembers(memory).await;
            sleep_until(flow.sent_at(chunk.len())).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
            flow.carried.fetch_add(u64::try_from(chunk.len()).unwrap(), Ordering::Relaxed);
        }
        flow.until(|passage| passage == Passage::Open).await;
        flow.remembers(memory).await;
        // The other end may be gone already.
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
