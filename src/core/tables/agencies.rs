//! The rows of agencies: who stands for whom, who covers whom, what an agency still owes.

use std::sync::Arc;

use crate::core::fields::Fields;
use crate::core::ids::{check_agency, check_line, check_territory};
use crate::core::json::{Value, strings};
use crate::core::key::{Role, VerifierKey};
use crate::core::refusal::{Code, Refusal};
use crate::core::state::{Changes, Rows, Table};
use crate::core::tables::{RegisteredKey, WRITTEN, put_keys, put_public, text, with};

pub const AGENCY: Table = Table("agency");
pub const OPEN: Table = Table("open");
pub const ROLE: Table = Table("role");

/// Row of [`ROLE`]: the agencies that hold a trusted authority key and are not retired, ascending.
const ROLE_AUTHORITY: &str = "authority";

const LEVELS: [&str; 5] = ["city", "district", "street", "community", "outside"];

/// Where an agency stands among the lines and territories; members of agency.admit and agency.change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub level: String,
    pub line: Option<String>,
    pub parent: Option<String>,
    pub territory: Option<String>,
}

impl Membership {
    /// # Errors
    /// `field-missing`, `field-invalid`; `rule` numbers a territory that is missing.
    pub fn parse(fields: &mut Fields<'_>, rule: &'static str) -> Result<Self, Refusal> {
        let level = fields.one_of("level", &LEVELS)?.to_owned();
        let territory = fields.optional_checked("territory", check_territory)?.map(str::to_owned);
        if territory.is_none() && level != "outside" {
            return Err(Refusal::rule(rule, Code::FieldMissing, format!("no territory at level {level}"), "a territory code"));
        }
        let line = fields.optional_checked("line", check_line)?.map(str::to_owned);
        let parent = fields.optional_checked("parent", check_agency)?.map(str::to_owned);
        Ok(Membership { level, line, parent, territory })
    }

    fn members(&self) -> impl Iterator<Item = (String, Value)> {
        let all = [
            ("level", Some(&self.level)),
            ("line", self.line.as_ref()),
            ("parent", self.parent.as_ref()),
            ("territory", self.territory.as_ref()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.as_str().into())))
    }
}

/// Whether an agency may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Suspended,
    Retired,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Suspended => "suspended",
            Status::Retired => "retired",
        }
    }
}

/// An agency and the vkeys that it ever had.
pub struct AgencyRow(Arc<Value>);

impl AgencyRow {
    /// Under ASCII case folding.
    pub fn read(state: &dyn Rows, id: &str) -> Option<Self> {
        state.get(AGENCY, &id.to_ascii_lowercase()).map(AgencyRow)
    }

    /// With exactly this spelling.
    pub fn read_exact(state: &dyn Rows, id: &str) -> Option<Self> {
        AgencyRow::read(state, id).filter(|row| row.id() == id)
    }

    /// As spelled on the ledger.
    pub fn id(&self) -> &str {
        text(&self.0, "id")
    }

    pub fn position(&self) -> u64 {
        super::integer(&self.0, "position")
    }

    pub fn status(&self) -> Status {
        match text(&self.0, "status") {
            "active" => Status::Active,
            "suspended" => Status::Suspended,
            _ => Status::Retired,
        }
    }

    /// Of a retired agency: who took over what it owed.
    pub fn successor(&self) -> Option<&str> {
        self.0.get("successor").map(|id| id.as_str().expect(WRITTEN))
    }

    pub fn parent(&self) -> Option<&str> {
        self.0.get("parent").map(|id| id.as_str().expect(WRITTEN))
    }

