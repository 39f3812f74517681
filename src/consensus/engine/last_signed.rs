//! The file of the last message that this validator signed: height, round, step, and the hash of its text.
//!
//! It is written and synced before a signature is made. The engine's WAL already keeps a restarted node from contradicting
//! itself; this file does so when the WAL was lost or is older than what was signed: at or below the last message only the
//! very same text is signed again. Two slots are written in turn. A slot that is broken held what was signed last, or may have:
//! then what was signed last is unknown.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::core::hash::Hash;
use crate::store::disk;

/// Each slot lies in a disk block of its own.
const SLOT_BYTES: u64 = 4096;
/// sequence (8), height (8), round (4), step (1), text hash (32), and SHA-256 of those.
const RECORD_BYTES: usize = 53 + 32;

/// The height of a record that says: unknown.
const UNKNOWN: u64 = u64::MAX;

/// What is signed, in the order in which an honest validator signs at one height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    pub height: u64,
    pub round: u32,
    pub step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Proposal,
    Prevote,
    Precommit,
}

impl Step {
    fn byte(self) -> u8 {
        match self {
            Step::Proposal => 1,
            Step::Prevote => 2,
            Step::Precommit => 3,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Step::Proposal, Step::Prevote, Step::Precommit].into_iter().find(|step| step.byte() == byte)
    }
}

/// Why a message may not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("{operation} {}: {source}", path.display())]
    Io { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("{} holds no whole record; what this validator signed last is unknown", path.display())]
    Corrupt { path: PathBuf },
    #[error("{}: an earlier write failed; nothing is signed after that", path.display())]
    Failed { path: PathBuf },
    #[error("refused to sign {asked:?}: {signed:?} is signed already, with another text")]
    Contradiction { asked: Moment, signed: Moment },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    sequence: u64,
    moment: Moment,
    text: Hash,
}

/// The open file and what it says.
#[derive(Debug)]
pub struct LastSigned {
    path: PathBuf,
    file: File,
    record: Record,
    has_failed: bool,
}

impl LastSigned {
    /// Opens the file; `None` when there is none.
    ///
    /// # Errors
    /// [`SignError::Io`], [`SignError::Corrupt`].
    pub fn open(path: &Path) -> Result<Option<Self>, SignError> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SignError::Io { operation: "open", path: path.to_owned(), source }),
        };
        let slots = [0, 1].map(|slot| read_slot(&file, slot));
        let newest = slots.iter().flatten().max_by_key(|record| record.sequence).copied();
        let record = newest.ok_or_else(|| SignError::Corrupt { path: path.to_owned() })?;
        let mut signed = LastSigned { path: path.to_owned(), file, record, has_failed: false };
        // The first record goes to the second slot: the first one is blank until the next.
        if slots[1].is_none() || (slots[0].is_none() && record.sequence > 1) {
            tracing::error!(path = %path.display(), "a damaged slot: what this validator signed last is unknown, it follows first");
            signed.forget()?;
        }
        Ok(Some(signed))
    }

    /// Makes the file: nothing up to and including `height` will be signed.
    ///
    /// # Errors
    /// [`SignError::Io`].
    pub fn create(path: &Path, height: u64) -> Result<Self, SignError> {
        let io_error = |operation| move |source| SignError::Io { operation, path: path.to_owned(), source };
        // Whole or not there: a half-made file would keep the validator from starting.
        let draft = path.with_extension("new");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&draft).map_err(io_error("create"))?;
        file.write_all_at(&vec![0; usize::try_from(2 * SLOT_BYTES).expect("two blocks")], 0).map_err(io_error("write"))?;
        let mut signed = LastSigned { path: path.to_owned(), file, record: barrier(0, height), has_failed: false };
        signed.write(barrier(1, height))?;
        disk::sync_all(&signed.file, "signed.create").map_err(io_error("sync"))?;
        disk::rename(&draft, path, "signed.rename").map_err(io_error("name"))?;
        if let Some(dir) = path.parent() {
            disk::sync_dir(dir, "signed.folder").map_err(io_error("sync the folder of"))?;
        }
        Ok(signed)
    }

    /// Makes the file for a validator that does not know what it signed: nothing is signed until [`LastSigned::settle`].
    ///
    /// # Errors
    /// [`SignError::Io`].
    pub fn create_unknown(path: &Path) -> Result<Self, SignError> {
        LastSigned::create(path, UNKNOWN)
    }

    /// Forgets what was signed, as [`LastSigned::create_unknown`].
    ///
    /// # Errors
    /// [`SignError::Io`].
    pub fn forget(&mut self) -> Result<(), SignError> {
        self.write(barrier(self.record.sequence + 1, UNKNOWN))
    }

    /// Nothing more will be signed at the height of the last message.
    ///
    /// # Errors
    /// [`SignError::Io`].
    pub fn bar(&mut self) -> Result<(), SignError> {
        self.write(barrier(self.record.sequence + 1, self.height()))
    }

    /// Whether a message was signed at `height`, and more may be.
    pub fn is_within(&self, height: u64) -> bool {
        let Moment { height: signed, round, .. } = self.record.moment;
        signed == height && round != u32::MAX
    }

    pub fn is_unknown(&self) -> bool {
        self.height() == UNKNOWN
    }

    /// Ends the unknown: nothing up to and including `height` will be signed.
    ///
    /// # Errors
    /// [`SignError::Io`].
    pub fn settle(&mut self, height: u64) -> Result<(), SignError> {
        if self.is_unknown() {
            self.write(barrier(self.record.sequence + 1, height))?;
        }
        Ok(())
    }

    pub fn moment(&self) -> Moment {
        self.record.moment
    }

    /// The height of the last signed message.
    pub fn height(&self) -> u64 {
        self.record.moment.height
    }

    /// Notes durably that `text` is signed at `moment`.
    ///
    /// # Errors
    /// [`SignError::Contradiction`] at or below the last message, unless it is the same text; [`SignError::Io`].
    pub fn note(&mut self, moment: Moment, text: &str) -> Result<(), SignError> {
        let text = Hash::of(text.as_bytes());
        if moment == self.record.moment && text == self.record.text {
            return Ok(());
        }
        if moment <= self.record.moment {
            return Err(SignError::Contradiction { asked: moment, signed: self.record.moment });
        }
        self.write(Record { sequence: self.record.sequence + 1, moment, text })
    }

    fn write(&mut self, record: Record) -> Result<(), SignError> {
        let path = &self.path;
        let io_error = |operation| move |source| SignError::Io { operation, path: path.clone(), source };
        let bytes = to_bytes(&record);
        if self.has_failed {
            return Err(SignError::Failed { path: path.clone() });
        }
        self.has_failed = true;
        disk::write_all_at(&self.file, &bytes, record.sequence % 2 * SLOT_BYTES, "signed.write").map_err(io_error("write"))?;
        disk::sync_data(&self.file, "signed.sync").map_err(io_error("sync"))?;
        (self.record, self.has_failed) = (record, false);
        Ok(())
    }
}

