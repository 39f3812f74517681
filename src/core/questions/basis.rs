//! Refusals without a basis or against the catalogue, and withheld entries without their bar.

use crate::core::book::facts::{AgencyNo, Class, DatasetNo, Outcome, RefusalCode, Request};
use crate::core::clocks::Moment;
use crate::core::questions::catalogued;

/// What is wrong with a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No legal basis is named.
    NoBasis,
    /// The catalogue calls the data unconditional.
    Unconditional,
    /// The reason is that the law withholds them, and the catalogue does not say so.
    NotWithheld,
}

/// A refusal that lacks something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Position of the answer.
    pub answer: u64,
    pub request: u64,
    pub provider: AgencyNo,
    pub requester: AgencyNo,
    pub datasets: Vec<DatasetNo>,
    pub faults: Vec<Fault>,
}

/// The answer to the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    pub refusals: Vec<Refusal>,
    /// Withheld entries of the catalogue without a bar: dataset and position of its newest version.
    pub unbarred: Vec<(DatasetNo, u64)>,
}

pub fn basis(moment: &Moment<'_>) -> Basis {
    let book = moment.book;
    let refused = |request: &&Request| request.answer.seen(moment.as_of) && request.outcome == Some(Outcome::Refuse);
    let refusals = book.requests.iter().filter(refused).filter_map(|request| {
        let faults = faults(request);
        (!faults.is_empty()).then(|| Refusal {
            answer: request.answer.position(),
            request: request.at.position(),
            provider: request.provider,
            requester: request.requester,
            datasets: book.requested_of(request).iter().map(|requested| requested.dataset).collect(),
            faults,
        })
    });
    let unbarred = catalogued(moment).filter(|(_, version)| version.class == Class::Withheld && !version.reasoned);
    Basis { refusals: refusals.collect(), unbarred: unbarred.map(|(dataset, version)| (dataset, version.at.position())).collect() }
}

/// Judged by the class that the request was filed under.
fn faults(request: &Request) -> Vec<Fault> {
    let found = [
        (!request.based, Fault::NoBasis),
        (request.class == Class::Unconditional, Fault::Unconditional),
        (request.code == Some(RefusalCode::WithheldByLaw) && request.class != Class::Withheld, Fault::NotWithheld),
    ];
    found.into_iter().filter(|(holds, _)| *holds).map(|(_, fault)| fault).collect()
}
