//! What a report rests on, asked of a node over HTTP.
//!
//! 1. The obligations of the period fix the moment; everything later is left out.
//! 2. The records of the period in which the agency is the writer or the other party.
//! 3. Records outside the period that an obligation, an answer, a receipt or the course of a finding names.
//!
//! What is shown of a record is read from its signed note, never from what the node says about it.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::client::{Client, escaped, every_page, items_of};
use crate::cli::failure::Failure;
use crate::cli::output::cell;
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::record::Record;
use crate::core::refusal::Refusal;
use crate::core::time::{Day, Time};

/// Records of one report: a year of a busy agency. Their evidence is some hundred files; more is for several reports.
const RECORDS_MAX: usize = 10_000;

/// What a report is asked for.
pub struct Wanted<'a> {
    pub agency: &'a str,
    pub from: Day,
    /// Not included.
    pub to: Day,
    pub as_of: Option<&'a str>,
}

/// A record that the report lists.
pub struct Listed {
    pub record: Record,
    pub position: u64,
    pub time: Time,
    /// Committed in the period; else it is named by something that was.
    pub in_period: bool,
}

impl Listed {
    pub fn id(&self) -> Hash {
        self.record.id()
    }

    pub fn kind(&self) -> &'static str {
        self.record.kind.as_str()
    }

    /// Its note's file in the folder.
    pub fn file(&self) -> String {
        format!("records/{}-{}.txt", self.position, &self.id().to_hex()[..12])
    }
}

/// The two sides of a request or delivery, as the node's index knows them.
pub struct Parties {
    pub provider: String,
    pub requester: String,
}

/// Everything that the page shows.
pub struct Facts {
    /// The agency's body on the ledger, its id as spelled there.
    pub agency: Value,
    pub id: String,
    pub from: Day,
    pub last: Day,
    pub as_of: Time,
    pub position: u64,
    pub coverage: Value,
    pub offset_minutes: u64,
    pub obligations: Vec<Value>,
    /// By id of a request or delivery.
    pub parties: BTreeMap<Hash, Parties>,
    /// What refusals lack, by id of the answer.
    pub faults: BTreeMap<Hash, Vec<String>>,
    pub records: BTreeMap<u64, Listed>,
    by_id: BTreeMap<Hash, u64>,
}

impl Facts {
    pub fn record(&self, id: &Hash) -> Option<&Listed> {
        self.records.get(self.by_id.get(id)?)
    }

    /// The listed records of a kind that refer to `id` first.
    pub fn replies<'a>(&'a self, id: &'a Hash, kind: &'a str) -> impl Iterator<Item = &'a Listed> {
        self.of_kind(kind).filter(move |listed| listed.record.refs.first() == Some(id))
    }

    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Listed> {
        self.records.values().filter(move |listed| listed.kind() == kind)
    }
}

/// # Errors
/// [`Failure`]; [`Failure::Usage`] for more records than a report holds.
pub fn gather(client: &Client, genesis: &Genesis, wanted: &Wanted<'_>) -> Result<Facts, Failure> {
    let agency = client.json(&format!("/api/v1/agencies/{}", escaped(wanted.agency)))?;
    let period = format!("agency={}&from={}&to={}", escaped(wanted.agency), wanted.from, wanted.to);
    let as_of = wanted.as_of.map(|as_of| format!("&as_of={}", escaped(as_of))).unwrap_or_default();
    let owed = every_page(client, &format!("/api/v1/obligations?{period}{as_of}&limit=1000"))?;
    let moment = read(client, Time::parse(&cell(&owed, "as_of")))?;
    let facts = Facts {
        id: cell(&agency, "id"),
        agency,
        from: wanted.from,
        last: Day::from_number(wanted.to.number() - 1).unwrap_or(wanted.from),
        as_of: moment,
        position: owed.get("position").and_then(Value::as_u64).unwrap_or(0),
        coverage: owed.get("coverage").cloned().unwrap_or(Value::Bool(false)),
        offset_minutes: genesis.policy.utc_offset_minutes,
        obligations: items_of(&owed).to_vec(),
        parties: BTreeMap::new(),
        faults: BTreeMap::new(),
        records: BTreeMap::new(),
        by_id: BTreeMap::new(),
    };
    let mut gathering = Gathering { client, origin: &genesis.origin, facts };
    gathering.period(&period)?;
    gathering.named()?;
    gathering.findings()?;
    gathering.faults()?;
    Ok(gathering.facts)
}

struct Gathering<'a> {
    client: &'a Client,
    origin: &'a str,
    facts: Facts,
}

/// What the node gave cannot be used.
fn read<T>(client: &Client, outcome: Result<T, Refusal>) -> Result<T, Failure> {
    outcome.map_err(|refusal| client.unusable(&refusal))
}

