//! The book of this node, kept up to date from the store.
//!
//! 1. One reader of the log at a time takes a step: some blocks, read and checked without any lock on the book.
//! 2. It takes them into the book under the write lock, which is held for a few milliseconds.
//! 3. A question first takes the steps up to the head of its call, then reads under the read lock.
//!
//! [`BookKeeper::run`] takes steps in the background, so that a question after a start or a flood of records finds the book
//! nearly done.

use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use anyhow::{Context as _, Result};
use tokio_util::sync::CancellationToken;

use crate::core::book::Book;
use crate::limits::{BOOK_LOOK, BOOK_STEP_RECORDS};
use crate::query::QueryError;
use crate::store::Reader;

/// Shared by all who ask.
pub struct BookKeeper {
    reader: Reader,
    book: RwLock<Book>,
    /// The height that was taken last; locked for a step.
    height: Mutex<u64>,
}

impl BookKeeper {
    /// A book of the genesis file alone.
    pub fn new(reader: Reader) -> Self {
        let book = RwLock::new(Book::new(reader.genesis()));
        BookKeeper { reader, book, height: Mutex::new(0) }
    }

    /// The book with everything up to the head of this call. Blocks on the store.
    ///
    /// # Errors
    /// Those of the store.
    pub fn caught_up(&self) -> Result<RwLockReadGuard<'_, Book>, QueryError> {
        let head = self.reader.head().height;
        while self.step(head)? {}
        Ok(self.book.read().expect("no holder panics"))
    }

    /// Takes some blocks up to `head`; whether more are left.
    ///
    /// # Errors
    /// Those of the store.
    fn step(&self, head: u64) -> Result<bool, QueryError> {
        let mut height = self.height.lock().expect("no holder panics");
        let mut blocks = Vec::new();
        let mut records = 0;
        let mut reached = *height;
        while reached < head && records < BOOK_STEP_RECORDS {
            let Some(block) = self.reader.block(reached + 1)? else {
                break;
            };
            records += block.records.len() + 1;
            blocks.push(block);
            reached += 1;
        }
        if blocks.is_empty() {
            return Ok(false);
        }
        let mut book = self.book.write().expect("no holder panics");
        for block in &blocks {
            for (position, leaf) in (block.entry.first..).zip(&block.records) {
                book.take_leaf(leaf, position, block.entry.time).map_err(|refusal| QueryError::unreadable(position, &refusal))?;
            }
            book.pass(block.entry.position.saturating_add(1), block.entry.time);
            *height = block.entry.height;
        }
        Ok(reached < head)
    }

    /// Keeps up until `stop`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<()> {
        loop {
            let keeper = self.clone();
            let ended = stop.clone();
            let look = tokio::task::spawn_blocking(move || -> Result<(), QueryError> {
                let head = keeper.reader.head().height;
                while !ended.is_cancelled() && keeper.step(head)? {}
                Ok(())
            });
            look.await.context("the book's reader panicked")?.context("reading the log into the book")?;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(BOOK_LOOK) => {}
            }
        }
    }
}
