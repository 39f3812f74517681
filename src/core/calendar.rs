//! The announced days off and make-up working days of one year: the body of `calendar.set`, and in the genesis file.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::limits::{LIST_MAX, TEXT_BYTES_MAX};
use crate::core::refusal::{Code, Refusal};
use crate::core::time::Day;

/// A checked calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Of the notice; days may lie in the years beside it.
    pub year: u64,
    pub off: BTreeSet<Day>,
    pub work: BTreeSet<Day>,
}

impl Calendar {
    /// # Errors
    /// `field-missing`, `field-unknown`, `field-invalid`.
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, "calendar")?;
        let calendar = Calendar::from_fields(&mut fields)?;
        fields.end()?;
        Ok(calendar)
    }

    /// As [`Calendar::from_value`], leaving it to the caller to end `fields`.
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`; R-CALENDAR-1 to 3.
    pub fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Refusal> {
        let year = fields.integer("year")?;
        if !(1970..=9999).contains(&year) {
            return Err(Refusal::new(Code::FieldInvalid, format!("calendar.year {year}"), "1970 to 9999"));
        }
        check_notice(fields.object("notice")?)?;
        let off = days(fields, "off", year)?;
        let work = days(fields, "work", year)?;
        if let Some(day) = off.intersection(&work).next() {
            return Err(Refusal::rule("R-CALENDAR-2", Code::FieldInvalid, format!("{day} in off and in work"), "each day in one of them"));
        }
        Ok(Calendar { year, off, work })
    }
}

fn check_notice(mut notice: Fields<'_>) -> Result<(), Refusal> {
    let url = notice.text("url", TEXT_BYTES_MAX)?;
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        return Err(Refusal::new(Code::FieldInvalid, url, "an http or https address").within("calendar.notice.url"));
    }
    notice.optional_checked("sha256", |text| Hash::parse(text).map(|_| ()))?;
    notice.end()
}

fn days(fields: &mut Fields<'_>, name: &str, year: u64) -> Result<BTreeSet<Day>, Refusal> {
    let mut days = BTreeSet::new();
    for text in fields.strings(name, 0, LIST_MAX)? {
        let invalid = |rule, expected: &str| Refusal::rule(rule, Code::FieldInvalid, text, expected).within(&format!("calendar.{name}"));
        let day = Day::parse(text).map_err(|refusal| refusal.within(&format!("calendar.{name}")))?;
        if u64::try_from(Date::year(day.date())).map_or(true, |own| own.abs_diff(year) > 1) {
            return Err(invalid("R-CALENDAR-3", "a day of the calendar's year or of a year beside it"));
        }
        if !days.insert(day) {
            return Err(invalid("R-CALENDAR-1", "each day once"));
        }
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::json::{Strings, parse};

    fn calendar(text: &str) -> Result<Calendar, Refusal> {
        Calendar::from_value(&parse(text.as_bytes(), Strings::Strict).unwrap())
    }

    #[test]
    fn a_calendar_is_one_notice_with_real_days_near_its_year() {
        let good = r#"{"notice":{"url":"http://www.gov.cn/n"},"off":["2022-12-31","2023-01-01"],"work":["2023-01-28"],"year":2023}"#;
        assert_eq!(calendar(good).unwrap().off.len(), 2);
        for (from, to) in [
            ("2022-12-31", "2021-12-31"),
            ("2022-12-31", "2023-02-29"),
            ("2022-12-31", "2023-01-01"),
            ("2022-12-31", "2023-01-28"),
            ("http://www", "javascript:"),
            ("\"year\":2023", "\"year\":0"),
            ("\"year\":2023", "\"year\":2023,\"z\":1"),
        ] {
            let code = calendar(&good.replacen(from, to, 1)).unwrap_err().code;
            assert!(matches!(code, Code::FieldInvalid | Code::FieldUnknown), "{to}");
        }
    }
}
