//! Promises that are not kept.

use crate::core::book::facts::{AgencyNo, DatasetNo, Delivery};
use crate::core::book::period::Period;
use crate::core::clocks::{Clock, Moment, Obligation, Only, Wanted};

/// A delivery and its parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub delivery: u64,
    pub grant: u64,
    pub dataset: DatasetNo,
    pub period: Option<Period>,
    pub provider: AgencyNo,
    pub requester: AgencyNo,
    /// Position of the receipt, if there is one.
    pub receipt: Option<u64>,
}

/// The answer to the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    /// Agreed and not delivered: the open obligations to deliver.
    pub undelivered: Vec<Obligation>,
    /// Delivered without a receipt.
    pub unacknowledged: Vec<Delivered>,
    /// Receipts whose commitment or count differs, and nothing mended it since.
    pub mismatched: Vec<Delivered>,
}

pub fn promises(moment: &Moment<'_>) -> Promises {
    let book = moment.book;
    let mut found = Promises::default();
    let wanted = Wanted { debtor: None, clock: Some(Clock::Delivery), only: Only::Open };
    moment.obligations(&wanted, &mut |obligation| found.undelivered.push(obligation));
    for delivery in book.deliveries.iter().filter(|delivery| delivery.at.seen(moment.as_of) && !delivery.receipt.seen(moment.as_of)) {
        found.unacknowledged.push(delivered(moment, delivery));
    }
    for mismatch in &book.mismatches {
        let delivery = book.delivery(mismatch.delivery);
        if delivery.receipt.seen(moment.as_of) && !mismatch.stop.seen(moment.as_of) {
            found.mismatched.push(delivered(moment, delivery));
        }
    }
    found
}

fn delivered(moment: &Moment<'_>, delivery: &Delivery) -> Delivered {
    let item = moment.book.item(delivery.item);
    let request = moment.book.request_of(item.grant);
    Delivered {
        delivery: delivery.at.position(),
        grant: moment.book.grant(item.grant).at.position(),
        dataset: item.dataset,
        period: delivery.period,
        provider: request.provider,
        requester: request.requester,
        receipt: delivery.receipt.seen(moment.as_of).then(|| delivery.receipt.position()),
    }
}
