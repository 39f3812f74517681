//! The clocks of corrections, the catalogue, disputes and findings.

use crate::core::book::at::At;
use crate::core::book::facts::Clock;
use crate::core::clocks::{Draft, Offers, Subject};
use crate::core::due::Limit;

pub(super) fn corrections(offers: &mut Offers<'_, '_>) {
    let book = offers.moment.book;
    for correction in &book.corrections {
        let grant = book.grant(correction.grant);
        let request = book.request(grant.request);
        if !offers.wants(correction.at, request.provider, correction.closed, At::NEVER) {
            continue;
        }
        let limits = book.limits_at(correction.at);
        offers.offer(Draft {
            clock: Clock::Correction,
            debtor: Some(request.provider),
            creditor: Some(request.requester),
            subject: Subject {
                request: Some(request.at.position()),
                grant: Some(grant.at.position()),
                delivery: correction.delivery.map(|delivery| book.delivery(delivery).at.position()),
                dataset: Some(correction.dataset),
                ..Subject::default()
            },
            started: correction.at,
            start: None,
            limits,
            limit: Limit::Days(limits.correction),
            extended: 0,
            met: correction.closed,
            cut: At::NEVER,
        });
    }
}

pub(super) fn updates(offers: &mut Offers<'_, '_>) {
    let moment = offers.moment;
    for orphaned in &moment.book.orphaned {
        let versions = &moment.book.datasets[orphaned.dataset.index()].versions;
        let Some(version) = versions.iter().rev().find(|version| version.at.precedes(orphaned.at)) else {
            continue;
        };
        if !offers.wants(orphaned.at, version.provider, orphaned.stop, At::NEVER) {
            continue;
        }
        let limits = moment.book.limits_at(orphaned.at);
        let extended = moment.extension(orphaned.at, Clock::CatalogueUpdate);
        offers.offer(Draft {
            clock: Clock::CatalogueUpdate,
            debtor: Some(version.provider),
            creditor: moment.authority_over(&[version.provider], orphaned.at),
            subject: Subject { dataset: Some(orphaned.dataset), duty: Some(orphaned.duty), ..Subject::default() },
            started: orphaned.at,
            start: None,
            limits,
            limit: Limit::Days(limits.catalogue_update.saturating_add(extended)),
            extended,
            met: orphaned.stop,
            cut: At::NEVER,
        });
    }
}

pub(super) fn reviews(offers: &mut Offers<'_, '_>) {
    let moment = offers.moment;
    for (dataset, number) in moment.book.datasets.iter().zip(0..) {
        for (index, version) in dataset.versions.iter().enumerate() {
            let newer = dataset.versions.get(index + 1).map_or(At::NEVER, |newer| newer.at);
            let met = version.reviewed.or_first(newer).or_first(dataset.retired);
            let is_over = offers.wanted.only != super::Only::All && met.seen(moment.as_of);
            if is_over || !version.at.seen(moment.as_of) {
                continue;
            }
            let limits = moment.book.limits_at(version.at);
            offers.offer(Draft {
                clock: Clock::CatalogueReview,
                debtor: moment.authority_over(&[version.provider], version.at),
                creditor: Some(version.provider),
                subject: Subject { dataset: Some(super::DatasetNo(number)), ..Subject::default() },
                started: version.at,
                start: None,
                limits,
                limit: Limit::Days(limits.catalogue_review),
                extended: 0,
                met,
                cut: At::NEVER,
            });
        }
    }
}

pub(super) fn disputes(offers: &mut Offers<'_, '_>) {
    let moment = offers.moment;
    for dispute in moment.book.disputes.iter().filter(|dispute| dispute.at.seen(moment.as_of)) {
        if offers.wanted.only != super::Only::All && dispute.decided.seen(moment.as_of) {
            continue;
        }
        let request = moment.book.request(dispute.request);
        let referred = dispute.referrals.iter().rev().find(|(at, _)| at.seen(moment.as_of)).map(|(_, to)| *to);
        let limits = moment.book.limits_at(dispute.at);
        let extended = moment.extension(dispute.at, Clock::Dispute);
        offers.offer(Draft {
            clock: Clock::Dispute,
            debtor: referred.or_else(|| moment.authority_over(&[request.provider, request.requester], dispute.at)),
            creditor: Some(dispute.by),
            subject: Subject { request: Some(request.at.position()), ..Subject::default() },
            started: dispute.at,
            start: None,
            limits,
            limit: Limit::Days(limits.dispute.saturating_add(extended)),
            extended,
            met: dispute.decided,
            cut: At::NEVER,
        });
    }
}

pub(super) fn rectifications(offers: &mut Offers<'_, '_>) {
    let moment = offers.moment;
    for finding in &moment.book.findings {
        if !offers.wants(finding.at, finding.agency, finding.closed, At::NEVER) {
            continue;
        }
        let limits = moment.book.limits_at(finding.at);
        let extended = moment.extension(finding.at, Clock::Rectification);
        offers.offer(Draft {
            clock: Clock::Rectification,
            debtor: Some(finding.agency),
            creditor: Some(finding.by),
            subject: Subject::default(),
            started: finding.at,
            start: None,
            limits,
            limit: match finding.due {
                Some(day) => Limit::After { day, days: extended },
                None => Limit::Days(limits.rectification.saturating_add(extended)),
            },
            extended,
            met: finding.closed,
            cut: At::NEVER,
        });
    }
}
