//! The book: what clocks and questions need to know of all records so far, folded into memory in their order.
//!
//! 1. [`Book::new`] writes the genesis file down.
//! 2. [`Book::take`] adds one committed record; positions ascend. What was admitted is taken as it is: a record that refers to
//!    nothing known changes nothing, and nothing panics.
//! 3. A question names its moment ([`AsOf`]); later facts are in the book and not seen.
//!
//! Texts are not kept: an answer reads them from the leaves, whose positions the facts name.

pub mod at;
mod catalogue;
pub mod facts;
mod matters;
mod members;
mod names;
pub mod period;
mod sharing;
#[cfg(test)]
pub(crate) mod story;

use std::collections::HashMap;

use crate::core::book::at::{AsOf, At};
use crate::core::book::facts::{
    Agency, AgencyNo, Clock, CodeNo, Correction, Dataset, DatasetNo, Delivery, DeliveryNo, Dispute, Duty, DutyNo, Finding, Grant, GrantNo,
    Item, ItemNo, Limits, Membership, Mismatch, Notice, Orphaned, Request, RequestNo, Requested, Status, Term, Territory, Use, Version,
};
use crate::core::book::names::{Links, Names};
use crate::core::book::period::Period;
use crate::core::calendar::Calendar;
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::json::{self, Strings, Value};
use crate::core::record::{HEADER, Record};
use crate::core::refusal::{Code, Refusal};
use crate::core::time::{Day, Time};

/// A committed record as the book reads it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub id: Hash,
    pub kind: &'a str,
    pub by: &'a str,
    pub refs: &'a [Hash],
    pub body: &'a Value,
    pub position: u64,
    /// Of its block.
    pub time: Time,
}

/// The fold. Lists of facts ascend by position.
#[derive(Clone, Debug)]
pub struct Book {
    size: u64,
    /// Of the newest block taken; before the first that of the genesis file.
    time: Time,
    links: Links,
    agency_names: Names,
    dataset_names: Names,
    duty_names: Names,
    code_names: Names,
    pub(crate) agencies: Vec<Agency>,
    /// Agencies that ever held an authority key.
    pub(crate) authorities: Vec<AgencyNo>,
    pub(crate) territories: Vec<Territory>,
    /// The first one is that of the genesis file.
    pub(crate) policies: Vec<Limits>,
    pub(crate) calendars: Vec<(At, Calendar)>,
    pub(crate) duties: Vec<Duty>,
    pub(crate) datasets: Vec<Dataset>,
    pub(crate) orphaned: Vec<Orphaned>,
    pub(crate) requests: Vec<Request>,
    pub(crate) requested: Vec<Requested>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) items: Vec<Item>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) mismatches: Vec<Mismatch>,
    pub(crate) corrections: Vec<Correction>,
    pub(crate) disputes: Vec<Dispute>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) uses: Vec<Use>,
    /// By the position of the record that started the clock.
    pub(crate) extensions: HashMap<(u64, Clock), Vec<(At, u64)>>,
    pub(crate) first_of_period: HashMap<(ItemNo, Period), At>,
    /// Numbers in `mismatches` that nothing stopped yet.
    open_mismatches: HashMap<(ItemNo, Option<Period>), Vec<usize>>,
    /// Numbers in `orphaned` that nothing stopped yet.
    open_orphaned: HashMap<DatasetNo, Vec<usize>>,
}

impl Book {
    pub fn new(genesis: &Genesis) -> Self {
        let mut book = Book {
            size: 0,
            time: genesis.created,
            links: Links::default(),
            agency_names: Names::default(),
            dataset_names: Names::default(),
            duty_names: Names::default(),
            code_names: Names::default(),
            agencies: Vec::new(),
            authorities: Vec::new(),
            territories: Vec::new(),
            policies: Vec::new(),
            calendars: Vec::new(),
            duties: Vec::new(),
            datasets: Vec::new(),
            orphaned: Vec::new(),
            requests: Vec::new(),
            requested: Vec::new(),
            grants: Vec::new(),
            items: Vec::new(),
            deliveries: Vec::new(),
            mismatches: Vec::new(),
            corrections: Vec::new(),
            disputes: Vec::new(),
            findings: Vec::new(),
            notices: Vec::new(),
            uses: Vec::new(),
            extensions: HashMap::new(),
            first_of_period: HashMap::new(),
            open_mismatches: HashMap::new(),
            open_orphaned: HashMap::new(),
        };
        book.take_genesis(genesis);
        book
    }

