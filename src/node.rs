//! The node: wiring and life; and local networks of node processes.

pub mod identity;
pub mod local;
pub mod run;
