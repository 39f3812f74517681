//! The rows of the state, read and written in one place. They are listed in the doc of [`crate::core::rules`].
//!
//! Values are read where they lie: a row in hand shares the store's copy. A member that is missing from a row is a broken
//! invariant, since only the rules write rows and the store checks what it reads.

mod agencies;
mod nodes;
mod sharing;

use std::sync::Arc;

pub use agencies::{
    AGENCY, AgencyRow, Membership, OPEN, ROLE, Status, acting_authorities, add_authority, add_open, authorities, covering_authority,
    covers, end_of_chain, end_open, hand_over_open, open_count, put_agency, put_authorities, remove_authority, stands_for,
};

pub use nodes::{
    NODE, Reach, ReachRow, VALIDATOR, VALIDATORS, admitted_nodes, all_validators, changed_in_block, followers, put_admitted_nodes,
    put_changed, put_first_validators, put_reach, put_set, set_heights, validator_set,
};

pub use sharing::{DutyRow, USE, extension_max, limit, pauses_on_supplement, utc_offset_minutes, working_days};

use crate::core::hash::Hash;
use crate::core::json::{Value, object};
use crate::core::key::{KeyId, PublicKey, Role};
use crate::core::kinds::Kind;
use crate::core::names;
use crate::core::policy::Policy;
use crate::core::state::{Changes, Rows, Table};

pub const BATCH: Table = Table("batch");
pub const CALENDAR: Table = Table("calendar");
pub const DATASET: Table = Table("dataset");
pub const DUTY: Table = Table("duty");
pub const KEY: Table = Table("key");
pub const NAME: Table = Table("name");
pub const POLICY: Table = Table("policy");
pub const PUBLIC: Table = Table("public");
pub const RECORD: Table = Table("record");
pub const TERRITORY: Table = Table("territory");

/// All tables, ascending by name.
const ALL: [Table; 17] =
    [AGENCY, BATCH, CALENDAR, DATASET, DUTY, KEY, NAME, NODE, OPEN, POLICY, PUBLIC, RECORD, ROLE, TERRITORY, USE, VALIDATOR, VALIDATORS];

/// The table of this name.
pub fn named(name: &str) -> Option<Table> {
    ALL.into_iter().find(|table| table.0 == name)
}

/// Row of [`POLICY`]: the whole body.
const POLICY_BODY: &str = "body";
/// Row of [`POLICY`]: what is read for every record.
const POLICY_ADMISSION: &str = "admission";
/// Row of [`POLICY`]: the rule sets by height.
const POLICY_RULES: &str = "rules";

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

    pub fn kind(&self) -> Kind {
        Kind::parse(text(&self.0, "kind")).expect(WRITTEN)
    }

    /// The writer, or the party that it stood for; `None` where no later rule asks for it.
    pub fn writer(&self) -> Option<&str> {
        let member = match self.kind() {
            Kind::ShareRequest => "requester",
            Kind::ShareAnswer => "provider",
            _ => "by",
        };
        self.0.get(member).and_then(Value::as_str)
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

/// A registered key as its row shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisteredKey {
    pub public: PublicKey,
    /// `None`: of the genesis file.
    pub from: Option<u64>,
    pub until: Option<u64>,
    /// Ended by key.revoke, and not replaced since.
    pub is_revoked: bool,
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
        is_revoked: item.get("revoked").is_some(),
    };
    row.as_array().expect(WRITTEN).iter().map(key).collect()
}

/// Writes the row of the keys that share a name and key id.
pub fn put_keys(changes: &mut Changes, agency: &str, role: Role, id: KeyId, keys: &[RegisteredKey]) {
    let item = |key: &RegisteredKey| {
        let bounds = [("from", key.from), ("until", key.until)];
        let bounds = bounds.into_iter().filter_map(|(name, position)| Some((name.to_owned(), Value::Int(position?))));
        let public = ("public".to_owned(), key.public.to_base64().into());
        let revoked = key.is_revoked.then(|| ("revoked".to_owned(), true.into()));
        Value::Object(bounds.chain([public]).chain(revoked).collect())
    };
    changes.put(KEY, key_row(agency, role, id), Value::Array(keys.iter().map(item).collect()));
}

