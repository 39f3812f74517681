//! What a territory is asked for again, and what came back to it.

use std::collections::HashMap;

use crate::core::book::at::At;
use crate::core::book::facts::{AgencyNo, DatasetNo, Outcome, Request, Sort, TextKey};
use crate::core::clocks::Moment;
use crate::core::questions::catalogued;
use crate::core::time::day_number_of;

/// An item of a notice that somebody holds or asked for already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// Place in the notice's `items`.
    pub item: usize,
    /// A dataset of the catalogue that holds an item of this name.
    pub dataset: Option<DatasetNo>,
    /// Position of an earlier notice of another agency that asks for it.
    pub notice: Option<u64>,
}

/// A notice of collection to the territory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    pub notice: u64,
    pub by: AgencyNo,
    pub items: usize,
    pub repeated: Vec<Repeated>,
}

/// A request for backflow by an agency of the territory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backflow {
    pub request: u64,
    pub requester: AgencyNo,
    pub provider: AgencyNo,
    /// Position of the first delivery.
    pub delivery: Option<u64>,
    /// Working days from the request to the delivery or, without one, to the moment or the refusal.
    pub days: u64,
    /// Refused or withdrawn.
    pub ended: bool,
}

/// The answer to the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Burden {
    pub collections: Vec<Collection>,
    pub backflows: Vec<Backflow>,
}

/// For the territory whose codes begin with `territory`. A notice concerns it that is addressed to a part of it or to
/// something that it is a part of.
pub fn burden(moment: &Moment<'_>, territory: &str) -> Burden {
    Burden { collections: collections(moment, territory), backflows: backflows(moment, territory) }
}

fn collections(moment: &Moment<'_>, territory: &str) -> Vec<Collection> {
    let book = moment.book;
    let mut held: HashMap<TextKey, DatasetNo> = HashMap::new();
    for (dataset, version) in catalogued(moment) {
        for item in &version.items {
            held.entry(*item).or_insert(dataset);
        }
    }
    let mut asked: HashMap<TextKey, (u64, AgencyNo)> = HashMap::new();
    let mut found = Vec::new();
    for notice in book.notices.iter().filter(|notice| notice.at.seen(moment.as_of)) {
        let code = book.code(notice.territory);
        if !code.starts_with(territory) && !territory.starts_with(code) {
            continue;
        }
        let mut repeated = Vec::new();
        for (item, name) in notice.items.iter().enumerate() {
            let (dataset, earlier) = (held.get(name).copied(), asked.get(name).filter(|(_, by)| *by != notice.by));
            if dataset.is_some() || earlier.is_some() {
                repeated.push(Repeated { item, dataset, notice: earlier.map(|(position, _)| *position) });
            }
            asked.entry(*name).or_insert((notice.at.position(), notice.by));
        }
        found.push(Collection { notice: notice.at.position(), by: notice.by, items: notice.items.len(), repeated });
    }
    found
}

fn backflows(moment: &Moment<'_>, territory: &str) -> Vec<Backflow> {
    let book = moment.book;
    let of_territory = |request: &Request| {
        let membership = book.membership_at(request.requester, request.at);
        membership.and_then(|membership| membership.territory).is_some_and(|code| book.code(code).starts_with(territory))
    };
    let asked = book.requests.iter().filter(|request| request.sort == Sort::Backflow && request.at.seen(moment.as_of));
    let asked = asked.filter(|request| of_territory(request)).map(|request| {
        let limits = book.limits_at(request.at);
        let day = |at: At| day_number_of(at.unix_ms(), limits.utc_offset_minutes);
        let stopped = request.backflow_stop.seen(moment.as_of);
        let refused = request.outcome == Some(Outcome::Refuse) && request.answer.seen(moment.as_of);
        let ended = refused || request.withdrawn.seen(moment.as_of);
        let until = if stopped { day(request.backflow_stop) } else { moment.day(limits) };
        Backflow {
            request: request.at.position(),
            requester: request.requester,
            provider: request.provider,
            delivery: (stopped && !ended).then(|| request.backflow_stop.position()),
            days: moment.calendars.between_numbers(day(request.at), until),
            ended,
        }
    });
    asked.collect()
}
