//! The node: wiring and life; and local networks of node processes.

mod book;
pub mod local;
pub mod run;
