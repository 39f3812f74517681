//! Every rule of every kind, broken once, with the code that says so; and mutated records, which may never panic.

use proptest::prelude::*;
use serde_json::Value as Json;
use sharelog::core::hash::Hash;
use sharelog::core::key::Role;
use sharelog::core::kinds::Kind;
use sharelog::core::refusal::{Code, Refusal};
use sharelog::core::rules;
use sharelog::core::time::Time;

use super::admission::{Ledger, changed, json};

/// A ledger on which agency-1 asked agency-0 for two datasets and one more, which agency-0 granted.
struct Story {
    ledger: Ledger,
    request: Hash,
    grant: Hash,
    delivery: Hash,
}

fn admit(ledger: &Ledger, id: &str) -> Json {
    json!({"id": id, "keys": [ledger.vkey(id, Role::Head), ledger.vkey(id, Role::Office)], "level": "outside",
        "names": {"en": "A Bureau"}, "scheme": "plain"})
}

fn duty(id: &str) -> Json {
    json!({"basis": ["Act 1"], "id": id, "title": "Register"})
}

fn dataset(id: &str, version: u64) -> Json {
    json!({"class": "unconditional", "frequency": "daily", "id": id, "title": "Register", "version": version})
}

fn request(datasets: &[(&str, u64)]) -> Json {
    let datasets: Vec<_> = datasets.iter().map(|(id, version)| json!({"id": id, "version": version})).collect();
    json!({"basis": [], "datasets": datasets, "duty": "agency-1:d", "mode": "file", "purpose": "planning", "sort": "ordinary"})
}

fn agree(datasets: &[&str]) -> Json {
    json!({"datasets": datasets, "outcome": "agree"})
}

fn refuse() -> Json {
    json!({"basis": [], "code": "purpose-unfit", "outcome": "refuse", "reason": "outside the listed purposes"})
}

fn delivery(batch: &str) -> Json {
    json!({"batch": batch, "bytes": 48213, "commitment": "ab".repeat(32), "dataset": "agency-0:a", "mode": "file", "period": "2026-11",
        "rows": 1200, "version": 1})
}

fn receipt(result: &str) -> Json {
    json!({"commitment": "ab".repeat(32), "result": result, "rows": 1200})
}

const OPEN: [(&str, u64); 2] = [("agency-0:a", 1), ("agency-0:b", 1)];

impl Story {
    fn new() -> Self {
        let mut ledger = Ledger::new();
        ledger.add("agency-1", Kind::DutyDeclare, &[], &duty("agency-1:d")).unwrap();
        for id in ["agency-0:a", "agency-0:b"] {
            ledger.add("agency-0", Kind::DatasetPublish, &[], &dataset(id, 1)).unwrap();
        }
        let request = ledger.add("agency-1", Kind::ShareRequest, &[], &request(&OPEN)).unwrap();
        let grant = ledger.add("agency-0", Kind::ShareAnswer, &[request], &agree(&["agency-0:a", "agency-0:b"])).unwrap();
        let delivery = ledger.add("agency-0", Kind::ShareDeliver, &[grant], &delivery("B1")).unwrap();
        Story { ledger, request, grant, delivery }
    }

    fn refused(&mut self, by: &str, kind: Kind, refs: &[Hash], body: &Json, code: Code, rule: &str) {
        let refusal = self.ledger.add(by, kind, refs, body).expect_err(&format!("{code} {rule}: {body}"));
        assert_eq!((refusal.code, refusal.rule.unwrap_or("")), (code, rule), "{refusal}: {body}");
    }

    /// Each case breaks one member; then every member but the optional ones is left out, and one more is put in.
    fn refused_members(&mut self, by: &str, kind: Kind, refs: &[Hash], body: &Json, cases: Vec<(&str, Json, Code, &str)>) {
        for (name, member, code, rule) in cases {
            self.refused(by, kind, refs, &changed(body, name, member), code, rule);
        }
        for name in body.as_object().unwrap().keys().filter(|name| !["period", "rows"].contains(&name.as_str())) {
            let refusal = self.ledger.add(by, kind, refs, &changed(body, name, Json::Null)).expect_err(name);
            assert_eq!(refusal.code, Code::FieldMissing, "without {name}: {refusal}");
        }
        self.refused(by, kind, refs, &changed(body, "surplus", json!(1)), Code::FieldUnknown, "");
    }
}

fn code<T>(result: Result<T, Refusal>) -> Code {
    result.err().unwrap().code
}

