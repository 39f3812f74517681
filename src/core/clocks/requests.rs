//! The clocks that a request starts: its answer, and the data of a backflow.

use crate::core::book::at::At;
use crate::core::book::facts::{Class, Clock, Limits, Request, Sort};
use crate::core::clocks::{Draft, Moment, Offers, Subject};
use crate::core::due::{Limit, Supplement, answer_limit};
use crate::core::time::day_number_of;

pub(super) fn answers(offers: &mut Offers<'_, '_>) {
    let moment = offers.moment;
    for request in &moment.book.requests {
        let met = request.answer.or_first(request.withdrawn);
        if !offers.wants(request.at, request.provider, met, At::NEVER) {
            continue;
        }
        let limits = moment.book.limits_at(request.at);
        let extended = moment.extension(request.at, Clock::Answer);
        offers.offer(Draft {
            clock: Clock::Answer,
            debtor: Some(request.provider),
            creditor: Some(request.requester),
            subject: Subject { request: Some(request.at.position()), ..Subject::default() },
            started: request.at,
            start: None,
            limits,
            limit: limit_of(moment, request, limits, extended),
            extended,
            met,
            cut: At::NEVER,
        });
    }
}

fn limit_of(moment: &Moment<'_>, request: &Request, limits: &Limits, extended: u64) -> Limit {
    let days = match request.class {
        Class::Unconditional => limits.answer_unconditional,
        Class::Conditional | Class::Withheld => limits.answer_conditional,
    };
    let day = |at: At| day_number_of(at.unix_ms(), limits.utc_offset_minutes);
    let supplement = (limits.pause_on_supplement && request.asked.seen(moment.as_of))
        .then(|| Supplement { asked: day(request.asked), given: request.given.seen(moment.as_of).then(|| day(request.given)) });
    answer_limit(&moment.calendars, day(request.at), days.saturating_add(extended), supplement)
}

pub(super) fn backflows(offers: &mut Offers<'_, '_>) {
    let moment = offers.moment;
    for request in moment.book.requests.iter().filter(|request| request.sort == Sort::Backflow) {
        if !offers.wants(request.at, request.provider, request.backflow_stop, At::NEVER) {
            continue;
        }
        let limits = moment.book.limits_at(request.at);
        let extended = moment.extension(request.at, Clock::Backflow);
        offers.offer(Draft {
            clock: Clock::Backflow,
            debtor: Some(request.provider),
            creditor: Some(request.requester),
            subject: Subject { request: Some(request.at.position()), ..Subject::default() },
            started: request.at,
            start: None,
            limits,
            limit: Limit::Days(limits.backflow.saturating_add(extended)),
            extended,
            met: request.backflow_stop,
            cut: At::NEVER,
        });
    }
}
