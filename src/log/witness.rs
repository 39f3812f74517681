//! C2SP tlog-witness: what a log submits to a witness, and which trees a witness may cosign.
//!
//! A witness keeps, for each origin, the newest checkpoint that it cosigned. It cosigns another one only when a trusted key
//! of the log signed it and the tree of the kept one is a prefix of its tree, so that nobody is shown two histories under
//! the witness's name. Checkpoints of any log are judged here: extension lines may follow the three lines, and are cosigned
//! with them.

use crate::core::hash::Hash;
use crate::core::key::{Algorithm, SecretKey, VerifierKey, encode_base64};
use crate::core::limits::INTEGER_MAX;
use crate::core::note::{Note, SignatureLine};
use crate::core::refusal::{Code, Refusal};
use crate::log::checkpoint::{Checkpoint, TIMESTAMP_MAX, cosigned_text, parse_decimal};
use crate::log::merkle::{empty_root, verify_consistency};
use crate::log::proof::{PROOF_HASHES_MAX, parse_node};

/// The body of `POST <prefix>/add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The size of the newest checkpoint that the witness cosigned, as far as the sender knows.
    pub old: u64,
    /// The consistency proof from `old` to the checkpoint's size.
    pub proof: Vec<Hash>,
    pub note: Note,
}

impl Submission {
    pub fn to_text(&self) -> String {
        let hashes: String = self.proof.iter().map(|hash| format!("{}\n", encode_base64(hash.as_bytes()))).collect();
        format!("old {}\n{hashes}\n{}", self.old, self.note.to_text())
    }

    /// # Errors
    /// `note-malformed`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let malformed = |found: &str, expected: &str| Refusal::new(Code::NoteMalformed, found, expected);
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("bytes that are not UTF-8", "UTF-8 text"))?;
        let (head, note) =
            text.split_once("\n\n").ok_or_else(|| malformed("no empty line", "old size, proof, an empty line, a checkpoint"))?;
        let mut lines = head.split('\n');
        let first = lines.next().unwrap_or_default();
        let old = first
            .strip_prefix("old ")
            .and_then(parse_decimal)
            .filter(|old| *old <= INTEGER_MAX)
            .ok_or_else(|| malformed(first, "old <decimal tree size>"))?;
        let proof = lines.map(parse_node).collect::<Result<Vec<_>, _>>()?;
        if proof.len() > PROOF_HASHES_MAX {
            return Err(malformed(&format!("{} proof lines", proof.len()), "at most 63"));
        }
        Ok(Submission { old, proof, note: Note::parse(note.as_bytes())? })
    }
}

/// Origin, size and root of a checkpoint of any log: whatever lines follow the first three are not empty.
///
/// # Errors
/// `note-malformed`.
pub fn tree_of(text: &str) -> Result<Checkpoint, Refusal> {
    let end = text.match_indices('\n').nth(2).map_or(text.len(), |(feed, _)| feed + 1);
    let (tree, extensions) = text.split_at(end);
    if extensions.lines().any(str::is_empty) {
        return Err(Refusal::new(Code::NoteMalformed, "an empty extension line", "lines that are not empty"));
    }
    Checkpoint::parse(tree)
}

/// Why a witness does not cosign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No such request can be right.
    Malformed(Refusal),
    /// The log is not one of the witness's.
    UnknownOrigin(String),
    /// No trusted key signed it, or a line that claims one does not verify.
    Untrusted(Refusal),
    /// The newest cosigned checkpoint has this size, not the submission's `old`.
    OtherSize(u64),
    /// The tree is not shown to continue the cosigned one.
    Inconsistent(Refusal),
}

/// A checkpoint that may be cosigned, once it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignable {
    pub checkpoint: Checkpoint,
    /// The lines by trusted keys of the log, all of which verify.
    pub lines: Vec<SignatureLine>,
}

