//! The log's files.

use std::fs;

use crate::store::frame::{self, HEADER_BYTES, Header, MAGIC};
use crate::store::segments::{LogFiles, LogWriter};

/// As the bytes are, and with the lengths and checksums that they should have.
pub fn frame(bytes: &[u8]) -> bool {
    whole(bytes) | mended(bytes).is_some_and(|mended| whole(&mended))
}

fn whole(bytes: &[u8]) -> bool {
    let Some(header) = Header::decode(bytes) else { return false };
    assert_eq!(header.encode(), bytes[..HEADER_BYTES]);
    let end = usize::try_from(header.frame_bytes()).unwrap_or(usize::MAX);
    let Some(body) = bytes.get(HEADER_BYTES..end) else { return false };
    let Ok(block) = frame::decode(&header, body) else { return false };
    assert_eq!(frame::encode(&block).as_deref(), Some(&bytes[..end]));
    true
}

fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut mended = bytes.to_vec();
    let body = mended.get(HEADER_BYTES..)?;
    let (length, crc) = (u32::try_from(body.len()).ok()?, crc32fast::hash(body));
    mended[..4].copy_from_slice(&MAGIC);
    mended[4..8].copy_from_slice(&length.to_be_bytes());
    mended[36..40].copy_from_slice(&crc.to_be_bytes());
    let crc = crc32fast::hash(&mended[..40]);
    mended[40..HEADER_BYTES].copy_from_slice(&crc.to_be_bytes());
    Some(mended)
}

/// A survey and an opening agree on whether the file is damaged; an opened log can be opened again as it is.
pub fn log_file(bytes: &[u8]) -> bool {
    let dir = std::env::temp_dir().join(format!("sharelog-fuzz-{}-{:?}", std::process::id(), std::thread::current().id()));
    fs::create_dir_all(&dir).expect("a folder for the file");
    fs::write(dir.join("00000001.log"), bytes).expect("a file in it");
    let (files, damage) = LogFiles::survey(&dir).expect("one file, without a gap");
    drop(files);
    let height = LogWriter::open(&dir).map(|log| {
        let files = log.files();
        let places = (1..=files.height()).filter_map(|height| files.place(height));
        for place in places {
            let _ = (files.block(&place), files.entry_leaf(&place), files.certificate(&place));
        }
        files.height()
    });
    assert_eq!(height.is_ok(), damage.is_empty(), "{height:?}, {damage:?}");
    if let Ok(height) = &height {
        assert_eq!(LogWriter::open(&dir).expect("a log that was cut").files().height(), *height);
    }
    fs::remove_dir_all(&dir).expect("its removal");
    height.is_ok_and(|height| height > 0)
}
