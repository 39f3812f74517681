//! Files made by people who hold keys: every proof in them is right, and something else is a lie.

use sharelog::core::hash::Hash;
use sharelog::core::json::{Strings, Value, object, parse};
use sharelog::core::key::Role;
use sharelog::core::kinds::Kind;
use sharelog::core::note::Note;
use sharelog::log::entry::BlockEntry;
use sharelog::log::evidence::Evidence;
use sharelog::log::merkle::inclusion_proof;
use sharelog::log::proof::TlogProof;
use sharelog::verify::{Pin, Verdict, known_lines, verify};

use super::ledger::{FIRST_SET, Ledger, SECOND_SET, Signed, Story, admission, agency_key, delivery, opening, record_id, rotation, set};

fn judge(evidence: &Evidence, later: Option<&str>) -> Verdict {
    let hash = Hash::of(evidence.genesis.to_jcs().as_bytes());
    verify(evidence.to_value().to_jcs().as_bytes(), &Pin::Hash(hash), later)
}

#[track_caller]
fn refused(evidence: &Evidence, step: &str, why: &str) {
    let failed = judge(evidence, None).failed.expect("the lie is seen");
    assert!(failed.starts_with(&format!("{step}:")) && failed.contains(why), "{failed}");
}

/// An agency's key: agency, role, generation.
type Key<'a> = (&'a str, Role, u32);
/// A record to come: writer, kind, body, keys that sign.
type Draft<'a> = (&'a str, Kind, Value, &'a [Key<'a>]);

/// A ledger of one block of records under the first set, and the file that shows all of them.
fn shown(records: &[Draft<'_>]) -> Evidence {
    let mut ledger = Ledger::new();
    let origin = ledger.origin.clone();
    let mut notes = Vec::new();
    for (seconds, (by, kind, body, keys)) in (0_u64..).zip(records) {
        let refs = if *kind == Kind::ShareDeliver { vec![Hash::of(b"answer")] } else { Vec::new() };
        notes.push(Signed { by, kind: *kind, refs, body: body.clone(), keys }.note(&origin, seconds));
    }
    let entry = ledger.block(&notes, &set(&FIRST_SET));
    show(&ledger, &[entry], &(0..entry).collect::<Vec<_>>())
}

/// A file of these entries, all block entries in `blocks`, under the first set.
fn show(ledger: &Ledger, blocks: &[u64], entries: &[u64]) -> Evidence {
    Evidence {
        blocks: blocks.iter().map(|position| ledger.proven(*position)).collect(),
        checkpoint: ledger.note(&FIRST_SET),
        entries: entries.iter().map(|position| ledger.proven(*position)).collect(),
        genesis: ledger.genesis.clone(),
        handovers: Vec::new(),
        head: ledger.proven(ledger.size() - 1),
        keys: Vec::new(),
        openings: Vec::new(),
    }
}

const AUTHORITY: Key<'static> = ("authority", Role::Authority, 0);

fn admit() -> Draft<'static> {
    let body = admission(&Ledger::new().origin, "provider", &[Role::Head, Role::Office, Role::Recovery]);
    ("authority", Kind::AgencyAdmit, body, &[AUTHORITY])
}

fn rotate<'a>(by: &'a str, from: u32, to: u32, keys: &'a [Key<'a>]) -> Draft<'a> {
    (by, Kind::KeyRotate, rotation(&Ledger::new().origin, "provider", Role::Office, from, to), keys)
}

fn deliver<'a>(keys: &'a [Key<'a>]) -> Draft<'a> {
    ("provider", Kind::ShareDeliver, delivery(), keys)
}

const OLD: Key<'static> = ("provider", Role::Office, 0);
const NEW: Key<'static> = ("provider", Role::Office, 1);
const NEWER: Key<'static> = ("provider", Role::Office, 2);
const RECOVERY: Key<'static> = ("provider", Role::Recovery, 0);

fn revoke<'a>(by: &'a str, generation: u32, keys: &'a [Key<'a>]) -> Draft<'a> {
    let (_, vkey) = agency_key(&Ledger::new().origin, "provider", Role::Office, generation);
    (by, Kind::KeyRevoke, object([("key", vkey.to_string().into()), ("reason", "lost".into())]), keys)
}

