//! Texts: what is signed, served, asked and configured.

use std::path::Path;

use crate::api::parameters::Parameters;
use crate::audit::tiles::split_leaf;
use crate::config::Config;
use crate::consensus::checkpoints::Cosigned;
use crate::core::commitment::Opening;
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::json::{self, Strings, Value};
use crate::core::key::{SecretKey, VerifierKey};
use crate::core::note::Note;
use crate::core::privacy;
use crate::core::record::Record;
use crate::core::time::{Day, Time};
use crate::core::validators::ValidatorSet;
use crate::log::certificate::Certificate;
use crate::log::checkpoint::{Checkpoint, Cosignature};
use crate::log::entry::BlockEntry;
use crate::log::evidence::Evidence;
use crate::log::misbehaviour::Misbehaviour;
use crate::log::proof::TlogProof;
use crate::log::tile::{entries_path, parse_path, tile_path};
use crate::log::witness::{Submission, tree_of};
use crate::query::page::cursor_ordinal;
use crate::query::questions::Cursor;
use crate::store::tiles;
use crate::verify::{Pin, verify};

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The value of a text of the strict form.
fn value(bytes: &[u8]) -> Option<Value> {
    json::parse(bytes, Strings::Strict).ok()
}

pub fn json(bytes: &[u8]) -> bool {
    if let Ok(opening) = Opening::parse(bytes) {
        assert_eq!(opening.to_value().to_jcs().as_bytes(), bytes);
    }
    let mut is_read = false;
    for strings in [Strings::Strict, Strings::WithNotes] {
        if let Ok(value) = json::parse(bytes, strings) {
            assert_eq!(value.to_jcs().as_bytes(), bytes);
            is_read = true;
        }
    }
    is_read
}

pub fn note(bytes: &[u8]) -> bool {
    let Ok(note) = Note::parse(bytes) else { return false };
    assert_eq!(note.to_text().as_bytes(), bytes);
    let _ = tree_of(&note.text);
    if let Ok(cosigned) = Cosigned::from_note(&note) {
        assert_eq!(Cosigned::from_note(&cosigned.to_note()), Ok(cosigned));
    }
    true
}

/// The ledger is the one that the bytes name.
pub fn record(bytes: &[u8]) -> bool {
    let origin = || {
        let (_, rest) = text(bytes)?.split_once("\"ledger\":\"")?;
        Some(rest.split_once('"')?.0)
    };
    let Some(record) = origin().and_then(|origin| Record::parse(bytes, origin).ok()) else { return false };
    assert_eq!(&record.leaf()[..], bytes);
    assert_eq!(Note::parse(bytes).expect("a record is a note").text.as_bytes(), record.text());
    assert_eq!((record.id(), record.leaf_hash()), (Hash::of(record.text()), crate::log::merkle::leaf_hash(bytes)));
    let key = SecretKey::from_seed(&[1; 32]).public();
    assert!((0..record.signatures.len()).all(|line| !record.verifies(line, &key)));
    let _ = privacy::guesses(&record.body_value());
    true
}

pub fn entry(bytes: &[u8]) -> bool {
    let Ok(entry) = BlockEntry::parse(bytes) else { return false };
    assert_eq!(entry.to_text().as_bytes(), bytes);
    true
}

pub fn checkpoint(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_text(), text);
    }
    let Ok(note) = Note::parse(bytes) else { return false };
    let Ok(checkpoint) = Checkpoint::parse(&note.text) else { return false };
    let key = SecretKey::from_seed(&[1; 32]).public();
    for line in &note.lines {
        if let Some(cosignature) = Cosignature::from_line(line, &checkpoint.origin) {
            assert_eq!(cosignature.to_line(&checkpoint.origin), *line);
            assert!(!cosignature.verifies(&checkpoint, &key));
        }
    }
    true
}

pub fn certificate(bytes: &[u8]) -> bool {
    let Some(Ok(certificate)) = value(bytes).map(|value| Certificate::from_value(&value)) else { return false };
    assert_eq!(certificate.to_value().to_jcs().as_bytes(), bytes);
    true
}

pub fn validators(bytes: &[u8]) -> bool {
    let Some(Ok(set)) = value(bytes).map(|value| ValidatorSet::from_value(&value)) else { return false };
    assert_eq!(set.to_value().to_jcs().as_bytes(), bytes);
    true
}

