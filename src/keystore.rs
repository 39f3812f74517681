//! Key files: PKCS#8 PEM, 0600 and refused when wider; agency keys with their vkey beside them.
//!
//! A file holds a PKCS#8 v1 private key (RFC 8410), as `openssl pkey` reads and writes it. Files are created, never
//! replaced; they are synced before a caller goes on, since a key that signed once must not be lost. Buffers that held a
//! secret are wiped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::ed25519::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::ed25519::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use zeroize::Zeroizing;

/// The peer id of a network key stands in the genesis file; the core makes it from the key's bytes.
pub use crate::core::genesis::peer_id;
use crate::core::hash::Hash;
use crate::core::key::{Algorithm, PublicKey, SecretKey, VerifierKey, cosigner_key_name};

/// A key file is about 120 bytes; more than this is no key file.
const KEY_FILE_BYTES_MAX: usize = 4096;
/// Any right of the group or of others.
const WIDE: u32 = 0o077;

/// What is wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("{operation} {}", path.display())]
    Io { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("{}: {found}; expected {expected}", path.display())]
    Invalid { path: PathBuf, found: String, expected: &'static str },
}

impl KeyError {
    fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| KeyError::Io { operation, path, source }
    }

    fn invalid(path: &Path, found: impl Into<String>, expected: &'static str) -> Self {
        KeyError::Invalid { path: path.to_owned(), found: found.into(), expected }
    }
}

/// Where new keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The system's random numbers.
    Random,
    /// SHA-256 of this number and the key's path: reproducible and known to everybody, for test networks alone.
    Seeded(u64),
}

impl KeySource {
    /// A new key; `path` tells the keys of one seed apart.
    ///
    /// # Errors
    /// [`KeyError::Io`] when the system gives no random numbers.
    pub fn key(self, path: &str) -> Result<SecretKey, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        match self {
            KeySource::Random => getrandom::fill(seed.as_mut_slice()).map_err(|error| KeyError::Io {
                operation: "random numbers for",
                path: path.into(),
                source: io::Error::other(error.to_string()),
            })?,
            KeySource::Seeded(number) => *seed = Hash::of(format!("sharelog/test-key/v1\n{number}\n{path}\n").as_bytes()).0,
        }
        Ok(SecretKey::from_seed(&seed))
    }
}

/// The folder of keys to come, in that of a node's keys.
pub const NEXT_DIR: &str = "next";
/// The folder of keys that were replaced.
pub const PAST_DIR: &str = "past";
/// Names of a node's key files, `keys/<name>.pem`.
const NODE_KEYS: [&str; 4] = ["consensus", "cosigner", "publication", "network"];

/// The keys of a node's home, `keys/{consensus,cosigner,publication,network}.pem`; a follower needs the last two alone.
#[derive(Debug)]
pub struct NodeKeys {
    pub consensus: Option<SecretKey>,
    pub cosigner: Option<SecretKey>,
    pub publication: SecretKey,
    pub network: SecretKey,
}

/// Keys that replace those of [`NodeKeys`] at some height.
#[derive(Debug)]
pub struct NextKeys {
    pub consensus: Option<SecretKey>,
    pub cosigner: Option<SecretKey>,
    pub publication: Option<SecretKey>,
    pub network: Option<SecretKey>,
}

impl NextKeys {
    /// Writes the files into `dir`, which is made, 0700, when it is not there.
    ///
    /// # Errors
    /// [`KeyError`]; a file that exists is not replaced.
    pub fn write(&self, dir: &Path) -> Result<(), KeyError> {
        make_dir(dir)?;
        let keys = [&self.consensus, &self.cosigner, &self.publication, &self.network];
        let files = NODE_KEYS.into_iter().zip(keys).filter_map(|(name, key)| Some((name, key.as_ref()?)));
        files.into_iter().try_for_each(|(name, key)| write_secret(&dir.join(format!("{name}.pem")), key))
    }

