//! What an auditor remembers of a ledger: the last checkpoint that was verified, and where to go on.
//!
//! A folder for each ledger, named by its origin with `+` for `/`:
//!
//! | file | what it holds |
//! | --- | --- |
//! | `verified` | the note of the last checkpoint that was found sound |
//! | `snapshot` | the state behind its last block |
//! | `unfinished` | the state that a later audit had reached when it was interrupted |
//! | `refused/` | checkpoints that contradict a verified one, beside what they contradict, and proofs of who signed both |

use std::fs;
use std::path::{Path, PathBuf};

use crate::audit::AuditError;
use crate::audit::cosigners;
use crate::audit::held::Held;
use crate::audit::replay::Reached;
use crate::audit::snapshot;
use crate::core::genesis::Genesis;
use crate::core::key::PublicKey;
use crate::core::note::Note;
use crate::core::rules;

const VERIFIED: &str = "verified";
const SNAPSHOT: &str = "snapshot";
const UNFINISHED: &str = "unfinished";
const REFUSED: &str = "refused";

/// The folder of one ledger.
pub struct Memory<'a> {
    dir: PathBuf,
    genesis: &'a Genesis,
}

impl<'a> Memory<'a> {
    /// Opens or makes the ledger's folder under `state`.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn open(state: &Path, genesis: &'a Genesis) -> Result<Self, AuditError> {
        let dir = state.join(genesis.origin.replace('/', "+"));
        make_dir(&dir)?;
        Ok(Memory { dir, genesis })
    }

    /// The last checkpoint that was verified.
    ///
    /// # Errors
    /// [`AuditError::Io`], [`AuditError::Unreadable`].
    pub fn verified(&self) -> Result<Option<Held>, AuditError> {
        let path = self.dir.join(VERIFIED);
        if !path.exists() {
            return Ok(None);
        }
        Held::read(&path).map(Some)
    }

    /// The states to go on from, the furthest first, with why others cannot be used.
    pub fn snapshots(&self) -> (Vec<Reached>, Vec<String>) {
        let (mut usable, mut notes) = (Vec::new(), Vec::new());
        for name in [UNFINISHED, SNAPSHOT] {
            match snapshot::read(&self.dir.join(name), self.genesis) {
                Ok(reached) => usable.extend(reached),
                Err(refusal) => {
                    let path = self.dir.join(name);
                    notes.push(format!("{} is not used: found {}, expected {}", path.display(), refusal.found, refusal.expected));
                }
            }
        }
        usable.sort_by_key(|reached| std::cmp::Reverse(reached.head.size));
        (usable, notes)
    }

    /// Remembers how far an audit has come.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn keep_unfinished(&self, reached: &Reached) -> Result<(), AuditError> {
        snapshot::write(&self.dir.join(UNFINISHED), reached, self.genesis)
    }

    /// Remembers a checkpoint that was found sound, and the state behind it.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn keep_verified(&self, note: &Note, reached: &Reached) -> Result<(), AuditError> {
        snapshot::write(&self.dir.join(SNAPSHOT), reached, self.genesis)?;
        snapshot::write_whole(&self.dir.join(VERIFIED), note.to_text().as_bytes())?;
        let unfinished = self.dir.join(UNFINISHED);
        match fs::remove_file(&unfinished) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(AuditError::Io { operation: "removing", path: unfinished, source })
            }
            _ => Ok(()),
        }
    }

    /// Keeps a checkpoint that contradicts one that is held, both of them, with a proof against each who signed both; gives
    /// the folder.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn keep_refused(&self, held: &Held, offered: &Held) -> Result<PathBuf, AuditError> {
        let dir = self.dir.join(REFUSED);
        make_dir(&dir)?;
        let name = format!("{}-{}", offered.checkpoint.size, &offered.checkpoint.root.to_hex()[..16]);
        snapshot::write_whole(&dir.join(format!("{name}.offered.checkpoint")), offered.note.to_text().as_bytes())?;
        snapshot::write_whole(&dir.join(format!("{name}.held.checkpoint")), held.note.to_text().as_bytes())?;
        if held.checkpoint.size == offered.checkpoint.size {
            for proof in cosigners::accuse([&held.note, &offered.note], &self.keys(held.checkpoint.size)) {
                let path = dir.join(format!("{name}.{}.misbehaviour.json", proof.agency));
                snapshot::write_whole(&path, proof.to_value().to_jcs().as_bytes())?;
            }
        }
        Ok(dir)
    }

    /// The cosigner keys of the set that judges a size: as a snapshot has it, and those of the genesis file.
    fn keys(&self, size: u64) -> Vec<(String, PublicKey)> {
        let mut keys = cosigners::keys_of(&self.genesis.validator_set());
        let (snapshots, _) = self.snapshots();
        for reached in snapshots.iter().filter(|reached| reached.head.size == size) {
            keys.extend(cosigners::keys_of(&rules::validator_set(&reached.rows, reached.head.height)));
        }
        keys
    }
}

fn make_dir(dir: &Path) -> Result<(), AuditError> {
    fs::create_dir_all(dir).map_err(|source| AuditError::Io { operation: "making", path: dir.to_owned(), source })
}