#[test]
fn a_key_that_the_file_shows_revoked_signs_no_more() {
    let ok = |records: &[_]| {
        let verdict = judge(&shown(records), None);
        assert!(verdict.ok, "{:?}", verdict.failed);
    };
    ok(&[admit(), deliver(&[OLD]), revoke("provider", 0, &[OLD])]);
    ok(&[admit(), revoke("authority", 0, &[AUTHORITY]), rotate("provider", 0, 1, &[RECOVERY, NEW]), deliver(&[NEW])]);
    ok(&[admit(), revoke("provider", 1, &[RECOVERY]), rotate("provider", 1, 2, &[RECOVERY, NEWER]), deliver(&[NEWER])]);
    let no = |records: &[_], why| refused(&shown(records), "records", why);
    no(&[admit(), revoke("provider", 0, &[RECOVERY]), deliver(&[OLD])], "key-revoked");
    no(&[admit(), revoke("provider", 0, &[OLD]), rotate("provider", 0, 1, &[OLD, NEW])], "key-revoked");
    no(&[admit(), revoke("provider", 0, &[OLD]), revoke("provider", 0, &[RECOVERY])], "key-revoked");
    let (first, second) = (rotate("provider", 0, 1, &[RECOVERY, NEW]), rotate("provider", 0, 2, &[RECOVERY, NEWER]));
    no(&[admit(), revoke("provider", 0, &[OLD]), first, second], "key-revoked");
    no(&[admit(), revoke("provider", 0, &[("provider", Role::Head, 0)])], "role-wrong");
    no(&[admit(), revoke("provider", 1, &[OLD])], "role-wrong");
    // Among `keys` it ends the key as well.
    let mut hidden = shown(&[admit(), revoke("provider", 0, &[RECOVERY]), deliver(&[OLD])]);
    hidden.keys = hidden.entries.drain(..2).collect();
    refused(&hidden, "records", "key-revoked");
}

#[test]
fn keys_are_trusted_from_after_they_came_until_they_were_replaced() {
    let ok = |records: &[_]| {
        let verdict = judge(&shown(records), None);
        assert!(verdict.ok, "{:?}", verdict.failed);
        assert_eq!(verdict.claims.len(), records.len());
    };
    ok(&[admit(), deliver(&[OLD])]);
    ok(&[admit(), rotate("provider", 0, 1, &[OLD, NEW]), deliver(&[NEW])]);
    ok(&[admit(), rotate("provider", 0, 1, &[RECOVERY, NEW]), deliver(&[NEW])]);
    ok(&[admit(), rotate("authority", 0, 1, &[AUTHORITY, NEW]), deliver(&[NEW])]);
    ok(&[admit(), rotate("provider", 0, 1, &[OLD, NEW]), rotate("provider", 1, 2, &[NEW, NEWER]), deliver(&[NEWER])]);
    let no = |records: &[_], why| refused(&shown(records), "records", why);
    no(&[deliver(&[OLD]), admit()], "key-unknown");
    no(&[admit(), deliver(&[NEW])], "key-unknown");
    no(&[admit(), deliver(&[NEW]), rotate("provider", 0, 1, &[OLD, NEW])], "key-unknown");
    no(&[admit(), rotate("provider", 0, 1, &[OLD, NEW]), deliver(&[OLD])], "key-revoked");
    no(&[admit(), rotate("provider", 0, 1, &[OLD, NEW]), rotate("provider", 0, 2, &[RECOVERY, NEWER])], "key-revoked");
    no(&[admit(), rotate("provider", 0, 1, &[OLD, NEW]), rotate("provider", 1, 0, &[NEW, OLD])], "position 2");
    no(&[admit(), rotate("provider", 1, 2, &[RECOVERY, NEWER]), rotate("provider", 0, 1, &[OLD, NEW])], "duplicate");
    no(&[rotate("provider", 0, 1, &[OLD, NEW]), admit()], "key-unknown");
    no(&[admit(), rotate("provider", 0, 1, &[NEW, NEWER])], "role-wrong");
    no(&[admit(), rotate("provider", 0, 1, &[NEW])], "signature-missing");
    no(&[admit(), rotate("provider", 0, 1, &[("provider", Role::Head, 0), NEW])], "role-wrong");
    no(&[admit(), deliver(&[("provider", Role::Head, 0)])], "role-wrong");
    no(&[admit(), deliver(&[("agency-1", Role::Office, 0)])], "signature-missing");
    let own = admission(&Ledger::new().origin, "provider", &[Role::Office]);
    no(&[("agency-1", Kind::AgencyAdmit, own.clone(), &[("agency-1", Role::Head, 0)])], "role-wrong");
    no(&[admit(), ("authority", Kind::AgencyAdmit, own, &[AUTHORITY])], "duplicate");
}

