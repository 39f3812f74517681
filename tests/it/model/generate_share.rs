//! Random records of sharing: requests and all that follows from them.

use serde_json::{Value as Json, json};
use sharelog::core::key::Role;

use super::clocks::Moment;
use super::generate::{FREQUENCIES, Generator, asked, draft};
use super::verdict::of_id;
use super::world::{PERIODIC, Rec, World, text};

const CLOCKS: [(&str, &str); 6] = [
    ("answer", "share.request"),
    ("backflow", "share.request"),
    ("catalogue_update", "duty.retire"),
    ("dispute", "dispute.file"),
    ("mismatch", "share.receipt"),
    ("rectification", "finding.file"),
];

impl Generator {
    pub fn sharing(&mut self, world: &World, kind: &'static str) -> Option<Rec> {
        let n = world.list.len();
        // Now and then a record about what is closed already.
        let any = self.random.percent(8);
        match kind {
            "share.request" => self.request(world),
            "share.supplement" | "share.withdraw" | "share.answer" => {
                let open: Vec<&Rec> = world.of("share.request", n).filter(|request| any || world.is_open_request(request, n)).collect();
                let on = self.recent(&open)?;
                self.of_request(world, kind, &on)
            }
            "share.extend" => self.extension(world),
            "share.receipt" => {
                let silent = |delivery: &&Rec| any || world.about(&delivery.id, "share.receipt", n).next().is_none();
                let open: Vec<&Rec> = world.of("share.deliver", n).filter(silent).collect();
                let on = self.recent(&open)?;
                let mut body = json!({"commitment": on.body["commitment"], "result": "match"});
                if self.random.percent(25) {
                    body = json!({"commitment": self.hash(), "result": "mismatch"});
                } else if self.random.percent(50) {
                    body["rows"] = json!(100);
                }
                self.office(world, world.parties(&on, n)?.1, kind, vec![on.id], body)
            }
            "correction.file" | "correction.close" | "dispute.file" | "dispute.refer" | "dispute.decide" => self.matter(world, kind, any),
            _ => {
                let grants: Vec<&Rec> = world.grants(n).into_iter().filter(|grant| self.fits(world, kind, grant, any)).collect();
                let on = self.recent(&grants)?;
                self.of_grant(world, kind, &on)
            }
        }
    }

    fn fits(&self, world: &World, kind: &str, grant: &Rec, any: bool) -> bool {
        let n = world.list.len();
        let (ended, suspended) = (world.ended(grant, n).is_some(), world.is_suspended(grant, n));
        any || match kind {
            "share.resume" => suspended && !ended,
            "share.dispose" => ended,
            "share.use" | "share.end" => !ended,
            _ => !ended && !suspended,
        }
    }

    fn request(&mut self, world: &World) -> Option<Rec> {
        let n = world.list.len();
        let mut ids: Vec<String> = world.of("dataset.publish", n).map(|rec| text(&rec.body, "id").to_owned()).collect();
        ids.sort();
        ids.dedup();
        ids.retain(|id| !world.dataset_retired(id, n) || self.random.percent(5));
        let first = self.random.pick(&ids)?;
        let class = text(&world.newest(&first, n)?.body, "class").to_owned();
        ids.retain(|id| of_id(id) == of_id(&first) && text(&world.newest(id, n).unwrap().body, "class") == class);
        ids.retain(|id| *id == first || self.random.percent(60));
        ids.truncate(3);
        let datasets: Vec<Json> = ids.iter().map(|id| json!({"id": id, "version": world.newest(id, n).unwrap().body["version"]})).collect();
        let duties: Vec<String> =
            world.of("duty.declare", n).map(|rec| text(&rec.body, "id").to_owned()).filter(|id| !world.duty_retired(id, n)).collect();
        let duty = self.random.pick(&duties)?;
        let sort = self.random.one(&["ordinary", "ordinary", "backflow", "onward", "purpose-change"]);
        let mut body = json!({"basis": [], "datasets": datasets, "duty": duty, "mode": "file", "purpose": "planning", "sort": sort});
        if self.random.percent(30) {
            body["term"] = self.term(world);
        }
        if self.random.percent(30) {
            body["label"] = json!("file 7");
        }
        let by = self.agency(world, true);
        self.office(world, &by, "share.request", vec![], body)
    }

