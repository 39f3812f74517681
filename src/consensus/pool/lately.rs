//! Records that left the pool a short while ago: proposals may still name them, and clients may ask why one was refused.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::consensus::clock;
use crate::core::hash::Hash;
use crate::core::record::Record;
use crate::core::refusal::Refusal;
use crate::limits::{POOL_LATELY_BYTES_MAX, POOL_LATELY_RECORDS_MAX, REFUSED_KEPT, REFUSED_RECORDS_MAX};

/// Bounded memory of what left the pool, the oldest forgotten first.
#[derive(Default)]
pub struct Lately {
    by_leaf: HashMap<Hash, Arc<Record>>,
    order: VecDeque<Hash>,
    bytes: usize,
    refused: HashMap<Hash, (Refusal, Instant)>,
    refused_order: VecDeque<(Hash, Instant)>,
}

impl Lately {
    pub fn by_leaf_hash(&self, leaf_hash: &Hash) -> Option<&Arc<Record>> {
        self.by_leaf.get(leaf_hash)
    }

    /// Remembers a record that was verified.
    pub fn keep(&mut self, record: Arc<Record>) {
        let (leaf_hash, bytes) = (record.leaf_hash(), record.leaf().len());
        if self.by_leaf.insert(leaf_hash, record).is_some() {
            return;
        }
        self.bytes += bytes;
        self.order.push_back(leaf_hash);
        while self.order.len() > POOL_LATELY_RECORDS_MAX || self.bytes > POOL_LATELY_BYTES_MAX {
            let Some(oldest) = self.order.pop_front().and_then(|leaf_hash| self.by_leaf.remove(&leaf_hash)) else {
                return;
            };
            self.bytes -= oldest.leaf().len();
        }
    }

    /// Remembers why a record that was pending may not stand.
    pub fn refuse(&mut self, id: Hash, refusal: Refusal) {
        let now = clock::instant();
        self.refused.insert(id, (refusal, now));
        self.refused_order.push_back((id, now));
        while self.refused_order.front().is_some_and(|(_, since)| clock::since(*since) > REFUSED_KEPT)
            || self.refused_order.len() > REFUSED_RECORDS_MAX
        {
            let Some((oldest, since)) = self.refused_order.pop_front() else {
                return;
            };
            if self.refused.get(&oldest).is_some_and(|(_, kept)| *kept == since) {
                self.refused.remove(&oldest);
            }
        }
    }

    pub fn refusal(&self, id: &Hash) -> Option<&Refusal> {
        self.refused.get(id).filter(|(_, since)| clock::since(*since) <= REFUSED_KEPT).map(|(refusal, _)| refusal)
    }

    /// Forgets a refusal: the record is pending again or committed after all.
    pub fn pardon(&mut self, id: &Hash) {
        self.refused.remove(id);
    }
}
