//! The Malachite engine behind one door: our context, codec and signing, and the driver that answers it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::consensus::pool::Pool;
use crate::core::genesis::Genesis;
use crate::core::key::SecretKey;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::store::Writer;

/// What the engine works with.
pub struct Engine {
    pub genesis: Arc<Genesis>,
    /// The agency whose consensus key this is.
    pub agency: String,
    pub consensus_key: SecretKey,
    pub network_key: SecretKey,
    /// Multiaddress to listen on.
    pub listen: String,
    /// Folder of the engine's own files: `wal/`, `undecided/`, `last-signed`.
    pub dir: PathBuf,
    pub propose_timeout: Duration,
    pub writer: Writer,
    pub pool: Arc<Pool>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
}

impl Engine {
    /// Runs until `stop`, then closes the store; a failed write or damage ends it with an error.
    ///
    /// # Errors
    /// A store that failed, an engine that ended, a port that cannot be used.
    pub async fn run(self, _stop: CancellationToken) -> anyhow::Result<()> {
        todo!()
    }
}
