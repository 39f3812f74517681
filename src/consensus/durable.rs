//! Small files that are replaced as a whole and survive a power cut: old or new bytes, never a mixture.
//!
//! Written are `<file>.new` (write, fsync), then the rename over the file, then the fsync of the folder.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::store::disk;

/// Puts `bytes` in the place of the file; when it returns, they are on disk.
///
/// # Errors
/// Those of the system calls; the file then holds its old or its new bytes.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let stem = path.file_stem().unwrap_or_default().display();
    let file = File::create(&new)?;
    disk::write_all_at(&file, bytes, 0, &format!("{stem}.write"))?;
    disk::sync_all(&file, &format!("{stem}.sync"))?;
    disk::rename(&new, path, &format!("{stem}.rename"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    disk::sync_dir(folder, &format!("{stem}.folder"))
}

/// The text of a file of at most `bytes_max`; `None` when there is no file.
///
/// # Errors
/// Those of the system calls; `InvalidData` for a longer file or one that is not UTF-8.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(bytes_max.saturating_add(1)).read_to_string(&mut text)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("longer than {bytes_max} bytes")));
    }
    Ok(Some(text))
}
