//! One history, put to both implementations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use sharelog::core::book::Book;
use sharelog::core::clocks::{Moment as Shown, Only, State, Wanted};
use sharelog::core::genesis::{Genesis, GenesisAgency, GenesisParts, Validator, peer_id};
use sharelog::core::hash::Hash;
use sharelog::core::key::{PublicKey, Role};
use sharelog::core::kinds::Kind;
use sharelog::core::policy;
use sharelog::core::record::{Draft, Record};
use sharelog::core::refusal::Refusal;
use sharelog::core::rules::{self, BlockContext};
use sharelog::core::state::{Changes, MemoryRows, Overlay, next_state};
use sharelog::core::time::Time;

use super::super::admission::{secret, value};
use super::clocks::{Moment, Obligation};
use super::generate::{Generator, Random, calendar_body};
use super::verdict;
use super::world::{Line, Rec, World, line_of};

const CREATED: &str = "2026-01-02T00:00:00.000Z";
/// Disagreements shown before a run gives up.
const QUARRELS_MAX: usize = 40;

/// Kinds by their weight in a history.
const WEIGHTS: [(&str, u64); 41] = [
    ("policy.set", 3),
    ("calendar.set", 2),
    ("territory.set", 5),
    ("agency.admit", 4),
    ("agency.change", 8),
    ("agency.suspend", 10),
    ("agency.retire", 4),
    ("key.rotate", 8),
    ("key.revoke", 3),
    ("node.admit", 3),
    ("node.remove", 3),
    ("validator.add", 3),
    ("validator.change", 3),
    ("validator.remove", 3),
    ("duty.declare", 25),
    ("duty.retire", 12),
    ("dataset.publish", 60),
    ("dataset.retire", 8),
    ("dataset.review", 45),
    ("share.request", 110),
    ("share.supplement", 40),
    ("share.withdraw", 8),
    ("share.answer", 90),
    ("share.extend", 40),
    ("share.deliver", 130),
    ("share.receipt", 90),
    ("share.suspend", 15),
    ("share.resume", 14),
    ("share.end", 14),
    ("share.use", 20),
    ("share.dispose", 10),
    ("correction.file", 25),
    ("correction.close", 22),
    ("dispute.file", 20),
    ("dispute.refer", 7),
    ("dispute.decide", 14),
    ("collect.notice", 8),
    ("finding.file", 12),
    ("finding.rectify", 8),
    ("finding.close", 10),
    ("record.amend", 12),
];

pub struct Run {
    seed: u64,
    pub world: World,
    pub quarrels: Vec<String>,
    /// One of each sort is shown.
    sorts: BTreeSet<String>,
    /// How often each code came.
    pub refused: BTreeMap<&'static str, usize>,
    /// How many obligations the moments showed, by clock and state.
    pub obligations: BTreeMap<(&'static str, &'static str), usize>,
    pub state: Hash,
    pub(super) generator: Generator,
    pub(super) genesis: Genesis,
    pub(super) rows: MemoryRows,
    pub(super) book: Book,
    pub(super) position: u64,
    /// Each block's height, time, first position and committed notes.
    blocks: Vec<(u64, u64, u64, Vec<String>)>,
    notes: Vec<String>,
}

fn public(label: &str) -> PublicKey {
    secret(label).public()
}

/// Agencies with their roles; the first five departments are validators.
fn founders() -> Vec<(String, Json, Vec<Role>)> {
    let names = ["ka", "te", "so", "bu", "fe", "du", "pa", "zo", "kaka", "tete", "soso", "bubu", "fefe", "dudu", "papa", "zozo", "kate"];
    let places = ["3301", "330102", "330106", "330102001", "330102001002", "4401", "3301", "330102", "330106", "4401", "3301", ""];
    let mut all: Vec<(String, &str, Vec<Role>)> = Vec::new();
    for (index, place) in places.into_iter().enumerate() {
        all.push((format!("dept-a{index}"), place, vec![Role::Office, Role::Head, Role::Recovery]));
    }
    for (name, place) in [("authority-a", "3301"), ("authority-b", "330102"), ("authority-c", "")] {
        all.push((name.to_owned(), place, vec![Role::Authority, Role::Office, Role::Head, Role::Recovery]));
    }
    for name in ["inspector-a", "inspector-b"] {
        all.push((name.to_owned(), "3301", vec![Role::Inspector, Role::Recovery]));
    }
    let body = |(index, (id, place, roles)): (usize, (String, &str, Vec<Role>))| {
        let level = if place.is_empty() { "outside" } else { ["city", "district", "street"][index % 3] };
        let mut body =
            json!({"id": id, "level": level, "line": "health", "names": {"en": format!("Office {}", names[index])}, "scheme": "plain"});
        if !place.is_empty() {
            body["territory"] = json!(place);
        }
        (id, body, roles)
    };
    all.into_iter().enumerate().map(body).collect()
}

