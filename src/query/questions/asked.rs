//! What a question is asked with, and where that puts it: its moment, its place in the list.
//!
//! A cursor holds the moment (records up to a position, judged at a time) and the sort key of the last line given: as the
//! ledger only grows, what follows it is the same for ever, on every node.

use jiff::Timestamp;

use crate::core::book::Book;
use crate::core::book::at::AsOf;
use crate::core::clocks::{Clock, Moment, State};
use crate::core::hash::Hash;
use crate::core::ids::{check_agency, check_line, check_territory, split_scoped};
use crate::core::json::{Value, object};
use crate::core::refusal::{Code, Refusal};
use crate::core::rules;
use crate::core::time::Time;
use crate::limits::{AS_OF_AHEAD_MS_MAX, LIST_DEFAULT};
use crate::query::QueryError;
use crate::query::page::{Moment as When, parse_limit};
use crate::query::questions::Question;
use crate::query::questions::lines::Key;
use crate::store::Reader;

/// The parameters of a question. Which ones a question takes is in [`Question::parameters`]; the others stay empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub as_of: Option<When>,
    pub from: Option<When>,
    pub to: Option<When>,
    pub after: Option<String>,
    pub limit: Option<u64>,
    pub agency: Option<String>,
    pub clock: Option<Clock>,
    pub line: Option<String>,
    pub territory: Option<String>,
    pub dataset: Option<String>,
    pub digits: Option<usize>,
    pub state: Option<State>,
}

impl Asked {
    /// Sets the member `name` from its text; whether a question takes it is for the caller.
    ///
    /// # Errors
    /// `query-invalid`.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), Refusal> {
        let invalid = |expected: String| Refusal::new(Code::QueryInvalid, format!("{name}={text}"), expected);
        let because = |refusal: Refusal| invalid(refusal.expected);
        match name {
            "as_of" => self.as_of = Some(moment(text).map_err(because)?),
            "from" => self.from = Some(moment(text).map_err(because)?),
            "to" => self.to = Some(moment(text).map_err(because)?),
            "after" => self.after = Some(text.to_owned()),
            "limit" => self.limit = Some(parse_limit(text)?),
            "agency" => {
                check_agency(text).map_err(because)?;
                self.agency = Some(text.to_owned());
            }
            "clock" => {
                let all = || Clock::ALL.iter().map(|clock| clock.as_str()).collect::<Vec<_>>().join(", ");
                self.clock = Some(Clock::parse(text).ok_or_else(|| invalid(format!("of {}", all())))?);
            }
            "line" => {
                check_line(text).map_err(because)?;
                self.line = Some(text.to_owned());
            }
            "territory" => {
                check_territory(text).map_err(because)?;
                self.territory = Some(text.to_owned());
            }
            "dataset" => {
                split_scoped(text).map_err(because)?;
                self.dataset = Some(text.to_owned());
            }
            "digits" => {
                let digits = ["4", "6", "9", "12"].contains(&text).then(|| text.parse().ok()).flatten();
                self.digits = Some(digits.ok_or_else(|| invalid("12, 9, 6 or 4".to_owned()))?);
            }
            "state" => {
                let all = || State::ALL.map(State::as_str).join(", ");
                self.state = Some(State::parse(text).ok_or_else(|| invalid(format!("of {}", all())))?);
            }
            _ => return Err(Refusal::new(Code::QueryInvalid, name, "a documented parameter")),
        }
        Ok(())
    }

    pub fn limit(&self) -> usize {
        usize::try_from(self.limit.unwrap_or(LIST_DEFAULT)).expect("at most LIST_MAX")
    }
}

/// A day, or a time with any offset from UTC (RFC 3339); parts of a millisecond are left off.
fn moment(text: &str) -> Result<When, Refusal> {
    When::parse(text).or_else(|refusal| {
        let timestamp: Timestamp = text.parse().map_err(|_| refusal.clone())?;
        let ms = u64::try_from(timestamp.as_millisecond()).ok().and_then(Time::from_unix_ms);
        ms.map(When::Time).ok_or(refusal)
    })
}

/// Where a question stands.
pub struct Place {
    pub as_of: AsOf,
    pub after: Option<Key>,
    pub offset_minutes: u64,
}

impl Place {
    /// Without a moment the newest that the book holds: the head may have gone on since it was caught up.
    ///
    /// # Errors
    /// `query-invalid`, `cursor-invalid`, `syncing`, and those of the store.
    pub fn of(question: Question, reader: &Reader, asked: &Asked, book: &Book) -> Result<Self, QueryError> {
        let (known, newest) = (book.size(), book.time());
        let offset_minutes = rules::policy(reader).utc_offset_minutes;
        let wanted = asked.as_of.map(|when| when.end(offset_minutes));
        if let Some(wanted) = wanted.filter(|wanted| *wanted > newest.plus_ms(AS_OF_AHEAD_MS_MAX)) {
            let expected = format!("at most {} days after the head, {}", AS_OF_AHEAD_MS_MAX / 86_400_000, newest);
            return Err(Refusal::new(Code::QueryInvalid, format!("as_of={wanted}"), expected).into());
        }
        let Some(text) = &asked.after else {
            let time = wanted.unwrap_or(newest);
            let size = if time < newest { reader.first_at_or_after(time.plus_ms(1))?.min(known) } else { known };
            return Ok(Place { as_of: AsOf { size, time }, after: None, offset_minutes });
        };
        let cursor = Cursor::parse(&reader.genesis().origin, question.path(), text)?;
        if wanted.is_some_and(|wanted| wanted != cursor.as_of.time) {
            let expected = format!("the as_of of the earlier page, {}, or none", cursor.as_of.time);
            return Err(Refusal::new(Code::CursorInvalid, format!("after={text}"), expected).into());
        }
        if cursor.as_of.size > known {
            let found = format!("{known} positions");
            return Err(Refusal::new(Code::Syncing, found, format!("the {} of the earlier page", cursor.as_of.size)).into());
        }
        Ok(Place { as_of: cursor.as_of, after: Some(cursor.key), offset_minutes })
    }

