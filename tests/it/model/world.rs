//! The records as a plain list, and what they say: each answer is found by going through the list again.
//!
//! `n` is the number of records that a question sees.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value as Json;
use sharelog::core::hash::Hash;
use sharelog::core::key::Role;

use super::days::{Calendars, Day, Days};

/// A key as the model names it; the label gives the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub agency: String,
    pub role: Role,
    pub label: String,
}

/// A record, whole; before it is committed its place is where it would stand.
#[derive(Clone, Debug)]
pub struct Rec {
    pub id: Hash,
    pub kind: &'static str,
    pub by: String,
    pub refs: Vec<Hash>,
    pub body: Json,
    pub lines: Vec<Line>,
    pub at: u64,
    pub time: u64,
    pub height: u64,
    pub position: u64,
    pub index: usize,
    /// The vkeys and public keys that the body mentions, by the labels they were made from.
    pub labels: Vec<String>,
}

pub struct Agency {
    pub id: String,
    pub names: Vec<String>,
    pub territory: Option<String>,
    pub parent: Option<String>,
    pub status: &'static str,
    pub successor: Option<String>,
}

pub struct Key {
    pub agency: String,
    pub role: Role,
    pub label: String,
    /// Number of the record that ended it.
    pub until: Option<usize>,
    pub replaced: bool,
}

pub struct World {
    pub days: Days,
    pub genesis: Json,
    /// Keys of the genesis file: agency, role, label.
    pub genesis_keys: Vec<Line>,
    pub list: Vec<Rec>,
    by_id: HashMap<Hash, usize>,
    by_ref: HashMap<Hash, Vec<usize>>,
    by_kind: BTreeMap<&'static str, Vec<usize>>,
}

pub fn text<'a>(body: &'a Json, name: &str) -> &'a str {
    body[name].as_str().unwrap_or("")
}

pub fn strings(body: &Json, name: &str) -> Vec<String> {
    body[name].as_array().map(|list| list.iter().filter_map(Json::as_str).map(str::to_owned).collect()).unwrap_or_default()
}

pub const PERIODIC: [&str; 6] = ["daily", "weekly", "monthly", "quarterly", "halfyearly", "yearly"];

impl World {
    pub fn new(genesis: Json, genesis_keys: Vec<Line>) -> Self {
        let (by_id, by_ref, by_kind) = (HashMap::new(), HashMap::new(), BTreeMap::new());
        World { days: Days::new(), genesis, genesis_keys, list: Vec::new(), by_id, by_ref, by_kind }
    }

    pub fn take(&mut self, rec: Rec) {
        assert_eq!(rec.index, self.list.len());
        self.by_id.insert(rec.id, rec.index);
        for id in &rec.refs {
            self.by_ref.entry(*id).or_default().push(rec.index);
        }
        self.by_kind.entry(rec.kind).or_default().push(rec.index);
        self.list.push(rec);
    }

    pub fn get(&self, id: &Hash, n: usize) -> Option<&Rec> {
        self.by_id.get(id).filter(|index| **index < n).map(|index| &self.list[*index])
    }