    fn term(&mut self, world: &World) -> Json {
        json!({"from": self.day(world, -40, 40), "to": self.day(world, 41, 300)})
    }

    fn of_request(&mut self, world: &World, kind: &'static str, on: &Rec) -> Option<Rec> {
        let n = world.list.len();
        let provider = World::provider(on);
        let body = match kind {
            "share.withdraw" => return self.office(world, &on.by, kind, vec![on.id], json!({"reason": "no need"})),
            "share.supplement" => {
                let asked = world.supplement(on, "ask", n).is_some();
                if asked != self.random.percent(6) {
                    return self.office(world, &on.by, kind, vec![on.id], json!({"given": ["the basis"], "step": "give"}));
                }
                json!({"missing": ["the basis"], "step": "ask"})
            }
            _ if self.random.percent(25) => json!({"basis": [], "code": "purpose-unfit", "outcome": "refuse", "reason": "other purposes"}),
            _ => self.agreement(world, on),
        };
        self.office(world, provider, kind, vec![on.id], body)
    }

    fn agreement(&mut self, world: &World, on: &Rec) -> Json {
        let mut datasets = asked(on);
        let mut outcome = "agree";
        if datasets.len() > 1 && self.random.percent(30) {
            (outcome, _) = ("partly", datasets.pop());
        }
        let mut body = json!({"datasets": datasets, "outcome": outcome});
        if self.random.percent(50) {
            let frequency = self.random.one(&FREQUENCIES);
            body["frequency"] = json!(frequency);
        }
        // A day's period for years would drown the rest.
        if self.random.percent(50) || body["frequency"] == "daily" || body["frequency"] == "weekly" {
            body["term"] = self.term(world);
        }
        if self.random.percent(30) {
            body["promised"] = json!(self.day(world, -5, 60));
        }
        body
    }

    fn of_grant(&mut self, world: &World, kind: &'static str, on: &Rec) -> Option<Rec> {
        let n = world.list.len();
        let (provider, requester) = world.parties(on, n)?;
        let today = super::days::Days::of_time(self.time, 480);
        match kind {
            "share.deliver" => {
                let dataset = self.random.pick(&world.granted(on, n)?)?;
                let mut body = json!({"batch": format!("b{}", self.fresh()), "bytes": 7, "commitment": self.hash(), "dataset": dataset,
                    "mode": "file", "version": world.newest(&dataset, n)?.body["version"]});
                let frequency = on.body["frequency"].as_str().filter(|frequency| PERIODIC.contains(frequency));
                if let Some(frequency) = frequency {
                    let back = self.random.below(30);
                    body["period"] = json!(world.days.period(today - back, frequency));
                } else if self.random.percent(10) {
                    body["period"] = json!(world.days.period(today, "monthly"));
                }
                if self.random.percent(60) {
                    body["rows"] = json!(100);
                }
                self.office(world, provider, kind, vec![on.id], body)
            }
            "share.use" => {
                let period = world.days.period(today - self.random.below(60), "monthly");
                let counts = json!([{"count": 12, "purpose": "maps"}, {"count": 1, "purpose": "planning"}]);
                let body = json!({"counts": counts, "period": period, "root": self.hash()});
                self.office(world, requester, kind, vec![on.id], body)
            }
            "share.dispose" => {
                let body = json!({"certificate": self.hash(), "method": "shredded", "what": "all copies"});
                self.office(world, requester, kind, vec![on.id], body)
            }
            _ => {
                let mut body = json!({"cause": "misuse"});
                if kind != "share.resume" {
                    body["negotiated"] = json!(self.random.percent(50));
                }
                if self.random.percent(60) {
                    return self.office(world, provider, kind, vec![on.id], body);
                }
                let by = self.authority();
                let line = self.line(world, &by, Role::Authority);
                Some(draft(kind, &by, vec![on.id], body, vec![line]))
            }
        }
    }

