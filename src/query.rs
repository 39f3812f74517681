//! Answers from state, indexes and log, as JSON values of INTERFACES' shapes.
//!
//! Every record that an answer shows is read from its leaf, which the store checks against the tree; which records an
//! answer holds comes from the indexes, so lists say `"source":"index"`. A page is made from one head: what is committed
//! while it is made does not show. Everything here blocks on the store; call it from a blocking thread.

pub mod blocks;
pub mod book;
pub mod catalogue;
pub mod chain;
pub mod due;
pub mod evidence;
pub mod history;
pub mod page;
pub mod proofs;
pub mod questions;
pub mod records;
pub mod sharing;
pub mod terms;

use crate::core::hash::Hash;
use crate::core::json::{Value, strings};
use crate::core::key::encode_base64;
use crate::core::refusal::{Code, Refusal};
use crate::store::StoreError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl QueryError {
    /// Nothing under this id or number.
    pub fn not_found(found: impl Into<String>, expected: impl Into<String>) -> Self {
        QueryError::Refused(Refusal::new(Code::NotFound, found, expected))
    }

    /// A committed text that cannot be read: the store is damaged where its hashes do not see it.
    fn unreadable(position: u64, found: &Refusal) -> Self {
        QueryError::Store(StoreError::Corrupt { object: format!("leaf {position}"), found: found.to_string() })
    }
}

/// The nodes of a proof, as JSON.
pub fn proof_value(proof: &[Hash]) -> Value {
    strings(proof.iter().map(|hash| encode_base64(hash.as_bytes())))
}
