//! The shape of the source: layers, length of files, ASCII.

use std::fs;
use std::path::{Path, PathBuf};

/// Inner to outer: a module may use itself and those before it.
const LAYERS: [&str; 21] = [
    "core",
    "locale",
    "log",
    "verify",
    "limits",
    "store",
    "audit",
    "health",
    "metrics",
    "consensus",
    "net",
    "query",
    "keystore",
    "config",
    "web",
    "api",
    "node",
    "witness",
    "fuzz",
    "cli",
    "main",
];
/// A longer file holds two subjects.
const FILE_LINES_MAX: usize = 600;

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    files.sort();
    assert!(files.len() > 30, "the walk found the source");
    let relative = |path: &PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
    files.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

/// The layer that a path inside the crate belongs to.
fn layer(path: &str) -> Option<usize> {
    let room = path.split(['/', ':']).next().unwrap().trim_end_matches(".rs");
    LAYERS.iter().position(|layer| *layer == room)
}

#[test]
fn an_outer_module_may_use_an_inner_one_never_the_reverse() {
    let mut broken = Vec::new();
    for (file, text) in sources() {
        if file == "lib.rs" || file.starts_with("bin/") {
            continue;
        }
        let own = layer(&file).unwrap_or_else(|| panic!("{file} belongs to no layer"));
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                match layer(&used) {
                    Some(inner) if inner <= own => {}
                    Some(_) => broken.push(format!("{file}:{} uses {used}", number + 1)),
                    None => {}
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_layer_above_is_seen_by_the_check() {
    assert!(layer("cli").unwrap() > layer("core").unwrap());
    assert_eq!(layer("store/segment.rs"), layer("store"));
}

#[test]
fn files_are_short_and_ascii() {
    let mut broken = Vec::new();
    for (file, text) in sources() {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            broken.push(format!("{file} has {lines} lines"));
        }
        if let Some(line) = text.lines().position(|line| !line.is_ascii()) {
            broken.push(format!("{file}:{} is not ASCII", line + 1));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn no_unsafe_code() {
    let root = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    assert!(root.contains("#![forbid(unsafe_code)]"));
}

/// Packages of Cargo.lock: name, version, source.
#[cfg(feature = "node")]
fn locked() -> Vec<(String, semver::Version, Option<String>)> {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let text = |package: &toml::Value, name: &str| package.get(name).map(|value| value.as_str().unwrap().to_owned());
    let packages = lock["package"].as_array().unwrap().iter();
    packages
        .map(|package| (text(package, "name").unwrap(), text(package, "version").unwrap().parse().unwrap(), text(package, "source")))
        .collect()
}

#[cfg(feature = "node")]
#[test]
fn the_lock_file_holds_what_deny_toml_allows() {
    let deny = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap();
    let deny: toml::Table = deny.parse().unwrap();
    let locked = locked();
    assert!(locked.len() > 300, "the whole lock file");
    for (name, version, source) in &locked {
        let is_ours = name == "sharelog";
        assert_eq!(source.is_none(), is_ours, "{name} {version} comes from another place than the registry");
        assert!(is_ours || source.as_ref().is_some_and(|source| source.starts_with("registry+")), "{name} {version}: {source:?}");
    }
    let bans = deny["bans"]["deny"].as_array().unwrap();
    assert!(bans.len() > 10);
    for ban in bans {
        let (name, range) = ban["crate"].as_str().unwrap().split_once(':').unwrap_or((ban["crate"].as_str().unwrap(), "*"));
        let range = semver::VersionReq::parse(range).unwrap();
        let found: Vec<_> = locked.iter().filter(|(locked, version, _)| locked == name && range.matches(version)).collect();
        assert!(found.is_empty(), "{found:?}: {}", ban["reason"]);
    }
    for exception in deny["advisories"]["ignore"].as_array().unwrap() {
        let reason = exception["reason"].as_str().unwrap();
        assert!(reason.ends_with(')') && reason.contains("(20"), "an exception without a day: {reason}");
    }
}
