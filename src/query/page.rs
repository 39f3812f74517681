//! Pages of lists: filters, cursors, and the bounded making of one page.

use std::sync::Arc;

use crate::core::hash::Hash;
use crate::core::ids::{check_agency, split_scoped};
use crate::core::json::{Value, object};
use crate::core::kinds::Kind;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules;
use crate::core::time::{Day, Time};
use crate::limits::{LIST_DEFAULT, LIST_MAX, PAGE_BYTES_MAX, PAGE_LOOKS_MAX};
use crate::query::QueryError;
use crate::query::records::Places;
use crate::query::terms::{Step, Walk};
use crate::store::{Head, Reader};

/// An item costs its leaf, its block's entry, and two or three leaps from term to term.
const LOOKS_PER_ITEM: usize = 5;

/// What a list is asked for. Which members a list takes is for its own function to say; the others stay empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Writer or other party.
    pub agency: Option<String>,
    pub kind: Option<Kind>,
    pub dataset: Option<String>,
    pub request: Option<Hash>,
    pub from: Option<Moment>,
    pub to: Option<Moment>,
    pub after: Option<String>,
    pub limit: Option<u64>,
}

/// A time, or a day of the ledger's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Time(Time),
    Day(Day),
}

impl Filter {
    /// Sets the member `name` from its text; whether a list takes it is for the caller.
    ///
    /// # Errors
    /// `query-invalid`.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), Refusal> {
        let invalid = |refusal: Refusal| Refusal::new(Code::QueryInvalid, format!("{name}={text}"), refusal.expected);
        match name {
            "agency" => {
                check_agency(text).map_err(invalid)?;
                self.agency = Some(text.to_owned());
            }
            "kind" => self.kind = Some(Kind::parse(text).map_err(invalid)?),
            "dataset" => {
                split_scoped(text).map_err(invalid)?;
                self.dataset = Some(text.to_owned());
            }
            "request" => self.request = Some(Hash::parse(text).map_err(invalid)?),
            "from" => self.from = Some(Moment::parse(text).map_err(invalid)?),
            "to" => self.to = Some(Moment::parse(text).map_err(invalid)?),
            "after" => self.after = Some(text.to_owned()),
            "limit" => self.limit = Some(parse_limit(text)?),
            _ => return Err(Refusal::new(Code::QueryInvalid, name, "a documented parameter")),
        }
        Ok(())
    }

    /// The index terms of the filters that are set, and of `kind` where the list has one of its own.
    pub fn terms(&self, kind: Option<Kind>) -> Vec<String> {
        let mut terms = Vec::new();
        terms.extend(kind.or(self.kind).map(|kind| format!("kind:{}", kind.as_str())));
        terms.extend(self.agency.as_ref().map(|id| format!("agency:{}", id.to_ascii_lowercase())));
        terms.extend(self.dataset.as_ref().map(|id| format!("dataset:{id}")));
        terms.extend(self.request.map(|id| format!("request:{id}")));
        terms
    }
}

impl Moment {
    /// # Errors
    /// `query-invalid`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let expected = "a time as 2026-11-25T01:02:03.000Z or a day as 2026-11-25";
        let time = Time::parse(text).map(Moment::Time);
        time.or_else(|_| Day::parse(text).map(Moment::Day)).map_err(|_| Refusal::new(Code::QueryInvalid, text, expected))
    }

    /// The first moment of a day; for days before 1970 the first moment there is.
    pub fn start(self, offset_minutes: u64) -> Time {
        let first = || Time::from_unix_ms(0).expect("zero is below the year 10000");
        match self {
            Moment::Time(time) => time,
            Moment::Day(day) => day.start(offset_minutes).unwrap_or_else(first),
        }
    }

    /// The last moment of a day.
    pub fn end(self, offset_minutes: u64) -> Time {
        match self {
            Moment::Time(time) => time,
            Moment::Day(day) => {
                let before = |next: Time| Time::from_unix_ms(next.unix_ms().saturating_sub(1));
                let last = || self.start(offset_minutes).plus_ms(86_399_999);
                day.next().and_then(|next| before(Moment::Day(next).start(offset_minutes))).unwrap_or_else(last)
            }
        }
    }
}

