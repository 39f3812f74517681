//! Taking records about requests, answers, grants, deliveries and receipts.

use crate::core::book::at::At;
use crate::core::book::facts::{
    Delivery, DeliveryNo, Frequency, Grant, GrantNo, Item, ItemNo, Matched, Mismatch, Outcome, Pause, RefusalCode, Request, RequestNo,
    Requested, Sort, TextKey, Use,
};
use crate::core::book::names::Link;
use crate::core::book::period::Period;
use crate::core::book::{Book, Event, day, number_of, term, text, texts};
use crate::core::json::Value;

impl Book {
    pub(super) fn take_request(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        if event.kind == "share.request" {
            return self.file(event, at);
        }
        let Some(Link::Request(number)) = self.link(event) else {
            return None;
        };
        if event.kind == "share.answer" {
            return self.answer(event, number, at);
        }
        let request = &mut self.requests[number.index()];
        let place = match (event.kind, text(event.body, "step")) {
            ("share.withdraw", _) => {
                request.backflow_stop = request.backflow_stop.or_first(at);
                &mut request.withdrawn
            }
            (_, Some("ask")) => &mut request.asked,
            _ => &mut request.given,
        };
        *place = place.or_first(at);
        self.links.put(&event.id, Link::About(number));
        Some(())
    }

    /// What the record's first reference leads to.
    pub(super) fn link(&self, event: &Event<'_>) -> Option<Link> {
        self.links.get(event.refs.first()?)
    }

    fn file(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        let body = event.body;
        let mut asked = Vec::new();
        for dataset in body.get("datasets")?.as_array()? {
            let version = dataset.get("version")?.as_u64()?;
            asked.push(Requested { dataset: self.dataset(text(dataset, "id")?)?, version });
        }
        let newest = self.datasets[asked.first()?.dataset.index()].versions.last()?;
        let (provider, class) = (newest.provider, newest.class);
        let request = Request {
            at,
            provider,
            requester: self.agency_number(event.by),
            class,
            sort: Sort::parse(text(body, "sort")?)?,
            duty: self.duty(text(body, "duty")?)?,
            purpose: TextKey::folded(text(body, "purpose")?),
            term: term(body),
            first: number_of(self.requested.len()),
            count: number_of(asked.len()),
            asked: At::NEVER,
            given: At::NEVER,
            withdrawn: At::NEVER,
            answer: At::NEVER,
            outcome: None,
            code: None,
            based: true,
            backflow_stop: At::NEVER,
        };
        self.links.put(&event.id, Link::Request(RequestNo::of(self.requests.len())));
        self.requested.extend(asked);
        self.requests.push(request);
        Some(())
    }

    fn answer(&mut self, event: &Event<'_>, number: RequestNo, at: At) -> Option<()> {
        let body = event.body;
        let outcome = Outcome::parse(text(body, "outcome")?)?;
        let request = &mut self.requests[number.index()];
        if !request.answer.is_never() {
            return None;
        }
        request.answer = at;
        request.outcome = Some(outcome);
        if outcome == Outcome::Refuse {
            request.code = text(body, "code").and_then(RefusalCode::parse);
            request.based = texts(body, "basis").next().is_some();
            request.backflow_stop = request.backflow_stop.or_first(at);
            self.links.put(&event.id, Link::About(number));
            return Some(());
        }
        let granted: Vec<_> = texts(body, "datasets").filter_map(|id| self.dataset(id)).collect();
        let grant = self.open_grant(number, at, &granted);
        let fact = &mut self.grants[grant.index()];
        fact.frequency = text(body, "frequency").and_then(Frequency::parse);
        fact.promised = day(body, "promised");
        fact.term = term(body);
        self.links.put(&event.id, Link::Grant(grant));
        Some(())
    }

    pub(super) fn open_grant(&mut self, request: RequestNo, at: At, datasets: &[super::DatasetNo]) -> GrantNo {
        let grant = GrantNo::of(self.grants.len());
        let first = number_of(self.items.len());
        self.items.extend(datasets.iter().map(|dataset| Item { grant, dataset: *dataset, delivered: At::NEVER }));
        self.grants.push(Grant {
            at,
            request,
            frequency: None,
            promised: None,
            term: None,
            first,
            count: number_of(datasets.len()),
            pauses: Vec::new(),
            ended: At::NEVER,
            disposed: At::NEVER,
            used: At::NEVER,
        });
        grant
    }

