//! The block entry: the last leaf of every block, and the hash chain of the ledger.

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::ids::check_agency;
use crate::core::json::{self, Strings, object};
use crate::core::refusal::{Code, Refusal};
use crate::core::time::Time;

/// First line of an entry.
pub const HEADER: &str = "sharelog/block/v1\n";

/// A block entry; its text is `HEADER`, one line of JCS, U+000A.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// Position of the block's first record; equal to `position` when it has none.
    pub first: u64,
    pub height: u64,
    pub ledger: String,
    /// Hash of the validator set of height + 1.
    pub next: Hash,
    /// The entry's own position: the size of the tree that `root` closes.
    pub position: u64,
    /// Leaf hash of the previous entry; in block 1 SHA-256 of the genesis file.
    pub previous: Hash,
    /// The agency that built the entry, not whoever proposes it again.
    pub proposer: String,
    /// Root of the first `position` leaves.
    pub root: Hash,
    pub rules: u64,
    /// State after this block's records.
    pub state: Hash,
    pub time: Time,
    /// Hash of the validator set of this height.
    pub validators: Hash,
}

impl BlockEntry {
    /// The leaf bytes.
    pub fn to_text(&self) -> String {
        let value = object([
            ("first", self.first.into()),
            ("height", self.height.into()),
            ("ledger", self.ledger.as_str().into()),
            ("next", self.next.to_hex().into()),
            ("position", self.position.into()),
            ("previous", self.previous.to_hex().into()),
            ("proposer", self.proposer.as_str().into()),
            ("root", self.root.to_hex().into()),
            ("rules", self.rules.into()),
            ("state", self.state.to_hex().into()),
            ("time", self.time.to_string().into()),
            ("validators", self.validators.to_hex().into()),
        ]);
        format!("{HEADER}{}\n", value.to_jcs())
    }

    /// The block hash: the leaf hash of the entry.
    pub fn hash(&self) -> Hash {
        Hash::of_parts(&[&[0], self.to_text().as_bytes()])
    }

    /// # Errors
    /// `note-malformed` for another frame, and the codes of [`json::parse`] and [`Fields`].
    pub fn parse(leaf: &[u8]) -> Result<Self, Refusal> {
        let line = leaf
            .strip_prefix(HEADER.as_bytes())
            .and_then(|rest| rest.strip_suffix(b"\n"))
            .ok_or_else(|| Refusal::new(Code::NoteMalformed, "another text", "two lines: sharelog/block/v1 and a JSON object"))?;
        let value = json::parse(line, Strings::Strict)?;
        let mut fields = Fields::of(&value, "entry")?;
        let entry = BlockEntry {
            first: fields.integer("first")?,
            height: fields.integer("height")?,
            ledger: fields.string("ledger")?.to_owned(),
            next: fields.hash("next")?,
            position: fields.integer("position")?,
            previous: fields.hash("previous")?,
            proposer: fields.string("proposer")?.to_owned(),
            root: fields.hash("root")?,
            rules: fields.integer("rules")?,
            state: fields.hash("state")?,
            time: fields.time("time")?,
            validators: fields.hash("validators")?,
        };
        fields.end()?;
        check_agency(&entry.proposer)?;
        if entry.height == 0 || entry.first > entry.position {
            return Err(Refusal::new(
                Code::FieldInvalid,
                format!("height {}, first {}, position {}", entry.height, entry.first, entry.position),
                "height from 1, first at most position",
            ));
        }
        Ok(entry)
    }
}
