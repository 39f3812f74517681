//! The Malachite engine behind one door: our context, codec and signing, and the driver that answers it.

pub(crate) mod body;
pub(crate) mod codec;
pub(crate) mod context;
mod driver;
mod frame;
mod gate;
pub(crate) mod heard;
mod last_signed;
mod level;
mod order;
#[cfg(feature = "test-faults")]
pub mod replica;
mod signing;
mod start;
mod streams;
#[cfg(feature = "test-faults")]
mod two_votes;
pub(crate) mod undecided;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use self::driver::{Driver, End, Shared};
use self::heard::Heard;
use self::last_signed::LastSigned;
use self::level::Level;
use self::signing::{Checker, Signer};
use self::start::{Plan, Session, Standing};
use self::undecided::Undecided;
use crate::consensus::durable;
use crate::consensus::misbehaviours::Misbehaviours;
use crate::consensus::pool::Pool;
use crate::consensus::roster::{Detour, roster};
use crate::core::genesis::{self, Genesis};
use crate::core::key::SecretKey;
use crate::health::Health;
use crate::limits::SESSION_PAUSE;
use crate::metrics::Metrics;
use crate::store::Writer;

/// Whether this node signs, and with what.
pub enum Voter {
    /// It follows, and signs nothing.
    Follower,
    /// It votes with this consensus key, a member of the set of the next height. One that just joined cannot know what it
    /// signed if its disk was lost, and `last-signed` is new then.
    Validator { key: Box<SecretKey>, has_just_joined: bool },
}

/// What the engine works with.
pub struct Engine {
    pub genesis: Arc<Genesis>,
    /// The agency that runs this node.
    pub agency: String,
    pub voter: Voter,
    pub network_key: SecretKey,
    /// Multiaddress to listen on.
    pub listen: String,
    pub detours: Arc<[Detour]>,
    /// Folder of the engine's own files: `wal/`, `undecided`, `last-signed`; and of the operator's flag `rejoin`.
    pub dir: PathBuf,
    /// A file outside the data that says that this home has voted: an empty store is a lost one then.
    pub mark: PathBuf,
    pub propose_timeout: Duration,
    pub writer: Writer,
    pub pool: Arc<Pool>,
    pub misbehaviours: Arc<Misbehaviours>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
}

impl Engine {
    /// Runs until `stop`, then closes the store; a failed write or damage ends it with an error.
    ///
    /// A validator votes, but for these cases: while the store is below what it signed last, and after a refusal to sign, it
    /// only follows, until it is level with the others and the height of its last signature is decided.
    ///
    /// # Errors
    /// A store that failed, an engine that ended, a port that cannot be used, a lost `last-signed`.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let (plan, shared) = tokio::task::spawn_blocking(|| self.prepare()).await??;
        let ended = run_sessions(&plan, &shared, &stop).await;
        let shared = Arc::into_inner(shared).context("a task still holds the store")?;
        let writer = shared.writer.into_inner().map_err(|_| anyhow::anyhow!("the writer's task panicked"))?;
        let closed = tokio::task::spawn_blocking(|| writer.close()).await?;
        ended?;
        closed.context("closing the store")
    }

    /// Opens the engine's own files and reads the network's addresses.
    fn prepare(self) -> anyhow::Result<(Plan, Arc<Shared>)> {
        let reader = self.writer.reader();
        let origin: Arc<str> = self.genesis.origin.as_str().into();
        std::fs::create_dir_all(&self.dir).with_context(|| format!("making {}", self.dir.display()))?;
        let wal = self.dir.join("wal").join("consensus.wal");
        let level = Arc::new(Level::new(reader.head().height));
        #[cfg(feature = "test-faults")]
        let voter = if crate::consensus::faults::is_silent() { Voter::Follower } else { self.voter };
        #[cfg(not(feature = "test-faults"))]
        let voter = self.voter;
        let signer = match voter {
            Voter::Follower => None,
            Voter::Validator { key, has_just_joined } => {
                let mut last = open_last_signed(&self.dir, &self.mark, reader.head().height, has_just_joined)?;
                bar_without_wal(&mut last, &wal, reader.head().height.saturating_add(1))?;
                Some(Signer::new(Arc::clone(&origin), *key, last, Arc::clone(&level)))
            }
        };
        let path = self.dir.join("undecided");
        let undecided = Undecided::open(&path).with_context(|| format!("opening {}", path.display()))?;
        let checker = Checker { origin };
        let heard = Arc::new(Heard::default());
        let plan = Plan {
            agency: self.agency.clone(),
            checker: checker.clone(),
            signer: signer.clone(),
            heard: Arc::clone(&heard),
            own: genesis::peer_id(&self.network_key.public()),
            network: start::keypair(&self.network_key)?,
            listen: self.listen.parse().with_context(|| format!("the listen address {}", self.listen))?,
            wal,
        };
        let shared = Shared {
            genesis: self.genesis,
            agency: self.agency,
            detours: self.detours,
            propose_timeout: self.propose_timeout,
            reader,
            writer: Mutex::new(self.writer),
            undecided: Mutex::new(undecided),
            pool: self.pool,
            health: self.health,
            metrics: self.metrics,
            checker,
            signer,
            level,
            heard,
            misbehaviours: self.misbehaviours,
        };
        Ok((plan, Arc::new(shared)))
    }
}