    /// What every answer says of itself.
    ///
    /// # Errors
    /// Those of the store.
    pub fn head(&self, reader: &Reader, moment: &Moment<'_>) -> Result<Vec<(String, Value)>, QueryError> {
        let AsOf { size, time } = self.as_of;
        let last = size.saturating_sub(1);
        let blocks = if size == 0 { 0 } else { reader.height_of(last)?.unwrap_or(0) };
        let created = reader.genesis().created;
        let day = |time: Time| Value::from(time.day(self.offset_minutes).to_string());
        let agencies = moment.book.agencies.iter().filter(|agency| agency.memberships.iter().any(|own| own.at.seen(self.as_of))).count();
        let coverage = object([
            ("agencies", u64::try_from(agencies).unwrap_or(u64::MAX).into()),
            ("from", day(created)),
            ("records", size.saturating_sub(blocks).into()),
            ("to", day(time.min(moment.book.time()).max(created))),
        ]);
        Ok(vec![
            ("as_of".to_owned(), time.to_string().into()),
            ("coverage".to_owned(), coverage),
            ("position".to_owned(), last.into()),
            ("source".to_owned(), "index".into()),
        ])
    }
}

/// A place in the list of a question: opaque to clients, bound to the ledger and the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub as_of: AsOf,
    pub key: Key,
}

impl Cursor {
    pub fn to_text(self, origin: &str, list: &str) -> String {
        let numbers = [self.as_of.size, self.as_of.time.unix_ms()].into_iter().chain(self.key);
        let place = numbers.map(|number| format!("{number:x}")).collect::<Vec<_>>().join(".");
        let check = Hash::of(format!("sharelog/cursor/v1\n{origin}\n{list}\n{place}\n").as_bytes()).to_hex();
        format!("{place}-{}", &check[..12])
    }

    /// # Errors
    /// `cursor-invalid`.
    pub fn parse(origin: &str, list: &str, text: &str) -> Result<Self, Refusal> {
        let invalid = || Refusal::new(Code::CursorInvalid, format!("after={text}"), format!("the next of an earlier page of {list}"));
        let (place, _) = text.split_once('-').ok_or_else(invalid)?;
        let numbers = place.split('.').map(|part| u64::from_str_radix(part, 16)).collect::<Result<Vec<_>, _>>();
        let numbers = numbers.map_err(|_| invalid())?;
        let [size, ms, key @ ..] = &numbers[..] else {
            return Err(invalid());
        };
        let key = Key::try_from(key).map_err(|_| invalid())?;
        let time = Time::from_unix_ms(*ms).ok_or_else(invalid)?;
        let cursor = Cursor { as_of: AsOf { size: *size, time }, key };
        if cursor.to_text(origin, list) == text { Ok(cursor) } else { Err(invalid()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_holds_its_moment_and_is_bound_to_its_question() {
        let time = Time::parse("2026-11-25T01:02:03.000Z").unwrap();
        let cursor = Cursor { as_of: AsOf { size: 1208, time }, key: [0, 7, u64::MAX, 3, 1] };
        let text = cursor.to_text("a/1", "todo");
        assert_eq!(Cursor::parse("a/1", "todo", &text), Ok(cursor));
        for (origin, list) in [("a/2", "todo"), ("a/1", "overdue")] {
            assert_eq!(Cursor::parse(origin, list, &text).unwrap_err().code, Code::CursorInvalid);
        }
        for bad in ["", "-", "1.2", &text.to_uppercase(), &format!("{text} "), &text.replacen('.', ".0", 1)] {
            assert!(Cursor::parse("a/1", "todo", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parameters_are_checked() {
        let set = |name, text| Asked::default().set(name, text).map_err(|refusal| refusal.code);
        for (name, text) in [
            ("as_of", "2026-11-25"),
            ("as_of", "2026-11-25T01:02:03.000Z"),
            ("as_of", "2026-11-25T09:02:03+08:00"),
            ("clock", "catalogue_update"),
            ("territory", "3301"),
            ("digits", "9"),
            ("limit", "1000"),
        ] {
            assert_eq!(set(name, text), Ok(()), "{name}={text}");
        }
        for (name, text) in [
            ("as_of", "2026"),
            ("as_of", "2026-11-25T09:02:03"),
            ("as_of", "1969-12-31T00:00:00Z"),
            ("clock", "delivery of a period"),
            ("territory", "33-01"),
            ("digits", "5"),
            ("digits", "09"),
            ("line", "Health"),
            ("agency", "a b"),
            ("dataset", "a"),
            ("limit", "0"),
            ("kind", "share.deliver"),
        ] {
            assert_eq!(set(name, text), Err(Code::QueryInvalid), "{name}={text}");
        }
    }
}
