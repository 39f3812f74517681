//! Inclusion and consistency proofs between any two sizes of the tree.

use crate::core::json::{Value, object};
use crate::core::refusal::{Code, Refusal};
use crate::log::merkle::{NodeHashes, consistency_proof, inclusion_proof, root_at};
use crate::query::{QueryError, proof_value};
use crate::store::Reader;

/// The proof that the leaf at `position` stands in the tree of `size` leaves.
///
/// # Errors
/// `not-found` beyond the tree, and those of the store.
pub fn inclusion(reader: &Reader, position: u64, size: u64) -> Result<Value, QueryError> {
    within_tree(reader, "size", size)?;
    if position >= size {
        return Err(QueryError::not_found(format!("position {position}"), format!("a position below {size}")));
    }
    let proof = inclusion_proof(reader, position, size)?;
    Ok(object([
        ("leaf_hash", reader.node(0, position)?.to_hex().into()),
        ("position", position.into()),
        ("proof", proof_value(&proof)),
        ("root", root_at(reader, size)?.to_hex().into()),
        ("size", size.into()),
    ]))
}

/// The proof that the tree of `to` leaves only adds to the tree of `from` leaves.
///
/// # Errors
/// `query-invalid` when `from` is 0 or above `to`, `not-found` beyond the tree, and those of the store.
pub fn consistency(reader: &Reader, from: u64, to: u64) -> Result<Value, QueryError> {
    if from == 0 || from > to {
        return Err(Refusal::new(Code::QueryInvalid, format!("from={from} to={to}"), "from at least 1 and at most to").into());
    }
    within_tree(reader, "to", to)?;
    let proof = consistency_proof(reader, from, to)?;
    Ok(object([
        ("from", from.into()),
        ("from_root", root_at(reader, from)?.to_hex().into()),
        ("proof", proof_value(&proof)),
        ("to", to.into()),
        ("to_root", root_at(reader, to)?.to_hex().into()),
    ]))
}

fn within_tree(reader: &Reader, name: &str, size: u64) -> Result<(), QueryError> {
    let most = reader.head().size;
    if size > most {
        return Err(QueryError::not_found(format!("{name} {size}"), format!("at most {most}, the size of this node's tree")));
    }
    Ok(())
}