    fn matter(&mut self, world: &World, kind: &'static str, any: bool) -> Option<Rec> {
        let n = world.list.len();
        if kind == "correction.file" {
            let kinds = if self.random.percent(60) { "share.deliver" } else { "share.answer" };
            let all: Vec<&Rec> =
                world.of(kinds, n).filter(|rec| any || kinds == "share.deliver" || world.granted(rec, n).is_some()).collect();
            let on = self.recent(&all)?;
            let dataset = match kinds {
                "share.deliver" => text(&on.body, "dataset").to_owned(),
                _ => self.random.pick(&world.granted(&on, n)?)?,
            };
            let error = self.random.one(&["wrong", "missing", "repeated", "stale", "format", "other"]);
            let body = json!({"dataset": dataset, "error": error, "text": "the third row"});
            return self.office(world, world.parties(&on, n)?.1, kind, vec![on.id], body);
        }
        if kind == "dispute.file" {
            let all: Vec<&Rec> = world
                .list
                .iter()
                .filter(|rec| (rec.kind.starts_with("share.") || rec.kind.starts_with("correction.")) && world.parties(rec, n).is_some())
                .filter(|rec| rec.kind != "share.answer" || text(&rec.body, "outcome") == "refuse")
                .filter(|rec| rec.kind == "share.answer" || self.random.percent(10))
                .collect();
            let on = self.recent(&all)?;
            let (provider, requester) = world.parties(&on, n)?;
            let by = if self.random.percent(80) { requester } else { provider };
            return self.office(world, by, kind, vec![on.id], json!({"grounds": "the catalogue", "subject": "refusal"}));
        }
        let of = if kind == "correction.close" { "correction.file" } else { "dispute.file" };
        let open: Vec<&Rec> = world.of(of, n).filter(|rec| any || !world.is_closed(rec, n)).collect();
        let on = self.recent(&open)?;
        if kind == "correction.close" {
            let under = world.get(&on.refs[0], n)?;
            let grant = if under.kind == "share.deliver" { under.refs[0] } else { under.id };
            let batches: Vec<&Rec> = world.about(&grant, "share.deliver", n).collect();
            let body = match self.recent(&batches).filter(|_| self.random.percent(60)) {
                Some(batch) => json!({"batch": batch.body["batch"], "result": "repaired"}),
                None => json!({"reason": "it is right", "result": "rejected"}),
            };
            return self.office(world, world.parties(&on, n)?.0, kind, vec![on.id], body);
        }
        let (provider, requester) = world.parties(&on, n)?;
        let referred = world.about(&on.id, "dispute.refer", n).next_back().map(|rec| text(&rec.body, "to").to_owned());
        let ends = [provider, requester].map(|id| world.end(id, n));
        let by = referred.or_else(|| world.authority_over(&[&ends[0], &ends[1]], n)).filter(|_| self.random.percent(85));
        let by = by.unwrap_or_else(|| self.authority());
        let body = match kind {
            "dispute.refer" => json!({"reason": "another territory", "to": self.authority()}),
            _ => json!({"outcome": self.random.one(&["share", "share", "refuse", "settled"]), "reason": "the law"}),
        };
        self.office(world, &by, kind, vec![on.id], body)
    }

    /// For what is still open, by an authority that covers who owes.
    fn extension(&mut self, world: &World) -> Option<Rec> {
        let n = world.list.len();
        let (clock, kind) = CLOCKS[self.random.below(CLOCKS.len())];
        let mut all: Vec<&Rec> = world.of(kind, n).collect();
        all.retain(|rec| clock != "backflow" || text(&rec.body, "sort") == "backflow");
        all.retain(|rec| clock != "mismatch" || text(&rec.body, "result") == "mismatch");
        let on = self.recent(&all)?;
        let owed = Moment::before(world, n, self.time).of_clock(clock).into_iter().find(|owed| owed.started == on.position);
        let debtor = owed.and_then(|owed| owed.debtor);
        let covering = debtor.and_then(|debtor| world.authority_over(&[&debtor], n)).filter(|_| self.random.percent(90));
        let by = covering.unwrap_or_else(|| self.authority());
        let body = json!({"clock": clock, "days": self.random.between(1, 6), "reason": "holiday period"});
        self.office(world, &by, "share.extend", vec![on.id], body)
    }
}
