//! The bounds of a node's own behaviour, each with its reason. Those of the formats are in [`crate::core::limits`].

use std::time::Duration;

/// How long a node's tasks may take to end after SIGTERM: together with the runtime's end below the promised 10 s.
pub const STOP_WAIT: Duration = Duration::from_secs(8);
/// Between two looks at the free disk: a full disk takes longer to fill.
pub const DISK_LOOK: Duration = Duration::from_secs(2);
