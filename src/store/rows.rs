//! How rows of the state lie in the database: `r`, table, 0x00, key; the value is the row's JCS text.
//!
//! Ids and hashes make up most of both, and what it takes on disk grows with its keys, so:
//! - a key of 64 hex digits (a record id) is kept as a 0x00 byte and the 32 bytes;
//! - a longer key that starts with 64 hex digits (something under a record id) as a 0x02 byte and 20 bytes of its
//!   SHA-256: such rows are looked up, never listed;
//! - any other key behind a 0x01 byte, as it is;
//! - in values, a string of 64 hex digits is kept as a 0x01 byte, which no JCS text holds, and the 32 bytes.

use std::sync::Arc;

use crate::core::hash::{Hash, to_hex};
use crate::core::json::{self, Strings, Value};
use crate::core::state::Table;

const HEX_DIGITS: usize = 64;
const ID: u8 = 0;
const PLAIN: u8 = 1;
/// Behind the keys that can be listed.
const UNDER_ID: u8 = 2;
const HASHED_BYTES: usize = 20;
const PACKED: u8 = 1;

/// What the keys of all rows start with.
pub const PREFIX: &[u8] = b"r";

/// What the keys of all rows of `table` start with.
pub fn prefix(table: Table) -> Vec<u8> {
    let mut out = Vec::with_capacity(table.0.len() + 3 + HEX_DIGITS);
    out.extend_from_slice(PREFIX);
    out.extend_from_slice(table.0.as_bytes());
    out.push(0);
    out
}

/// Behind the last row of `table` that can be listed.
pub fn end(table: Table) -> Vec<u8> {
    let mut out = prefix(table);
    out.push(UNDER_ID);
    out
}

pub fn encode_key(table: Table, key: &str) -> Vec<u8> {
    let mut out = prefix(table);
    match key.split_at_checked(HEX_DIGITS).and_then(|(hex, rest)| Some((Hash::parse(hex).ok()?, rest))) {
        Some((hash, "")) => {
            out.push(ID);
            out.extend_from_slice(hash.as_bytes());
        }
        Some(_) => {
            out.push(UNDER_ID);
            out.extend_from_slice(&Hash::of(key.as_bytes()).as_bytes()[..HASHED_BYTES]);
        }
        None => {
            out.push(PLAIN);
            out.extend_from_slice(key.as_bytes());
        }
    }
    out
}

/// The key of a row that can be listed, from what follows the table's prefix.
pub fn decode_key(encoded: &[u8]) -> Option<String> {
    match encoded.split_first()? {
        (&ID, rest) => Some(to_hex(rest)),
        (&PLAIN, rest) => Some(std::str::from_utf8(rest).ok()?.to_owned()),
        _ => None,
    }
}

pub fn encode_value(value: &Value) -> Vec<u8> {
    let text = value.to_jcs();
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((byte, behind)) = rest.split_first() {
        match hex_string(rest) {
            Some(hash) => {
                out.push(PACKED);
                out.extend_from_slice(hash.as_bytes());
                rest = &rest[HEX_DIGITS + 2..];
            }
            None => {
                out.push(*byte);
                rest = behind;
            }
        }
    }
    out
}

/// The hash, if a quoted string of 64 hex digits starts here.
fn hex_string(text: &[u8]) -> Option<Hash> {
    let quoted = text.get(..HEX_DIGITS + 2).filter(|quoted| quoted[0] == b'"' && quoted[HEX_DIGITS + 1] == b'"')?;
    Hash::parse(std::str::from_utf8(&quoted[1..=HEX_DIGITS]).ok()?).ok()
}

pub fn decode_value(mut stored: &[u8]) -> Option<Arc<Value>> {
    let mut text = Vec::with_capacity(stored.len() + HEX_DIGITS);
    while let Some((byte, behind)) = stored.split_first() {
        if *byte == PACKED {
            let (hash, behind) = behind.split_first_chunk::<32>()?;
            text.push(b'"');
            text.extend_from_slice(to_hex(hash).as_bytes());
            text.push(b'"');
            stored = behind;
        } else {
            text.push(*byte);
            stored = behind;
        }
    }
    json::parse(&text, Strings::Strict).ok().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::json::{object, strings};

    #[test]
    fn keys_and_values_come_back() {
        let id = Hash::of(b"x").to_hex();
        let table = Table("record");
        for key in [id.as_str(), "a", "agency-1:set", &id[1..]] {
            let encoded = encode_key(table, key);
            assert_eq!(decode_key(&encoded[prefix(table).len()..]).as_deref(), Some(key));
            assert!(encoded > prefix(table) && encoded < end(table));
        }
        let under = encode_key(table, &format!("{id}/batch"));
        assert!(under > end(table) && under != encode_key(table, &format!("{id}/batch2")));
        let value = object([("a", id.as_str().into()), ("b", strings([&id, "\u{1F600}\"x", &id[1..]])), ("c", 7.into())]);
        let stored = encode_value(&value);
        assert_eq!(stored.len(), value.to_jcs().len() - 2 * 33);
        assert_eq!(decode_value(&stored).as_deref(), Some(&value));
    }
}
