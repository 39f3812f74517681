//! Who signs, and when: the flags that every kind shares, and the way from a body to a signed record.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::submit::{Sending, submit};
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::key::{SecretKey, VerifierKey, split_agency_key_name};
use crate::core::kinds::Kind;
use crate::core::privacy::check_guesses;
use crate::core::record::{Draft, Record};
use crate::core::time::Time;
use crate::keystore::{self, KeyError};

/// Flags of every kind.
#[derive(Debug, Args)]
pub struct Signing {
    /// Key file that signs, with its .vkey beside it; repeat for several signatures
    #[arg(long, required = true, value_name = "PEM")]
    pub key: Vec<PathBuf>,
    /// The agency that writes (default: the agency of the first key)
    #[arg(long, value_name = "AGENCY")]
    pub by: Option<String>,
    #[command(flatten)]
    pub sending: Sending,
}

/// The keys of a command, all of one ledger.
pub struct Signers {
    pub origin: String,
    /// The agency of the first key.
    pub agency: String,
    keys: Vec<(VerifierKey, SecretKey)>,
}

impl Signers {
    /// The first key's.
    pub fn first(&self) -> &VerifierKey {
        &self.keys.first().expect("signers() refuses a command without keys").0
    }

    pub fn vkeys(&self) -> impl DoubleEndedIterator<Item = &VerifierKey> {
        self.keys.iter().map(|(vkey, _)| vkey)
    }
}

impl Signing {
    /// Reads the key files.
    ///
    /// # Errors
    /// [`Failure::Configuration`].
    pub fn signers(&self) -> Result<Signers, Failure> {
        let keys: Vec<_> = self.key.iter().map(|path| load(path)).collect::<Result<_, _>>()?;
        let mut places = keys.iter().zip(&self.key).map(|((vkey, _), path)| place(vkey, path));
        let (origin, agency) = places.next().unwrap_or_else(|| Err(Failure::Usage("--key is missing".to_owned())))?;
        for other in places {
            let (found, _) = other?;
            if found != origin {
                return Err(Failure::Configuration(format!("keys of two ledgers: {origin} and {found}")));
            }
        }
        Ok(Signers { origin, agency, keys })
    }

    /// Signs a record and checks its form; its claimed time is `--at` or now.
    ///
    /// # Errors
    /// [`Failure::Refused`] by the codes of status 400.
    pub fn sign(&self, signers: &Signers, kind: Kind, refs: Vec<Hash>, body: Value, global: &Global) -> Result<Signed, Failure> {
        if !self.sending.force_text {
            check_guesses(&body)?;
        }
        let by = self.by.clone().unwrap_or_else(|| signers.agency.clone());
        let draft = Draft { at: claimed(global)?, by, kind, refs, uid: uuid::Uuid::now_v7().to_string(), body };
        let keys: Vec<_> = signers.keys.iter().map(|(vkey, secret)| (vkey, secret)).collect();
        let note = draft.sign(&signers.origin, &keys);
        let record = Record::parse(note.as_bytes(), &signers.origin)?;
        Ok(Signed { id: record.id(), note })
    }

    /// Signs a record of the kind with this name, and hands it to the node.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn send(&self, kind: &str, refs: Vec<Hash>, body: Members, global: &Global) -> Result<(), Failure> {
        let signed = self.sign(&self.signers()?, Kind::parse(kind)?, refs, body.into_value(), global)?;
        self.submit(&Client::new(global)?, &signed, global)
    }

    /// Hands a signed record to the node.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn submit(&self, client: &Client, signed: &Signed, global: &Global) -> Result<(), Failure> {
        submit(client, signed.id, signed.note.as_bytes(), &self.sending, global)
    }
}

/// A record that is ready to be sent.
pub struct Signed {
    pub id: Hash,
    pub note: String,
}

/// Reads one key file with its vkey.
///
/// # Errors
/// [`Failure::Unreadable`] and [`Failure::Configuration`], naming the file.
pub fn load(path: &Path) -> Result<(VerifierKey, SecretKey), Failure> {
    keystore::load(path).map_err(|error| key_failure(&error))
}

/// What a key file that cannot be used means for a command.
pub fn key_failure(error: &KeyError) -> Failure {
    match error {
        KeyError::Io { source, .. } => Failure::Unreadable(format!("{error}: {source}")),
        KeyError::Invalid { .. } => Failure::Configuration(error.to_string()),
    }
}

/// Origin and agency from a key's name.
fn place(vkey: &VerifierKey, path: &Path) -> Result<(String, String), Failure> {
    let named = vkey.name().rsplit_once("/agency/").and_then(|(origin, _)| {
        let (agency, _) = split_agency_key_name(origin, vkey.name())?;
        Some((origin.to_owned(), agency.to_owned()))
    });
    named.ok_or_else(|| Failure::Configuration(format!("{}: {} is no agency's key", path.display(), vkey.name())))
}

/// The claimed time of records: `--at`, else now.
///
/// # Errors
/// As [`now`].
pub fn claimed(global: &Global) -> Result<Time, Failure> {
    global.at.map_or_else(now, Ok)
}

/// This computer's clock.
///
/// # Errors
/// [`Failure::Configuration`] for a clock before 1970 or after 9999.
pub fn now() -> Result<Time, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let time = since.and_then(|since| u64::try_from(since.as_millis()).ok()).and_then(Time::from_unix_ms);
    time.ok_or_else(|| Failure::Configuration("the clock of this computer is not set".to_owned()))
}

/// A record id from a flag.
///
/// # Errors
/// [`Failure::Usage`], naming the flag.
pub fn record_id(flag: &str, text: &str) -> Result<Hash, Failure> {
    Hash::parse(text).map_err(|_| Failure::Usage(format!("{flag} {text}: expected a record id of 64 lower-case hex digits")))
}
