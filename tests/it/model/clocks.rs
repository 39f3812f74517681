//! Every obligation at a moment, each clock from the list of records alone.

use super::days::{Calendars, Day};
use super::world::{PERIODIC, Rec, World, text};

/// An obligation as the comparison sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Obligation {
    pub clock: &'static str,
    /// Position of the record that started it.
    pub started: u64,
    pub dataset: String,
    pub period: String,
    pub debtor: Option<String>,
    pub creditor: Option<String>,
    pub start: String,
    /// None while paused.
    pub due: Option<String>,
    pub provisional: bool,
    pub state: &'static str,
    pub late: u64,
}

/// A moment of the list.
pub struct Moment<'a> {
    pub world: &'a World,
    pub n: usize,
    pub time: u64,
    calendars: Calendars,
}

/// An obligation before its days are counted.
struct Owed<'a> {
    clock: &'static str,
    started: &'a Rec,
    start: Option<Day>,
    dataset: String,
    period: String,
    debtor: Option<String>,
    creditor: Option<String>,
    limit: u64,
    /// A day that takes the place of the limit, or goes before it.
    instead: Option<Day>,
    before: Option<Day>,
    extended: u64,
    met: Option<&'a Rec>,
    ended: Option<&'a Rec>,
}

impl<'a> Owed<'a> {
    fn new(clock: &'static str, started: &'a Rec, limit: u64) -> Self {
        let (debtor, creditor, met, ended) = (None, None, None, None);
        let (dataset, period) = (String::new(), String::new());
        Owed { clock, started, start: None, dataset, period, debtor, creditor, limit, instead: None, before: None, extended: 0, met, ended }
    }
}

fn first<'a>(recs: impl IntoIterator<Item = &'a Rec>, after: &Rec) -> Option<&'a Rec> {
    recs.into_iter().filter(|rec| rec.index > after.index).min_by_key(|rec| rec.index)
}

impl<'a> Moment<'a> {
    pub fn new(world: &'a World, time: u64) -> Self {
        let n = world.seen(time);
        Moment { world, n, time, calendars: world.calendars(n) }
    }

    /// What a record would find: the records before it, at its block's time.
    pub fn before(world: &'a World, n: usize, time: u64) -> Self {
        Moment { world, n, time, calendars: world.calendars(n) }
    }

    fn limit(&self, rec: &Rec, name: &str) -> u64 {
        self.world.policy(rec.index)["clocks"][name].as_u64().unwrap()
    }

    fn end(&self, id: &str) -> Option<String> {
        Some(self.world.end(id, self.n))
    }

    /// Days of extension of a clock.
    pub fn extended(&self, started: &Rec, clock: &str) -> u64 {
        let extensions = self.world.about(&started.id, "share.extend", self.n).filter(|rec| text(&rec.body, "clock") == clock);
        extensions.map(|rec| rec.body["days"].as_u64().unwrap()).sum()
    }

    pub fn obligations(&self) -> Vec<Obligation> {
        let mut all = Vec::new();
        for clock in
            ["answer", "delivery", "receipt", "mismatch", "correction", "catalogue_update", "catalogue_review", "backflow", "dispute"]
        {
            all.extend(self.of_clock(clock));
        }
        all.extend(self.of_clock("rectification"));
        all.sort();
        all
    }

    pub fn of_clock(&self, clock: &str) -> Vec<Obligation> {
        let owed = match clock {
            "answer" => return self.answers(),
            "delivery" => self.deliveries(),
            "receipt" => self.receipts(),
            "mismatch" => self.mismatches(),
            "correction" => self.corrections(),
            "catalogue_update" => self.updates(),
            "catalogue_review" => self.reviews(),
            "backflow" => self.backflows(),
            "dispute" => self.disputes(),
            _ => self.rectifications(),
        };
        owed.into_iter().map(|owed| self.count(owed)).collect()
    }

    fn count(&self, owed: Owed<'_>) -> Obligation {
        let days = &self.world.days;
        let offset = self.world.offset(owed.started.index);
        let start = owed.start.unwrap_or_else(|| self.world.day(owed.started, offset));
        let mut due = match owed.instead {
            Some(day) => days.after(day, owed.extended, &self.calendars),
            None => days.after(start, owed.limit + owed.extended, &self.calendars),
        };
        due = owed.before.map_or(due, |before| before.min(due));
        let stop = [owed.met, owed.ended].into_iter().flatten().min_by_key(|rec| rec.index);
        self.judged(&owed, start, Some(due), stop, days.is_provisional(start, due, &self.calendars))
    }

