//! Working days: weekdays less the announced days off, and the announced make-up days.
//!
//! The rule is that of DOMAIN's clocks: a working day is a make-up day of some calendar, or a weekday that no calendar
//! announces off; days off are the union over calendars. A year is known when it has a calendar; a due day that rests on a
//! day of an unknown year is provisional. Weekdays are counted by arithmetic, the announced exceptions by bisection, so that
//! no question costs more for a longer time.

use std::collections::BTreeSet;

use crate::core::calendar::Calendar;
use crate::core::time::{DAY_NUMBER_MAX, Day, day_number, weekday};

/// The calendars of a ledger taken together, the newest of each year.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkingDays {
    /// Days whose announcement says other than their weekday, ascending, each with the sum of the changes up to it: -1 for a
    /// weekday off, 1 for a make-up day at a weekend.
    exceptions: Vec<(i32, i64)>,
    /// Runs of known years, as first and last day, ascending.
    known: Vec<(i32, i32)>,
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
        let (mut off, mut work, mut years) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for calendar in calendars {
            years.extend(i32::try_from(calendar.year));
            off.extend(calendar.off.iter().map(|day| day.number()));
            work.extend(calendar.work.iter().map(|day| day.number()));
        }
        let make_up = work.iter().filter(|day| is_weekend(**day)).map(|day| (*day, 1));
        let away = off.iter().filter(|day| !is_weekend(**day) && !work.contains(day)).map(|day| (*day, -1));
        let mut exceptions: Vec<(i32, i64)> = make_up.chain(away).collect();
        exceptions.sort_unstable();
        let mut sum = 0;
        for (_, change) in &mut exceptions {
            sum += *change;
            *change = sum;
        }
        let mut known: Vec<(i32, i32)> = Vec::new();
        for year in years {
            let (first, last) = (day_number(year, 1, 1), day_number(year + 1, 1, 1) - 1);
            match known.last_mut().filter(|run| run.1 + 1 == first) {
                Some(run) => run.1 = last,
                None => known.push((first, last)),
            }
        }
        WorkingDays { exceptions, known }
    }

    pub fn is_working(&self, day: Day) -> bool {
        self.between_numbers(day.number() - 1, day.number()) == 1
    }

    /// The `limit`-th working day after `start`; `start` itself for a limit of 0. The last day of year 9999 ends every limit.
    pub fn due(&self, start: Day, limit: u64) -> Due {
        let day = self.due_number(start.number(), limit);
        Due { day: Day::from_number(day).unwrap_or(Day::LAST), provisional: self.is_provisional(start.number(), day) }
    }

    /// The due day that somebody named, such as a promised day; provisional by the same rule.
    pub fn named(&self, start: Day, day: Day) -> Due {
        Due { day, provisional: self.is_provisional(start.number(), day.number()) }
    }

    /// How many working days lie after `after` and up to `through`; 0 when that is not later.
    pub fn between(&self, after: Day, through: Day) -> u64 {
        self.between_numbers(after.number(), through.number())
    }

    /// As [`WorkingDays::due`], in day numbers.
    pub fn due_number(&self, start: i32, limit: u64) -> i32 {
        let target = self.count(start).saturating_add(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut day = start;
        loop {
            // No more working days than days: a step of what is missing never leads beyond the end.
            let missing = target - self.count(day);
            if missing <= 0 || day >= DAY_NUMBER_MAX {
                break;
            }
            day = i32::try_from(i64::from(day).saturating_add(missing)).unwrap_or(DAY_NUMBER_MAX).min(DAY_NUMBER_MAX);
        }
        day
    }

    /// As [`WorkingDays::between`], in day numbers.
    pub fn between_numbers(&self, after: i32, through: i32) -> u64 {
        if through <= after { 0 } else { u64::try_from(self.count(through) - self.count(after)).unwrap_or(0) }
    }

    /// Whether a day after `start` and up to `day` lies in a year without a calendar.
    pub fn is_provisional(&self, start: i32, day: i32) -> bool {
        let Some(next) = start.checked_add(1).filter(|next| *next <= day) else {
            return false;
        };
        let run = self.known.partition_point(|(first, _)| *first <= next).checked_sub(1).and_then(|index| self.known.get(index));
        run.is_none_or(|(_, last)| *last < day)
    }

    /// Working days from a fixed Monday, long ago, up to `day`.
    fn count(&self, day: i32) -> i64 {
        let since_monday = i64::from(day) + 3;
        let (weeks, days) = (since_monday.div_euclid(7), since_monday.rem_euclid(7));
        let changed = self.exceptions.partition_point(|(exception, _)| *exception <= day).checked_sub(1);
        weeks * 5 + (days + 1).min(5) + changed.and_then(|index| self.exceptions.get(index)).map_or(0, |(_, sum)| *sum)
    }
}

fn is_weekend(day: i32) -> bool {
    weekday(day) >= 5
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
