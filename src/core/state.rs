//! The deterministic state: rows of named tables, and the changes that a block makes to them.
//!
//! A row is (table, key) to a JSON value. The state hash is a chain over the changes of each block; it finds divergence
//! between nodes and proves no snapshot. Tables and rows are listed in `tests/vectors/SPEC.md`.

use std::collections::BTreeMap;
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

/// Rows in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryRows(BTreeMap<(Table, String), Arc<Value>>);

impl MemoryRows {
    pub fn apply(&mut self, changes: &Changes) {
        for (row, value) in &changes.0 {
            match value {
                Some(value) => self.0.insert(row.clone(), value.clone()),
                None => self.0.remove(row),
            };
        }
    }

    /// All rows, ascending by (table, key).
    pub fn iter(&self) -> impl Iterator<Item = (Table, &str, &Value)> {
        self.0.iter().map(|((table, key), value)| (*table, key.as_str(), value.as_ref()))
    }
}

impl FromIterator<(Table, String, Value)> for MemoryRows {
    fn from_iter<I: IntoIterator<Item = (Table, String, Value)>>(rows: I) -> Self {
        MemoryRows(rows.into_iter().map(|(table, key, value)| ((table, key), Arc::new(value))).collect())
    }
}

impl Rows for MemoryRows {
    fn get(&self, table: Table, key: &str) -> Option<Arc<Value>> {
        self.0.get(&(table, key.to_owned())).cloned()
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
