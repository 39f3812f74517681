//! Messages of the record swarm: record leaves and cosigned checkpoints, one after the other.
//!
//! A message is a row of items, each a tag (1: a record's leaf, 2: a checkpoint's note with 0x04 lines), the length of what
//! follows as four bytes, big-endian, and the bytes. The stream's end ends it; it has at most
//! [`MESSAGE_BYTES_MAX`] bytes. The answer to a message that was handled is the byte [`ACKNOWLEDGED`].

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::consensus::checkpoints::Cosigned;
use crate::core::limits::RECORD_BYTES_MAX;
use crate::core::note::Note;
use crate::limits::MESSAGE_BYTES_MAX;

pub const ACKNOWLEDGED: u8 = 1;

const TAG_RECORD: u8 = 1;
const TAG_COSIGNED: u8 = 2;
/// Tag and length.
const ITEM_HEAD_BYTES: usize = 5;

/// What is wrong with a message; its sender is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("more than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    #[error("an item that ends after the message")]
    Cut,
    #[error("an item with tag {0}")]
    Tag(u8),
    #[error("a record of {0} bytes")]
    Record(usize),
    #[error("no note of a cosigned checkpoint")]
    Cosigned,
}

/// A message that was taken apart; nothing in it is verified.
#[derive(Debug, Default)]
pub struct Message {
    pub leaves: Vec<Bytes>,
    pub cosigned: Vec<Cosigned>,
}

impl Message {
    /// # Errors
    /// [`Malformed`].
    pub fn parse(mut bytes: Bytes) -> Result<Self, Malformed> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        let mut message = Message::default();
        while bytes.has_remaining() {
            if bytes.remaining() < ITEM_HEAD_BYTES {
                return Err(Malformed::Cut);
            }
            let tag = bytes.get_u8();
            let length = usize::try_from(bytes.get_u32()).map_err(|_| Malformed::Cut)?;
            if length > bytes.remaining() {
                return Err(Malformed::Cut);
            }
            let item = bytes.split_to(length);
            match tag {
                TAG_RECORD if length > RECORD_BYTES_MAX => return Err(Malformed::Record(length)),
                TAG_RECORD => message.leaves.push(item),
                TAG_COSIGNED => {
                    let note = Note::parse(&item).map_err(|_| Malformed::Cosigned)?;
                    message.cosigned.push(Cosigned::from_note(&note).map_err(|_| Malformed::Cosigned)?);
                }
                other => return Err(Malformed::Tag(other)),
            }
        }
        Ok(message)
    }
}

/// A message in the making.
#[derive(Debug, Default)]
pub struct Draft(BytesMut);

impl Draft {
    /// Bytes of the message with one more item of `bytes`.
    pub fn len_with(&self, bytes: usize) -> usize {
        self.0.len().saturating_add(ITEM_HEAD_BYTES).saturating_add(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn record(&mut self, leaf: &[u8]) {
        self.item(TAG_RECORD, leaf);
    }

    pub fn cosigned(&mut self, cosigned: &Cosigned) {
        self.item(TAG_COSIGNED, cosigned.to_note().to_text().as_bytes());
    }

    fn item(&mut self, tag: u8, bytes: &[u8]) {
        self.0.put_u8(tag);
        self.0.put_u32(u32::try_from(bytes.len()).expect("an item is far below 4 GiB"));
        self.0.put_slice(bytes);
    }

    pub fn finish(self) -> Bytes {
        self.0.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_gives_back_its_records() {
        let mut draft = Draft::default();
        draft.record(b"one");
        draft.record(b"");
        assert_eq!(draft.len_with(2), 13 + 7);
        let message = Message::parse(draft.finish()).unwrap();
        assert_eq!(message.leaves, [&b"one"[..], b""]);
        assert!(message.cosigned.is_empty());
        assert!(Message::parse(Bytes::new()).unwrap().leaves.is_empty());
    }

    #[test]
    fn malformed_messages_are_refused() {
        let parse = |bytes: &[u8]| Message::parse(Bytes::copy_from_slice(bytes)).unwrap_err();
        assert_eq!(parse(&[1, 0, 0, 0]), Malformed::Cut);
        assert_eq!(parse(&[1, 0, 0, 0, 2, 9]), Malformed::Cut);
        assert_eq!(parse(&[1, 255, 255, 255, 255]), Malformed::Cut);
        assert_eq!(parse(&[3, 0, 0, 0, 0]), Malformed::Tag(3));
        assert_eq!(parse(&[2, 0, 0, 0, 1, b'x']), Malformed::Cosigned);
        let long = [&[1, 0, 0, 0x40, 1][..], &[0; RECORD_BYTES_MAX + 1]].concat();
        assert_eq!(parse(&long), Malformed::Record(RECORD_BYTES_MAX + 1));
        assert_eq!(parse(&vec![0; MESSAGE_BYTES_MAX + 1]), Malformed::TooLong);
    }
}
