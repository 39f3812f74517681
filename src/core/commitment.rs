//! Content commitments: the salted hash that binds a batch's bytes without showing them (DOMAIN, Privacy).
//!
//! `SHA-256("sharelog/commitment/v1\n" || 32 random bytes || the 32 bytes of SHA-256(payload))`. Both parties keep the
//! salt off the ledger; opening it is giving salt and payload; destroying it is erasure.

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::json::{self, Strings, object};
use crate::core::key::{decode_base64, encode_base64};
use crate::core::refusal::{Code, Refusal};

const TAG: &[u8] = b"sharelog/commitment/v1\n";
const FORMAT: &str = "sharelog/opening/v1";

/// The commitment to a payload by its hash.
pub fn commit(salt: &[u8; 32], payload: &Hash) -> Hash {
    Hash::of_parts(&[TAG, salt, payload.as_bytes()])
}

/// What opens a delivery's commitment; kept beside the data, never on the ledger.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    pub bytes: u64,
    /// The delivery's record id.
    pub record: Hash,
    pub salt: [u8; 32],
    /// SHA-256 of the payload.
    pub sha256: Hash,
}

impl Opening {
    pub fn commitment(&self) -> Hash {
        commit(&self.salt, &self.sha256)
    }

    pub fn to_value(&self) -> json::Value {
        object([
            ("bytes", self.bytes.into()),
            ("format", FORMAT.into()),
            ("record", self.record.to_hex().into()),
            ("salt", encode_base64(&self.salt).into()),
            ("sha256", self.sha256.to_hex().into()),
        ])
    }

    /// # Errors
    /// The codes of [`json::parse`] and [`Fields`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        Opening::from_value(&json::parse(bytes, Strings::Strict)?)
    }

    /// # Errors
    /// `field-missing`, `field-unknown`, `field-invalid`.
    pub fn from_value(value: &json::Value) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, "opening")?;
        let format = fields.string("format")?;
        if format != FORMAT {
            return Err(Refusal::new(Code::FieldInvalid, format, FORMAT));
        }
        let salt = fields.string("salt")?;
        let opening = Opening {
            bytes: fields.integer("bytes")?,
            record: fields.hash("record")?,
            salt: decode_base64(salt)?.try_into().map_err(|_| Refusal::new(Code::FieldInvalid, "salt", "base64 of 32 bytes"))?,
            sha256: fields.hash("sha256")?,
        };
        fields.end()?;
        Ok(opening)
    }
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening").field("record", &self.record).finish_non_exhaustive()
    }
}