    pub fn territory(&self) -> Option<&str> {
        self.0.get("territory").map(|code| code.as_str().expect(WRITTEN))
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

    pub fn with_status(&self, status: Status) -> Value {
        with(&self.0, "status", status.as_str().into())
    }

    /// This row, retired.
    pub fn retiring(&self, successor: Option<&str>) -> Value {
        let retired = self.with_status(Status::Retired);
        match successor {
            Some(successor) => with(&retired, "successor", successor.into()),
            None => retired,
        }
    }

    /// This row at another place among lines and territories.
    pub fn moved(&self, to: &Membership) -> Value {
        let mut members = self.0.as_object().expect(WRITTEN).clone();
        for name in ["level", "line", "parent", "territory"] {
            members.remove(name);
        }
        members.extend(to.members());
        Value::Object(members)
    }
}

/// Writes the rows of a new agency and its keys; `from` is the position of the record that brings them, `None` in genesis.
pub fn put_agency(changes: &mut Changes, id: &str, membership: &Membership, keys: &[(Role, VerifierKey)], from: Option<u64>) {
    let mut vkeys: Vec<_> = keys.iter().map(|(_, vkey)| vkey.to_string()).collect();
    vkeys.sort_unstable();
    let own =
        [("id", id.into()), ("keys", strings(vkeys)), ("position", from.unwrap_or(0).into()), ("status", Status::Active.as_str().into())];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    changes.put(AGENCY, id.to_ascii_lowercase(), Value::Object(own.chain(membership.members()).collect()));
    let mut groups = std::collections::BTreeMap::<_, Vec<_>>::new();
    for (role, vkey) in keys {
        let key = RegisteredKey { public: *vkey.public(), from, until: None, is_revoked: false };
        groups.entry((*role, vkey.id())).or_default().push(key);
        put_public(changes, vkey.public());
    }
    for ((role, key_id), group) in &groups {
        put_keys(changes, id, *role, *key_id, group);
    }
}

/// The end of an agency's chain of successors: itself, unless it is retired with a successor. An id that is no agency's
/// stays as it is.
pub fn end_of_chain(state: &dyn Rows, agency: &str) -> String {
    let mut end = agency.to_owned();
    // A successor is active when it is named, and retires later than whoever names it: the chain has an end.
    while let Some(next) = AgencyRow::read_exact(state, &end).and_then(|row| row.successor().map(str::to_owned)) {
        end = next;
    }
    end
}

/// Whether `agency` is `other`, or the end of its chain of successors.
pub fn stands_for(state: &dyn Rows, agency: &str, other: &str) -> bool {
    agency == other || agency == end_of_chain(state, other)
}

/// The agencies that hold a trusted authority key and are not retired, ascending by id.
pub fn authorities(state: &dyn Rows) -> Vec<String> {
    let row = state.get(ROLE, ROLE_AUTHORITY).expect(super::STARTED);
    row.as_array().expect(WRITTEN).iter().map(|id| id.as_str().expect(WRITTEN).to_owned()).collect()
}

pub fn put_authorities<'a>(changes: &mut Changes, ids: impl IntoIterator<Item = &'a str>) {
    let ids: std::collections::BTreeSet<&str> = ids.into_iter().collect();
    changes.put(ROLE, ROLE_AUTHORITY, strings(ids));
}

/// Lists an agency that holds a trusted authority key; a row that would not change is not written.
pub fn add_authority(changes: &mut Changes, state: &dyn Rows, agency: &str) {
    let authorities = authorities(state);
    if !authorities.iter().any(|id| id == agency) {
        put_authorities(changes, authorities.iter().map(String::as_str).chain([agency]));
    }
}

/// Takes an agency off the list of those that hold a trusted authority key.
pub fn remove_authority(changes: &mut Changes, state: &dyn Rows, agency: &str) {
    let authorities = authorities(state);
    if authorities.iter().any(|id| id == agency) {
        put_authorities(changes, authorities.iter().map(String::as_str).filter(|id| *id != agency));
    }
}

/// The agencies that hold a trusted authority key and may act, `without` one.
pub fn acting_authorities(state: &dyn Rows, without: Option<&str>) -> usize {
    let is_active = |id: &String| AgencyRow::read(state, id).is_some_and(|row| row.status() == Status::Active);
    authorities(state).iter().filter(|id| Some(id.as_str()) != without).filter(|id| is_active(id)).count()
}

/// Whether `authority` governs sharing of `agency`: it holds a trusted authority key, and either of the two has no territory,
/// or the agency's code begins with the authority's.
pub fn covers(state: &dyn Rows, authority: &str, agency: &str) -> bool {
    authorities(state).iter().any(|id| id == authority) && is_above(state, authority, agency)
}

fn is_above(state: &dyn Rows, authority: &str, agency: &str) -> bool {
    let [above, below] = [authority, agency].map(|id| AgencyRow::read(state, id));
    let territory = |row: &Option<AgencyRow>| row.as_ref().and_then(|row| row.territory().map(str::to_owned));
    match (territory(&above), territory(&below)) {
        (Some(above), Some(below)) => below.starts_with(&above),
        _ => true,
    }
}

/// The nearest authority that covers all of `agencies`, each at the end of its chain of successors: the one with the longest
/// territory code, of several the first by id.
pub fn covering_authority(state: &dyn Rows, agencies: &[&str]) -> Option<String> {
    let length = |id: &str| AgencyRow::read(state, id).and_then(|row| row.territory().map(str::len)).unwrap_or(0);
    let ends: Vec<String> = agencies.iter().map(|agency| end_of_chain(state, agency)).collect();
    let covering = authorities(state).into_iter().filter(|id| ends.iter().all(|agency| is_above(state, id, agency)));
    // Of equal ones `min_by_key` keeps the first, and ids ascend.
    covering.min_by_key(|id| std::cmp::Reverse(length(id)))
}

