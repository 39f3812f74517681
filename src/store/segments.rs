//! The log: append-only files `NNNNNNNN.log` of frames, the truth of the store.
//!
//! 1. A block is one frame, written at the end of the last file and followed by one `fdatasync`.
//! 2. Zeros are written ahead in steps, after a block was acknowledged; a clean stop cuts them off.
//! 3. A file that is full is cut to its frames, and the next one starts; the folder is synced when a file is made.
//! 4. Opening reads the last file whole, and the headers alone of those before it. What follows the last whole frame of
//!    the last file is a torn tail and is cut off; if a whole frame follows damage, that is damage, and is named.
//! 5. After a failed write or sync the writer refuses everything.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use crate::core::json::{self, Strings};
use crate::core::time::Time;
use crate::limits::{PREALLOCATE_BYTES, SEGMENT_BYTES};
use crate::log::certificate::Certificate;
use crate::store::disk;
use crate::store::frame::{self, HEADER_BYTES, Header, MAGIC, Parts};
use crate::store::lock;
use crate::store::{Block, StoreError};

/// Where a block lies.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    segment: usize,
    offset: u64,
    pub header: Header,
}

impl Place {
    pub fn position(&self) -> u64 {
        self.header.position()
    }
}

/// The files for reading; shared. Holds the lock of the folder.
#[derive(Debug)]
pub struct LogFiles {
    dir: PathBuf,
    /// Of height 1 on. Locked for a few instructions at a time.
    places: RwLock<Vec<Place>>,
    segments: RwLock<Vec<Arc<File>>>,
    _lock: File,
}

/// The writer's end of the log.
#[derive(Debug)]
pub struct LogWriter {
    files: Arc<LogFiles>,
    file: Arc<File>,
    /// Where the next frame goes.
    end: u64,
    /// Up to where the file is written, frames or zeros.
    allocated: u64,
    /// A file that would grow beyond this is followed by the next.
    segment_bytes: u64,
    has_failed: bool,
}

/// An I/O error with its operation and object.
pub(super) fn io_error(operation: &'static str, object: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let object = object.display().to_string();
    move |source| StoreError::Io { operation, object, source }
}

fn segment_path(dir: &Path, segment: usize) -> PathBuf {
    dir.join(format!("{:08}.log", segment + 1))
}

pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    disk::sync_dir(dir, "store.folder").map_err(io_error("sync folder", dir))
}

fn segment_bytes() -> u64 {
    #[cfg(feature = "test-faults")]
    if let Some(bytes) = crate::store::faults::segment_bytes() {
        return bytes;
    }
    SEGMENT_BYTES
}

impl LogFiles {
    /// Blocks in the log.
    pub fn height(&self) -> u64 {
        count(self.places.read().expect("no holder panics").len())
    }

    pub fn place(&self, height: u64) -> Option<Place> {
        let index = usize::try_from(height.checked_sub(1)?).ok()?;
        self.places.read().expect("no holder panics").get(index).copied()
    }

    /// The first height whose place fulfils `condition`, which must be false up to some height and true from there on.
    pub fn first_height(&self, condition: impl Fn(&Place) -> bool) -> u64 {
        count(self.places.read().expect("no holder panics").partition_point(|place| !condition(place))) + 1
    }

    pub fn block(&self, place: &Place) -> Result<Block, StoreError> {
        let mut body = vec![0; usize::try_from(place.header.body_bytes).expect("a frame fits in memory")];
        self.read(place, 0, &mut body)?;
        frame::decode(&place.header, &body).map_err(|found| self.damaged(place, found))
    }

    /// The leaf number `index` of a block, its entry last; not checked.
    pub fn leaf(&self, place: &Place, index: usize) -> Result<Arc<[u8]>, StoreError> {
        let mut table = vec![0; frame::lengths_bytes(place.header.records)];
        self.read(place, 0, &mut table)?;
        let parts = Parts::read(&table, &place.header).ok_or_else(|| self.damaged(place, "the block's lengths do not add up"))?;
        let (offset, length) = parts.leaf(index).ok_or_else(|| self.damaged(place, "the block has fewer leaves"))?;
        let mut leaf = vec![0; length];
        self.read(place, offset, &mut leaf)?;
        Ok(leaf.into())
    }

    /// The entry's leaf of a block; not checked.
    pub fn entry_leaf(&self, place: &Place) -> Result<Arc<[u8]>, StoreError> {
        self.leaf(place, usize::try_from(place.header.records).expect("a frame fits in memory"))
    }