#[test]
fn agency_admit() {
    let mut story = Story::new();
    let good = admit(&story.ledger, "bureau");
    let [head, office] = [Role::Head, Role::Office].map(|role| story.ledger.vkey("bureau", role));
    let foreign = story.ledger.vkey("agency-0", Role::Head);
    let other_name = story.ledger.signer_of("bureau", Role::Office, "agency-0/network").vkey.to_string();
    let twice = story.ledger.signer_of("bureau", Role::Office, "bureau/head").vkey.to_string();
    let cases = vec![
        ("names", json!({}), Code::FieldMissing, "R-ADMIT-1"),
        ("names", json!({"en": "x".repeat(201)}), Code::FieldInvalid, ""),
        ("names", json!({"en": " x"}), Code::FieldInvalid, ""),
        ("names", json!({"en": "of 11010519491231002X"}), Code::TextForbidden, ""),
        ("names", json!({"de": "x"}), Code::FieldUnknown, ""),
        ("level", json!("city"), Code::FieldMissing, "R-ADMIT-2"),
        ("level", json!("planet"), Code::FieldInvalid, ""),
        ("territory", json!("3"), Code::FieldInvalid, ""),
        ("line", json!("A"), Code::FieldInvalid, ""),
        ("scheme", json!("uscc"), Code::FieldInvalid, "R-ADMIT-3"),
        ("keys", json!([office.clone(), head.clone()]), Code::FieldInvalid, "R-ADMIT-4"),
        ("keys", json!([head.clone(), head.clone()]), Code::FieldInvalid, "R-ADMIT-4"),
        ("keys", json!([foreign]), Code::FieldInvalid, "R-ADMIT-4"),
        ("keys", json!(["nonsense"]), Code::FieldInvalid, ""),
        ("id", json!("Agency-0"), Code::FieldInvalid, "R-ADMIT-4"),
        ("parent", json!("nobody"), Code::AgencyUnknown, "R-ADMIT-6"),
        ("parent", json!("Authority"), Code::AgencyUnknown, "R-ADMIT-6"),
        ("keys", json!([other_name]), Code::Duplicate, "R-ADMIT-7"),
        ("keys", json!([head, twice]), Code::Duplicate, "R-ADMIT-7"),
    ];
    story.refused_members("authority", Kind::AgencyAdmit, &[], &good, cases);
    let twin = changed(&changed(&good, "id", json!("AGENCY-0")), "keys", json!([]));
    story.refused("authority", Kind::AgencyAdmit, &[], &twin, Code::Duplicate, "R-ADMIT-5");
    let empty = changed(&changed(&good, "id", json!("91350100M000100Y43")), "keys", json!([]));
    let company = changed(&changed(&empty, "scheme", json!("uscc")), "names", json!({"en": "A Company"}));
    story.ledger.add("authority", Kind::AgencyAdmit, &[], &company).unwrap();

    let position = story.ledger.position;
    story.ledger.add("authority", Kind::AgencyAdmit, &[], &good).unwrap();
    assert_eq!(rules::agency(&story.ledger.rows, "BUREAU").unwrap().position, position);
    let keys = rules::agency_keys(&story.ledger.rows, "bureau");
    assert_eq!(
        keys.iter().map(|key| (key.role, key.from)).collect::<Vec<_>>(),
        [(Role::Head, Some(position)), (Role::Office, Some(position))]
    );
    assert_eq!(rules::key(&story.ledger.rows, &office), Some(keys[1].clone()));
    story.ledger.add("bureau", Kind::DutyDeclare, &[], &duty("bureau:d")).unwrap();
}

#[test]
fn who_signs_what() {
    let mut ledger = Ledger::new();
    let body = duty("agency-1:d");
    let draft = ledger.draft("agency-1", Kind::DutyDeclare, &[], &body);
    let judge = |signers: &[(&str, Role)]| {
        let signers: Vec<_> = signers.iter().map(|(agency, role)| ledger.signer(agency, *role)).collect();
        ledger.judge(&ledger.sign(&draft, &signers)).map(|_| ()).map_err(|refusal| refusal.code)
    };
    assert_eq!(judge(&[("agency-1", Role::Office)]), Ok(()));
    for role in [Role::Head, Role::Authority, Role::Recovery] {
        assert_eq!(judge(&[("agency-1", role)]), Err(Code::RoleWrong));
    }
    assert_eq!(judge(&[("agency-0", Role::Office)]), Err(Code::SignatureMissing));
    assert_eq!(judge(&[("agency-1", Role::Office), ("agency-1", Role::Head)]), Err(Code::RoleWrong));
    assert_eq!(judge(&[("agency-1", Role::Office), ("agency-0", Role::Office)]), Err(Code::RoleWrong));
    let stranger = [ledger.signer_of("agency-1", Role::Office, "stranger")];
    assert_eq!(code(ledger.judge(&ledger.sign(&draft, &stranger))), Code::KeyUnknown);

    let good = ledger.sign(&draft, &[ledger.signer("agency-1", Role::Office)]);
    let other = ledger.draft("agency-1", Kind::DutyDeclare, &[], &duty("agency-1:e"));
    let other = ledger.sign(&other, &[ledger.signer("agency-1", Role::Office)]);
    let (text, line) = (good.split_once("\n\n").unwrap().0, other.split_once("\n\n").unwrap().1);
    assert_eq!(code(ledger.judge(&format!("{text}\n\n{line}"))), Code::SignatureInvalid);

    let bureau = admit(&ledger, "bureau");
    let by_agency = ledger.draft("agency-0", Kind::AgencyAdmit, &[], &bureau);
    assert_eq!(code(ledger.judge(&ledger.sign(&by_agency, &[ledger.signer("agency-0", Role::Office)]))), Code::RoleWrong);
    assert_eq!(code(ledger.judge(&ledger.sign(&by_agency, &[ledger.signer("agency-0", Role::Authority)]))), Code::KeyUnknown);
    let note = ledger.note("agency-1", Kind::DutyDeclare, &[Hash::default()], &body);
    assert_eq!(code(ledger.judge(&note)), Code::RefWrong);
}

