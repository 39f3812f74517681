//! The rows of the state, read and written in one place. They are listed in the doc of [`crate::core::rules`].
//!
//! Values are read where they lie: a row in hand shares the store's copy. A member that is missing from a row is a broken
//! invariant, since only the rules write rows and the store checks what it reads.

use std::sync::Arc;

use crate::core::hash::Hash;
use crate::core::json::{Value, object, strings};
use crate::core::key::{KeyId, PublicKey, Role, VerifierKey};
use crate::core::kinds::Kind;
use crate::core::policy::Policy;
use crate::core::state::{Changes, Rows, Table};
use crate::core::validators::ValidatorSet;

pub const AGENCY: Table = Table("agency");
pub const BATCH: Table = Table("batch");
pub const CALENDAR: Table = Table("calendar");
pub const DATASET: Table = Table("dataset");
pub const DUTY: Table = Table("duty");
pub const KEY: Table = Table("key");
pub const POLICY: Table = Table("policy");
pub const PUBLIC: Table = Table("public");
pub const RECORD: Table = Table("record");
pub const VALIDATORS: Table = Table("validators");

/// Row of [`POLICY`]: the whole body.
const POLICY_BODY: &str = "body";
/// Row of [`POLICY`]: what is read for every record.
const POLICY_ADMISSION: &str = "admission";
/// Row of [`VALIDATORS`]: the first heights of all sets, ascending; each has a row under its number.
const VALIDATORS_HEIGHTS: &str = "heights";

const STARTED: &str = "a state starts from the rows of a genesis file";
const WRITTEN: &str = "rows are written by these rules alone, with all their members";

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).expect(WRITTEN)
}

fn integer(value: &Value, member: &str) -> u64 {
    value.get(member).and_then(Value::as_u64).expect(WRITTEN)
}

fn hash(value: &Value, member: &str) -> Hash {
    Hash::parse(text(value, member)).expect(WRITTEN)
}

/// A row with one more member, or another value of one.
fn with(row: &Value, member: &str, value: Value) -> Value {
    let mut members = row.as_object().expect(WRITTEN).clone();
    members.insert(member.to_owned(), value);
    Value::Object(members)
}

/// What later rules need of a committed record.
pub struct RecordRow(Arc<Value>);

impl RecordRow {
    pub fn read(state: &dyn Rows, id: &Hash) -> Option<Self> {
        state.get(RECORD, &id.to_hex()).map(RecordRow)
    }

    pub fn is(&self, kind: Kind) -> bool {
        text(&self.0, "kind") == kind.as_str()
    }

    pub fn position(&self) -> u64 {
        integer(&self.0, "position")
    }

    /// Of a request, and of an answer.
    pub fn requester(&self) -> &str {
        text(&self.0, "requester")
    }

    /// Of a request, and of an answer.
    pub fn provider(&self) -> &str {
        text(&self.0, "provider")
    }

    /// Of a request: those asked for. Of an answer: those granted; `None` when it refuses.
    pub fn datasets(&self) -> Option<impl Iterator<Item = &str>> {
        let items = self.0.get("datasets")?.as_array().expect(WRITTEN);
        Some(items.iter().map(|item| item.as_str().expect(WRITTEN)))
    }

    /// Of an answer.
    pub fn request(&self) -> Hash {
        hash(&self.0, "request")
    }

    /// Of a delivery: the answer that it is made under.
    pub fn grant(&self) -> Hash {
        hash(&self.0, "grant")
    }

    /// Of a delivery, in hex.
    pub fn commitment(&self) -> &str {
        text(&self.0, "commitment")
    }

    /// Of a delivery.
    pub fn rows(&self) -> Option<u64> {
        self.0.get("rows").map(|rows| rows.as_u64().expect(WRITTEN))
    }

    /// Of a request its answer, of a delivery its receipt.
    pub fn closed_by(&self) -> Option<&str> {
        self.0.get("closed").map(|id| id.as_str().expect(WRITTEN))
    }

    /// This row, closed by the record `id`.
    pub fn closing(&self, id: &Hash) -> Value {
        with(&self.0, "closed", id.to_hex().into())
    }
}

/// The newest version of a dataset.
pub struct DatasetRow(Arc<Value>);

impl DatasetRow {
    pub fn read(state: &dyn Rows, id: &str) -> Option<Self> {
        state.get(DATASET, id).map(DatasetRow)
    }

    pub fn class(&self) -> &str {
        text(&self.0, "class")
    }

    pub fn provider(&self) -> &str {
        text(&self.0, "provider")
    }

    pub fn version(&self) -> u64 {
        integer(&self.0, "version")
    }

    pub fn value(class: &str, position: u64, provider: &str, version: u64) -> Value {
        object([("class", class.into()), ("position", position.into()), ("provider", provider.into()), ("version", version.into())])
    }
}

/// An agency and the vkeys that it ever had.
pub struct AgencyRow(Arc<Value>);

impl AgencyRow {
    /// Under ASCII case folding.
    pub fn read(state: &dyn Rows, id: &str) -> Option<Self> {
        state.get(AGENCY, &id.to_ascii_lowercase()).map(AgencyRow)
    }

    /// As spelled on the ledger.
    pub fn id(&self) -> &str {
        text(&self.0, "id")
    }

    pub fn position(&self) -> u64 {
        integer(&self.0, "position")
    }

    pub fn status(&self) -> &str {
        text(&self.0, "status")
    }

    /// Ascending.
    pub fn vkeys(&self) -> impl Iterator<Item = &str> {
        let items = self.0.get("keys").and_then(Value::as_array).expect(WRITTEN);
        items.iter().map(|item| item.as_str().expect(WRITTEN))
    }

