//! Which row keys the database may hold, in memory: whether a record is new is asked four times for each record, and a search that
//! finds nothing goes through many files.
//!
//! Bloom filters, each for four times the keys of the one before (Almeida et al., "Scalable Bloom Filters", 2007): no key is
//! ever missed, a few in a hundred that it does not hold are searched for all the same.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{RwLock, RwLockReadGuard};

use fastbloom::BloomFilter;

use crate::limits::{KEY_FILTER_FIRST_KEYS, KEY_FILTER_MISTAKES};

/// Filled while the database is opened, and with each batch before it is written.
#[derive(Debug, Default)]
pub struct KeyFilter {
    filters: RwLock<Filters>,
    /// Of its own secret, so that nobody makes ids that are searched for in vain. A key is hashed once for all filters.
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Filters {
    /// The newest last.
    filters: Vec<BloomFilter>,
    /// Keys that still go into the newest.
    room: usize,
}

impl KeyFilter {
    pub fn add(&self, key: &[u8]) {
        let hash = self.hasher.hash_one(key);
        let mut filters = self.filters.write().expect("no holder panics");
        if filters.room == 0 {
            filters.room = KEY_FILTER_FIRST_KEYS << (2 * filters.filters.len());
            let larger = BloomFilter::with_false_pos(KEY_FILTER_MISTAKES).expected_items(filters.room);
            filters.filters.push(larger);
        }
        let newest = filters.filters.last_mut().expect("one was made");
        if !newest.insert_hash(hash) {
            filters.room -= 1;
        }
    }

    /// False: no row lies under the key.
    pub fn may_hold(&self, key: &[u8]) -> bool {
        let hash = self.hasher.hash_one(key);
        self.read().filters.iter().rev().any(|filter| filter.contains_hash(hash))
    }

    fn read(&self) -> RwLockReadGuard<'_, Filters> {
        self.filters.read().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_held_and_few_others_seem_to_be() {
        let filter = KeyFilter::default();
        assert!(!filter.may_hold(b"k"));
        let keys = 5 * KEY_FILTER_FIRST_KEYS;
        for number in 0..keys {
            filter.add(&number.to_be_bytes());
            filter.add(&number.to_be_bytes());
        }
        assert!((0..keys).all(|number| filter.may_hold(&number.to_be_bytes())));
        let mistaken = (keys..2 * keys).filter(|number| filter.may_hold(&number.to_be_bytes())).count();
        assert!(mistaken < keys / 20, "{mistaken} of {keys}");
        assert_eq!(filter.read().filters.len(), 2);
    }
}
