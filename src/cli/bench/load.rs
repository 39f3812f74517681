//! The load: one record at a time for latency, all at once for the rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::cli::bench::prepare::{Writer, signed_deliveries};
use crate::node::local::LocalNetwork;

/// Connections to each node: well below what one address may hold.
const CONNECTIONS_PER_NODE: usize = 16;
/// Records sent and not yet committed: enough that every block is full, small enough for every pool.
pub const IN_FLIGHT_MAX: u64 = 6_000;
/// A whole run that does not end in this time has failed.
const RUN_WAIT: Duration = Duration::from_secs(1_800);
const POLL: Duration = Duration::from_millis(50);
/// Clock ticks per second of /proc/<pid>/stat: fixed in Linux's interface.
const TICKS_PER_S: f64 = 100.0;

/// Latency from sending a record to the answer that it is committed.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    pub records: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Latency {
    pub fn of(mut spans_ms: Vec<f64>) -> Self {
        spans_ms.sort_by(f64::total_cmp);
        let at = |share: f64| spans_ms.get(((spans_ms.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or(f64::NAN);
        Latency { records: spans_ms.len(), p50_ms: at(0.5), p99_ms: at(0.99) }
    }
}

/// What saturation showed.
#[derive(Clone, Debug)]
pub struct Saturation {
    pub records: u64,
    pub blocks: u64,
    pub seconds: f64,
    pub latency: Latency,
    /// CPU seconds of each node process during the run; `None` for processes that are not this program's children.
    pub cpu_s: Vec<Option<f64>>,
    /// Resident memory of each node at the end, MiB.
    pub memory_mib: Vec<Option<f64>>,
}

/// Records at `rate` per second for `seconds`, each waited for, the nodes taking turns.
pub fn light(network: &LocalNetwork, writers: &[Writer], rate: u32, seconds: u32) -> Result<Latency> {
    let notes = signed_deliveries(writers, rate * seconds);
    let interval = Duration::from_secs_f64(1.0 / f64::from(rate));
    let start = Instant::now();
    let mut spans = Vec::with_capacity(notes.len());
    let mut due = Duration::ZERO;
    for (index, note) in notes.iter().enumerate() {
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        due += interval;
        let sent = Instant::now();
        let (status, body) = network.post(index % network.nodes.len(), std::str::from_utf8(note)?, "?wait=committed")?;
        ensure!(status == 200, "light load: status {status}: {}", String::from_utf8_lossy(&body));
        spans.push(sent.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Latency::of(spans))
}

/// Offers all notes as fast as the nodes take them with at most `in_flight_max` on the way, and waits until every one is committed on every node.
pub fn saturate(network: &mut LocalNetwork, notes: Vec<Bytes>, in_flight_max: u64) -> Result<Saturation> {
    let total = u64::try_from(notes.len())?;
    let before = (0..network.nodes.len()).map(|index| network.head(index)).collect::<Result<Vec<_>, _>>()?;
    let cpu_before = cpu(network);
    let start = Instant::now();
    let shared = Arc::new(Shared { notes, in_flight_max, next: AtomicUsize::new(0), committed: AtomicU64::new(0) });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (latency, seconds) = std::thread::scope(|scope| -> Result<_> {
        let senders = {
            let (shared, addresses) = (shared.clone(), addresses(network)?);
            scope.spawn(move || runtime.block_on(send_all(&shared, &addresses)))
        };
        let mut seconds = 0.0;
        while start.elapsed() < RUN_WAIT {
            let (height, size) = network.head(0)?;
            let committed = (size - before[0].1) - (height - before[0].0);
            shared.committed.store(committed, Ordering::Relaxed);
            seconds = start.elapsed().as_secs_f64();
            if committed >= total {
                break;
            }
            if senders.is_finished() && shared.next.load(Ordering::Relaxed) < shared.notes.len() {
                break;
            }
            std::thread::sleep(POLL);
        }
        let latency = senders.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??;
        Ok((latency, seconds))
    })?;
    let (height, size) = network.head(0)?;
    for index in 0..network.nodes.len() {
        network.wait_size(index, size, Duration::from_secs(60))?;
    }
    let records = (size - before[0].1) - (height - before[0].0);
    ensure!(records >= total, "{records} of {total} records were committed in time");
    let cpu_s = cpu(network).iter().zip(cpu_before).map(|(after, before)| Some((*after)? - before?)).collect();
    let memory_mib = (0..network.nodes.len()).map(|index| network.pid(index).and_then(memory_mib)).collect();
    Ok(Saturation { records, blocks: height - before[0].0, seconds, latency, cpu_s, memory_mib })
}

struct Shared {
    notes: Vec<Bytes>,
    in_flight_max: u64,
    next: AtomicUsize,
    committed: AtomicU64,
}

fn addresses(network: &LocalNetwork) -> Result<Vec<String>> {
    let address = |http: &String| http.strip_prefix("http://").map(str::to_owned).context("a node's address is http://<address>");
    network.nodes.iter().map(|node| address(&node.http)).collect()
}

async fn send_all(shared: &Arc<Shared>, addresses: &[String]) -> Result<Latency> {
    let mut tasks = tokio::task::JoinSet::new();
    for address in addresses {
        for connection in 0..CONNECTIONS_PER_NODE {
            // One connection in 16 waits for each commit: the sample for latency under saturation.
            let waits = connection == 0;
            tasks.spawn(send(shared.clone(), address.clone(), waits));
        }
    }
    let mut spans = Vec::new();
    while let Some(done) = tasks.join_next().await {
        spans.extend(done??);
    }
    Ok(Latency::of(spans))
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends when the sender is dropped; an error shows at the next request.
    tokio::spawn(connection);
    Ok(sender)
}

async fn send(shared: Arc<Shared>, address: String, waits: bool) -> Result<Vec<f64>> {
    let mut sender = connect(&address).await?;
    let path = if waits { "/api/v1/records?wait=committed" } else { "/api/v1/records" };
    let mut spans = Vec::new();
    loop {
        while !waits && in_flight(&shared) > shared.in_flight_max {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let index = shared.next.fetch_add(1, Ordering::Relaxed);
        let Some(note) = shared.notes.get(index) else {
            return Ok(spans);
        };
        let sent = Instant::now();
        loop {
            let request =
                Request::post(path).header("host", &address).header("content-type", "text/plain").body(Full::new(note.clone()))?;
            let response = sender.send_request(request).await.with_context(|| format!("a record sent to {address}"))?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            match status {
                StatusCode::OK | StatusCode::ACCEPTED => break,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => tokio::time::sleep(Duration::from_millis(100)).await,
                _ => bail!("status {status}: {}", String::from_utf8_lossy(&body)),
            }
        }
        if waits {
            spans.push(sent.elapsed().as_secs_f64() * 1e3);
        }
    }
}

fn in_flight(shared: &Shared) -> u64 {
    let sent = shared.next.load(Ordering::Relaxed).min(shared.notes.len());
    u64::try_from(sent).unwrap_or(u64::MAX).saturating_sub(shared.committed.load(Ordering::Relaxed))
}

/// User and system CPU seconds of each node process.
fn cpu(network: &LocalNetwork) -> Vec<Option<f64>> {
    (0..network.nodes.len()).map(|index| network.pid(index).and_then(|pid| cpu_s(&pid.to_string()))).collect()
}

/// User and system CPU seconds of a process, or of the calling thread as `thread-self`.
pub fn cpu_s(name: &str) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
    // The fields after the parenthesised name; utime and stime are the 14th and 15th of the whole line (proc(5)).
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

/// Resident memory of a process.
pub fn memory_mib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
