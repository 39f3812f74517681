//! The state folder: the last good checkpoint of each node, the evidence that proves the newest validator set, and what
//! was kept of alarms. Without a folder, nothing is written.

use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;
use crate::consensus::durable;
use crate::core::hash::Hash;
use crate::core::limits::EVIDENCE_BYTES_MAX;
use crate::limits::NOTE_FILE_BYTES_MAX;

/// The evidence that proves the newest known set.
const SETS_FILE: &str = "sets.evidence.json";
/// Notes and proofs of alarms.
const ALARMS_DIR: &str = "alarms";

/// The folder, if there is one.
pub struct Kept(Option<PathBuf>);

impl Kept {
    /// # Errors
    /// [`Failure::Unreadable`] for a folder that cannot be made.
    pub fn open(dir: Option<&Path>) -> Result<Self, Failure> {
        if let Some(dir) = dir {
            let dir = dir.join(ALARMS_DIR);
            std::fs::create_dir_all(&dir).map_err(|error| Failure::Unreadable(format!("make {}: {error}", dir.display())))?;
        }
        Ok(Kept(dir.map(Path::to_owned)))
    }

    /// The last good note of a node or witness.
    ///
    /// # Errors
    /// [`Failure::Unreadable`].
    pub fn note(&self, address: &str) -> Result<Option<String>, Failure> {
        self.read(&note_file(address), NOTE_FILE_BYTES_MAX)
    }

    /// # Errors
    /// [`Failure::Unreadable`].
    pub fn keep_note(&self, address: &str, note: &str) -> Result<(), Failure> {
        self.write(&note_file(address), note).map(drop)
    }

    /// # Errors
    /// [`Failure::Unreadable`].
    pub fn sets(&self) -> Result<Option<String>, Failure> {
        self.read(SETS_FILE, u64::try_from(EVIDENCE_BYTES_MAX).expect("a bound of a few MiB"))
    }

    /// # Errors
    /// [`Failure::Unreadable`].
    pub fn keep_sets(&self, evidence: &str) -> Result<(), Failure> {
        self.write(SETS_FILE, evidence).map(drop)
    }

    /// Keeps a note or proof of an alarm; gives its path. What is kept stays: the name has the hash of the text in it.
    ///
    /// # Errors
    /// [`Failure::Unreadable`].
    pub fn keep_alarm(&self, name: &str, ending: &str, text: &str) -> Result<Option<String>, Failure> {
        let digits = Hash::of(text.as_bytes()).to_hex();
        self.write(&format!("{ALARMS_DIR}/{name}-{}.{ending}", &digits[..16]), text)
    }

    fn read(&self, name: &str, bytes_max: u64) -> Result<Option<String>, Failure> {
        let Some(dir) = &self.0 else {
            return Ok(None);
        };
        let path = dir.join(name);
        durable::read(&path, bytes_max).map_err(|error| Failure::Unreadable(format!("{}: {error}", path.display())))
    }

    fn write(&self, name: &str, text: &str) -> Result<Option<String>, Failure> {
        let Some(dir) = &self.0 else {
            return Ok(None);
        };
        let path = dir.join(name);
        durable::replace(&path, text.as_bytes()).map_err(|error| Failure::Unreadable(format!("write {}: {error}", path.display())))?;
        Ok(Some(path.display().to_string()))
    }
}

/// Of an address: what a file name takes of it, and some of its hash.
fn note_file(address: &str) -> String {
    let plain: String = address.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).take(80).collect();
    format!("{plain}-{}.note", &Hash::of(address.as_bytes()).to_hex()[..8])
}
