//! The engine's log of one height in memory, as its actor and file keep it.

use malachite_app::app::consensus::Input;

use crate::consensus::engine::context::{Height, Ledger};

/// The log; what was not flushed is lost with the process, from some entry on.
#[derive(Clone, Debug, Default)]
pub struct Wal {
    /// The height that the file is of.
    of: Height,
    entries: Vec<Input<Ledger>>,
    flushed: usize,
    /// The height that this session appends to; `None` before its first.
    at: Option<Height>,
}

impl Wal {
    /// A new session opens the file.
    pub fn open(&mut self) {
        self.at = None;
    }

    /// The entries to replay at the start of a height: those of the file, if it is of that height.
    pub fn started_height(&mut self, height: Height) -> Vec<Input<Ledger>> {
        if self.at.replace(height) == Some(height) {
            return Vec::new();
        }
        if self.of == height { self.entries.clone() } else { self.reset(height) }
    }

    /// Begins anew for `height`.
    pub fn reset(&mut self, height: Height) -> Vec<Input<Ledger>> {
        *self = Wal { of: height, at: Some(height), ..Wal::default() };
        Vec::new()
    }

    pub fn append(&mut self, height: Height, entry: Input<Ledger>) {
        let is_kept = matches!(
            entry,
            Input::Vote(_) | Input::Proposal(_) | Input::ProposedValue(..) | Input::TimeoutElapsed(_) | Input::PolkaCertificate(_)
        );
        if self.at == Some(height) && is_kept {
            self.entries.push(entry);
        }
    }

    pub fn flush(&mut self) {
        self.flushed = self.entries.len();
    }

    /// How many entries a crash may take.
    pub fn unflushed(&self) -> usize {
        self.entries.len() - self.flushed
    }

    /// A crash takes the newest entries, as many as `lost`, at most those that were not flushed.
    pub fn lose(&mut self, lost: usize) {
        self.entries.truncate(self.entries.len() - lost.min(self.unflushed()));
        self.flushed = self.entries.len();
    }
}
