//! Records of every kind, spoiled and signed again: admission refuses or takes them, and never panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value as Json, json};
use sharelog::core::clocks::{Moment, Wanted};
use sharelog::core::note::{Note, SignatureLine};
use sharelog::core::record::{HEADER, Record};
use sharelog::core::rules::{self, BlockContext};
use sharelog::core::time::Time;

use super::generate::Random;
use super::run::Run;
use super::shape;
use super::world::{Line, Rec};

/// Characters that readers stumble over: combining, bidirectional, invisible, full-width, unassigned, beyond the first plane.
const STRANGE: [&str; 14] = [
    "\u{301}",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "\u{ff11}",
    "\u{378}",
    "\u{1f600}",
    "\u{e000}",
    "\u{0}",
    "\u{7f}",
    "\u{2028}",
    "\u{1d173}",
    "\u{fdfa}\u{fdfa}",
    "\u{10ffff}",
];
const TEXTS: [&str; 22] = [
    "",
    " ",
    "9999-12-31",
    "0001-01-01",
    "2024-02-30",
    "9999-W53",
    "0001-W01",
    "9999-12",
    "9999-H2",
    "9999-12-31T23:59:59.999Z",
    "0000-01-01T00:00:00.000Z",
    "2016-12-31T23:59:60.000Z",
    ":",
    "a:",
    ":a",
    "a:b:c",
    "-",
    "+",
    "++",
    "12D3KooW",
    "/ip4/255.255.255.255/tcp/0",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
];
const NUMBERS: [u64; 12] = [0, 1, 2, 53, 366, 840, 841, 3_660, 3_661, 9_999, 9_007_199_254_740_991, u64::MAX];

/// The places in a JSON value, as paths of indexes.
fn places(value: &Json, here: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    let children: Vec<&Json> = match value {
        Json::Array(items) => items.iter().collect(),
        Json::Object(members) => members.values().collect(),
        _ => return,
    };
    for (index, child) in children.into_iter().enumerate() {
        here.push(index);
        all.push(here.clone());
        places(child, here, all);
        here.pop();
    }
}

fn at<'a>(value: &'a mut Json, path: &[usize]) -> &'a mut Json {
    path.iter().fold(value, |value, index| match value {
        Json::Array(items) => &mut items[*index],
        Json::Object(members) => members.values_mut().nth(*index).unwrap(),
        _ => unreachable!("paths lead through lists and objects"),
    })
}

fn junk(random: &mut Random, old: &Json) -> Json {
    let strange = STRANGE[random.below(STRANGE.len())];
    // Half of them of the same type, at its ends.
    if random.percent(50) {
        let is_day = |text: &str| text.len() == 10 && text.as_bytes()[4] == b'-';
        match old {
            Json::Number(_) => return json!(NUMBERS[random.below(NUMBERS.len())]),
            Json::Bool(old) => return json!(!old),
            Json::String(text) if is_day(text) => return json!(random.one(&["9999-12-31", "0001-01-01", "1969-12-31", "2100-02-28"])),
            Json::String(text) if text.contains(' ') => return json!("\u{6c34}".repeat(1 + random.below(666))),
            _ => (),
        }
    }
    match random.below(14) {
        0 => Json::Null,
        1 => json!([true, false][random.below(2)]),
        2 => json!(-1),
        3 => json!(1.5),
        4 | 5 => json!(NUMBERS[random.below(NUMBERS.len())]),
        6 => json!("x".repeat([10, 65, 201, 301, 513, 2_001, 15_000][random.below(7)])),
        7 => json!(strange.repeat(random.below(700))),
        8 => json!([[[[[[[[[["deep"]]]]]]]]]]),
        9 => json!({"": {}}),
        10 => json!(vec![old.clone(); random.below(300)]),
        11 => old.as_str().map_or(Json::Null, |text| {
            let cut = (0..=text.len()).filter(|index| text.is_char_boundary(*index)).nth(random.below(text.chars().count() + 1)).unwrap();
            json!(format!("{}{strange}{}", &text[..cut], &text[cut..]))
        }),
        _ => json!(TEXTS[random.below(TEXTS.len())]),
    }
}

/// One to three changes anywhere in the head or body.
fn spoiled(random: &mut Random, head: &Json, other: &Json) -> Json {
    let mut head = head.clone();
    for _ in 0..=random.below(6) / 4 {
        let mut all = Vec::new();
        places(&head, &mut Vec::new(), &mut all);
        // Mostly in the body, the second member of a head.
        if random.percent(85) {
            all.retain(|path| path.len() > 1 && path[0] == 1);
        }
        let Some(path) = random.pick(&all) else {
            break;
        };
        let (last, parent) = path.split_last().unwrap();
        match random.below(8) {
            0 => match at(&mut head, parent) {
                Json::Array(items) => drop(items.remove(*last)),
                Json::Object(members) => {
                    let name = members.keys().nth(*last).unwrap().clone();
                    members.remove(&name);
                }
                _ => unreachable!("a place has a parent"),
            },
            1 => {
                let (mut from, mut all) = (other.clone(), Vec::new());
                places(other, &mut Vec::new(), &mut all);
                let Some(there) = random.pick(&all) else {
                    continue;
                };
                *at(&mut head, &path) = at(&mut from, &there).clone();
            }
            _ => {
                let new = junk(random, at(&mut head, &path));
                *at(&mut head, &path) = new;
            }
        }
    }
    head
}

