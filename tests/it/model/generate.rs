//! Random records: each kind's likely next record in a world, mostly admissible.

use std::collections::HashMap;

use serde_json::{Value as Json, json};
use sharelog::core::genesis::peer_id;
use sharelog::core::hash::Hash;
use sharelog::core::key::{Algorithm, Role, SecretKey, VerifierKey, agency_key_name};

use super::shape;
use super::verdict::{of, of_id};
use super::verdict_gov;
use super::world::{Line, Rec, World, line_of, text};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn pick<T: Clone>(&mut self, list: &[T]) -> Option<T> {
        (!list.is_empty()).then(|| list[self.below(list.len())].clone())
    }

    pub fn one<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

pub struct Generator {
    pub random: Random,
    pub origin: String,
    pub keys: HashMap<String, (VerifierKey, SecretKey)>,
    pub serial: u64,
    /// Of the block that is being filled.
    pub time: u64,
    pub height: u64,
}

pub const TERRITORIES: [&str; 6] = ["3301", "330102", "330106", "330102001", "330102001002", "4401"];
pub const FREQUENCIES: [&str; 9] = ["once", "realtime", "daily", "weekly", "monthly", "quarterly", "halfyearly", "yearly", "irregular"];

/// A record without its place.
pub fn draft(kind: &'static str, by: &str, refs: Vec<Hash>, body: Json, lines: Vec<Line>) -> Rec {
    let (id, labels) = (Hash::default(), Vec::new());
    Rec { id, kind, by: by.to_owned(), refs, body, lines, at: 0, time: 0, height: 0, position: 0, index: 0, labels }
}

impl Generator {
    pub fn new(seed: u64, origin: &str) -> Self {
        Generator { random: Random(seed), origin: origin.to_owned(), keys: HashMap::new(), serial: 0, time: 0, height: 0 }
    }

    pub fn key(&mut self, label: &str) -> &(VerifierKey, SecretKey) {
        let origin = &self.origin;
        self.keys.entry(label.to_owned()).or_insert_with(|| {
            let secret = SecretKey::from_seed(Hash::of(label.as_bytes()).as_bytes());
            let name = agency_key_name(origin, of(label), Role::parse(label.split('/').nth(1).unwrap_or("")).unwrap_or(Role::Office));
            (VerifierKey::new(name, Algorithm::Ed25519, secret.public()).unwrap(), secret)
        })
    }

    pub fn vkey(&mut self, label: &str) -> String {
        self.key(label).0.to_string()
    }

    fn base64(&mut self, label: &str) -> String {
        self.key(label).1.public().to_base64()
    }

