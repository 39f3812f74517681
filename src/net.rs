//! The record swarm: spreads records and cosignatures among known peers.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::consensus::checkpoints::Checkpoints;
use crate::consensus::pool::Pool;
use crate::core::genesis::Genesis;
use crate::core::key::SecretKey;
use crate::health::Health;
use crate::metrics::Metrics;

/// What the swarm works with.
pub struct Swarm {
    pub genesis: Arc<Genesis>,
    pub network_key: SecretKey,
    /// Multiaddress to listen on.
    pub listen: String,
    pub pool: Arc<Pool>,
    pub checkpoints: Arc<Checkpoints>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
}

impl Swarm {
    /// Runs until `stop`; listens before it returns its first pending.
    ///
    /// # Errors
    /// A listen address that cannot be used.
    pub async fn run(self, _stop: CancellationToken) -> anyhow::Result<()> {
        todo!()
    }
}