    fn judged(&self, owed: &Owed<'_>, start: Day, due: Option<Day>, stop: Option<&Rec>, provisional: bool) -> Obligation {
        let days = &self.world.days;
        let offset = self.world.offset(owed.started.index);
        let now = stop.map_or_else(|| super::days::Days::of_time(self.time, offset), |stop| self.world.day(stop, offset));
        let state = match (stop, due) {
            (None, _) => "open",
            (Some(stop), _) if owed.ended.is_some_and(|ended| ended.index == stop.index) => "stopped",
            (Some(_), Some(due)) if now > due => "late",
            _ => "met",
        };
        Obligation {
            clock: owed.clock,
            started: owed.started.position,
            dataset: owed.dataset.clone(),
            period: owed.period.clone(),
            debtor: owed.debtor.clone(),
            creditor: owed.creditor.clone(),
            start: days.text(start),
            due: due.map(|due| days.text(due)),
            provisional,
            state,
            late: due.map_or(0, |due| days.count(due, now, &self.calendars)),
        }
    }

    fn answers(&self) -> Vec<Obligation> {
        self.world.of("share.request", self.n).map(|request| self.answer(request)).collect()
    }

    fn answer(&self, request: &Rec) -> Obligation {
        let (world, days, calendars) = (self.world, &self.world.days, &self.calendars);
        let name = if world.class(request) == "unconditional" { "answer_unconditional" } else { "answer_conditional" };
        let mut owed = Owed::new("answer", request, self.limit(request, name));
        owed.debtor = self.end(World::provider(request));
        owed.creditor = self.end(&request.by);
        owed.extended = self.extended(request, "answer");
        let stops = world.about(&request.id, "share.answer", self.n).chain(world.about(&request.id, "share.withdraw", self.n));
        owed.met = first(stops, request);
        let offset = world.offset(request.index);
        let start = world.day(request, offset);
        let limit = owed.limit + owed.extended;
        let mut due = Some(days.after(start, limit, calendars));
        let pauses = world.policy(request.index)["pause_on_supplement"] == true;
        if let Some(ask) = world.supplement(request, "ask", self.n).filter(|ask| pauses && Some(world.day(ask, offset)) <= due) {
            due = world.supplement(request, "give", self.n).map(|give| {
                let used = days.count(start, world.day(ask, offset), calendars);
                days.after(world.day(give, offset), limit.saturating_sub(used), calendars)
            });
        }
        let provisional = due.is_some_and(|due| days.is_provisional(start, due, calendars));
        self.judged(&owed, start, due, owed.met, provisional)
    }

