//! The rows of nodes: validator sets by height, where validators are reached, followers.

use std::sync::Arc;

use crate::core::genesis::Validator;
use crate::core::json::{Value, object, strings};
use crate::core::state::{Changes, Rows, Table};
use crate::core::tables::{ROLE, STARTED, WRITTEN, integer, text, with};
use crate::core::validators::ValidatorSet;

pub const NODE: Table = Table("node");
pub const VALIDATOR: Table = Table("validator");
pub const VALIDATORS: Table = Table("validators");

/// Row of [`VALIDATORS`]: the first heights of all sets, ascending; each has a row under its number.
const VALIDATORS_HEIGHTS: &str = "heights";
/// Row of [`ROLE`]: the agencies that have followers, ascending.
const ROLE_FOLLOWER: &str = "follower";
/// Row of [`ROLE`]: the agencies that are or were validators, or will be, ascending.
const ROLE_VALIDATOR: &str = "validator";
/// Row of [`VALIDATORS`]: what the newest block that changed a set changed.
const VALIDATORS_CHANGED: &str = "changed";

/// Where a node is reached, and what it publishes under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    pub addresses: Vec<String>,
    pub peer: String,
    /// In base64.
    pub publication: String,
    pub records: Vec<String>,
}

impl Reach {
    pub fn of(validator: &Validator) -> Self {
        Reach {
            addresses: validator.addresses.clone(),
            peer: validator.peer.clone(),
            publication: validator.publication.to_base64(),
            records: validator.records.clone(),
        }
    }

    fn to_value(&self) -> Value {
        object([
            ("addresses", strings(&self.addresses)),
            ("peer", self.peer.as_str().into()),
            ("publication", self.publication.as_str().into()),
            ("records", strings(&self.records)),
        ])
    }

    fn from_row(row: &Value) -> Self {
        let list = |name: &str| {
            let items = row.get(name).and_then(Value::as_array).expect(WRITTEN);
            items.iter().map(|item| item.as_str().expect(WRITTEN).to_owned()).collect()
        };
        Reach {
            addresses: list("addresses"),
            peer: text(row, "peer").to_owned(),
            publication: text(row, "publication").to_owned(),
            records: list("records"),
        }
    }
}

/// The followers that an agency admitted, ascending by peer id.
pub fn admitted_nodes(state: &dyn Rows, agency: &str) -> Vec<Reach> {
    let Some(row) = state.get(NODE, &agency.to_ascii_lowercase()) else {
        return Vec::new();
    };
    row.as_array().expect(WRITTEN).iter().map(Reach::from_row).collect()
}

/// The agencies that have followers, ascending.
pub fn followers(state: &dyn Rows) -> Vec<String> {
    listed(state, ROLE_FOLLOWER)
}

/// The agencies that are or were validators, or will be, ascending.
pub fn all_validators(state: &dyn Rows) -> Vec<String> {
    listed(state, ROLE_VALIDATOR)
}

fn listed(state: &dyn Rows, key: &str) -> Vec<String> {
    let Some(row) = state.get(ROLE, key) else {
        return Vec::new();
    };
    row.as_array().expect(WRITTEN).iter().map(|id| id.as_str().expect(WRITTEN).to_owned()).collect()
}

pub fn put_admitted_nodes(changes: &mut Changes, state: &dyn Rows, agency: &str, mut nodes: Vec<Reach>) {
    nodes.sort_by(|a, b| a.peer.cmp(&b.peer));
    let key = agency.to_ascii_lowercase();
    let mut agencies = followers(state);
    let place = agencies.binary_search_by(|known| known.as_str().cmp(agency));
    match (place, nodes.is_empty()) {
        (Ok(index), true) => drop(agencies.remove(index)),
        (Err(index), false) => agencies.insert(index, agency.to_owned()),
        _ => {}
    }
    changes.put(ROLE, ROLE_FOLLOWER, strings(agencies));
    if nodes.is_empty() {
        changes.delete(NODE, key);
    } else {
        changes.put(NODE, key, Value::Array(nodes.iter().map(Reach::to_value).collect()));
    }
}

/// Where a validator is reached, by the heights from which that holds; it stays when the validator is removed.
pub struct ReachRow(Arc<Value>);

impl ReachRow {
    pub fn read(state: &dyn Rows, agency: &str) -> Option<Self> {
        state.get(VALIDATOR, &agency.to_ascii_lowercase()).map(ReachRow)
    }

