//! Periods that data are about: `2026`, `2026-H2`, `2026-Q4`, `2026-11`, `2026-W48` (ISO 8601), `2026-11-25`.

use std::fmt;
use std::num::NonZeroU32;

use crate::core::book::facts::Frequency;
use crate::core::time::{Day, check_period, civil, day_number, weekday};

/// A period, packed: length, year and ordinal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(NonZeroU32);

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Length {
    Day,
    Week,
    Month,
    Quarter,
    Half,
    Year,
}

const LENGTHS: [Length; 6] = [Length::Day, Length::Week, Length::Month, Length::Quarter, Length::Half, Length::Year];

impl Length {
    /// `None` for a frequency that makes no periods.
    pub fn of(frequency: Frequency) -> Option<Self> {
        match frequency {
            Frequency::Daily => Some(Length::Day),
            Frequency::Weekly => Some(Length::Week),
            Frequency::Monthly => Some(Length::Month),
            Frequency::Quarterly => Some(Length::Quarter),
            Frequency::Halfyearly => Some(Length::Half),
            Frequency::Yearly => Some(Length::Year),
            Frequency::Once | Frequency::Realtime | Frequency::Irregular => None,
        }
    }

    fn months(self) -> i32 {
        match self {
            Length::Month => 1,
            Length::Quarter => 3,
            Length::Half => 6,
            Length::Day | Length::Week | Length::Year => 12,
        }
    }
}

impl Period {
    fn pack(length: Length, year: i32, ordinal: i32) -> Option<Self> {
        let length = u32::try_from(LENGTHS.iter().position(|other| *other == length)?).ok()?;
        let year = u32::try_from(year).ok().filter(|year| (1..=9999).contains(year))?;
        let ordinal = u32::try_from(ordinal).ok().filter(|ordinal| *ordinal < 512)?;
        NonZeroU32::new(length << 23 | year << 9 | ordinal).map(Period)
    }

    fn parts(self) -> (Length, i32, i32) {
        let number = self.0.get();
        let length = usize::try_from(number >> 23).ok().and_then(|index| LENGTHS.get(index)).copied().unwrap_or(Length::Year);
        let small = |part: u32| i32::try_from(part).expect("masked to a few bits");
        (length, small(number >> 9 & 0x3fff), small(number & 0x1ff))
    }

    /// The period of this length that holds the day.
    pub fn holding(length: Length, day: i32) -> Option<Self> {
        let (year, month, _) = civil(day);
        match length {
            Length::Day => Self::pack(length, year, day - day_number(year, 1, 1)),
            Length::Week => {
                let year = if day >= first_week(year + 1) {
                    year + 1
                } else if day < first_week(year) {
                    year - 1
                } else {
                    year
                };
                Self::pack(length, year, (day - first_week(year)) / 7 + 1)
            }
            Length::Year => Self::pack(length, year, 0),
            Length::Month | Length::Quarter | Length::Half => Self::pack(length, year, (month - 1) / length.months() + 1),
        }
    }

    /// The period after this one; `None` beyond the year 9999.
    pub fn next(self) -> Option<Self> {
        Self::holding(self.parts().0, self.last() + 1)
    }

    /// Its first day, as a day number.
    pub fn first(self) -> i32 {
        let (length, year, ordinal) = self.parts();
        match length {
            Length::Day => day_number(year, 1, 1) + ordinal,
            Length::Week => first_week(year) + (ordinal - 1) * 7,
            Length::Year => day_number(year, 1, 1),
            Length::Month | Length::Quarter | Length::Half => day_number(year, (ordinal - 1) * length.months() + 1, 1),
        }
    }

    /// Its last day.
    pub fn last(self) -> i32 {
        let (length, year, ordinal) = self.parts();
        match length {
            Length::Day => self.first(),
            Length::Week => self.first() + 6,
            Length::Year => day_number(year + 1, 1, 1) - 1,
            Length::Month | Length::Quarter | Length::Half => {
                let next = ordinal * length.months() + 1;
                let first_of_next = if next > 12 { day_number(year + 1, 1, 1) } else { day_number(year, next, 1) };
                first_of_next - 1
            }
        }
    }

    /// From its text, which [`crate::core::time::check_period`] accepts.
    pub fn parse(text: &str) -> Option<Self> {
        check_period(text).ok()?;
        let year = text.get(..4)?.parse().ok()?;
        let number = |from: usize| text.get(from..)?.parse::<i32>().ok();
        match (text.len(), text.as_bytes().get(5)) {
            (4, _) => Self::pack(Length::Year, year, 0),
            (7, Some(b'H')) => Self::pack(Length::Half, year, number(6)?),
            (7, Some(b'Q')) => Self::pack(Length::Quarter, year, number(6)?),
            (7, _) => Self::pack(Length::Month, year, number(5)?),
            (8, _) => Self::pack(Length::Week, year, number(6)?),
            _ => Self::holding(Length::Day, Day::parse(text).ok()?.number()),
        }
    }
}

/// The Monday of the ISO 8601 week 1 of a year: of the week that holds 4 January.
fn first_week(year: i32) -> i32 {
    let fourth = day_number(year, 1, 4);
    fourth - weekday(fourth)
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (length, year, ordinal) = self.parts();
        match length {
            Length::Day => {
                let (year, month, day) = civil(self.first());
                write!(f, "{year:04}-{month:02}-{day:02}")
            }
            Length::Week => write!(f, "{year:04}-W{ordinal:02}"),
            Length::Month => write!(f, "{year:04}-{ordinal:02}"),
            Length::Quarter => write!(f, "{year:04}-Q{ordinal}"),
            Length::Half => write!(f, "{year:04}-H{ordinal}"),
            Length::Year => write!(f, "{year:04}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_one_text_and_real_days() {
        for (text, first, last) in [
            ("2026", "2026-01-01", "2026-12-31"),
            ("2026-H2", "2026-07-01", "2026-12-31"),
            ("2026-Q1", "2026-01-01", "2026-03-31"),
            ("2026-11", "2026-11-01", "2026-11-30"),
            ("2024-02", "2024-02-01", "2024-02-29"),
            ("2026-12", "2026-12-01", "2026-12-31"),
            ("2026-W01", "2025-12-29", "2026-01-04"),
            ("2026-W53", "2026-12-28", "2027-01-03"),
            ("2024-12-31", "2024-12-31", "2024-12-31"),
        ] {
            let period = Period::parse(text).unwrap();
            assert_eq!(period.to_string(), text);
            let day = |number| Day::from_number(number).unwrap().to_string();
            assert_eq!((day(period.first()), day(period.last())), (first.to_owned(), last.to_owned()), "{text}");
        }
        assert_eq!(Period::parse("2026-13"), None);
        assert_eq!(size_of::<Option<Period>>(), 4);
    }

    #[test]
    fn periods_follow_each_other_without_gap() {
        for length in LENGTHS {
            let mut period = Period::holding(length, day_number(2019, 12, 30)).unwrap();
            for _ in 0..800 {
                let next = period.next().unwrap();
                assert_eq!(next.first(), period.last() + 1);
                assert_eq!(Period::parse(&next.to_string()), Some(next));
                assert_eq!(Period::holding(length, next.last()), Some(next));
                period = next;
                if period.last() > day_number(2060, 1, 1) {
                    break;
                }
            }
        }
    }
}
