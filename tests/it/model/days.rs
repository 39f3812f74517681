//! Days by walking: every question about a day is answered by going from one day to the next.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

/// A day as its number in the list that begins with 2024-01-01, a Monday.
pub type Day = usize;

const YEARS: std::ops::Range<usize> = 2024..2046;
/// 2024-01-01 in days since 1970-01-01.
const FIRST: u64 = 19_723;

/// All days of the years that histories and questions touch.
pub struct Days {
    list: Vec<(usize, usize, usize)>,
    by_text: BTreeMap<String, Day>,
}

/// What the calendars seen say.
#[derive(Default)]
pub struct Calendars {
    off: BTreeSet<Day>,
    work: BTreeSet<Day>,
    years: BTreeSet<usize>,
}

impl Days {
    pub fn new() -> Self {
        let mut list = Vec::new();
        for year in YEARS {
            let leap = year % 4 == 0;
            for (month, length) in [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate() {
                list.extend((1..=length).map(|day| (year, month + 1, day)));
            }
        }
        let by_text = list.iter().enumerate().map(|(day, (y, m, d))| (format!("{y}-{m:02}-{d:02}"), day)).collect();
        Days { list, by_text }
    }

    pub fn text(&self, day: Day) -> String {
        let (y, m, d) = self.list[day];
        format!("{y}-{m:02}-{d:02}")
    }

    pub fn day(&self, text: &str) -> Day {
        self.by_text[text]
    }

    pub fn year(&self, day: Day) -> usize {
        self.list[day].0
    }

    /// Days of all years that these histories know, for texts that may be no day at all.
    pub fn is_day(&self, text: &str) -> bool {
        self.by_text.contains_key(text)
    }

    pub fn of_time(unix_ms: u64, offset_minutes: u64) -> Day {
        usize::try_from((unix_ms / 60_000 + offset_minutes) / 1_440 - FIRST).unwrap()
    }

    /// The name of the period that holds a day.
    pub fn period(&self, day: Day, frequency: &str) -> String {
        let (y, m, _) = self.list[day];
        match frequency {
            "daily" => self.text(day),
            "weekly" => {
                let thursday = day - day % 7 + 3;
                let year = self.list[thursday].0;
                let mut week = 0;
                let mut earlier = thursday;
                while self.list[earlier].0 == year {
                    week += 1;
                    if earlier < 7 {
                        break;
                    }
                    earlier -= 7;
                }
                format!("{year}-W{week:02}")
            }
            "monthly" => format!("{y}-{m:02}"),
            "quarterly" => format!("{y}-Q{}", (m - 1) / 3 + 1),
            "halfyearly" => format!("{y}-H{}", (m - 1) / 6 + 1),
            "yearly" => y.to_string(),
            other => panic!("{other} makes no periods"),
        }
    }

    /// First and last day of the period that holds a day.
    pub fn bounds(&self, day: Day, frequency: &str) -> (Day, Day) {
        let name = self.period(day, frequency);
        let (mut first, mut last) = (day, day);
        while first > 0 && self.period(first - 1, frequency) == name {
            first -= 1;
        }
        while self.period(last + 1, frequency) == name {
            last += 1;
        }
        (first, last)
    }

    pub fn calendars<'a>(&self, newest_of_each_year: impl Iterator<Item = &'a Json>) -> Calendars {
        let mut calendars = Calendars::default();
        for body in newest_of_each_year {
            calendars.years.insert(usize::try_from(body["year"].as_u64().unwrap()).unwrap());
            let days = |name: &str| body[name].as_array().unwrap().iter().map(|day| self.day(day.as_str().unwrap())).collect::<Vec<_>>();
            calendars.off.extend(days("off"));
            calendars.work.extend(days("work"));
        }
        calendars
    }

    pub fn is_working(&self, day: Day, calendars: &Calendars) -> bool {
        calendars.work.contains(&day) || (day % 7 < 5 && !calendars.off.contains(&day))
    }

    /// The n-th working day after a day.
    pub fn after(&self, start: Day, n: u64, calendars: &Calendars) -> Day {
        let (mut day, mut left) = (start, n);
        while left > 0 {
            day += 1;
            left -= u64::from(self.is_working(day, calendars));
        }
        day
    }

    /// The working days after one day and up to another.
    pub fn count(&self, after: Day, to: Day, calendars: &Calendars) -> u64 {
        (after + 1..=to).map(|day| u64::from(self.is_working(day, calendars))).sum()
    }

    /// A day after the start and up to the end has a year without calendar.
    pub fn is_provisional(&self, start: Day, end: Day, calendars: &Calendars) -> bool {
        (start + 1..=end).any(|day| !calendars.years.contains(&self.year(day)))
    }
}
