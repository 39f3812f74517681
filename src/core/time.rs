//! Points in time and days: RFC 3339 UTC with milliseconds, exactly 24 characters; days `YYYY-MM-DD`.

use std::fmt;

use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::core::refusal::{Code, Refusal};

/// Milliseconds since 1970-01-01T00:00:00Z, from year 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// The last millisecond of year 9999.
const UNIX_MS_MAX: u64 = 253_402_300_799_999;

impl Time {
    /// `None` beyond year 9999.
    pub fn from_unix_ms(unix_ms: u64) -> Option<Self> {
        (unix_ms <= UNIX_MS_MAX).then_some(Time(unix_ms))
    }

    pub fn unix_ms(self) -> u64 {
        self.0
    }

    /// # Errors
    /// `field-invalid` for anything but 24 characters `YYYY-MM-DDThh:mm:ss.mmmZ` of a real moment from 1970 on.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let invalid = || Refusal::new(Code::FieldInvalid, text, "a time as 2026-11-25T01:02:03.000Z");
        let shape = b"dddd-dd-ddTdd:dd:dd.dddZ";
        let shaped = text.len() == shape.len()
            && text.bytes().zip(shape).all(|(byte, want)| if *want == b'd' { byte.is_ascii_digit() } else { byte == *want });
        if !shaped || &text[17..19] == "60" {
            return Err(invalid());
        }
        let timestamp: Timestamp = text.parse().map_err(|_| invalid())?;
        u64::try_from(timestamp.as_millisecond()).ok().and_then(Time::from_unix_ms).ok_or_else(invalid)
    }

    /// Later by `ms`, ending at the last moment of year 9999.
    pub fn plus_ms(self, ms: u64) -> Self {
        Time(self.0.saturating_add(ms).min(UNIX_MS_MAX))
    }

    /// The day that holds this moment at a fixed offset from UTC.
    pub fn day(self, offset_minutes: u64) -> Day {
        let zone = zone(offset_minutes);
        let ms = i64::try_from(self.0).expect("a time is below year 10000");
        let timestamp = Timestamp::from_millisecond(ms).expect("a time is below year 10000");
        Day(zone.to_datetime(timestamp).date())
    }
}

fn zone(offset_minutes: u64) -> TimeZone {
    let seconds = i32::try_from(offset_minutes.min(840) * 60).expect("at most 14 hours");
    TimeZone::fixed(Offset::from_seconds(seconds).expect("at most 14 hours"))
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).expect("a time is below year 10000");
        let timestamp = Timestamp::from_millisecond(ms).expect("a time is below year 10000");
        write!(f, "{timestamp:.3}")
    }
}