    pub(super) fn take_delivery(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        match (event.kind, self.link(event)?) {
            ("share.deliver", Link::Grant(grant)) => self.deliver(event, grant, at),
            ("share.receipt", Link::Delivery(delivery)) => self.receive(event, delivery, at),
            _ => None,
        }
    }

    fn deliver(&mut self, event: &Event<'_>, grant: GrantNo, at: At) -> Option<()> {
        let dataset = self.dataset(text(event.body, "dataset")?)?;
        let fact = &self.grants[grant.index()];
        let periodic = fact.frequency.is_some_and(|frequency| super::period::Length::of(frequency).is_some());
        let offset = self.items_of(fact).iter().position(|item| item.dataset == dataset)?;
        let item = ItemNo::of(ItemNo(fact.first).index() + offset);
        let request = &mut self.requests[fact.request.index()];
        request.backflow_stop = request.backflow_stop.or_first(at);
        let delivered = &mut self.items[item.index()].delivered;
        *delivered = delivered.or_first(at);
        let period = text(event.body, "period").and_then(Period::parse);
        if let Some(period) = period.filter(|_| periodic) {
            self.first_of_period.entry((item, period)).or_insert(at);
        }
        for index in self.open_mismatches.remove(&(item, period)).unwrap_or_default() {
            self.mismatches[index].stop = at;
        }
        self.links.put(&event.id, Link::Delivery(DeliveryNo::of(self.deliveries.len())));
        push_tight(&mut self.deliveries, Delivery { at, receipt: At::NEVER, item, period, matched: Matched::Unacknowledged });
        Some(())
    }

    fn receive(&mut self, event: &Event<'_>, number: DeliveryNo, at: At) -> Option<()> {
        let matched = if text(event.body, "result")? == "match" { Matched::Match } else { Matched::Mismatch };
        let delivery = &mut self.deliveries[number.index()];
        if !delivery.receipt.is_never() {
            return None;
        }
        delivery.receipt = at;
        delivery.matched = matched;
        if matched == Matched::Mismatch {
            self.open_mismatches.entry((delivery.item, delivery.period)).or_default().push(self.mismatches.len());
            self.mismatches.push(Mismatch { delivery: number, stop: At::NEVER });
        }
        self.links.put(&event.id, Link::Receipt(number));
        Some(())
    }

    /// The repair of a delivery stops the clock of its mismatch.
    pub(super) fn settle_mismatch(&mut self, number: DeliveryNo, at: At) {
        let delivery = self.delivery(number);
        let key = (delivery.item, delivery.period);
        let Some(open) = self.open_mismatches.get_mut(&key) else {
            return;
        };
        if let Some(place) = open.iter().position(|index| self.mismatches[*index].delivery == number) {
            let index = open.swap_remove(place);
            self.mismatches[index].stop = at;
        }
    }

    pub(super) fn take_grant(&mut self, event: &Event<'_>, at: At) -> Option<()> {
        let Some(Link::Grant(number)) = self.link(event) else {
            return None;
        };
        let grant = &mut self.grants[number.index()];
        match event.kind {
            "share.suspend" => grant.pauses.push(Pause { suspended: at, resumed: At::NEVER }),
            "share.resume" => {
                let resumed = &mut grant.pauses.last_mut()?.resumed;
                *resumed = resumed.or_first(at);
            }
            "share.end" => grant.ended = grant.ended.or_first(at),
            "share.dispose" => grant.disposed = grant.disposed.or_first(at),
            _ => {
                grant.used = grant.used.or_first(at);
                let counts = event.body.get("counts").and_then(Value::as_array).into_iter().flatten();
                let purposes = counts.filter_map(|count| text(count, "purpose")).map(TextKey::folded).collect();
                self.uses.push(Use { at, grant: number, purposes });
            }
        }
        let request = grant.request;
        self.links.put(&event.id, Link::About(request));
        Some(())
    }
}

/// Adds to the one long list in steps of an eighth: doubling would keep up to half of it empty.
fn push_tight<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 8).max(64));
    }
    list.push(item);
}