#[test]
fn a_record_is_admitted_once_and_near_its_time() {
    let mut ledger = Ledger::new();
    let note = ledger.note("agency-1", Kind::DutyDeclare, &[], &duty("agency-1:d"));
    let id = ledger.submit(&note).unwrap();
    assert_eq!(rules::position_of(&ledger.rows, &id), Some(1));
    assert_eq!(code(ledger.submit(&note)), Code::Duplicate);
    let now = ledger.now.unix_ms();
    for (at, fits) in [(now + 3_600_000, true), (now + 3_600_001, false), (now - 604_800_000, true), (now - 604_800_001, false)] {
        let mut draft = ledger.draft("agency-2", Kind::DutyDeclare, &[], &duty("agency-2:d"));
        draft.at = Time::from_unix_ms(at).unwrap();
        let result = ledger.judge(&ledger.sign(&draft, &[ledger.signer("agency-2", Role::Office)]));
        assert_eq!(result.is_ok(), fits, "{at}");
        assert!(fits || code(result) == Code::AtOutOfRange);
    }
}

#[test]
fn key_rotate() {
    let mut ledger = Ledger::new();
    let new = |ledger: &Ledger, role| ledger.signer_of("agency-0", role, "new");
    let body = |ledger: &Ledger, role| json!({"key": new(ledger, role).vkey.to_string(), "replaces": ledger.vkey("agency-0", role)});
    let judge = |ledger: &mut Ledger, by: &str, role, consent: &[(&str, Role)]| {
        let body = body(ledger, role);
        let draft = ledger.draft(by, Kind::KeyRotate, &[], &body);
        let mut signers: Vec<_> = consent.iter().map(|(agency, role)| ledger.signer(agency, *role)).collect();
        signers.push(new(ledger, role));
        ledger.judge(&ledger.sign(&draft, &signers)).map(|_| ()).map_err(|refusal| refusal.code)
    };
    for role in [Role::Office, Role::Head, Role::Recovery] {
        assert_eq!(judge(&mut ledger, "agency-0", role, &[("agency-0", role)]), Ok(()));
        assert_eq!(judge(&mut ledger, "agency-0", role, &[("agency-0", Role::Recovery)]), Ok(()));
        assert_eq!(judge(&mut ledger, "authority", role, &[("authority", Role::Authority)]), Ok(()));
        assert_eq!(judge(&mut ledger, "authority", role, &[("authority", Role::Recovery)]), Err(Code::RoleWrong));
        assert_eq!(judge(&mut ledger, "agency-1", role, &[("agency-1", Role::Recovery)]), Err(Code::RoleWrong));
        assert_eq!(judge(&mut ledger, "agency-0", role, &[]), Err(Code::SignatureMissing));
        assert_eq!(judge(&mut ledger, "agency-0", role, &[("authority", Role::Authority)]), Err(Code::SignatureMissing));
    }
    assert_eq!(judge(&mut ledger, "agency-0", Role::Recovery, &[("agency-0", Role::Office)]), Err(Code::RoleWrong));
    assert_eq!(judge(&mut ledger, "agency-0", Role::Office, &[("agency-0", Role::Head)]), Err(Code::RoleWrong));
    let both = [("agency-0", Role::Office), ("agency-0", Role::Recovery)];
    assert_eq!(judge(&mut ledger, "agency-0", Role::Office, &both), Err(Code::RoleWrong));

    let refused = |ledger: &mut Ledger, body: Json, signers: Vec<super::admission::Signer>| {
        let draft = ledger.draft("agency-0", Kind::KeyRotate, &[], &body);
        ledger.judge(&ledger.sign(&draft, &signers)).map(|_| ()).map_err(|refusal| (refusal.code, refusal.rule.unwrap_or("")))
    };
    let office = body(&ledger, Role::Office);
    let signers = |ledger: &Ledger| vec![ledger.signer("agency-0", Role::Recovery), new(ledger, Role::Office)];
    let alone = vec![ledger.signer("agency-0", Role::Office)];
    assert_eq!(refused(&mut ledger, office.clone(), alone), Err((Code::SignatureMissing, "R-ROTATE-2")));
    let head = ledger.vkey("agency-0", Role::Head);
    let (all, mixed) = (signers(&ledger), changed(&office, "replaces", json!(head)));
    assert_eq!(refused(&mut ledger, mixed, all), Err((Code::FieldInvalid, "R-ROTATE-1")));
    let unknown = ledger.signer_of("agency-0", Role::Office, "unknown").vkey.to_string();
    let (all, unknown) = (signers(&ledger), changed(&office, "replaces", json!(unknown)));
    assert_eq!(refused(&mut ledger, unknown, all), Err((Code::KeyUnknown, "R-ROTATE-3")));
    for used in ["agency-1/office", "agency-2/network", "agency-3/cosigner"] {
        let signer = ledger.signer_of("agency-0", Role::Office, used);
        let body = changed(&office, "key", json!(signer.vkey.to_string()));
        let all = vec![ledger.signer("agency-0", Role::Recovery), signer];
        assert_eq!(refused(&mut ledger, body, all), Err((Code::Duplicate, "R-ROTATE-4")), "{used}");
    }
    let draft = ledger.draft("agency-0", Kind::KeyRotate, &[], &office);
    let mut forged = ledger.sign(&draft, &signers(&ledger));
    let other = ledger.draft("agency-0", Kind::KeyRotate, &[], &office);
    let (from, to) = (forged.clone(), ledger.sign(&other, &signers(&ledger)));
    let line = |note: &str| note.lines().find(|line| line.contains("/office ")).unwrap().to_owned();
    forged = forged.replace(&line(&from), &line(&to));
    assert_eq!(code(ledger.judge(&forged)), Code::SignatureInvalid);
}

