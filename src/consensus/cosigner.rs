//! A validator's cosigner: which sizes it signs, and the note on disk that keeps it from signing two roots.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::consensus::checkpoints::Checkpoints;
use crate::core::key::SecretKey;
use crate::store::Reader;

/// What the cosigner works with.
pub struct Cosigner {
    pub agency: String,
    pub key: SecretKey,
    pub reader: Reader,
    pub checkpoints: Arc<Checkpoints>,
    /// The file of the last (size, root), written and synced before each signature.
    pub note: PathBuf,
}

impl Cosigner {
    /// Cosigns by the rule of DESIGN's Checkpoint until `stop`.
    ///
    /// # Errors
    /// A note that cannot be written, or that contradicts the own tree: nothing is signed then.
    pub async fn run(self, _stop: CancellationToken) -> anyhow::Result<()> {
        todo!()
    }
}