    /// The certificate of a block; not checked.
    pub fn certificate(&self, place: &Place) -> Result<Certificate, StoreError> {
        let mut table = vec![0; frame::lengths_bytes(place.header.records)];
        self.read(place, 0, &mut table)?;
        let parts = Parts::read(&table, &place.header).ok_or_else(|| self.damaged(place, "the block's lengths do not add up"))?;
        let (offset, length) = parts.certificate();
        let mut text = vec![0; length];
        self.read(place, offset, &mut text)?;
        let certificate = json::parse(&text, Strings::Strict).and_then(|value| Certificate::from_value(&value));
        certificate.map_err(|refusal| self.damaged(place, format!("certificate: {refusal}")))
    }

    /// Names damage in a block.
    pub fn damaged(&self, place: &Place, found: impl Into<String>) -> StoreError {
        let path = segment_path(&self.dir, place.segment);
        let object = format!("{} at byte {}, height {}", path.display(), place.offset, place.header.height);
        StoreError::Corrupt { object, found: found.into() }
    }

    /// Reads from a block's body.
    fn read(&self, place: &Place, offset: u64, out: &mut [u8]) -> Result<(), StoreError> {
        let file = self.segments.read().expect("no holder panics")[place.segment].clone();
        let start = place.offset + count(HEADER_BYTES) + offset;
        file.read_exact_at(out, start).map_err(io_error("read", &segment_path(&self.dir, place.segment)))
    }
}

impl LogFiles {
    /// Reads every file whole, changing nothing: the blocks up to the first damage, and all damage that there is.
    ///
    /// # Errors
    /// [`StoreError::Io`], and [`StoreError::Corrupt`] for a missing file.
    pub fn survey(dir: &Path) -> Result<(Arc<Self>, Vec<StoreError>), StoreError> {
        let lock = lock(dir)?;
        let segments = open_segments(dir)?;
        let (mut places, mut damage) = (Vec::new(), Vec::new());
        for (segment, file) in segments.iter().enumerate() {
            let path = segment_path(dir, segment);
            let scan = Scan { path: &path, file, segment, bytes: file_bytes(file, &path)? };
            let end = scan.all(&mut places, &mut damage)?;
            if segment + 1 < segments.len() && end < scan.bytes {
                damage.push(scan.damage(end, "bytes behind the last whole frame"));
            }
        }
        let files = LogFiles { dir: dir.to_owned(), places: RwLock::new(places), segments: RwLock::new(segments), _lock: lock };
        Ok((Arc::new(files), damage))
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).expect("a count in memory fits in 64 bits")
}