fn genesis(random: &mut Random) -> (Genesis, World) {
    let founders = founders();
    let calendars: Vec<Json> = (2026..2027).map(|year| calendar_body(random, year)).collect();
    let mut policy: Json = serde_json::from_str(&policy::default_body().to_jcs()).unwrap();
    for clock in ["answer", "backflow", "catalogue_update", "dispute", "mismatch", "rectification"] {
        policy["extensions"][clock] = json!(10);
    }
    let members: Vec<String> = (0..5).map(|index| format!("dept-a{index}")).collect();
    let validator = |(index, id): (usize, &String)| Validator {
        addresses: vec![format!("/ip4/127.0.0.1/tcp/{}", 10_000 + 2 * index)],
        consensus: public(&format!("{id}/consensus")),
        cosigner: public(&format!("{id}/cosigner")),
        peer: peer_id(&public(&format!("{id}/network"))),
        power: 1,
        publication: public(&format!("{id}/publication")),
        records: vec![format!("/ip4/127.0.0.1/tcp/{}", 10_001 + 2 * index)],
        agency: id.clone(),
    };
    let keyed = |(id, body, roles): &(String, Json, Vec<Role>)| GenesisAgency {
        id: id.clone(),
        keys: roles.iter().map(|role| (*role, public(&format!("{id}/{role}")))).collect(),
        body: value(body),
    };
    let parts = GenesisParts {
        name: "test.example/model".to_owned(),
        created: Time::parse(CREATED).unwrap(),
        agencies: founders.iter().map(keyed).collect(),
        calendars: calendars.iter().map(value).collect(),
        policy: value(&policy),
        validators: members.iter().enumerate().map(validator).collect(),
    };
    let labels: Vec<String> =
        members.iter().flat_map(|id| ["network", "consensus", "cosigner", "publication"].map(|of| format!("{id}/{of}"))).collect();
    let keys = |(id, _, roles): &(String, Json, Vec<Role>)| -> Vec<Line> {
        roles.iter().map(|role| line_of(id, &format!("{id}/{role}"))).collect()
    };
    let lines = founders.iter().flat_map(keys).collect();
    let bodies: Vec<&Json> = founders.iter().map(|founder| &founder.1).collect();
    let facts = json!({"agencies": bodies, "calendars": calendars, "labels": labels, "members": members, "policy": policy});
    (Genesis::parse(&parts.to_bytes()).unwrap(), World::new(facts, lines))
}

