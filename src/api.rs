//! HTTP: one router over [`crate::query`], the pool and the checkpoints.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`server`] | connections: accepting, their bounds, a clean end |
//! | [`routes`] | which address is answered by what; what every answer carries |
//! | [`problem`] | refusals as problem+json; the one table of status codes |
//! | [`reply`] | answers and their caching |
//! | [`parameters`] | what stands behind the question mark |
//! | [`body`], [`submit`] | a request's body; taking records |
//! | [`records`], [`lists`], [`questions`], [`ledger`], [`state`] | the answers |
//!
//! A Host header holds an IP address, `localhost` or a configured name; any other is `query-invalid`: a page of a foreign
//! site whose name was made to point here (DNS rebinding) reads nothing. Reading is open to pages of every origin.

pub(crate) mod body;
mod connections;
mod ledger;
mod lists;
pub(crate) mod parameters;
pub(crate) mod problem;
mod questions;
mod records;
pub(crate) mod reply;
mod routes;
pub(crate) mod server;
mod state;
mod stream;
mod submit;
mod tiles;

use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::api::problem::Failed;
use crate::api::routes::Routes;
use crate::api::tiles::Tiles;
use crate::consensus::checkpoints::Checkpoints;
use crate::consensus::misbehaviours::Misbehaviours;
use crate::consensus::pool::Pool;
use crate::consensus::witnesses::Witness;
use crate::core::key::VerifierKey;
use crate::health::Health;
use crate::limits::{HTTP_QUESTIONS_MAX, HTTP_READS_MAX, HTTP_SUBMITS_MAX};
use crate::metrics::Metrics;
use crate::query::QueryError;
use crate::query::book::BookKeeper;
use crate::query::records::Sealed;
use crate::store::Reader;

/// What the handlers work with.
pub struct Api {
    pub reader: Reader,
    pub book: Arc<BookKeeper>,
    pub pool: Arc<Pool>,
    pub checkpoints: Arc<Checkpoints>,
    pub misbehaviours: Arc<Misbehaviours>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    /// This node's publication key under the origin.
    pub publication: VerifierKey,
    /// Whom this node asks to witness its checkpoints.
    pub witnesses: Vec<Witness>,
    /// Names that a Host header may hold besides IP addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// Serves until `stop`, then lets running requests end for at most 5 s.
///
/// # Errors
/// A listener that fails.
pub async fn serve(api: Arc<Api>, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let reads = Arc::new(Semaphore::new(HTTP_READS_MAX));
    let submits = Arc::new(Semaphore::new(HTTP_SUBMITS_MAX));
    let questions = Arc::new(Semaphore::new(HTTP_QUESTIONS_MAX));
    let shared = Arc::new(Shared { api, stop: stop.clone(), reads, questions, submits, sealed: Arc::default(), tiles: Tiles::default() });
    server::run(Arc::new(Routes::new(shared)), listener, stop).await
}

/// What all requests share.
struct Shared {
    api: Arc<Api>,
    stop: CancellationToken,
    reads: Arc<Semaphore>,
    questions: Arc<Semaphore>,
    submits: Arc<Semaphore>,
    tiles: Tiles,
    /// The newest block that a submission was answered from.
    sealed: Arc<Mutex<Option<Arc<Sealed>>>>,
}

impl Shared {
    /// Runs a question to the store on a blocking thread, in its turn.
    async fn read<T: Send + 'static>(&self, question: impl FnOnce(&Reader) -> Result<T, QueryError> + Send + 'static) -> Result<T, Failed> {
        let reader = self.api.reader.clone();
        blocking(&self.reads, move || question(&reader)).await?.map_err(Failed::from)
    }
}

/// Runs `work` on a blocking thread once there is a turn.
async fn blocking<T: Send + 'static>(turns: &Arc<Semaphore>, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failed> {
    let turn = Arc::clone(turns).acquire_owned().await.expect("the semaphore is never closed");
    let done = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(turn);
        result
    });
    done.await.map_err(|error| {
        tracing::error!(%error, "a question to the store ended early");
        Failed::Internal
    })
}