/// A member written twice, a character too much: what no JSON writer does.
fn spoiled_text(random: &mut Random, line: String) -> String {
    match random.below(12) {
        0 => {
            let starts: Vec<usize> = line.match_indices(",\"").map(|(index, _)| index).collect();
            let Some(start) = random.pick(&starts) else {
                return line;
            };
            let end = line[start + 1..].find(',').map_or(line.len() - 1, |end| start + 1 + end);
            format!("{}{}{}", &line[..end], &line[start..end], &line[end..])
        }
        1 => line.replacen(':', ": ", 1),
        2 => line.replace("\"b", "\"\\u0062"),
        _ => line,
    }
}

fn flipped(random: &mut Random, note: &str) -> Vec<u8> {
    let mut bytes = note.as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        let place = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[place] ^= 1 << random.below(8),
            1 => bytes.insert(place, u8::try_from(random.below(256)).unwrap()),
            2 => drop(bytes.remove(place)),
            _ => bytes.truncate(place.max(1)),
        }
    }
    bytes
}

/// Signed by the keys that the record names.
fn signed(run: &mut Run, rec: &Rec, line: &str) -> String {
    let text = format!("{HEADER}{line}\n");
    let sign = |line: &Line| {
        let (vkey, secret) = run.generator.key(&line.label);
        let signature = secret.sign(text.as_bytes()).to_vec();
        SignatureLine { name: vkey.name().to_owned(), id: vkey.id(), signature }
    };
    let mut lines: Vec<SignatureLine> = rec.lines.iter().map(sign).collect();
    lines.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    Note { text, lines }.to_text()
}

/// Puts so many spoiled records to the state at the end of a history; returns how many were well-formed, and how many taken.
pub fn put(run: &mut Run, seed: u64, cases: usize) -> (usize, usize) {
    let mut random = Random(seed);
    run.generator.time += 60_000;
    run.generator.height += 1;
    let now = Time::from_unix_ms(run.generator.time).unwrap();
    let kinds: Vec<&'static str> = shape::kinds().collect();
    let (mut formed, mut taken) = (0, 0);
    let mut other = json!({});
    for case in 0..cases {
        let kind = random.pick(&kinds).unwrap();
        let Some(mut rec) = run.generator.record(&run.world, kind) else {
            continue;
        };
        rec.at = run.generator.time;
        let note = run.signed(&rec);
        let bytes = if random.percent(20) {
            flipped(&mut random, &note)
        } else {
            let head: Json = serde_json::from_str(note.lines().nth(1).unwrap()).unwrap();
            let spoiled = spoiled(&mut random, &head, &other);
            other = head["body"].clone();
            let line = spoiled_text(&mut random, spoiled.to_string());
            signed(run, &rec, &line).into_bytes()
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| admit(run, &bytes, now)));
        match outcome {
            Ok((is_formed, is_taken)) => (formed, taken) = (formed + usize::from(is_formed), taken + usize::from(is_taken)),
            Err(_) => panic!("seed {seed}, case {case}: a panic over {}", String::from_utf8_lossy(&bytes)),
        }
    }
    (formed, taken)
}

/// What is taken stays, but for policies: a strange one would refuse all that follows.
fn admit(run: &mut Run, bytes: &[u8], now: Time) -> (bool, bool) {
    let Ok(record) = Record::parse(bytes, &run.genesis.origin) else {
        return (false, false);
    };
    let block = BlockContext { height: run.generator.height, position: run.position, time: now, rules: 1 };
    let Ok(changes) = rules::apply(&run.rows, &record, &block) else {
        return (true, false);
    };
    // The farthest moment that a question may name.
    let late = now.plus_ms(366 * 86_400_000);
    if record.kind.as_str() == "policy.set" {
        let mut book = run.book.clone();
        book.take(&record, run.position, now);
        for time in [now, late] {
            Moment::new(&book, book.as_of(time)).obligations(&Wanted::default(), &mut |_| ());
        }
        return (true, true);
    }
    run.rows.apply(&changes);
    run.book.take(&record, run.position, now);
    run.position += 1;
    rules::subjects(&run.rows, &record);
    if run.position.is_multiple_of(16) {
        for time in [now, late] {
            Moment::new(&run.book, run.book.as_of(time)).obligations(&Wanted::default(), &mut |_| ());
        }
    }
    (true, true)
}