#[test]
fn a_replaced_key_ends_with_the_record_that_replaces_it() {
    let mut ledger = Ledger::new();
    let old = ledger.signer("agency-0", Role::Office);
    let new = ledger.signer_of("agency-0", Role::Office, "new");
    let (old_vkey, new_vkey) = (old.vkey.to_string(), new.vkey.to_string());
    let draft = ledger.draft("agency-0", Kind::KeyRotate, &[], &json!({"key": new_vkey, "replaces": old_vkey}));
    let note = ledger.sign(&draft, &[old, new]);
    let position = ledger.position;
    ledger.submit(&note).unwrap();
    let record = ledger.parse(&note).unwrap();
    assert_eq!(rules::subjects(&ledger.rows, &record).agencies, ["agency-0"]);
    assert_eq!(rules::key(&ledger.rows, &old_vkey).unwrap().until, Some(position));
    assert_eq!(rules::key(&ledger.rows, &new_vkey).unwrap().from, Some(position));
    assert_eq!(rules::agency_keys(&ledger.rows, "agency-0").len(), 4);
    assert_eq!(code(ledger.add("agency-0", Kind::DutyDeclare, &[], &duty("agency-0:d"))), Code::KeyRevoked);
    let draft = ledger.draft("agency-0", Kind::DutyDeclare, &[], &duty("agency-0:d"));
    let note = ledger.sign(&draft, &[ledger.signer_of("agency-0", Role::Office, "new")]);
    ledger.submit(&note).unwrap();
    let again = ledger.signer_of("agency-0", Role::Office, "newer");
    let body = json!({"key": again.vkey.to_string(), "replaces": old_vkey});
    let draft = ledger.draft("agency-0", Kind::KeyRotate, &[], &body);
    let note = ledger.sign(&draft, &[ledger.signer("agency-0", Role::Recovery), again]);
    assert_eq!(code(ledger.submit(&note)), Code::KeyRevoked);
}

#[test]
fn duty_declare() {
    let mut story = Story::new();
    let good = duty("agency-2:d");
    let cases = vec![
        ("id", json!("agency-2"), Code::FieldInvalid, ""),
        ("id", json!("agency-1:x"), Code::NotParty, "R-DUTY-1"),
        ("id", json!("AGENCY-2:x"), Code::NotParty, "R-DUTY-1"),
        ("basis", json!(vec!["x"; 9]), Code::FieldInvalid, ""),
        ("basis", json!([""]), Code::FieldInvalid, ""),
        ("title", json!("x".repeat(301)), Code::FieldInvalid, ""),
        ("delegated_from", json!("authority:health"), Code::DutyUnknown, "R-DUTY-3"),
        ("territory", json!("x1"), Code::FieldInvalid, ""),
        ("line", json!("-"), Code::FieldInvalid, ""),
    ];
    story.refused_members("agency-2", Kind::DutyDeclare, &[], &good, cases);
    let delegated = changed(&changed(&good, "delegated_from", json!("agency-1:d")), "line", json!("health"));
    story.ledger.add("agency-2", Kind::DutyDeclare, &[], &delegated).unwrap();
    story.refused("agency-2", Kind::DutyDeclare, &[], &good, Code::Duplicate, "R-DUTY-2");
}

