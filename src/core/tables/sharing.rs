//! What the rules of sharing read: the members of a record's row that only some kinds have, duties, limits, calendars.

use std::sync::Arc;

use crate::core::calendar::Calendar;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::kinds::Kind;
use crate::core::state::{Rows, Table};
use crate::core::tables::{CALENDAR, DUTY, DatasetRow, POLICY, POLICY_BODY, RecordRow, STARTED, WRITTEN, text, with};
use crate::core::time::Day;
use crate::core::working_days::WorkingDays;

/// `<grant id>/<period>`: position of the share.use.
pub const USE: Table = Table("use");

/// Years after the start that a limit may reach into; the greatest has some 14 years of working days.
const LIMIT_YEARS_MAX: i16 = 30;

impl RecordRow {
    /// This row with one more member, or another value of one.
    pub fn with(&self, member: &str, value: Value) -> Value {
        with(&self.0, member, value)
    }

    /// This row without a member.
    pub fn without(&self, member: &str) -> Value {
        let mut members = self.0.as_object().expect(WRITTEN).clone();
        members.remove(member);
        Value::Object(members)
    }

    /// This request, withdrawn by the record `id`.
    pub fn withdrawn(&self, id: &Hash) -> Value {
        with(&self.closing(id), "withdrawn", true.into())
    }

    pub fn is_of_share_or_correction(&self) -> bool {
        let kind = text(&self.0, "kind");
        kind.starts_with("share.") || kind.starts_with("correction.")
    }

    pub fn has(&self, member: &str) -> bool {
        self.0.get(member).is_some()
    }

    /// A text of the row; a member that only some rows have.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.0.get(member).map(|value| value.as_str().expect(WRITTEN))
    }

    /// A number of the row; a member that only some rows have.
    pub fn number(&self, member: &str) -> Option<u64> {
        self.0.get(member).map(|value| value.as_u64().expect(WRITTEN))
    }

    /// A day of the row; a member that only some rows have.
    pub fn day(&self, member: &str) -> Option<Day> {
        self.text(member).map(|text| Day::parse(text).expect(WRITTEN))
    }

    /// A number in an object of the row.
    pub fn number_in(&self, member: &str, name: &str) -> Option<u64> {
        self.0.get(member)?.get(name).map(|value| value.as_u64().expect(WRITTEN))
    }

    /// The request that this record belongs to: itself, the one it names, that of its grant, that of its delivery.
    pub fn request_in(&self, state: &dyn Rows, id: &Hash) -> Option<Hash> {
        if self.is(Kind::ShareRequest) {
            return Some(*id);
        }
        if let Some(request) = self.text("request") {
            return Some(Hash::parse(request).expect(WRITTEN));
        }
        let grant = match self.text("delivery") {
            Some(delivery) => RecordRow::read(state, &Hash::parse(delivery).expect(WRITTEN)).expect(WRITTEN).grant(),
            None => Hash::parse(self.text("grant")?).expect(WRITTEN),
        };
        Some(RecordRow::read(state, &grant).expect(WRITTEN).request())
    }
}

impl DatasetRow {
    pub fn is_retired(&self) -> bool {
        self.0.get("retired").is_some()
    }

    /// `approve` or `return`, of the newest version.
    pub fn reviewed(&self) -> Option<&str> {
        self.0.get("reviewed").map(|outcome| outcome.as_str().expect(WRITTEN))
    }

    /// This row with one more member.
    pub fn with(&self, member: &str, value: Value) -> Value {
        with(&self.0, member, value)
    }
}

/// A declared duty.
pub struct DutyRow(Arc<Value>);

impl DutyRow {
    pub fn read(state: &dyn Rows, id: &str) -> Option<Self> {
        state.get(DUTY, id).map(DutyRow)
    }

    /// One that is not retired.
    pub fn read_active(state: &dyn Rows, id: &str) -> Option<Self> {
        DutyRow::read(state, id).filter(|row| !row.is_retired())
    }

    pub fn agency(&self) -> &str {
        text(&self.0, "agency")
    }

    pub fn is_retired(&self) -> bool {
        self.0.get("retired").is_some()
    }

    pub fn retired(&self) -> Value {
        with(&self.0, "retired", true.into())
    }
}

/// A working-day limit of the policy in force.
pub fn limit(state: &dyn Rows, clock: &str) -> u64 {
    policy_days(state, "clocks", clock)
}

/// The greatest extension of a clock under the policy in force.
pub fn extension_max(state: &dyn Rows, clock: &str) -> u64 {
    policy_days(state, "extensions", clock)
}

fn policy_body(state: &dyn Rows) -> Arc<Value> {
    state.get(POLICY, POLICY_BODY).expect(STARTED)
}

fn policy_days(state: &dyn Rows, group: &str, name: &str) -> u64 {
    policy_body(state).get(group).and_then(|group| group.get(name)).and_then(Value::as_u64).expect(WRITTEN)
}

/// The ledger's offset from UTC under the policy in force, minutes.
pub fn utc_offset_minutes(state: &dyn Rows) -> u64 {
    policy_body(state).get("utc_offset_minutes").and_then(Value::as_u64).expect(WRITTEN)
}

pub fn pauses_on_supplement(state: &dyn Rows) -> bool {
    policy_body(state).get("pause_on_supplement").and_then(Value::as_bool).expect(WRITTEN)
}

/// The calendars in force that a limit from `start` on can touch.
pub fn working_days(state: &dyn Rows, start: Day) -> WorkingDays {
    let year = start.date().year();
    let years = year.saturating_sub(1)..=year.saturating_add(LIMIT_YEARS_MAX);
    let calendar = |year: i16| {
        let body = state.get(CALENDAR, &year.to_string())?;
        Some(Calendar::from_value(&body).expect("a calendar is checked before it is written"))
    };
    WorkingDays::of(&years.filter_map(calendar).collect::<Vec<_>>())
}
