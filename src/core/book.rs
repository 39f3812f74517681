//! The book: what clocks and questions need to know of all records so far, folded into memory in their order.
//!
//! 1. [`Book::new`] writes the genesis file down.
//! 2. [`Book::take`] adds one committed record; positions ascend. What was admitted is taken as it is: a record that refers to
//!    nothing known changes nothing, and nothing panics.
//! 3. A question names its moment ([`AsOf`]); later facts are in the book and not seen.
//!
//! Texts are not kept: an answer reads them from the leaves, whose positions the facts name.

pub mod at;
pub mod facts;
pub mod period;

use crate::core::book::at::AsOf;
use crate::core::book::facts::{AgencyNo, DatasetNo, DutyNo};
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::record::Record;
use crate::core::time::Time;

/// A committed record as the book reads it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub id: Hash,
    pub kind: &'a str,
    pub by: &'a str,
    pub refs: &'a [Hash],
    pub body: &'a Value,
    pub position: u64,
    /// Of its block.
    pub time: Time,
}

/// The fold.
#[derive(Clone, Debug)]
pub struct Book {
    size: u64,
}

impl Book {
    pub fn new(genesis: &Genesis) -> Self {
        todo!()
    }

    /// Adds the record at `position`, committed at `time`.
    pub fn take(&mut self, record: &Record, position: u64, time: Time) {
        let body = record.body_value();
        let (kind, by, refs) = (record.kind.as_str(), record.by.as_str(), record.refs.as_slice());
        self.take_event(&Event { id: record.id(), kind, by, refs, body: &body, position, time });
    }

    /// As [`Book::take`].
    pub fn take_event(&mut self, event: &Event<'_>) {
        todo!()
    }

    /// Positions below it are taken, or hold no record.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Goes on to `size`: what lies before it is taken, or a block entry.
    pub fn pass(&mut self, size: u64) {
        self.size = self.size.max(size);
    }

    /// Everything taken so far, judged at `time`; records committed after it are not seen.
    pub fn as_of(&self, time: Time) -> AsOf {
        AsOf { size: self.size, time }
    }

    /// Of the agency with this id; letter case counts.
    pub fn agency(&self, id: &str) -> Option<AgencyNo> {
        todo!()
    }

    pub fn agency_id(&self, agency: AgencyNo) -> &str {
        todo!()
    }

    pub fn dataset_id(&self, dataset: DatasetNo) -> &str {
        todo!()
    }

    pub fn duty_id(&self, duty: DutyNo) -> &str {
        todo!()
    }
}