/// A record at or below which nothing can be signed.
fn barrier(sequence: u64, height: u64) -> Record {
    Record { sequence, moment: Moment { height, round: u32::MAX, step: Step::Precommit }, text: Hash::default() }
}

fn to_bytes(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RECORD_BYTES);
    bytes.extend_from_slice(&record.sequence.to_be_bytes());
    bytes.extend_from_slice(&record.moment.height.to_be_bytes());
    bytes.extend_from_slice(&record.moment.round.to_be_bytes());
    bytes.push(record.moment.step.byte());
    bytes.extend_from_slice(record.text.as_bytes());
    let check = Hash::of(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

fn read_slot(file: &File, slot: u64) -> Option<Record> {
    let mut bytes = [0; RECORD_BYTES];
    file.read_exact_at(&mut bytes, slot * SLOT_BYTES).ok()?;
    let (body, check) = bytes.split_at(RECORD_BYTES - 32);
    if Hash::of(body).as_bytes() != check {
        return None;
    }
    let moment = Moment {
        height: u64::from_be_bytes(body[8..16].try_into().ok()?),
        round: u32::from_be_bytes(body[16..20].try_into().ok()?),
        step: Step::from_byte(body[20])?,
    };
    Some(Record { sequence: u64::from_be_bytes(body[..8].try_into().ok()?), moment, text: Hash(body[21..53].try_into().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(height: u64, round: u32, step: Step) -> Moment {
        Moment { height, round, step }
    }

    #[test]
    fn only_the_same_text_is_signed_twice_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("last-signed");
        assert!(LastSigned::open(&path).unwrap().is_none());
        let mut signed = LastSigned::create(&path, 0).unwrap();
        assert!(signed.note(at(0, 0, Step::Prevote), "x").is_err());
        signed.note(at(1, 0, Step::Proposal), "p").unwrap();
        signed.note(at(1, 0, Step::Prevote), "v").unwrap();
        drop(signed);
        let mut signed = LastSigned::open(&path).unwrap().unwrap();
        assert_eq!(signed.height(), 1);
        signed.note(at(1, 0, Step::Prevote), "v").unwrap();
        assert!(matches!(signed.note(at(1, 0, Step::Prevote), "w"), Err(SignError::Contradiction { .. })));
        assert!(matches!(signed.note(at(1, 0, Step::Proposal), "p"), Err(SignError::Contradiction { .. })));
        signed.note(at(1, 1, Step::Prevote), "w").unwrap();
    }

    #[test]
    fn who_does_not_know_signs_nothing_until_it_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("last-signed");
        LastSigned::create_unknown(&path).unwrap();
        let mut signed = LastSigned::open(&path).unwrap().unwrap();
        assert!(signed.is_unknown());
        assert!(signed.note(at(9, 0, Step::Prevote), "v").is_err());
        signed.settle(9).unwrap();
        signed.settle(3).unwrap();
        assert!(signed.note(at(9, 7, Step::Precommit), "v").is_err());
        signed.note(at(10, 0, Step::Prevote), "v").unwrap();
        assert!(signed.is_within(10) && !signed.is_within(9));
        signed.bar().unwrap();
        assert!(signed.note(at(10, 9, Step::Prevote), "v").is_err() && !signed.is_within(10));
        signed.forget().unwrap();
        assert!(LastSigned::open(&path).unwrap().unwrap().is_unknown());
    }

    #[test]
    fn a_broken_slot_means_unknown_and_a_blank_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("last-signed");
        let mut signed = LastSigned::create(&path, 0).unwrap();
        signed.note(at(5, 0, Step::Prevote), "v").unwrap();
        signed.note(at(6, 0, Step::Prevote), "v").unwrap();
        let newest = signed.record.sequence % 2 * SLOT_BYTES;
        signed.file.write_all_at(&[1, 2, 3], newest).unwrap();
        drop(signed);
        assert!(LastSigned::open(&path).unwrap().unwrap().is_unknown());
        assert!(LastSigned::open(&path).unwrap().unwrap().is_unknown(), "it stays so");
        std::fs::write(&path, vec![0; 8192]).unwrap();
        assert!(matches!(LastSigned::open(&path), Err(SignError::Corrupt { .. })));
    }
}