    /// (first height, where), ascending.
    pub fn entries(&self) -> Vec<(u64, Reach)> {
        self.0.as_array().expect(WRITTEN).iter().map(|entry| (integer(entry, "from"), Reach::from_row(entry))).collect()
    }

    /// What holds last.
    pub fn newest(&self) -> Reach {
        self.entries().pop().expect(WRITTEN).1
    }
}

/// Adds where a validator is reached from the height `from` on; what no height from `height` on needs is left out.
pub fn put_reach(changes: &mut Changes, state: &dyn Rows, agency: &str, height: u64, (from, reach): (u64, Reach)) {
    let mut entries = ReachRow::read(state, agency).map_or_else(Vec::new, |row| row.entries());
    let past = entries.iter().filter(|(first, _)| *first <= height).count();
    entries.drain(..past.saturating_sub(1));
    entries.retain(|(first, _)| *first < from);
    entries.push((from, reach));
    let entry = |(first, reach): &(u64, Reach)| with(&reach.to_value(), "from", (*first).into());
    changes.put(VALIDATOR, agency.to_ascii_lowercase(), Value::Array(entries.iter().map(entry).collect()));
    let mut agencies = all_validators(state);
    if let Err(index) = agencies.binary_search_by(|known| known.as_str().cmp(agency)) {
        agencies.insert(index, agency.to_owned());
        changes.put(ROLE, ROLE_VALIDATOR, strings(agencies));
    }
}

/// Writes the first validator set, and where its members are reached.
pub fn put_first_validators(changes: &mut Changes, set: &ValidatorSet, validators: &[Validator]) {
    changes.put(VALIDATORS, VALIDATORS_HEIGHTS, Value::Array(vec![1.into()]));
    changes.put(VALIDATORS, "1", set.to_value());
    changes.put(ROLE, ROLE_VALIDATOR, strings(validators.iter().map(|validator| &validator.agency)));
    for validator in validators {
        let entry = with(&Reach::of(validator).to_value(), "from", 1.into());
        changes.put(VALIDATOR, validator.agency.to_ascii_lowercase(), Value::Array(vec![entry]));
    }
}

/// The first heights of all sets, those to come included, ascending.
pub fn set_heights(state: &dyn Rows) -> Vec<u64> {
    let heights = state.get(VALIDATORS, VALIDATORS_HEIGHTS).expect(STARTED);
    heights.as_array().expect(WRITTEN).iter().map(|height| height.as_u64().expect(WRITTEN)).collect()
}

/// The set whose first height is the last one not above `height`.
pub fn validator_set(state: &dyn Rows, height: u64) -> ValidatorSet {
    let first = set_heights(state).into_iter().take_while(|first| *first <= height.max(1)).last().expect(WRITTEN);
    let set = state.get(VALIDATORS, &first.to_string()).expect(WRITTEN);
    ValidatorSet::from_row(&set).expect(WRITTEN)
}

/// Writes the set that judges from `from` on, which is not below the last height that has one.
pub fn put_set(changes: &mut Changes, state: &dyn Rows, from: u64, set: &ValidatorSet) {
    let mut heights = set_heights(state);
    if heights.last() != Some(&from) {
        heights.push(from);
        changes.put(VALIDATORS, VALIDATORS_HEIGHTS, Value::Array(heights.into_iter().map(Value::from).collect()));
    }
    changes.put(VALIDATORS, from.to_string(), set.to_value());
}

/// The power of the last set before the block of `height`, and the agencies that the block changed so far, ascending.
pub fn changed_in_block(state: &dyn Rows, height: u64) -> (u64, Vec<String>) {
    let row = state.get(VALIDATORS, VALIDATORS_CHANGED).filter(|row| integer(row, "height") == height);
    match row {
        Some(row) => {
            let agencies = row.get("agencies").and_then(Value::as_array).expect(WRITTEN);
            (integer(&row, "power"), agencies.iter().map(|id| id.as_str().expect(WRITTEN).to_owned()).collect())
        }
        None => (validator_set(state, u64::MAX).power(), Vec::new()),
    }
}

/// Writes what the block of `height` changed.
pub fn put_changed(changes: &mut Changes, height: u64, power: u64, agencies: &[String]) {
    let row = object([("agencies", strings(agencies)), ("height", height.into()), ("power", power.into())]);
    changes.put(VALIDATORS, VALIDATORS_CHANGED, row);
}
