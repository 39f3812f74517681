//! Index terms, and how their positions lie in the database.
//!
//! Terms of a record: `kind:<kind>`, `agency:<id in ASCII lower case>` of the writer and the other party,
//! `dataset:<id>`, `duty:<id>`, `request:<hex id>`, `ref:<hex id>` for each of its refs.
//!
//! A batch adds one entry per term: `i`, the first 12 bytes of the term's SHA-256, the first position in 5 bytes;
//! the value holds the distances of the following ones (LEB128).

use std::collections::BTreeMap;

use crate::core::hash::Hash;
use crate::core::record::Record;
use crate::core::rules::Subjects;

/// 12 bytes of SHA-256: two terms of one ledger do not meet by chance.
pub type TermKey = [u8; 12];

/// Bytes of `i` and the term.
pub const TERM_PREFIX_BYTES: usize = 13;
const POSITION_BYTES: usize = 5;
/// The last position that 5 bytes hold.
pub const POSITION_MAX: u64 = (1 << 40) - 1;

/// The terms of a record.
pub fn terms(record: &Record, subjects: &Subjects) -> Vec<String> {
    let mut terms = vec![format!("kind:{}", record.kind.as_str())];
    terms.extend(subjects.agencies.iter().map(|id| format!("agency:{}", id.to_ascii_lowercase())));
    terms.extend(subjects.datasets.iter().map(|id| format!("dataset:{id}")));
    terms.extend(subjects.duties.iter().map(|id| format!("duty:{id}")));
    terms.extend(subjects.request.iter().map(|id| format!("request:{id}")));
    terms.extend(record.refs.iter().map(|id| format!("ref:{id}")));
    terms.sort();
    terms.dedup();
    terms
}

pub fn term_key(term: &str) -> TermKey {
    *Hash::of(term.as_bytes()).as_bytes().first_chunk().expect("a hash has 32 bytes")
}

/// Positions by term, of one block; given in ascending order.
pub fn by_term(terms: &[(String, u64)]) -> BTreeMap<TermKey, Vec<u64>> {
    let mut keys: BTreeMap<&str, TermKey> = BTreeMap::new();
    let mut out: BTreeMap<TermKey, Vec<u64>> = BTreeMap::new();
    for (term, position) in terms {
        let key = *keys.entry(term).or_insert_with(|| term_key(term));
        out.entry(key).or_default().push(*position);
    }
    out
}

/// The key of an entry whose first position is `position`.
pub fn entry_key(term: &TermKey, position: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(TERM_PREFIX_BYTES + POSITION_BYTES);
    key.push(b'i');
    key.extend_from_slice(term);
    key.extend_from_slice(&position.min(POSITION_MAX).to_be_bytes()[8 - POSITION_BYTES..]);
    key
}

/// The distances between ascending positions.
pub fn encode(positions: &[u64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(positions.len());
    for pair in positions.windows(2) {
        let mut distance = pair[1] - pair[0];
        while distance >= 0x80 {
            out.push(u8::try_from(distance & 0x7f).expect("7 bits") | 0x80);
            distance >>= 7;
        }
        out.push(u8::try_from(distance).expect("7 bits"));
    }
    out
}

/// The positions of an entry; `None` for another shape.
pub fn decode(key: &[u8], value: &[u8]) -> Option<Vec<u64>> {
    let first = key.get(TERM_PREFIX_BYTES..).filter(|rest| rest.len() == POSITION_BYTES)?;
    let mut position = first.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let mut out = vec![position];
    let (mut distance, mut shift) = (0, 0);
    for byte in value {
        distance |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            position = position.checked_add(distance)?;
            out.push(position);
            (distance, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_an_entry_come_back() {
        let term = term_key("kind:share.deliver");
        for positions in [vec![0], vec![7, 8, 200, 100_000, POSITION_MAX], vec![POSITION_MAX]] {
            assert_eq!(decode(&entry_key(&term, positions[0]), &encode(&positions)), Some(positions));
        }
        assert_eq!(decode(&entry_key(&term, 1), &[0x80]), None);
    }
}
