//! One process for a folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long a lock that is held is waited for: a process that was killed lets go only when its memory is freed, and one that
/// starts another leaves it a copy of the lock for a moment, between fork and exec.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Makes the file where it is missing and locks it until it is dropped.
///
/// # Errors
/// `WouldBlock` when another holder keeps it; those of the system calls.
pub fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let asked = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if asked.elapsed() < LOCK_WAIT => thread::sleep(LOCK_WAIT / 100),
            outcome => return outcome.map(|()| file).map_err(io::Error::from),
        }
    }
}
