//! The bytes of one block in a log file.
//!
//! ```text
//! header, 44 bytes, integers big-endian:
//!   magic F7 "SLB" | body bytes u32 | height u64 | first u64 | time u64 (Unix ms) | records u32 | CRC-32 of the body | CRC-32 of the above
//! body:
//!   lengths u32 of: certificate, entry, each record | certificate (JCS) | entry leaf | record leaves
//! ```
//! The first byte never occurs in UTF-8, so no certificate or leaf holds a header.

use std::sync::Arc;

use crate::core::json::{self, Strings};
use crate::core::time::Time;
use crate::log::certificate::Certificate;
use crate::log::entry::BlockEntry;
use crate::store::Block;

pub const MAGIC: [u8; 4] = [0xf7, b'S', b'L', b'B'];
pub const HEADER_BYTES: usize = 44;
const LENGTH_BYTES: usize = 4;

/// What stands in front of a block's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub body_bytes: u32,
    pub height: u64,
    /// Position of the first record.
    pub first: u64,
    pub time: Time,
    pub records: u32,
    pub body_crc: u32,
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..4].copy_from_slice(&MAGIC);
        out[4..8].copy_from_slice(&self.body_bytes.to_be_bytes());
        out[8..16].copy_from_slice(&self.height.to_be_bytes());
        out[16..24].copy_from_slice(&self.first.to_be_bytes());
        out[24..32].copy_from_slice(&self.time.unix_ms().to_be_bytes());
        out[32..36].copy_from_slice(&self.records.to_be_bytes());
        out[36..40].copy_from_slice(&self.body_crc.to_be_bytes());
        let crc = crc32fast::hash(&out[..40]);
        out[40..].copy_from_slice(&crc.to_be_bytes());
        out
    }

    /// `None` for bytes that are no whole header with its own checksum.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        if bytes[..4] != MAGIC || u32_at(bytes, 40)? != crc32fast::hash(&bytes[..40]) {
            return None;
        }
        let header = Header {
            body_bytes: u32_at(bytes, 4)?,
            height: u64_at(bytes, 8)?,
            first: u64_at(bytes, 16)?,
            time: Time::from_unix_ms(u64_at(bytes, 24)?)?,
            records: u32_at(bytes, 32)?,
            body_crc: u32_at(bytes, 36)?,
        };
        let lengths_fit = header.records < u32::MAX / 8 && usize::try_from(header.body_bytes).ok()? >= lengths_bytes(header.records);
        (lengths_fit && header.first.checked_add(u64::from(header.records) + 1).is_some()).then_some(header)
    }

    /// The entry's position.
    pub fn position(&self) -> u64 {
        self.first + u64::from(self.records)
    }

    /// Header and body together.
    pub fn frame_bytes(&self) -> u64 {
        u64::from(self.body_bytes) + u64::try_from(HEADER_BYTES).expect("a small constant")
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Bytes of the table of lengths at the start of a body.
pub fn lengths_bytes(records: u32) -> usize {
    usize::try_from(records).map_or(usize::MAX, |records| records.saturating_add(2).saturating_mul(LENGTH_BYTES))
}

/// Where each part of a body lies: certificate, entry, records; each as (offset in the body, length).
pub struct Parts(Vec<(u64, usize)>);

impl Parts {
    /// Reads the table of lengths; `None` when it does not add up to the body.
    pub fn read(table: &[u8], header: &Header) -> Option<Self> {
        let table_bytes = lengths_bytes(header.records);
        let mut offset = u64::try_from(table_bytes).ok()?;
        let mut parts = Vec::with_capacity(table_bytes / LENGTH_BYTES);
        for at in (0..table_bytes).step_by(LENGTH_BYTES) {
            let length = u32_at(table, at)?;
            parts.push((offset, usize::try_from(length).ok()?));
            offset = offset.checked_add(u64::from(length))?;
        }
        (offset == u64::from(header.body_bytes)).then_some(Parts(parts))
    }

    pub fn certificate(&self) -> (u64, usize) {
        self.0[0]
    }

    pub fn entry(&self) -> (u64, usize) {
        self.0[1]
    }

    /// The leaf number `index` of the block: its records, and last the entry.
    pub fn leaf(&self, index: usize) -> Option<(u64, usize)> {
        let records = self.0.len() - 2;
        if index == records { Some(self.entry()) } else { self.0.get(index + 2).copied().filter(|_| index < records) }
    }
}

/// The frame of `block`; `None` when it is too large for its lengths.
pub fn encode(block: &Block) -> Option<Vec<u8>> {
    let certificate = block.certificate.to_value().to_jcs();
    let parts = [certificate.as_bytes(), &block.entry_leaf].into_iter().chain(block.records.iter().map(|leaf| &leaf[..]));
    let records = u32::try_from(block.records.len()).ok()?;
    let body_bytes = parts.clone().map(<[u8]>::len).sum::<usize>() + lengths_bytes(records);
    let mut frame = Vec::with_capacity(HEADER_BYTES + body_bytes);
    frame.resize(HEADER_BYTES, 0);
    for part in parts.clone() {
        frame.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
    }
    for part in parts {
        frame.extend_from_slice(part);
    }
    let header = Header {
        body_bytes: u32::try_from(body_bytes).ok()?,
        height: block.entry.height,
        first: block.entry.first,
        time: block.entry.time,
        records,
        body_crc: crc32fast::hash(&frame[HEADER_BYTES..]),
    };
    frame[..HEADER_BYTES].copy_from_slice(&header.encode());
    Some(frame)
}

/// The block in a body; its checksum and its agreement with the header are checked.
///
/// # Errors
/// What is wrong with it.
pub fn decode(header: &Header, body: &[u8]) -> Result<Block, String> {
    if crc32fast::hash(body) != header.body_crc {
        return Err("the block's checksum differs".to_owned());
    }
    let parts = Parts::read(body, header).ok_or("the block's lengths do not add up")?;
    let slice = |(offset, length): (u64, usize)| {
        let start = usize::try_from(offset).expect("an offset inside a body in memory");
        &body[start..start + length]
    };
    let value = json::parse(slice(parts.certificate()), Strings::Strict).map_err(|refusal| format!("certificate: {refusal}"))?;
    let certificate = Certificate::from_value(&value).map_err(|refusal| refusal.to_string())?;
    let entry_leaf = slice(parts.entry());
    let entry = BlockEntry::parse(entry_leaf).map_err(|refusal| format!("entry: {refusal}"))?;
    if (entry.height, entry.first, entry.position, entry.time) != (header.height, header.first, header.position(), header.time) {
        return Err("the entry and the header before it disagree".to_owned());
    }
    let records = (0..parts.0.len() - 2).filter_map(|index| parts.leaf(index)).map(|part| Arc::from(slice(part))).collect();
    Ok(Block { entry, entry_leaf: Arc::from(entry_leaf), records, certificate })
}
