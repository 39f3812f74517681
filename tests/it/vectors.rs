//! The golden vectors in `tests/vectors`: recomputed from fixed seeds and compared with the files.
//!
//! A format that changes fails here. `SHARELOG_BLESS=1` rewrites the files; whoever sets it changes the contract.

mod core;
mod evidence;
mod log;

use std::fs;
use std::path::PathBuf;

use sharelog::core::json::{Value, object};
use sharelog::core::refusal::{Code, Refusal};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

/// Compares `content` with the file, or writes it.
fn check_file(name: &str, content: &str) {
    if std::env::var_os("SHARELOG_BLESS").is_some() {
        fs::write(path(name), content).unwrap();
    }
    let found = fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    if let Some(line) = found.lines().zip(content.lines()).position(|(a, b)| a != b) {
        panic!("{name} line {}:\n{}\nrecomputed:\n{}", line + 1, found.lines().nth(line).unwrap(), content.lines().nth(line).unwrap());
    }
    assert_eq!(found.len(), content.len(), "{name}: another number of lines");
}

/// A file of named lists of cases: one case a line, each in JCS.
fn check_cases(name: &str, lists: &[(&str, Vec<Value>)]) {
    let list = |(name, cases): &(&str, Vec<Value>)| {
        let lines: Vec<_> = cases.iter().map(Value::to_jcs).collect();
        format!("\"{name}\":[\n{}\n]", lines.join(",\n"))
    };
    check_file(name, &format!("{{{}}}\n", lists.iter().map(list).collect::<Vec<_>>().join(",\n")));
}

/// A bad input of an exact text, with the code that refuses it.
fn bad_case<T>(text: &[u8], expected: Code, result: Result<T, Refusal>) -> Value {
    let code = match result {
        Ok(_) => panic!("{} passes", String::from_utf8_lossy(text)),
        Err(refusal) => refusal.code,
    };
    assert_eq!(code, expected, "{}", String::from_utf8_lossy(text));
    object([("code", expected.as_str().into()), ("hex", hex(text).into())])
}

fn hex(bytes: &[u8]) -> String {
    sharelog::core::hash::to_hex(bytes)
}