/// Judges a submission for a log with these trusted keys, whose newest cosigned checkpoint is `latest`; in the order of the
/// standard.
///
/// # Errors
/// [`Refused`].
pub fn judge(submission: &Submission, keys: &[VerifierKey], latest: Option<&Checkpoint>) -> Result<Cosignable, Refused> {
    let checkpoint = tree_of(&submission.note.text).map_err(Refused::Malformed)?;
    let lines = trusted_lines(&submission.note, keys).map_err(Refused::Untrusted)?;
    let Checkpoint { size, root, .. } = checkpoint;
    let old = submission.old;
    if old > size {
        let found = format!("old {old} with a checkpoint of size {size}");
        return Err(Refused::Malformed(Refusal::new(Code::FieldInvalid, found, "an old size up to the checkpoint's")));
    }
    let known = latest.map_or(0, |latest| latest.size);
    if old != known {
        return Err(Refused::OtherSize(known));
    }
    let inconsistent = |found: String, expected: &str| Err(Refused::Inconsistent(Refusal::new(Code::FieldInvalid, found, expected)));
    if size == 0 && root != empty_root() {
        return inconsistent(format!("root {root} of an empty tree"), "the SHA-256 of nothing");
    }
    match latest {
        Some(latest) if old > 0 => {
            if let Err(error) = verify_consistency(old, size, &latest.root, &root, &submission.proof) {
                return inconsistent(
                    format!("{error}, from size {old} with root {}", latest.root),
                    "a consistency proof from there to the checkpoint",
                );
            }
        }
        _ if !submission.proof.is_empty() => return inconsistent(format!("{} proof lines from size 0", submission.proof.len()), "none"),
        _ => {}
    }
    Ok(Cosignable { checkpoint, lines })
}

/// The lines by `keys`: at least one, and each line that bears the name and id of one verifies.
fn trusted_lines(note: &Note, keys: &[VerifierKey]) -> Result<Vec<SignatureLine>, Refusal> {
    let mut lines = Vec::new();
    for line in &note.lines {
        let Some(key) = keys.iter().find(|key| key.name() == line.name && key.id() == line.id) else {
            continue;
        };
        if !line_verifies(line, &note.text, key) {
            return Err(Refusal::new(Code::SignatureInvalid, format!("the line of {}", line.name), "a signature by that key"));
        }
        lines.push(line.clone());
    }
    if lines.is_empty() {
        return Err(Refusal::new(Code::SignatureMissing, "no line by a trusted key of the log", "a line by one of its keys here"));
    }
    Ok(lines)
}

/// Whether a line is a signature, or a cosignature, of `text` by `key`.
pub fn line_verifies(line: &SignatureLine, text: &str, key: &VerifierKey) -> bool {
    if line.name != key.name() || line.id != key.id() {
        return false;
    }
    match key.algorithm() {
        Algorithm::Ed25519 => line.signature.as_slice().try_into().is_ok_and(|signature| key.public().verifies(text.as_bytes(), signature)),
        Algorithm::Cosignature => cosignature_time(line).is_some_and(|(time, signature)| {
            (1..=TIMESTAMP_MAX).contains(&time) && key.public().verifies(cosigned_text(text, time).as_bytes(), signature)
        }),
    }
}

fn cosignature_time(line: &SignatureLine) -> Option<(u64, &[u8; 64])> {
    let (time, signature) = line.signature.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*time), signature.try_into().ok()?))
}

/// The cosignature/v1 line of a note text by `key` under the name of `vkey`, at `timestamp` (Unix seconds, not 0).
pub fn cosign(text: &str, timestamp: u64, vkey: &VerifierKey, key: &SecretKey) -> SignatureLine {
    let mut signature = timestamp.to_be_bytes().to_vec();
    signature.extend_from_slice(&key.sign(cosigned_text(text, timestamp).as_bytes()));
    SignatureLine { name: vkey.name().to_owned(), id: vkey.id(), signature }
}

