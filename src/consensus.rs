//! Agreement: the pool of pending records, the Malachite engine behind one door, and cosigning.

pub mod checkpoints;
pub mod clock;
pub mod cosigner;
pub mod durable;
pub mod engine;
#[cfg(feature = "test-faults")]
pub mod faults;
pub mod misbehaviours;
pub mod pool;
pub mod roster;
pub mod witnesses;