    pub fn fresh(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A name that no other can be taken for: syllables alone.
    fn name(&mut self) -> String {
        let mut number = self.fresh();
        let mut name = String::from("Bureau ");
        loop {
            name.push_str(["ka", "te", "so", "bu", "fe", "du", "pa", "zo"][usize::try_from(number % 8).unwrap()]);
            number /= 8;
            if number == 0 {
                return name;
            }
        }
    }

    pub fn hash(&mut self) -> String {
        let number = self.fresh();
        Hash::of(&number.to_le_bytes()).to_hex()
    }

    pub fn day(&mut self, world: &World, from: i64, to: i64) -> String {
        let today = i64::try_from(super::days::Days::of_time(self.time, 480)).unwrap();
        let day = today + from + i64::try_from(self.random.between(0, u64::try_from(to - from).unwrap())).unwrap();
        world.days.text(usize::try_from(day).unwrap())
    }

    pub fn line(&self, world: &World, agency: &str, role: Role) -> Line {
        let n = world.list.len();
        world.trusted(agency, role, n).unwrap_or_else(|| line_of(agency, &format!("{agency}/{role}")))
    }

    /// An agency that may act, of those that are no authority or inspector.
    pub fn agency(&mut self, world: &World, standing: bool) -> String {
        let all = world.agencies(world.list.len());
        let fits = |status: &str| !standing || status == "active";
        let ids: Vec<String> = all.into_iter().filter(|one| one.id.starts_with("dept") && fits(one.status)).map(|one| one.id).collect();
        self.random.pick(&ids).unwrap()
    }

    pub fn authority(&mut self) -> String {
        self.random.one(&["authority-a", "authority-b", "authority-c"]).to_owned()
    }

    /// One of the newest of these, so that a history keeps moving; now and then an older one.
    pub fn recent(&mut self, recs: &[&Rec]) -> Option<Rec> {
        let skip = if self.random.percent(85) { recs.len().saturating_sub(25) } else { 0 };
        self.random.pick(&recs[skip..]).cloned()
    }

    pub fn office(&mut self, world: &World, party: &str, kind: &'static str, refs: Vec<Hash>, body: Json) -> Option<Rec> {
        let by = world.end(party, world.list.len());
        let role = Role::parse(shape::role(kind)).unwrap();
        let line = self.line(world, &by, role);
        Some(draft(kind, &by, refs, body, vec![line]))
    }

    pub fn record(&mut self, world: &World, kind: &'static str) -> Option<Rec> {
        match kind.split('.').next().unwrap() {
            "share" | "correction" | "dispute" => self.sharing(world, kind),
            "policy" | "calendar" | "territory" | "agency" | "key" | "node" | "validator" => self.governing(world, kind),
            _ => self.catalogue(world, kind),
        }
    }

    fn governing(&mut self, world: &World, kind: &'static str) -> Option<Rec> {
        let n = world.list.len();
        match kind {
            "policy.set" => {
                let mut body = world.genesis["policy"].clone();
                body["clocks"]["answer_conditional"] = json!(self.random.between(0, 12));
                body["clocks"]["answer_unconditional"] = json!(self.random.between(0, 3));
                for clock in ["delivery", "receipt", "mismatch", "correction", "backflow", "dispute", "rectification", "catalogue_review"] {
                    body["clocks"][clock] = json!(self.random.between(0, 25));
                }
                for clock in ["answer", "backflow", "catalogue_update", "dispute", "mismatch", "rectification"] {
                    body["extensions"][clock] = json!(self.random.between(0, 15));
                }
                body["pause_on_supplement"] = json!(self.random.percent(75));
                body["unreviewed_requestable"] = json!(self.random.percent(90));
                body["utc_offset_minutes"] = json!(if self.random.percent(85) { 480 } else { self.random.between(0, 28) * 30 });
                body["authority_threshold"] = json!(self.random.between(1, 2));
                self.authorities(world, kind, body)
            }
            "calendar.set" => self.calendar(world),
            "territory.set" => {
                let code = format!("33{:02}", self.random.below(8));
                let below = format!("{code}{:02}", self.random.below(90) + 10);
                let territories = json!([{"code": code, "level": "city", "names": {"en": "City"}},
                    {"code": below, "level": "district", "names": {"en": "District"}, "parent": code}]);
                let by = self.authority();
                self.office(world, &by, kind, vec![], json!({"territories": territories}))
            }
            "agency.admit" | "agency.change" => {
                let id = if kind == "agency.admit" { format!("dept-{}", self.fresh()) } else { self.agency(world, true) };
                let name = self.name();
                let mut body = json!({"id": id, "level": "district", "names": {"en": name}});
                body["territory"] = json!(self.random.one(&TERRITORIES));
                if self.random.percent(10) {
                    body["level"] = json!("outside");
                    body.as_object_mut().unwrap().remove("territory");
                }
                if self.random.percent(40) {
                    body["parent"] = json!(self.agency(world, false));
                }
                let mut labels = Vec::new();
                if kind == "agency.admit" {
                    body["scheme"] = json!("plain");
                    labels = ["office", "head", "recovery"].map(|role| format!("{id}/{role}")).to_vec();
                    labels.sort_by_key(|label| self.vkey(label));
                    body["keys"] = labels.iter().map(|label| json!(self.vkey(label))).collect();
                }
                let by = self.authority();
                let mut rec = self.office(world, &by, kind, vec![], body)?;
                rec.labels = labels;
                Some(rec)
            }
            "agency.suspend" => {
                let suspended: Vec<String> =
                    world.agencies(n).into_iter().filter(|agency| agency.status == "suspended").map(|agency| agency.id).collect();
                let lifts = !suspended.is_empty() && self.random.percent(80);
                let id = match self.random.pick(&suspended).filter(|_| lifts) {
                    Some(id) => id,
                    None if self.random.percent(10) => self.authority(),
                    None => self.agency(world, true),
                };
                let by = self.authority();
                let status = if lifts { "active" } else { "suspended" };
                self.office(world, &by, kind, vec![], json!({"id": id, "reason": "reform", "status": status}))
            }
            "agency.retire" => {
                let id = self.agency(world, true);
                let mut body = json!({"id": id, "reason": "merged"});
                if self.random.percent(80) {
                    body["successor"] = json!(self.agency(world, true));
                }
                let by = self.authority();
                self.office(world, &by, kind, vec![], body)
            }
            "key.rotate" | "key.revoke" => self.key_record(world, kind),
            _ => self.nodes(world, kind),
        }
    }

    /// Signed by as many authorities as the threshold wants.
    fn authorities(&mut self, world: &World, kind: &'static str, body: Json) -> Option<Rec> {
        let n = world.list.len();
        let threshold = world.policy(n)["authority_threshold"].as_u64().unwrap();
        let mut all = ["authority-a", "authority-b", "authority-c"];
        all.rotate_left(self.random.below(3));
        let count = usize::try_from(threshold).unwrap();
        let lines = all[..count].iter().map(|id| self.line(world, id, Role::Authority)).collect();
        Some(draft(kind, all[0], vec![], body, lines))
    }

    fn calendar(&mut self, world: &World) -> Option<Rec> {
        let now = world.days.year(super::days::Days::of_time(self.time, 480));
        let year = now + self.random.below(2);
        let by = self.authority();
        let body = calendar_body(&mut self.random, year);
        self.office(world, &by, "calendar.set", vec![], body)
    }

    fn key_record(&mut self, world: &World, kind: &'static str) -> Option<Rec> {
        let keys = world.keys(world.list.len());
        let own = |label: &str| label.starts_with("dept") || kind == "key.rotate";
        let old: Vec<String> = keys.iter().filter(|key| !key.replaced && own(&key.label)).map(|key| key.label.clone()).collect();
        let old = self.random.pick(&old)?;
        let revoked: Vec<String> = keys.iter().filter(|key| !key.replaced && key.until.is_some()).map(|key| key.label.clone()).collect();
        let old = self.random.pick(&revoked).filter(|_| kind == "key.rotate" && self.random.percent(70)).unwrap_or(old);
        let agency = of(&old).to_owned();
        let role = line_of(&agency, &old).role;
        let consent = match self.random.below(3) {
            0 => line_of(&agency, &old),
            1 => self.line(world, &agency, Role::Recovery),
            _ => {
                let authority = self.authority();
                self.line(world, &authority, Role::Authority)
            }
        };
        let by = consent.agency.clone();
        let mut lines = vec![consent];
        let replaced = self.vkey(&old);
        let mut labels = vec![old];
        let body = if kind == "key.rotate" {
            let new = format!("{agency}/{role}/{}", self.fresh());
            lines.push(line_of(&agency, &new));
            labels.push(new.clone());
            json!({"key": self.vkey(&new), "replaces": replaced})
        } else {
            json!({"key": replaced, "reason": "lost"})
        };
        let mut rec = draft(kind, &by, vec![], body, lines);
        rec.labels = labels;
        Some(rec)
    }

    fn nodes(&mut self, world: &World, kind: &'static str) -> Option<Rec> {
        let n = world.list.len();
        if kind == "node.remove" {
            let admits: Vec<&Rec> = world.of("node.admit", n).collect();
            let admit = self.recent(&admits)?;
            return self.office(world, &admit.by, kind, vec![], json!({"peer": admit.body["peer"]}));
        }
        let number = self.fresh();
        let members: Vec<String> = verdict_gov::members(world, n).into_iter().collect();
        let agency = match kind {
            "validator.add" | "node.admit" => self.agency(world, true),
            _ => self.random.pick(&members)?,
        };
        let labels = ["network", "consensus", "cosigner", "publication"].map(|of| format!("{agency}/{of}/{number}"));
        let port = 20_000 + number % 20_000;
        let peer = peer_id(&self.key(&labels[0]).1.public());
        let mut body = json!({"addresses": [format!("/ip4/127.0.0.1/tcp/{port}")], "peer": peer, "publication": self.base64(&labels[3]),
            "records": [format!("/ip4/127.0.0.1/tcp/{}", port + 20_000)]});
        if kind == "node.admit" {
            let mut rec = self.office(world, &agency, kind, vec![], body)?;
            rec.labels = vec![labels[0].clone(), labels[3].clone()];
            return Some(rec);
        }
        let from = self.height + 2 + self.random.next() % 4;
        if kind == "validator.remove" {
            return self.authorities(world, kind, json!({"agency": agency, "from": from}));
        }
        body["agency"] = json!(agency);
        body["from"] = json!(from);
        body["power"] = json!(1);
        body["consensus"] = json!(self.base64(&labels[1]));
        body["cosigner"] = json!(self.base64(&labels[2]));
        let mut rec = self.authorities(world, kind, body)?;
        rec.labels = labels.to_vec();
        Some(rec)
    }

    fn catalogue(&mut self, world: &World, kind: &'static str) -> Option<Rec> {
        let n = world.list.len();
        let duties: Vec<&Rec> = world.of("duty.declare", n).collect();
        let datasets: Vec<&Rec> = world.of("dataset.publish", n).collect();
        match kind {
            "duty.declare" => {
                let by = self.agency(world, true);
                let id = format!("{by}:d{}", self.fresh());
                let mut body = json!({"basis": ["Act 1"], "id": id, "title": "Register"});
                if let Some(from) = self.recent(&duties).filter(|_| self.random.percent(20)) {
                    body["delegated_from"] = from.body["id"].clone();
                }
                self.office(world, &by, kind, vec![], body)
            }
            "duty.retire" => {
                let id = text(&self.recent(&duties)?.body, "id").to_owned();
                self.office(world, of_id(&id), kind, vec![], json!({"id": id, "reason": "reform"}))
            }
            "dataset.publish" => self.publish(world, &duties, &datasets),
            "dataset.retire" => {
                let id = text(&self.recent(&datasets)?.body, "id").to_owned();
                self.office(world, of_id(&id), kind, vec![], json!({"id": id, "reason": "reform"}))
            }
            "dataset.review" => {
                let id = text(&self.recent(&datasets)?.body, "id").to_owned();
                let mut body = json!({"id": id, "outcome": "approve", "version": world.newest(&id, n)?.body["version"]});
                if self.random.percent(15) {
                    (body["outcome"], body["reason"]) = (json!("return"), json!("unclear"));
                }
                let by = self.authority();
                self.office(world, &by, kind, vec![], body)
            }
            "collect.notice" => {
                let duty = text(&self.recent(&duties)?.body, "id").to_owned();
                let body = json!({"duty": duty, "frequency": "monthly", "items": ["name", "street"], "level": "street",
                    "territory": self.random.one(&TERRITORIES), "title": "Form 7"});
                self.office(world, of_id(&duty), kind, vec![], body)
            }
            "record.amend" => {
                let all: Vec<&Rec> = world.list.iter().collect();
                let on = self.recent(&all)?;
                let known: Vec<&str> =
                    shape::members(on.kind).into_iter().filter(|one| one.1 == "text" || one.1 == "title").map(|one| one.0).collect();
                let name = self.random.pick(&known)?;
                let role = on.lines.iter().find(|line| line.agency == on.by)?.role;
                let by = world.end(&on.by, n);
                let line = self.line(world, &by, role);
                Some(draft(kind, &by, vec![on.id], json!({"reason": "typing error", "texts": {name: "better"}}), vec![line]))
            }
            _ => self.finding(world, kind),
        }
    }

    fn publish(&mut self, world: &World, duties: &[&Rec], datasets: &[&Rec]) -> Option<Rec> {
        let n = world.list.len();
        let (by, id, version) = match self.recent(datasets).filter(|_| self.random.percent(45)) {
            Some(old) => {
                let id = text(&old.body, "id").to_owned();
                let version = world.newest(&id, n)?.body["version"].as_u64()? + 1;
                (of_id(&id).to_owned(), id, version)
            }
            None => {
                let by = self.agency(world, true);
                let id = format!("{by}:s{}", self.fresh());
                (by, id, 1)
            }
        };
        let class = self.random.one(&["unconditional", "unconditional", "conditional", "conditional", "withheld"]);
        let mut body = json!({"class": class, "frequency": self.random.one(&FREQUENCIES), "id": id, "title": "Roads", "version": version});
        match class {
            "conditional" => (body["conditions"], body["purposes"]) = (json!("agreement"), json!(["planning"])),
            "withheld" => body["bar"] = json!("Secrets Act"),
            _ => (),
        }
        if let Some(duty) = self.recent(duties).filter(|_| self.random.percent(60)) {
            body["duty"] = duty.body["id"].clone();
        }
        if self.random.percent(30) {
            body["items"] = json!([{"name": "street", "type": "text"}, {"name": "length", "type": "number"}]);
        }
        self.office(world, &by, "dataset.publish", vec![], body)
    }

    fn finding(&mut self, world: &World, kind: &'static str) -> Option<Rec> {
        let n = world.list.len();
        let inspector = self.random.one(&["inspector-a", "inspector-b"]);
        if kind == "finding.file" {
            let all: Vec<&Rec> = world.list.iter().collect();
            let mut refs: Vec<Hash> = (0..=self.random.below(3)).filter_map(|_| self.recent(&all)).map(|rec| rec.id).collect();
            refs.sort();
            refs.dedup();
            let offence = ["39-1", "39-4", "40-2", "41-2"][self.random.below(4)];
            let mut body = json!({"agency": self.agency(world, false), "offence": offence, "text": "answer overdue"});
            if self.random.percent(40) {
                body["due"] = json!(self.day(world, -3, 60));
            }
            return self.office(world, inspector, kind, refs, body);
        }
        let files: Vec<&Rec> = world.of("finding.file", n).filter(|file| !world.is_closed(file, n)).collect();
        let file = self.recent(&files)?;
        match kind {
            "finding.rectify" => self.office(world, text(&file.body, "agency"), kind, vec![file.id], json!({"text": "done"})),
            _ => {
                let outcome = self.random.one(&["rectified", "unrectified", "withdrawn"]);
                self.office(world, inspector, kind, vec![file.id], json!({"outcome": outcome}))
            }
        }
    }
}

/// Days off and make-up days of a year, some beyond its ends.
pub fn calendar_body(random: &mut Random, year: usize) -> Json {
    let mut days = std::collections::BTreeSet::new();
    while days.len() < 24 {
        days.insert(format!("{year}-{:02}-{:02}", random.between(1, 12), random.between(1, 28)));
    }
    if random.percent(40) {
        days.insert(format!("{}-01-0{}", year + 1, random.between(1, 3)));
    }
    let days: Vec<String> = days.into_iter().collect();
    let (work, off): (Vec<_>, Vec<_>) = days.into_iter().partition(|_| random.percent(25));
    json!({"notice": {"url": "http://www.gov.example/notice"}, "off": off, "work": work, "year": year})
}

/// The datasets of a request.
pub fn asked(request: &Rec) -> Vec<String> {
    request.body["datasets"].as_array().unwrap().iter().map(|one| text(one, "id").to_owned()).collect()
}
