//! The due days that a record would start if it were committed now.
//!
//! Limits are those of the policy in force, days those of the ledger's offset, working days by the calendars on the ledger. A
//! limit of n ends with the n-th working day after the record's; of a delivery the promised day counts where it is earlier;
//! of a standing grant the first period shows, whose days count from its last.

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::core::calendar::Calendar;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::policy::Policy;
use crate::core::record::Record;
use crate::core::rules;
use crate::core::state::Rows as _;
use crate::core::tables::{CALENDAR, DATASET, RECORD, covering_authority};
use crate::core::time::{Day, Time};
use crate::core::working_days::{Due, WorkingDays};
use crate::query::QueryError;
use crate::query::records::find;
use crate::store::Reader;

/// More calendars than a ledger will ever hold.
const CALENDARS_MAX: usize = 1_000;

/// The clocks that `record`, committed at `time`, would start: each with its name, who owes whom, what, and the due day.
///
/// # Errors
/// Those of the store.
pub fn due_days(record: &Record, reader: &Reader, time: Time) -> Result<Vec<Value>, QueryError> {
    let policy = rules::policy(reader);
    let rows = reader.rows(CALENDAR, None, CALENDARS_MAX)?;
    let calendars: Vec<_> = rows.iter().filter_map(|(_, body)| Calendar::from_value(body).ok()).collect();
    let today = time.day(policy.utc_offset_minutes);
    let body = record.body_value();
    let start = Start { reader, record, body, policy, calendars: WorkingDays::of(&calendars), today };
    match record.kind.as_str() {
        "share.request" => Ok(start.request()),
        "share.answer" => start.answer(),
        "share.deliver" => Ok(vec![start.clock("receipt", "receipt", &start.party("requester"), &record.by)]),
        "share.receipt" if text(&start.body, "result") == Some("mismatch") => {
            Ok(vec![start.clock("mismatch", "mismatch", &start.party("provider"), &record.by)])
        }
        "correction.file" => Ok(vec![start.clock("correction", "correction", &start.party("provider"), &record.by)]),
        "dispute.file" => {
            let parties = [start.party("provider"), start.party("requester")];
            Ok(vec![start.clock("dispute", "dispute", &start.authority(&parties), &record.by)])
        }
        "dataset.publish" => {
            let authority = start.authority(std::slice::from_ref(&record.by));
            Ok(vec![start.clock("catalogue_review", "catalogue_review", &authority, &record.by)])
        }
        "finding.file" => Ok(vec![start.finding()]),
        _ => Ok(Vec::new()),
    }
}

/// What the clocks of one record start from.
struct Start<'a> {
    reader: &'a Reader,
    record: &'a Record,
    body: Value,
    policy: Policy,
    calendars: WorkingDays,
    today: Day,
}