#[test]
fn dataset_publish() {
    let mut story = Story::new();
    let good = dataset("agency-0:c", 1);
    let item = |name: &str| json!({"name": name, "type": "text"});
    let cases = vec![
        ("id", json!("agency-1:c"), Code::NotParty, "R-DATASET-1"),
        ("conditions", json!("an agreement"), Code::FieldUnknown, "R-DATASET-2"),
        ("purposes", json!(["planning"]), Code::FieldUnknown, "R-DATASET-2"),
        ("class", json!("conditional"), Code::FieldMissing, "R-DATASET-2"),
        ("class", json!("withheld"), Code::FieldMissing, "R-DATASET-3"),
        ("bar", json!("Act 2"), Code::FieldUnknown, "R-DATASET-3"),
        ("items", json!([item("a"), item("b"), item("a")]), Code::FieldInvalid, "R-DATASET-4"),
        ("items", json!([{"type": "text"}]), Code::FieldMissing, ""),
        ("items", json!([]), Code::FieldInvalid, ""),
        ("items", json!((0..257).map(|index| item(&index.to_string())).collect::<Vec<_>>()), Code::FieldInvalid, ""),
        ("duty", json!("agency-0:none"), Code::DutyUnknown, "R-DATASET-5"),
        ("version", json!(0), Code::VersionWrong, "R-DATASET-6"),
        ("version", json!(2), Code::VersionWrong, "R-DATASET-6"),
        ("frequency", json!("sometimes"), Code::FieldInvalid, ""),
        ("class", json!("open"), Code::FieldInvalid, ""),
        ("summary", json!("x".repeat(2_001)), Code::FieldInvalid, ""),
        ("format", json!([]), Code::FieldInvalid, ""),
    ];
    story.refused_members("agency-0", Kind::DatasetPublish, &[], &good, cases);
    let mut full = changed(&good, "class", json!("conditional"));
    for (name, member) in [
        ("conditions", json!("an agreement")),
        ("purposes", json!(["planning"])),
        ("duty", json!("agency-1:d")),
        ("format", json!(["CSV"])),
        ("items", json!([item("a"), item("b")])),
        ("summary", json!("s")),
        ("system", json!("s")),
        ("topic", json!("t")),
        ("grade", json!("general")),
    ] {
        full = changed(&full, name, member);
    }
    story.ledger.add("agency-0", Kind::DatasetPublish, &[], &full).unwrap();
    story.refused("agency-0", Kind::DatasetPublish, &[], &full, Code::VersionWrong, "R-DATASET-6");
    story.ledger.add("agency-0", Kind::DatasetPublish, &[], &changed(&full, "version", json!(2))).unwrap();
    let withheld = changed(&changed(&dataset("agency-0:w", 1), "class", json!("withheld")), "bar", json!("Act 2"));
    story.ledger.add("agency-0", Kind::DatasetPublish, &[], &withheld).unwrap();
    story.ledger.add("agency-1", Kind::ShareRequest, &[], &request(&[("agency-0:w", 1)])).unwrap();
    story.refused("agency-1", Kind::ShareRequest, &[], &request(&[("agency-0:a", 1), ("agency-0:w", 1)]), Code::RefWrong, "R-REQUEST-6");
}

#[test]
fn share_request() {
    let mut story = Story::new();
    story.ledger.add("agency-2", Kind::DatasetPublish, &[], &dataset("agency-2:a", 1)).unwrap();
    story.ledger.add("agency-0", Kind::DatasetPublish, &[], &dataset("agency-0:b", 2)).unwrap();
    let good = request(&[("agency-0:a", 1)]);
    let pairs = |pairs: &[(&str, u64)]| request(pairs)["datasets"].clone();
    let cases = vec![
        ("datasets", json!([]), Code::FieldInvalid, ""),
        ("datasets", pairs(&[("agency-0:b", 2), ("agency-0:a", 1)]), Code::FieldInvalid, "R-REQUEST-1"),
        ("datasets", pairs(&[("agency-0:a", 1), ("agency-0:a", 1)]), Code::FieldInvalid, "R-REQUEST-1"),
        ("term", json!({"from": "2026-02-02", "to": "2026-02-01"}), Code::FieldInvalid, "R-REQUEST-2"),
        ("term", json!({"from": "2026-02-02"}), Code::FieldMissing, ""),
        ("duty", json!("agency-1:none"), Code::DutyUnknown, "R-REQUEST-3"),
        ("datasets", pairs(&[("agency-0:none", 1)]), Code::DatasetUnknown, "R-REQUEST-4"),
        ("datasets", pairs(&[("agency-0:b", 1)]), Code::VersionWrong, "R-REQUEST-5"),
        ("datasets", pairs(&[("agency-0:a", 2)]), Code::VersionWrong, "R-REQUEST-5"),
        ("datasets", pairs(&[("agency-0:a", 1), ("agency-2:a", 1)]), Code::RefWrong, "R-REQUEST-6"),
        ("sort", json!("odd"), Code::FieldInvalid, ""),
        ("mode", json!("fax"), Code::FieldInvalid, ""),
        ("scope", json!(""), Code::FieldInvalid, ""),
        ("purpose", json!("about 11010519491231002X"), Code::TextForbidden, ""),
    ];
    story.refused_members("agency-1", Kind::ShareRequest, &[], &good, cases);
    let mut strict = Ledger::with(|parts| {
        let sharelog::core::json::Value::Object(members) = &mut parts.policy else { panic!() };
        members.insert("unreviewed_requestable".to_owned(), false.into());
    });
    strict.add("agency-1", Kind::DutyDeclare, &[], &duty("agency-1:d")).unwrap();
    strict.add("agency-0", Kind::DatasetPublish, &[], &dataset("agency-0:a", 1)).unwrap();
    assert_eq!(strict.add("agency-1", Kind::ShareRequest, &[], &good).unwrap_err().rule, Some("R-REQUEST-7"));
}

