//! The state behind a block in a file, so that an audit goes on where an earlier one stopped.
//!
//! ```text
//! sharelog/audit-snapshot/v1
//! {"entry":...,"genesis":...,"height":...,"peaks":[...],"program":...,"signatures":...,"size":...,"state":...,"time":...}
//! [table,key,value]          one line a row, ascending
//! <SHA-256 in hex of all before>
//! ```
//! The seal finds damage, not a forger: whoever can write the auditor's folder is believed. That the tree of a snapshot is the
//! beginning of the tree that is audited now is checked by the caller. A snapshot of another program version is not used, since
//! its rows may be other ones.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use rayon::prelude::*;

use crate::audit::AuditError;
use crate::audit::replay::Reached;
use crate::core::fields::Fields;
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::json::{self, Strings, Value, object, strings};
use crate::core::refusal::{Code, Refusal};
use crate::core::rules;
use crate::core::state::{MemoryRows, Table};
use crate::log::merkle::Frontier;
use crate::store::Head;

const HEADER: &str = "sharelog/audit-snapshot/v1\n";
const PROGRAM: &str = env!("CARGO_PKG_VERSION");
const SEAL_BYTES: usize = 65;
/// Rows that one thread writes before it takes others.
const ROWS_AT_ONCE: usize = 4_096;

/// The file's text.
fn encode(reached: &Reached, genesis: &Genesis) -> String {
    let head = &reached.head;
    let first = object([
        ("entry", head.entry_hash.to_hex().into()),
        ("genesis", genesis.hash.to_hex().into()),
        ("height", head.height.into()),
        ("peaks", strings(head.frontier.peaks().iter().map(|peak| peak.to_hex()))),
        ("program", PROGRAM.into()),
        ("signatures", reached.signatures.into()),
        ("size", head.size.into()),
        ("state", head.state.to_hex().into()),
        ("time", head.time.to_string().into()),
    ]);
    let rows: Vec<_> = reached.rows.iter().collect();
    let lines: Vec<String> = rows.par_chunks(ROWS_AT_ONCE).map(lines_of).collect();
    let mut text = format!("{HEADER}{}\n{}", first.to_jcs(), lines.concat());
    let seal = Hash::of(text.as_bytes());
    text.push_str(&format!("{seal}\n"));
    text
}

fn lines_of(rows: &[(Table, &str, &Value)]) -> String {
    let mut text = String::new();
    for (table, key, value) in rows {
        text.push('[');
        Value::from(table.0).write_jcs(&mut text);
        text.push(',');
        Value::from(*key).write_jcs(&mut text);
        text.push(',');
        value.write_jcs(&mut text);
        text.push_str("]\n");
    }
    text
}

fn decode(text: &[u8], genesis: &Genesis) -> Result<Reached, Refusal> {
    let wrong = |found: &str, expected: &str| Refusal::new(Code::FieldInvalid, found, expected);
    let (sealed, seal) = text.split_at_checked(text.len().saturating_sub(SEAL_BYTES)).unwrap_or_default();
    if seal != format!("{}\n", Hash::of(sealed)).as_bytes() {
        return Err(wrong("a damaged snapshot", "one with its seal"));
    }
    let text = std::str::from_utf8(sealed).map_err(|_| wrong("bytes", "text"))?;
    let mut lines = text.strip_prefix(HEADER).ok_or_else(|| wrong("another file", HEADER.trim_end()))?.lines();
    let head = json::parse(lines.next().unwrap_or_default().as_bytes(), Strings::Strict)?;
    let mut fields = Fields::of(&head, "snapshot")?;
    let program = fields.string("program")?;
    if program != PROGRAM {
        return Err(wrong(&format!("a snapshot of version {program}"), PROGRAM));
    }
    let found = fields.hash("genesis")?;
    if found != genesis.hash {
        return Err(wrong(&format!("a snapshot of genesis {found}"), &genesis.hash.to_hex()));
    }
    let peaks = fields.list("peaks", 0, 64)?.iter().map(|peak| Hash::parse(peak.as_str().unwrap_or_default()));
    let frontier = Frontier::from_peaks(fields.integer("size")?, peaks.collect::<Result<_, _>>()?);
    let frontier = frontier.ok_or_else(|| wrong("peaks", "one for each bit of the size"))?;
    let head = Head {
        height: fields.integer("height")?,
        size: frontier.size(),
        root: frontier.root(),
        state: fields.hash("state")?,
        time: fields.time("time")?,
        entry_hash: fields.hash("entry")?,
        frontier,
    };
    let signatures = fields.integer("signatures")?;
    let rows = lines.collect::<Vec<_>>().into_par_iter().map(row).collect::<Option<Vec<_>>>();
    let rows = rows.ok_or_else(|| wrong("a row", "[table,key,value]"))?;
    Ok(Reached { rows: MemoryRows::from_iter(rows), head, signatures })
}

fn row(line: &str) -> Option<(Table, String, Value)> {
    let Value::Array(members) = json::parse(line.as_bytes(), Strings::Strict).ok()? else {
        return None;
    };
    let [table, key, value] = <[Value; 3]>::try_from(members).ok()?;
    Some((rules::table(table.as_str()?)?, key.as_str()?.to_owned(), value))
}

/// Writes a snapshot in place of an older one.
///
/// # Errors
/// [`AuditError::Io`].
pub fn write(path: &Path, reached: &Reached, genesis: &Genesis) -> Result<(), AuditError> {
    write_whole(path, encode(reached, genesis).as_bytes())
}

/// A snapshot of this ledger, or why there is none to be used; `Ok(None)` when there is no file.
///
/// # Errors
/// Whatever makes the file unusable: the audit then starts further back.
pub fn read(path: &Path, genesis: &Genesis) -> Result<Option<Reached>, Refusal> {
    match fs::read(path) {
        Ok(text) => decode(&text, genesis).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refusal::new(Code::FieldInvalid, error.to_string(), "a file that can be read")),
    }
}

/// All of the file or nothing: written beside its place, synced, renamed.
///
/// # Errors
/// [`AuditError::Io`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), AuditError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = std::path::PathBuf::from(beside);
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    written.map_err(|source| AuditError::Io { operation: "writing", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: &[u8] = include_bytes!("../../tests/vectors/genesis.json");

    #[test]
    fn a_snapshot_comes_back_and_no_byte_of_it_may_change() {
        let genesis = Genesis::parse(GENESIS).unwrap();
        let mut reached = Reached::genesis(&genesis);
        reached.signatures = 7;
        reached.head.height = 1;
        reached.head.frontier.push(Hash::of(b"leaf"));
        (reached.head.size, reached.head.root) = (1, reached.head.frontier.root());
        let text = encode(&reached, &genesis);
        let read = decode(text.as_bytes(), &genesis).unwrap();
        assert_eq!(encode(&read, &genesis), text);
        assert_eq!((read.head.root, read.signatures), (reached.head.root, 7));
        assert!(read.rows.iter().eq(reached.rows.iter()) && read.rows.iter().count() > 20);
        for index in (0..text.len()).step_by(97).chain(text.len() - 3..text.len()) {
            let mut bytes = text.clone().into_bytes();
            bytes[index] ^= 1;
            assert!(decode(&bytes, &genesis).is_err(), "byte {index}");
        }
        assert!(decode(&text.as_bytes()[..text.len() - 66], &genesis).is_err());
        assert!(decode(b"", &genesis).is_err());
    }
}
