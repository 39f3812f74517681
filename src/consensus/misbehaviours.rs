//! Proofs of misbehaviour that this node met: one file each, named by the hash of its text, kept for good.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};

use crate::consensus::durable;
use crate::core::hash::Hash;
use crate::core::json::{self, Strings};
use crate::limits::{MISBEHAVIOURS_MAX, NOTE_FILE_BYTES_MAX};
use crate::log::misbehaviour::Misbehaviour;

/// The folder and what is in it.
#[derive(Debug)]
pub struct Misbehaviours {
    dir: PathBuf,
    known: Mutex<BTreeMap<Hash, Arc<Misbehaviour>>>,
}

impl Misbehaviours {
    /// Reads what earlier runs kept; a file of another name that proves nothing is left alone and not shown.
    ///
    /// # Errors
    /// A folder that cannot be made or read; a kept file that is damaged: its name is the hash of its text.
    pub fn open(dir: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        let mut known = BTreeMap::new();
        for entry in std::fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))? {
            let path = entry?.path();
            let text = durable::read(&path, NOTE_FILE_BYTES_MAX).with_context(|| format!("reading {}", path.display()))?;
            let text = text.unwrap_or_default();
            let name = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| Hash::parse(stem).ok());
            if name.is_some_and(|name| name != Hash::of(text.as_bytes())) {
                bail!("{} is damaged: its name is not the hash of its text; get it from another node, or remove it", path.display());
            }
            let proof = json::parse(text.as_bytes(), Strings::Strict).and_then(|value| Misbehaviour::from_value(&value));
            match proof.and_then(|proof| proof.check().map(|()| proof)) {
                Ok(proof) => drop(known.insert(Hash::of(text.as_bytes()), Arc::new(proof))),
                Err(refusal) => tracing::warn!("{} proves nothing: {refusal}", path.display()),
            }
        }
        Ok(Misbehaviours { dir, known: Mutex::new(known) })
    }

    /// Keeps a proof that holds, durably, and says so; one that is known, or one too many, is passed over. Blocking.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn keep(&self, proof: Misbehaviour) -> anyhow::Result<()> {
        if let Err(refusal) = proof.check() {
            tracing::warn!(agency = proof.agency, "no proof of misbehaviour: {refusal}");
            return Ok(());
        }
        let text = proof.to_value().to_jcs();
        let hash = Hash::of(text.as_bytes());
        let mut known = self.known.lock().expect("no holder panics");
        if known.contains_key(&hash) || known.len() >= MISBEHAVIOURS_MAX {
            return Ok(());
        }
        let path = self.dir.join(format!("{}.json", hash.to_hex()));
        durable::replace(&path, text.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
        tracing::error!(agency = proof.agency, kind = proof.place.kind(), proof = %path.display(), "a validator contradicted itself");
        known.insert(hash, Arc::new(proof));
        Ok(())
    }

    /// Ascending by agency, then by the hash of the text.
    pub fn all(&self) -> Vec<Arc<Misbehaviour>> {
        let mut all: Vec<_> = self.known.lock().expect("no holder panics").values().cloned().collect();
        all.sort_by(|a, b| a.agency.cmp(&b.agency));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::key::SecretKey;
    use crate::log::certificate::{Step, vote_text};
    use crate::log::misbehaviour::{Place, Said, Statement};

    #[test]
    fn a_proof_is_kept_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let key = SecretKey::from_seed(&[1; 32]);
        let statement = |block: Option<Hash>| {
            let text = vote_text("l.example/0123456789abcdef", Step::Prevote, 3, 0, block.as_ref());
            Statement { said: Said::Vote { block }, signature: key.sign(text.as_bytes()) }
        };
        let proof = Misbehaviour::of(
            "agency-0",
            key.public(),
            "l.example/0123456789abcdef",
            Place::Prevote { height: 3, round: 0 },
            [statement(None), statement(Some(Hash::of(b"x")))],
        )
        .unwrap();
        let kept = Misbehaviours::open(dir.path().join("m")).unwrap();
        kept.keep(proof.clone()).unwrap();
        kept.keep(proof.clone()).unwrap();
        let mut forged = proof.clone();
        forged.agency = "agency-1".to_owned();
        forged.key = SecretKey::from_seed(&[2; 32]).public();
        kept.keep(forged).unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("m")).unwrap().count(), 1);
        std::fs::write(dir.path().join("m/junk.json"), "{}").unwrap();
        let damaged = dir.path().join(format!("m/{}.json", Hash::of(b"another").to_hex()));
        std::fs::write(&damaged, proof.to_value().to_jcs()).unwrap();
        assert!(Misbehaviours::open(dir.path().join("m")).unwrap_err().to_string().contains("damaged"));
        std::fs::remove_file(damaged).unwrap();
        let again: Vec<_> = Misbehaviours::open(dir.path().join("m")).unwrap().all();
        assert_eq!(again.iter().map(|proof| (**proof).clone()).collect::<Vec<_>>(), [proof]);
    }
}
