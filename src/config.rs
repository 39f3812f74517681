//! A node's settings: `config.toml` in its home, then `SHARELOG_...` variables; unknown keys are refused.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A checked configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The agency that runs this node.
    pub agency: String,
    /// The node's home folder.
    pub home: PathBuf,
    /// HTTP listens here.
    pub http: SocketAddr,
    /// Names that a Host header may hold besides the addresses of `http`; `localhost` always.
    pub hosts: Vec<String>,
    /// Multiaddress of the engine's port.
    pub consensus: String,
    /// Multiaddress of the record swarm's port.
    pub records: String,
    /// The engine's propose timeout of round 0; vote timeouts are half of it, and each later round adds a quarter.
    pub propose_timeout: Duration,
    /// Below this much free disk no records are taken, bytes.
    pub disk_free_bytes_min: u64,
    /// sled's cache, bytes.
    pub cache_bytes: u64,
    /// A tracing filter such as `info` or `sharelog=debug`.
    pub log: String,
    /// Lines of JSON instead of text.
    pub log_json: bool,
}

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {found}; expected {expected}")]
pub struct ConfigError {
    /// The file or variable.
    pub origin: String,
    pub found: String,
    pub expected: String,
}

impl Config {
    /// Reads `home/config.toml` and the environment.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(_home: &Path) -> Result<Self, ConfigError> {
        todo!()
    }
}
