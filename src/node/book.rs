//! Keeps the book near the head, so that a question finds little left to read.
//!
//! 1. Once the node is ready the whole log is read, step by step; between two steps who asks is answered.
//! 2. From then on the book follows a quiet ledger. While records come in quickly it waits for a question, which catches it up
//!    itself.

use std::sync::Arc;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use crate::health::{Health, Life};
use crate::limits::{BOOK_LOOK, BOOK_QUIET_POSITIONS_MAX};
use crate::query::book::BookKeeper;
use crate::store::Reader;

pub struct Follow {
    pub keeper: Arc<BookKeeper>,
    pub reader: Reader,
    pub health: Arc<Health>,
}

impl Follow {
    /// Until `stop`. A store that cannot be read ends nothing here: who asks is told, and the writer ends the node.
    ///
    /// # Errors
    /// None of its own.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let (mut before, mut is_warm) = (0, false);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(BOOK_LOOK) => {}
            }
            let size = self.reader.head().size;
            let quiet = size.saturating_sub(std::mem::replace(&mut before, size)) <= BOOK_QUIET_POSITIONS_MAX;
            let settled = matches!(self.health.life(), Life::Ready | Life::LowSpace);
            if settled && (quiet || !is_warm) {
                is_warm = self.catch_up(&stop).await;
            }
        }
    }

    /// Whether the book has come to the head.
    async fn catch_up(&self, stop: &CancellationToken) -> bool {
        while !stop.is_cancelled() {
            let (keeper, reader) = (Arc::clone(&self.keeper), self.reader.clone());
            match tokio::task::spawn_blocking(move || keeper.step(&reader)).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return true,
                Ok(Err(error)) => {
                    tracing::error!(%error, "the book could not be read on");
                    return false;
                }
                Err(error) => {
                    tracing::error!(%error, "a step of the book ended early");
                    return false;
                }
            }
        }
        false
    }
}
