//! Evidence files, made from the log and a public checkpoint.
//!
//! The keys that signed are found in the register: a signature line names agency, role and the four bytes of the key id,
//! and of the keys that these leave the one is taken that was trusted at the record's position and verifies. The record
//! that brought a key is part of the evidence, and so are the keys that signed that record, back to the genesis file.

use std::collections::BTreeSet;

use crate::consensus::checkpoints::PublicCheckpoint;
use crate::core::hash::Hash;
use crate::core::json::{self, Strings};
use crate::core::kinds::Kind;
use crate::core::limits::EVIDENCE_BYTES_MAX;
use crate::core::note::Note;
use crate::core::record::{Record, RecordSignature};
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::{self, KeyState};
use crate::core::validators::ValidatorSet;
use crate::log::evidence::{Evidence, Handover, ProvenLeaf};
use crate::log::merkle::inclusion_proof;
use crate::query::QueryError;
use crate::query::records::indexed;
use crate::store::Reader;
use crate::verify;

/// The evidence for the committed records with these ids: JCS text.
///
/// # Errors
/// `not-found` for an id that is not committed, `not-covered` for one above the checkpoint, `too-large`, and those of the
/// store.
pub fn evidence(reader: &Reader, ids: &BTreeSet<Hash>, public: &PublicCheckpoint) -> Result<String, QueryError> {
    let size = public.checkpoint.size;
    let mut entries = BTreeSet::new();
    for id in ids {
        let position = rules::position_of(reader, id).ok_or_else(|| QueryError::not_found(id.to_hex(), "the id of a committed record"))?;
        if position >= size {
            return Err(Refusal::new(Code::NotCovered, format!("position {position}"), format!("a position below {size}")).into());
        }
        entries.insert(position);
    }
    let mut blocks = BTreeSet::new();
    for position in &entries {
        blocks.insert(entry_position(reader, *position)?);
    }
    let keys = registry(reader, &entries)?;
    let proven = |positions: BTreeSet<u64>| -> Result<Vec<ProvenLeaf>, QueryError> {
        positions.into_iter().map(|position| proven_leaf(reader, position, size)).collect()
    };
    let genesis = reader.genesis();
    let (note, set) = (Note::parse(public.note.as_bytes())?, judging_set(reader, size)?);
    let evidence = Evidence {
        blocks: proven(blocks)?,
        checkpoint: verify::known_lines(&note, genesis, &set).to_text(),
        entries: proven(entries)?,
        genesis: json::parse(&genesis.bytes, Strings::Strict)?,
        handovers: handovers(reader, size)?,
        head: proven_leaf(reader, size.saturating_sub(1), size)?,
        keys: proven(keys)?,
        openings: Vec::new(),
    };
    let text = evidence.to_value().to_jcs();
    if text.len() > EVIDENCE_BYTES_MAX {
        let expected = format!("at most {EVIDENCE_BYTES_MAX} bytes: ask for fewer records");
        return Err(Refusal::new(Code::TooLarge, format!("{} bytes", text.len()), expected).into());
    }
    Ok(text)
}

/// The height of the block that ends a tree of `size`.
fn head_height(reader: &Reader, size: u64) -> Result<u64, QueryError> {
    let head = size.checked_sub(1).map(|position| reader.height_of(position)).transpose()?.flatten();
    Ok(head.unwrap_or(1))
}

/// The set that judges the checkpoint of `size`.
fn judging_set(reader: &Reader, size: u64) -> Result<ValidatorSet, QueryError> {
    Ok(rules::validator_set(reader, head_height(reader, size)?))
}

/// Every change of the set up to the head of a tree of `size`: the last entry that the old set decided, with its certificate.
fn handovers(reader: &Reader, size: u64) -> Result<Vec<Handover>, QueryError> {
    let head = head_height(reader, size)?;
    let mut handovers = Vec::new();
    let mut old = rules::validator_set(reader, 1);
    for first in rules::set_heights(reader).into_iter().filter(|first| (2..=head).contains(first)) {
        let validators = rules::validator_set(reader, first);
        if validators == old {
            continue;
        }
        let beyond = || QueryError::not_found(format!("height {}", first - 1), "a height up to the head");
        let entry = reader.entry(first - 1)?.ok_or_else(beyond)?;
        let certificate = reader.certificate(first - 1)?.ok_or_else(beyond)?;
        handovers.push(Handover { certificate, entry: proven_leaf(reader, entry.position, size)?, validators: validators.clone() });
        old = validators;
    }
    Ok(handovers)
}

/// The position of the entry of the block that holds `position`.
fn entry_position(reader: &Reader, position: u64) -> Result<u64, QueryError> {
    let beyond = || QueryError::not_found(format!("position {position}"), "a position below the head's size");
    let height = reader.height_of(position)?.ok_or_else(beyond)?;
    Ok(reader.entry(height)?.ok_or_else(beyond)?.position)
}

fn proven_leaf(reader: &Reader, position: u64, size: u64) -> Result<ProvenLeaf, QueryError> {
    let beyond = || QueryError::not_found(format!("position {position}"), "a position below the head's size");
    let leaf = reader.leaf(position)?.ok_or_else(beyond)?;
    let leaf = String::from_utf8_lossy(&leaf).into_owned();
    Ok(ProvenLeaf { leaf, position, proof: inclusion_proof(reader, position, size)? })
}

/// The positions of the records that brought the keys which signed those at `positions`, and so on.
fn registry(reader: &Reader, positions: &BTreeSet<u64>) -> Result<BTreeSet<u64>, QueryError> {
    let mut found = BTreeSet::new();
    let mut open: Vec<u64> = positions.iter().copied().collect();
    let mut seen = positions.clone();
    while let Some(position) = open.pop() {
        let record = indexed(reader, position)?;
        for (index, line) in record.signatures.iter().enumerate() {
            let Some(from) = signer(reader, position, &record, index, line)?.from else {
                continue;
            };
            // A rotation is signed by the key that it brings: the body itself names that key.
            if from == position {
                continue;
            }
            found.insert(from);
            if seen.insert(from) {
                open.push(from);
            }
        }
    }
    Ok(found)
}

/// The registered key behind one signature line.
fn signer(reader: &Reader, position: u64, record: &Record, index: usize, line: &RecordSignature) -> Result<KeyState, QueryError> {
    let brings_itself = record.kind == Kind::KeyRotate;
    let trusted = |key: &KeyState| {
        let since = key.from.is_none_or(|from| from < position || (brings_itself && from == position));
        since && key.until.is_none_or(|until| position <= until)
    };
    rules::agency_keys(reader, &line.agency)
        .into_iter()
        .find(|key| key.role == line.role && key.vkey.id() == line.id && trusted(key) && record.verifies(index, key.vkey.public()))
        .ok_or_else(|| QueryError::unreadable(position, &Refusal::new(Code::KeyUnknown, line.agency.clone(), "a registered key")))
}
