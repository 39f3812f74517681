//! Key files: PKCS#8 PEM, 0600 and refused when wider; agency keys with their vkey beside them.

use std::path::{Path, PathBuf};

use crate::core::key::{SecretKey, VerifierKey};

/// What is wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("{operation} {}: {source}", path.display())]
    Io { operation: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{}: {found}; expected {expected}", path.display())]
    Invalid { path: PathBuf, found: String, expected: &'static str },
}

/// The four keys of a validator's home, `keys/{consensus,cosigner,publication,network}.pem`.
#[derive(Debug)]
pub struct NodeKeys {
    pub consensus: SecretKey,
    pub cosigner: SecretKey,
    pub publication: SecretKey,
    pub network: SecretKey,
}

impl NodeKeys {
    /// # Errors
    /// [`KeyError`].
    pub fn load(_dir: &Path) -> Result<Self, KeyError> {
        todo!()
    }
}

/// An agency's key: `<role>.pem` and `<role>.vkey` beside it, which must belong together.
///
/// # Errors
/// [`KeyError`].
pub fn load(_pem: &Path) -> Result<(VerifierKey, SecretKey), KeyError> {
    todo!()
}

/// Writes a new PEM file, 0600, synced; refuses to replace one.
///
/// # Errors
/// [`KeyError`].
pub fn write_secret(_pem: &Path, _key: &SecretKey) -> Result<(), KeyError> {
    todo!()
}

/// The peer id in base58btc (`12D3KooW...`) of an Ed25519 network key: multihash identity of the protobuf public key.
pub fn peer_id(_network: &crate::core::key::PublicKey) -> String {
    todo!()
}
