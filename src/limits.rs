//! The bounds of a node's own behaviour, each with its reason. Those of the formats are in [`crate::core::limits`].

use std::time::Duration;

/// How long a node's tasks may take to end after SIGTERM: together with the runtime's end below the promised 10 s.
pub const STOP_WAIT: Duration = Duration::from_secs(8);
/// Between two looks at the free disk: a full disk takes longer to fill.
pub const DISK_LOOK: Duration = Duration::from_secs(2);
/// A log file of the store: small enough to copy and check in one piece, large enough that there are few.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Zeros written ahead in a log file, so that a sync has no new size to write: a small network keeps small files.
pub const PREALLOCATE_BYTES: u64 = 4 * 1024 * 1024;
/// Records whose rows and index entries go to sled in one batch: more would hold readers of sled up for longer than a few
/// tens of milliseconds, fewer would write the same pages more often.
pub const APPLY_RECORDS: usize = 1_000;
/// The age at which a smaller batch goes to sled, so that a restart replays little.
pub const APPLY_AGE_MS: u64 = 2_000;
/// Blocks waiting for sled; beyond it the writer waits, so that memory is bounded.
pub const APPLY_QUEUE_MAX: usize = 16;
/// Checked tiles of hashes kept in memory, 8 KiB each.
pub const TILES_CACHED_MAX: usize = 128;
