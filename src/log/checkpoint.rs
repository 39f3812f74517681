//! C2SP tlog-checkpoint, cosignature/v1 and tlog-policy.
//!
//! A checkpoint's note text is three lines: origin, tree size, base64 root. Validators cosign it with 0x04 lines; the node
//! that serves it adds one 0x01 line under the origin itself, by its publication key.

use std::fmt::Write as _;

use crate::core::hash::Hash;
use crate::core::key::{
    Algorithm, KeyId, PublicKey, SecretKey, VerifierKey, check_key_name, cosigner_key_name, decode_base64, encode_base64, key_id,
};
use crate::core::limits::{CHECKPOINT_LINES_MAX, INTEGER_MAX};
use crate::core::note::{Note, SignatureLine};
use crate::core::refusal::{Code, Refusal};

/// The three lines of a checkpoint: origin, tree size, root; no extension lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// `<origin>\n<size>\n<base64 root>\n`.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, encode_base64(self.root.as_bytes()))
    }

    /// # Errors
    /// `note-malformed` for anything but three such lines.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let malformed = |found: &str, expected: &str| Refusal::new(Code::NoteMalformed, found, expected);
        let lines: Vec<_> = text.split('\n').collect();
        let [origin, size, root, ""] = lines.as_slice() else {
            return Err(malformed("another number of lines", "three lines: origin, tree size, root"));
        };
        check_key_name(origin).map_err(|_| malformed(origin, "an origin"))?;
        let size = parse_decimal(size).filter(|size| *size <= INTEGER_MAX).ok_or_else(|| malformed(size, "a tree size up to 2^53-1"))?;
        let bytes = decode_base64(root).ok().and_then(|bytes| bytes.try_into().ok());
        let root = bytes.map(Hash).ok_or_else(|| malformed(root, "base64 of a 32-byte root"))?;
        Ok(Checkpoint { origin: (*origin).to_owned(), size, root })
    }
}

/// An ASCII decimal without sign or leading zeros.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let value = text.parse::<u64>().ok()?;
    (value.to_string() == text).then_some(value)
}

/// A timestamp must not exceed 2^63 - 1 (tlog-cosignature).
pub(crate) const TIMESTAMP_MAX: u64 = (1 << 63) - 1;

/// One validator's cosignature of a checkpoint: a 0x04 line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    pub agency: String,
    pub id: KeyId,
    /// Seconds since 1970, by the validator's own clock.
    pub timestamp: u64,
    pub signature: [u8; 64],
}

impl Cosignature {
    /// Signs `checkpoint` as `agency` at `timestamp` (Unix seconds): the message is
    /// `cosignature/v1\ntime <timestamp>\n<checkpoint text>`.
    pub fn sign(checkpoint: &Checkpoint, agency: &str, timestamp: u64, key: &SecretKey) -> Self {
        let name = cosigner_key_name(&checkpoint.origin, agency);
        Cosignature {
            agency: agency.to_owned(),
            id: key_id(&name, Algorithm::Cosignature, &key.public()),
            timestamp,
            signature: key.sign(cosigned_text(&checkpoint.to_text(), timestamp).as_bytes()),
        }
    }

    /// Whether the line verifies under `cosigner` for its own `agency`'s key name.
    pub fn verifies(&self, checkpoint: &Checkpoint, cosigner: &PublicKey) -> bool {
        let name = cosigner_key_name(&checkpoint.origin, &self.agency);
        self.timestamp <= TIMESTAMP_MAX
            && self.id == key_id(&name, Algorithm::Cosignature, cosigner)
            && cosigner.verifies(cosigned_text(&checkpoint.to_text(), self.timestamp).as_bytes(), &self.signature)
    }

    /// Reads a signature line named `<origin>/validator/<agency>` of 8 bytes of time and 64 of signature; `None` for others.
    pub fn from_line(line: &SignatureLine, origin: &str) -> Option<Self> {
        let agency = line.name.strip_prefix(origin)?.strip_prefix("/validator/")?;
        crate::core::ids::check_agency(agency).ok()?;
        let (timestamp, signature) = line.signature.split_first_chunk::<8>()?;
        Some(Cosignature {
            agency: agency.to_owned(),
            id: line.id,
            timestamp: u64::from_be_bytes(*timestamp),
            signature: signature.try_into().ok()?,
        })
    }

    /// The signature line under the key name of `origin`.
    pub fn to_line(&self, origin: &str) -> SignatureLine {
        let mut signature = self.timestamp.to_be_bytes().to_vec();
        signature.extend_from_slice(&self.signature);
        SignatureLine { name: cosigner_key_name(origin, &self.agency), id: self.id, signature }
    }
}

/// What a cosignature/v1 of a checkpoint's note text signs.
pub(crate) fn cosigned_text(text: &str, timestamp: u64) -> String {
    format!("cosignature/v1\ntime {timestamp}\n{text}")
}

/// The published note: one 0x01 line under the origin by `publication`, then the cosignatures ascending by key name,
/// 16 lines in all at most.
pub fn publish(checkpoint: &Checkpoint, publication: &SecretKey, cosignatures: &[Cosignature]) -> Note {
    let text = checkpoint.to_text();
    let mut lines: Vec<_> = cosignatures.iter().map(|cosignature| cosignature.to_line(&checkpoint.origin)).collect();
    lines.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    lines.dedup_by(|a, b| (&a.name, a.id) == (&b.name, b.id));
    lines.truncate(CHECKPOINT_LINES_MAX - 1);
    let own = SignatureLine {
        name: checkpoint.origin.clone(),
        id: key_id(&checkpoint.origin, Algorithm::Ed25519, &publication.public()),
        signature: publication.sign(text.as_bytes()).to_vec(),
    };
    lines.insert(0, own);
    Note { text, lines }
}

/// C2SP tlog-policy: one log line (`publication`), the validators and a quorum group of more than 2/3 (count), `quorum`.
/// Witnesses, with the addresses that take submissions, stand in a group of their own that the quorum does not ask for: a
/// client that wants them writes another `quorum` line.
///
/// Validators are named by their key names, which no agency id can make equal to a group's name or to `none`; witnesses by
/// theirs, which are other names.
pub fn policy_text(publication: &VerifierKey, cosigners: &[VerifierKey], witnesses: &[(VerifierKey, String)]) -> String {
    let mut text = format!("log {publication}\n");
    for cosigner in cosigners {
        writeln!(text, "witness {} {cosigner}", cosigner.name()).expect("writing to a string");
    }
    for (witness, url) in witnesses {
        writeln!(text, "witness {} {witness} {url}", witness.name()).expect("writing to a string");
    }
    write!(text, "group validators {}", cosigners.len() * 2 / 3 + 1).expect("writing to a string");
    for cosigner in cosigners {
        write!(text, " {}", cosigner.name()).expect("writing to a string");
    }
    if !witnesses.is_empty() {
        text.push_str("\ngroup witnesses any");
        for (witness, _) in witnesses {
            write!(text, " {}", witness.name()).expect("writing to a string");
        }
    }
    text.push_str("\nquorum validators\n");
    text
}
