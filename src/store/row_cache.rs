//! Rows that were lately read from the database, decoded: keys, grants and datasets in use are read for every record.
//!
//! What is cached is what the database holds, never what a layer above it holds. Before a batch's layers leave the view, its rows
//! are dropped here; a read that began before that may not put in what it found, which the epoch tells.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::core::json::Value;
use crate::limits::ROWS_CACHED_MAX;

/// Two generations: a full one becomes the old one, and what is asked for in the old one moves up again.
#[derive(Debug, Default)]
struct Held {
    /// Batches written so far.
    epoch: u64,
    new: HashMap<Vec<u8>, Arc<Value>>,
    old: HashMap<Vec<u8>, Arc<Value>>,
}

impl Held {
    fn insert(&mut self, key: Vec<u8>, value: Arc<Value>) {
        if self.new.len() >= ROWS_CACHED_MAX / 2 {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key, value);
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct RowCache(Mutex<Held>);

/// When a read of the database began.
#[derive(Clone, Copy, Debug)]
pub struct Began(u64);

impl RowCache {
    /// The row that the database has under the key; or the moment from which a read of the database may put it in.
    pub fn get(&self, key: &[u8]) -> Result<Arc<Value>, Began> {
        let mut held = self.0.lock().expect("no holder panics");
        if let Some(value) = held.new.get(key) {
            return Ok(value.clone());
        }
        let (key, value) = held.old.remove_entry(key).ok_or(Began(held.epoch))?;
        held.insert(key, value.clone());
        Ok(value)
    }

    /// Puts in what the database held, unless a batch was written since the read began.
    pub fn put(&self, began: Began, key: Vec<u8>, value: Arc<Value>) {
        let mut held = self.0.lock().expect("no holder panics");
        if held.epoch == began.0 {
            held.insert(key, value);
        }
    }

    /// A batch with these rows is in the database.
    pub fn written<'a>(&self, keys: impl Iterator<Item = &'a Vec<u8>>) {
        let mut held = self.0.lock().expect("no holder panics");
        held.epoch = held.epoch.wrapping_add(1);
        for key in keys {
            held.new.remove(key);
            held.old.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(number: u64) -> Arc<Value> {
        Arc::new(number.into())
    }

    #[test]
    fn nothing_older_than_a_batch_comes_back() {
        let cache = RowCache::default();
        let key = b"k".to_vec();
        for (older, newer) in [(1, 2), (2, 3)] {
            let began = cache.get(&key).unwrap_err();
            cache.put(began, key.clone(), value(older));
            assert_eq!(cache.get(&key).unwrap(), value(older));
            cache.written([key.clone()].iter());
            cache.put(began, key.clone(), value(older));
            let began = cache.get(&key).unwrap_err();
            cache.put(began, key.clone(), value(newer));
            assert_eq!(cache.get(&key).unwrap(), value(newer));
            cache.written([key.clone()].iter());
        }
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let cache = RowCache::default();
        for number in 0..4 * ROWS_CACHED_MAX {
            let key = number.to_be_bytes().to_vec();
            if let Err(began) = cache.get(&key) {
                cache.put(began, key, value(0));
            }
            if let Err(began) = cache.get(b"k") {
                assert_eq!(number, 0);
                cache.put(began, b"k".to_vec(), value(1));
            }
        }
        let held = cache.0.lock().unwrap();
        assert!(held.new.len() + held.old.len() <= ROWS_CACHED_MAX);
    }
}