/// Opens `last-signed`, or makes it for a new validator; the mark of a home that has voted is there before it is.
fn open_last_signed(dir: &Path, mark: &Path, height: u64, has_just_joined: bool) -> anyhow::Result<LastSigned> {
    let path = dir.join("last-signed");
    let has_voted = mark.exists();
    if !has_voted {
        durable::replace(mark, b"").with_context(|| format!("writing {}", mark.display()))?;
    }
    if let Some(last) = LastSigned::open(&path)? {
        return Ok(last);
    }
    if height == 0 && !has_voted {
        return Ok(LastSigned::create(&path, 0)?);
    }
    if height == 0 {
        tracing::warn!(mark = %mark.display(), "the store is empty and this home has voted: it follows without voting first");
    }
    if height == 0 || has_just_joined {
        return Ok(LastSigned::create_unknown(&path)?);
    }
    let flag = dir.join("rejoin");
    if !flag.exists() {
        anyhow::bail!(
            "{} is missing while the store is at height {height}: what this validator signed last is unknown; restore the file, or \
             make an empty file {} to let it follow without voting until a height in which it cannot have voted yet",
            path.display(),
            flag.display()
        );
    }
    let last = LastSigned::create_unknown(&path)?;
    std::fs::remove_file(&flag).with_context(|| format!("removing {}", flag.display()))?;
    Ok(last)
}

/// Without the WAL of `height`, at which this validator has signed, it does not know on which block it is locked: it signs no
/// more there. The WAL is a version (4 bytes), the height (8 bytes), and entries.
fn bar_without_wal(last: &mut LastSigned, wal: &Path, height: u64) -> anyhow::Result<()> {
    // A simulation keeps the WAL in memory.
    #[cfg(feature = "test-faults")]
    if crate::consensus::clock::simulated::is_on() {
        return Ok(());
    }
    if !last.is_within(height) {
        return Ok(());
    }
    let mut head = [0; 12];
    let found = File::open(wal).and_then(|mut file| file.read_exact(&mut head)).ok();
    let is_there = found.is_some() && head[4..] == height.to_be_bytes();
    if !is_there {
        tracing::error!(wal = %wal.display(), height, "no WAL of the height at which this validator has signed: it signs no more there");
        last.bar()?;
    }
    Ok(())
}

/// Whether the next session votes.
fn standing(shared: &Shared) -> Standing {
    let Some(signer) = &shared.signer else {
        return Standing::Follows;
    };
    // A session that only follows begins the WAL anew: at a height that it signed in it may not vote afterwards.
    if (shared.reader.head().height.saturating_add(1) < signer.height()) | signer.take_refused() {
        tracing::warn!(height = signer.height(), "following without voting until it is level and the height signed last is decided");
        return Standing::Follows;
    }
    Standing::Votes
}

/// Sessions of the engine, one after the other, until `stop` or an error.
async fn run_sessions(plan: &Plan, shared: &Arc<Shared>, stop: &CancellationToken) -> anyhow::Result<()> {
    loop {
        let standing = standing(shared);
        let roster = roster(&shared.reader, &plan.own, &shared.detours);
        shared.heard.listen_to(start::validators(&roster));
        let session = Session::start(plan, standing, start::addresses(&roster)).await;
        let mut session = session.with_context(|| format!("the engine, whose WAL is {}", plan.wal.display()))?;
        let end = Driver::run(Arc::clone(shared), &mut session, standing, (plan.own.clone(), roster), stop).await;
        session.stop().await;
        // A damaged WAL ends the engine, which does not say where it lies.
        let end = end.with_context(|| format!("the engine, whose WAL is {}", plan.wal.display()))?;
        match end {
            End::Stopped => return Ok(()),
            End::Again(reason) => tracing::warn!(reason, "starting the engine again"),
        }
        // The others see the old connections closed before new ones come: else they tell nothing of their subscriptions.
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(SESSION_PAUSE) => {}
        }
    }
}