#[test]
fn share_answer() {
    let mut story = Story::new();
    let open = story.ledger.add("agency-1", Kind::ShareRequest, &[], &request(&OPEN)).unwrap();
    let (answered, grant) = (story.request, story.grant);
    let answer = Kind::ShareAnswer;
    story.refused("agency-0", answer, &[Hash::default()], &refuse(), Code::RefUnknown, "R-ANSWER-1");
    story.refused("agency-0", answer, &[grant], &refuse(), Code::RefWrong, "R-ANSWER-2");
    story.refused("agency-2", answer, &[open], &refuse(), Code::NotParty, "R-ANSWER-3");
    story.refused("agency-1", answer, &[open], &refuse(), Code::NotParty, "R-ANSWER-3");
    story.refused("agency-0", answer, &[answered], &refuse(), Code::AlreadyAnswered, "R-ANSWER-4");
    story.refused("agency-0", answer, &[], &refuse(), Code::RefWrong, "");
    let all = ["agency-0:a", "agency-0:b"];
    let partly = |datasets: &[&str]| changed(&agree(datasets), "outcome", json!("partly"));
    story.refused("agency-0", answer, &[open], &agree(&all[..1]), Code::RefWrong, "R-ANSWER-5");
    story.refused("agency-0", answer, &[open], &partly(&all), Code::RefWrong, "R-ANSWER-5");
    story.refused("agency-0", answer, &[open], &partly(&["agency-0:c"]), Code::RefWrong, "R-ANSWER-5");
    story.refused("agency-0", answer, &[open], &partly(&[]), Code::FieldInvalid, "");
    story.refused("agency-0", answer, &[open], &agree(&["agency-0:a", "agency-0:a"]), Code::FieldInvalid, "R-ANSWER-6");
    for (name, member, code) in [
        ("term", json!({"from": "2026-02-02", "to": "2026-02-01"}), Code::FieldInvalid),
        ("promised", json!("2026-02-30"), Code::FieldInvalid),
        ("frequency", json!("never"), Code::FieldInvalid),
        ("reason", json!("no"), Code::FieldUnknown),
        ("outcome", json!("perhaps"), Code::FieldInvalid),
        ("outcome", json!("refuse"), Code::FieldMissing),
    ] {
        assert_eq!(code, self::code(story.ledger.add("agency-0", answer, &[open], &changed(&agree(&all), name, member))), "{name}");
    }
    for name in ["basis", "code", "reason"] {
        story.refused("agency-0", answer, &[open], &changed(&refuse(), name, Json::Null), Code::FieldMissing, "");
    }
    story.refused("agency-0", answer, &[open], &changed(&refuse(), "code", json!("dislike")), Code::FieldInvalid, "");
    story.refused("agency-0", answer, &[open], &changed(&refuse(), "datasets", json!(all)), Code::FieldUnknown, "");
    let part = story.ledger.add("agency-0", answer, &[open], &changed(&partly(&all[1..]), "promised", json!("2026-12-20"))).unwrap();
    story.refused("agency-0", answer, &[open], &refuse(), Code::AlreadyAnswered, "R-ANSWER-4");
    story.refused("agency-0", Kind::ShareDeliver, &[part], &delivery("B1"), Code::NotGranted, "R-DELIVER-5");
}