    /// This row with one more key.
    pub fn with_vkey(&self, vkey: &VerifierKey) -> Value {
        let new = vkey.to_string();
        let mut vkeys: Vec<&str> = self.vkeys().collect();
        vkeys.push(&new);
        vkeys.sort_unstable();
        with(&self.0, "keys", strings(vkeys))
    }
}

/// A registered key as its row shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisteredKey {
    pub public: PublicKey,
    /// `None`: of the genesis file.
    pub from: Option<u64>,
    pub until: Option<u64>,
}

impl RegisteredKey {
    /// At positions after the record that brought it, up to and including the one that ends it.
    pub fn is_trusted_at(&self, position: u64) -> bool {
        self.from.is_none_or(|from| from < position) && self.until.is_none_or(|until| position <= until)
    }
}

fn key_row(agency: &str, role: Role, id: KeyId) -> String {
    format!("{agency}/{role}+{}", crate::core::hash::to_hex(&id))
}

/// The keys that a signature line's name and key id stand for: one, unless somebody made two with equal ids.
pub fn registered_keys(state: &dyn Rows, agency: &str, role: Role, id: KeyId) -> Vec<RegisteredKey> {
    let Some(row) = state.get(KEY, &key_row(agency, role, id)) else {
        return Vec::new();
    };
    let key = |item: &Value| RegisteredKey {
        public: PublicKey::from_registered(text(item, "public")).expect(WRITTEN),
        from: item.get("from").map(|from| from.as_u64().expect(WRITTEN)),
        until: item.get("until").map(|until| until.as_u64().expect(WRITTEN)),
    };
    row.as_array().expect(WRITTEN).iter().map(key).collect()
}

/// Writes the row of the keys that share a name and key id.
pub fn put_keys(changes: &mut Changes, agency: &str, role: Role, id: KeyId, keys: &[RegisteredKey]) {
    let item = |key: &RegisteredKey| {
        let bounds = [("from", key.from), ("until", key.until)];
        let bounds = bounds.into_iter().filter_map(|(name, position)| Some((name.to_owned(), Value::Int(position?))));
        let public = ("public".to_owned(), key.public.to_base64().into());
        Value::Object(bounds.chain([public]).collect())
    };
    changes.put(KEY, key_row(agency, role, id), Value::Array(keys.iter().map(item).collect()));
}

/// Whether a public key is registered, by any agency for any use.
pub fn is_registered(state: &dyn Rows, public: &PublicKey) -> bool {
    state.get(PUBLIC, &public.to_base64()).is_some()
}

pub fn put_public(changes: &mut Changes, public: &PublicKey) {
    changes.put(PUBLIC, public.to_base64(), true.into());
}

/// Writes the rows of a new agency and its keys; `from` is the position of the record that brings them, `None` in genesis.
pub fn put_agency(changes: &mut Changes, id: &str, keys: &[(Role, VerifierKey)], from: Option<u64>) {
    let mut vkeys: Vec<_> = keys.iter().map(|(_, vkey)| vkey.to_string()).collect();
    vkeys.sort_unstable();
    let row = object([("id", id.into()), ("keys", strings(vkeys)), ("position", from.unwrap_or(0).into()), ("status", "active".into())]);
    changes.put(AGENCY, id.to_ascii_lowercase(), row);
    let mut groups = std::collections::BTreeMap::<_, Vec<_>>::new();
    for (role, vkey) in keys {
        let key = RegisteredKey { public: *vkey.public(), from, until: None };
        groups.entry((*role, vkey.id())).or_default().push(key);
        put_public(changes, vkey.public());
    }
    for ((role, key_id), group) in &groups {
        put_keys(changes, id, *role, *key_id, group);
    }
}

/// Writes the rows of the policy in force.
pub fn put_policy(changes: &mut Changes, policy: &Policy) {
    let admission =
        object([("record_age_ms_max", policy.record_age_ms_max.into()), ("unreviewed_requestable", policy.unreviewed_requestable.into())]);
    changes.put(POLICY, POLICY_ADMISSION, admission);
    changes.put(POLICY, POLICY_BODY, policy.body.clone());
}

/// A limit that is read for every record.
pub fn record_age_ms_max(state: &dyn Rows) -> u64 {
    integer(&state.get(POLICY, POLICY_ADMISSION).expect(STARTED), "record_age_ms_max")
}

pub fn unreviewed_requestable(state: &dyn Rows) -> bool {
    let admission = state.get(POLICY, POLICY_ADMISSION).expect(STARTED);
    admission.get("unreviewed_requestable").and_then(Value::as_bool).expect(WRITTEN)
}

pub fn policy(state: &dyn Rows) -> Policy {
    let body = state.get(POLICY, POLICY_BODY).expect(STARTED);
    Policy::from_value(&body).expect("a policy is checked before it is written")
}

/// Writes the first validator set.
pub fn put_first_validators(changes: &mut Changes, set: &ValidatorSet) {
    changes.put(VALIDATORS, VALIDATORS_HEIGHTS, Value::Array(vec![1.into()]));
    changes.put(VALIDATORS, "1", set.to_value());
}

/// The set whose first height is the last one not above `height`.
pub fn validator_set(state: &dyn Rows, height: u64) -> ValidatorSet {
    let heights = state.get(VALIDATORS, VALIDATORS_HEIGHTS).expect(STARTED);
    let heights = heights.as_array().expect(WRITTEN);
    let first = heights.iter().filter_map(Value::as_u64).take_while(|first| *first <= height.max(1)).last().expect(WRITTEN);
    let set = state.get(VALIDATORS, &first.to_string()).expect(WRITTEN);
    ValidatorSet::from_row(&set).expect(WRITTEN)
}
