//! Ed25519 keys under one acceptance set, and C2SP verifier keys (vkeys).
//!
//! A signature is accepted when `S < L`, `A` and `R` are canonical and not of small order, and `S*B = R + k*A` without
//! cofactor (dalek's `verify_strict`); a key when it also is of prime order and re-encodes to itself. Records, votes,
//! proposals and cosignatures are judged alike.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::core::limits::KEY_NAME_BYTES_MAX;
use crate::core::prepared;
use crate::core::refusal::{Code, Refusal};

/// Decodes standard, padded, canonical base64.
///
/// # Errors
/// `field-invalid`.
pub fn decode_base64(text: &str) -> Result<Vec<u8>, Refusal> {
    BASE64.decode(text).map_err(|_| Refusal::new(Code::FieldInvalid, text, "standard padded base64"))
}

/// Standard, padded base64.
pub fn encode_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// An Ed25519 public key that passed the registration check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The registration check: canonical encoding, a point of prime order.
    ///
    /// # Errors
    /// `field-invalid`.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, Refusal> {
        let invalid = |found: &str| Refusal::new(Code::FieldInvalid, found, "an Ed25519 public key of prime order in canonical form");
        let point = CompressedEdwardsY(bytes).decompress().ok_or_else(|| invalid("32 bytes that are no curve point"))?;
        if point.compress().to_bytes() != bytes {
            return Err(invalid("a non-canonical encoding"));
        }
        if point.is_small_order() || !point.is_torsion_free() {
            return Err(invalid("a point with a small-order component"));
        }
        Ok(PublicKey(bytes))
    }

    /// From base64 of a key that passed the registration check before: a row of the state holds no other. `None` for
    /// anything but base64 of 32 bytes.
    pub(crate) fn from_registered(base64: &str) -> Option<Self> {
        BASE64.decode(base64).ok()?.try_into().ok().map(PublicKey)
    }

    /// From standard base64 of the 32 bytes.
    ///
    /// # Errors
    /// `field-invalid`.
    pub fn from_base64(text: &str) -> Result<Self, Refusal> {
        let bytes = decode_base64(text)?;
        let bytes = bytes.try_into().map_err(|_| Refusal::new(Code::FieldInvalid, text, "base64 of 32 bytes"))?;
        PublicKey::from_bytes(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn to_base64(self) -> String {
        encode_base64(&self.0)
    }

    /// Whether `signature` over `message` is in the acceptance set for this key. Keys that sign often cost less.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        prepared::verifies(self, message, signature).unwrap_or_else(|| self.verifies_strictly(message, signature))
    }

    /// The same by `verify_strict` itself: what defines the acceptance set, and what a verification costs by itself.
    pub fn verifies_strictly(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

/// A secret key; signs, and never shows itself.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// From the 32-byte seed of RFC 8032.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        SecretKey(SigningKey::from_bytes(seed))
    }

    pub fn from_dalek(key: SigningKey) -> Self {
        SecretKey(key)
    }

    /// For writing the key to its file, and for libraries that want the same key; dropped soon.
    pub fn dalek(&self) -> &SigningKey {
        &self.0
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// The algorithm byte of C2SP signed-note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 0x01: Ed25519 over the note text.
    Ed25519,
    /// 0x04: Ed25519 over a timestamped cosignature/v1 message.
    Cosignature,
}

impl Algorithm {
    pub fn byte(self) -> u8 {
        match self {
            Algorithm::Ed25519 => 0x01,
            Algorithm::Cosignature => 0x04,
        }
    }
}

/// The four bytes that a signature line shows of its key; never enough to name one.
pub type KeyId = [u8; 4];

/// C2SP signed-note: the first 4 bytes of SHA-256(name || 0x0A || algorithm || public key).
pub fn key_id(name: &str, algorithm: Algorithm, public: &PublicKey) -> KeyId {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', algorithm.byte()]);
    hasher.update(public.as_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// A C2SP verifier key: `<name>+<8 hex digits of the key id>+<base64(algorithm || public key)>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifierKey {
    name: String,
    algorithm: Algorithm,
    public: PublicKey,
    id: KeyId,
}

impl VerifierKey {
    /// # Errors
    /// `field-invalid` for a name that breaks [`check_key_name`].
    pub fn new(name: String, algorithm: Algorithm, public: PublicKey) -> Result<Self, Refusal> {
        check_key_name(&name)?;
        let id = key_id(&name, algorithm, &public);
        Ok(VerifierKey { name, algorithm, public, id })
    }

    /// # Errors
    /// `field-invalid` for another shape, an unknown algorithm, a wrong key id or a bad key.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let invalid = |expected: &str| Refusal::new(Code::FieldInvalid, text, expected);
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(invalid("<name>+<key id>+<base64>"));
        };
        let bytes = decode_base64(material)?;
        let (algorithm, public) = match bytes.split_first() {
            Some((0x01, rest)) => (Algorithm::Ed25519, rest),
            Some((0x04, rest)) => (Algorithm::Cosignature, rest),
            _ => return Err(invalid("algorithm 0x01 or 0x04")),
        };
        let public: [u8; 32] = public.try_into().map_err(|_| invalid("32 bytes of public key"))?;
        let key = VerifierKey::new(name.to_owned(), algorithm, PublicKey::from_bytes(public)?)?;
        if crate::core::hash::to_hex(&key.id) != id {
            return Err(invalid("the key id that name and key give, in lower-case hex"));
        }
        Ok(key)
    }

    /// An Ed25519 vkey that passed [`VerifierKey::parse`] before: a row of the state holds no other.
    pub(crate) fn from_registered(vkey: &str) -> Option<Self> {
        let mut parts = vkey.splitn(3, '+');
        let (name, _, material) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = BASE64.decode(material).ok()?;
        let public = PublicKey(bytes.get(1..)?.try_into().ok()?);
        VerifierKey::new(name.to_owned(), Algorithm::Ed25519, public).ok()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub fn id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.algorithm.byte()];
        material.extend_from_slice(self.public.as_bytes());
        write!(f, "{}+{}+{}", self.name, crate::core::hash::to_hex(&self.id), encode_base64(&material))
    }
}

