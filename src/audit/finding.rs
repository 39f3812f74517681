//! What makes a ledger, or a copy of it, unsound.

use std::fmt;

use crate::core::json::Value;
use crate::core::refusal::Code;

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The checkpoint is none, or of another ledger.
    Checkpoint,
    /// The genesis file is not the one that is known.
    Genesis,
    /// A tile of hashes does not lead to the checkpoint's root.
    Tile,
    /// A bundle holds other leaves than the tree.
    Bundle,
    /// A record that may not stand at its place.
    Record(Code),
    /// A block entry that its block does not give.
    Entry,
    /// The last leaf is no block entry.
    Tail,
    /// Too few of the judging set signed the checkpoint, or one of its lines is forged.
    Cosignatures,
    /// An earlier checkpoint than one that is known.
    Rollback,
    /// Another history than one that is known.
    Fork,
}

impl Fault {
    pub fn code(self) -> &'static str {
        match self {
            Fault::Checkpoint => "checkpoint-wrong",
            Fault::Genesis => "genesis-wrong",
            Fault::Tile => "tile-wrong",
            Fault::Bundle => "bundle-wrong",
            Fault::Record(code) => code.as_str(),
            Fault::Entry => "entry-wrong",
            Fault::Tail => "tail-open",
            Fault::Cosignatures => "cosignatures-wrong",
            Fault::Rollback => "rollback",
            Fault::Fork => "fork",
        }
    }

    /// What to do now.
    pub fn next(self) -> &'static str {
        match self {
            Fault::Checkpoint | Fault::Genesis => "Check the address, and the genesis hash with somebody you trust.",
            Fault::Tile | Fault::Bundle => {
                "This source is damaged or lies; the ledger itself may be sound: audit another node, or export the copy anew."
            }
            Fault::Record(_) | Fault::Entry | Fault::Tail => {
                "Audit another node. If it shows the same, keep both copies: whoever cosigned this checkpoint vouched for a wrong ledger."
            }
            Fault::Cosignatures => "Nobody vouches for this ledger: audit another node, and ask this one's operator where it comes from.",
            Fault::Rollback => "Ask again later, or another node; a source that stays behind hides what came after.",
            Fault::Fork => "Keep both checkpoints and compare the sources (sharelog compare A B): two histories were shown.",
        }
    }
}

/// Why a ledger is not sound: the first thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub fault: Fault,
    /// Of the leaf, where one is meant.
    pub position: Option<u64>,
    /// Of the block, where one is meant.
    pub height: Option<u64>,
    pub found: String,
    pub expected: String,
}

impl Finding {
    pub fn new(fault: Fault, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Finding { fault, position: None, height: None, found: found.into(), expected: expected.into() }
    }

    #[must_use]
    pub fn at(mut self, position: u64) -> Self {
        self.position = Some(position);
        self
    }

    #[must_use]
    pub fn in_block(mut self, height: u64) -> Self {
        self.height = Some(height);
        self
    }

    /// `{"code","expected","found","height"?,"next","position"?}`.
    pub fn to_value(&self) -> Value {
        let texts = [
            ("code", self.fault.code()),
            ("expected", self.expected.as_str()),
            ("found", self.found.as_str()),
            ("next", self.fault.next()),
        ];
        let places = [("height", self.height), ("position", self.position)];
        let places = places.into_iter().filter_map(|(name, number)| Some((name, number?.into())));
        let members = texts.into_iter().map(|(name, text)| (name, text.into())).chain(places);
        Value::Object(members.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fault.code())?;
        if let Some(position) = self.position {
            write!(f, " at position {position}")?;
        }
        if let Some(height) = self.height {
            write!(f, ", block {height}")?;
        }
        write!(f, ": found {}; expected {}", self.found, self.expected)
    }
}
