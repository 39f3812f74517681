//! Three verifiers that were written apart, in Rust, Python and JavaScript, give one verdict on thousands of changed files.
//!
//! Python (with `cryptography`) and Node are wanted where `CI` is set; elsewhere a missing one is said and passed over.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use sharelog::core::hash::Hash;
use sharelog::core::json::{self, Strings, Value};
use sharelog::core::key::encode_base64;
use sharelog::verify::{Pin, verify};

use super::ledger::Story;

/// Files that are compared.
const FILES: usize = 10_500;
/// How many of them a browser judges too.
const FILES_IN_BROWSER: usize = 2_500;

/// xorshift64*: the same files at every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % bound
    }
}

/// Bytes changed without a look at what they are.
fn blind(random: &mut Seeded, file: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    let at = random.below(bytes.len());
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = b"09afAZ\"\\{}[],:+/= \n\x00\xff"[random.below(20)],
        2 => drop(bytes.drain(at..(at + 1 + random.below(64)).min(file.len()))),
        3 => bytes.insert(at, bytes[random.below(file.len())]),
        4 => bytes.truncate(at),
        _ => {
            let end = (at + 1 + random.below(200)).min(file.len());
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
    }
    bytes
}

/// The paths of all values of a file.
fn paths(value: &Value, path: &mut Vec<String>, into: &mut Vec<Vec<String>>) {
    into.push(path.clone());
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, child)| (name.clone(), child)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect(),
        _ => Vec::new(),
    };
    for (step, child) in children {
        path.push(step);
        paths(child, path, into);
        path.pop();
    }
}

fn at<'a>(value: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(value, |value, step| match value {
        Value::Object(members) => members.get_mut(step).unwrap(),
        Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
        _ => unreachable!("a path of the file"),
    })
}

/// A text with one character replaced by another of the same text, or one taken away, or its lines turned.
fn retyped(random: &mut Seeded, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.is_empty() {
        return "x".to_owned();
    }
    let (one, other) = (random.below(letters.len()), random.below(letters.len()));
    match random.below(4) {
        0 => letters[one] = letters[other],
        1 => drop(letters.remove(one)),
        2 => letters.swap(one, other),
        _ => {
            let mut lines: Vec<_> = text.split('\n').collect();
            let (one, other) = (random.below(lines.len()), random.below(lines.len()));
            lines.swap(one, other);
            return lines.join("\n");
        }
    }
    letters.into_iter().collect()
}

/// One value of the file changed with an eye to what it is; the file stays canonical.
fn aimed(random: &mut Seeded, file: &Value) -> Vec<u8> {
    let mut all = Vec::new();
    paths(file, &mut Vec::new(), &mut all);
    // Half of the changes go to the checkpoint and to proofs, sets and certificates, the others anywhere.
    let wanted = |path: &&Vec<String>| path.first().is_some_and(|first| first != "genesis");
    let aimed: Vec<_> = all.iter().filter(wanted).cloned().collect();
    let pool = if random.below(8) == 0 { &all } else { &aimed };
    let path = pool[random.below(pool.len())].clone();
    let mut file = file.clone();
    let donor = at(&mut file, &pool[random.below(pool.len())].clone()).clone();
    let value = at(&mut file, &path);
    match value {
        Value::Int(number) => {
            *number = match random.below(4) {
                0 => number.saturating_add(1),
                1 => number.saturating_sub(1),
                2 => 0,
                _ => u64::try_from(random.below(20)).unwrap(),
            }
        }
        Value::String(text) => *text = retyped(random, text),
        Value::Bool(flag) => *flag = !*flag,
        Value::Array(items) if !items.is_empty() => {
            let (one, other) = (random.below(items.len()), random.below(items.len()));
            match random.below(4) {
                0 => drop(items.remove(one)),
                1 => items.insert(one, items[other].clone()),
                2 => items.swap(one, other),
                _ => items.push(donor),
            }
        }
        Value::Object(members) if !members.is_empty() => {
            let names: Vec<_> = members.keys().cloned().collect();
            let name = names[random.below(names.len())].clone();
            match random.below(3) {
                0 => drop(members.remove(&name)),
                1 => drop(members.insert(name, donor)),
                _ => drop(members.insert("extra".to_owned(), donor)),
            }
        }
        _ => *value = donor,
    }
    file.to_jcs().into_bytes()
}

/// A file, and the checkpoint to be pinned, if any.
type Case = (Vec<u8>, Option<String>);

/// The hash of the genesis, and the files: most changed, some not.
fn files() -> (Hash, Vec<Case>) {
    let story = Story::tell();
    let good = story.evidence().to_value();
    let bytes = good.to_jcs().into_bytes();
    let checkpoint = good.get("checkpoint").unwrap().as_str().unwrap().to_owned();
    let mut random = Seeded(20_261_130);
    let mut files = vec![(bytes.clone(), None), (bytes.clone(), Some(checkpoint.clone()))];
    while files.len() < FILES {
        files.push(match random.below(10) {
            0..=2 => (blind(&mut random, &bytes), None),
            3 => (bytes.clone(), Some(retyped(&mut random, &checkpoint))),
            4 => (aimed(&mut random, &good), Some(checkpoint.clone())),
            5 => {
                let once = json::parse(&aimed(&mut random, &good), Strings::WithNotes).unwrap_or_else(|_| good.clone());
                (aimed(&mut random, &once), None)
            }
            _ => (aimed(&mut random, &good), None),
        });
    }
    (story.ledger.genesis_hash(), files)
}

/// What a line of verdict says: the step that refused, or the claims.
fn essence(verdict: &str) -> String {
    let verdict: serde_json::Value = serde_json::from_str(verdict).unwrap_or_else(|error| panic!("{error}: {verdict}"));
    match verdict["failed"].as_str() {
        Some(failed) => failed.split(':').next().unwrap_or_default().to_owned(),
        None => format!("{} {}", verdict["ok"], verdict["claims"]),
    }
}

