//! sharelog: a permissioned ledger of data-sharing records between government agencies.
//!
//! The map, inner to outer; a module may use those above it in this list, never those below (`tests/tidy.rs` checks):
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`core`] | what a record is, who may sign it, which records may stand: pure |
//! | [`log`] | Merkle tree, block entries, certificates, checkpoints, tiles, proofs, evidence: pure |
//! | [`verify`] | the offline verifier of evidence files: pure, no I/O |
//! | [`limits`] | the bounds of a node's own behaviour |
//! | [`store`] | the log files (truth) and sled (state and indexes, rebuildable) |
//! | [`consensus`] | the Malachite engine, the pool, execution of blocks |
//! | [`net`] | the swarm that spreads records and cosignatures |
//! | [`query`] | answers from state and indexes |
//! | [`node`] | wiring, life, health, metrics |
//! | [`api`] | HTTP |
//! | [`cli`] | the command line |

#![forbid(unsafe_code)]

pub mod core;
pub mod limits;
pub mod log;

#[cfg(feature = "node")]
pub mod consensus;
#[cfg(feature = "node")]
pub mod node;
#[cfg(feature = "node")]
pub mod store;