#[test]
fn share_deliver() {
    let mut story = Story::new();
    let (request_id, grant) = (story.request, story.grant);
    let deliver = Kind::ShareDeliver;
    let good = delivery("B2");
    story.refused("agency-0", deliver, &[Hash::default()], &good, Code::RefUnknown, "R-DELIVER-1");
    story.refused("agency-0", deliver, &[request_id], &good, Code::RefWrong, "R-DELIVER-2");
    story.refused("agency-0", deliver, &[], &good, Code::RefWrong, "");
    let open = story.ledger.add("agency-1", Kind::ShareRequest, &[], &request(&OPEN)).unwrap();
    let refused = story.ledger.add("agency-0", Kind::ShareAnswer, &[open], &refuse()).unwrap();
    story.refused("agency-0", deliver, &[refused], &good, Code::NotGranted, "R-DELIVER-3");
    story.refused("agency-1", deliver, &[grant], &good, Code::NotParty, "R-DELIVER-4");
    story.refused("agency-0", deliver, &[grant], &delivery("B1"), Code::Duplicate, "R-DELIVER-7");
    let cases = vec![
        ("dataset", json!("agency-0:c"), Code::NotGranted, "R-DELIVER-5"),
        ("version", json!(2), Code::VersionWrong, "R-DELIVER-6"),
        ("version", json!(0), Code::VersionWrong, "R-DELIVER-6"),
        ("batch", json!("a b"), Code::FieldInvalid, ""),
        ("commitment", json!("AB".repeat(32)), Code::FieldInvalid, ""),
        ("period", json!("2026-W54"), Code::FieldInvalid, ""),
        ("mode", json!("post"), Code::FieldInvalid, ""),
        ("bytes", json!("1"), Code::FieldInvalid, ""),
        ("rows", json!(true), Code::FieldInvalid, ""),
    ];
    story.refused_members("agency-0", deliver, &[grant], &good, cases);
    story.ledger.add("agency-0", Kind::DatasetPublish, &[], &dataset("agency-0:a", 2)).unwrap();
    let bare = changed(&changed(&delivery("B5"), "rows", Json::Null), "period", Json::Null);
    story.ledger.add("agency-0", deliver, &[grant], &bare).unwrap();
    for (batch, version) in [("B3", 1), ("B4", 2)] {
        story.ledger.add("agency-0", deliver, &[grant], &changed(&delivery(batch), "version", json!(version))).unwrap();
    }
}

#[test]
fn share_receipt() {
    let mut story = Story::new();
    let (grant, delivered) = (story.grant, story.delivery);
    let kind = Kind::ShareReceipt;
    let good = receipt("match");
    story.refused("agency-1", kind, &[Hash::default()], &good, Code::RefUnknown, "R-RECEIPT-1");
    story.refused("agency-1", kind, &[grant], &good, Code::RefWrong, "R-RECEIPT-2");
    story.refused("agency-0", kind, &[delivered], &good, Code::NotParty, "R-RECEIPT-3");
    let other = json!("cd".repeat(32));
    let contradicts = Code::ReceiptContradicts;
    story.refused("agency-1", kind, &[delivered], &changed(&good, "commitment", other.clone()), contradicts, "R-RECEIPT-5");
    story.refused("agency-1", kind, &[delivered], &changed(&good, "rows", json!(1)), contradicts, "R-RECEIPT-5");
    story.refused("agency-1", kind, &[delivered], &receipt("mismatch"), contradicts, "R-RECEIPT-5");
    let uncounted = changed(&receipt("mismatch"), "rows", Json::Null);
    story.refused("agency-1", kind, &[delivered], &uncounted, contradicts, "R-RECEIPT-5");
    story.refused("agency-1", kind, &[delivered], &changed(&good, "result", json!("fine")), Code::FieldInvalid, "");
    story.refused("agency-1", kind, &[delivered], &changed(&good, "more", json!(1)), Code::FieldUnknown, "");
    for differs in [changed(&uncounted, "commitment", other), changed(&receipt("mismatch"), "rows", json!(1))] {
        let note = story.ledger.note("agency-1", kind, &[delivered], &differs);
        story.ledger.judge(&note).unwrap();
    }
    story.ledger.add("agency-1", kind, &[delivered], &good).unwrap();
    story.refused("agency-1", kind, &[delivered], &good, Code::Duplicate, "R-RECEIPT-4");
}

#[test]
fn subjects_name_both_parties_and_the_request() {
    let mut story = Story::new();
    let delivered = story.delivery;
    let note = story.ledger.note("agency-1", Kind::ShareReceipt, &[delivered], &receipt("match"));
    story.ledger.submit(&note).unwrap();
    let subjects = rules::subjects(&story.ledger.rows, &story.ledger.parse(&note).unwrap());
    assert_eq!((subjects.agencies, subjects.request), (vec!["agency-1".to_owned(), "agency-0".to_owned()], Some(story.request)));
    let grant = story.grant;
    let note = story.ledger.note("agency-0", Kind::ShareDeliver, &[grant], &delivery("B2"));
    story.ledger.submit(&note).unwrap();
    let subjects = rules::subjects(&story.ledger.rows, &story.ledger.parse(&note).unwrap());
    assert_eq!((subjects.agencies, subjects.request), (vec!["agency-0".to_owned(), "agency-1".to_owned()], Some(story.request)));
    assert_eq!(subjects.datasets, ["agency-0:a"]);
    let note = story.ledger.note("agency-1", Kind::ShareRequest, &[], &request(&OPEN));
    let id = story.ledger.submit(&note).unwrap();
    let subjects = rules::subjects(&story.ledger.rows, &story.ledger.parse(&note).unwrap());
    assert_eq!(subjects.agencies, ["agency-1", "agency-0"]);
    assert_eq!((subjects.datasets.len(), subjects.duties, subjects.request), (2, vec!["agency-1:d".to_owned()], Some(id)));
}

