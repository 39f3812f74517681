//! C2SP signed notes: a text, an empty line, signature lines.
//!
//! The text is non-empty and ends in U+000A. A signature line is `U+2014 <key name> <base64(4-byte key id || signature)>`.
//! See <https://c2sp.org/signed-note>.

use crate::core::key::{KeyId, check_key_name, decode_base64, encode_base64};
use crate::core::refusal::{Code, Refusal};

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    pub name: String,
    pub id: KeyId,
    /// 64 bytes for algorithm 0x01, 72 (timestamp and signature) for 0x04; other lengths are kept as they are.
    pub signature: Vec<u8>,
}

const DASH: &str = "\u{2014} ";
/// More lines than any note here can carry.
const LINES_MAX: usize = 100;

impl SignatureLine {
    /// The line with its line feed.
    pub fn to_text(&self) -> String {
        let mut material = self.id.to_vec();
        material.extend_from_slice(&self.signature);
        format!("{DASH}{} {}\n", self.name, encode_base64(&material))
    }

    fn parse(line: &str) -> Result<Self, Refusal> {
        let malformed = || Refusal::new(Code::NoteMalformed, line, "a signature line: U+2014, key name, base64");
        let (name, material) = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or_else(malformed)?;
        check_key_name(name).map_err(|_| malformed())?;
        let bytes = decode_base64(material).map_err(|_| malformed())?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or_else(malformed)?;
        if signature.is_empty() {
            return Err(malformed());
        }
        Ok(SignatureLine { name: name.to_owned(), id: *id, signature: signature.to_vec() })
    }
}

/// A note as it was read; nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The signed text, with its last line feed.
    pub text: String,
    pub lines: Vec<SignatureLine>,
}

impl Note {
    /// Parses a note; what it gives back writes the same bytes again.
    ///
    /// # Errors
    /// `note-malformed`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let malformed = |found: &str, expected: &str| Refusal::new(Code::NoteMalformed, found, expected);
        let note = std::str::from_utf8(bytes).map_err(|_| malformed("bytes that are not UTF-8", "UTF-8 text"))?;
        if note.chars().any(|c| c != '\n' && c < ' ') {
            return Err(malformed("a control character", "lines ended by U+000A"));
        }
        let split =
            note.rfind("\n\n").ok_or_else(|| malformed("no empty line before signatures", "text, an empty line, signature lines"))?;
        let (text, signatures) = (&note[..=split], &note[split + 2..]);
        if text == "\n" {
            return Err(malformed("an empty text", "text, an empty line, signature lines"));
        }
        let Some(signatures) = signatures.strip_suffix('\n') else {
            return Err(malformed("no line feed at the end", "signature lines ended by U+000A"));
        };
        let lines: Vec<_> = signatures.split('\n').take(LINES_MAX + 1).map(SignatureLine::parse).collect::<Result<_, _>>()?;
        if lines.len() > LINES_MAX {
            return Err(malformed("too many signature lines", "at most 100"));
        }
        Ok(Note { text: text.to_owned(), lines })
    }

    pub fn to_text(&self) -> String {
        let mut out = format!("{}\n", self.text);
        for line in &self.lines {
            out.push_str(&line.to_text());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_round_trips() {
        let line = SignatureLine { name: "a/b".into(), id: [1, 2, 3, 4], signature: vec![9; 64] };
        let note = Note { text: "one\n\ntwo\n".into(), lines: vec![line.clone(), line] };
        assert_eq!(Note::parse(note.to_text().as_bytes()).unwrap(), note);
    }

    #[test]
    fn broken_notes_are_refused() {
        for bad in [
            "",
            "\n",
            "text\n",
            "text\n\n",
            "\n\n\u{2014} a AQIDBAU=\n",
            "text\n\n\u{2014} a AQIDBAU=",
            "text\n\n- a AQIDBAU=\n",
            "text\n\n\u{2014} a AQIDBA==\n",
            "t\rext\n\n\u{2014} a AQIDBAU=\n",
        ] {
            assert_eq!(Note::parse(bad.as_bytes()).unwrap_err().code, Code::NoteMalformed, "{bad:?}");
        }
    }
}