    /// Puts the keys of `dir/next` that are among `in_force` in the place of the old ones, which stay in `dir/past`. A crash
    /// in between leaves each key in one place or in two.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn take_over(dir: &Path, in_force: &[PublicKey]) -> Result<(), KeyError> {
        for name in NODE_KEYS {
            let (next, current) = (dir.join(NEXT_DIR).join(format!("{name}.pem")), dir.join(format!("{name}.pem")));
            if !next.exists() || !in_force.contains(&load_secret(&next)?.public()) {
                continue;
            }
            if current.exists() {
                make_dir(&dir.join(PAST_DIR))?;
                let public = Hash::of(load_secret(&current)?.public().as_bytes()).to_hex();
                let past = dir.join(PAST_DIR).join(format!("{name}-{}.pem", &public[..16]));
                if !past.exists() {
                    fs::hard_link(&current, &past).map_err(KeyError::io("keep", &past))?;
                }
            }
            fs::rename(&next, &current).map_err(KeyError::io("take over", &next))?;
        }
        Ok(())
    }
}

impl NodeKeys {
    /// # Errors
    /// [`KeyError`].
    pub fn load(dir: &Path) -> Result<Self, KeyError> {
        let key = |name: &str| load_secret(&dir.join(format!("{name}.pem")));
        let voting = |name: &str| dir.join(format!("{name}.pem")).exists().then(|| key(name)).transpose();
        Ok(NodeKeys {
            consensus: voting("consensus")?,
            cosigner: voting("cosigner")?,
            publication: key("publication")?,
            network: key("network")?,
        })
    }

    /// The keys in `dir/next`, which a change of the validator announces.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load_next(dir: &Path) -> Result<NextKeys, KeyError> {
        let key = |name: &str| {
            let pem = dir.join(NEXT_DIR).join(format!("{name}.pem"));
            pem.exists().then(|| load_secret(&pem)).transpose()
        };
        Ok(NextKeys {
            consensus: key("consensus")?,
            cosigner: key("cosigner")?,
            publication: key("publication")?,
            network: key("network")?,
        })
    }

    /// New keys of a validator or a follower; `prefix` stands before each key's name in the path given to `source`.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn generate(source: KeySource, prefix: &str, is_follower: bool) -> Result<Self, KeyError> {
        let key = |name: &str| source.key(&format!("{prefix}{name}"));
        let voting = |name: &str| (!is_follower).then(|| key(name)).transpose();
        Ok(NodeKeys {
            consensus: voting("consensus")?,
            cosigner: voting("cosigner")?,
            publication: key("publication")?,
            network: key("network")?,
        })
    }

    /// Writes the files into `dir`, which is made, 0700, when it is not there.
    ///
    /// # Errors
    /// [`KeyError`]; a file that exists is not replaced.
    pub fn write(&self, dir: &Path) -> Result<(), KeyError> {
        make_dir(dir)?;
        let keys = [self.consensus.as_ref(), self.cosigner.as_ref(), Some(&self.publication), Some(&self.network)];
        let files = NODE_KEYS.into_iter().zip(keys).filter_map(|(name, key)| Some((name, key?)));
        files.into_iter().try_for_each(|(name, key)| write_secret(&dir.join(format!("{name}.pem")), key))
    }

    /// Writes `cosigner.vkey` and `publication.vkey`, which others configure: their names need the ledger's origin. Gives the
    /// files.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn write_vkeys(&self, dir: &Path, origin: &str, agency: &str) -> Result<Vec<PathBuf>, KeyError> {
        let mut written = Vec::new();
        let cosigner = self.cosigner.as_ref().map(|key| ("cosigner.pem", cosigner_key_name(origin, agency), Algorithm::Cosignature, key));
        let publication = ("publication.pem", origin.to_owned(), Algorithm::Ed25519, &self.publication);
        for (file, name, algorithm, key) in cosigner.into_iter().chain([publication]) {
            let pem = dir.join(file);
            write_vkey(&pem, &named(dir, name, algorithm, key)?)?;
            written.push(vkey_path(&pem));
        }
        Ok(written)
    }
}

fn named(dir: &Path, name: String, algorithm: Algorithm, key: &SecretKey) -> Result<VerifierKey, KeyError> {
    VerifierKey::new(name, algorithm, key.public()).map_err(|refusal| KeyError::invalid(dir, refusal.to_string(), "a key name"))
}

/// An agency's key: `<role>.pem` and `<role>.vkey` beside it, which must belong together.
///
/// # Errors
/// [`KeyError`].
pub fn load(pem: &Path) -> Result<(VerifierKey, SecretKey), KeyError> {
    let secret = load_secret(pem)?;
    let path = vkey_path(pem);
    let vkey = load_vkey(&path)?;
    if *vkey.public() != secret.public() {
        return Err(KeyError::invalid(&path, "a vkey of another key", "the vkey of the secret key beside it"));
    }
    Ok((vkey, secret))
}