    /// Adds the record at `position`, committed at `time`.
    pub fn take(&mut self, record: &Record, position: u64, time: Time) {
        let body = record.body_value();
        let (kind, by, refs) = (record.kind.as_str(), record.by.as_str(), record.refs.as_slice());
        self.take_event(&Event { id: record.id(), kind, by, refs, body: &body, position, time });
    }

    /// As [`Book::take`], from a leaf that was checked against the tree: what was admitted needs no second check of form.
    ///
    /// # Errors
    /// `note-malformed` and those of JSON, for what is no record.
    pub fn take_leaf(&mut self, leaf: &[u8], position: u64, time: Time) -> Result<(), Refusal> {
        let malformed = || Refusal::new(Code::NoteMalformed, "another text", "the note of a record");
        let end = leaf.windows(2).position(|pair| pair == b"\n\n").ok_or_else(malformed)? + 1;
        let line = leaf[..end].strip_prefix(HEADER.as_bytes()).and_then(|rest| rest.strip_suffix(b"\n")).ok_or_else(malformed)?;
        let head = json::parse(line, Strings::Strict)?;
        let refs = texts(&head, "refs").map(Hash::parse).collect::<Result<Vec<_>, _>>()?;
        let kind = text(&head, "kind").ok_or_else(malformed)?;
        let by = text(&head, "by").ok_or_else(malformed)?;
        let body = head.get("body").ok_or_else(malformed)?;
        self.take_event(&Event { id: Hash::of(&leaf[..end]), kind, by, refs: &refs, body, position, time });
        Ok(())
    }

    /// As [`Book::take`]. A position that was taken is not taken again.
    pub fn take_event(&mut self, event: &Event<'_>) {
        if event.position < self.size {
            return;
        }
        let at = At::new(event.position, event.time);
        // `None` is a reference that leads nowhere: it cannot be admitted, and changes nothing.
        let _taken = match event.kind {
            "policy.set" | "calendar.set" | "territory.set" => self.take_setting(event, at),
            "agency.admit" | "agency.change" | "agency.suspend" | "agency.retire" | "key.rotate" | "key.revoke" => {
                self.take_membership(event, at)
            }
            "duty.declare" | "duty.retire" | "dataset.publish" | "dataset.retire" | "dataset.review" | "collect.notice" => {
                self.take_catalogue(event, at)
            }
            "share.request" | "share.supplement" | "share.withdraw" | "share.answer" => self.take_request(event, at),
            "share.deliver" | "share.receipt" => self.take_delivery(event, at),
            "share.suspend" | "share.resume" | "share.end" | "share.use" | "share.dispose" => self.take_grant(event, at),
            _ => self.take_matter(event, at),
        };
        self.pass(event.position.saturating_add(1), event.time);
    }

    /// Positions below it are taken, or hold no record.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The time of the newest block taken.
    pub fn time(&self) -> Time {
        self.time
    }

    /// Goes on to `size`, of a block at `time`: what lies before it is taken, or a block entry.
    pub fn pass(&mut self, size: u64, time: Time) {
        self.size = self.size.max(size);
        self.time = self.time.max(time);
    }

    /// Everything taken so far, judged at `time`; records committed after it are not seen.
    pub fn as_of(&self, time: Time) -> AsOf {
        AsOf { size: self.size, time }
    }

    /// The agency with this id; letter case counts.
    pub fn agency(&self, id: &str) -> Option<AgencyNo> {
        self.agency_names.find(id).map(AgencyNo::of)
    }

    pub fn agency_id(&self, agency: AgencyNo) -> &str {
        self.agency_names.text(agency.index())
    }

