//! What the monitor raises the alarm on.

use crate::cli::output::printable;
use crate::core::json::{Value, object, strings};
use crate::core::time::Time;

/// The kinds of alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// No answer, or one that is no checkpoint's.
    Unreachable,
    /// It has no checkpoint to show.
    NoCheckpoint,
    /// A note that cannot be read, or with a line that does not verify.
    Malformed,
    OtherLedger,
    /// Not cosigned by more than two thirds of a set that is proven.
    NoQuorum,
    /// Its size fell.
    Rollback,
    /// Two signed trees of which none continues the other.
    SplitView,
    /// No proof that one signed tree continues the other.
    Unproven,
    /// No new block for too long.
    Stalled,
}

impl Kind {
    /// The name in JSON, and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Unreachable => "unreachable",
            Kind::NoCheckpoint => "no-checkpoint",
            Kind::Malformed => "malformed",
            Kind::OtherLedger => "other-ledger",
            Kind::NoQuorum => "no-quorum",
            Kind::Rollback => "rollback",
            Kind::SplitView => "split-view",
            Kind::Unproven => "unproven",
            Kind::Stalled => "stalled",
        }
    }

    /// What to do.
    fn next(self) -> &'static str {
        match self {
            Kind::Unreachable => "Ask whoever runs it whether it is down; the others are watched on.",
            Kind::NoCheckpoint => "Wait until it has caught up; ask whoever runs it if that takes long.",
            Kind::Malformed => "Keep what it served, and ask whoever runs it; nothing in it is believed.",
            Kind::OtherLedger => "Check the address and the genesis; a node of this ledger serves no other.",
            Kind::NoQuorum => "Believe nothing that only this checkpoint proves; ask whoever runs the node.",
            Kind::Rollback => "Ask whoever runs it whether an old copy was put back; what was acknowledged may be missing there.",
            Kind::SplitView => "Keep both notes and tell all members: who signed both showed two histories.",
            Kind::Unproven => "Look again; if no node can give the proof, treat it as a split view.",
            Kind::Stalled => "Ask the members which validators are down; with a third of them down the ledger waits.",
        }
    }
}

/// One alarm.
#[derive(Clone, Debug)]
pub struct Alarm {
    pub kind: Kind,
    /// The address of the node or witness.
    pub node: String,
    pub found: String,
    pub expected: String,
    /// What was kept of it.
    pub files: Vec<String>,
}

impl Alarm {
    pub fn new(kind: Kind, node: &str, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Alarm { kind, node: node.to_owned(), found: found.into(), expected: expected.into(), files: Vec::new() }
    }

    pub fn to_value(&self, now: Time) -> Value {
        let mut value = object([
            ("alarm", self.kind.as_str().into()),
            ("expected", printable(&self.expected).into()),
            ("found", printable(&self.found).into()),
            ("next", self.kind.next().into()),
            ("node", self.node.as_str().into()),
            ("time", now.to_string().into()),
        ]);
        if let Value::Object(members) = &mut value
            && !self.files.is_empty()
        {
            members.insert("files".to_owned(), strings(&self.files));
        }
        value
    }

    pub fn to_text(&self, now: Time) -> String {
        let Alarm { kind, node, found, expected, files } = self;
        let mut text = format!(
            "{now} ALARM {}: {node}\n  found: {}\n  expected: {}\n  {}",
            kind.as_str(),
            printable(found),
            printable(expected),
            kind.next()
        );
        for file in files {
            text.push_str(&format!("\n  kept: {file}"));
        }
        text
    }
}
