//! The node: wiring, life, health, metrics.

pub mod health;