/// Notes of every kind, each valid on the story's ledger.
fn notes(story: &mut Story) -> Vec<String> {
    let (request_id, grant, delivered) = (story.request, story.grant, story.delivery);
    let bureau = admit(&story.ledger, "bureau");
    let ledger = &mut story.ledger;
    let new = ledger.signer_of("agency-0", Role::Office, "new");
    let rotate = json!({"key": new.vkey.to_string(), "replaces": ledger.vkey("agency-0", Role::Office)});
    let draft = ledger.draft("agency-0", Kind::KeyRotate, &[], &rotate);
    vec![
        ledger.sign(&draft, &[ledger.signer("agency-0", Role::Office), new]),
        ledger.note("authority", Kind::AgencyAdmit, &[], &bureau),
        ledger.note("agency-2", Kind::DutyDeclare, &[], &duty("agency-2:d")),
        ledger.note("agency-0", Kind::DatasetPublish, &[], &dataset("agency-0:a", 2)),
        ledger.note("agency-1", Kind::ShareRequest, &[], &request(&OPEN)),
        ledger.note("agency-0", Kind::ShareAnswer, &[request_id], &agree(&["agency-0:a"])),
        ledger.note("agency-0", Kind::ShareDeliver, &[grant], &delivery("B2")),
        ledger.note("agency-1", Kind::ShareReceipt, &[delivered], &receipt("match")),
    ]
}

#[test]
fn mutated_records_never_panic_and_never_pass_with_another_text() {
    let mut story = Story::new();
    let notes = notes(&mut story);
    let ledger = story.ledger;
    let change = (0..notes.len(), any::<prop::sample::Index>(), 0..4_u8, any::<u8>());
    proptest!(ProptestConfig::with_cases(600), |(index in 0..notes.len(), changes in prop::collection::vec(change, 1..4))| {
        let original = notes[index].as_bytes();
        let mut note = original.to_vec();
        for (other, place, how, byte) in changes {
            let at = place.index(note.len());
            match how {
                0 => note[at] = byte,
                1 => note.insert(at, byte),
                2 => drop(note.remove(at)),
                _ => note.extend_from_slice(&notes[other].as_bytes()[place.index(notes[other].len())..]),
            }
        }
        if let Ok(record) = sharelog::core::record::Record::parse(&note, &ledger.genesis.origin) {
            let passed = rules::apply(&ledger.rows, &record, &ledger.block()).is_ok();
            prop_assert!(!passed || original.starts_with(record.text()), "{}", String::from_utf8_lossy(&note));
            let _ = rules::subjects(&ledger.rows, &record);
        }
    });
}

/// Signed bodies whose members were swapped for odd values: they reach deeper than mutated bytes do.
#[test]
fn odd_members_never_panic() {
    let mut story = Story::new();
    let notes = notes(&mut story);
    let ledger = story.ledger;
    let odd = prop_oneof![
        Just(json!("")),
        Just(json!([])),
        Just(json!({})),
        Just(json!(true)),
        Just(json!(9_007_199_254_740_991_u64)),
        "\\PC{0,20}".prop_map(|text| json!(text)),
        "[0-9]{17}X".prop_map(|text| json!(text)),
        "[a-c:+-]{1,9}".prop_map(|text| json!([text])),
    ];
    proptest!(ProptestConfig::with_cases(400), |(index in 0..notes.len(), member in any::<prop::sample::Index>(), odd in odd)| {
        let record = ledger.parse(&notes[index]).unwrap();
        let body: Json = serde_json::from_str(&record.body_value().to_jcs()).unwrap();
        let names: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        let body = super::admission::value(&changed(&body, &names[member.index(names.len())], odd));
        let draft = sharelog::core::record::Draft { at: record.at, by: record.by.clone(), kind: record.kind, refs: record.refs.clone(), uid: record.uid.clone(), body };
        let signers: Vec<_> = record.signatures.iter().map(|line| ledger.signer(&line.agency, line.role)).collect();
        let keys: Vec<_> = signers.iter().take(1).map(|signer| (&signer.vkey, &signer.secret)).collect();
        let _ = ledger.judge(&draft.sign(&ledger.genesis.origin, &keys));
    });
}
