//! A C2SP tlog-witness: cosigns checkpoints of logs that only grow. An audit office runs it; it needs no ledger node.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`settings`] | `config.toml` of its home: which logs, which keys of each |
//! | [`latest`] | the newest cosigned checkpoint of each log, on disk |
//! | [`answers`] | HTTP |
//!
//! For each origin, one request after another:
//!
//! 1. The submission is judged against the newest cosigned checkpoint (`log::witness`).
//! 2. The new checkpoint is signed, written with the signature and synced, in the place of the old one.
//! 3. Only then does the signature leave the process: a witness that is killed at any point, and started again, signs no
//!    second root at a size and no smaller size.
//!
//! A file that cannot be written ends the process. What this cannot stand: a home that is put back from a backup, or two
//! witnesses with one key; a lock keeps two processes from one home.

mod answers;
mod latest;
pub mod settings;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::api::server;
use crate::config::ConfigError;
use crate::core::key::{Algorithm, SecretKey, VerifierKey};
use crate::core::note::{Note, SignatureLine};
use crate::keystore;
use crate::limits::WITNESS_SUBMISSIONS_MAX;
use crate::log::witness::{Refused, Submission, cosign, judge, tree_of};
use crate::store;
use crate::witness::answers::Routes;
use crate::witness::latest::Latest;
use crate::witness::settings::Settings;

/// The secret key in the home; its vkey lies beside it.
pub const KEY_FILE: &str = "keys/witness.pem";
/// The folder of the newest cosigned checkpoints.
const LATEST_DIR: &str = "latest";

/// Runs the witness of `home` until SIGTERM or SIGINT.
///
/// # Errors
/// Settings, key, files or a port that cannot be used; a file that could not be written.
pub fn run(home: &Path) -> Result<()> {
    let settings = Settings::load(home)?;
    start_log(&settings)?;
    crate::node::run::forbid_core_dumps()?;
    let _lock = lock(home)?;
    let stop = CancellationToken::new();
    let witness = Arc::new(Witness::open(home, &settings, stop.clone())?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("witness").build()?;
    let outcome = runtime.block_on(serve(Arc::clone(&witness), &settings, stop));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome.and_then(|()| witness.outcome())
}

fn start_log(settings: &Settings) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.log).with_context(|| format!("the log filter '{}'", settings.log))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    Ok(())
}

fn lock(home: &Path) -> Result<File> {
    let path = home.join("LOCK");
    store::lock::lock(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => ConfigError {
            origin: home.display().to_string(),
            found: "another process that runs this witness".to_owned(),
            expected: "one process for a home: stop the other one first".to_owned(),
        }
        .into(),
        _ => anyhow::Error::new(error).context(format!("lock {}", path.display())),
    })
}

async fn serve(witness: Arc<Witness>, settings: &Settings, stop: CancellationToken) -> Result<()> {
    let listener = TcpListener::bind(settings.http).await.with_context(|| format!("listening on {}", settings.http))?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tracing::info!(http = %settings.http, logs = settings.logs.len(), vkey = %witness.vkey, "running");
    let serving = server::run(Arc::new(Routes::new(witness)), listener, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return served,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("asked to end");
    stop.cancel();
    serving.await
}

/// A log that is witnessed.
struct Log {
    origin: String,
    keys: Vec<VerifierKey>,
    /// Held while a submission is judged, written and signed.
    latest: Mutex<Latest>,
}

/// The witness at work.
struct Witness {
    vkey: VerifierKey,
    key: SecretKey,
    /// By origin.
    logs: BTreeMap<String, Log>,
    /// Submissions are judged in turns.
    turns: Arc<Semaphore>,
    stop: CancellationToken,
    /// Why nothing is signed any more.
    failure: Mutex<Option<String>>,
}

/// What becomes of a submission that is not cosigned.
enum NotCosigned {
    Refused(Refused),
    /// The witness failed itself, and ends.
    Failed,
}

impl Witness {
    fn open(home: &Path, settings: &Settings, stop: CancellationToken) -> Result<Self> {
        let (vkey, key) = keystore::load(&home.join(KEY_FILE))?;
        if vkey.algorithm() != Algorithm::Cosignature {
            let expected = "a vkey of a cosigner, as witness init makes it".to_owned();
            return Err(ConfigError { origin: home.join(KEY_FILE).display().to_string(), found: vkey.to_string(), expected }.into());
        }
        let dir = home.join(LATEST_DIR);
        keystore::make_dir(&dir)?;
        // A folder that a power cut takes away would take along what is kept in it.
        File::open(home).and_then(|home| home.sync_all()).with_context(|| format!("syncing {}", home.display()))?;
        let mut logs = BTreeMap::new();
        for log in &settings.logs {
            let latest = Mutex::new(Latest::open(&dir, &log.origin, &vkey)?);
            logs.insert(log.origin.clone(), Log { origin: log.origin.clone(), keys: log.keys.clone(), latest });
        }
        let turns = Arc::new(Semaphore::new(WITNESS_SUBMISSIONS_MAX));
        Ok(Witness { vkey, key, logs, turns, stop, failure: Mutex::new(None) })
    }

    /// Judges a submission and cosigns it; when this returns the line, the checkpoint is on disk. Blocking.
    fn add_checkpoint(&self, submission: &Submission) -> Result<SignatureLine, NotCosigned> {
        let refused = NotCosigned::Refused;
        let checkpoint = tree_of(&submission.note.text).map_err(|refusal| refused(Refused::Malformed(refusal)))?;
        let Some(log) = self.logs.get(&checkpoint.origin) else {
            return Err(refused(Refused::UnknownOrigin(checkpoint.origin)));
        };
        let mut latest = log.latest.lock().expect("no holder panics");
        let cosignable = judge(submission, &log.keys, latest.checkpoint()).map_err(refused)?;
        if self.failure.lock().expect("no holder panics").is_some() {
            return Err(NotCosigned::Failed);
        }
        let text = &submission.note.text;
        let line = cosign(text, unix_seconds(), &self.vkey, &self.key);
        let mut lines = cosignable.lines;
        lines.push(line.clone());
        let note = Note { text: text.clone(), lines };
        latest.advance(cosignable.checkpoint, &note).map_err(|error| self.fail(&log.origin, &error))?;
        Ok(line)
    }

    /// Nothing is signed after a failed write, and the process ends.
    fn fail(&self, origin: &str, error: &anyhow::Error) -> NotCosigned {
        let failure = format!("the checkpoint of {origin} was not written: {error:#}");
        tracing::error!("{failure}");
        *self.failure.lock().expect("no holder panics") = Some(failure);
        self.stop.cancel();
        NotCosigned::Failed
    }

    fn outcome(&self) -> Result<()> {
        match self.failure.lock().expect("no holder panics").take() {
            Some(failure) => Err(anyhow!(failure).context("the witness signs no more")),
            None => Ok(()),
        }
    }
}

/// This witness's own clock; never 0, which a cosignature of a checkpoint must not bear.
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().max(1)
}