#[test]
fn a_record_that_stands_twice_or_is_no_key_record_is_refused() {
    let mut file = shown(&[admit(), deliver(&[OLD])]);
    file.keys = vec![file.entries.remove(1)];
    refused(&file, "records", "among keys");
    let mut ledger = Ledger::new();
    let note = deliver_note(&ledger, "agency-1");
    let entry = ledger.block(&[note.clone(), note], &set(&FIRST_SET));
    refused(&show(&ledger, &[entry], &[0, 1]), "records", "a second time");
}

fn deliver_note(ledger: &Ledger, by: &str) -> String {
    let keys = [(by, Role::Office, 0)];
    Signed { by, kind: Kind::ShareDeliver, refs: vec![Hash::of(b"answer")], body: delivery(), keys: &keys }.note(&ledger.origin, 1)
}

/// A two-block ledger whose second entry was bent before it was committed and cosigned.
fn bent(bend: impl FnOnce(&mut BlockEntry)) -> Evidence {
    let mut ledger = Ledger::new();
    let note = deliver_note(&ledger, "agency-1");
    let first = ledger.block(&[], &set(&FIRST_SET));
    let second = ledger.block_as(&[note], &set(&FIRST_SET), bend);
    let head = ledger.block(&[], &set(&FIRST_SET));
    show(&ledger, &[first, second, head], &[1])
}

#[test]
fn entries_that_fit_no_chain_are_refused() {
    let verdict = judge(&bent(|_| ()), None);
    assert!(verdict.ok, "{:?}", verdict.failed);
    refused(&bent(|entry| entry.root = Hash::default()), "blocks", "root");
    refused(&bent(|entry| entry.position = 7), "blocks", "position 7");
    refused(&bent(|entry| entry.ledger = "another/0000000000000000".to_owned()), "blocks", "an entry of another");
    refused(&bent(|entry| entry.previous = Hash::default()), "blocks", "one chain");
    refused(&bent(|entry| entry.time = super::ledger::time(1)), "blocks", "one chain");
    refused(&bent(|entry| entry.height = 1), "blocks", "one chain");
    refused(&bent(|entry| entry.height = 5), "blocks", "one chain");
    refused(&bent(|entry| entry.first = 2), "blocks", "one chain");
    refused(&bent(|entry| entry.first = 0), "blocks", "one chain");
    refused(&bent(|entry| entry.validators = set(&SECOND_SET).hash()), "blocks", "validators");
    refused(&bent(|entry| entry.next = set(&SECOND_SET).hash()), "blocks", "next");
    refused(&bent(|entry| entry.rules = 2), "blocks", "rule set 2");
}