/// A page's length.
///
/// # Errors
/// `query-invalid`.
pub fn parse_limit(text: &str) -> Result<u64, Refusal> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|limit| digits && (1..=LIST_MAX).contains(limit))
        .ok_or_else(|| Refusal::new(Code::QueryInvalid, format!("limit={text}"), format!("a number from 1 to {LIST_MAX}")))
}

/// A place in a list, given out as opaque text and valid for ever: bound to the ledger and the list, to no filter.
fn cursor_text(origin: &str, list: &str, ordinal: u64) -> String {
    let check = Hash::of(format!("sharelog/cursor/v1\n{origin}\n{list}\n{ordinal}\n").as_bytes()).to_hex();
    format!("{ordinal:x}-{}", &check[..12])
}

pub(crate) fn cursor_ordinal(origin: &str, list: &str, text: &str) -> Result<u64, Refusal> {
    let ordinal = text.split_once('-').and_then(|(ordinal, _)| u64::from_str_radix(ordinal, 16).ok());
    ordinal
        .filter(|ordinal| cursor_text(origin, list, *ordinal) == text)
        .ok_or_else(|| Refusal::new(Code::CursorInvalid, format!("after={text}"), format!("the next of an earlier page of {list}")))
}

/// One page in the making. Items come in ascending order of their ordinals: positions, or what the list counts by.
pub struct Page<'a> {
    pub reader: &'a Reader,
    /// The head that the page speaks of.
    pub head: Arc<Head>,
    list: &'static str,
    limit: usize,
    items: Vec<Value>,
    bytes: usize,
    looks: usize,
    /// The first ordinal that the cursor leaves.
    start: u64,
    /// The newest ordinal considered, once the page has ended before its list.
    last: Option<u64>,
}

impl<'a> Page<'a> {
    /// A page of the list named `list`.
    ///
    /// # Errors
    /// `cursor-invalid`.
    pub fn new(reader: &'a Reader, list: &'static str, filter: &Filter) -> Result<Self, QueryError> {
        let after = filter.after.as_deref().map(|text| cursor_ordinal(&reader.genesis().origin, list, text)).transpose()?;
        let start = after.map_or(0, |ordinal| ordinal.saturating_add(1));
        let limit = usize::try_from(filter.limit.unwrap_or(LIST_DEFAULT)).expect("at most LIST_MAX");
        let head = reader.head();
        Ok(Page { reader, head, list, limit, items: Vec::new(), bytes: 0, looks: 0, start, last: None })
    }

    pub fn start(&self) -> u64 {
        self.start
    }

    /// The positions that the times of `filter` leave, within the head: from, to (exclusive).
    ///
    /// # Errors
    /// Those of the store.
    pub fn positions(&self, filter: &Filter) -> Result<(u64, u64), QueryError> {
        if self.head.height == 0 {
            return Ok((0, 0));
        }
        let offset = rules::policy(self.reader).utc_offset_minutes;
        let position = |moment: Option<Moment>, other: u64| match moment {
            Some(moment) => self.reader.first_at_or_after(moment.start(offset)).map(|position| position.min(self.head.size)),
            None => Ok(other),
        };
        Ok((position(filter.from, 0)?, position(filter.to, self.head.size)?))
    }

    /// Whether a time lies within those of `filter`.
    pub fn holds(&self, filter: &Filter, time: Time) -> bool {
        if filter.from.is_none() && filter.to.is_none() {
            return true;
        }
        let offset = rules::policy(self.reader).utc_offset_minutes;
        filter.from.is_none_or(|from| from.start(offset) <= time) && filter.to.is_none_or(|to| time < to.start(offset))
    }

    /// Counts looks into the store.
    pub fn look(&mut self, count: usize) {
        self.looks = self.looks.saturating_add(count);
    }

    /// Whether the page has used up its looks into the store.
    pub fn is_spent(&self) -> bool {
        self.looks >= PAGE_LOOKS_MAX
    }

    /// Whether the page takes no more; asked once it is known that something follows `last`, the newest ordinal considered.
    pub fn ends_after(&mut self, last: Option<u64>) -> bool {
        let full = self.items.len() >= self.limit || self.bytes >= PAGE_BYTES_MAX || self.is_spent();
        if full && last.is_some() {
            self.last = last;
        }
        self.last.is_some()
    }