pub fn proof(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let Ok(proof) = TlogProof::parse(text) else { return false };
    assert_eq!(proof.to_text(), text);
    true
}

pub fn submission(bytes: &[u8]) -> bool {
    let Ok(submission) = Submission::parse(bytes) else { return false };
    assert_eq!(submission.to_text().as_bytes(), bytes);
    true
}

/// Also: the verifier has a verdict on every file.
pub fn evidence(bytes: &[u8]) -> bool {
    let _ = verify(bytes, &Pin::Hash(Hash::of(b"another genesis")), None);
    let Ok(evidence) = Evidence::parse(bytes) else { return false };
    assert_eq!(evidence.to_value().to_jcs().as_bytes(), bytes);
    let _ = verify(bytes, &Pin::File(evidence.genesis.to_jcs().as_bytes()), None);
    true
}

pub fn misbehaviour(bytes: &[u8]) -> bool {
    let Some(Ok(proof)) = value(bytes).map(|value| Misbehaviour::from_value(&value)) else { return false };
    let _ = proof.check();
    assert_eq!(proof.to_value().to_jcs().as_bytes(), bytes);
    true
}

pub fn genesis(bytes: &[u8]) -> bool {
    let Ok(genesis) = Genesis::parse(bytes) else { return false };
    assert_eq!(value(bytes).expect("a genesis file is JSON").to_jcs().as_bytes(), bytes);
    assert!(!genesis.rows().0.is_empty());
    for (agency, value) in genesis.agencies.iter().map(|agency| (agency, agency.to_value())) {
        assert_eq!(crate::core::genesis::GenesisAgency::from_value(&value).as_ref(), Ok(agency));
    }
    true
}

pub fn key(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let Ok(key) = VerifierKey::parse(text) else { return false };
    assert_eq!(key.to_string(), text);
    true
}

pub fn time(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    if let Ok(time) = Time::parse(text) {
        assert_eq!((time.to_string().as_str(), Time::from_unix_ms(time.unix_ms())), (text, Some(time)));
        return true;
    }
    let Ok(day) = Day::parse(text) else { return false };
    assert_eq!(day.to_string(), text);
    true
}

/// What stands behind `/tile/`.
pub fn path(bytes: &[u8]) -> bool {
    let Some(name) = text(bytes).and_then(parse_path) else { return false };
    let path = match name.level {
        Some(level) => tile_path(level, name.index, name.width),
        None => entries_path(name.index, name.width),
    };
    assert_eq!(path.as_bytes(), [b"/tile/", bytes].concat());
    true
}

pub fn bundle(bytes: &[u8]) -> bool {
    let (mut rest, mut again) = (bytes, Vec::new());
    while let Some((leaf, behind)) = split_leaf(rest) {
        again.extend_from_slice(&u16::try_from(leaf.len()).expect("two bytes of length").to_be_bytes());
        again.extend_from_slice(leaf);
        rest = behind;
    }
    again.extend_from_slice(rest);
    assert_eq!(again, bytes);
    rest.is_empty()
}

pub fn tile(bytes: &[u8]) -> bool {
    let Some(tile) = tiles::decode(bytes) else { return false };
    assert_eq!(tiles::encode(&tile), bytes);
    true
}

/// What stands behind `?`; the names come from the bytes, so that all of them are known.
pub fn query(bytes: &[u8]) -> bool {
    let Some(uri) = text(bytes).and_then(|text| format!("/?{text}").parse::<axum::http::Uri>().ok()) else { return false };
    let names: Vec<&str> = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split('=').next()).collect();
    let Ok(parameters) = Parameters::of(&uri, &names) else { return false };
    let _ = (parameters.filter(), parameters.asked());
    for name in &names {
        let _ = parameters.number(name);
    }
    if let Some(after) = parameters.get("after") {
        let _ = cursor_ordinal("l.example/0123456789abcdef", "records", after);
        let _ = Cursor::parse("l.example/0123456789abcdef", "todo", after);
    }
    true
}

pub fn config(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let read = || Config::from_sources(Path::new("/home"), "config.toml", text, |_| Ok(None));
    assert_eq!(read().ok(), read().ok());
    read().is_ok()
}
