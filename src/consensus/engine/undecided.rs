//! The file of proposed, undecided bodies of the current height: written and synced before the engine hears of a block, so
//! that after a crash the engine's WAL, which names blocks by hash alone, finds them again.
//!
//! Frames from the file's start: `length | height | round | valid round | proposer | body | SHA-256 of all before`. A new height
//! begins at the start again and overwrites; reading ends at the first frame that is torn or of another height. The space is
//! written once, when the file is made: syncing into it costs a fraction of syncing into a growing file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use bytes::Bytes;
use malachite_app::app::types::core::Round;

use super::context::Address;
use super::frame::{FrameError, In, Out};
use crate::core::hash::Hash;
use crate::limits::UNDECIDED_SPACE_BYTES;
use crate::store::disk;

/// A body with the round of its first proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub height: u64,
    pub round: u32,
    pub valid_round: Option<u32>,
    pub proposer: Address,
    pub body: Bytes,
}

/// The open file.
#[derive(Debug)]
pub struct Undecided {
    file: File,
    height: u64,
    end: u64,
}

impl Undecided {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path) -> io::Result<Self> {
        let is_new = !path.exists();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        if is_new {
            file.write_all_at(&vec![0; UNDECIDED_SPACE_BYTES], 0)?;
            disk::sync_all(&file, "body.create")?;
            if let Some(dir) = path.parent() {
                disk::sync_dir(dir, "body.folder")?;
            }
        }
        let mut undecided = Undecided { file, height: 0, end: 0 };
        while let Some((kept, end)) = undecided.read(undecided.end)? {
            if undecided.end > 0 && kept.height != undecided.height {
                break;
            }
            undecided.height = kept.height;
            undecided.end = end;
        }
        Ok(undecided)
    }

    /// The bodies of the height that the file was used for last.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn bodies(&self) -> io::Result<Vec<Kept>> {
        let (mut offset, mut all) = (0, Vec::new());
        while offset < self.end
            && let Some((kept, end)) = self.read(offset)?
        {
            offset = end;
            all.push(kept);
        }
        Ok(all)
    }

    /// Keeps a body durably.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn keep(&mut self, kept: &Kept) -> io::Result<()> {
        if kept.height != self.height {
            (self.height, self.end) = (kept.height, 0);
        }
        let frame = to_frame(kept).map_err(io::Error::other)?;
        disk::write_all_at(&self.file, &frame, self.end, "body.write")?;
        disk::sync_data(&self.file, "body.sync")?;
        self.end += u64::try_from(frame.len()).map_err(io::Error::other)?;
        Ok(())
    }

    fn read(&self, offset: u64) -> io::Result<Option<(Kept, u64)>> {
        let left = self.file.metadata()?.len().saturating_sub(offset);
        let mut length = [0; 4];
        if left < 4 {
            return Ok(None);
        }
        self.file.read_exact_at(&mut length, offset)?;
        let length = u32::from_be_bytes(length);
        if length == 0 || u64::from(length) > left - 4 {
            return Ok(None);
        }
        let mut frame = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut frame, offset + 4)?;
        Ok(from_frame(frame.into()).ok().map(|kept| (kept, offset + 4 + u64::from(length))))
    }
}

pub fn to_frame(kept: &Kept) -> Result<Bytes, FrameError> {
    let mut inner = Out::default();
    inner.u64(kept.height);
    inner.u32(kept.round);
    inner.u64(kept.valid_round.map_or(0, |round| u64::from(round) + 1));
    inner.raw(&kept.proposer.0);
    inner.raw(&kept.body);
    let inner = inner.into_bytes();
    let check = Hash::of(&inner);
    let mut out = Out::default();
    out.count(inner.len() + 32)?;
    out.raw(&inner);
    out.raw(check.as_bytes());
    Ok(out.into_bytes())
}

pub fn from_frame(frame: Bytes) -> Result<Kept, FrameError> {
    let inner = frame.len().checked_sub(32).ok_or(FrameError::Truncated)?;
    if Hash::of(&frame[..inner]).as_bytes() != &frame[inner..] {
        return Err(FrameError::Invalid("a torn frame"));
    }
    let mut input = In::new(frame.slice(..inner));
    let (height, round) = (input.u64()?, input.u32()?);
    let valid_round = match input.u64()? {
        0 => Round::Nil,
        above => Round::new(u32::try_from(above - 1).map_err(|_| FrameError::Invalid("a round above 2^32 - 1"))?),
    };
    let proposer = Address(input.array()?);
    let body = input.raw(inner - 52)?;
    Ok(Kept { height, round, valid_round: valid_round.as_u32(), proposer, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(height: u64, round: u32, bytes: usize) -> Kept {
        let valid_round = round.checked_sub(1);
        Kept { height, round, valid_round, proposer: Address([3; 32]), body: vec![u8::try_from(round).unwrap(); bytes].into() }
    }

    #[test]
    fn bodies_of_the_last_height_are_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("undecided");
        let mut undecided = Undecided::open(&path).unwrap();
        assert!(undecided.bodies().unwrap().is_empty());
        for round in 0..3 {
            undecided.keep(&kept(7, round, 100)).unwrap();
        }
        drop(undecided);
        let mut undecided = Undecided::open(&path).unwrap();
        assert_eq!(undecided.bodies().unwrap(), [kept(7, 0, 100), kept(7, 1, 100), kept(7, 2, 100)]);
        undecided.keep(&kept(7, 3, 5)).unwrap();
        undecided.keep(&kept(8, 0, 100)).unwrap();
        let mut undecided = Undecided::open(&path).unwrap();
        assert_eq!(undecided.bodies().unwrap(), [kept(8, 0, 100)]);
        undecided.keep(&kept(9, 0, UNDECIDED_SPACE_BYTES + 1)).unwrap();
        undecided.file.write_all_at(&[1], undecided.end - 1).unwrap();
        assert!(Undecided::open(&path).unwrap().bodies().unwrap().is_empty());
    }
}