    /// Fills the page with what `item` makes of the positions in `from..to` under all of `terms`, from the cursor on; `item`
    /// gives `None` for a position that does not belong to the list.
    ///
    /// # Errors
    /// Those of `item` and the store.
    pub fn fill(
        &mut self,
        terms: Vec<String>,
        range: (u64, u64),
        item: impl FnMut(&Reader, &mut Places<'a>, u64) -> Result<Option<Value>, QueryError>,
    ) -> Result<(), QueryError> {
        self.fill_behind(None, terms, range, 0, item)
    }

    /// As [`Page::fill`], behind `base` other ordinals, of which `last` was the newest considered: an item's ordinal is
    /// `base` and its position.
    ///
    /// # Errors
    /// Those of `item` and the store.
    pub fn fill_behind(
        &mut self,
        mut last: Option<u64>,
        terms: Vec<String>,
        range: (u64, u64),
        base: u64,
        mut item: impl FnMut(&Reader, &mut Places<'a>, u64) -> Result<Option<Value>, QueryError>,
    ) -> Result<(), QueryError> {
        let from = range.0.max(self.start.saturating_sub(base));
        let mut walk = Walk::new(self.reader, terms, from, range.1);
        let mut places = Places::new(self.reader);
        loop {
            match walk.advance(PAGE_LOOKS_MAX)? {
                Step::End => return Ok(()),
                Step::Paused(at) => {
                    self.last = Some(base + at.saturating_sub(1));
                    return Ok(());
                }
                Step::At(position) => {
                    if self.ends_after(last) {
                        return Ok(());
                    }
                    self.look(LOOKS_PER_ITEM);
                    if let Some(value) = item(self.reader, &mut places, position)? {
                        self.push(value);
                    }
                    last = Some(base + position);
                }
            }
        }
    }

    pub fn push(&mut self, item: Value) {
        self.bytes = self.bytes.saturating_add(rough_bytes(&item));
        self.items.push(item);
    }

    pub fn into_value(self) -> Value {
        let mut page = object([
            ("as_of", self.head.time.to_string().into()),
            ("items", Value::Array(self.items)),
            ("position", self.head.size.saturating_sub(1).into()),
            ("source", "index".into()),
        ]);
        if let (Some(last), Value::Object(members)) = (self.last, &mut page) {
            let next = cursor_text(&self.reader.genesis().origin, self.list, last);
            members.insert("next".to_owned(), next.into());
        }
        page
    }
}

/// About the bytes of a value's text.
fn rough_bytes(value: &Value) -> usize {
    match value {
        Value::Bool(_) | Value::Int(_) => 8,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => items.iter().map(rough_bytes).sum::<usize>() + 2,
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + 4 + rough_bytes(value)).sum::<usize>() + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_bound_to_its_ledger_and_list() {
        let text = cursor_text("a/1", "records", 0x4b3);
        assert_eq!(cursor_ordinal("a/1", "records", &text).unwrap(), 0x4b3);
        for (origin, list) in [("a/2", "records"), ("a/1", "blocks")] {
            assert_eq!(cursor_ordinal(origin, list, &text).unwrap_err().code, Code::CursorInvalid);
        }
        for bad in ["", "-", "4b3", "04b3-000000000000", &text.to_uppercase(), &format!("{text} ")] {
            assert!(cursor_ordinal("a/1", "records", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn filters_are_checked() {
        let set = |name, text| Filter::default().set(name, text).map_err(|refusal| refusal.code);
        for (name, text) in
            [("limit", "1000"), ("from", "2026-11-25"), ("to", "2026-11-25T01:02:03.000Z"), ("kind", "share.deliver"), ("dataset", "a:b")]
        {
            assert_eq!(set(name, text), Ok(()), "{name}={text}");
        }
        for (name, text) in [
            ("limit", "0"),
            ("limit", "1001"),
            ("limit", "+5"),
            ("from", "2026"),
            ("kind", "x"),
            ("dataset", "b"),
            ("agency", "a b"),
            ("request", "AB"),
            ("other", ""),
        ] {
            assert_eq!(set(name, text), Err(Code::QueryInvalid), "{name}={text}");
        }
    }
}
