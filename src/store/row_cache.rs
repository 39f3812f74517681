//! Rows lately read from sled, decoded: keys, grants and datasets in use are read for every record.
//!
//! What is cached is what sled holds, never what a layer above it holds. Before a batch's layers leave the view, its rows
//! are dropped here; a read that began before that may not put its older value in afterwards, which the epoch tells.
//! A row that is not there is not remembered: nearly every record asks for some that nobody asks for again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::core::json::Value;
use crate::limits::ROWS_CACHED_MAX;

type Rows = HashMap<Vec<u8>, Arc<Value>>;

/// Two generations: a full one becomes the old one, and what is asked for in the old one moves up again.
#[derive(Debug, Default)]
struct Generations {
    epoch: u64,
    new: Rows,
    old: Rows,
}

/// See the module.
#[derive(Debug, Default)]
pub struct RowCache(Mutex<Generations>);

/// When a read of sled began.
#[derive(Clone, Copy, Debug)]
pub struct Began(u64);

impl RowCache {
    /// The row, or the moment from which a read of sled may put it in.
    pub fn get(&self, key: &[u8]) -> Result<Arc<Value>, Began> {
        let mut cache = self.0.lock().expect("no holder panics");
        if let Some(value) = cache.new.get(key) {
            return Ok(value.clone());
        }
        match cache.old.remove_entry(key) {
            Some((key, value)) => {
                cache.insert(key, value.clone());
                Ok(value)
            }
            None => Err(Began(cache.epoch)),
        }
    }

    /// Puts in what sled held, unless a batch was written since the read began.
    pub fn put(&self, began: Began, key: Vec<u8>, value: Arc<Value>) {
        let mut cache = self.0.lock().expect("no holder panics");
        if cache.epoch == began.0 {
            cache.insert(key, value);
        }
    }

    /// A batch with these rows is in sled.
    pub fn written<'a>(&self, keys: impl Iterator<Item = &'a Vec<u8>>) {
        let mut cache = self.0.lock().expect("no holder panics");
        cache.epoch = cache.epoch.wrapping_add(1);
        for key in keys {
            cache.new.remove(key);
            cache.old.remove(key);
        }
    }
}

impl Generations {
    fn insert(&mut self, key: Vec<u8>, value: Arc<Value>) {
        if self.new.len() >= ROWS_CACHED_MAX / 2 {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(number: u64) -> Arc<Value> {
        Arc::new(number.into())
    }

    #[test]
    fn an_older_value_never_comes_back() {
        let cache = RowCache::default();
        let began = cache.get(b"k").unwrap_err();
        cache.written([b"k".to_vec()].iter());
        cache.put(began, b"k".to_vec(), value(1));
        let began = cache.get(b"k").unwrap_err();
        cache.put(began, b"k".to_vec(), value(2));
        assert_eq!(cache.get(b"k").unwrap(), value(2));
        cache.written([b"k".to_vec()].iter());
        assert!(cache.get(b"k").is_err());
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
