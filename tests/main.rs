//! One binary for all integration tests: it links once. Evil peers and failpoints need `--features test-faults`; with
//! `--no-default-features` the tests of the pure core alone are built, in seconds.

mod it {
    mod admission;
    #[cfg(feature = "node")]
    mod api;
    #[cfg(feature = "test-faults")]
    mod arena;
    #[cfg(feature = "node")]
    mod audit;
    #[cfg(feature = "test-faults")]
    mod byzantine;
    #[cfg(feature = "test-faults")]
    mod clocks;
    #[cfg(feature = "node")]
    mod cluster;
    #[cfg(feature = "node")]
    mod commands;
    mod differential;
    #[cfg(feature = "test-faults")]
    mod disk;
    #[cfg(feature = "node")]
    mod engine;
    #[cfg(feature = "node")]
    mod every_kind;
    #[cfg(feature = "test-faults")]
    mod faults;
    #[cfg(feature = "test-faults")]
    mod fuzz;
    mod genesis;
    mod governance;
    #[cfg(feature = "node")]
    mod imports;
    #[cfg(feature = "node")]
    mod judge;
    mod ledger;
    mod lifecycle;
    #[cfg(feature = "test-faults")]
    mod links;
    #[cfg(feature = "node")]
    mod members;
    mod merkle;
    mod model;
    #[cfg(feature = "node")]
    mod monitor;
    #[cfg(feature = "node")]
    mod network;
    #[cfg(feature = "node")]
    mod operators;
    #[cfg(feature = "node")]
    mod outsiders;
    #[cfg(feature = "test-faults")]
    mod partitions;
    #[cfg(feature = "test-faults")]
    mod pauses;
    #[cfg(feature = "node")]
    mod pool;
    #[cfg(feature = "node")]
    mod ports;
    #[cfg(feature = "node")]
    mod questions;
    #[cfg(feature = "node")]
    mod refusals;
    #[cfg(feature = "node")]
    mod report;
    mod rules;
    #[cfg(feature = "test-faults")]
    mod schedule;
    #[cfg(feature = "node")]
    mod sharing;
    #[cfg(feature = "test-faults")]
    mod simulation;
    #[cfg(feature = "test-faults")]
    mod slow_links;
    #[cfg(feature = "node")]
    mod store;
    #[cfg(feature = "node")]
    mod stores;
    #[cfg(feature = "node")]
    mod swarm;
    mod threats;
    mod tidy;
    #[cfg(feature = "node")]
    mod torture;
    mod vectors;
    mod verify;
    #[cfg(feature = "node")]
    mod witness;
}
