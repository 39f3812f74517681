//! Who gives what to whom, under what law, until when.

use crate::core::book::facts::{AgencyNo, DatasetNo, DutyNo, ItemNo};
use crate::core::clocks::Moment;
use crate::core::questions::is_over;
use crate::core::time::Day;

/// One dataset of a grant that is not over. The law, purpose and titles stand in the records named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    pub provider: AgencyNo,
    pub requester: AgencyNo,
    pub dataset: DatasetNo,
    /// Position of the dataset's newest version.
    pub published: u64,
    pub duty: DutyNo,
    /// Position of the request: legal bases and purpose.
    pub request: u64,
    pub grant: u64,
    /// The last day of the term.
    pub until: Option<Day>,
    pub suspended: bool,
    pub deliveries: u64,
}

/// In order of the grants.
pub fn public_view(moment: &Moment<'_>) -> Vec<Sharing> {
    let book = moment.book;
    let mut counts = vec![0_u64; book.items.len()];
    for delivery in book.deliveries.iter().filter(|delivery| delivery.at.seen(moment.as_of)) {
        counts[delivery.item.index()] += 1;
    }
    let mut found = Vec::new();
    for grant in book.grants.iter().filter(|grant| grant.at.seen(moment.as_of) && !is_over(moment, grant)) {
        let request = book.request(grant.request);
        let paused = grant.pauses.iter().any(|pause| pause.suspended.seen(moment.as_of) && !pause.resumed.seen(moment.as_of));
        for (item, number) in book.items_of(grant).iter().zip(grant.first..) {
            found.push(Sharing {
                provider: request.provider,
                requester: request.requester,
                dataset: item.dataset,
                published: book.version(item.dataset, moment.as_of).map_or(0, |version| version.at.position()),
                duty: request.duty,
                request: request.at.position(),
                grant: grant.at.position(),
                until: grant.term.and_then(|term| Day::from_number(term.to)),
                suspended: paused,
                deliveries: counts[ItemNo(number).index()],
            });
        }
    }
    found
}
