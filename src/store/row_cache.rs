//! What was lately read from sled: rows, decoded, and keys under which there is none.
//!
//! Keys, grants and datasets in use are read for every record; that a record is new is asked when it comes, and again when
//! its block is executed. What is cached is what sled holds, never what a layer above it holds. Before a batch's layers
//! leave the view, its rows are dropped here; a read that began before that may not put in what it found, which the epoch
//! tells.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::core::json::Value;
use crate::limits::{ABSENT_ROWS_CACHED_MAX, ROWS_CACHED_MAX};

/// Two generations: a full one becomes the old one, and what is asked for in the old one moves up again.
#[derive(Debug)]
struct Generations<V> {
    entries_max: usize,
    new: HashMap<Vec<u8>, V>,
    old: HashMap<Vec<u8>, V>,
}

impl<V: Clone> Generations<V> {
    fn new(entries_max: usize) -> Self {
        Generations { entries_max, new: HashMap::new(), old: HashMap::new() }
    }

    fn get(&mut self, key: &[u8]) -> Option<V> {
        if let Some(value) = self.new.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value.clone());
        Some(value)
    }

    fn insert(&mut self, key: Vec<u8>, value: V) {
        if self.new.len() >= self.entries_max / 2 {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key, value);
    }

    fn remove(&mut self, key: &[u8]) {
        self.new.remove(key);
        self.old.remove(key);
    }
}

#[derive(Debug)]
struct Held {
    /// Batches written so far.
    epoch: u64,
    rows: Generations<Arc<Value>>,
    absent: Generations<()>,
}

/// See the module.
#[derive(Debug)]
pub struct RowCache(Mutex<Held>);

/// When a read of sled began.
#[derive(Clone, Copy, Debug)]
pub struct Began(u64);

impl Default for RowCache {
    fn default() -> Self {
        let (rows, absent) = (Generations::new(ROWS_CACHED_MAX), Generations::new(ABSENT_ROWS_CACHED_MAX));
        RowCache(Mutex::new(Held { epoch: 0, rows, absent }))
    }
}

impl RowCache {
    /// What sled has under the key; or, when that is not known, the moment from which a read of sled may put it in.
    pub fn get(&self, key: &[u8]) -> Result<Option<Arc<Value>>, Began> {
        let mut held = self.0.lock().expect("no holder panics");
        if let Some(value) = held.rows.get(key) {
            return Ok(Some(value));
        }
        match held.absent.get(key) {
            Some(()) => Ok(None),
            None => Err(Began(held.epoch)),
        }
    }

    /// Whether it is known that sled holds no row under the key.
    pub fn is_absent(&self, key: &[u8]) -> bool {
        let held = self.0.lock().expect("no holder panics");
        held.absent.new.contains_key(key) || held.absent.old.contains_key(key)
    }

    /// Puts in what sled held, unless a batch was written since the read began.
    pub fn put(&self, began: Began, key: Vec<u8>, found: Option<Arc<Value>>) {
        let mut held = self.0.lock().expect("no holder panics");
        if held.epoch != began.0 {
            return;
        }
        match found {
            Some(value) => held.rows.insert(key, value),
            None => held.absent.insert(key, ()),
        }
    }

    /// A batch with these rows is in sled.
    pub fn written<'a>(&self, keys: impl Iterator<Item = &'a Vec<u8>>) {
        let mut held = self.0.lock().expect("no holder panics");
        held.epoch = held.epoch.wrapping_add(1);
        for key in keys {
            held.rows.remove(key);
            held.absent.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(number: u64) -> Option<Arc<Value>> {
        Some(Arc::new(number.into()))
    }

    #[test]
    fn nothing_older_than_a_batch_comes_back() {
        let cache = RowCache::default();
        let key = b"k".to_vec();
        for (older, newer) in [(None, value(1)), (value(1), value(2)), (value(2), None)] {
            let began = cache.get(&key).unwrap_err();
            cache.put(began, key.clone(), older.clone());
            assert_eq!(cache.get(&key).unwrap(), older);
            assert_eq!(cache.is_absent(&key), older.is_none());
            cache.written([key.clone()].iter());
            cache.put(began, key.clone(), older);
            assert!(!cache.is_absent(&key));
            let began = cache.get(&key).unwrap_err();
            cache.put(began, key.clone(), newer.clone());
            assert_eq!(cache.get(&key).unwrap(), newer);
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
        assert!(held.rows.new.len() + held.rows.old.len() <= ROWS_CACHED_MAX);
    }
}
