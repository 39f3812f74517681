//! The book of this node, kept up to date from the store.

use std::sync::{RwLock, RwLockReadGuard};

use crate::core::book::Book;
use crate::query::QueryError;
use crate::store::Reader;

/// Shared by all who ask; catches up in bounded steps, and between two steps others may read.
pub struct BookKeeper {
    book: RwLock<Book>,
}

impl BookKeeper {
    /// An empty book; the first question, or [`BookKeeper::warm_up`], reads the log.
    pub fn new(reader: &Reader) -> Self {
        BookKeeper { book: RwLock::new(Book::new(reader.genesis())) }
    }

    /// The book with everything up to the reader's head at the call. Blocks on the store.
    ///
    /// # Errors
    /// Those of the store.
    pub fn caught_up(&self, reader: &Reader) -> Result<RwLockReadGuard<'_, Book>, QueryError> {
        todo!()
    }

    /// One bounded step of catching up; whether more is left.
    ///
    /// # Errors
    /// Those of the store.
    pub fn step(&self, reader: &Reader) -> Result<bool, QueryError> {
        todo!()
    }
}
