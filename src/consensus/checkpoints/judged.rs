//! What the own tree says of a size: its root, and the set that judges it.

use crate::core::hash::Hash;
use crate::core::rules;
use crate::core::validators::ValidatorSet;
use crate::log::merkle;
use crate::store::{Reader, StoreError};

/// A size at which a block of the own tree ends.
pub struct Judged {
    pub size: u64,
    pub root: Hash,
    /// The set that the block entry at size - 1 names.
    pub set: ValidatorSet,
}

/// Looks up a size; `None` beyond the own tree and where no block ends.
///
/// # Errors
/// [`StoreError`]; `Corrupt` when the state knows another set than the entry names.
pub fn judge(reader: &Reader, size: u64) -> Result<Option<Judged>, StoreError> {
    let Some(last) = size.checked_sub(1).filter(|last| *last < reader.head().size) else {
        return Ok(None);
    };
    let Some(height) = reader.height_of(last)? else {
        return Ok(None);
    };
    let Some(entry) = reader.entry(height)?.filter(|entry| entry.position == last) else {
        return Ok(None);
    };
    let set = rules::validator_set(reader, height);
    if set.hash() != entry.validators {
        let object = format!("validator set of height {height}");
        return Err(StoreError::Corrupt { object, found: format!("{} where the entry names {}", set.hash(), entry.validators) });
    }
    let root = merkle::root_at(reader, size)?;
    Ok(Some(Judged { size, root, set }))
}
