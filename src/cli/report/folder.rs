//! A new folder that is whole or not there: written under another name beside its place, synced, and put there at the end.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;

/// The folder in the making; dropped before it is finished, it takes what was written with it.
pub struct Folder {
    target: PathBuf,
    part: PathBuf,
    finished: bool,
}

impl Folder {
    /// # Errors
    /// [`Failure::Usage`] for a target that exists, [`Failure::Unreadable`] where nothing can be written.
    pub fn new(target: &Path) -> Result<Self, Failure> {
        refuse_existing(target)?;
        let name = target.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Failure::Usage(format!("-o {}: expected the name of a new folder", target.display())))?;
        let part = target.with_file_name(format!(".{name}.{}.part", std::process::id()));
        fs::create_dir(&part).map_err(|error| unwritable(&part, &error))?;
        Ok(Folder { target: target.to_owned(), part, finished: false })
    }

    /// # Errors
    /// [`Failure::Unreadable`].
    pub fn folder(&self, name: &str) -> Result<(), Failure> {
        let path = self.part.join(name);
        fs::create_dir(&path).map_err(|error| unwritable(&path, &error))
    }

    /// # Errors
    /// [`Failure::Unreadable`].
    pub fn file(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.part.join(name);
        let write = || -> std::io::Result<()> {
            let mut file = File::create_new(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|error| unwritable(&path, &error))
    }

    /// # Errors
    /// As [`Folder::new`].
    pub fn finish(mut self) -> Result<(), Failure> {
        refuse_existing(&self.target)?;
        let finish = || -> std::io::Result<()> {
            File::open(&self.part)?.sync_all()?;
            fs::rename(&self.part, &self.target)
        };
        finish().map_err(|error| unwritable(&self.target, &error))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed stays under a name that says what it is.
            let _ = fs::remove_dir_all(&self.part);
        }
    }
}

/// Also a link that leads nowhere is something that exists.
fn refuse_existing(target: &Path) -> Result<(), Failure> {
    match target.symlink_metadata() {
        Ok(_) => Err(Failure::Usage(format!("-o {}: it exists; a report is written into a new folder", target.display()))),
        Err(_) => Ok(()),
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Unreadable(format!("writing {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("report");
        let names = || fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let folder = Folder::new(&target).unwrap();
        folder.file("a.txt", b"a").unwrap();
        assert!(!target.exists());
        drop(folder);
        assert!(names().is_empty());
        let folder = Folder::new(&target).unwrap();
        folder.folder("records").unwrap();
        folder.file("records/a.txt", b"a").unwrap();
        folder.finish().unwrap();
        assert_eq!(names(), ["report"]);
        assert!(matches!(Folder::new(&target), Err(Failure::Usage(_))));
        assert_eq!(fs::read(target.join("records/a.txt")).unwrap(), b"a");
    }
}
