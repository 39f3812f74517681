//! The due days that a record would start if it were committed now.
//!
//! The record is put into a copy of the book, and the clocks are read from that: what a dry run shows is what the ledger
//! would say. Of a standing grant the first period shows, so the copy is asked a year ahead.

use std::collections::BTreeMap;

use crate::core::book::Book;
use crate::core::book::at::AsOf;
use crate::core::clocks::{Moment, Obligation, Wanted};
use crate::core::json::Value;
use crate::core::record::Record;
use crate::core::time::{Day, Time};
use crate::query::QueryError;
use crate::query::book::BookKeeper;

/// The longest period of a standing grant is a year.
const AHEAD_MS: u64 = 366 * 86_400_000;

/// The clocks that `record`, committed at `time`, would start: each with its name, who owes whom, what, and the due day.
///
/// # Errors
/// Those of the store.
pub fn due_days(record: &Record, keeper: &BookKeeper, time: Time) -> Result<Vec<Value>, QueryError> {
    let mut book = keeper.caught_up()?.clone();
    let position = book.size();
    book.take(record, position, time);
    let moment = Moment::new(&book, AsOf { size: book.size(), time: time.plus_ms(AHEAD_MS) });
    let mut first: BTreeMap<_, Obligation> = BTreeMap::new();
    moment.obligations(&Wanted::default(), &mut |obligation| {
        if obligation.started.position() == position {
            first.entry((obligation.clock, obligation.subject.dataset)).or_insert(obligation);
        }
    });
    Ok(first.values().map(|obligation| line(&book, obligation)).collect())
}

/// Members that do not apply are absent.
fn line(book: &Book, obligation: &Obligation) -> Value {
    let text = |text: &str| Some(Value::from(text));
    let day = |day: Day| Value::from(day.to_string());
    let members = [
        ("clock", text(obligation.clock.as_str())),
        ("creditor", obligation.creditor.and_then(|agency| text(book.agency_id(agency)))),
        ("dataset", obligation.subject.dataset.and_then(|dataset| text(book.dataset_id(dataset)))),
        ("debtor", obligation.debtor.and_then(|agency| text(book.agency_id(agency)))),
        ("due", obligation.due.map(day)),
        ("period_end", obligation.subject.period.and_then(|period| Day::from_number(period.last())).map(day)),
        ("provisional", Some(obligation.provisional.into())),
    ];
    Value::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}
