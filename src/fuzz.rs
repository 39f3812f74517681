//! What must hold of every decoder for any bytes: it never panics, and what it accepts is written again as the same bytes.
//!
//! The targets are driven by `tests/it/fuzz.rs` (seeded changes of real inputs) and by the programs of `fuzz/` (libFuzzer).
//! For tests alone; never part of a release build.

mod engine;
mod files;
mod texts;

pub use engine::seeds as engine_seeds;

/// Tells whether the bytes were accepted; panics when it does not hold.
pub type Property = fn(&[u8]) -> bool;

/// Name and property.
pub const TARGETS: [(&str, Property); 25] = [
    ("json", texts::json),
    ("note", texts::note),
    ("record", texts::record),
    ("entry", texts::entry),
    ("checkpoint", texts::checkpoint),
    ("certificate", texts::certificate),
    ("validators", texts::validators),
    ("proof", texts::proof),
    ("submission", texts::submission),
    ("evidence", texts::evidence),
    ("misbehaviour", texts::misbehaviour),
    ("genesis", texts::genesis),
    ("key", texts::key),
    ("time", texts::time),
    ("tile_path", texts::path),
    ("bundle", texts::bundle),
    ("tile", texts::tile),
    ("query", texts::query),
    ("config", texts::config),
    ("engine", engine::message),
    ("body", engine::body),
    ("undecided", engine::undecided),
    ("swarm", engine::swarm),
    ("frame", files::frame),
    ("log_file", files::log_file),
];

/// Runs the target of this name.
///
/// # Panics
/// When its property does not hold, or there is no such target.
pub fn run(name: &str, bytes: &[u8]) -> bool {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("no target {name}")).1(bytes)
}