/// The agency whose name a reader would take this one for; the name was checked.
pub fn name_owner(state: &dyn Rows, name: &str) -> Option<String> {
    state.get(NAME, &names::skeleton(name).to_hex()).map(|id| id.as_str().expect(WRITTEN).to_owned())
}

/// Names stay with the agency that took them, also when it takes others.
pub fn put_names(changes: &mut Changes, agency: &str, names: &[String]) {
    for name in names {
        changes.put(NAME, names::skeleton(name).to_hex(), agency.into());
    }
}

/// Whether a public key is registered, by any agency for any use.
pub fn is_registered(state: &dyn Rows, public: &PublicKey) -> bool {
    state.get(PUBLIC, &public.to_base64()).is_some()
}

pub fn put_public(changes: &mut Changes, public: &PublicKey) {
    changes.put(PUBLIC, public.to_base64(), true.into());
}

/// The level of a known territory.
pub fn territory_level(state: &dyn Rows, code: &str) -> Option<String> {
    state.get(TERRITORY, code).map(|row| text(&row, "level").to_owned())
}

pub fn put_territory(changes: &mut Changes, code: &str, level: &str, parent: Option<&str>, position: u64) {
    let row = object([("level", level.into()), ("position", position.into())]);
    changes.put(TERRITORY, code, parent.map_or(row.clone(), |parent| with(&row, "parent", parent.into())));
}

/// Writes the first rule set.
pub fn put_first_rules(changes: &mut Changes, number: u64) {
    changes.put(POLICY, POLICY_RULES, rules_row(&[(1, number)]));
}

fn rules_row(scheduled: &[(u64, u64)]) -> Value {
    Value::Array(scheduled.iter().map(|(from, number)| object([("from", (*from).into()), ("rules", (*number).into())])).collect())
}

/// (first height, rule set), ascending: the one in force, and those that are to follow it.
fn scheduled_rules(state: &dyn Rows) -> Vec<(u64, u64)> {
    let row = state.get(POLICY, POLICY_RULES).expect(STARTED);
    row.as_array().expect(WRITTEN).iter().map(|item| (integer(item, "from"), integer(item, "rules"))).collect()
}

/// Lets a rule set be in force from the height after next on, unless it is the newest one scheduled already.
pub fn schedule_rules(changes: &mut Changes, state: &dyn Rows, height: u64, number: u64) {
    let mut scheduled = scheduled_rules(state);
    let from = height.saturating_add(2);
    scheduled.retain(|(first, _)| *first < from);
    let in_force = scheduled.iter().filter(|(first, _)| *first <= height).count();
    scheduled.drain(..in_force.saturating_sub(1));
    if scheduled.last().is_none_or(|(_, newest)| *newest != number) {
        scheduled.push((from, number));
    }
    let row = rules_row(&scheduled);
    if state.get(POLICY, POLICY_RULES).is_none_or(|old| *old != row) {
        changes.put(POLICY, POLICY_RULES, row);
    }
}

/// The rule set of `height`, which is not below the newest one applied.
pub fn rules_in_force(state: &dyn Rows, height: u64) -> u64 {
    let scheduled = scheduled_rules(state);
    scheduled.iter().take_while(|(from, _)| *from <= height.max(1)).last().expect(WRITTEN).1
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

/// How many authorities must sign a change of policy or validators.
pub fn authority_threshold(state: &dyn Rows) -> u64 {
    integer(&state.get(POLICY, POLICY_BODY).expect(STARTED), "authority_threshold")
}

pub fn unreviewed_requestable(state: &dyn Rows) -> bool {
    let admission = state.get(POLICY, POLICY_ADMISSION).expect(STARTED);
    admission.get("unreviewed_requestable").and_then(Value::as_bool).expect(WRITTEN)
}

pub fn policy(state: &dyn Rows) -> Policy {
    let body = state.get(POLICY, POLICY_BODY).expect(STARTED);
    Policy::from_value(&body).expect("a policy is checked before it is written")
}