impl Run {
    pub fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let (genesis, world) = genesis(&mut random);
        let mut generator = Generator::new(random.next(), &genesis.origin);
        generator.serial = 1;
        generator.time = genesis.created.unix_ms();
        generator.height = 1;
        let mut rows = MemoryRows::default();
        rows.apply(&genesis.rows());
        let (book, state) = (Book::new(&genesis), genesis.hash);
        let (quarrels, refused, obligations) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let (blocks, notes) = (Vec::new(), Vec::new());
        let sorts = BTreeSet::new();
        Run { seed, world, quarrels, sorts, refused, obligations, state, generator, genesis, rows, book, position: 1, blocks, notes }
    }

    /// Blocks, until so many records were put.
    pub fn fill(&mut self, records: usize) {
        let mut put = 0;
        while put < records && self.quarrels.len() < QUARRELS_MAX {
            let random = &mut self.generator.random;
            let minutes = match random.below(10) {
                0..=5 => random.between(1, 120),
                6..=8 => random.between(120, 1_200),
                _ => random.between(1_200, 8_000),
            };
            self.generator.time += minutes * 60_000 + random.between(0, 59_999);
            self.generator.height += 1;
            let count = random.below(12) + 1;
            self.block(count);
            put += count;
        }
    }

    fn block(&mut self, count: usize) {
        let first = self.position;
        let mut kept = Vec::new();
        let mut all = Changes::default();
        for _ in 0..count {
            let (rec, note) = self.next();
            if let Some(changes) = self.put(rec, &note) {
                all.extend(changes);
                kept.push(note);
            }
        }
        self.state = next_state(&self.state, &all);
        self.position += 1;
        self.book.pass(self.position, Time::from_unix_ms(self.generator.time).unwrap());
        self.blocks.push((self.generator.height, self.generator.time, first, kept));
    }

    /// A record, signed; one in five broken, one in a hundred sent before.
    fn next(&mut self) -> (Rec, String) {
        if let Some(old) = self.generator.random.pick(&self.world.list).filter(|_| self.generator.random.percent(1)) {
            let note = self.notes[old.index].clone();
            return (self.placed(Rec { refs: old.refs.clone(), ..old }), note);
        }
        let total: u64 = WEIGHTS.iter().map(|weight| weight.1).sum();
        let mut rec = loop {
            let mut left = self.generator.random.next() % total;
            let kind = WEIGHTS
                .iter()
                .find(|weight| {
                    let is = left < weight.1;
                    left = left.saturating_sub(weight.1);
                    is
                })
                .unwrap()
                .0;
            if let Some(rec) = self.generator.record(&self.world, kind) {
                break rec;
            }
        };
        rec.at = self.generator.time - self.generator.random.between(0, 100_000);
        if self.generator.random.percent(18) {
            self.generator.mutate(&self.world, &mut rec);
        }
        let note = self.signed(&rec);
        (self.placed(rec), note)
    }

    fn placed(&self, rec: Rec) -> Rec {
        let (time, height) = (self.generator.time, self.generator.height);
        Rec { time, height, position: self.position, index: self.world.list.len(), ..rec }
    }

    pub(super) fn signed(&mut self, rec: &Rec) -> String {
        let uid = format!("01939d7c-3f0a-7abc-8def-{:012x}", self.generator.fresh());
        let (kind, at) = (Kind::parse(rec.kind).unwrap(), Time::from_unix_ms(rec.at).unwrap());
        let draft = Draft { at, by: rec.by.clone(), kind, refs: rec.refs.clone(), uid, body: value(&rec.body) };
        for line in &rec.lines {
            self.generator.key(&line.label);
        }
        let keys: Vec<_> = rec.lines.iter().map(|line| &self.generator.keys[&line.label]).map(|(vkey, secret)| (vkey, secret)).collect();
        draft.sign(&self.genesis.origin, &keys)
    }

    /// Both judge; what the program takes is kept by both.
    fn put(&mut self, mut rec: Rec, note: &str) -> Option<Changes> {
        let block = BlockContext { height: rec.height, position: rec.position, time: Time::from_unix_ms(rec.time).unwrap(), rules: 1 };
        let parsed = Record::parse(note.as_bytes(), &self.genesis.origin);
        let result = parsed.and_then(|record| rules::apply(&self.rows, &record, &block).map(|changes| (record, changes)));
        rec.id = Hash::of(note.split_once("\n\n").unwrap().0.as_bytes());
        if let Ok((record, _)) = &result {
            rec.id = record.id();
        } else if self.world.list.iter().any(|other| self.notes[other.index] == note) {
            rec.id = self.world.list.iter().find(|other| self.notes[other.index] == note).unwrap().id;
        }
        let verdict = verdict::judge(&self.world, &rec);
        self.agree(&rec, &verdict, result.as_ref().err());
        let (record, changes) = result.ok()?;
        self.rows.apply(&changes);
        self.book.take(&record, rec.position, block.time);
        self.world.take(rec);
        self.notes.push(note.to_owned());
        self.position += 1;
        Some(changes)
    }

    fn agree(&mut self, rec: &Rec, verdict: &verdict::Verdict, refusal: Option<&Refusal>) {
        let agrees = match refusal {
            None => verdict.codes.is_empty(),
            Some(refusal) => verdict.codes.iter().chain(&verdict.open).any(|code| *code == refusal.code.as_str()),
        };
        if let Some(refusal) = refusal {
            *self.refused.entry(refusal.code.as_str()).or_default() += 1;
        }
        let sort = format!("{} {:?} {:?}", rec.kind, verdict.codes, refusal.map(|refusal| (refusal.code, refusal.rule)));
        if !agrees && self.sorts.insert(sort) {
            let shown = refusal.map_or_else(|| "taken".to_owned(), ToString::to_string);
            let lines: Vec<&str> = rec.lines.iter().map(|line| line.label.as_str()).collect();
            let on: Vec<String> = rec
                .refs
                .iter()
                .filter_map(|id| self.world.get(id, rec.index))
                .map(|on| format!("{} {} {}", on.position, on.kind, on.body))
                .collect();
            self.quarrels.push(format!(
                "seed {} position {} height {}: {} by {} signed {lines:?} labels {:?}\n  body {}\n  on {on:?}\n  the model: {:?} open {:?}; the program: {shown}",
                self.seed, rec.position, rec.height, rec.kind, rec.by, rec.labels, rec.body, verdict.codes, verdict.open
            ));
        }
    }

    /// The same blocks from their notes.
    pub fn replayed(&self) -> Hash {
        let mut rows = MemoryRows::default();
        rows.apply(&self.genesis.rows());
        let mut state = self.genesis.hash;
        for (height, time, first, notes) in &self.blocks {
            let mut overlay = Overlay::new(&rows);
            for (position, note) in (*first..).zip(notes) {
                let record = Record::parse(note.as_bytes(), &self.genesis.origin).unwrap();
                let block = BlockContext { height: *height, position, time: Time::from_unix_ms(*time).unwrap(), rules: 1 };
                let changes = rules::apply(&overlay, &record, &block).unwrap();
                overlay.changes.extend(changes);
            }
            let changes = overlay.changes;
            state = next_state(&state, &changes);
            rows.apply(&changes);
        }
        state
    }

    /// The obligations of both at random moments, half a year past the end included.
    pub fn compare_moments(&mut self, count: usize) {
        let from = Time::parse(CREATED).unwrap().unix_ms();
        for index in 0..count {
            let mut time = self.generator.random.between(from, self.generator.time + 180 * 86_400_000);
            if index == 0 {
                time = self.generator.time;
            } else if self.generator.random.percent(30) {
                time = self.generator.random.pick(&self.world.list).unwrap().time;
            }
            self.compare(time);
        }
    }

    fn compare(&mut self, time: u64) {
        let model = Moment::new(&self.world, time).obligations();
        let shown = self.shown(time);
        for owed in &model {
            *self.obligations.entry((owed.clock, owed.state)).or_default() += 1;
        }
        let only = |these: &[Obligation], those: &[Obligation]| -> Vec<Obligation> {
            let mut rest: BTreeMap<&Obligation, usize> = BTreeMap::new();
            those.iter().for_each(|owed| *rest.entry(owed).or_default() += 1);
            let mut missing = Vec::new();
            for owed in these {
                match rest.get_mut(owed).filter(|count| **count > 0) {
                    Some(count) => *count -= 1,
                    None => missing.push(owed.clone()),
                }
            }
            missing
        };
        let (ours, theirs) = (only(&model, &shown), only(&shown, &model));
        let mut sorts: Vec<String> = ours.iter().chain(&theirs).map(|owed| format!("{} {}", owed.clock, owed.started)).collect();
        sorts.retain(|sort| self.sorts.insert(sort.clone()));
        if sorts.is_empty() {
            return;
        }
        let at = Time::from_unix_ms(time).unwrap();
        let mut text = format!("seed {} as of {at}: {} of {} and {} of {}", self.seed, ours.len(), model.len(), theirs.len(), shown.len());
        for (who, list) in [("model", ours), ("program", theirs)] {
            for owed in list.iter().take(4) {
                text.push_str(&format!("\n  {who}: {owed:?}"));
                let rec = self.world.list.iter().find(|rec| rec.position == owed.started).unwrap();
                let on: Vec<&Rec> = rec.refs.iter().filter_map(|id| self.world.get(id, rec.index)).collect();
                let on: Vec<String> = on.iter().map(|on| format!("{} {} {}", on.position, on.kind, on.body)).collect();
                text.push_str(&format!("\n      of {} {} {} on {on:?}", Time::from_unix_ms(rec.time).unwrap(), rec.kind, rec.body));
            }
        }
        self.quarrels.push(text);
    }

    fn shown(&self, time: u64) -> Vec<Obligation> {
        let moment = Shown::new(&self.book, self.book.as_of(Time::from_unix_ms(time).unwrap()));
        let mut all = Vec::new();
        let wanted = Wanted { debtor: None, clock: None, only: Only::All };
        moment.obligations(&wanted, &mut |owed| {
            let agency = |no| self.book.agency_id(no).to_owned();
            let is_update =
                owed.clock.as_str() == "catalogue_update" || owed.clock.as_str() == "catalogue_review" || owed.clock.as_str() == "delivery";
            all.push(Obligation {
                clock: owed.clock.as_str(),
                started: owed.started.position(),
                dataset: owed.subject.dataset.filter(|_| is_update).map_or_else(String::new, |no| self.book.dataset_id(no).to_owned()),
                period: owed.subject.period.filter(|_| is_update).map_or_else(String::new, |period| period.to_string()),
                debtor: owed.debtor.map(agency),
                creditor: owed.creditor.map(agency),
                start: owed.start.to_string(),
                due: owed.due.map(|due| due.to_string()),
                provisional: owed.provisional,
                state: match owed.state {
                    State::Open => "open",
                    State::Met => "met",
                    State::Late => "late",
                    State::Stopped => "stopped",
                },
                late: owed.late.unwrap_or(0),
            });
        });
        all.sort();
        all
    }
}
