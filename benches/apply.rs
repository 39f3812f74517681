//! What admission costs beside the signature: `apply` over the life of a request, and `verify_strict`, in one run.
//!
//! `cargo bench --bench apply`. The signatures of the records are verified once before the clock starts, as a node has them
//! verified off the consensus path; so `apply` is the rules and the rows alone, per record.

#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/admission.rs"]
mod admission;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sharelog::core::hash::Hash;
use sharelog::core::key::Role;
use sharelog::core::kinds::Kind;
use sharelog::core::record::Record;
use sharelog::core::rules::{self, BlockContext};

use admission::{Ledger, json};

/// Requests, each with its answer, delivery and receipt.
const LIVES: usize = 100;

/// A ledger with a catalogue, and the records of all lives in order, their signatures verified.
fn lives() -> (Ledger, Vec<Record>) {
    let mut ledger = Ledger::new();
    let act = json!(["Act 1"]);
    ledger.add("agency-1", Kind::DutyDeclare, &[], &json!({"basis": act, "id": "agency-1:d", "title": "Register"})).unwrap();
    let dataset = json!({"class": "unconditional", "frequency": "daily", "id": "agency-0:a", "title": "Register", "version": 1});
    ledger.add("agency-0", Kind::DatasetPublish, &[], &dataset).unwrap();
    let mut notes = Vec::new();
    for life in 0..LIVES {
        let mut write = |by: &str, kind: Kind, refs: &[Hash], body: &serde_json::Value| {
            let note = ledger.note(by, kind, refs, body);
            let id = ledger.parse(&note).unwrap().id();
            notes.push(note);
            id
        };
        let request = json!({"basis": act, "datasets": [{"id": "agency-0:a", "version": 1}], "duty": "agency-1:d", "mode": "file",
            "purpose": format!("planning {life}"), "sort": "ordinary"});
        let request = write("agency-1", Kind::ShareRequest, &[], &request);
        let answer = json!({"datasets": ["agency-0:a"], "outcome": "agree", "promised": "2026-12-20"});
        let answer = write("agency-0", Kind::ShareAnswer, &[request], &answer);
        let commitment = Hash::of(&life.to_be_bytes()).to_hex();
        let delivery = json!({"batch": format!("b{life}"), "bytes": 48_213, "commitment": commitment, "dataset": "agency-0:a", "mode": "file",
            "period": "2026-11", "rows": 1_200, "version": 1});
        let delivery = write("agency-0", Kind::ShareDeliver, &[answer], &delivery);
        write("agency-1", Kind::ShareReceipt, &[delivery], &json!({"commitment": commitment, "result": "match", "rows": 1_200}));
    }
    let records: Vec<_> = notes.iter().map(|note| ledger.parse(note).unwrap()).collect();
    let office = |agency: &str| *ledger.signer(agency, Role::Office).vkey.public();
    let offices = [office("agency-0"), office("agency-1")];
    for record in &records {
        assert!(record.verifies(0, &offices[usize::from(record.by == "agency-1")]), "a good signature");
    }
    (ledger, records)
}

fn apply(criterion: &mut Criterion) {
    let (ledger, records) = lives();
    let mut group = criterion.benchmark_group("per record");
    group.throughput(criterion::Throughput::Elements(u64::try_from(records.len()).unwrap()));
    group.bench_function("apply", |bencher| {
        bencher.iter_batched(
            || ledger.rows.clone(),
            |mut rows| {
                for (position, record) in (ledger.position..).zip(&records) {
                    let block = BlockContext { height: 1, position, time: ledger.now, rules: 1 };
                    rows.apply(&rules::apply(&rows, record, &block).unwrap());
                }
                rows
            },
            BatchSize::SmallInput,
        );
    });
    let vkey = ledger.signer("agency-0", Role::Office).vkey;
    let secret = admission::secret("agency-0/office");
    let signed: Vec<_> = records.iter().map(|record| (record.text(), secret.sign(record.text()))).collect();
    group.bench_function("verify_strict", |bencher| {
        bencher.iter(|| assert!(signed.iter().all(|(text, signature)| vkey.public().verifies(text, signature))));
    });
    group.finish();
}

criterion_group!(benches, apply);
criterion_main!(benches);