    /// The records of a kind, in their order.
    pub fn of<'a>(&'a self, kind: &str, n: usize) -> impl DoubleEndedIterator<Item = &'a Rec> + 'a {
        self.by_kind.get(kind).into_iter().flatten().map(|index| &self.list[*index]).filter(move |rec| rec.index < n)
    }

    /// The records of a kind that refer to a record.
    pub fn about<'a>(&'a self, id: &Hash, kind: &'a str, n: usize) -> impl DoubleEndedIterator<Item = &'a Rec> + 'a {
        self.by_ref.get(id).into_iter().flatten().map(|index| &self.list[*index]).filter(move |rec| rec.index < n && rec.kind == kind)
    }

    /// How many records a moment sees.
    pub fn seen(&self, time: u64) -> usize {
        self.list.iter().filter(|rec| rec.time <= time).count()
    }

    pub fn policy(&self, n: usize) -> &Json {
        self.of("policy.set", n).next_back().map_or(&self.genesis["policy"], |rec| &rec.body)
    }

    pub fn offset(&self, n: usize) -> u64 {
        self.policy(n)["utc_offset_minutes"].as_u64().unwrap()
    }

    pub fn calendars(&self, n: usize) -> Calendars {
        let mut newest = BTreeMap::new();
        for body in self.genesis["calendars"].as_array().unwrap().iter().chain(self.of("calendar.set", n).map(|rec| &rec.body)) {
            newest.insert(body["year"].as_u64(), body);
        }
        self.days.calendars(newest.into_values())
    }

    pub fn agencies(&self, n: usize) -> Vec<Agency> {
        let place = |body: &Json, name: &str| body[name].as_str().map(str::to_owned);
        let names = |body: &Json| -> Vec<String> {
            body["names"].as_object().into_iter().flatten().filter_map(|(_, name)| name.as_str()).map(str::to_lowercase).collect()
        };
        let admitted = self.genesis["agencies"].as_array().unwrap().iter().chain(self.of("agency.admit", n).map(|rec| &rec.body));
        let mut all: Vec<Agency> = admitted
            .map(|body| Agency {
                id: text(body, "id").to_owned(),
                names: names(body),
                territory: place(body, "territory"),
                parent: place(body, "parent"),
                status: "active",
                successor: None,
            })
            .collect();
        let by_id: HashMap<String, usize> = all.iter().enumerate().map(|(index, agency)| (agency.id.clone(), index)).collect();
        for rec in self.of("agency.change", n) {
            let agency = &mut all[by_id[text(&rec.body, "id")]];
            agency.names.extend(names(&rec.body));
            agency.territory = place(&rec.body, "territory");
            agency.parent = place(&rec.body, "parent");
        }
        for rec in self.of("agency.suspend", n) {
            all[by_id[text(&rec.body, "id")]].status = if text(&rec.body, "status") == "suspended" { "suspended" } else { "active" };
        }
        for rec in self.of("agency.retire", n) {
            let agency = &mut all[by_id[text(&rec.body, "id")]];
            agency.status = "retired";
            agency.successor = place(&rec.body, "successor");
        }
        all
    }

    /// All keys that ever were, in the order in which they came.
    pub fn keys(&self, n: usize) -> Vec<Key> {
        let key =
            |line: &Line| Key { agency: line.agency.clone(), role: line.role, label: line.label.clone(), until: None, replaced: false };
        let mut keys: Vec<Key> = self.genesis_keys.iter().map(key).collect();
        let kinds = ["agency.admit", "key.rotate", "key.revoke"];
        let mut recs: Vec<&Rec> = kinds.iter().flat_map(|kind| self.of(kind, n)).collect();
        recs.sort_by_key(|rec| rec.index);
        for rec in recs {
            match rec.kind {
                "agency.admit" => {
                    let agency = text(&rec.body, "id");
                    for label in &rec.labels {
                        keys.push(key(&line_of(agency, label)));
                    }
                }
                _ => {
                    let old = keys.iter_mut().find(|key| key.label == rec.labels[0]).unwrap();
                    old.until.get_or_insert(rec.index);
                    if rec.kind == "key.rotate" {
                        old.replaced = true;
                        let agency = old.agency.clone();
                        keys.push(key(&line_of(&agency, &rec.labels[1])));
                    }
                }
            }
        }
        keys
    }

    pub fn trusted(&self, agency: &str, role: Role, n: usize) -> Option<Line> {
        let keys = self.keys(n);
        let key = keys.iter().rev().find(|key| key.agency == agency && key.role == role && key.until.is_none())?;
        Some(Line { agency: agency.to_owned(), role, label: key.label.clone() })
    }

    /// Those that hold a trusted authority key and are not retired.
    pub fn authorities(&self, n: usize) -> Vec<String> {
        let retired: Vec<&str> = self.of("agency.retire", n).map(|rec| text(&rec.body, "id")).collect();
        let mut all: Vec<String> =
            self.keys(n).into_iter().filter(|key| key.role == Role::Authority && key.until.is_none()).map(|key| key.agency).collect();
        all.retain(|id| !retired.contains(&id.as_str()));
        all.sort();
        all.dedup();
        all
    }

    pub fn agency(&self, id: &str, n: usize) -> Option<Agency> {
        self.agencies(n).into_iter().find(|agency| agency.id == id)
    }

    pub fn end(&self, id: &str, n: usize) -> String {
        let mut id = id.to_owned();
        loop {
            match self.of("agency.retire", n).find(|rec| text(&rec.body, "id") == id).and_then(|rec| rec.body["successor"].as_str()) {
                Some(next) => id = next.to_owned(),
                None => return id,
            }
        }
    }

    pub fn stands_for(&self, by: &str, party: &str, n: usize) -> bool {
        by == party || self.end(party, n) == by
    }

    pub fn covers(&self, a: &str, b: &str, n: usize) -> bool {
        let territory = |id: &str| self.agency(id, n).and_then(|agency| agency.territory);
        self.authorities(n).iter().any(|authority| authority == a)
            && match (territory(a), territory(b)) {
                (None, _) | (_, None) => true,
                (Some(a), Some(b)) => b.starts_with(&a),
            }
    }

    /// The authority that covers all of them, of several the one with the longest territory code, then the first by id.
    pub fn authority_over(&self, parties: &[&str], n: usize) -> Option<String> {
        let length = |id: &str| self.agency(id, n).and_then(|agency| agency.territory).map_or(0, |code| code.len());
        let mut fit: Vec<String> =
            self.authorities(n).into_iter().filter(|id| parties.iter().all(|party| self.covers(id, party, n))).collect();
        fit.sort_by_key(|id| (std::cmp::Reverse(length(id)), id.clone()));
        fit.into_iter().next()
    }

    pub fn day(&self, rec: &Rec, offset: u64) -> Day {
        Days::of_time(rec.time, offset)
    }
}

/// The label of a key is `<agency>/<role>` or `<agency>/<role>/<generation>`.
pub fn line_of(agency: &str, label: &str) -> Line {
    let role = Role::parse(label.split('/').nth(1).unwrap_or("")).expect("labels name a role");
    Line { agency: agency.to_owned(), role, label: label.to_owned() }
}
