//! The journal of an import: every signed note, on disk before it is sent.
//!
//! 1. Before a record is sent, a line `{"key":...,"note":...,"opening":...?}` (JCS) is appended and synced; the key says
//!    what the record is for, such as `share.request <label>`.
//! 2. A rerun that wants a record with the same content takes the note from here, so that it sends the same bytes.
//! 3. A later line of the same key replaces an earlier one. A last line without its line feed was torn, and is cut off.
//!
//! The file holds openings, so it is 0600 and as secret as they are.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;
use crate::core::commitment::Opening;
use crate::core::json::{self, Strings, Value};

/// One line of the journal without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub note: String,
    /// Of a delivery.
    pub opening: Option<Opening>,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    entries: HashMap<String, Entry>,
}

impl Journal {
    /// Opens or makes the journal; a torn last line is cut off.
    ///
    /// # Errors
    /// [`Failure::Unreadable`], naming the line that is broken.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |what: String| Failure::Unreadable(format!("journal {}: {what}", path.display()));
        let io = |error: std::io::Error| failed(error.to_string());
        let mut file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut entries = HashMap::new();
        for (index, line) in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
            let (key, entry) = parse(line).ok_or_else(|| failed(format!("line {} is no line of a journal", index + 1)))?;
            entries.insert(key, entry);
        }
        let end = u64::try_from(whole).map_err(|_| failed("too long".to_owned()))?;
        file.set_len(end).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        Ok(Journal { path: path.to_owned(), file, entries })
    }

    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Appends and syncs; what this returns from is on disk.
    ///
    /// # Errors
    /// [`Failure::Unreadable`]: nothing of it may be sent then.
    pub fn append(&mut self, entries: Vec<(String, Entry)>) -> Result<(), Failure> {
        if entries.is_empty() {
            return Ok(());
        }
        let lines: String = entries.iter().map(|(key, entry)| line(key, entry)).collect();
        let written = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
        written
            .map_err(|error| Failure::Unreadable(format!("writing journal {}: {error}; nothing of it was sent", self.path.display())))?;
        self.entries.extend(entries);
        Ok(())
    }
}

fn line(key: &str, entry: &Entry) -> String {
    let mut members = vec![("key".to_owned(), Value::from(key)), ("note".to_owned(), Value::from(entry.note.as_str()))];
    members.extend(entry.opening.as_ref().map(|opening| ("opening".to_owned(), opening.to_value())));
    Value::Object(members.into_iter().collect()).to_jcs() + "\n"
}

fn parse(line: &[u8]) -> Option<(String, Entry)> {
    let value = json::parse(line, Strings::WithNotes).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let opening = match value.get("opening") {
        Some(opening) => Some(Opening::from_value(opening).ok()?),
        None => None,
    };
    Some((text("key")?, Entry { note: text("note")?, opening }))
}
