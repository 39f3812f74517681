//! One binary for all integration tests: it links once. Evil peers and failpoints need `--features test-faults`.

mod it {
    mod admission;
    mod api;
    mod cluster;
    mod commands;
    mod engine;
    #[cfg(feature = "test-faults")]
    mod faults;
    mod genesis;
    mod governance;
    mod imports;
    mod judge;
    mod ledger;
    mod lifecycle;
    mod merkle;
    mod network;
    mod operators;
    mod pool;
    mod questions;
    mod refusals;
    mod report;
    mod rules;
    mod sharing;
    mod store;
    mod stores;
    mod swarm;
    mod tidy;
    mod vectors;
    mod verify;
}
