//! Lines of answers: what the book knows of them, and what is to be read from leaves once the book is let go.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::core::book::facts::{AgencyNo, DatasetNo, DutyNo};
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::time::Day;
use crate::query::QueryError;
use crate::query::questions::View;
use crate::query::questions::asked::Cursor;
use crate::query::records::{Places, indexed};
use crate::store::Reader;

/// What lines are sorted by, and no two lines of a question share.
pub type Key = [u64; 5];

/// A record as lines read it.
pub struct Leaf {
    pub id: Hash,
    pub by: String,
    pub body: Value,
}

impl Leaf {
    pub fn member(&self, name: &str) -> Option<Value> {
        self.body.get(name).cloned()
    }

    fn list(&self, name: &str) -> &[Value] {
        self.body.get(name).and_then(Value::as_array).unwrap_or_default()
    }

    /// A member of one object in a list.
    pub fn nth(&self, list: &str, index: usize, name: &str) -> Option<Value> {
        self.list(list).get(index)?.get(name).cloned()
    }

    /// The dataset of a request for one.
    pub fn sole_dataset(&self) -> Option<Value> {
        match self.list("datasets") {
            [only] => only.get("id").cloned(),
            _ => None,
        }
    }
}

type Read = Box<dyn Fn(&Leaf) -> Option<Value>>;

/// One line in the making. Members that turn out to be absent are left out.
#[derive(Default)]
pub struct Line {
    members: BTreeMap<String, Value>,
    /// Member, position of a record, and what of it.
    reads: Vec<(&'static str, u64, Read)>,
    /// Member and position of a record, whose block's time is wanted.
    times: Vec<(&'static str, u64)>,
    nested: Vec<(&'static str, Vec<Line>)>,
}

impl Line {
    pub fn put(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    pub fn put_some<V: Into<Value>>(self, name: &'static str, value: Option<V>) -> Self {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    pub fn day(self, name: &'static str, day: Option<Day>) -> Self {
        self.put_some(name, day.map(|day| day.to_string()))
    }

    /// Says so where it holds.
    pub fn mark(self, name: &'static str, holds: Option<()>) -> Self {
        self.put_some(name, holds.map(|()| true))
    }

    /// What `read` finds in the record at `position`.
    pub fn read(mut self, name: &'static str, position: u64, read: impl Fn(&Leaf) -> Option<Value> + 'static) -> Self {
        self.reads.push((name, position, Box::new(read)));
        self
    }

    /// The id of the record at `position`.
    pub fn id(self, name: &'static str, position: u64) -> Self {
        self.read(name, position, |leaf| Some(leaf.id.to_hex().into()))
    }

    pub fn id_some(self, name: &'static str, position: Option<u64>) -> Self {
        match position {
            Some(position) => self.id(name, position),
            None => self,
        }
    }

    /// The same member of the body of the record at `position`.
    pub fn member(self, name: &'static str, position: u64) -> Self {
        self.read(name, position, move |leaf| leaf.member(name))
    }

    /// When the record at `position` was committed.
    pub fn time(mut self, name: &'static str, position: u64) -> Self {
        self.times.push((name, position));
        self
    }

    pub fn nested(mut self, name: &'static str, lines: Vec<Line>) -> Self {
        self.nested.push((name, lines));
        self
    }
}

/// The lines of one page.
pub struct Page {
    pub lines: Vec<Line>,
    /// The cursor behind the last line, when others follow.
    pub next: Option<String>,
}

impl View<'_> {
    /// The page of `found` behind the cursor, in the order of `key`; `line` is made of those that stand on it.
    pub fn page<T>(&self, found: Vec<T>, key: impl Fn(&T) -> Key, line: impl Fn(&T) -> Line) -> Page {
        let behind = |key: &Key| self.after.is_none_or(|after| *key > after);
        let mut keyed: Vec<(Key, T)> = found.into_iter().map(|item| (key(&item), item)).filter(|(key, _)| behind(key)).collect();
        let limit = self.asked.limit();
        let is_last = keyed.len() <= limit;
        if !is_last {
            keyed.select_nth_unstable_by_key(limit, |(key, _)| *key);
            keyed.truncate(limit);
        }
        keyed.sort_unstable_by_key(|(key, _)| *key);
        let last = keyed.last().filter(|_| !is_last);
        let next = last.map(|(key, _)| Cursor { as_of: self.moment.as_of, key: *key }.to_text(self.origin, self.question.path()));
        Page { lines: keyed.iter().map(|(_, item)| line(item)).collect(), next }
    }

    pub fn agency_id(&self, agency: AgencyNo) -> &str {
        self.moment.book.agency_id(agency)
    }

    pub fn dataset_id(&self, dataset: DatasetNo) -> &str {
        self.moment.book.dataset_id(dataset)
    }

    pub fn dataset_ids(&self, datasets: &[DatasetNo]) -> Vec<Value> {
        datasets.iter().map(|dataset| self.dataset_id(*dataset).into()).collect()
    }

    pub fn duty_id(&self, duty: DutyNo) -> &str {
        self.moment.book.duty_id(duty)
    }

    /// A line about a dataset: its id, and the title of its newest version.
    pub fn dataset_line(&self, line: Line, dataset: DatasetNo) -> Line {
        let line = line.put("dataset", self.dataset_id(dataset));
        match self.moment.book.version(dataset, self.moment.as_of) {
            Some(version) => line.member("title", version.at.position()),
            None => line,
        }
    }
}

/// A day as part of a key.
pub fn day_key(day: Day) -> u64 {
    // Days of the year 0 and later are above -2^20.
    u64::try_from(i64::from(day.number()) + (1 << 20)).unwrap_or(0)
}

/// Reads what lines still want; each record once.
pub struct Leaves<'a> {
    reader: &'a Reader,
    places: Places<'a>,
    known: HashMap<u64, Arc<Leaf>>,
}

impl<'a> Leaves<'a> {
    pub fn new(reader: &'a Reader) -> Self {
        Leaves { reader, places: Places::new(reader), known: HashMap::new() }
    }

    fn leaf(&mut self, position: u64) -> Result<Arc<Leaf>, QueryError> {
        if let Some(leaf) = self.known.get(&position) {
            return Ok(Arc::clone(leaf));
        }
        let record = indexed(self.reader, position)?;
        let leaf = Arc::new(Leaf { id: record.id(), by: record.by.clone(), body: record.body_value() });
        self.known.insert(position, Arc::clone(&leaf));
        Ok(leaf)
    }

    /// # Errors
    /// Those of the store.
    pub fn fill(&mut self, line: Line) -> Result<Value, QueryError> {
        let Line { mut members, reads, times, nested } = line;
        for (name, position, read) in reads {
            if let Some(value) = read(&*self.leaf(position)?) {
                members.insert(name.to_owned(), value);
            }
        }
        for (name, position) in times {
            members.insert(name.to_owned(), self.places.of(position)?.time.to_string().into());
        }
        for (name, lines) in nested {
            let values = lines.into_iter().map(|line| self.fill(line)).collect::<Result<Vec<_>, _>>()?;
            members.insert(name.to_owned(), Value::Array(values));
        }
        Ok(Value::Object(members))
    }
}
