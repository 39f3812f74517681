//! Blocks and validator sets.

use crate::core::json::{Value, object};
use crate::core::refusal::{Code, Refusal};
use crate::core::rules;
use crate::log::entry::BlockEntry;
use crate::query::QueryError;
use crate::query::page::{Filter, Page};
use crate::store::Reader;

/// The block of `height`: the members of its entry, the entry itself, its certificate.
///
/// # Errors
/// `not-found` beyond the head, and those of the store.
pub fn block(reader: &Reader, height: u64) -> Result<Value, QueryError> {
    let beyond = || QueryError::not_found(format!("height {height}"), format!("1 to {}", reader.head().height));
    let entry = reader.entry(height)?.ok_or_else(beyond)?;
    let certificate = reader.certificate(height)?.ok_or_else(beyond)?;
    let text = entry.to_text();
    let BlockEntry { first, height, ledger, next, position, previous, proposer, root, rules, state, time, validators } = &entry;
    Ok(object([
        ("certificate", certificate.to_value()),
        ("entry", text.into()),
        ("first", (*first).into()),
        ("hash", entry.hash().to_hex().into()),
        ("height", (*height).into()),
        ("ledger", ledger.as_str().into()),
        ("next", next.to_hex().into()),
        ("position", (*position).into()),
        ("previous", previous.to_hex().into()),
        ("proposer", proposer.as_str().into()),
        ("records", (position - first).into()),
        ("root", root.to_hex().into()),
        ("rules", (*rules).into()),
        ("state", state.to_hex().into()),
        ("time", time.to_string().into()),
        ("validators", validators.to_hex().into()),
    ]))
}

/// The list of blocks, counted by height.
///
/// # Errors
/// `cursor-invalid`, and those of the store.
pub fn list(reader: &Reader, filter: &Filter) -> Result<Value, QueryError> {
    let mut page = Page::new(reader, "blocks", filter)?;
    let (from, to) = page.positions(filter)?;
    let first = reader.height_of(from)?.unwrap_or(page.head.height.saturating_add(1)).max(page.start()).max(1);
    let end = match to.checked_sub(1) {
        Some(last) => reader.height_of(last)?.unwrap_or(page.head.height),
        None => 0,
    };
    let mut last = None;
    for height in first..=end {
        if page.ends_after(last) {
            break;
        }
        page.look(2);
        let item = block(reader, height)?;
        page.push(item);
        last = Some(height);
    }
    Ok(page.into_value())
}

/// The validator set of `height`, by default the newest block's.
///
/// # Errors
/// `query-invalid` for height 0, `not-found` beyond the next height.
pub fn validators(reader: &Reader, height: Option<u64>) -> Result<Value, QueryError> {
    let next = reader.head().height.saturating_add(1);
    let height = height.unwrap_or_else(|| reader.head().height.max(1));
    if height == 0 {
        return Err(Refusal::new(Code::QueryInvalid, "height=0", "a height from 1").into());
    }
    if height > next {
        return Err(QueryError::not_found(format!("height {height}"), format!("at most {next}, whose set is known")));
    }
    let set = rules::validator_set(reader, height);
    Ok(object([("height", height.into()), ("sha256", set.hash().to_hex().into()), ("validators", set.to_value())]))
}
