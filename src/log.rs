//! The log's mathematics: Merkle tree, block entries, certificates, checkpoints, tiles, proofs and evidence. Pure.

pub mod certificate;
pub mod checkpoint;
pub mod entry;
pub mod evidence;
pub mod merkle;
pub mod misbehaviour;
pub mod proof;
pub mod tile;
pub mod witness;
