//! Agreement: the pool of pending records, the Malachite engine behind one door, and cosigning.

pub mod checkpoints;
pub mod pool;
