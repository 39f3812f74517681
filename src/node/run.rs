//! One node, from its home folder to its end.
//!
//! 1. Settings, genesis and keys are read and must belong together.
//! 2. The store is opened: a torn tail is cut, a missing or damaged index rebuilt. It tells whether this node votes or
//!    follows, and with which of its keys.
//! 3. The engine, the record swarm, the cosigner, the asking of witnesses and HTTP run until SIGTERM or SIGINT, until one of
//!    them fails, or until the ledger makes this node something else.
//! 4. A failure of one ends all: a node that is half dead must not look alive.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::api::{self, Api};
use crate::config::Config;
use crate::consensus::checkpoints::Checkpoints;
use crate::consensus::cosigner::Cosigner;
use crate::consensus::engine::{Engine, Voter};
use crate::consensus::misbehaviours::Misbehaviours;
use crate::consensus::pool::Pool;
use crate::consensus::roster::Detour;
use crate::consensus::witnesses::Witnesses;
use crate::core::genesis::Genesis;
use crate::core::key::{Algorithm, VerifierKey};
use crate::core::rules;
use crate::health::{Health, Life};
use crate::keystore::NextKeys;
use crate::limits::{DISK_LOOK, STOP_WAIT};
use crate::metrics::Metrics;
use crate::net::Swarm;
use crate::node::identity::{HeldKeys, Identity, Marks, copy};
use crate::query::book::BookKeeper;
use crate::store::{self, Reader, Writer};

/// The folder of the node's keys in its home.
const KEYS_DIR: &str = "keys";
/// The name of the task that looks for a change of this node's own part.
const IDENTITY: &str = "watch over this node's part";

/// How a node ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Asked,
    /// From the next height on it votes or follows with other keys: it is to be started again.
    Changed,
}

/// Runs the node of `home` until SIGTERM or SIGINT, or until its part in the ledger changes; a clean end takes at most 10 s.
///
/// # Errors
/// Settings, keys, store or ports that cannot be used; a failure that ended the node.
pub fn run(home: &Path) -> Result<Ended> {
    let config = Config::load(home)?;
    start_log(&config)?;
    forbid_core_dumps()?;
    let genesis = read_genesis(home)?;
    let keys = HeldKeys::load(&home.join(KEYS_DIR))?;
    tracing::info!(agency = config.agency, origin = genesis.origin, "opening the store");
    let (writer, reader) = store::open(&home.join("data"), genesis.clone(), config.cache_bytes).context("opening the store")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("sharelog").build()?;
    let outcome = runtime.block_on(serve(&config, genesis, keys, writer, reader));
    // Whatever still blocks now is abandoned: what was acknowledged is on disk.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

fn start_log(config: &Config) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log).with_context(|| format!("the log filter '{}'", config.log))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    if config.log_json {
        log.json().init()
    } else {
        log.init()
    }
    Ok(())
}

/// A core dump would hold the keys.
pub(crate) fn forbid_core_dumps() -> Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).context("forbidding core dumps")
}

fn read_genesis(home: &Path) -> Result<Arc<Genesis>> {
    let path = home.join("genesis.json");
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Arc::new(Genesis::parse(&bytes).with_context(|| format!("{}", path.display()))?))
}

async fn serve(config: &Config, genesis: Arc<Genesis>, keys: HeldKeys, writer: Writer, reader: Reader) -> Result<Ended> {
    let data = config.home.join("data");
    let agency = config.agency.clone();
    let next = reader.head().height.saturating_add(1);
    let identity = keys.identity(&reader, next, &agency)?;
    NextKeys::take_over(&config.home.join(KEYS_DIR), &identity.publics())?;
    tracing::info!(height = next, part = if identity.voting.is_some() { "validator" } else { "follower" }, "taking part");
    let marks = identity.marks();
    let Identity { voting, publication, network } = identity;
    let health = Arc::new(Health::new(agency.clone(), voting.is_some()));
    let metrics = Arc::new(Metrics::default());
    let pool = Pool::new(reader.clone(), metrics.clone());
    let checkpoints = Checkpoints::new(reader.clone(), copy(&publication), data.join("checkpoint.note"))?;
    let listener = TcpListener::bind(config.http).await.with_context(|| format!("listening on {}", config.http))?;
    let book = Arc::new(BookKeeper::new(reader.clone()));
    let misbehaviours = Arc::new(Misbehaviours::open(data.join("misbehaviour"))?);
    let api = Api {
        reader: reader.clone(),
        book: book.clone(),
        pool: pool.clone(),
        checkpoints: checkpoints.clone(),
        misbehaviours: misbehaviours.clone(),
        health: health.clone(),
        metrics: metrics.clone(),
        publication: VerifierKey::new(genesis.origin.clone(), Algorithm::Ed25519, publication.public())?,
        witnesses: config.witnesses.clone(),
        hosts: config.hosts.clone(),
    };
    let cosigner = voting.as_ref().map(|voting| Cosigner {
        agency: agency.clone(),
        key: copy(&voting.cosigner),
        reader: reader.clone(),
        checkpoints: checkpoints.clone(),
        note: data.join("cosigner.note"),
    });
    let witnesses = Witnesses { witnesses: config.witnesses.clone(), reader: reader.clone(), checkpoints: checkpoints.clone() };
    let detours: Arc<[Detour]> = config.peers.as_slice().into();
    tell_unknown(&detours, &reader);
    let swarm = Swarm {
        reader: reader.clone(),
        network_key: copy(&network),
        listen: config.records.clone(),
        detours: detours.clone(),
        pool: pool.clone(),
        checkpoints: checkpoints.clone(),
        health: health.clone(),
        metrics: metrics.clone(),
    };
    let voter = voting
        .map_or(Voter::Follower, |voting| Voter::Validator { key: Box::new(voting.consensus), has_just_joined: voting.has_just_joined });
    let engine = Engine {
        genesis,
        agency: agency.clone(),
        voter,
        network_key: network,
        listen: config.consensus.clone(),
        detours,
        dir: data.join("consensus"),
        mark: config.home.join("voted"),
        propose_timeout: config.propose_timeout,
        writer,
        pool,
        misbehaviours,
        health: health.clone(),
        metrics,
    };
    let stop = CancellationToken::new();
    let mut tasks = Tasks::default();
    tasks.spawn("engine", engine.run(stop.clone()));
    tasks.spawn("record swarm", swarm.run(stop.clone()));
    if let Some(cosigner) = cosigner {
        tasks.spawn("cosigner", cosigner.run(stop.clone()));
    }
    if !witnesses.witnesses.is_empty() {
        tasks.spawn("asking of witnesses", witnesses.run(stop.clone()));
    }
    tasks.spawn("checkpoint file", checkpoints.watch_file(stop.clone()));
    tasks.spawn("book", book.run(stop.clone()));
    tasks.spawn("HTTP", api::serve(Arc::new(api), listener, stop.clone()));
    tasks.spawn("disk watch", watch_disk(data, config.disk_free_bytes_min, health, stop.clone()));
    tasks.spawn(IDENTITY, watch_identity(reader, keys, agency, marks, stop.clone()));
    tracing::info!(http = %config.http, "running");
    tasks.until_end(stop).await
}

