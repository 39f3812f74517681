//! Attacks that no other test makes. `tests/THREATS.md` says for each threat what stands against it and which tests show it.

#[cfg(feature = "node")]
mod members;
#[cfg(feature = "node")]
mod outsiders;
mod signatures;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Names of functions with a test attribute in a file.
fn tests_of(file: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut names = BTreeSet::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        if let Some((_, rest)) = line.split_once("fn ")
            && is_test
        {
            names.insert(rest.split(['(', '<']).next().unwrap().to_owned());
            is_test = false;
        }
    }
    names
}

/// `it::pool::x` is `fn x` of tests/it/pool.rs or of a file in its folder; `log::tile::x` is one of src/log/tile.rs.
fn is_there(root: &Path, test: &str) -> bool {
    let (module, name) = test.rsplit_once("::").unwrap();
    let module: PathBuf = module.split("::").collect();
    let top = if module.starts_with("it") { "tests" } else { "src" };
    let files = [root.join(top).join(&module).with_extension("rs"), root.join(top).join(module.parent().unwrap()).with_extension("rs")];
    files.iter().any(|file| file.exists() && tests_of(file).contains(name))
}

#[test]
fn the_table_of_threats_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("tests/THREATS.md")).unwrap();
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #")).collect();
    assert_eq!(rows.len(), 30, "one row for each threat");
    for row in rows {
        let tests: Vec<_> = row.split('`').skip(1).step_by(2).filter(|code| code.contains("::")).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            assert!(is_there(root, test), "no test {test}: {row}");
        }
    }
    assert!(!is_there(root, "it::pool::nothing_of_that_name"));
}
