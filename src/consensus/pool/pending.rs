//! The records that are pending: one lane per agency, quotas, fair order.
//!
//! Every record has an arrival number. A lane gives its records oldest first; [`Pending::candidates`] takes one record of
//! each lane in turn and goes on, at the next call, after the lane that it served last, so that small blocks are fair too.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::consensus::clock;
use crate::core::hash::Hash;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::time::Time;
use crate::limits::{POOL_AGENCY_BYTES_MAX, POOL_AGENCY_RECORDS_MAX, POOL_BYTES_MAX, POOL_RECORDS_MAX};

struct Place {
    record: Arc<Record>,
    arrival: u64,
    since: Instant,
    /// Its number among the records to spread; `None` when a peer spreads it.
    spread: Option<u64>,
}

#[derive(Default)]
struct Lane {
    records: BTreeMap<u64, Arc<Record>>,
    bytes: usize,
}

/// Pending records with their orders; each map holds the same records but `spread`.
#[derive(Default)]
pub struct Pending {
    by_id: HashMap<Hash, Place>,
    by_leaf: HashMap<Hash, Hash>,
    by_arrival: BTreeMap<u64, Hash>,
    by_claim: BTreeSet<(Time, Hash)>,
    lanes: BTreeMap<String, Lane>,
    spread: BTreeMap<u64, Arc<Record>>,
    arrivals: u64,
    bytes: usize,
    served_last: String,
}

/// Agencies are one under ASCII case folding.
fn lane_key(agency: &str) -> String {
    agency.to_ascii_lowercase()
}

impl Pending {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Arrivals so far; a record that is marked to be spread later arrives again.
    pub fn arrivals(&self) -> u64 {
        self.arrivals
    }

    pub fn get(&self, id: &Hash) -> Option<&Arc<Record>> {
        self.by_id.get(id).map(|place| &place.record)
    }

    pub fn id_of_leaf(&self, leaf_hash: &Hash) -> Option<Hash> {
        self.by_leaf.get(leaf_hash).copied()
    }

    /// The age of the record that arrived first.
    pub fn oldest(&self) -> Option<Duration> {
        let (_, id) = self.by_arrival.first_key_value()?;
        self.by_id.get(id).map(|place| clock::since(place.since))
    }

    /// Whether a record of `agency` with `bytes` leaf bytes fits.
    ///
    /// # Errors
    /// `quota`, `pool-full`.
    pub fn room_for(&self, agency: &str, bytes: usize) -> Result<(), Refusal> {
        if let Some(lane) = self.lanes.get(&lane_key(agency)) {
            let (records, held) = (lane.records.len(), lane.bytes);
            if records >= POOL_AGENCY_RECORDS_MAX || held.saturating_add(bytes) > POOL_AGENCY_BYTES_MAX {
                let found = format!("{records} records and {held} bytes of {agency} pending");
                let expected = format!("at most {POOL_AGENCY_RECORDS_MAX} records and {POOL_AGENCY_BYTES_MAX} bytes");
                return Err(Refusal::new(Code::Quota, found, expected));
            }
        }
        if self.len() >= POOL_RECORDS_MAX || self.bytes.saturating_add(bytes) > POOL_BYTES_MAX {
            let found = format!("{} records and {} bytes pending", self.len(), self.bytes);
            return Err(Refusal::new(Code::PoolFull, found, format!("at most {POOL_RECORDS_MAX} records and {POOL_BYTES_MAX} bytes")));
        }
        Ok(())
    }

    /// Keeps a record whose id is not pending and for which there is room.
    pub fn insert(&mut self, record: Arc<Record>, is_spread: bool) {
        self.arrivals += 1;
        let (arrival, bytes) = (self.arrivals, record.leaf().len());
        let lane = self.lanes.entry(lane_key(&record.by)).or_default();
        lane.records.insert(arrival, record.clone());
        lane.bytes += bytes;
        self.bytes += bytes;
        self.by_leaf.insert(record.leaf_hash(), record.id());
        self.by_arrival.insert(arrival, record.id());
        self.by_claim.insert((record.at, record.id()));
        if is_spread {
            self.spread.insert(arrival, record.clone());
        }
        let spread = is_spread.then_some(arrival);
        self.by_id.insert(record.id(), Place { record, arrival, since: clock::instant(), spread });
    }

