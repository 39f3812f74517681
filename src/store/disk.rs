//! The calls that make bytes durable, each under the name of its place, at which a test may let it fail (`store/faults.rs`).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

#[cfg(feature = "test-faults")]
use super::faults::before;

/// When the process ends at a call, by a test's will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    Never,
    /// Behind the call.
    After,
    /// Behind the first half of its bytes.
    Torn,
}

#[cfg(not(feature = "test-faults"))]
fn before(_: &str) -> io::Result<Ends> {
    Ok(Ends::Never)
}

impl Ends {
    /// Of these bytes those that the call writes.
    fn part(self, bytes: &[u8]) -> &[u8] {
        let length = if self == Ends::Torn { bytes.len() / 2 } else { bytes.len() };
        &bytes[..length]
    }

    fn now(self) {
        if self != Ends::Never {
            std::process::abort();
        }
    }
}

/// Runs `call` at the place `point`.
///
/// # Errors
/// Those of `call`.
pub fn at<T, E: From<io::Error>>(point: &str, call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let ends = before(point)?;
    let done = call()?;
    ends.now();
    Ok(done)
}

/// # Errors
/// Those of the system call, as for all of these.
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64, point: &str) -> io::Result<()> {
    let ends = before(point)?;
    file.write_all_at(ends.part(bytes), offset)?;
    ends.now();
    Ok(())
}

/// # Errors
/// See [`write_all_at`].
pub fn sync_data(file: &File, point: &str) -> io::Result<()> {
    at(point, || file.sync_data())
}

/// # Errors
/// See [`write_all_at`].
pub fn sync_all(file: &File, point: &str) -> io::Result<()> {
    at(point, || file.sync_all())
}

/// Makes what was made, named or removed in a folder durable.
///
/// # Errors
/// See [`write_all_at`].
pub fn sync_dir(dir: &Path, point: &str) -> io::Result<()> {
    at(point, || File::open(dir)?.sync_all())
}

/// # Errors
/// See [`write_all_at`].
pub fn rename(from: &Path, to: &Path, point: &str) -> io::Result<()> {
    at(point, || fs::rename(from, to))
}