/// How many matters are open with an agency's own row: those of its chain's end.
pub fn open_count(changes: &Changes, state: &dyn Rows, agency: &str) -> u64 {
    let row = match changes.0.get(&(OPEN, agency.to_ascii_lowercase())) {
        Some(value) => value.clone(),
        None => state.get(OPEN, &agency.to_ascii_lowercase()),
    };
    row.map_or(0, |count| count.as_u64().expect(WRITTEN))
}

/// One more open matter of `agency`, counted with the end of its chain of successors. `changes` are the record's own so far;
/// `state` the rows before it. Called for both parties of what a record opens.
pub fn add_open(changes: &mut Changes, state: &dyn Rows, agency: &str) {
    let end = end_of_chain(state, agency);
    let count = open_count(changes, state, &end);
    put_open(changes, &end, count + 1);
}

/// One open matter less, as [`add_open`] counted it: every matter that was opened is closed once.
pub fn end_open(changes: &mut Changes, state: &dyn Rows, agency: &str) {
    let end = end_of_chain(state, agency);
    let count = open_count(changes, state, &end).checked_sub(1).expect("each open matter was counted, and ends once");
    put_open(changes, &end, count);
}

/// Hands what is open with `agency` to its successor.
pub fn hand_over_open(changes: &mut Changes, state: &dyn Rows, agency: &str, successor: &str) {
    let count = open_count(changes, state, agency);
    if count > 0 {
        let total = count + open_count(changes, state, successor);
        put_open(changes, successor, total);
        put_open(changes, agency, 0);
    }
}

fn put_open(changes: &mut Changes, agency: &str, count: u64) {
    match count {
        0 => changes.delete(OPEN, agency.to_ascii_lowercase()),
        _ => changes.put(OPEN, agency.to_ascii_lowercase(), count.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::state::{MemoryRows, Overlay};

    fn ledger(agencies: &[(&str, Option<&str>)], authorities: &[&str]) -> MemoryRows {
        let mut changes = Changes::default();
        for (id, territory) in agencies {
            let membership = Membership { level: "outside".into(), line: None, parent: None, territory: territory.map(str::to_owned) };
            put_agency(&mut changes, id, &membership, &[], None);
        }
        put_authorities(&mut changes, authorities.iter().copied());
        let mut rows = MemoryRows::default();
        rows.apply(&changes);
        rows
    }

    #[test]
    fn the_nearest_authority_covers() {
        let agencies = [
            ("city", Some("3301")),
            ("district", Some("330102")),
            ("twin", Some("330102")),
            ("state", None),
            ("bureau", Some("330102001")),
            ("other", Some("330205")),
            ("far", Some("44")),
            ("abroad", None),
        ];
        let rows = ledger(&agencies, &["city", "district", "twin", "state"]);
        for (authority, agency, expected) in [
            ("city", "bureau", true),
            ("city", "far", false),
            ("city", "abroad", true),
            ("state", "far", true),
            ("bureau", "bureau", false),
            ("district", "city", false),
        ] {
            assert_eq!(covers(&rows, authority, agency), expected, "{authority} {agency}");
        }
        for (agencies, expected) in [
            (vec!["bureau"], "district"),
            (vec!["bureau", "other"], "state"),
            (vec!["bureau", "city"], "city"),
            (vec!["bureau", "abroad"], "district"),
            (vec!["far"], "state"),
        ] {
            assert_eq!(covering_authority(&rows, &agencies).as_deref(), Some(expected), "{agencies:?}");
        }
        assert_eq!(covering_authority(&ledger(&agencies, &["city"]), &["far"]), None);
    }

    #[test]
    fn open_matters_are_counted_at_the_end_of_the_chain() {
        let rows = ledger(&[("a", None), ("b", None), ("C", None)], &[]);
        let mut overlay = Overlay::new(&rows);
        let mut changes = Changes::default();
        add_open(&mut changes, &overlay, "a");
        add_open(&mut changes, &overlay, "a");
        add_open(&mut changes, &overlay, "C");
        assert_eq!([("a"), ("b"), ("C")].map(|id| open_count(&changes, &overlay, id)), [2, 0, 1]);
        hand_over_open(&mut changes, &overlay, "a", "C");
        let row = AgencyRow::read_exact(&overlay, "a").unwrap().retiring(Some("C"));
        changes.put(AGENCY, "a", row);
        overlay.changes.extend(changes);
        assert!(stands_for(&overlay, "C", "a") && !stands_for(&overlay, "c", "a") && !stands_for(&overlay, "b", "a"));
        let mut changes = Changes::default();
        end_open(&mut changes, &overlay, "a");
        add_open(&mut changes, &overlay, "a");
        end_open(&mut changes, &overlay, "C");
        end_open(&mut changes, &overlay, "a");
        assert_eq!(["a", "C"].map(|id| open_count(&changes, &overlay, id)), [0, 1]);
    }
}