impl LogWriter {
    /// Opens or makes the log in `dir`, and locks it.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Corrupt`] for damage before the last whole frame.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let lock = lock(dir)?;
        let mut segments = open_segments(dir)?;
        let mut places = Vec::new();
        let mut end = 0;
        for (segment, file) in segments.iter().enumerate() {
            let path = segment_path(dir, segment);
            let scan = Scan { path: &path, file, segment, bytes: file_bytes(file, &path)? };
            end = if segment + 1 == segments.len() { scan.last(&mut places)? } else { scan.earlier(&mut places)? };
        }
        if segments.is_empty() {
            segments.push(Arc::new(create_segment(dir, 0)?));
        }
        let file = segments[segments.len() - 1].clone();
        let path = segment_path(dir, segments.len() - 1);
        let bytes = file_bytes(&file, &path)?;
        if bytes > end {
            tell_cut(&file, &path, end, bytes)?;
            disk::at("log.cut", || file.set_len(end).and_then(|()| file.sync_all())).map_err(io_error("cut", &path))?;
        }
        let files = LogFiles { dir: dir.to_owned(), places: RwLock::new(places), segments: RwLock::new(segments), _lock: lock };
        Ok(LogWriter { files: Arc::new(files), file, end, allocated: end, segment_bytes: segment_bytes(), has_failed: false })
    }

    pub fn files(&self) -> &Arc<LogFiles> {
        &self.files
    }

    /// Writes the block's frame and syncs it.
    ///
    /// # Errors
    /// [`StoreError`]; after one, every later call fails.
    pub fn append(&mut self, block: &Block) -> Result<(), StoreError> {
        if self.has_failed {
            return Err(StoreError::Failed);
        }
        let outcome = self.write(block);
        self.has_failed = outcome.is_err();
        outcome
    }

    fn write(&mut self, block: &Block) -> Result<(), StoreError> {
        let too_large = || StoreError::Corrupt { object: format!("block {}", block.entry.height), found: "too large to store".into() };
        let frame = frame::encode(block).ok_or_else(too_large)?;
        let header = Header::decode(&frame).ok_or_else(too_large)?;
        if self.end > 0 && self.end + count(frame.len()) > self.segment_bytes {
            self.next_segment()?;
        }
        let path = segment_path(&self.files.dir, self.segment());
        disk::write_all_at(&self.file, &frame, self.end, "log.write").map_err(io_error("write", &path))?;
        disk::sync_data(&self.file, "log.sync").map_err(io_error("sync", &path))?;
        let place = Place { segment: self.segment(), offset: self.end, header };
        self.end += count(frame.len());
        self.allocated = self.allocated.max(self.end);
        self.files.places.write().expect("no holder panics").push(place);
        Ok(())
    }

    fn segment(&self) -> usize {
        self.files.segments.read().expect("no holder panics").len() - 1
    }

    fn next_segment(&mut self) -> Result<(), StoreError> {
        self.cut()?;
        let segment = self.segment() + 1;
        self.file = Arc::new(create_segment(&self.files.dir, segment)?);
        self.files.segments.write().expect("no holder panics").push(self.file.clone());
        (self.end, self.allocated) = (0, 0);
        Ok(())
    }

    /// Writes zeros ahead when few are left. A full disk is not an error here: the next frame decides.
    pub fn preallocate(&mut self) {
        let wanted = (self.end + PREALLOCATE_BYTES / 4).min(self.segment_bytes);
        if self.has_failed || self.allocated >= wanted {
            return;
        }
        let length = PREALLOCATE_BYTES.min(self.segment_bytes.saturating_sub(self.allocated));
        let zeros = vec![0; usize::try_from(length).expect("a step fits in memory")];
        if disk::write_all_at(&self.file, &zeros, self.allocated, "log.ahead").is_ok() {
            self.allocated += length;
        }
    }

    /// Cuts what was preallocated.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn cut(&mut self) -> Result<(), StoreError> {
        if self.has_failed {
            return Err(StoreError::Failed);
        }
        let path = segment_path(&self.files.dir, self.segment());
        disk::at("log.cut", || self.file.set_len(self.end).and_then(|()| self.file.sync_all())).map_err(io_error("cut", &path))?;
        self.allocated = self.end;
        Ok(())
    }
}

/// Says so when more than zeros is cut off: the others have what is lost.
fn tell_cut(file: &File, path: &Path, end: u64, bytes: u64) -> Result<(), StoreError> {
    let mut tail = vec![0; usize::try_from(bytes - end).expect("a log file fits in memory")];
    file.read_exact_at(&mut tail, end).map_err(io_error("read", path))?;
    if tail.iter().any(|byte| *byte != 0) {
        tracing::warn!(path = %path.display(), at = end, bytes = bytes - end, "a torn tail of the log is cut off");
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("LOCK");
    lock::lock(&path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::new(error.kind(), "another process has this store open"),
            _ => error,
        })
        .map_err(io_error("lock", &path))
}

/// How many log files there are; their numbers have no gap.
fn segment_count(dir: &Path) -> Result<usize, StoreError> {
    let mut names = Vec::new();
    for item in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let path = item.map_err(io_error("list", dir))?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            names.push(path);
        }
    }
    names.sort();
    match (0..names.len()).map(|segment| segment_path(dir, segment)).find(|path| !names.contains(path)) {
        Some(missing) => Err(StoreError::Corrupt { object: missing.display().to_string(), found: "the file is missing".into() }),
        None => Ok(names.len()),
    }
}

fn open_segments(dir: &Path) -> Result<Vec<Arc<File>>, StoreError> {
    let open = |segment| {
        let path = segment_path(dir, segment);
        OpenOptions::new().read(true).write(true).open(&path).map(Arc::new).map_err(io_error("open", &path))
    };
    (0..segment_count(dir)?).map(open).collect()
}

fn file_bytes(file: &File, path: &Path) -> Result<u64, StoreError> {
    Ok(file.metadata().map_err(io_error("read", path))?.len())
}

fn create_segment(dir: &Path, segment: usize) -> Result<File, StoreError> {
    let path = segment_path(dir, segment);
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).map_err(io_error("create", &path))?;
    disk::sync_all(&file, "log.create").map_err(io_error("sync", &path))?;
    sync_dir(dir)?;
    Ok(file)
}