/// A calendar day, `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// 9999-12-31, where all counting ends.
    pub const LAST: Day = Day(Date::MAX);

    /// # Errors
    /// `field-invalid` for anything but `YYYY-MM-DD` of a real day.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let invalid = || Refusal::new(Code::FieldInvalid, text, "a day as 2026-11-25");
        let bytes = text.as_bytes();
        let shaped = bytes.len() == 10
            && bytes.iter().enumerate().all(|(index, byte)| if index == 4 || index == 7 { *byte == b'-' } else { byte.is_ascii_digit() });
        if !shaped {
            return Err(invalid());
        }
        text.parse::<Date>().map(Day).map_err(|_| invalid())
    }

    pub fn date(self) -> Date {
        self.0
    }

    /// The day after this one; `None` after the last of year 9999.
    pub fn next(self) -> Option<Self> {
        self.0.tomorrow().ok().map(Day)
    }

    pub fn from_date(date: Date) -> Self {
        Day(date)
    }

    /// Days since 1970-01-01, negative before.
    pub fn number(self) -> i32 {
        day_number(i32::from(self.0.year()), i32::from(self.0.month()), i32::from(self.0.day()))
    }

    /// The day with this number; `None` outside the years 0 to 9999.
    pub fn from_number(number: i32) -> Option<Self> {
        let (year, month, day) = civil(number);
        let date = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        (date.year() >= 0).then_some(Day(date))
    }

    /// The first moment of this day at a fixed offset from UTC; `None` before 1970.
    pub fn start(self, offset_minutes: u64) -> Option<Time> {
        let midnight = zone(0).to_timestamp(self.0.at(0, 0, 0, 0)).ok()?;
        let minutes = i64::try_from(offset_minutes.min(840)).ok()?;
        let start = midnight.checked_sub(SignedDuration::from_mins(minutes)).ok()?;
        u64::try_from(start.as_millisecond()).ok().and_then(Time::from_unix_ms)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of the last day of year 9999.
pub const DAY_NUMBER_MAX: i32 = 2_932_896;
/// Days of 400 years of the Gregorian calendar.
const CYCLE_DAYS: i32 = 146_097;
/// From the first of March of year 0 to 1970-01-01.
const MARCH_TO_1970: i32 = 719_468;

/// Days since 1970-01-01 of a day of the Gregorian calendar. Years are counted from March, so that a leap day is the last.
pub fn day_number(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let months = (month + 9) % 12;
    let (cycle, year_of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * months + 2) / 5 + day - 1;
    cycle * CYCLE_DAYS + year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year - MARCH_TO_1970
}

/// Year, month and day of a day number.
pub fn civil(number: i32) -> (i32, i32, i32) {
    let shifted = number + MARCH_TO_1970;
    let (cycle, day) = (shifted.div_euclid(CYCLE_DAYS), shifted.rem_euclid(CYCLE_DAYS));
    let year_of_cycle = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let months = (5 * day_of_year + 2) / 153;
    let month = (months + 2) % 12 + 1;
    let year = cycle * 400 + year_of_cycle;
    (if month <= 2 { year + 1 } else { year }, month, day_of_year - (153 * months + 2) / 5 + 1)
}

/// 0 for Monday to 6 for Sunday.
pub fn weekday(number: i32) -> i32 {
    (number + 3).rem_euclid(7)
}

/// The number of the day that holds a moment, at a fixed offset from UTC.
pub fn day_number_of(unix_ms: u64, offset_minutes: u64) -> i32 {
    i32::try_from((unix_ms + offset_minutes * 60_000) / 86_400_000).unwrap_or(DAY_NUMBER_MAX).min(DAY_NUMBER_MAX)
}

/// A period that data are about: `2026`, `2026-H2`, `2026-Q4`, `2026-11`, `2026-W48` (ISO 8601) or `2026-11-25`, each a
/// real one.
///
/// # Errors
/// `field-invalid`.
pub fn check_period(text: &str) -> Result<(), Refusal> {
    let invalid = || Refusal::new(Code::FieldInvalid, text, "a period as 2026, 2026-H2, 2026-Q4, 2026-11, 2026-W48 or 2026-11-25");
    let bytes = text.as_bytes();
    let year = bytes.get(..4).filter(|year| year.iter().all(u8::is_ascii_digit)).ok_or_else(invalid)?;
    let real = match bytes.get(4..) {
        Some([]) => true,
        Some([b'-', b'H', half]) => matches!(half, b'1'..=b'2'),
        Some([b'-', b'Q', quarter]) => matches!(quarter, b'1'..=b'4'),
        Some([b'-', b'W', tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => {
            let number = |digits: &[u8]| digits.iter().fold(0_i16, |sum, digit| sum * 10 + i16::from(digit - b'0'));
            let week = i8::try_from(number(&[*tens, *ones])).map_err(|_| invalid())?;
            ISOWeekDate::new(number(year), week, Weekday::Monday).is_ok()
        }
        Some([b'-', tens, ones]) => matches!((tens, ones), (b'0', b'1'..=b'9') | (b'1', b'0'..=b'2')),
        Some(_) => Day::parse(text).is_ok(),
        None => false,
    };
    if real && year != b"0000" { Ok(()) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_text() {
        let time = Time::parse("2026-11-25T01:02:03.000Z").unwrap();
        assert_eq!(time.to_string(), "2026-11-25T01:02:03.000Z");
        assert_eq!(time.unix_ms(), 1_795_568_523_000);
        for bad in [
            "2026-11-25T01:02:03Z",
            "2026-11-25 01:02:03.000Z",
            "2026-02-30T01:02:03.000Z",
            "2026-11-25T01:02:60.000Z",
            "1969-12-31T23:59:59.999Z",
        ] {
            assert!(Time::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_day_starts_at_the_ledgers_offset() {
        let day = Day::parse("2026-11-25").unwrap();
        let start = day.start(480).unwrap();
        assert_eq!(start.to_string(), "2026-11-24T16:00:00.000Z");
        assert_eq!(start.day(480), day);
        assert_eq!(start.day(0).to_string(), "2026-11-24");
        assert!(Day::parse("2026-02-29").is_err());
        assert!(Day::parse("+02026-02-2").is_err());
    }

    #[test]
    fn day_numbers_are_those_of_the_calendar() {
        let mut date = Date::constant(1, 1, 1);
        let first = Day(date).number();
        for offset in 0..1_000_000 {
            let number = first + offset;
            assert_eq!((Day(date).number(), Day::from_number(number)), (number, Some(Day(date))));
            if offset % 997 == 0 {
                assert_eq!(weekday(number), i32::from(date.weekday().to_monday_zero_offset()));
            }
            date = date.tomorrow().unwrap();
        }
        assert_eq!(Day::parse("1970-01-01").unwrap().number(), 0);
        assert_eq!(Day::parse("9999-12-31").unwrap().number(), DAY_NUMBER_MAX);
        let time = Time::parse("2026-11-24T16:00:00.000Z").unwrap();
        assert_eq!(day_number_of(time.unix_ms(), 480), time.day(480).number());
    }

    #[test]
    fn a_period_is_a_real_one() {
        for good in ["2026", "2026-H1", "2026-Q4", "2026-12", "2026-W53", "2026-11-25", "2024-02-29"] {
            assert!(check_period(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "26",
            "0000",
            "2026-",
            "2026-H3",
            "2026-Q0",
            "2026-Q5",
            "2026-00",
            "2026-13",
            "2025-W53",
            "2026-W00",
            "2026-W5",
            "2026-w01",
            "2026-02-29",
            "2026-1-1",
            "2026-11-25T",
            "20261125",
            "+2026",
        ] {
            assert!(check_period(bad).is_err(), "{bad}");
        }
    }
}
