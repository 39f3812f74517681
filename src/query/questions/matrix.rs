//! The matrix of lines and territories: tables of providers and requesters, the flow between lines, and their totals.

use crate::core::json::{Value, object};
use crate::core::questions::matrix::{Counts, Flow, Frame, Place, matrix};
use crate::core::refusal::{Code, Refusal};
use crate::core::time::Time;
use crate::query::QueryError;
use crate::query::catalogue::with;
use crate::query::questions::View;

/// A table of all three: `table` says which one a line is of.
pub const COLUMNS: &[&str] = &[
    "table",
    "line",
    "territory",
    "catalogued",
    "requests",
    "answered",
    "on_time",
    "median_days",
    "refused",
    "promised",
    "delivered",
    "matched",
    "corrections",
    "backflow",
    "open",
    "to_line",
    "same_territory",
    "up",
    "down",
    "same_line",
    "diagonal",
    "outside",
];

/// The whole ledger up to the moment where no period is named. With a territory, the cells that lie in it, and no flow, which
/// has no territory.
///
/// # Errors
/// `query-invalid`.
pub fn answer(view: &View<'_>, offset_minutes: u64) -> Result<Value, QueryError> {
    let asked = view.asked;
    let digits = asked.digits.unwrap_or(12);
    let start = Time::from_unix_ms(0).expect("zero is below the year 10000");
    let from = asked.from.map_or(start, |from| from.start(offset_minutes));
    let to = asked.to.map_or(view.moment.as_of.time.plus_ms(1), |to| to.start(offset_minutes));
    let invalid = |found: String, expected: &str| QueryError::from(Refusal::new(Code::QueryInvalid, found, expected));
    if to < from {
        return Err(invalid(format!("from {from} to {to}"), "an end that is not before the start"));
    }
    let territory = asked.territory.as_deref();
    if territory.is_some_and(|code| code.len() > digits) {
        return Err(invalid(
            format!("territory={} digits={digits}", territory.unwrap_or_default()),
            "at least as many digits as the code has",
        ));
    }
    let found = matrix(&view.moment, &Frame { from, to, digits });
    let within = |place: &Place| territory.is_none_or(|code| place.territory.starts_with(code));
    let side = |cells: Vec<(&Place, &Counts)>| {
        let mut sum = Counts::default();
        cells.iter().for_each(|(_, counts)| add(&mut sum, counts));
        (cells.into_iter().map(|(place, counts)| cell(place, counts)).collect::<Vec<_>>(), counted(&sum))
    };
    let (provider, provider_sum) = side(found.providers.iter().filter(|(place, _)| within(place)).collect());
    let (requester, requester_sum) = side(found.requesters.iter().filter(|(place, _)| within(place)).collect());
    let mut answer = object([
        ("from", from.to_string().into()),
        ("provider", provider.into()),
        ("requester", requester.into()),
        ("to", to.to_string().into()),
    ]);
    let mut totals = object([("provider", provider_sum), ("requester", requester_sum)]);
    if territory.is_none() {
        let mut sum = Flow::default();
        found.flows.values().for_each(|flow| add_flow(&mut sum, flow));
        let flows = found
            .flows
            .iter()
            .map(|((line, to_line), flow)| with(flowed(flow), [named("line", line), named("to_line", to_line)].into_iter().flatten()));
        answer = with(answer, [("flow", Value::Array(flows.collect()))]);
        totals = with(totals, [("flow", flowed(&sum))]);
    }
    Ok(with(answer, [("totals", totals)]))
}

/// A member for a text; none for an empty one.
fn named(name: &'static str, text: &str) -> Option<(&'static str, Value)> {
    (!text.is_empty()).then(|| (name, text.into()))
}

fn cell(place: &Place, counts: &Counts) -> Value {
    with(counted(counts), [named("line", &place.line), named("territory", &place.territory)].into_iter().flatten())
}

fn counted(counts: &Counts) -> Value {
    let value = object([
        ("answered", counts.answered.into()),
        ("backflow", counts.backflow.into()),
        ("catalogued", counts.catalogued.into()),
        ("corrections", counts.corrections.into()),
        ("delivered", counts.delivered.into()),
        ("matched", counts.matched.into()),
        ("on_time", counts.on_time.into()),
        ("open", counts.open.into()),
        ("promised", counts.promised.into()),
        ("refused", counts.refused.into()),
        ("requests", counts.requests.into()),
    ]);
    with(value, counts.median_days.map(|days| ("median_days", days.into())))
}

/// All but the median, which has no sum.
fn add(sum: &mut Counts, more: &Counts) {
    sum.answered += more.answered;
    sum.backflow += more.backflow;
    sum.catalogued += more.catalogued;
    sum.corrections += more.corrections;
    sum.delivered += more.delivered;
    sum.matched += more.matched;
    sum.on_time += more.on_time;
    sum.open += more.open;
    sum.promised += more.promised;
    sum.refused += more.refused;
    sum.requests += more.requests;
}

fn flowed(flow: &Flow) -> Value {
    object([
        ("diagonal", flow.diagonal.into()),
        ("down", flow.down.into()),
        ("outside", flow.outside.into()),
        ("same_line", flow.same_line.into()),
        ("same_territory", flow.same_territory.into()),
        ("up", flow.up.into()),
    ])
}

fn add_flow(sum: &mut Flow, more: &Flow) {
    sum.diagonal += more.diagonal;
    sum.down += more.down;
    sum.outside += more.outside;
    sum.same_line += more.same_line;
    sum.same_territory += more.same_territory;
    sum.up += more.up;
}
