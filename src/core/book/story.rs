//! Small hand-made histories for the tests of clocks and questions: a city with four agencies, its streets, and an inspector.

use crate::core::book::at::AsOf;
use crate::core::book::{Book, Event};
use crate::core::clocks::{Clock, Moment, Obligation, Wanted};
use crate::core::genesis::{Genesis, GenesisAgency, GenesisParts, Validator, peer_id};
use crate::core::hash::Hash;
use crate::core::json::{Strings, Value, object, parse, strings};
use crate::core::key::{PublicKey, Role, SecretKey};
use crate::core::policy::default_body;
use crate::core::time::{Day, Time};

const HOLIDAYS: &str = include_str!("../../../tests/data/cn_holidays_2023_2026.csv");

/// Id, level, line, territory.
const AGENCIES: [(&str, &str, &str, &str); 7] = [
    ("audit", "city", "audit", "3301"),
    ("city", "city", "office", "3301"),
    ("civil", "city", "civil", "3301"),
    ("district", "district", "office", "330102"),
    ("health", "city", "health", "3301"),
    ("street", "street", "civil", "330102001"),
    ("works", "district", "works", "330102"),
];

fn public(label: &str) -> PublicKey {
    SecretKey::from_seed(Hash::of(label.as_bytes()).as_bytes()).public()
}

/// The bodies of calendar.set of the given file, one a year.
pub fn calendars() -> Vec<Value> {
    let rows: Vec<Vec<&str>> = HOLIDAYS.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let of_year = |year: u64| {
        let days = |kind: &str| strings(rows.iter().filter(|row| row[2] == kind && row[3] == year.to_string()).map(|row| row[0]));
        let url = rows.iter().find(|row| row[3] == year.to_string()).unwrap()[4];
        object([("notice", object([("url", url.into())])), ("off", days("off")), ("work", days("work")), ("year", year.into())])
    };
    (2023..=2026).map(of_year).collect()
}

fn genesis() -> Genesis {
    let agency = |(id, level, line, territory): (&str, &str, &str, &str)| {
        let role = match id {
            "city" | "district" => Role::Authority,
            "audit" => Role::Inspector,
            _ => Role::Office,
        };
        let body = object([
            ("id", id.into()),
            ("level", level.into()),
            ("line", line.into()),
            ("names", object([("en", id.into())])),
            ("scheme", "plain".into()),
            ("territory", territory.into()),
        ]);
        GenesisAgency { id: id.to_owned(), keys: vec![(role, public(id))], body }
    };
    let validator = |id: &str| Validator {
        addresses: vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
        agency: id.to_owned(),
        consensus: public(&format!("{id}/consensus")),
        cosigner: public(&format!("{id}/cosigner")),
        peer: peer_id(&public(&format!("{id}/network"))),
        power: 1,
        publication: public(&format!("{id}/publication")),
        records: vec!["/ip4/127.0.0.1/tcp/2".to_owned()],
    };
    let parts = GenesisParts {
        name: "city.example".to_owned(),
        created: Time::parse("2023-01-01T00:00:00.000Z").unwrap(),
        agencies: AGENCIES.map(agency).into(),
        calendars: calendars(),
        policy: default_body(),
        validators: ["audit", "city", "civil", "health"].map(validator).into(),
    };
    Genesis::parse(&parts.to_bytes()).unwrap()
}

pub fn value(text: &str) -> Value {
    parse(text.as_bytes(), Strings::Strict).unwrap()
}

/// A history in the making; a record is committed at noon of its day in the ledger's zone.
pub struct Story {
    pub book: Book,
}

pub fn noon(day: &str) -> Time {
    Time::parse(&format!("{day}T04:00:00.000Z")).unwrap()
}

