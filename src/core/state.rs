//! The deterministic state: rows of named tables, and the changes that a block makes to them.
//!
//! A row is (table, key) to a JSON value. The state hash is a chain over the changes of each block; it finds divergence
//! between nodes and proves no snapshot. Tables and rows are listed in `tests/vectors/SPEC.md`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::core::hash::Hash;
use crate::core::json::Value;

/// The name of a table of rows; ordered by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub &'static str);

/// Read access to rows: the store, memory, or an overlay over either.
pub trait Rows {
    fn get(&self, table: Table, key: &str) -> Option<Arc<Value>>;
}

/// The rows written by one record or one block, each with its last value; `None` is a deleted row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(pub BTreeMap<(Table, String), Option<Arc<Value>>>);

impl Changes {
    pub fn put(&mut self, table: Table, key: impl Into<String>, value: Value) {
        self.0.insert((table, key.into()), Some(Arc::new(value)));
    }

    pub fn delete(&mut self, table: Table, key: impl Into<String>) {
        self.0.insert((table, key.into()), None);
    }

    /// Adds later changes; they replace earlier ones of the same row.
    pub fn extend(&mut self, later: Changes) {
        self.0.extend(later.0);
    }

    /// JCS of `[[table,key,value],...]`, ascending by (table, key); `false` stands for a deleted row.
    pub fn to_jcs(&self) -> String {
        let mut out = String::from("[");
        for (index, ((table, key), value)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push('[');
            Value::from(table.0).write_jcs(&mut out);
            out.push(',');
            Value::from(key.as_str()).write_jcs(&mut out);
            out.push(',');
            match value {
                Some(value) => value.write_jcs(&mut out),
                None => out.push_str("false"),
            }
            out.push(']');
        }
        out.push(']');
        out
    }
}

/// state(h) = SHA-256("sharelog/state/v1\n" || state(h-1) || JCS of the changes).
pub fn next_state(previous: &Hash, changes: &Changes) -> Hash {
    Hash::of_parts(&[b"sharelog/state/v1\n", previous.as_bytes(), changes.to_jcs().as_bytes()])
}

/// Rows in memory; of some hundred thousand, one is found by one look.
#[derive(Clone, Debug, Default)]
pub struct MemoryRows(BTreeMap<Table, HashMap<String, Arc<Value>>>);

impl MemoryRows {
    pub fn apply(&mut self, changes: &Changes) {
        for ((table, key), value) in &changes.0 {
            let rows = self.0.entry(*table).or_default();
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
    }

    /// All rows, ascending by (table, key).
    pub fn iter(&self) -> impl Iterator<Item = (Table, &str, &Value)> {
        self.0.iter().flat_map(|(table, rows)| {
            let mut rows: Vec<_> = rows.iter().map(|(key, value)| (*table, key.as_str(), value.as_ref())).collect();
            rows.sort_unstable_by_key(|(_, key, _)| *key);
            rows
        })
    }
}

impl FromIterator<(Table, String, Value)> for MemoryRows {
    fn from_iter<I: IntoIterator<Item = (Table, String, Value)>>(rows: I) -> Self {
        let mut tables: BTreeMap<Table, HashMap<String, Arc<Value>>> = BTreeMap::new();
        for (table, key, value) in rows {
            tables.entry(table).or_default().insert(key, Arc::new(value));
        }
        MemoryRows(tables)
    }
}

impl Rows for MemoryRows {
    fn get(&self, table: Table, key: &str) -> Option<Arc<Value>> {
        self.0.get(&table)?.get(key).cloned()
    }
}

/// Changes not yet part of the rows below them.
pub struct Overlay<'a> {
    base: &'a (dyn Rows + 'a),
    pub changes: Changes,
}

impl<'a> Overlay<'a> {
    pub fn new(base: &'a (dyn Rows + 'a)) -> Self {
        Overlay { base, changes: Changes::default() }
    }
}

impl Rows for Overlay<'_> {
    fn get(&self, table: Table, key: &str) -> Option<Arc<Value>> {
        match self.changes.0.get(&(table, key.to_owned())) {
            Some(value) => value.clone(),
            None => self.base.get(table, key),
        }
    }
}
