//! `calendar.set`: the announced days off and make-up days of one year; a later one of the same year replaces it.
//!
//! - R-CALENDAR-1: no day twice in a list.
//! - R-CALENDAR-2: no day in both lists.
//! - R-CALENDAR-3: each day lies in the calendar's year or in a year beside it.

use crate::core::calendar::Calendar;
use crate::core::fields::Fields;
use crate::core::json::Value;
use crate::core::key::Role;
use crate::core::kinds::{KindRules, Place, check_refs, check_writer_signs};
use crate::core::record::Record;
use crate::core::refusal::Refusal;
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::CALENDAR;

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarSet {
    pub calendar: Calendar,
    body: Value,
}

impl CalendarSet {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let body = fields.rest();
        Ok(CalendarSet { calendar: Calendar::from_fields(fields)?, body })
    }
}

impl KindRules for CalendarSet {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Authority)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let mut changes = place.rows([]);
        changes.put(CALENDAR, self.calendar.year.to_string(), self.body.clone());
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, _subjects: &mut Subjects) {}
}
