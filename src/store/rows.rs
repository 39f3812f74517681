//! How rows of the state lie in sled: `r`, table, 0x00, key; the value is the row's JCS text.
//!
//! A key that starts with 64 hex digits (record ids are the most common keys) is kept as a 0x00 byte, the 32 bytes, and
//! its rest; any other behind a 0x01 byte. The order of these bytes is the store's order: that of the keys, except that in
//! a table with keys of both forms those with hex come first.

use crate::core::hash::Hash;
use crate::core::json::{self, Strings, Value};
use crate::core::state::Table;

const HEX_DIGITS: usize = 64;

/// What the keys of all rows of `table` start with.
pub fn prefix(table: Table) -> Vec<u8> {
    let mut out = Vec::with_capacity(table.0.len() + 2 + HEX_DIGITS);
    out.push(b'r');
    out.extend_from_slice(table.0.as_bytes());
    out.push(0);
    out
}

pub fn encode_key(table: Table, key: &str) -> Vec<u8> {
    let mut out = prefix(table);
    match key.split_at_checked(HEX_DIGITS).and_then(|(hex, rest)| Some((Hash::parse(hex).ok()?, rest))) {
        Some((hash, rest)) => {
            out.push(0);
            out.extend_from_slice(hash.as_bytes());
            out.extend_from_slice(rest.as_bytes());
        }
        None => {
            out.push(1);
            out.extend_from_slice(key.as_bytes());
        }
    }
    out
}

/// The key of a row, from what follows the table's prefix.
pub fn decode_key(encoded: &[u8]) -> Option<String> {
    match encoded.split_first()? {
        (0, rest) => {
            let (hash, rest) = rest.split_first_chunk::<32>()?;
            Some(Hash(*hash).to_hex() + std::str::from_utf8(rest).ok()?)
        }
        (1, rest) => Some(std::str::from_utf8(rest).ok()?.to_owned()),
        _ => None,
    }
}

pub fn decode_value(bytes: &[u8]) -> Option<Value> {
    json::parse(bytes, Strings::Strict).ok()
}