/// One file on its way into the table of places.
struct Scan<'a> {
    path: &'a Path,
    file: &'a File,
    segment: usize,
    bytes: u64,
}

impl Scan<'_> {
    /// Every frame by its header; the file ends with the last frame.
    fn earlier(&self, places: &mut Vec<Place>) -> Result<u64, StoreError> {
        let mut offset = 0;
        while offset < self.bytes {
            let header = self.header(offset)?.ok_or_else(|| self.damage(offset, "no frame"))?;
            if offset + header.frame_bytes() > self.bytes {
                return Err(self.damage(offset, "the file ends inside a frame"));
            }
            self.place(offset, header, places)?;
            offset += header.frame_bytes();
        }
        Ok(offset)
    }

    /// Every frame whole; answers where the last whole one ends.
    fn last(&self, places: &mut Vec<Place>) -> Result<u64, StoreError> {
        let mut offset = 0;
        while let Some(header) = self.whole_frame(offset)? {
            self.place(offset, header, places)?;
            offset += header.frame_bytes();
        }
        if let Some(later) = self.frame_after(offset)? {
            return Err(self.damage(offset, &format!("a broken frame, and a whole one at byte {later}")));
        }
        Ok(offset)
    }

    /// Every frame whole, going on behind damage; answers where the last whole one ends.
    fn all(&self, places: &mut Vec<Place>, damage: &mut Vec<StoreError>) -> Result<u64, StoreError> {
        let mut offset = 0;
        loop {
            while let Some(header) = self.whole_frame(offset)? {
                if damage.is_empty()
                    && let Err(error) = self.place(offset, header, places)
                {
                    damage.push(error);
                }
                offset += header.frame_bytes();
            }
            let Some(later) = self.frame_after(offset)? else {
                return Ok(offset);
            };
            damage.push(self.damage(offset, &format!("a broken frame, and a whole one at byte {later}")));
            offset = later;
        }
    }

    fn header(&self, offset: u64) -> Result<Option<Header>, StoreError> {
        if offset + count(HEADER_BYTES) > self.bytes {
            return Ok(None);
        }
        let mut bytes = [0; HEADER_BYTES];
        self.file.read_exact_at(&mut bytes, offset).map_err(io_error("read", self.path))?;
        Ok(Header::decode(&bytes))
    }

    fn whole_frame(&self, offset: u64) -> Result<Option<Header>, StoreError> {
        let Some(header) = self.header(offset)?.filter(|header| offset + header.frame_bytes() <= self.bytes) else {
            return Ok(None);
        };
        let mut body = vec![0; usize::try_from(header.body_bytes).expect("a frame fits in memory")];
        self.file.read_exact_at(&mut body, offset + count(HEADER_BYTES)).map_err(io_error("read", self.path))?;
        Ok((crc32fast::hash(&body) == header.body_crc).then_some(header))
    }

    /// The first whole frame that starts behind `offset`.
    fn frame_after(&self, offset: u64) -> Result<Option<u64>, StoreError> {
        let mut rest = vec![0; usize::try_from(self.bytes - offset).expect("a log file fits in memory")];
        self.file.read_exact_at(&mut rest, offset).map_err(io_error("read", self.path))?;
        let starts = rest.iter().enumerate().skip(1).filter(|(_, byte)| **byte == MAGIC[0]).map(|(index, _)| index);
        for start in starts.filter(|start| rest[*start..].starts_with(&MAGIC)) {
            let later = offset + count(start);
            if self.whole_frame(later)?.is_some() {
                return Ok(Some(later));
            }
        }
        Ok(None)
    }

    fn place(&self, offset: u64, header: Header, places: &mut Vec<Place>) -> Result<(), StoreError> {
        let (height, first, time) = match places.last() {
            Some(place) => (place.header.height + 1, place.position() + 1, Some(place.header.time)),
            None => (1, 0, None),
        };
        if header.height != height || header.first != first || time.is_some_and(|time: Time| header.time <= time) {
            let found = format!("height {} and position {}, where {height} and {first} belong", header.height, header.first);
            return Err(self.damage(offset, &found));
        }
        places.push(Place { segment: self.segment, offset, header });
        Ok(())
    }

    fn damage(&self, offset: u64, found: &str) -> StoreError {
        StoreError::Corrupt { object: format!("{} at byte {offset}", self.path.display()), found: found.to_owned() }
    }
}