    /// Marks a pending record to be spread by this node; true when it was not before.
    pub fn mark_spread(&mut self, id: &Hash) -> bool {
        match self.by_id.get_mut(id) {
            Some(place) if place.spread.is_none() => {
                self.arrivals += 1;
                place.spread = Some(self.arrivals);
                self.spread.insert(self.arrivals, place.record.clone());
                true
            }
            _ => false,
        }
    }

    pub fn remove(&mut self, id: &Hash) -> Option<Arc<Record>> {
        let Place { record, arrival, spread, .. } = self.by_id.remove(id)?;
        self.by_leaf.remove(&record.leaf_hash());
        self.by_arrival.remove(&arrival);
        self.by_claim.remove(&(record.at, record.id()));
        if let Some(number) = spread {
            self.spread.remove(&number);
        }
        let bytes = record.leaf().len();
        self.bytes -= bytes;
        let key = lane_key(&record.by);
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.records.remove(&arrival);
            lane.bytes -= bytes;
            if lane.records.is_empty() {
                self.lanes.remove(&key);
            }
        }
        Some(record)
    }

    /// Records in fair order, at most `records_max` and `bytes_max`; a lane whose next record does not fit is done.
    pub fn candidates(&mut self, records_max: usize, bytes_max: usize) -> Vec<Arc<Record>> {
        let after = (Bound::Excluded(self.served_last.as_str()), Bound::Unbounded);
        let up_to = (Bound::Unbounded, Bound::Included(self.served_last.as_str()));
        let lanes = self.lanes.range::<str, _>(after).chain(self.lanes.range::<str, _>(up_to));
        let mut turns: Vec<(&str, btree_map::Values<'_, u64, Arc<Record>>)> =
            lanes.map(|(agency, lane)| (agency.as_str(), lane.records.values())).collect();
        let (mut taken, mut bytes, mut served_last) = (Vec::new(), 0_usize, None);
        while !turns.is_empty() && taken.len() < records_max {
            turns.retain_mut(|(agency, lane)| {
                if taken.len() >= records_max {
                    return true;
                }
                let Some(record) = lane.next().filter(|record| bytes.saturating_add(record.leaf().len()) <= bytes_max) else {
                    return false;
                };
                bytes += record.leaf().len();
                taken.push(record.clone());
                served_last = Some(*agency);
                true
            });
        }
        if let Some(agency) = served_last.map(str::to_owned) {
            self.served_last = agency;
        }
        taken
    }

    /// Records to spread that arrived after `since`, oldest first.
    pub fn to_spread(&self, since: Option<u64>) -> Vec<Arc<Record>> {
        let from = since.map_or(Bound::Unbounded, Bound::Excluded);
        self.spread.range((from, Bound::Unbounded)).map(|(_, record)| record.clone()).collect()
    }

    /// Ids of records whose claimed time lies before `time`.
    pub fn claimed_before(&self, time: Time) -> Vec<Hash> {
        self.by_claim.iter().take_while(|(at, _)| *at < time).map(|(_, id)| *id).collect()
    }

    /// Records that arrived after number `after` and have waited for `age`, oldest first, and the number of the last one.
    pub fn lingering(&self, after: u64, age: Duration, records_max: usize) -> (Vec<Arc<Record>>, Option<u64>) {
        let old = |id: &Hash| self.by_id.get(id).filter(|place| clock::since(place.since) >= age);
        let range = self.by_arrival.range((Bound::Excluded(after), Bound::Unbounded));
        let found: Vec<_> = range.map_while(|(number, id)| Some((*number, old(id)?.record.clone()))).take(records_max).collect();
        let last = found.last().map(|(number, _)| *number);
        (found.into_iter().map(|(_, record)| record).collect(), last)
    }
}
