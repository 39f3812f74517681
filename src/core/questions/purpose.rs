//! Purpose and term: what goes beyond what was granted.

use std::collections::BTreeSet;

use crate::core::book::facts::{AgencyNo, Grant, TextKey};
use crate::core::clocks::Moment;
use crate::core::questions::is_over;
use crate::core::time::day_number_of;

/// A grant with its parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    pub grant: u64,
    pub provider: AgencyNo,
    pub requester: AgencyNo,
}

/// The answer to the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurposeAndTerm {
    /// Over, delivered under, and not disposed of.
    pub undisposed: Vec<Granted>,
    /// Deliveries on days outside the grant's term: position of the delivery, and the grant.
    pub outside_term: Vec<(u64, Granted)>,
    /// Reports of use, with the place in `counts` of a purpose that is neither the request's nor one of the datasets'.
    pub off_purpose: Vec<(u64, usize, Granted)>,
}

pub fn purpose_and_term(moment: &Moment<'_>) -> PurposeAndTerm {
    let book = moment.book;
    let mut found = PurposeAndTerm::default();
    for grant in book.grants.iter().filter(|grant| grant.at.seen(moment.as_of)) {
        let came = book.items_of(grant).iter().any(|item| item.delivered.seen(moment.as_of));
        if came && is_over(moment, grant) && !grant.disposed.seen(moment.as_of) {
            found.undisposed.push(granted(moment, grant));
        }
    }
    for delivery in book.deliveries.iter().filter(|delivery| delivery.at.seen(moment.as_of)) {
        let grant = book.grant(book.item(delivery.item).grant);
        let Some(term) = grant.term else {
            continue;
        };
        let day = day_number_of(delivery.at.unix_ms(), book.limits_at(delivery.at).utc_offset_minutes);
        if !(term.from..=term.to).contains(&day) {
            found.outside_term.push((delivery.at.position(), granted(moment, grant)));
        }
    }
    for report in book.uses.iter().filter(|report| report.at.seen(moment.as_of)) {
        let grant = book.grant(report.grant);
        let allowed = purposes(moment, grant);
        for (place, _) in report.purposes.iter().enumerate().filter(|(_, purpose)| !allowed.contains(purpose)) {
            found.off_purpose.push((report.at.position(), place, granted(moment, grant)));
        }
    }
    found
}

/// The request's own purpose, and those of its datasets at the versions that were asked for.
fn purposes(moment: &Moment<'_>, grant: &Grant) -> BTreeSet<TextKey> {
    let book = moment.book;
    let request = book.request(grant.request);
    let mut allowed = BTreeSet::from([request.purpose]);
    for requested in book.requested_of(request) {
        let versions = &book.datasets[requested.dataset.index()].versions;
        allowed.extend(versions.iter().filter(|version| version.number == requested.version).flat_map(|version| version.purposes.iter()));
    }
    allowed
}

fn granted(moment: &Moment<'_>, grant: &Grant) -> Granted {
    let request = moment.book.request(grant.request);
    Granted { grant: grant.at.position(), provider: request.provider, requester: request.requester }
}
