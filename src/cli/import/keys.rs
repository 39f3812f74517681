//! Keys of many agencies: `DIR/<agency>/<role>.pem`, each with its vkey.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::failure::Failure;
use crate::cli::kinds::sign::key_failure;
use crate::core::key::{Algorithm, Role, SecretKey, VerifierKey, agency_key_name};
use crate::keystore::{self, KeyError, KeySource};

/// The set that `import agencies` makes.
const ROLES: [Role; 3] = [Role::Office, Role::Head, Role::Recovery];
/// Threads that write key files.
const WRITERS: usize = 16;

/// A key that can sign.
pub type Signer = Arc<(VerifierKey, SecretKey)>;

/// The keys of a folder, each read once.
pub struct KeyRing {
    dir: PathBuf,
    origin: String,
    loaded: HashMap<(String, Role), Signer>,
}

impl KeyRing {
    pub fn new(dir: &Path, origin: &str) -> Self {
        KeyRing { dir: dir.to_owned(), origin: origin.to_owned(), loaded: HashMap::new() }
    }

    fn path(&self, agency: &str, role: Role) -> PathBuf {
        self.dir.join(agency).join(format!("{role}.pem"))
    }

    /// The agency's key; `agency` as spelled on the ledger.
    ///
    /// # Errors
    /// [`Failure::Unreadable`] for a missing file, [`Failure::Configuration`] for a key of another agency or ledger; both
    /// name the file.
    pub fn get(&mut self, agency: &str, role: Role) -> Result<Signer, Failure> {
        let slot = (agency.to_owned(), role);
        if let Some(signer) = self.loaded.get(&slot) {
            return Ok(signer.clone());
        }
        let path = self.path(agency, role);
        let key = keystore::load(&path).map_err(|error| key_failure(&error))?;
        let name = agency_key_name(&self.origin, agency, role);
        if key.0.name() != name {
            return Err(Failure::Configuration(format!("{}: the key {}; expected {name}", path.display(), key.0.name())));
        }
        let signer = Arc::new(key);
        self.loaded.insert(slot, signer.clone());
        Ok(signer)
    }

    /// The vkeys of office, head and recovery, ascending as texts.
    ///
    /// # Errors
    /// As [`KeyRing::get`].
    pub fn set_of(&mut self, agency: &str) -> Result<Vec<String>, Failure> {
        let mut vkeys = ROLES.iter().map(|role| Ok(self.get(agency, *role)?.0.to_string())).collect::<Result<Vec<_>, Failure>>()?;
        vkeys.sort();
        Ok(vkeys)
    }

    /// Makes what is missing of the agencies' sets; each file is synced, so several threads share the waiting.
    ///
    /// # Errors
    /// As [`KeyRing::get`].
    pub fn make_missing(&self, agencies: &[String]) -> Result<(), Failure> {
        if agencies.is_empty() {
            return Ok(());
        }
        let make = |agency: &String| ROLES.iter().try_for_each(|role| make_key(&self.path(agency, *role), &self.origin, agency, *role));
        std::thread::scope(|scope| {
            let share = agencies.len().div_ceil(WRITERS);
            let writers: Vec<_> = agencies.chunks(share).map(|agencies| scope.spawn(move || agencies.iter().try_for_each(make))).collect();
            writers.into_iter().try_for_each(|writer| writer.join().expect("a writer of keys does not panic"))
        })
        .map_err(|error| key_failure(&error))
    }

    /// Where openings of deliveries are kept.
    pub fn openings_dir(&self) -> PathBuf {
        self.dir.join("openings")
    }
}

/// A key file with its vkey; of a pair that was half written the missing half is made.
fn make_key(path: &Path, origin: &str, agency: &str, role: Role) -> Result<(), KeyError> {
    if path.exists() && keystore::vkey_path(path).exists() {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    keystore::make_dir(dir)?;
    let secret = if path.exists() {
        keystore::load_secret(path)?
    } else {
        let secret = KeySource::Random.key(&path.display().to_string())?;
        keystore::write_secret(path, &secret)?;
        secret
    };
    let name = agency_key_name(origin, agency, role);
    let vkey = VerifierKey::new(name, Algorithm::Ed25519, secret.public()).map_err(|refusal| KeyError::Invalid {
        path: path.to_owned(),
        found: refusal.to_string(),
        expected: "an agency's key name of at most 255 bytes",
    })?;
    keystore::write_vkey(path, &vkey)
}
