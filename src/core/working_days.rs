//! Working days: weekdays less the announced days off, and the announced make-up days.
//!
//! The rule is that of DOMAIN's clocks: a working day is a make-up day of some calendar, or a weekday that no calendar
//! announces off; days off are the union over calendars. A year is known when it has a calendar; a due day that rests on a
//! day of an unknown year is provisional.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};

use crate::core::calendar::Calendar;
use crate::core::time::Day;

/// The calendars of a ledger taken together, the newest of each year.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkingDays {
    off: BTreeSet<Date>,
    work: BTreeSet<Date>,
    years: BTreeSet<u64>,
}

/// The end of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    pub day: Day,
    /// A day after the start and up to `day` lies in a year without a calendar.
    pub provisional: bool,
}

impl WorkingDays {
    /// At most one calendar of each year.
    pub fn of<'a>(calendars: impl IntoIterator<Item = &'a Calendar>) -> Self {
        let mut all = WorkingDays::default();
        for calendar in calendars {
            all.years.insert(calendar.year);
            all.off.extend(calendar.off.iter().map(|day| day.date()));
            all.work.extend(calendar.work.iter().map(|day| day.date()));
        }
        all
    }

    pub fn is_working(&self, day: Day) -> bool {
        let date = day.date();
        let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        self.work.contains(&date) || !weekend && !self.off.contains(&date)
    }

    fn is_known(&self, day: Day) -> bool {
        u64::try_from(day.date().year()).is_ok_and(|year| self.years.contains(&year))
    }

    /// The `limit`-th working day after `start`; `start` itself for a limit of 0. The last day of year 9999 ends every limit.
    pub fn due(&self, start: Day, limit: u64) -> Due {
        let mut due = Due { day: start, provisional: false };
        let mut left = limit;
        while left > 0 {
            let Some(next) = due.day.next() else { break };
            due.day = next;
            due.provisional |= !self.is_known(next);
            left -= u64::from(self.is_working(next));
        }
        due
    }

    /// The due day that somebody named, such as a promised day; provisional by the same rule.
    pub fn named(&self, start: Day, day: Day) -> Due {
        let mut provisional = false;
        let mut walked = start;
        while let Some(next) = walked.next().filter(|next| *next <= day) {
            provisional |= !self.is_known(next);
            walked = next;
        }
        Due { day, provisional }
    }

    /// How many working days lie after `after` and up to `through`; 0 when that is not later.
    pub fn between(&self, after: Day, through: Day) -> u64 {
        let mut count = 0;
        let mut day = after;
        while let Some(next) = day.next().filter(|next| *next <= through) {
            count += u64::from(self.is_working(next));
            day = next;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn calendars() -> WorkingDays {
        let spring =
            ["2026-02-15", "2026-02-16", "2026-02-17", "2026-02-18", "2026-02-19", "2026-02-20", "2026-02-21", "2026-02-22", "2026-02-23"];
        let calendar = Calendar { year: 2026, off: spring.map(day).into(), work: ["2026-02-14", "2026-02-28"].map(day).into() };
        WorkingDays::of([&calendar])
    }

    #[test]
    fn a_limit_passes_over_days_off_and_counts_make_up_days() {
        let calendars = calendars();
        for (limit, want) in [(0, "2026-02-12"), (1, "2026-02-13"), (2, "2026-02-14"), (5, "2026-02-26"), (10, "2026-03-04")] {
            assert_eq!(calendars.due(day("2026-02-12"), limit), Due { day: day(want), provisional: false }, "{limit}");
            assert_eq!(calendars.between(day("2026-02-12"), day(want)), limit);
        }
        assert_eq!(calendars.between(day("2026-02-14"), day("2026-02-12")), 0);
    }

    #[test]
    fn a_year_without_calendar_makes_the_due_day_provisional() {
        let calendars = calendars();
        assert!(!calendars.due(day("2026-12-30"), 1).provisional);
        assert!(calendars.due(day("2026-12-31"), 1).provisional);
        assert!(!calendars.due(day("2025-12-31"), 1).provisional);
        assert!(calendars.named(day("2026-12-30"), day("2027-01-01")).provisional);
        assert_eq!(calendars.due(day("9999-12-30"), 9).day, day("9999-12-31"));
    }
}
