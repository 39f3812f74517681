//! The good evidence file with its genesis, and what becomes of it when one thing is changed.

use sharelog::core::genesis::Genesis;
use sharelog::core::json::{Value, object};
use sharelog::verify::{Pin, verify};

use super::{check_cases, check_file};
use crate::it::ledger::{Ledger, SECOND_SET, Story, set};

/// A change at a place of the file: members and indexes, joined by `/`.
struct Mutation {
    name: &'static str,
    place: &'static str,
    change: Change,
    fails: &'static str,
}

enum Change {
    /// Replaces the value.
    Set(Value),
    /// Replaces the first occurrence of a text in a string.
    Replace(&'static str, &'static str),
    /// Takes the member or item away.
    Remove,
    /// Repeats an item of a list behind itself.
    Repeat,
    /// Adds a member to an object.
    Add(&'static str),
}

impl Change {
    fn to_value(&self) -> Value {
        match self {
            Change::Set(value) => object([("set", value.clone())]),
            Change::Replace(from, to) => object([("replace", (*from).into()), ("with", (*to).into())]),
            Change::Remove => object([("remove", true.into())]),
            Change::Repeat => object([("repeat", true.into())]),
            Change::Add(name) => object([("add", (*name).into())]),
        }
    }
}

impl Mutation {
    fn apply(&self, file: &Value) -> Value {
        let mut file = file.clone();
        let mut at = &mut file;
        let (parents, last) = self.place.rsplit_once('/').unwrap_or(("", self.place));
        for step in parents.split('/').filter(|step| !step.is_empty()) {
            at = child(at, step);
        }
        match (&self.change, at) {
            (Change::Remove, Value::Object(members)) => drop(members.remove(last).unwrap()),
            (Change::Remove, Value::Array(items)) => drop(items.remove(last.parse().unwrap())),
            (Change::Repeat, Value::Array(items)) => items.insert(last.parse().unwrap(), items[last.parse::<usize>().unwrap()].clone()),
            (Change::Set(value), at) => *child(at, last) = value.clone(),
            (Change::Replace(from, to), at) => match child(at, last) {
                Value::String(text) if text.contains(from) => *text = text.replacen(from, to, 1),
                other => panic!("{}: no {from} in {other:?}", self.name),
            },
            (Change::Add(name), at) => match child(at, last) {
                Value::Object(members) => drop(members.insert((*name).to_owned(), true.into())),
                other => panic!("{}: {other:?}", self.name),
            },
            (_, other) => panic!("{}: {other:?}", self.name),
        }
        file
    }
}

fn child<'a>(at: &'a mut Value, step: &str) -> &'a mut Value {
    match at {
        Value::Object(members) => members.get_mut(step).unwrap_or_else(|| panic!("no {step}")),
        Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
        _ => panic!("nothing in {step}"),
    }
}

fn change(name: &'static str, place: &'static str, change: Change, fails: &'static str) -> Mutation {
    Mutation { name, place, change, fails }
}

