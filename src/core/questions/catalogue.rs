//! The health of the catalogue.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::book::facts::{AgencyNo, Class, CodeNo, DatasetNo, Duty, DutyNo, TextKey};
use crate::core::book::period::{Length, Period};
use crate::core::clocks::Moment;
use crate::core::questions::{catalogued, is_over};
use crate::core::time::{Day, day_number_of};

/// The answer to the question. Datasets are those in the catalogue at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueCheck {
    /// Neither published anew nor delivered, though a whole period of its update frequency has passed since the one of the
    /// last day of both, which is named.
    pub stale: Vec<(DatasetNo, Day)>,
    /// Conditional without conditions or purposes.
    pub unconditioned: Vec<DatasetNo>,
    /// Without a duty, or naming a retired one.
    pub dutiless: Vec<DatasetNo>,
    pub never_delivered: Vec<DatasetNo>,
    /// Retired datasets with the position of a grant that is not over.
    pub retired_granted: Vec<(DatasetNo, u64)>,
    /// Duties of the same title in one territory, claimed by two agencies.
    pub claimed_twice: Vec<(DutyNo, DutyNo)>,
    /// Duties delegated down, with a dataset of the delegated duty that their agency holds no grant of.
    pub delegated_without_data: Vec<(DutyNo, DatasetNo)>,
    /// Grants under which data came and whose requester reported no use.
    pub never_used: Vec<u64>,
}

pub fn catalogue_check(moment: &Moment<'_>) -> CatalogueCheck {
    let book = moment.book;
    let last = last_deliveries(moment);
    let mut found = CatalogueCheck::default();
    for (dataset, version) in catalogued(moment) {
        let delivered = last[dataset.index()];
        let offset = book.limits_at(version.at).utc_offset_minutes;
        let fresh = day_number_of(delivered.unwrap_or(0).max(version.at.unix_ms()), offset);
        let expected = Length::of(version.frequency).and_then(|length| Period::holding(length, fresh)).and_then(Period::next);
        if expected.is_some_and(|expected| expected.last() < day_number_of(moment.as_of.time.unix_ms(), offset)) {
            found.stale.extend(Day::from_number(fresh).map(|day| (dataset, day)));
        }
        if version.class == Class::Conditional && !version.reasoned {
            found.unconditioned.push(dataset);
        }
        if version.duty.is_none_or(|duty| book.duties[duty.index()].retired.seen(moment.as_of)) {
            found.dutiless.push(dataset);
        }
        if delivered.is_none() {
            found.never_delivered.push(dataset);
        }
    }
    for grant in book.grants.iter().filter(|grant| grant.at.seen(moment.as_of)) {
        let items = book.items_of(grant);
        if !is_over(moment, grant) {
            let retired = items.iter().filter(|item| book.datasets[item.dataset.index()].retired.seen(moment.as_of));
            found.retired_granted.extend(retired.map(|item| (item.dataset, grant.at.position())));
        }
        if items.iter().any(|item| item.delivered.seen(moment.as_of)) && !grant.used.seen(moment.as_of) {
            found.never_used.push(grant.at.position());
        }
    }
    found.retired_granted.sort_unstable();
    found.claimed_twice = claimed_twice(moment);
    found.delegated_without_data = delegated_without_data(moment);
    found
}

/// Of each dataset, in milliseconds since 1970.
fn last_deliveries(moment: &Moment<'_>) -> Vec<Option<u64>> {
    let mut last = vec![None; moment.book.datasets.len()];
    for delivery in moment.book.deliveries.iter().filter(|delivery| delivery.at.seen(moment.as_of)) {
        last[moment.book.item(delivery.item).dataset.index()] = Some(delivery.at.unix_ms());
    }
    last
}

/// The duties in force.
fn duties<'a>(moment: &'a Moment<'_>) -> impl Iterator<Item = (DutyNo, &'a Duty)> {
    let numbered = moment.book.duties.iter().zip(0..).map(|(duty, number)| (DutyNo(number), duty));
    numbered.filter(|(_, duty)| duty.at.seen(moment.as_of) && !duty.retired.seen(moment.as_of))
}

/// Of each title and territory the first duty, beside each one of another agency.
fn claimed_twice(moment: &Moment<'_>) -> Vec<(DutyNo, DutyNo)> {
    let mut first: BTreeMap<(TextKey, Option<CodeNo>), (DutyNo, AgencyNo)> = BTreeMap::new();
    let mut found = Vec::new();
    for (number, duty) in duties(moment) {
        let agency = moment.end_of(duty.agency);
        let own = || moment.book.membership(agency, moment.as_of).and_then(|membership| membership.territory);
        let (earlier, claimant) = *first.entry((duty.title, duty.territory.or_else(own))).or_insert((number, agency));
        if claimant != agency {
            found.push((earlier, number));
        }
    }
    found
}

fn delegated_without_data(moment: &Moment<'_>) -> Vec<(DutyNo, DatasetNo)> {
    let book = moment.book;
    let mut by_duty: BTreeMap<DutyNo, Vec<DatasetNo>> = BTreeMap::new();
    for (dataset, version) in catalogued(moment) {
        if let Some(duty) = version.duty {
            by_duty.entry(duty).or_default().push(dataset);
        }
    }
    let mut held = BTreeSet::new();
    for grant in book.grants.iter().filter(|grant| grant.at.seen(moment.as_of) && !is_over(moment, grant)) {
        let requester = moment.end_of(book.request(grant.request).requester);
        held.extend(book.items_of(grant).iter().map(|item| (requester, item.dataset)));
    }
    let mut found = Vec::new();
    for (number, duty) in duties(moment) {
        let agency = moment.end_of(duty.agency);
        let needed = duty.delegated_from.and_then(|above| by_duty.get(&above)).into_iter().flatten();
        let is_missing = |dataset: &&DatasetNo| {
            let own = book.version(**dataset, moment.as_of).is_some_and(|version| moment.end_of(version.provider) == agency);
            !own && !held.contains(&(agency, **dataset))
        };
        found.extend(needed.filter(is_missing).map(|dataset| (number, *dataset)));
    }
    found
}
