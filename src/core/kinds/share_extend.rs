//! `share.extend`: an authority gives more working days to one clock.
//!
//! - R-EXTEND-1: what is referred to is committed.
//! - R-EXTEND-2: it started such a clock.
//! - R-EXTEND-3: the writer covers who owes.
//! - R-EXTEND-4: at least one day.
//! - R-EXTEND-5: all extensions of the clock together at most the policy's.
//! - R-EXTEND-6: not after the due day, unless that is provisional.

use std::collections::BTreeMap;

use crate::core::due::{DueDay, Limit, Supplement, answer_limit, due};
use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::key::Role;
use crate::core::kinds::{Kind, KindRules, Place, add_request_subjects, check_refs, check_writer_signs, covers, only_ref};
use crate::core::limits::TEXT_BYTES_MAX;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, RECORD, RecordRow};
use crate::core::time::Day;

/// The clocks that can be extended, with the kind of record that starts each.
const CLOCKS: [(&str, Kind); 6] = [
    ("answer", Kind::ShareRequest),
    ("backflow", Kind::ShareRequest),
    ("catalogue_update", Kind::DutyRetire),
    ("dispute", Kind::DisputeFile),
    ("mismatch", Kind::ShareReceipt),
    ("rectification", Kind::FindingFile),
];

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareExtend {
    pub clock: String,
    starter: Kind,
    pub days: u64,
}

impl ShareExtend {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let clock = fields.one_of("clock", &CLOCKS.map(|(clock, _)| clock))?.to_owned();
        let starter = CLOCKS.iter().find(|(own, _)| *own == clock).map(|(_, kind)| *kind).expect("one of these was read");
        let days = fields.integer("days")?;
        if days == 0 {
            return Err(Refusal::rule("R-EXTEND-4", Code::FieldInvalid, "body.days 0", "at least 1 working day"));
        }
        fields.text("reason", TEXT_BYTES_MAX)?;
        Ok(ShareExtend { clock, starter, days })
    }

    /// The record that started the clock.
    fn started(&self, place: &Place<'_>) -> Result<(Hash, RecordRow), Refusal> {
        let id = only_ref(place.record);
        let expected = format!("id of a committed {} that started this clock", self.starter.as_str());
        let Some(row) = RecordRow::read(place.state, &id) else {
            return Err(Refusal::rule("R-EXTEND-1", Code::RefUnknown, id.to_hex(), expected));
        };
        let has_clock = match self.clock.as_str() {
            "backflow" => row.has("backflow"),
            "mismatch" => row.has("limit"),
            _ => true,
        };
        if !row.is(self.starter) || !has_clock {
            return Err(Refusal::rule("R-EXTEND-2", Code::RefWrong, id.to_hex(), expected));
        }
        Ok((id, row))
    }

    /// Who owes under the clock; `None` when nobody covers a dispute's parties.
    fn debtor(&self, state: &dyn Rows, row: &RecordRow) -> Option<String> {
        match self.starter {
            Kind::FindingFile => row.text("agency").map(str::to_owned),
            Kind::DisputeFile => match row.text("referred") {
                Some(authority) => Some(authority.to_owned()),
                None => tables::covering_authority(state, &[row.provider(), row.requester()]),
            },
            _ => row.text("provider").map(str::to_owned),
        }
    }

    /// The due day of the clock, `extended` so far; none while it stands still.
    fn due(&self, state: &dyn Rows, row: &RecordRow, extended: u64) -> Option<DueDay> {
        let member = if self.clock == "backflow" { "backflow" } else { "limit" };
        let days = row.number(member).expect("a clock's record keeps its limit").saturating_add(extended);
        let start = row.day("start").expect("a clock's record keeps its day");
        let calendars = tables::working_days(state, start);
        let asked = row.day("asked").filter(|_| self.clock == "answer" && row.has("pauses"));
        let supplement = asked.map(|asked| Supplement { asked: asked.number(), given: row.day("given").map(Day::number) });
        let limit = match row.day("due") {
            Some(day) => Limit::After { day: day.number(), days: extended },
            None => answer_limit(&calendars, start.number(), days, supplement),
        };
        due(&calendars, start.number(), limit)
    }
}

impl KindRules for ShareExtend {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Authority)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, row) = self.started(place)?;
        let debtor = self.debtor(place.state, &row);
        if !debtor.as_deref().is_some_and(|debtor| covers(place, debtor)) {
            let expected = format!("an authority over {}", debtor.as_deref().unwrap_or("the parties"));
            return Err(Refusal::rule("R-EXTEND-3", Code::NotParty, place.record.by.as_str(), expected));
        }
        let extended = row.number_in("extended", &self.clock).unwrap_or(0);
        let (sum, most) = (extended.saturating_add(self.days), tables::extension_max(place.state, &self.clock));
        if sum > most {
            return Err(Refusal::rule("R-EXTEND-5", Code::LimitExceeded, format!("{sum} days in all"), format!("at most {most}")));
        }
        let today = place.date_of(&row);
        if let Some(due) = self.due(place.state, &row, extended)
            && !due.provisional
            && today.number() > due.day
        {
            let last = Day::from_number(due.day).unwrap_or(today);
            return Err(Refusal::rule("R-EXTEND-6", Code::TooLate, today.to_string(), format!("a day up to {last}, the due day")));
        }
        let mut all: BTreeMap<String, Value> = BTreeMap::new();
        for (clock, _) in CLOCKS {
            if let Some(days) = row.number_in("extended", clock) {
                all.insert(clock.to_owned(), days.into());
            }
        }
        all.insert(self.clock.clone(), sum.into());
        let request = row.request_in(place.state, &id).map(|request| request.to_hex().into());
        let mut changes = place.rows([("request", request)]);
        changes.put(RECORD, id.to_hex(), row.with("extended", Value::Object(all)));
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
        if let Some(row) = RecordRow::read(state, &only_ref(record))
            && let Some(debtor) = self.debtor(state, &row)
        {
            subjects.add_agency(&debtor);
        }
    }
}