fn mutations(story: &Story) -> Vec<Mutation> {
    use Change::{Add, Remove, Repeat, Replace, Set};
    let forged = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
    let empty = || Set(Value::Array(Vec::new()));
    let first_block = story.ledger.proven(0);
    let first_block = object([("leaf", first_block.leaf.into()), ("position", 0.into()), ("proof", Value::Array(Vec::new()))]);
    vec![
        change("another format", "format", Set("sharelog/evidence/v2".into()), "form"),
        change("an unknown member", "head", Add("note"), "form"),
        change("a missing list", "openings", Remove, "form"),
        change("a repeated entry", "entries/0", Repeat, "form"),
        change("a repeated handover", "handovers/0", Repeat, "form"),
        change("a repeated opening", "openings/0", Repeat, "form"),
        change("a hash of a proof cut short", "entries/0/proof/0", Set("AAAA".into()), "form"),
        change("another genesis", "genesis/created", Set("2026-11-24T00:00:00.000Z".into()), "genesis"),
        change("no genesis", "genesis", Set(true.into()), "genesis"),
        change("no note", "checkpoint", Set("checkpoint".into()), "checkpoint"),
        change("another origin", "checkpoint", Replace("vectors.example", "victors.example"), "checkpoint"),
        change("a smaller size", "checkpoint", Replace("\n13\n", "\n12\n"), "handovers"),
        change("another root", "checkpoint", Replace("\n13\n", "\n13\nAAAA"), "checkpoint"),
        change("no handover", "handovers", empty(), "head"),
        change("another new set", "handovers/0/validators", Set(set(&SECOND_SET[1..]).to_value()), "handovers"),
        change("a certificate of too few", "handovers/0/certificate/signatures/0", Remove, "handovers"),
        change("a certificate of another round", "handovers/0/certificate/round", Set(0.into()), "handovers"),
        change("a forged precommit", "handovers/0/certificate/signatures/0/signature", Set(forged.into()), "handovers"),
        change("a handover moved", "handovers/0/entry/position", Set(7.into()), "handovers"),
        change("a handover without proof", "handovers/0/entry/proof", empty(), "handovers"),
        change("an older head", "head", Set(story_leaf(story, story.block)), "head"),
        change("a changed head", "head/leaf", Replace("agency-0", "agency-1"), "head"),
        change("a record as head", "head/leaf", Set(story.ledger.proven(story.deliver).leaf.into()), "head"),
        change("one cosigner renamed", "checkpoint", Replace("validator/agency-1 ", "validator/agency-4 "), "signatures"),
        change("a line of a stranger", "checkpoint", Replace("validator/agency-1 ", "witness/agency-1 "), "signatures"),
        change("no block", "blocks", empty(), "records"),
        change("a block without proof", "blocks/0", Set(first_block), "blocks"),
        change("the block before", "blocks/0", Set(story_leaf(story, story.handover)), "records"),
        change("a changed record", "entries/0/leaf", Replace("\"rows\":1", "\"rows\":2"), "records"),
        change("a record moved", "entries/0/position", Set(8.into()), "records"),
        change("a proof with a hash too many", "entries/0/proof/0", Repeat, "records"),
        change("a proof with a hash too few", "entries/0/proof/0", Remove, "records"),
        change("a key without its admission", "keys/0", Remove, "records"),
        change("a rotated key without its rotation", "keys/1", Remove, "records"),
        change("no keys", "keys", empty(), "records"),
        change("an opening of another record", "openings/0/record", Set(sharelog::core::hash::Hash::default().to_hex().into()), "openings"),
        change("another size of the payload", "openings/0/bytes", Set(16.into()), "openings"),
        change("another payload", "openings/0/sha256", Set(sharelog::core::hash::Hash::of(b"x").to_hex().into()), "openings"),
        change("the delivery of an opening left out", "entries/0", Remove, "openings"),
    ]
}

fn story_leaf(story: &Story, position: u64) -> Value {
    let proven = story.ledger.proven(position);
    let proof = proven.proof.iter().map(|hash| sharelog::core::key::encode_base64(hash.as_bytes()));
    object([("leaf", proven.leaf.into()), ("position", position.into()), ("proof", sharelog::core::json::strings(proof))])
}

#[test]
fn files() {
    let story = Story::tell();
    let genesis = story.ledger.genesis.to_jcs();
    Genesis::parse(genesis.as_bytes()).unwrap();
    check_file("genesis.json", &genesis);
    let file = story.evidence().to_value();
    check_file("good.evidence.json", &file.to_jcs());
    let pin = Pin::Hash(story.ledger.genesis_hash());
    let verdict = verify(file.to_jcs().as_bytes(), &pin, None);
    assert!(verdict.ok, "{:?}", verdict.failed);
    assert_eq!(verdict, verify(file.to_jcs().as_bytes(), &Pin::File(genesis.as_bytes()), None));
    let mutations = mutations(&story);
    let cases = mutations.iter().map(|mutation| {
        let verdict = verify(mutation.apply(&file).to_jcs().as_bytes(), &pin, None);
        let failed = verdict.failed.unwrap_or_else(|| panic!("{} passes", mutation.name));
        assert_eq!(failed.split(':').next(), Some(mutation.fails), "{}: {failed}", mutation.name);
        assert!(!verdict.ok && verdict.claims.is_empty());
        object([
            ("change", mutation.change.to_value()),
            ("fails", mutation.fails.into()),
            ("name", mutation.name.into()),
            ("place", mutation.place.into()),
        ])
    });
    let cases = cases.collect();
    check_cases("evidence.json", &[("mutations", cases), ("verdict", vec![verdict.to_value()])]);
}

#[test]
fn another_genesis_is_another_network() {
    let story = Story::tell();
    let file = story.evidence().to_value().to_jcs();
    let other = Pin::Hash(sharelog::core::hash::Hash::of(b"another genesis"));
    assert!(verify(file.as_bytes(), &other, None).failed.unwrap().starts_with("genesis:"));
    assert_ne!(Ledger::new().genesis_hash(), sharelog::core::hash::Hash::of(b"another genesis"));
}