#[test]
fn a_set_is_reached_by_its_predecessors_certificate_alone() {
    let story = Story::tell();
    let with = |signers: &[&str]| {
        let mut file = story.evidence();
        file.handovers[0].certificate = story.ledger.certificate(story.handover, 0, signers);
        file
    };
    assert!(judge(&with(&FIRST_SET), None).ok);
    refused(&with(&FIRST_SET[..2]), "handovers", "more than two thirds");
    refused(&with(&SECOND_SET), "handovers", "members of the height's validator set");
    let mut file = story.evidence();
    file.handovers[0].entry = story.ledger.proven(story.block);
    refused(&file, "handovers", "validators");
    let mut file = story.evidence();
    let mut again = story.handover();
    again.entry = story.ledger.proven(story.block);
    again.certificate = story.ledger.certificate(story.block, 0, &SECOND_SET);
    file.handovers.push(again);
    refused(&file, "handovers", "unchanged set");
}

#[test]
fn a_checkpoint_counts_each_member_of_the_judging_set_once() {
    let story = Story::tell();
    let with = |change: &dyn Fn(&mut Note)| {
        let mut file = story.evidence();
        let mut note = Note::parse(file.checkpoint.as_bytes()).unwrap();
        change(&mut note);
        file.checkpoint = note.to_text();
        file
    };
    let lines = Note::parse(story.ledger.note(&SECOND_SET).as_bytes()).unwrap().lines;
    assert!(judge(&with(&|note| drop(note.lines.remove(0))), None).ok, "the serving node's line is not needed");
    refused(&with(&|note| note.lines.truncate(4)), "signatures", "power 3 of 5");
    refused(&with(&|note| note.lines[4] = note.lines[3].clone()), "signatures", "a second line");
    refused(&with(&|note| note.lines[2].signature[20] ^= 1), "signatures", "agency-1");
    refused(&with(&|note| note.lines[2].signature[7] ^= 1), "signatures", "agency-1");
    refused(&with(&|note| note.lines[2].id[0] ^= 1), "signatures", "agency-1");
    refused(&with(&|note| note.lines[0].signature[20] ^= 1), "signatures", &story.ledger.origin);
    let mut witness = lines[1].clone();
    witness.name = "witness.example/w".to_owned();
    let file = with(&|note| note.lines.push(witness.clone()));
    refused(&file, "signatures", "witness.example");
    let genesis = sharelog::core::genesis::Genesis::parse(file.genesis.to_jcs().as_bytes()).unwrap();
    let known = known_lines(&Note::parse(file.checkpoint.as_bytes()).unwrap(), &genesis, &set(&SECOND_SET));
    assert_eq!(known.to_text(), story.evidence().checkpoint);
    let mut file = story.evidence();
    file.checkpoint = story.ledger.note(&FIRST_SET[..3]);
    refused(&file, "signatures", "more than two thirds");
}

#[test]
fn every_changed_byte_is_seen() {
    let story = Story::tell();
    let file = story.evidence().to_value().to_jcs();
    let pin = Pin::Hash(story.ledger.genesis_hash());
    assert!(verify(file.as_bytes(), &pin, None).ok);
    // A stride that is prime to every period in the file, with another bit each time; all bytes would take minutes.
    for (round, at) in (0..file.len()).step_by(11).enumerate() {
        let mut bytes = file.clone().into_bytes();
        bytes[at] ^= 1 << (round % 8);
        let verdict = verify(&bytes, &pin, None);
        assert!(!verdict.ok, "byte {at} of {}", file.len());
        let text = verdict.to_value().to_jcs();
        assert!(parse(text.as_bytes(), Strings::Strict).is_ok(), "{text}");
    }
    for length in (0..file.len()).step_by(97) {
        assert!(!verify(&file.as_bytes()[..length], &pin, None).ok);
    }
}

