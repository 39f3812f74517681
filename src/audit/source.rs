//! Where a ledger's public files come from: a node, any file server, or a folder. What they hold is for others to judge.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;

use crate::limits::{AUDIT_ANSWER_WAIT, AUDIT_CONNECT_WAIT, AUDIT_FETCHERS, AUDIT_TRIES, AUDIT_TRY_PAUSE};

/// Why a file did not come; it says nothing about the ledger.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("no answer from {url}: {found}; is the address right, and the node running?")]
    Unreachable { url: String, found: String },
    #[error("{url} answered with status {status}; expected 200: the source does not serve what its checkpoint covers, try another one")]
    Refused { url: String, status: u16 },
    #[error("reading {path}: {source}; expected a folder as `sharelog export tiles` writes it, whole")]
    Unreadable { path: PathBuf, source: io::Error },
}

/// Reads public files by their paths, such as `/checkpoint`.
pub trait Source: Sync {
    /// As people know it.
    fn name(&self) -> String;

    /// The file's bytes; of a longer one the first `bytes_max` and one more.
    ///
    /// # Errors
    /// [`SourceError`].
    fn read(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, SourceError>;
}

/// A node or file server for an address, a folder for anything else.
pub fn open(place: &str) -> Box<dyn Source> {
    if is_url(place) { Box::new(Url::new(place)) } else { Box::new(Folder::new(Path::new(place))) }
}

pub fn is_url(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

fn read_up_to(reader: impl io::Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(bytes_max).expect("a bound of some MiB") + 1;
    let mut bytes = Vec::new();
    reader.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A folder as `sharelog export tiles` writes it.
pub struct Folder {
    dir: PathBuf,
}

impl Folder {
    pub fn new(dir: &Path) -> Self {
        Folder { dir: dir.to_owned() }
    }

    /// Where the file of a public path lies.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path.trim_start_matches('/'))
    }
}

impl Source for Folder {
    fn name(&self) -> String {
        self.dir.display().to_string()
    }

    fn read(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, SourceError> {
        let path = self.path(path);
        let read = File::open(&path).and_then(|file| read_up_to(file, bytes_max));
        read.map_err(|source| SourceError::Unreadable { path, source })
    }
}

/// A node's HTTP interface, or a file server with a copy.
pub struct Url {
    agent: ureq::Agent,
    base: String,
}

impl Url {
    pub fn new(base: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(AUDIT_ANSWER_WAIT))
            .timeout_connect(Some(AUDIT_CONNECT_WAIT))
            .http_status_as_error(false)
            .max_idle_connections(AUDIT_FETCHERS)
            .max_idle_connections_per_host(AUDIT_FETCHERS)
            .build()
            .into();
        Url { agent, base: base.trim_end_matches('/').to_owned() }
    }

    fn get(&self, url: &str, bytes_max: usize) -> Result<Vec<u8>, SourceError> {
        let unreachable = |found: String| SourceError::Unreachable { url: url.to_owned(), found };
        let mut response = self.agent.get(url).call().map_err(|error| unreachable(error.to_string()))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(SourceError::Refused { url: url.to_owned(), status });
        }
        read_up_to(response.body_mut().as_reader(), bytes_max).map_err(|error| unreachable(error.to_string()))
    }
}

impl Source for Url {
    fn name(&self) -> String {
        self.base.clone()
    }

    fn read(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, SourceError> {
        let url = format!("{}{path}", self.base);
        let mut pause = AUDIT_TRY_PAUSE;
        for _ in 1..AUDIT_TRIES {
            match self.get(&url, bytes_max) {
                Err(SourceError::Refused { status, .. }) if status == 429 || status >= 500 => {}
                Err(SourceError::Unreachable { .. }) => {}
                settled => return settled,
            }
            sleep(pause);
            pause *= 2;
        }
        self.get(&url, bytes_max)
    }
}