    fn deliveries(&self) -> Vec<Owed<'a>> {
        let mut all = Vec::new();
        for grant in self.world.grants(self.n) {
            for dataset in self.world.granted(grant, self.n).unwrap() {
                match grant.body["frequency"].as_str().filter(|frequency| PERIODIC.contains(frequency)) {
                    Some(frequency) => self.periods(grant, &dataset, frequency, &mut all),
                    None => self.delivery(grant, &dataset, &mut all),
                }
            }
        }
        all
    }

    fn delivers(&self, grant: &'a Rec, dataset: &str) -> Vec<&'a Rec> {
        self.world.about(&grant.id, "share.deliver", self.n).filter(|rec| text(&rec.body, "dataset") == dataset).collect()
    }

    fn granted_by(&self, grant: &'a Rec, started: &'a Rec, dataset: &str) -> Owed<'a> {
        let mut owed = Owed::new("delivery", started, self.limit(started, "delivery"));
        let (provider, requester) = self.world.parties(grant, self.n).unwrap();
        owed.dataset = dataset.to_owned();
        owed.debtor = self.end(provider);
        owed.creditor = self.end(requester);
        owed
    }

    fn delivery(&self, grant: &'a Rec, dataset: &str, all: &mut Vec<Owed<'a>>) {
        let world = self.world;
        let delivered = self.delivers(grant, dataset);
        let mut start = Some(grant);
        while let Some(started) = start.take() {
            let mut owed = self.granted_by(grant, started, dataset);
            owed.before = started.body["promised"].as_str().map(|day| world.days.day(day));
            owed.met = first(delivered.iter().copied(), started);
            let suspended = first(world.about(&grant.id, "share.suspend", self.n), started);
            let ended = first(world.about(&grant.id, "share.end", self.n), started);
            owed.ended = [suspended, ended].into_iter().flatten().min_by_key(|rec| rec.index);
            let open = |stop: &&Rec| owed.met.is_none_or(|met| met.index > stop.index);
            if let Some(suspended) = suspended.filter(open).filter(|rec| ended.is_none_or(|end| rec.index < end.index)) {
                start = first(world.about(&grant.id, "share.resume", self.n), suspended);
            }
            all.push(owed);
        }
    }

    /// The periods of each stretch: from the answer or a resumption on, to a suspension or the end.
    fn periods(&self, grant: &'a Rec, dataset: &str, frequency: &str, all: &mut Vec<Owed<'a>>) {
        let (world, days) = (self.world, &self.world.days);
        let delivered = self.delivers(grant, dataset);
        let mut start = Some(grant);
        while let Some(started) = start.take() {
            let offset = world.offset(started.index);
            let from = world.day(started, offset);
            let suspended = first(world.about(&grant.id, "share.suspend", self.n), started);
            let ended = first(world.about(&grant.id, "share.end", self.n), started);
            let cut = [suspended, ended].into_iter().flatten().min_by_key(|rec| rec.index);
            let mut last = super::days::Days::of_time(self.time, offset);
            last = cut.map_or(last, |cut| last.min(world.day(cut, offset)));
            last = grant.body["term"]["to"].as_str().map_or(last, |to| last.min(days.day(to)));
            let term_from = grant.body["term"]["from"].as_str().map(|day| days.day(day));
            for day in from..=last {
                let (begins, ends) = days.bounds(day, frequency);
                let begun = if started.kind == "share.resume" { begins >= from } else { true };
                if ends == day && begun && term_from.is_none_or(|from| begins >= from) {
                    let mut owed = self.granted_by(grant, started, dataset);
                    owed.start = Some(day);
                    owed.period = days.period(day, frequency);
                    owed.met = delivered.iter().copied().find(|rec| text(&rec.body, "period") == owed.period);
                    all.push(owed);
                }
            }
            if let Some(suspension) = suspended
                && cut.map(|rec| rec.index) == Some(suspension.index)
            {
                start = first(world.about(&grant.id, "share.resume", self.n), suspension);
            }
        }
    }

    fn receipts(&self) -> Vec<Owed<'a>> {
        let owed = |delivery: &'a Rec| {
            let (provider, requester) = self.world.parties(delivery, self.n).unwrap();
            let mut owed = Owed::new("receipt", delivery, self.limit(delivery, "receipt"));
            (owed.debtor, owed.creditor) = (self.end(requester), self.end(provider));
            owed.met = self.world.about(&delivery.id, "share.receipt", self.n).next();
            owed
        };
        self.world.of("share.deliver", self.n).map(owed).collect()
    }

    fn mismatches(&self) -> Vec<Owed<'a>> {
        let world = self.world;
        let owed = |receipt: &'a Rec| {
            let (provider, requester) = world.parties(receipt, self.n).unwrap();
            let delivery = world.get(&receipt.refs[0], self.n).unwrap();
            let mut owed = Owed::new("mismatch", receipt, self.limit(receipt, "mismatch"));
            (owed.debtor, owed.creditor) = (self.end(provider), self.end(requester));
            owed.extended = self.extended(receipt, "mismatch");
            let same = |rec: &&Rec| ["dataset", "period"].iter().all(|name| rec.body[*name] == delivery.body[*name]);
            let again = world.about(&delivery.refs[0], "share.deliver", self.n).filter(same);
            let corrections = world.about(&delivery.id, "correction.file", self.n);
            let closed = corrections.flat_map(|file| world.about(&file.id, "correction.close", self.n));
            owed.met = first(again.chain(closed), receipt);
            owed
        };
        world.of("share.receipt", self.n).filter(|rec| text(&rec.body, "result") == "mismatch").map(owed).collect()
    }

    fn corrections(&self) -> Vec<Owed<'a>> {
        let owed = |file: &'a Rec| {
            let (provider, requester) = self.world.parties(file, self.n).unwrap();
            let mut owed = Owed::new("correction", file, self.limit(file, "correction"));
            (owed.debtor, owed.creditor) = (self.end(provider), self.end(requester));
            owed.met = self.world.about(&file.id, "correction.close", self.n).next();
            owed
        };
        self.world.of("correction.file", self.n).map(owed).collect()
    }

    /// Records of a kind whose body names this id.
    fn naming(&self, kind: &str, id: &str) -> Vec<&'a Rec> {
        self.world.of(kind, self.n).filter(|rec| text(&rec.body, "id") == id).collect()
    }

    fn updates(&self) -> Vec<Owed<'a>> {
        let world = self.world;
        let mut all = Vec::new();
        for retire in world.of("duty.retire", self.n) {
            let mut ids: Vec<&str> = world.of("dataset.publish", retire.index).map(|rec| text(&rec.body, "id")).collect();
            ids.sort_unstable();
            ids.dedup();
            for id in ids {
                let newest = world.newest(id, retire.index).unwrap();
                if text(&newest.body, "duty") != text(&retire.body, "id") || world.dataset_retired(id, retire.index) {
                    continue;
                }
                let provider = id.split_once(':').unwrap().0;
                let mut owed = Owed::new("catalogue_update", retire, self.limit(retire, "catalogue_update"));
                owed.dataset = id.to_owned();
                owed.debtor = self.end(provider);
                let holder = world.end(provider, retire.index);
                owed.creditor = world.authority_over(&[&holder], retire.index).and_then(|id| self.end(&id));
                owed.extended = self.extended(retire, "catalogue_update");
                owed.met = first(self.naming("dataset.publish", id).into_iter().chain(self.naming("dataset.retire", id)), retire);
                all.push(owed);
            }
        }
        all
    }

    /// The due day of a duty's datasets, unless it is provisional.
    pub fn update_due(&self, retire: &'a Rec) -> Option<String> {
        let mut owed = Owed::new("catalogue_update", retire, self.limit(retire, "catalogue_update"));
        owed.extended = self.extended(retire, "catalogue_update");
        let counted = self.count(owed);
        counted.due.filter(|_| !counted.provisional)
    }

    fn reviews(&self) -> Vec<Owed<'a>> {
        let world = self.world;
        let owed = |publish: &'a Rec| {
            let id = text(&publish.body, "id");
            let provider = id.split_once(':').unwrap().0;
            let mut owed = Owed::new("catalogue_review", publish, self.limit(publish, "catalogue_review"));
            owed.dataset = id.to_owned();
            let holder = world.end(provider, publish.index);
            owed.debtor = world.authority_over(&[&holder], publish.index).and_then(|id| self.end(&id));
            owed.creditor = self.end(provider);
            let reviews = self.naming("dataset.review", id).into_iter().filter(|rec| rec.body["version"] == publish.body["version"]);
            let others = self.naming("dataset.publish", id).into_iter().chain(self.naming("dataset.retire", id));
            owed.met = first(reviews.chain(others), publish);
            owed
        };
        world.of("dataset.publish", self.n).map(owed).collect()
    }

    fn backflows(&self) -> Vec<Owed<'a>> {
        let world = self.world;
        let grants = world.grants(self.n);
        let owed = |request: &'a Rec| {
            let mut owed = Owed::new("backflow", request, self.limit(request, "backflow"));
            (owed.debtor, owed.creditor) = (self.end(World::provider(request)), self.end(&request.by));
            owed.extended = self.extended(request, "backflow");
            let own = grants.iter().filter(|grant| world.request_of(grant, self.n).map(|of| of.id) == Some(request.id));
            let delivers = own.flat_map(|grant| world.about(&grant.id, "share.deliver", self.n));
            let refusals = world.about(&request.id, "share.answer", self.n).filter(|rec| text(&rec.body, "outcome") == "refuse");
            owed.met = first(delivers.chain(refusals).chain(world.about(&request.id, "share.withdraw", self.n)), request);
            owed
        };
        world.of("share.request", self.n).filter(|rec| text(&rec.body, "sort") == "backflow").map(owed).collect()
    }

    fn disputes(&self) -> Vec<Owed<'a>> {
        let world = self.world;
        let owed = |file: &'a Rec| {
            let mut owed = Owed::new("dispute", file, self.limit(file, "dispute"));
            let (provider, requester) = world.parties(file, self.n).unwrap();
            let referred = world.about(&file.id, "dispute.refer", self.n).next_back().map(|rec| text(&rec.body, "to").to_owned());
            let ends = [provider, requester].map(|id| world.end(id, file.index));
            let covering = || world.authority_over(&[&ends[0], &ends[1]], file.index);
            owed.debtor = referred.or_else(covering).and_then(|id| self.end(&id));
            owed.creditor = self.end(&file.by);
            owed.extended = self.extended(file, "dispute");
            owed.met = world.about(&file.id, "dispute.decide", self.n).next();
            owed
        };
        world.of("dispute.file", self.n).map(owed).collect()
    }

    fn rectifications(&self) -> Vec<Owed<'a>> {
        let owed = |file: &'a Rec| {
            let mut owed = Owed::new("rectification", file, self.limit(file, "rectification"));
            (owed.debtor, owed.creditor) = (self.end(text(&file.body, "agency")), self.end(&file.by));
            owed.instead = file.body["due"].as_str().map(|day| self.world.days.day(day));
            owed.extended = self.extended(file, "rectification");
            owed.met = self.world.about(&file.id, "finding.close", self.n).next();
            owed
        };
        self.world.of("finding.file", self.n).map(owed).collect()
    }
}