/// A key name of signed-note: not empty, at most 255 bytes, no white space, no plus sign.
///
/// # Errors
/// `field-invalid`.
pub fn check_key_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > KEY_NAME_BYTES_MAX || name.chars().any(|c| c.is_whitespace() || c == '+' || c.is_control()) {
        return Err(Refusal::new(Code::FieldInvalid, name, "a key name of 1 to 255 bytes without space or '+'"));
    }
    Ok(())
}

/// What an agency's key may sign for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Authority,
    Head,
    Inspector,
    Office,
    Recovery,
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Authority, Role::Head, Role::Inspector, Role::Office, Role::Recovery];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Authority => "authority",
            Role::Head => "head",
            Role::Inspector => "inspector",
            Role::Office => "office",
            Role::Recovery => "recovery",
        }
    }

    /// # Errors
    /// `field-invalid`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| Refusal::new(Code::FieldInvalid, text, "authority, head, inspector, office or recovery"))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `<origin>/agency/<agency>/<role>`.
pub fn agency_key_name(origin: &str, agency: &str, role: Role) -> String {
    format!("{origin}/agency/{agency}/{role}")
}

/// Agency and role of an agency key's name under `origin`; `None` for any other name.
pub fn split_agency_key_name<'a>(origin: &str, name: &'a str) -> Option<(&'a str, Role)> {
    let rest = name.strip_prefix(origin)?.strip_prefix("/agency/")?;
    let (agency, role) = rest.split_once('/')?;
    crate::core::ids::check_agency(agency).ok()?;
    Some((agency, Role::parse(role).ok()?))
}

/// `<origin>/validator/<agency>`: the name of a cosigner key.
pub fn cosigner_key_name(origin: &str, agency: &str) -> String {
    format!("{origin}/validator/{agency}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vkey_round_trips_and_names_its_key() {
        let secret = SecretKey::from_seed(&[7; 32]);
        let key = VerifierKey::new("example.org/x".into(), Algorithm::Ed25519, secret.public()).unwrap();
        let text = key.to_string();
        assert_eq!(VerifierKey::parse(&text).unwrap(), key);
        let wrong = text.replacen(&text["example.org/x+".len()..][..1], "z", 1);
        assert!(VerifierKey::parse(&wrong).is_err());
        let signature = secret.sign(b"m");
        assert!(key.public().verifies(b"m", &signature));
        assert!(!key.public().verifies(b"n", &signature));
    }

    #[test]
    fn small_order_mixed_order_and_non_canonical_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(PublicKey::from_bytes(identity).is_err());
        for point in curve25519_dalek::constants::EIGHT_TORSION {
            assert!(PublicKey::from_bytes(point.compress().to_bytes()).is_err());
            let good = CompressedEdwardsY(*SecretKey::from_seed(&[7; 32]).public().as_bytes()).decompress().unwrap();
            let mixed = (good + point).compress().to_bytes();
            assert_eq!(PublicKey::from_bytes(mixed).is_ok(), point == curve25519_dalek::constants::EIGHT_TORSION[0]);
        }
        let mut high = [0xff; 32];
        high[0] = 0xf0;
        high[31] = 0x7f;
        assert!(PublicKey::from_bytes(high).is_err());
    }
}
