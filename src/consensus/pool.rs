//! Records on the way: verified, pending, not yet committed.

use std::sync::Arc;

use crate::core::hash::Hash;
use crate::core::record::Record;
use crate::core::refusal::Refusal;
use crate::metrics::Metrics;
use crate::store::Reader;

/// Who brought a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A client of this node: the node spreads the record to all validators.
    Client,
    /// A peer, which spreads it itself.
    Peer,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    Pending {
        id: Hash,
    },
    /// Committed earlier, at `position`.
    Committed {
        id: Hash,
        position: u64,
    },
}

/// A record that is not committed.
#[derive(Clone, Debug)]
pub enum Status {
    Pending(Arc<Record>),
    /// Refused at a later head; kept for 10 minutes.
    Refused(Refusal),
}

/// The pool; shared by HTTP, swarm and consensus. All methods are short but [`Pool::submit`], which verifies signatures:
/// call that from a blocking thread.
pub struct Pool {}

impl Pool {
    pub fn new(_reader: Reader, _metrics: Arc<Metrics>) -> Arc<Self> {
        todo!()
    }

    /// Parses, checks against the head, verifies (once) and keeps a record.
    ///
    /// # Errors
    /// The codes of statuses 400, 403, 409, 413, `quota`, `pool-full`.
    pub fn submit(&self, _leaf: &[u8], _source: Source) -> Result<Submitted, Refusal> {
        todo!()
    }

    /// The pending or lately seen record with this leaf hash, its signatures already verified.
    pub fn by_leaf_hash(&self, _leaf_hash: &Hash) -> Option<Arc<Record>> {
        todo!()
    }

    /// Pending records in fair order over agencies, at most `records_max` and `bytes_max` leaf bytes; they stay in the pool.
    pub fn candidates(&self, _records_max: usize, _bytes_max: usize) -> Vec<Arc<Record>> {
        todo!()
    }

    /// Drops what a committed block holds.
    pub fn committed(&self, _ids: &[Hash]) {
        todo!()
    }

    /// Drops a record that execution refused; its status says why for 10 minutes.
    pub fn refused(&self, _id: &Hash, _refusal: Refusal) {
        todo!()
    }

    /// Pending records that this node spreads: those its clients brought, oldest first. With `since`, only those that
    /// arrived after that count of [`Pool::arrivals`]; gives the count up to which the answer speaks.
    pub fn to_spread(&self, _since: Option<u64>) -> (Vec<Arc<Record>>, u64) {
        todo!()
    }

    pub fn status(&self, _id: &Hash) -> Option<Status> {
        todo!()
    }

    /// (records, bytes) pending.
    pub fn pending(&self) -> (usize, usize) {
        todo!()
    }

    /// Wakes at every arrival: its value counts them.
    pub fn arrivals(&self) -> tokio::sync::watch::Receiver<u64> {
        todo!()
    }
}
