//! One node, from its home folder to its end.

use std::path::Path;

/// Runs the node of `home` until SIGTERM or SIGINT; a clean end takes at most 10 s.
///
/// # Errors
/// Settings, keys, store or ports that cannot be used; a failure that ended the node.
pub fn run(_home: &Path) -> anyhow::Result<()> {
    todo!()
}
