//! The clocks of what was granted: deliveries once and by period, their receipts, and what does not match.

use crate::core::book::at::At;
use crate::core::book::facts::{Clock, Delivery, Grant, Item, ItemNo};
use crate::core::book::period::{Length, Period};
use crate::core::clocks::{Draft, Offers, Subject};
use crate::core::due::Limit;
use crate::core::time::day_number_of;

pub(super) fn promised(offers: &mut Offers<'_, '_>) {
    let moment = offers.moment;
    for grant in moment.book.grants.iter().filter(|grant| grant.at.seen(moment.as_of)) {
        let debtor = moment.book.request(grant.request).provider;
        if offers.wanted.debtor.is_some_and(|wanted| moment.end_of(debtor) != wanted) {
            continue;
        }
        match grant.frequency.and_then(Length::of) {
            Some(length) => by_period(offers, grant, length),
            None => once(offers, grant),
        }
    }
}

/// A stretch of a grant's life: from the answer or a resumption to the next suspension or the end.
struct Stretch {
    started: At,
    /// The suspension that was lifted.
    suspended: At,
    cut: At,
}

fn stretches(grant: &Grant) -> impl Iterator<Item = Stretch> {
    let starts = std::iter::once((grant.at, At::NEVER)).chain(grant.pauses.iter().map(|pause| (pause.resumed, pause.suspended)));
    let suspensions = grant.pauses.iter().map(|pause| pause.suspended).chain(std::iter::once(At::NEVER));
    let ended = grant.ended;
    let stretches =
        starts.zip(suspensions).map(move |((started, suspended), next)| Stretch { started, suspended, cut: next.or_first(ended) });
    stretches.filter(move |stretch| !ended.precedes(stretch.started))
}

fn once<'a>(offers: &mut Offers<'_, 'a>, grant: &'a Grant) {
    let moment = offers.moment;
    let request = moment.book.request(grant.request);
    for stretch in stretches(grant) {
        let limits = moment.book.limits_at(stretch.started);
        let first = stretch.suspended.is_never();
        let limit = match grant.promised.filter(|_| first) {
            Some(promised) => Limit::Promised { days: limits.delivery, promised },
            None => Limit::Days(limits.delivery),
        };
        for item in moment.book.items_of(grant) {
            let was_open = first || !item.delivered.precedes(stretch.suspended);
            if !was_open || !offers.wants(stretch.started, request.provider, item.delivered, stretch.cut) {
                continue;
            }
            offers.offer(Draft {
                clock: Clock::Delivery,
                debtor: Some(request.provider),
                creditor: Some(request.requester),
                subject: subject(grant, item, request.at),
                started: stretch.started,
                start: None,
                limits,
                limit,
                extended: 0,
                met: item.delivered,
                cut: stretch.cut,
            });
        }
    }
}

fn subject(grant: &Grant, item: &Item, request: At) -> Subject {
    let (request, grant) = (Some(request.position()), Some(grant.at.position()));
    Subject { request, grant, dataset: Some(item.dataset), ..Subject::default() }
}

fn by_period<'a>(offers: &mut Offers<'_, 'a>, grant: &'a Grant, length: Length) {
    let moment = offers.moment;
    let request = moment.book.request(grant.request);
    for stretch in stretches(grant).filter(|stretch| stretch.started.seen(moment.as_of)) {
        let limits = moment.book.limits_at(stretch.started);
        let day = |at: At| day_number_of(at.unix_ms(), limits.utc_offset_minutes);
        let mut through = moment.day(limits).min(grant.term.map_or(i32::MAX, |term| term.to));
        if stretch.cut.seen(moment.as_of) {
            through = through.min(day(stretch.cut));
        }
        // Whole periods only, save the one of the answer's day where no term says when it begins.
        let begins = match (stretch.suspended.is_never(), grant.term) {
            (true, None) => i32::MIN,
            (true, Some(term)) => term.from,
            (false, term) => day(stretch.started).max(term.map_or(i32::MIN, |term| term.from)),
        };
        let mut period = Period::holding(length, day(stretch.started).max(begins));
        if period.is_some_and(|period| period.first() < begins) {
            period = period.and_then(Period::next);
        }
        while let Some(current) = period.filter(|period| period.last() <= through) {
            for (item, number) in moment.book.items_of(grant).iter().zip(grant.first..) {
                let met = moment.book.first_of_period.get(&(ItemNo(number), current)).copied().unwrap_or(At::NEVER);
                if offers.wants(stretch.started, request.provider, met, At::NEVER) {
                    offers.offer(Draft {
                        clock: Clock::Delivery,
                        debtor: Some(request.provider),
                        creditor: Some(request.requester),
                        subject: Subject { period: Some(current), ..subject(grant, item, request.at) },
                        started: stretch.started,
                        start: Some(current.last()),
                        limits,
                        limit: Limit::Days(limits.delivery),
                        extended: 0,
                        met,
                        cut: At::NEVER,
                    });
                }
            }
            period = current.next();
        }
    }
}

fn subject_of(offers: &Offers<'_, '_>, delivery: &Delivery) -> Subject {
    let book = offers.moment.book;
    let item = book.item(delivery.item);
    let grant = book.grant(item.grant);
    let whole = subject(grant, item, book.request(grant.request).at);
    Subject { delivery: Some(delivery.at.position()), period: delivery.period, ..whole }
}

pub(super) fn receipts(offers: &mut Offers<'_, '_>) {
    let moment = offers.moment;
    for delivery in &moment.book.deliveries {
        if offers.wanted.only != super::Only::All && delivery.receipt.seen(moment.as_of) {
            continue;
        }
        let request = moment.book.request_of(moment.book.item(delivery.item).grant);
        if !offers.wants(delivery.at, request.requester, delivery.receipt, At::NEVER) {
            continue;
        }
        let limits = moment.book.limits_at(delivery.at);
        offers.offer(Draft {
            clock: Clock::Receipt,
            debtor: Some(request.requester),
            creditor: Some(request.provider),
            subject: subject_of(offers, delivery),
            started: delivery.at,
            start: None,
            limits,
            limit: Limit::Days(limits.receipt),
            extended: 0,
            met: delivery.receipt,
            cut: At::NEVER,
        });
    }
}

pub(super) fn mismatches(offers: &mut Offers<'_, '_>) {
    let moment = offers.moment;
    for mismatch in &moment.book.mismatches {
        let delivery = moment.book.delivery(mismatch.delivery);
        let request = moment.book.request_of(moment.book.item(delivery.item).grant);
        if !offers.wants(delivery.receipt, request.provider, mismatch.stop, At::NEVER) {
            continue;
        }
        let limits = moment.book.limits_at(delivery.receipt);
        let extended = moment.extension(delivery.receipt, Clock::Mismatch);
        offers.offer(Draft {
            clock: Clock::Mismatch,
            debtor: Some(request.provider),
            creditor: Some(request.requester),
            subject: subject_of(offers, delivery),
            started: delivery.receipt,
            start: None,
            limits,
            limit: Limit::Days(limits.mismatch.saturating_add(extended)),
            extended,
            met: mismatch.stop,
            cut: At::NEVER,
        });
    }
}
