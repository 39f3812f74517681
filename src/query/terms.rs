//! Walking the indexes: the positions that stand under several terms at once, by leapfrog.
//!
//! 1. Every term keeps a small buffer of its next positions.
//! 2. The candidate is the next position of the first term; each other term leaps to the first position at or after it.
//! 3. A term that leaps beyond the candidate makes its own position the new one; when none does, the candidate stands under
//!    all of them.

use std::collections::VecDeque;

use crate::limits::TERM_CHUNK;
use crate::store::{Reader, StoreError};

/// The positions under all of some terms, ascending.
pub struct Walk<'a> {
    reader: &'a Reader,
    terms: Vec<Term>,
    to: u64,
    next: u64,
    looks: usize,
}

struct Term {
    name: String,
    ahead: VecDeque<u64>,
}

/// What [`Walk::advance`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// This position stands under all terms.
    At(u64),
    /// The allowance of looks was used up; nothing before this position remains.
    Paused(u64),
    End,
}

impl<'a> Walk<'a> {
    /// The positions in `from..to` under every one of `terms`; none at all without terms.
    pub fn new(reader: &'a Reader, terms: Vec<String>, from: u64, to: u64) -> Self {
        let terms = terms.into_iter().map(|name| Term { name, ahead: VecDeque::new() }).collect();
        Walk { reader, terms, to, next: from, looks: 0 }
    }

    /// Looks into the store so far.
    pub fn looks(&self) -> usize {
        self.looks
    }

    /// The next position, found with at most `looks_max` looks into the store in all.
    ///
    /// # Errors
    /// Those of the store.
    pub fn advance(&mut self, looks_max: usize) -> Result<Step, StoreError> {
        if self.terms.is_empty() {
            return Ok(Step::End);
        }
        let mut agreed = 0;
        let mut turn = 0;
        while agreed < self.terms.len() {
            if self.looks >= looks_max {
                return Ok(Step::Paused(self.next));
            }
            let Some(found) = self.seek(turn)? else {
                self.next = self.to;
                return Ok(Step::End);
            };
            agreed = if found == self.next { agreed + 1 } else { 1 };
            self.next = found;
            turn = (turn + 1) % self.terms.len();
        }
        let found = self.next;
        self.next = found.saturating_add(1);
        Ok(Step::At(found))
    }

    /// The first position at or after `next` under the term with this index.
    fn seek(&mut self, index: usize) -> Result<Option<u64>, StoreError> {
        let term = &mut self.terms[index];
        while term.ahead.front().is_some_and(|position| *position < self.next) {
            term.ahead.pop_front();
        }
        if term.ahead.is_empty() && self.next < self.to {
            term.ahead = self.reader.positions(&term.name, self.next, self.to, TERM_CHUNK)?.into();
            self.looks += 1;
        }
        Ok(term.ahead.front().copied())
    }
}

/// The first position in `from..to` under all of `terms`.
///
/// # Errors
/// Those of the store.
pub fn first(reader: &Reader, terms: &[String], from: u64, to: u64) -> Result<Option<u64>, StoreError> {
    match Walk::new(reader, terms.to_vec(), from, to).advance(usize::MAX)? {
        Step::At(position) => Ok(Some(position)),
        Step::Paused(_) | Step::End => Ok(None),
    }
}
