//! A folder that belongs to an engine, built from the log and not believed for having opened.
//!
//! `<name>.suspect` lies beside the folder while the engine opens it and once damage was read: if it lies there at a start,
//! the engine never sees the folder again. What is not believed is removed and built anew.

use std::fs;
use std::io::ErrorKind;
use std::panic::{UnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::store::StoreError;
use crate::store::segments::{io_error, sync_dir};

#[derive(Clone, Debug)]
pub struct Folder {
    parent: PathBuf,
    path: PathBuf,
    suspect: PathBuf,
}

impl Folder {
    /// The folder `name` under `dir`.
    pub fn new(dir: &Path, name: &str) -> Self {
        Folder { parent: dir.to_owned(), path: dir.join(name), suspect: dir.join(format!("{name}.suspect")) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `open` on a folder that is there and not suspect; a reason not to believe it is the inner error.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the mark beside the folder cannot be written.
    pub fn open<T>(&self, open: impl FnOnce() -> Result<T, String> + UnwindSafe) -> Result<Result<T, String>, StoreError> {
        if self.suspect.exists() {
            return Ok(Err(format!("{}: an earlier start could not open it, or an earlier run read damage", self.path.display())));
        }
        if !self.path.exists() {
            return Ok(Err(format!("{}: there is none", self.path.display())));
        }
        fs::write(&self.suspect, b"").map_err(io_error("write", &self.suspect))?;
        let opened = catch_unwind(open).unwrap_or_else(|_| Err("it panicked".to_owned()));
        if opened.is_ok() {
            remove(&self.suspect)?;
        }
        Ok(opened.map_err(|reason| format!("{}: {reason}", self.path.display())))
    }

    /// An empty folder in place of whatever there was.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn create(&self) -> Result<(), StoreError> {
        match fs::remove_dir_all(&self.path) {
            Err(source) if source.kind() != ErrorKind::NotFound => return Err(io_error("remove", &self.path)(source)),
            _ => {}
        }
        remove(&self.suspect)?;
        fs::create_dir_all(&self.path).map_err(io_error("create", &self.path))?;
        sync_dir(&self.parent)
    }

    /// Marks the folder as not to be believed at the next start.
    pub fn suspect(&self) {
        if let Err(error) = fs::write(&self.suspect, b"") {
            tracing::error!(path = %self.suspect.display(), %error, "cannot mark a folder as damaged");
        }
    }

    pub fn corrupt(&self, found: String) -> StoreError {
        StoreError::Corrupt { object: self.path.display().to_string(), found }
    }
}

/// Removes a file, if it is there.
///
/// # Errors
/// [`StoreError::Io`].
pub fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(io_error("remove", path)(source)),
        _ => Ok(()),
    }
}