#[test]
fn a_verdict_has_the_documented_members_alone() {
    let story = Story::tell();
    let verdict = judge(&story.evidence(), None);
    let deliver = story.ledger.proven(story.deliver);
    let claim = object([
        ("by", "provider".into()),
        ("height", 4.into()),
        ("id", record_id(&deliver.leaf).to_hex().into()),
        ("kind", "share.deliver".into()),
        ("position", 9.into()),
        ("time", "2026-11-25T00:00:40.000Z".into()),
    ]);
    let value = verdict.to_value();
    assert_eq!(value.get("claims").unwrap().as_array().unwrap()[0], claim);
    assert_eq!(value.as_object().unwrap().keys().collect::<Vec<_>>(), ["claims", "not_shown", "ok"]);
    let word = verdict.on_whose_word.unwrap();
    assert_eq!((word.size, word.members.len(), word.cosigners), (13, 5, SECOND_SET[..4].iter().map(|a| (*a).to_owned()).collect()));
    let mut file = story.evidence();
    file.openings[0] = opening(Hash::of(b"another"));
    let value = judge(&file, None).to_value();
    assert_eq!(value.as_object().unwrap().keys().collect::<Vec<_>>(), ["claims", "failed", "not_shown", "ok"]);
    let long = vec![b' '; 4 * 1024 * 1024 + 1];
    assert!(verify(&long, &Pin::Hash(Hash::default()), None).failed.unwrap().contains("too-large"));
}

#[test]
fn a_pinned_checkpoint_must_agree() {
    let story = Story::tell();
    let file = story.evidence();
    let own = story.ledger.note(&SECOND_SET);
    let verdict = judge(&file, Some(&own));
    assert!(verdict.ok, "{:?}", verdict.failed);
    assert!(verdict.not_shown.len() < judge(&file, None).not_shown.len());
    let no = |later: &str, why: &str| {
        let failed = judge(&file, Some(later)).failed.unwrap();
        assert!(failed.starts_with("pin:") && failed.contains(why), "{failed}");
    };
    no("nonsense", "note-malformed");
    no(&own.replace("vectors.example", "victors.example"), "a checkpoint of victors");

    let mut fork = Ledger::new();
    while fork.size() < 13 {
        fork.block(&[], &set(&FIRST_SET));
    }
    no(&fork.note(&FIRST_SET), "another history");

    // An earlier checkpoint whose last entry the file proves, and one that it does not.
    let mut early = Story::tell().ledger;
    let blocks: Vec<_> = early.entries.keys().copied().collect();
    let earlier = |size: u64| {
        let root = sharelog::log::merkle::root_at(&early.nodes, size).unwrap();
        let checkpoint = sharelog::log::checkpoint::Checkpoint { origin: early.origin.clone(), size, root };
        sharelog::log::checkpoint::publish(&checkpoint, &super::ledger::secret("agency-0/publication"), &[]).to_text()
    };
    let verdict = judge(&file, Some(&earlier(blocks[2] + 1)));
    assert!(verdict.ok, "{:?}", verdict.failed);
    no(&earlier(blocks[1] + 1), "shows no root");
    no(&earlier(blocks[2] + 1).replace("\n9\n", "\n12\n"), "another history");

    // A later one is compared by a proof of the file's head under it.
    early.block(&[], &set(&SECOND_SET));
    let later = early.note(&SECOND_SET);
    no(&later, "shows no root");
    let proof = |ledger: &Ledger, index| {
        let proof = inclusion_proof(&ledger.nodes, index, ledger.size()).unwrap();
        TlogProof { index, proof, checkpoint: ledger.note(&SECOND_SET) }.to_text()
    };
    let verdict = judge(&file, Some(&proof(&early, story.head)));
    assert!(verdict.ok, "{:?}", verdict.failed);
    no(&proof(&early, story.block), "one of the head");
    fork.block(&[], &set(&FIRST_SET));
    no(&proof(&fork, story.head), "another root");
}
