//! One binary for all integration tests: it links once. Evil peers and failpoints need `--features test-faults`.

mod it {
    mod api;
    mod ledger;
    mod merkle;
    mod tidy;
}