/// The line by `key` among those that a witness answered with, when it verifies; lines of other keys are ignored.
pub fn line_of_answer(answer: &str, text: &str, key: &VerifierKey) -> Option<SignatureLine> {
    let note = Note::parse(format!("{text}\n{answer}").as_bytes()).ok()?;
    note.lines.into_iter().find(|line| line_verifies(line, text, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::merkle::{MemoryNodes, consistency_proof, leaf_hash, root_at};

    fn tree(leaves: u64) -> MemoryNodes {
        let mut nodes = MemoryNodes::default();
        (0..leaves).for_each(|leaf| nodes.push(leaf_hash(leaf.to_string().as_bytes())));
        nodes
    }

    fn key(seed: u8) -> (VerifierKey, SecretKey) {
        let key = SecretKey::from_seed(&[seed; 32]);
        (VerifierKey::new("log.example/a".into(), Algorithm::Ed25519, key.public()).unwrap(), key)
    }

    fn submission(old: u64, size: u64, extension: &str) -> Submission {
        let nodes = tree(size);
        let (vkey, key) = key(1);
        let checkpoint = Checkpoint { origin: "log.example/a".into(), size, root: root_at(&nodes, size).unwrap() };
        let text = format!("{}{extension}", checkpoint.to_text());
        let line = SignatureLine { name: vkey.name().into(), id: vkey.id(), signature: key.sign(text.as_bytes()).to_vec() };
        Submission { old, proof: consistency_proof(&nodes, old, size).unwrap(), note: Note { text, lines: vec![line] } }
    }

    fn latest(size: u64) -> Checkpoint {
        Checkpoint { origin: "log.example/a".into(), size, root: root_at(&tree(size), size).unwrap() }
    }

    #[test]
    fn a_body_is_read_as_it_was_written() {
        for body in [submission(0, 1, ""), submission(3, 9, ""), submission(3, 9, "more\n")] {
            assert_eq!(Submission::parse(body.to_text().as_bytes()).unwrap(), body);
        }
        for (from, to) in [("old 3", "old 03"), ("old 3", "Old 3"), ("old 3\n", "old 3\r\n"), ("old 3\n", "old 3\nAA==\n"), ("old 3\n", "")]
        {
            let text = submission(3, 9, "").to_text().replacen(from, to, 1);
            assert!(Submission::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tree_is_cosigned_only_as_a_continuation() {
        let keys = [key(1).0];
        assert!(judge(&submission(0, 0, ""), &keys, None).is_ok());
        assert!(judge(&submission(0, 5, "more\n"), &keys, None).is_ok());
        assert!(judge(&submission(5, 5, ""), &keys, Some(&latest(5))).is_ok());
        assert!(judge(&submission(5, 9, ""), &keys, Some(&latest(5))).is_ok());
        assert_eq!(judge(&submission(4, 9, ""), &keys, Some(&latest(5))), Err(Refused::OtherSize(5)));
        let other = Checkpoint { root: Hash::of(b"another tree"), ..latest(5) };
        for size in [5, 9] {
            assert!(matches!(judge(&submission(5, size, ""), &keys, Some(&other)), Err(Refused::Inconsistent(_))));
        }
        assert!(matches!(judge(&submission(5, 9, ""), &[key(2).0], Some(&latest(5))), Err(Refused::Untrusted(_))));
        assert!(matches!(judge(&submission(0, 5, "\n"), &keys, None), Err(Refused::Malformed(_))));
    }

    #[test]
    fn a_cosignature_covers_extension_lines_and_names_its_key() {
        let secret = SecretKey::from_seed(&[3; 32]);
        let vkey = VerifierKey::new("w.example/1".into(), Algorithm::Cosignature, secret.public()).unwrap();
        let text = submission(0, 5, "more\n").note.text;
        let line = cosign(&text, 1_700_000_000, &vkey, &secret);
        assert!(line_verifies(&line, &text, &vkey));
        assert!(!line_verifies(&line, &latest(5).to_text(), &vkey));
        assert_eq!(line_of_answer(&line.to_text(), &text, &vkey), Some(line.clone()));
        assert_eq!(line_of_answer(&line.to_text().replace("w.example", "v.example"), &text, &vkey), None);
        assert!(!line_verifies(&cosign(&text, 0, &vkey, &secret), &text, &vkey), "a timestamp is not 0");
    }
}
