//! The offline verifier of evidence files: pure, no I/O.
