//! One binary for all integration tests: it links once. Evil peers and failpoints need `--features test-faults`.

mod it {
    mod cluster;
    mod engine;
    #[cfg(feature = "test-faults")]
    mod faults;
    mod judge;
    mod merkle;
    mod network;
    mod refusals;
    mod sharing;
    mod tidy;
}