impl Story {
    /// Duties of all, and two datasets of `health`: `health:beds` unconditional, `health:staff` conditional.
    pub fn begin(day: &str) -> Self {
        let mut story = Story { book: Book::new(&genesis()) };
        for agency in ["civil", "health", "street", "works"] {
            let title = if agency == "street" { "civil" } else { agency };
            story.on(day, agency, "duty.declare", &[], &format!(r#"{{"basis":["law"],"id":"{agency}:duty","title":"{title}"}}"#));
        }
        story.on(
            day,
            "health",
            "dataset.publish",
            &[],
            r#"{"class":"unconditional","duty":"health:duty","frequency":"monthly","id":"health:beds","items":[{"name":"Beds"},{"name":"ward"}],"title":"t","version":1}"#,
        );
        story.on(day, "health", "dataset.publish", &[], r#"{"class":"conditional","conditions":"c","duty":"health:duty","frequency":"irregular","id":"health:staff","purposes":["planning"],"title":"t","version":1}"#);
        story
    }

    pub fn on(&mut self, day: &str, by: &str, kind: &str, refs: &[Hash], body: &str) -> Hash {
        let position = self.book.size();
        let id = Hash::of(&position.to_be_bytes());
        self.book.take_event(&Event { id, kind, by, refs, body: &value(body), position, time: noon(day) });
        id
    }

    /// A request of `civil` for a dataset of `health`.
    pub fn request(&mut self, day: &str, dataset: &str) -> Hash {
        self.request_by(day, "civil", dataset, "ordinary")
    }

    pub fn request_by(&mut self, day: &str, by: &str, dataset: &str, sort: &str) -> Hash {
        let body = format!(
            r#"{{"basis":["law"],"datasets":[{{"id":"{dataset}","version":1}}],"duty":"{by}:duty","mode":"file","purpose":"relief","sort":"{sort}"}}"#
        );
        self.on(day, by, "share.request", &[], &body)
    }

    /// An answer that agrees; `more` are further members, each with a comma before it.
    pub fn agree(&mut self, day: &str, request: Hash, dataset: &str, more: &str) -> Hash {
        let (early, late) = if more.contains("promised") || more.contains("term") { ("", more) } else { (more, "") };
        let body = format!(r#"{{"datasets":["{dataset}"]{early},"outcome":"agree"{late}}}"#);
        self.on(day, "health", "share.answer", &[request], &body)
    }

    /// A delivery; `period` may be empty.
    pub fn deliver(&mut self, day: &str, grant: Hash, dataset: &str, period: &str) -> Hash {
        let period = if period.is_empty() { String::new() } else { format!(r#","period":"{period}""#) };
        let body = format!(r#"{{"batch":"b","bytes":1,"commitment":"c","dataset":"{dataset}","mode":"file"{period},"version":1}}"#);
        self.on(day, "health", "share.deliver", &[grant], &body)
    }

    pub fn receive(&mut self, day: &str, delivery: Hash, result: &str) -> Hash {
        self.on(day, "civil", "share.receipt", &[delivery], &format!(r#"{{"commitment":"c","result":"{result}"}}"#))
    }

    /// Noon of a day, with all that is committed.
    pub fn at(&self, day: &str) -> AsOf {
        self.book.as_of(noon(day))
    }

    pub fn obligations(&self, as_of: AsOf, clock: Clock) -> Vec<Obligation> {
        let mut found = Vec::new();
        let wanted = Wanted { clock: Some(clock), ..Wanted::default() };
        Moment::new(&self.book, as_of).obligations(&wanted, &mut |obligation| found.push(obligation));
        found
    }

    /// The obligations of a clock as lines such as `health>civil 2026-01-05..2026-01-06 open left 1`; `~` marks a
    /// provisional due day, `+n` an extension.
    pub fn lines(&self, day: &str, clock: Clock) -> Vec<String> {
        self.obligations(self.at(day), clock).iter().map(|obligation| line(&self.book, obligation)).collect()
    }
}

pub fn line(book: &Book, obligation: &Obligation) -> String {
    let agency = |agency: Option<_>| agency.map_or("nobody", |agency| book.agency_id(agency)).to_owned();
    let due = obligation.due.map_or("paused".to_owned(), |day: Day| day.to_string());
    let period = obligation.subject.period.map_or(String::new(), |period| format!(" {period}"));
    let mut line = format!("{}>{}{period} {}..{due}", agency(obligation.debtor), agency(obligation.creditor), obligation.start);
    if obligation.provisional {
        line.push('~');
    }
    if obligation.extended > 0 {
        line.push_str(&format!("+{}", obligation.extended));
    }
    line.push_str(&format!(" {:?}", obligation.state).to_lowercase());
    if let Some(late) = obligation.late {
        line.push_str(&format!(" late {late}"));
    }
    if let Some(left) = obligation.left {
        line.push_str(&format!(" left {left}"));
    }
    line
}