impl Start<'_> {
    fn limit(&self, name: &str) -> u64 {
        self.policy.body.get("clocks").and_then(|clocks| clocks.get(name)).and_then(Value::as_u64).unwrap_or(0)
    }

    /// A clock whose limit alone decides.
    fn clock(&self, name: &str, limit: &str, debtor: &str, creditor: &str) -> Value {
        obligation(name, debtor, creditor, self.calendars.due(self.today, self.limit(limit)))
    }

    fn request(&self) -> Vec<Value> {
        let first = self.body.get("datasets").and_then(Value::as_array).and_then(<[Value]>::first);
        let dataset = first.and_then(|dataset| text(dataset, "id")).and_then(|id| self.reader.get(DATASET, id));
        let member = |name| dataset.as_ref().and_then(|row| text(row, name)).unwrap_or_default();
        let limit = if member("class") == "unconditional" { "answer_unconditional" } else { "answer_conditional" };
        let mut clocks = vec![self.clock("answer", limit, member("provider"), &self.record.by)];
        if text(&self.body, "sort") == Some("backflow") {
            clocks.push(self.clock("backflow", "backflow", member("provider"), &self.record.by));
        }
        clocks
    }

    fn answer(&self) -> Result<Vec<Value>, QueryError> {
        if text(&self.body, "outcome") == Some("refuse") {
            return Ok(Vec::new());
        }
        let requester = self.party("requester");
        let frequency = text(&self.body, "frequency").unwrap_or("irregular");
        let (due, period) = match Period::of(frequency) {
            None => (Some(self.promised()), None),
            Some(period) => match period.first_last_day(self.today, &self.body) {
                Some(last) => (Some(self.calendars.due(last, self.limit("delivery"))), Some(last)),
                None => (None, None),
            },
        };
        let Some(due) = due else { return Ok(Vec::new()) };
        let datasets = match self.body.get("datasets").and_then(Value::as_array) {
            Some(listed) => listed.to_vec(),
            None => self.requested()?,
        };
        let clock = |dataset: Value| {
            let mut clock = obligation("delivery", &self.record.by, &requester, due);
            if let Value::Object(members) = &mut clock {
                members.insert("dataset".to_owned(), dataset);
                members.extend(period.map(|last| ("period_end".to_owned(), last.to_string().into())));
            }
            clock
        };
        Ok(datasets.into_iter().map(clock).collect())
    }

    /// The datasets of the request that is answered.
    fn requested(&self) -> Result<Vec<Value>, QueryError> {
        let Some(request) = self.record.refs.first() else { return Ok(Vec::new()) };
        let body = find(self.reader, request)?.map(|(_, request)| request.body_value());
        let datasets = body.as_ref().and_then(|body| body.get("datasets")).and_then(Value::as_array).unwrap_or_default();
        Ok(datasets.iter().filter_map(|dataset| dataset.get("id").cloned()).collect())
    }

    /// The limit's day or the promised one, the earlier.
    fn promised(&self) -> Due {
        let due = self.calendars.due(self.today, self.limit("delivery"));
        let promised = text(&self.body, "promised").and_then(|day| Day::parse(day).ok());
        promised.filter(|day| *day < due.day).map_or(due, |day| self.calendars.named(self.today, day))
    }

    fn finding(&self) -> Value {
        let named = text(&self.body, "due").and_then(|day| Day::parse(day).ok());
        let due = match named {
            Some(day) => self.calendars.named(self.today, day),
            None => self.calendars.due(self.today, self.limit("rectification")),
        };
        obligation("rectification", text(&self.body, "agency").unwrap_or_default(), &self.record.by, due)
    }

    /// The nearest authority that covers all of these.
    fn authority(&self, agencies: &[String]) -> String {
        let known: Vec<_> = agencies.iter().map(String::as_str).filter(|id| !id.is_empty()).collect();
        covering_authority(self.reader, &known).unwrap_or_default()
    }

    /// A party of the request that the record belongs to, looked up along what it refers to.
    fn party(&self, role: &str) -> String {
        let mut row = self.record.refs.first().and_then(|id| self.reader.get(RECORD, &id.to_hex()));
        while let Some(found) = row {
            if let Some(party) = text(&found, role) {
                return party.to_owned();
            }
            let below = ["delivery", "grant", "request"].into_iter().find_map(|name| text(&found, name));
            row = below.and_then(|id| Hash::parse(id).ok()).and_then(|id| self.reader.get(RECORD, &id.to_hex()));
        }
        String::new()
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// Empty names stand for nobody.
fn obligation(clock: &str, debtor: &str, creditor: &str, due: Due) -> Value {
    let parties = [("debtor", debtor), ("creditor", creditor)];
    let parties = parties.into_iter().filter(|(_, id)| !id.is_empty()).map(|(name, id)| (name, Value::from(id)));
    let rest = [("clock", clock.into()), ("due", due.day.to_string().into()), ("provisional", due.provisional.into())];
    Value::Object(parties.chain(rest).map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A frequency that makes periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Day,
    /// ISO 8601.
    Week,
    /// So many months, counted from January.
    Months(i8),
}

impl Period {
    fn of(frequency: &str) -> Option<Self> {
        match frequency {
            "daily" => Some(Period::Day),
            "weekly" => Some(Period::Week),
            "monthly" => Some(Period::Months(1)),
            "quarterly" => Some(Period::Months(3)),
            "halfyearly" => Some(Period::Months(6)),
            "yearly" => Some(Period::Months(12)),
            _ => None,
        }
    }

    /// The first day of the period that holds `day`.
    fn start(self, day: Date) -> Option<Date> {
        match self {
            Period::Day => Some(day),
            Period::Week => day.checked_sub(i32::from(day.weekday().to_monday_zero_offset()).days()).ok(),
            Period::Months(count) => Date::new(day.year(), (day.month() - 1) / count * count + 1, 1).ok(),
        }
    }

    fn next(self, start: Date) -> Option<Date> {
        let span = match self {
            Period::Day => 1.day(),
            Period::Week => 1.week(),
            Period::Months(count) => i32::from(count).months(),
        };
        start.checked_add(span).ok()
    }

    /// The last day of the first period for which a grant of `today` owes a delivery; `None` when its term holds none.
    fn first_last_day(self, today: Day, body: &Value) -> Option<Day> {
        let day = |name| body.get("term").and_then(|term| text(term, name)).and_then(|day| Day::parse(day).ok());
        let mut start = match day("from") {
            Some(from) if self.start(from.date())? < from.date() => self.next(self.start(from.date())?)?,
            Some(from) => from.date(),
            None => self.start(today.date())?,
        };
        if start < today.date() && self.next(start)? <= today.date() {
            start = self.start(today.date())?;
        }
        let last = Day::from_date(self.next(start)?.yesterday().ok()?);
        day("to").is_none_or(|to| last <= to).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::json::object;

    #[test]
    fn the_first_period_is_the_one_at_hand_or_the_first_of_the_term() {
        let today = Day::parse("2026-11-25").unwrap();
        let term = |from: &str, to: &str| object([("term", object([("from", from.into()), ("to", to.into())]))]);
        let none = object([]);
        for (frequency, body, want) in [
            ("daily", &none, Some("2026-11-25")),
            ("weekly", &none, Some("2026-11-29")),
            ("monthly", &none, Some("2026-11-30")),
            ("quarterly", &none, Some("2026-12-31")),
            ("halfyearly", &none, Some("2026-12-31")),
            ("yearly", &none, Some("2026-12-31")),
            ("monthly", &term("2027-02-01", "2027-12-31"), Some("2027-02-28")),
            ("monthly", &term("2027-02-02", "2027-12-31"), Some("2027-03-31")),
            ("monthly", &term("2025-02-02", "2027-12-31"), Some("2026-11-30")),
            ("yearly", &term("2026-02-02", "2026-12-31"), None),
        ] {
            let last = Period::of(frequency).unwrap().first_last_day(today, body).map(|day| day.to_string());
            assert_eq!(last.as_deref(), want, "{frequency} {}", body.to_jcs());
        }
        assert_eq!(Period::of("irregular"), None);
    }
}
