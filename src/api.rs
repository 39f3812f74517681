//! HTTP: one router over [`crate::query`], the pool and the checkpoints.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::consensus::checkpoints::Checkpoints;
use crate::consensus::pool::Pool;
use crate::core::key::VerifierKey;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::store::Reader;

/// What the handlers work with.
pub struct Api {
    pub reader: Reader,
    pub pool: Arc<Pool>,
    pub checkpoints: Arc<Checkpoints>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    /// This node's publication key under the origin.
    pub publication: VerifierKey,
    /// Names that a Host header may hold besides IP addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// Serves until `stop`, then lets running requests end for at most 5 s.
///
/// # Errors
/// A listener that fails.
pub async fn serve(_api: Arc<Api>, _listener: TcpListener, _stop: CancellationToken) -> anyhow::Result<()> {
    todo!()
}
