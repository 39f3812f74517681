//! A block's body: the entry's leaf and the record leaves, as proposals stream it, sync serves it and the disk keeps it.
//!
//! `length | entry leaf | count | (length | record leaf)*`, lengths and count in four bytes. A body is believed for its hash:
//! the leaf hash of the entry, whose `root` covers every record leaf.

use std::sync::Arc;

use bytes::Bytes;

use super::frame::{FrameError, In, Out};
use crate::core::hash::Hash;
use crate::core::policy::Policy;
use crate::log::merkle::leaf_hash;
use crate::store::Block;

/// More than any block entry: about 700 bytes beside its three names.
const ENTRY_BYTES_MAX: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    pub entry_leaf: Arc<[u8]>,
    pub leaves: Vec<Arc<[u8]>>,
}

impl Body {
    /// # Errors
    /// [`FrameError`].
    pub fn parse(bytes: Bytes) -> Result<Self, FrameError> {
        let mut input = In::new(bytes);
        let entry_leaf = input.sized()?.as_ref().into();
        let count = input.count(4)?;
        let leaves = (0..count).map(|_| Ok(input.sized()?.as_ref().into())).collect::<Result<_, FrameError>>()?;
        input.end()?;
        Ok(Body { entry_leaf, leaves })
    }

    /// # Errors
    /// [`FrameError::Invalid`] for a body beyond 2^32 - 1 bytes.
    pub fn to_bytes(&self) -> Result<Bytes, FrameError> {
        let mut out = Out::default();
        out.sized(&self.entry_leaf)?;
        out.count(self.leaves.len())?;
        self.leaves.iter().try_for_each(|leaf| out.sized(leaf))?;
        Ok(out.into_bytes())
    }

    pub fn of_block(block: &Block) -> Self {
        Body { entry_leaf: Arc::clone(&block.entry_leaf), leaves: block.records.clone() }
    }

    /// The block hash.
    pub fn hash(&self) -> Hash {
        leaf_hash(&self.entry_leaf)
    }
}

/// The longest body that `policy` allows.
pub fn bytes_max(policy: &Policy) -> usize {
    let bytes = policy.block_bytes_max.saturating_add(policy.block_records_max.saturating_mul(4));
    usize::try_from(bytes).unwrap_or(usize::MAX).saturating_add(ENTRY_BYTES_MAX + 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_round_trips_and_a_cut_one_is_refused() {
        let body = Body { entry_leaf: b"entry".as_slice().into(), leaves: vec![b"a".as_slice().into(), b"".as_slice().into()] };
        let bytes = body.to_bytes().unwrap();
        assert_eq!(Body::parse(bytes.clone()).unwrap(), body);
        for length in 0..bytes.len() {
            assert!(Body::parse(bytes.slice(..length)).is_err());
        }
        assert!(Body::parse([&bytes[..], b"x"].concat().into()).is_err());
    }
}
