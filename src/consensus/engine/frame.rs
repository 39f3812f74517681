//! Writing and reading the bytes of engine messages: big-endian integers, every count bounded by the bytes that are left.

use bytes::Bytes;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the message ends too early")]
    Truncated,
    #[error("{0} bytes after the message")]
    Trailing(usize),
    #[error("{0}")]
    Invalid(&'static str),
}

/// A message being written.
#[derive(Debug, Default)]
pub struct Out(Vec<u8>);

impl Out {
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// Bytes of a length that the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Bytes behind their length.
    ///
    /// # Errors
    /// [`FrameError::Invalid`] for more than 2^32 - 1 bytes.
    pub fn sized(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        self.count(bytes.len())?;
        self.raw(bytes);
        Ok(())
    }

    /// The number of items that follow.
    ///
    /// # Errors
    /// [`FrameError::Invalid`] for more than 2^32 - 1.
    pub fn count(&mut self, count: usize) -> Result<(), FrameError> {
        self.u32(u32::try_from(count).map_err(|_| FrameError::Invalid("more than 2^32 - 1 items"))?);
        Ok(())
    }

    pub fn into_bytes(self) -> Bytes {
        self.0.into()
    }
}

/// A message being read; what was read shares the memory of the whole.
#[derive(Debug)]
pub struct In(Bytes);

impl In {
    pub fn new(bytes: Bytes) -> Self {
        In(bytes)
    }

    /// # Errors
    /// [`FrameError::Truncated`].
    pub fn raw(&mut self, length: usize) -> Result<Bytes, FrameError> {
        if length > self.0.len() {
            return Err(FrameError::Truncated);
        }
        Ok(self.0.split_to(length))
    }

    /// # Errors
    /// [`FrameError::Truncated`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let bytes = self.raw(N)?;
        Ok(bytes.as_ref().try_into().expect("raw gave N bytes"))
    }

    /// # Errors
    /// [`FrameError::Truncated`].
    pub fn byte(&mut self) -> Result<u8, FrameError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// # Errors
    /// [`FrameError::Truncated`].
    pub fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_be_bytes)
    }

    /// # Errors
    /// [`FrameError::Truncated`].
    pub fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_be_bytes)
    }

    /// # Errors
    /// [`FrameError::Truncated`].
    pub fn sized(&mut self) -> Result<Bytes, FrameError> {
        let length = self.count(1)?;
        self.raw(length)
    }

    /// A number of items of at least `item_bytes_min` bytes each, all of which the message must still hold.
    ///
    /// # Errors
    /// [`FrameError::Truncated`].
    pub fn count(&mut self, item_bytes_min: usize) -> Result<usize, FrameError> {
        let count = usize::try_from(self.u32()?).map_err(|_| FrameError::Truncated)?;
        if count > self.0.len() / item_bytes_min.max(1) {
            return Err(FrameError::Truncated);
        }
        Ok(count)
    }

    /// # Errors
    /// [`FrameError::Trailing`].
    pub fn end(self) -> Result<(), FrameError> {
        if self.0.is_empty() { Ok(()) } else { Err(FrameError::Trailing(self.0.len())) }
    }
}
