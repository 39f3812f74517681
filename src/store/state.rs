//! The state's writer: each executed block becomes a layer that readers see at once, and a thread writes layers to the databases.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::core::policy::RULES_NEWEST;
use crate::core::rules;
use crate::limits::{APPLY_AGE_MS, APPLY_QUEUE_MAX};
use crate::store::db::Digest;
use crate::store::execution::Execution;
use crate::store::view::{self, Layer, Shared};
use crate::store::{Head, Reader, StoreError};

/// How often [`State::settle`] looks; it waits for a batch of up to [`APPLY_AGE_MS`].
const SETTLE_POLL: Duration = Duration::from_millis(5);

/// Applies executed blocks; one per store.
pub struct State {
    shared: Arc<Shared>,
    heads: watch::Sender<Arc<Head>>,
    /// `None` once closed.
    layers: Option<SyncSender<Arc<Layer>>>,
    thread: Option<JoinHandle<()>>,
}

impl State {
    /// Starts the thread that writes to the databases; the state stands at the view's head with `digest`.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the thread cannot be started.
    pub fn start(shared: Shared, digest: Digest) -> Result<Self, StoreError> {
        let shared = Arc::new(shared);
        let (heads, _) = watch::channel(shared.view().head.clone());
        let (layers, queue) = sync_channel(APPLY_QUEUE_MAX);
        let thread = {
            let shared = shared.clone();
            let run = move || write_layers(&shared, digest, &queue);
            std::thread::Builder::new().name("store".into()).spawn(run).map_err(|source| StoreError::Io {
                operation: "start",
                object: "the store's thread".into(),
                source,
            })?
        };
        Ok(State { shared, heads, layers: Some(layers), thread: Some(thread) })
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub fn reader(&self) -> Reader {
        Reader::new(self.shared.clone(), self.heads.subscribe())
    }

    /// Makes an executed block the head. Waits when the databases are far behind.
    ///
    /// # Errors
    /// [`StoreError`]: damage that was found meanwhile; [`StoreError::RulesUnknown`] when no block can follow this one here.
    pub fn apply(&self, execution: &Execution) -> Result<(), StoreError> {
        self.shared.check()?;
        let entry = &execution.entry;
        let mut edges = self.shared.view().edges.clone();
        let layer = Arc::new(Layer::of(execution, &mut edges));
        let head = Arc::new(Head {
            height: entry.height,
            size: execution.frontier.size(),
            root: execution.frontier.root(),
            state: entry.state,
            time: entry.time,
            entry_hash: layer.mark.entry,
            frontier: execution.frontier.clone(),
        });
        self.shared.push(head.clone(), edges, layer.clone());
        self.heads.send_replace(head);
        match &self.layers {
            Some(layers) => layers.send(layer).map_err(|_| self.shared.check().err().unwrap_or(StoreError::Failed))?,
            None => return Err(StoreError::Failed),
        }
        self.check_rules()
    }

    /// This program has the rule set of the height after the head.
    ///
    /// # Errors
    /// [`StoreError::RulesUnknown`].
    pub fn check_rules(&self) -> Result<(), StoreError> {
        let reader = self.reader();
        let height = reader.head().height + 1;
        let rules = rules::rules_in_force(&reader, height);
        if rules > RULES_NEWEST { Err(StoreError::RulesUnknown { height, rules }) } else { Ok(()) }
    }

    /// Waits until every layer is in the databases.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn settle(&self) -> Result<(), StoreError> {
        while !self.shared.view().layers.is_empty() {
            self.shared.check()?;
            std::thread::sleep(SETTLE_POLL);
        }
        Ok(())
    }

    /// Writes every layer out and ends the thread.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn finish(&mut self) -> Result<(), StoreError> {
        self.layers = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            return Err(StoreError::Failed);
        }
        self.shared.check()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::error!(%error, "the store was not written out");
        }
    }
}

/// The thread: collects layers until a batch is full or old, writes it, takes its layers out of the view.
fn write_layers(shared: &Shared, mut digest: Digest, queue: &Receiver<Arc<Layer>>) {
    let mut group: Vec<Arc<Layer>> = Vec::new();
    let mut is_open = true;
    while is_open {
        let received = match group.first() {
            Some(oldest) => {
                let due = oldest.made + Duration::from_millis(APPLY_AGE_MS);
                queue.recv_timeout(due.saturating_duration_since(Instant::now()))
            }
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(layer) => {
                group.push(layer);
                if !view::are_enough(&group) {
                    continue;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => is_open = false,
        }
        if let Some(newest) = group.last() {
            // Tiles first: the state never stands above them, save after a loss of power.
            let tiles = shared.tile_db.apply(group.iter().flat_map(|layer| &layer.tiles));
            if let Err(error) = tiles.and_then(|()| shared.db.apply(view::merge(&group), &newest.mark, &mut digest)) {
                shared.remember(error);
                return;
            }
            shared.rows.written(group.iter().flat_map(|layer| layer.rows.keys()));
            shared.settle(group.len());
            group.clear();
        }
    }
}