    pub fn dataset(&self, id: &str) -> Option<DatasetNo> {
        self.dataset_names.find(id).map(DatasetNo::of)
    }

    pub fn dataset_id(&self, dataset: DatasetNo) -> &str {
        self.dataset_names.text(dataset.index())
    }

    pub fn duty(&self, id: &str) -> Option<DutyNo> {
        self.duty_names.find(id).map(DutyNo::of)
    }

    pub fn duty_id(&self, duty: DutyNo) -> &str {
        self.duty_names.text(duty.index())
    }

    /// A territory code or a line.
    pub fn code(&self, code: CodeNo) -> &str {
        self.code_names.text(code.index())
    }

    /// The number of an agency, a new one if need be.
    fn agency_number(&mut self, id: &str) -> AgencyNo {
        let number = self.agency_names.number(id);
        if number >= self.agencies.len() {
            self.agencies.resize_with(number + 1, Agency::default);
        }
        AgencyNo::of(number)
    }

    fn code_number(&mut self, code: &str) -> CodeNo {
        CodeNo::of(self.code_names.number(code))
    }

    /// The policy in force at a record.
    pub(crate) fn limits_at(&self, at: At) -> &Limits {
        let later = self.policies.partition_point(|limits| limits.at.precedes(at));
        self.policies.get(later.saturating_sub(1)).expect("the policy of the genesis file comes first")
    }

    /// Where an agency belonged just before a record.
    pub(crate) fn membership_at(&self, agency: AgencyNo, at: At) -> Option<&Membership> {
        self.agencies[agency.index()].memberships.iter().rev().find(|membership| membership.at.precedes(at))
    }

    /// Where an agency belongs at a moment.
    pub fn membership(&self, agency: AgencyNo, as_of: AsOf) -> Option<&Membership> {
        self.agencies[agency.index()].memberships.iter().rev().find(|membership| membership.at.seen(as_of))
    }

    /// How an agency stands at a moment.
    pub fn status(&self, agency: AgencyNo, as_of: AsOf) -> Status {
        self.agencies[agency.index()].statuses.iter().rev().find(|(at, _)| at.seen(as_of)).map_or(Status::Active, |(_, status)| *status)
    }

    /// The newest version of a dataset at a moment.
    pub fn version(&self, dataset: DatasetNo, as_of: AsOf) -> Option<&Version> {
        self.datasets[dataset.index()].versions.iter().rev().find(|version| version.at.seen(as_of))
    }

    pub(crate) fn request(&self, request: RequestNo) -> &Request {
        &self.requests[request.index()]
    }

    pub(crate) fn grant(&self, grant: GrantNo) -> &Grant {
        &self.grants[grant.index()]
    }

    pub(crate) fn request_of(&self, grant: GrantNo) -> &Request {
        self.request(self.grant(grant).request)
    }

    pub(crate) fn item(&self, item: ItemNo) -> &Item {
        &self.items[item.index()]
    }

    pub(crate) fn delivery(&self, delivery: DeliveryNo) -> &Delivery {
        &self.deliveries[delivery.index()]
    }

    pub(crate) fn requested_of(&self, request: &Request) -> &[Requested] {
        part(&self.requested, request.first, request.count)
    }

    pub(crate) fn items_of(&self, grant: &Grant) -> &[Item] {
        part(&self.items, grant.first, grant.count)
    }
}

fn part<T>(all: &[T], first: u32, count: u32) -> &[T] {
    let index = |number: u32| usize::try_from(number).expect("an index of this machine has 32 bits or more");
    &all[index(first)..index(first) + index(count)]
}

fn number_of(count: usize) -> u32 {
    u32::try_from(count).expect("a ledger of more records than a book can hold")
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str()
}

fn texts<'a>(body: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    body.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn day(body: &Value, name: &str) -> Option<i32> {
    Day::parse(text(body, name)?).ok().map(Day::number)
}

fn term(body: &Value) -> Option<Term> {
    let term = body.get("term")?;
    Some(Term { from: day(term, "from")?, to: day(term, "to")? })
}
