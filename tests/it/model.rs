//! The rules and the clocks against a second, naive implementation, written from the specification alone.
//!
//! A seeded history of random records, about one in five of them broken, is put to both. The verdicts must agree record by
//! record: taken by both, or refused for a rule that the model, too, finds breached. The obligations must be the same at
//! random moments. The model keeps a list of records and answers each question by going through it; it counts days by
//! walking. Where the specification leaves open whether a record stands, both answers pass ([`verdict::Verdict`]).

mod clocks;
mod days;
mod generate;
mod generate_share;
mod hostile;
mod matters;
mod mutate;
mod run;
mod shape;
mod verdict;
mod verdict_catalogue;
mod verdict_gov;
mod verdict_share;
mod world;

use std::collections::BTreeMap;

use run::Run;

/// A history to the end, and its disagreements.
fn watched(seed: u64, records: usize, moments: usize) -> Run {
    let mut run = Run::new(seed);
    run.fill(records);
    run.compare_moments(moments);
    run
}

fn assert_agreement(runs: &[Run]) {
    let quarrels: Vec<&str> = runs.iter().flat_map(|run| &run.quarrels).map(String::as_str).collect();
    assert!(quarrels.is_empty(), "{} disagreements:\n{}", quarrels.len(), quarrels.join("\n"));
}

#[test]
fn small_histories_are_judged_alike() {
    let runs: Vec<Run> = (1..=40).map(|seed| watched(seed, 500, 12)).collect();
    assert_agreement(&runs);
}

#[test]
fn a_long_history_is_judged_alike_and_replays_to_the_same_state() {
    let run = watched(2026, 10_000, 6);
    assert_agreement(std::slice::from_ref(&run));
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    for rec in &run.world.list {
        *taken.entry(rec.kind).or_default() += 1;
    }
    println!("seed 2026: taken {taken:?}; refused {:?}; obligations {:?}", run.refused, run.obligations);
    assert!(run.world.list.len() > 6_000, "most records are to be taken: {}", run.world.list.len());
    for kind in shape::kinds() {
        assert!(taken.get(kind).is_some_and(|count| *count >= 5), "{kind}: {taken:?}");
    }
    for code in [
        "field-unknown",
        "field-missing",
        "field-invalid",
        "text-forbidden",
        "key-unknown",
        "key-revoked",
        "role-wrong",
        "signature-missing",
        "agency-suspended",
        "agency-retired",
        "ref-unknown",
        "ref-wrong",
        "at-out-of-range",
        "duplicate",
        "not-party",
        "not-granted",
        "dataset-unknown",
        "version-wrong",
        "duty-unknown",
        "agency-unknown",
        "already-answered",
        "receipt-contradicts",
        "closed",
        "too-late",
        "too-early",
        "limit-exceeded",
        "still-open",
    ] {
        assert!(run.refused.contains_key(code), "{code} never came: {:?}", run.refused);
    }
    assert_eq!(run.replayed(), run.state);
}

#[test]
fn no_spoiled_record_makes_admission_panic() {
    let mut run = watched(7, 1_500, 1);
    assert_agreement(std::slice::from_ref(&run));
    let (formed, taken) = hostile::put(&mut run, 7, 6_000);
    println!("seed 7: {formed} well-formed, {taken} taken");
    assert!(formed > 300 && taken > 50, "{formed} well-formed, {taken} taken: too few to mean anything");
}