/// A detour to a peer that the ledger does not name is of no use until it does: most often its id is misspelt.
fn tell_unknown(detours: &[Detour], reader: &Reader) {
    let known = rules::nodes(reader, reader.head().height.saturating_add(1));
    for detour in detours.iter().filter(|detour| known.iter().all(|node| node.peer != detour.peer)) {
        tracing::warn!(peer = detour.peer, "settings name addresses of a peer that is not on the ledger, so nobody dials them");
    }
}

/// The node's tasks, named; the first to end ends all.
#[derive(Default)]
struct Tasks(JoinSet<(&'static str, Result<()>)>);

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = Result<()>> + Send + 'static) {
        self.0.spawn(async move { (name, task.await) });
    }

    async fn until_end(mut self, stop: CancellationToken) -> Result<Ended> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut outcome = Ok(Ended::Asked);
        let first = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            ended = self.0.join_next() => ended,
        };
        match first {
            None => tracing::info!("asked to end"),
            Some(ended) => outcome = ended_early(ended),
        }
        stop.cancel();
        let rest = async {
            while let Some(ended) = self.0.join_next().await {
                let (name, result) = ended.context("a task panicked")?;
                result.with_context(|| format!("the {name}"))?;
            }
            Ok(())
        };
        let rest = tokio::time::timeout(STOP_WAIT, rest).await.context("a task did not end in time").and_then(|rest| rest);
        let outcome = outcome.and_then(|ended| rest.map(|()| ended));
        match &outcome {
            Ok(ended) => tracing::info!(?ended, "ended"),
            Err(error) => tracing::error!("ended by a failure: {error:#}"),
        }
        outcome
    }
}

fn ended_early(ended: std::result::Result<(&'static str, Result<()>), tokio::task::JoinError>) -> Result<Ended> {
    let (name, result) = ended.context("a task panicked")?;
    result.with_context(|| format!("the {name}"))?;
    ensure!(name == IDENTITY, "the {name} ended by itself");
    Ok(Ended::Changed)
}

/// Ends when the ledger names other keys, or another part, for this node at the next height.
async fn watch_identity(reader: Reader, keys: HeldKeys, agency: String, marks: Marks, stop: CancellationToken) -> Result<()> {
    let mut heads = reader.subscribe();
    loop {
        let next = heads.borrow_and_update().height.saturating_add(1);
        if keys.identity(&reader, next, &agency)?.marks() != marks {
            tracing::info!(height = next, "this node votes or follows with other keys from here on");
            return Ok(());
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = heads.changed() => if changed.is_err() {
                // The store is closed: what ends the node says so itself.
                stop.cancelled().await;
                return Ok(());
            },
        }
    }
}

/// Below the floor of free disk no records are taken; reads and votes go on.
async fn watch_disk(dir: std::path::PathBuf, free_bytes_min: u64, health: Arc<Health>, stop: CancellationToken) -> Result<()> {
    loop {
        let space = rustix::fs::statvfs(&dir).with_context(|| format!("reading the free space of {}", dir.display()))?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        let was_low = health.life() == Life::LowSpace;
        health.set_low_space(free < free_bytes_min);
        if was_low != (health.life() == Life::LowSpace) {
            tracing::warn!(free, free_bytes_min, "free disk crossed the floor; life {}", health.life().as_str());
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(DISK_LOOK) => {}
        }
    }
}
