//! sharelog: a permissioned ledger of data-sharing records between government agencies.
//!
//! The map, inner to outer; a module may use those above it in this list, never those below (`tests/it/tidy.rs` checks):
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`core`] | what a record is, who may sign it, which records may stand: pure |
//! | [`locale`] | the sentences that people read, in English and Chinese |
//! | [`log`] | Merkle tree, block entries, certificates, checkpoints, tiles, proofs, evidence: pure |
//! | [`verify`] | the offline verifier of evidence files: pure, no I/O |
//! | [`limits`] | the bounds of a node's own behaviour |
//! | [`store`] | the log files (truth), and what is rebuilt from them: state and indexes in fjall, tiles in sled |
//! | [`audit`] | a whole ledger from its public tiles: checked, copied, compared |
//! | [`health`], [`metrics`] | what a node says of itself |
//! | [`consensus`] | the pool, the Malachite engine, cosigning, asking witnesses |
//! | [`net`] | the swarm that spreads records and cosignatures |
//! | [`query`] | answers from state, indexes and log |
//! | [`keystore`], [`config`] | key files and settings |
//! | [`web`] | pages |
//! | [`api`] | HTTP |
//! | [`node`] | wiring and life of one node; a local network of node processes |
//! | [`witness`] | a witness of logs (C2SP tlog-witness): a process of its own |
//! | `fuzz` | for tests: what must hold of every decoder |
//! | [`cli`] | the command line |

#![forbid(unsafe_code)]

pub mod core;
pub mod log;
pub mod verify;

#[cfg(feature = "node")]
pub mod api;
#[cfg(feature = "node")]
pub mod audit;
#[cfg(feature = "node")]
pub mod cli;
#[cfg(feature = "node")]
pub mod config;
#[cfg(feature = "node")]
pub mod consensus;
#[cfg(feature = "test-faults")]
pub mod fuzz;
#[cfg(feature = "node")]
pub mod health;
#[cfg(feature = "node")]
pub mod keystore;
#[cfg(feature = "node")]
pub mod limits;
#[cfg(feature = "node")]
pub mod locale;
#[cfg(feature = "node")]
pub mod metrics;
#[cfg(feature = "node")]
pub mod net;
#[cfg(feature = "node")]
pub mod node;
#[cfg(feature = "node")]
pub mod query;
#[cfg(feature = "node")]
pub mod store;
#[cfg(feature = "node")]
pub mod web;
#[cfg(feature = "node")]
pub mod witness;