impl Gathering<'_> {
    /// The records of the period.
    fn period(&mut self, period: &str) -> Result<(), Failure> {
        for item in self.client.all(&format!("/api/v1/records?{period}"))? {
            self.take(&item, true)?;
        }
        Ok(())
    }

    /// Adds a record as the node lists it, unless it is later than the moment.
    fn take(&mut self, item: &Value, in_period: bool) -> Result<(), Failure> {
        let note = item.get("note").and_then(Value::as_str).unwrap_or_default();
        let record = read(self.client, Record::parse(note.as_bytes(), self.origin))?;
        let time = read(self.client, Time::parse(&cell(item, "time")))?;
        let position = item.get("position").and_then(Value::as_u64).unwrap_or(0);
        let facts = &mut self.facts;
        if time > facts.as_of || position > facts.position || facts.by_id.contains_key(&record.id()) {
            return Ok(());
        }
        if facts.records.len() >= RECORDS_MAX {
            return Err(Failure::Usage(format!("more than {RECORDS_MAX} records: ask for a shorter period")));
        }
        facts.by_id.insert(record.id(), position);
        facts.records.insert(position, Listed { record, position, time, in_period });
        Ok(())
    }

    /// The record with this id, wherever it stands.
    fn look_up(&mut self, id: &str) -> Result<(), Failure> {
        let id = read(self.client, Hash::parse(id))?;
        if self.facts.by_id.contains_key(&id) {
            return Ok(());
        }
        let item = self.client.json(&format!("/api/v1/records/{id}"))?;
        self.take(&item, false)
    }

    /// What obligations, requests and deliveries name.
    fn named(&mut self) -> Result<(), Failure> {
        let members = ["record", "request", "grant"];
        let of = |owed: &Value| members.map(|name| cell(owed, name)).into_iter().filter(|id| !id.is_empty()).collect::<Vec<_>>();
        let mut ids: BTreeSet<String> = self.facts.obligations.iter().flat_map(of).collect();
        let requests = self.parties("requests")?;
        let deliveries = self.parties("deliveries")?;
        ids.extend(requests.iter().map(|item| cell(item, "answer")).filter(|id| !id.is_empty()));
        ids.extend(deliveries.iter().map(|item| cell(item, "receipt")).filter(|id| !id.is_empty()));
        // An answer of the period may be to an earlier request, a receipt to an earlier delivery.
        let replies = self.facts.records.values().filter(|listed| ["share.answer", "share.receipt"].contains(&listed.kind()));
        ids.extend(replies.flat_map(|listed| listed.record.refs.iter().map(|id| id.to_hex())));
        ids.iter().try_for_each(|id| self.look_up(id))
    }

    /// The list of requests or deliveries of the period, whose sides are kept.
    fn parties(&mut self, list: &str) -> Result<Vec<Value>, Failure> {
        let (agency, from, last) = (escaped(&self.facts.id), self.facts.from, self.facts.last);
        let to = last.next().unwrap_or(Day::LAST);
        let items = self.client.all(&format!("/api/v1/{list}?agency={agency}&from={from}&to={to}"))?;
        for item in &items {
            let id = read(self.client, Hash::parse(&cell(item, "id")))?;
            let parties = Parties { provider: cell(item, "provider"), requester: cell(item, "requester") };
            self.facts.parties.insert(id, parties);
        }
        Ok(items)
    }

    /// What followed on each finding against the agency.
    fn findings(&mut self) -> Result<(), Failure> {
        let findings: Vec<_> = self.facts.of_kind("finding.file").map(Listed::id).collect();
        for finding in findings {
            for item in self.client.all(&format!("/api/v1/chain/{finding}"))? {
                let follows = item.get("refs").and_then(Value::as_array).and_then(|refs| refs.first()?.as_str().map(str::to_owned));
                if cell(&item, "kind").starts_with("finding.") && follows.as_deref() == Some(&finding.to_hex()) {
                    self.take(&item, false)?;
                }
            }
        }
        Ok(())
    }

    /// What the node finds amiss with refusals.
    fn faults(&mut self) -> Result<(), Failure> {
        for item in self.client.all(&format!("/api/v1/refusals?as_of={}", self.facts.as_of))? {
            let faults = item.get("faults").and_then(Value::as_array).unwrap_or_default();
            let faults = faults.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            let id = read(self.client, Hash::parse(&cell(&item, "record")))?;
            self.facts.faults.insert(id, faults);
        }
        Ok(())
    }
}

/// Whether the agency owes it; else it is owed to the agency.
pub fn is_owed_by(owed: &Value, agency: &str) -> bool {
    cell(owed, "debtor").eq_ignore_ascii_case(agency)
}
