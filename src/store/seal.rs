//! Values with a checksum: a stored value ends with the CRC-32 of key and value, so a flipped bit is found when it is read.

pub const CRC_BYTES: usize = 4;

fn checksum(key: &[u8], value: &[u8]) -> [u8; CRC_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize().to_be_bytes()
}

/// The value as it is stored.
pub fn seal(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let crc = checksum(key, &value);
    value.extend_from_slice(&crc);
    value
}

/// The value that was stored; `None` when its checksum differs.
pub fn unseal<'a>(key: &[u8], stored: &'a [u8]) -> Option<&'a [u8]> {
    let (value, crc) = stored.split_last_chunk::<CRC_BYTES>()?;
    (checksum(key, value) == *crc).then_some(value)
}