/// A vkey file: the vkey and a line feed.
///
/// # Errors
/// [`KeyError`].
pub fn load_vkey(path: &Path) -> Result<VerifierKey, KeyError> {
    let text = fs::read_to_string(path).map_err(KeyError::io("read", path))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    VerifierKey::parse(line).map_err(|refusal| KeyError::invalid(path, refusal.found, "a vkey: <name>+<key id>+<base64>"))
}

/// The secret key of a PEM file.
///
/// # Errors
/// [`KeyError`]; also when group or others have any right to the file.
pub fn load_secret(pem: &Path) -> Result<SecretKey, KeyError> {
    let file = File::open(pem).map_err(KeyError::io("read", pem))?;
    let metadata = file.metadata().map_err(KeyError::io("read", pem))?;
    let mode = metadata.permissions().mode();
    if !metadata.is_file() {
        return Err(KeyError::invalid(pem, "not a file", "a PEM file"));
    }
    if mode & WIDE != 0 {
        return Err(KeyError::invalid(pem, format!("mode {:04o}", mode & 0o7777), "mode 0600, so that nobody else reads the key"));
    }
    // Room for all that is read: a buffer that grows leaves copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * KEY_FILE_BYTES_MAX));
    let limit = u64::try_from(KEY_FILE_BYTES_MAX).expect("a small number");
    file.take(limit).read_to_end(&mut bytes).map_err(KeyError::io("read", pem))?;
    let expected = "an Ed25519 private key as PKCS#8 PEM";
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::invalid(pem, "bytes that are not text", expected))?;
    let key = SigningKey::from_pkcs8_pem(text).map_err(|error| KeyError::invalid(pem, error.to_string(), expected))?;
    Ok(SecretKey::from_dalek(key))
}

/// Writes a new PEM file, 0600, synced; refuses to replace one.
///
/// # Errors
/// [`KeyError`].
pub fn write_secret(pem: &Path, key: &SecretKey) -> Result<(), KeyError> {
    let bytes = KeypairBytes { secret_key: key.dalek().to_bytes(), public_key: None };
    let text = bytes.to_pkcs8_pem(LineEnding::LF).expect("32 bytes have a PKCS#8 form");
    write_new(pem, text.as_bytes(), 0o600)
}

/// Writes the vkey file that belongs beside `pem`; one that says the same may be there already.
///
/// # Errors
/// [`KeyError`].
pub fn write_vkey(pem: &Path, vkey: &VerifierKey) -> Result<(), KeyError> {
    let path = vkey_path(pem);
    if path.exists() {
        return match load_vkey(&path)? == *vkey {
            true => Ok(()),
            false => Err(KeyError::invalid(&path, "the vkey of another key or ledger", "the vkey of the key beside it, or no file")),
        };
    }
    write_new(&path, format!("{vkey}\n").as_bytes(), 0o644)
}

/// `office.vkey` for `office.pem`.
pub fn vkey_path(pem: &Path) -> PathBuf {
    pem.with_extension("vkey")
}

/// Makes `dir`, 0700, and what is missing above it.
///
/// # Errors
/// [`KeyError::Io`].
pub fn make_dir(dir: &Path) -> Result<(), KeyError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(KeyError::io("make", dir))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(KeyError::io("create", parent))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(KeyError::io("create", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(KeyError::io("write", path))?;
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(KeyError::io("sync", parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_is_the_one_of_libp2p() {
        let key = KeySource::Seeded(1).key("network").unwrap();
        let libp2p = libp2p::identity::ed25519::PublicKey::try_from_bytes(key.public().as_bytes()).unwrap();
        assert_eq!(peer_id(&key.public()), libp2p::PeerId::from(libp2p::identity::PublicKey::from(libp2p)).to_string());
    }

    #[test]
    fn seeded_keys_repeat_and_differ_by_path() {
        let public = |seed: u64, path: &str| KeySource::Seeded(seed).key(path).unwrap().public();
        assert_eq!(public(1, "a"), public(1, "a"));
        assert_ne!(public(1, "a"), public(1, "b"));
        assert_ne!(public(1, "a"), public(2, "a"));
    }
}
