//! The targets of `src/fuzz.rs` over seeded changes of real inputs: what `fuzz/` does for hours with libFuzzer, in seconds.
//!
//! The suite has one seed; `scripts/torture every_decoder` brings fresh ones, `SHARELOG_SEED` replays one, and
//! `SHARELOG_COUNT` changes the inputs per target. With `SHARELOG_CORPUS` the inputs that the changes start from are written
//! there, a folder for each target.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use sharelog::core::json::{self, Strings, Value};
use sharelog::fuzz::{TARGETS, engine_seeds};

use super::store::ledger::Ledger;

/// Inputs for each target in the suite.
const FEW: u64 = 1_500;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        usize::try_from(number % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn vector(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)).unwrap()
}

/// All strings and objects in a file of vectors, at any depth: their texts.
fn parts(name: &str) -> Vec<Vec<u8>> {
    fn walk(value: &serde_json::Value, into: &mut Vec<Vec<u8>>) {
        match value {
            serde_json::Value::String(text) => into.push(text.clone().into_bytes()),
            serde_json::Value::Array(items) => items.iter().for_each(|item| walk(item, into)),
            serde_json::Value::Object(members) => {
                into.push(serde_json::to_vec(value).unwrap());
                members.values().for_each(|member| walk(member, into));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&serde_json::from_slice(&vector(name)).unwrap(), &mut found);
    found
}

/// The validator set of a genesis file, as block entries hash it.
fn validators() -> Vec<u8> {
    let genesis = json::parse(&vector("genesis.json"), Strings::Strict).unwrap();
    let member = |value: &Value| {
        let names = ["agency", "consensus", "cosigner", "power"];
        Value::Object(names.iter().map(|name| ((*name).to_owned(), value.get(name).unwrap().clone())).collect())
    };
    let members = genesis.get("validators").unwrap().as_array().unwrap().iter().map(member).collect();
    Value::Array(members).to_jcs().into_bytes()
}

/// A log file of a few blocks.
fn log_file() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    ledger.fill(dir.path(), 3);
    fs::read(dir.path().join("log/00000001.log")).unwrap()
}

/// Behind its length, as entry bundles, bodies and the swarm have it.
fn behind_length(length_bytes: usize, leaf: &[u8]) -> Vec<u8> {
    let length = u64::try_from(leaf.len()).unwrap().to_be_bytes();
    [&length[8 - length_bytes..], leaf].concat()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Real inputs of a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let notes = || [parts("records.json"), parts("notes.json"), parts("checkpoints.json")].concat();
    let kept = [&[0; 7][..], &[9, 0, 0, 0, 2], &[0; 8], &[3; 32], b"body"].concat();
    match target {
        "json" => [parts("json.json"), parts("commitments.json"), vec![vector("genesis.json")]].concat(),
        "note" => notes(),
        "record" => parts("records.json"),
        "entry" => parts("entries.json"),
        "checkpoint" => parts("checkpoints.json"),
        "certificate" => parts("certificates.json"),
        "validators" => vec![validators()],
        "proof" => [parts("proofs.json"), parts("checkpoints.json")].concat(),
        "submission" => parts("checkpoints.json").iter().map(|note| [b"old 0\n\n", &note[..]].concat()).collect(),
        "evidence" => vec![vector("good.evidence.json")],
        "misbehaviour" => parts("misbehaviour.json"),
        "genesis" => vec![vector("genesis.json")],
        "key" => parts("notes.json"),
        "time" => texts(&["2026-11-25T01:02:03.000Z", "2026-11-25", "2024-02-29", "1970-01-01T00:00:00.000Z", "9999-12-31"]),
        "tile_path" => texts(&["0/000", "entries/x001/234.p/7", "63/x999/x999/999", "1/x001/000.p/255"]),
        "bundle" => parts("records.json").iter().map(|leaf| behind_length(2, leaf)).collect(),
        "tile" => vec![[7; 256 * 32].to_vec()],
        "query" => texts(&[
            "agency=agency-0&from=2026-11-25&to=2026-11-26T00:00:00.000Z&limit=100&after=1f-0123456789ab",
            "kind=share.deliver&dataset=a:b&request=00",
            "as_of=2026-11-25T09:02:03%2B08:00&clock=catalogue_update&territory=3301&digits=6&after=1.2.3.4.5.6.7-0123456789ab",
            "position=5&size=100",
        ]),
        "config" => vec![fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/node.toml")).unwrap()],
        "engine" => engine_seeds(),
        "body" => vec![[behind_length(4, b"entry"), vec![0, 0, 0, 2], behind_length(4, b"one"), behind_length(4, b"")].concat()],
        "undecided" => vec![kept],
        "swarm" => {
            let item = |tag: u8, leaf: &Vec<u8>| [vec![tag], behind_length(4, leaf)].concat();
            let records = parts("records.json").iter().map(|leaf| item(1, leaf)).collect::<Vec<_>>();
            [records, parts("checkpoints.json").iter().map(|note| item(2, note)).collect()].concat()
        }
        "frame" | "log_file" => vec![log_file()],
        other => panic!("no inputs for {other}"),
    }
}

/// Pieces that decoders look at.
const PIECES: [&[u8]; 14] = [
    b"\n",
    b"\n\n",
    b"\xe2\x80\x94 ",
    b"\"",
    b"{}",
    b"[",
    b",",
    b"0",
    b"null",
    b"-1",
    b"1e9",
    b"\\u0000",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
];

/// One change of `bytes`; `other` is another input.
fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = at + random.below((bytes.len() - at).min(64) + 1);
    match random.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap(),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let again = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, again));
        }
        4 => drop(bytes.splice(at..end, PIECES[random.below(PIECES.len())].iter().copied())),
        5 => {
            let from = random.below(other.len() + 1);
            let piece = &other[from..from + random.below((other.len() - from).min(256) + 1)];
            drop(bytes.splice(at..end, piece.iter().copied()));
        }
        6 => bytes.truncate(at),
        _ => {
            let digits: Vec<usize> = (0..bytes.len()).filter(|index| bytes[*index].is_ascii_digit()).collect();
            if !digits.is_empty() {
                bytes[digits[random.below(digits.len())]] = b'0' + u8::try_from(random.below(10)).unwrap();
            }
        }
    }
}