/// Whether a program that the machine may lack is there.
pub fn is_there(program: &str, arguments: &[&str]) -> bool {
    let there = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    assert!(there || std::env::var_os("CI").is_none(), "{program} {arguments:?} must work where CI is set");
    if !there {
        println!("passed over: {program} {arguments:?} does not work here");
    }
    there
}

/// Runs another verifier over the lines; gives the essence of each of its verdicts.
fn verdicts(command: &mut Command, lines: &str) -> Vec<String> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
        let verdicts: Vec<_> = output.lines().map(|line| essence(&line.unwrap())).collect();
        assert!(child.wait().unwrap().success());
        verdicts
    })
}

#[test]
fn three_verifiers_agree_on_ten_thousand_changed_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (genesis, files) = files();
    let pin = Pin::Hash(genesis);
    let own: Vec<_> = files.iter().map(|(file, later)| essence(&verify(file, &pin, later.as_deref()).to_value().to_jcs())).collect();
    let mut lines = String::new();
    for (file, later) in &files {
        let mut line = vec![("evidence", encode_base64(file).into()), ("genesis", genesis.to_hex().into())];
        line.extend(later.as_ref().map(|later| ("pin", encode_base64(later.as_bytes()).into())));
        let line: Value = Value::Object(line.into_iter().map(|(name, value): (&str, Value)| (name.to_owned(), value)).collect());
        lines.push_str(&line.to_jcs());
        lines.push('\n');
    }
    // A run whose files all fail at once would show nothing.
    let mut steps = std::collections::BTreeMap::new();
    own.iter().for_each(|verdict| *steps.entry(verdict.split(' ').next().unwrap().to_owned()).or_insert(0) += 1);
    println!("{steps:?}");
    for step in ["form", "genesis", "checkpoint", "handovers", "head", "signatures", "blocks", "records", "openings", "pin", "true"] {
        assert!(steps.get(step).is_some_and(|count| *count >= 5), "too few files end with {step}: {steps:?}");
    }
    let mut others = Vec::new();
    if is_there("python3", &["-c", "import cryptography"]) {
        let script = root.join("tests/vectors/verify.py");
        others.push(("verify.py", verdicts(Command::new("python3").arg(script).arg("--batch"), &lines)));
    }
    if is_there("node", &["--version"]) {
        let script = root.join("tests/web/verify.mjs");
        others.push(("verify.mjs", verdicts(Command::new("node").arg(script).arg("--batch"), &lines)));
    }
    #[cfg(feature = "node")]
    others.extend(in_browser(&lines));
    for (name, verdicts) in others {
        assert!(verdicts.len() == own.len() || name == BROWSER && verdicts.len() == FILES_IN_BROWSER, "{name}: {}", verdicts.len());
        let differ: Vec<_> = (0..verdicts.len()).filter(|index| verdicts[*index] != own[*index]).collect();
        let shown = differ.iter().take(5).map(|index| {
            let path = std::env::temp_dir().join(format!("sharelog-differs-{index}.evidence.json"));
            std::fs::write(&path, &files[*index].0).unwrap();
            format!("{}: {name} says {}, we say {}", path.display(), verdicts[*index], own[*index])
        });
        assert!(differ.is_empty(), "{} of {} verdicts differ:\n{}", differ.len(), own.len(), shown.collect::<Vec<_>>().join("\n"));
    }
}

const BROWSER: &str = "verify.mjs in Chromium";

/// The verdicts of the page's module on the first lines.
#[cfg(feature = "node")]
fn in_browser(lines: &str) -> Option<(&'static str, Vec<String>)> {
    if !is_there("node", &["--version"]) || !is_there("chromium", &["--version"]) {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let some: Vec<_> = lines.split_inclusive('\n').take(FILES_IN_BROWSER).collect();
    std::fs::write(dir.path().join("lines"), some.concat()).unwrap();
    let mut command = browser(dir.path());
    command.arg("--batch").arg(dir.path().join("lines"));
    Some((BROWSER, verdicts(&mut command, "")))
}

/// The driver of a headless browser with the page, the good file and its genesis.
#[cfg(feature = "node")]
fn browser(dir: &Path) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = dir.join("verify.html");
    std::fs::write(&page, &sharelog::web::verifier().html).unwrap();
    let genesis = Hash::of(&std::fs::read(root.join("tests/vectors/genesis.json")).unwrap()).to_hex();
    let mut command = Command::new("node");
    command.arg(root.join("tests/web/browser.mjs")).arg(&page);
    command.arg("--evidence").arg(root.join("tests/vectors/good.evidence.json")).args(["--genesis", &genesis]);
    command
}

/// The same in a browser, where the page that people open runs the module: its steps, its languages, and no request to anyone.
#[cfg(feature = "node")]
#[test]
fn the_page_verifies_in_a_browser() {
    if !is_there("node", &["--version"]) || !is_there("chromium", &["--version"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = browser(dir.path()).output().unwrap();
    println!("{}", String::from_utf8_lossy(&out.stdout));
    assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
}

#[test]
fn the_other_verifiers_hold_to_the_vectors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let vectors = root.join("tests/vectors");
    if is_there("python3", &["-c", "import cryptography"]) {
        let out = Command::new("python3").arg(vectors.join("verify.py")).arg("--vectors").arg(&vectors).output().unwrap();
        assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    }
    if is_there("node", &["--version"]) {
        let out = Command::new("node").arg(root.join("tests/web/verify.mjs")).arg("--vectors").arg(&vectors).output().unwrap();
        assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    }
}