#[test]
fn every_decoder_keeps_its_word_for_changed_inputs() {
    let seed = number("SHARELOG_SEED").unwrap_or(1);
    println!("SHARELOG_SEED={seed}");
    for (name, run) in TARGETS {
        let inputs = seeds(name);
        let mut random = Random(seed);
        // A log file takes some system calls.
        let count = number("SHARELOG_COUNT").unwrap_or(FEW) / if name == "log_file" { 4 } else { 1 };
        let accepted = inputs.iter().filter(|input| run(input)).count();
        assert!(accepted > 0, "{name} accepts no input");
        let mut changed = 0;
        for turn in 0..count {
            let mut bytes = inputs[random.below(inputs.len())].clone();
            for _ in 0..=random.below(4) {
                let other = &inputs[random.below(inputs.len())];
                change(&mut bytes, other, &mut random);
            }
            let outcome = catch_unwind(|| run(&bytes));
            match outcome {
                Ok(is_accepted) => changed += u64::from(is_accepted),
                Err(_) => panic!("{name}, turn {turn} of seed {seed}: {}", bytes.escape_ascii()),
            }
        }
        println!("{name}: {accepted} of {} inputs accepted, {changed} of {count} changed ones", inputs.len());
    }
}

#[test]
fn the_inputs_are_written_for_the_fuzzer() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = std::env::var_os("SHARELOG_CORPUS").map_or_else(|| dir.path().to_owned(), PathBuf::from);
    for (name, _) in TARGETS {
        let folder = corpus.join(name);
        fs::create_dir_all(&folder).unwrap();
        for (index, input) in seeds(name).iter().enumerate() {
            fs::write(folder.join(format!("seed-{index}")), input).unwrap();
        }
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/fuzz_targets/{name}.rs"));
        assert!(program.is_file(), "no program {}", program.display());
    }
}
