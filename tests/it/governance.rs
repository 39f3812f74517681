//! The kinds by which authorities govern: every rule broken once, with the code that says so, and what each kind changes.

use serde_json::Value as Json;
use sharelog::core::genesis::{Validator, peer_id};
use sharelog::core::hash::Hash;
use sharelog::core::json::Value;
use sharelog::core::key::Role;
use sharelog::core::kinds::Kind;
use sharelog::core::policy;
use sharelog::core::refusal::{Code, Refusal};
use sharelog::core::rules;
use sharelog::core::state::{Rows, Table};

use super::admission::{Ledger, changed, json, public};

fn expect(result: Result<Hash, Refusal>, code: Code, rule: &str) {
    let refusal = result.expect_err(&format!("{code} {rule}"));
    assert_eq!((refusal.code, refusal.rule.unwrap_or("")), (code, rule), "{refusal}");
}

fn refused(ledger: &mut Ledger, by: &str, kind: Kind, body: &Json, code: Code, rule: &str) {
    expect(ledger.add(by, kind, &[], body), code, rule);
}

/// A body as the `json!` macro writes it.
fn plain(value: &Value) -> Json {
    serde_json::from_str(&value.to_jcs()).unwrap()
}

fn row(ledger: &Ledger, table: &'static str, key: &str) -> Option<Json> {
    ledger.rows.get(Table(table), key).map(|value| plain(&value))
}

/// A second authority, named `second`, and a bureau without special roles.
fn with_second() -> Ledger {
    let mut ledger = Ledger::new();
    let keys = [Role::Authority, Role::Recovery].map(|role| ledger.vkey("second", role));
    let second =
        json!({"id": "second", "keys": keys, "level": "district", "names": {"en": "Second"}, "scheme": "plain", "territory": "330102"});
    ledger.add("authority", Kind::AgencyAdmit, &[], &second).unwrap();
    let keys = [Role::Head, Role::Office, Role::Recovery].map(|role| ledger.vkey("bureau", role));
    let bureau = json!({"id": "bureau", "keys": keys, "level": "outside", "names": {"en": "A Bureau"}, "scheme": "plain"});
    ledger.add("authority", Kind::AgencyAdmit, &[], &bureau).unwrap();
    ledger
}

fn threshold(number: u64) -> Json {
    changed(&plain(&policy::default_body()), "authority_threshold", json!(number))
}

fn suspend(id: &str, status: &str) -> Json {
    json!({"id": id, "reason": "under inquiry", "status": status})
}

fn retire(id: &str, successor: Option<&str>) -> Json {
    let body = json!({"id": id, "reason": "merged"});
    successor.map_or(body.clone(), |successor| changed(&body, "successor", json!(successor)))
}

fn duty(id: &str) -> Json {
    json!({"basis": [], "id": id, "title": "Register"})
}

#[test]
fn policy_set() {
    let mut ledger = with_second();
    let kind = Kind::PolicySet;
    let good = threshold(1);
    for (signers, code) in [
        (vec![("authority", Role::Office)], Code::RoleWrong),
        (vec![("authority", Role::Authority), ("authority", Role::Office)], Code::RoleWrong),
        (vec![("second", Role::Authority)], Code::SignatureMissing),
    ] {
        expect(ledger.add_by("authority", kind, &[], &good, &signers), code, "R-POLICY-1");
    }
    let two_keys = [ledger.signer("authority", Role::Authority), ledger.signer_of("authority", Role::Authority, "another")];
    let draft = ledger.draft("authority", kind, &[], &good);
    let note = ledger.sign(&draft, &two_keys);
    expect(ledger.submit(&note), Code::RoleWrong, "R-POLICY-1");

    for name in ["clocks", "extensions"] {
        let mut days = good[name].clone();
        let first = days.as_object().unwrap().keys().next().unwrap().clone();
        days[first] = json!(3_661);
        refused(&mut ledger, "authority", kind, &changed(&good, name, days), Code::FieldInvalid, "R-POLICY-3");
    }
    refused(&mut ledger, "authority", kind, &threshold(3), Code::LimitExceeded, "R-POLICY-4");
    refused(&mut ledger, "authority", kind, &changed(&good, "test_clock", json!(true)), Code::FieldInvalid, "R-POLICY-5");
    refused(&mut ledger, "authority", kind, &changed(&good, "more", json!(1)), Code::FieldUnknown, "");
    refused(&mut ledger, "authority", kind, &changed(&good, "heartbeat_ms", json!(1)), Code::FieldInvalid, "");

    ledger.add("authority", kind, &[], &threshold(2)).unwrap();
    assert_eq!(rules::policy(&ledger.rows).authority_threshold, 2);
    refused(&mut ledger, "authority", kind, &good, Code::LimitExceeded, "R-POLICY-2");
    let both = [("authority", Role::Authority), ("second", Role::Authority)];
    let strict = changed(&changed(&good, "unreviewed_requestable", json!(false)), "record_age_ms_max", json!(1_000));
    ledger.add_by("second", kind, &[], &strict, &both).unwrap();
    assert_eq!(row(&ledger, "policy", "admission"), Some(json!({"record_age_ms_max": 1_000, "unreviewed_requestable": false})));
}

#[test]
fn a_rule_set_is_in_force_two_heights_later() {
    let mut ledger = Ledger::new();
    let with_rules = |number: u64| changed(&threshold(1), "rules", json!(number));
    let in_force = |ledger: &Ledger| (1..=16).map(|height| rules::rules_in_force(&ledger.rows, height)).collect::<Vec<_>>();
    assert_eq!(in_force(&ledger), vec![1; 16]);
    ledger.height = 5;
    ledger.add("authority", Kind::PolicySet, &[], &with_rules(3)).unwrap();
    ledger.add("authority", Kind::PolicySet, &[], &with_rules(2)).unwrap();
    assert_eq!(in_force(&ledger), [vec![1; 6], vec![2; 10]].concat());
    ledger.add("authority", Kind::PolicySet, &[], &with_rules(1)).unwrap();
    assert_eq!(in_force(&ledger), vec![1; 16], "taken back in the same block");
    ledger.add("authority", Kind::PolicySet, &[], &with_rules(2)).unwrap();
    ledger.height = 6;
    ledger.add("authority", Kind::PolicySet, &[], &with_rules(3)).unwrap();
    assert_eq!(in_force(&ledger), [vec![1; 6], vec![2], vec![3; 9]].concat());
    ledger.height = 10;
    ledger.add("authority", Kind::PolicySet, &[], &with_rules(4)).unwrap();
    assert_eq!(row(&ledger, "policy", "rules"), Some(json!([{"from": 8, "rules": 3}, {"from": 12, "rules": 4}])));
}

#[test]
fn calendar_set() {
    let mut ledger = Ledger::new();
    let good = json!({"notice": {"url": "http://www.gov.cn/n"}, "off": ["2027-01-01"], "work": ["2027-01-02"], "year": 2027});
    let invalid = Code::FieldInvalid;
    for (name, member, rule) in [
        ("off", json!(["2027-01-01", "2027-01-01"]), "R-CALENDAR-1"),
        ("off", json!(["2027-01-02"]), "R-CALENDAR-2"),
        ("work", json!(["2029-01-01"]), "R-CALENDAR-3"),
        ("year", json!(1), ""),
    ] {
        refused(&mut ledger, "authority", Kind::CalendarSet, &changed(&good, name, member), invalid, rule);
    }
    refused(&mut ledger, "authority", Kind::CalendarSet, &changed(&good, "more", json!(1)), Code::FieldUnknown, "");
    refused(&mut ledger, "agency-0", Kind::CalendarSet, &good, Code::KeyUnknown, "");
    ledger.add("authority", Kind::CalendarSet, &[], &good).unwrap();
    let later = changed(&good, "off", json!([]));
    ledger.add("authority", Kind::CalendarSet, &[], &later).unwrap();
    assert_eq!(row(&ledger, "calendar", "2027"), Some(later));
}

fn territory(code: &str, level: &str, parent: Option<&str>) -> Json {
    let body = json!({"code": code, "level": level, "names": {"en": "A Place"}});
    parent.map_or(body.clone(), |parent| changed(&body, "parent", json!(parent)))
}

#[test]
fn territory_set() {
    let mut ledger = Ledger::new();
    let city = territory("3301", "city", None);
    let kind = Kind::TerritorySet;
    for (list, code, rule) in [
        (vec![city.clone(), city.clone()], Code::FieldInvalid, "R-TERRITORY-1"),
        (vec![territory("330102", "district", None)], Code::FieldMissing, "R-TERRITORY-2"),
        (vec![territory("3301", "city", Some("33"))], Code::FieldInvalid, "R-TERRITORY-2"),
        (vec![city.clone(), territory("330202", "district", Some("3301"))], Code::FieldInvalid, "R-TERRITORY-3"),
        (vec![city.clone(), territory("3301", "district", Some("3301"))], Code::FieldInvalid, "R-TERRITORY-3"),
        (vec![changed(&city, "names", json!({}))], Code::FieldMissing, "R-TERRITORY-4"),
        (vec![territory("330102", "district", Some("3301")), city.clone()], Code::RefUnknown, "R-TERRITORY-5"),
        (vec![], Code::FieldInvalid, ""),
        (vec![changed(&city, "more", json!(1))], Code::FieldUnknown, ""),
        (vec![changed(&city, "level", json!("planet"))], Code::FieldInvalid, ""),
    ] {
        refused(&mut ledger, "authority", kind, &json!({ "territories": list }), code, rule);
    }
    let list = [city.clone(), territory("330102", "district", Some("3301"))];
    ledger.add("authority", kind, &[], &json!({ "territories": list })).unwrap();
    let lower = json!({"territories": [territory("33010201", "district", Some("330102"))]});
    refused(&mut ledger, "authority", kind, &lower, Code::RefWrong, "R-TERRITORY-6");
    let street = json!({"territories": [territory("330102001", "street", Some("330102"))]});
    let position = ledger.position;
    ledger.add("authority", kind, &[], &street).unwrap();
    assert_eq!(row(&ledger, "territory", "330102001"), Some(json!({"level": "street", "parent": "330102", "position": position})));
}

#[test]
fn names_that_a_reader_would_confuse() {
    let mut ledger = with_second();
    let admit = |id: &str, name: &str| json!({"id": id, "keys": [], "level": "outside", "names": {"en": name}, "scheme": "plain"});
    for name in ["Bure\u{430}u", "\u{3a9}ffice"] {
        refused(&mut ledger, "authority", Kind::AgencyAdmit, &admit("x", name), Code::TextForbidden, "R-ADMIT-8");
    }
    for name in ["A BUREAU", "\u{ff21} Bureau", "inspector", "\u{430}"] {
        let expected = if name == "\u{430}" { None } else { Some(Code::Duplicate) };
        let result = ledger.add("authority", Kind::AgencyAdmit, &[], &admit("y", name));
        assert_eq!(result.err().map(|refusal| (refusal.code, refusal.rule)), expected.map(|code| (code, Some("R-ADMIT-9"))), "{name}");
    }
    refused(&mut ledger, "authority", Kind::AgencyAdmit, &admit("z", "a"), Code::Duplicate, "R-ADMIT-9");
}

#[test]
fn agency_change() {
    let mut ledger = with_second();
    let kind = Kind::AgencyChange;
    let good =
        json!({"id": "bureau", "level": "city", "line": "health", "names": {"en": "Health"}, "parent": "authority", "territory": "3301"});
    for (name, member, code, rule) in [
        ("names", json!({}), Code::FieldMissing, "R-CHANGE-1"),
        ("territory", Json::Null, Code::FieldMissing, "R-CHANGE-2"),
        ("id", json!("nobody"), Code::AgencyUnknown, "R-CHANGE-3"),
        ("id", json!("BUREAU"), Code::AgencyUnknown, "R-CHANGE-3"),
        ("parent", json!("nobody"), Code::AgencyUnknown, "R-CHANGE-5"),
        ("parent", json!("bureau"), Code::RefWrong, "R-CHANGE-6"),
        ("names", json!({"en": "He\u{430}lth"}), Code::TextForbidden, "R-CHANGE-7"),
        ("names", json!({"en": "AGENCY-0"}), Code::Duplicate, "R-CHANGE-8"),
        ("more", json!(1), Code::FieldUnknown, ""),
    ] {
        refused(&mut ledger, "authority", kind, &changed(&good, name, member), code, rule);
    }
    ledger.add("authority", kind, &[], &good).unwrap();
    let circle = json!({"id": "authority", "level": "city", "names": {"en": "authority"}, "parent": "bureau", "territory": "3301"});
    refused(&mut ledger, "authority", kind, &circle, Code::RefWrong, "R-CHANGE-6");
    let now = row(&ledger, "agency", "bureau").unwrap();
    assert_eq!(
        (&now["level"], &now["line"], &now["parent"], &now["territory"]),
        (&json!("city"), &json!("health"), &json!("authority"), &json!("3301"))
    );
    let bare = changed(&changed(&good, "line", Json::Null), "parent", Json::Null);
    ledger.add("authority", kind, &[], &bare).unwrap();
    let now = row(&ledger, "agency", "bureau").unwrap();
    assert!(now.get("line").is_none() && now.get("parent").is_none(), "what is left out is gone: {now}");
    // The name that it had stays its own, and it may take it again.
    let second = json!({"id": "second", "level": "district", "names": {"en": "A Bureau"}, "territory": "330102"});
    refused(&mut ledger, "authority", kind, &second, Code::Duplicate, "R-CHANGE-8");
    ledger.add("authority", kind, &[], &changed(&good, "names", json!({"en": "a bureau"}))).unwrap();
    ledger.add("authority", Kind::AgencyRetire, &[], &retire("bureau", None)).unwrap();
    refused(&mut ledger, "authority", kind, &good, Code::AgencyRetired, "R-CHANGE-4");
}

#[test]
fn agency_suspend() {
    let mut ledger = with_second();
    let kind = Kind::AgencySuspend;
    refused(&mut ledger, "authority", kind, &suspend("nobody", "suspended"), Code::AgencyUnknown, "R-SUSPEND-1");
    refused(&mut ledger, "authority", kind, &suspend("bureau", "active"), Code::Duplicate, "R-SUSPEND-3");
    refused(&mut ledger, "authority", kind, &suspend("bureau", "retired"), Code::FieldInvalid, "");
    ledger.add("authority", kind, &[], &suspend("bureau", "suspended")).unwrap();
    refused(&mut ledger, "authority", kind, &suspend("bureau", "suspended"), Code::Duplicate, "R-SUSPEND-3");
    assert_eq!(rules::agency(&ledger.rows, "bureau").unwrap().status, "suspended");
    refused(&mut ledger, "bureau", Kind::DutyDeclare, &duty("bureau:d"), Code::AgencySuspended, "R-AGENCY-1");
    // It may still mend its own keys.
    let key = json!({"key": ledger.vkey("bureau", Role::Office), "reason": "lost"});
    ledger.add_by("bureau", Kind::KeyRevoke, &[], &key, &[("bureau", Role::Recovery)]).unwrap();
    ledger.add("authority", kind, &[], &suspend("bureau", "active")).unwrap();

    ledger.add("authority", kind, &[], &suspend("second", "suspended")).unwrap();
    refused(&mut ledger, "authority", kind, &suspend("authority", "suspended"), Code::LimitExceeded, "R-SUSPEND-4");
    refused(&mut ledger, "authority", Kind::PolicySet, &threshold(2), Code::LimitExceeded, "R-POLICY-4");
    let both = [("authority", Role::Authority), ("second", Role::Authority)];
    expect(ledger.add_by("authority", Kind::PolicySet, &[], &threshold(1), &both), Code::AgencySuspended, "R-AGENCY-1");
    let foreign = json!({"key": ledger.vkey("agency-0", Role::Office), "reason": "lost"});
    expect(ledger.add_by("second", Kind::KeyRevoke, &[], &foreign, &[("second", Role::Authority)]), Code::AgencySuspended, "R-AGENCY-1");
    ledger.add("authority", Kind::AgencyRetire, &[], &retire("bureau", None)).unwrap();
    refused(&mut ledger, "authority", kind, &suspend("bureau", "suspended"), Code::AgencyRetired, "R-SUSPEND-2");
}

#[test]
fn agency_retire() {
    let mut ledger = with_second();
    let kind = Kind::AgencyRetire;
    refused(&mut ledger, "authority", kind, &retire("nobody", None), Code::AgencyUnknown, "R-RETIRE-1");
    refused(&mut ledger, "authority", kind, &retire("bureau", Some("nobody")), Code::AgencyUnknown, "R-RETIRE-3");
    refused(&mut ledger, "authority", kind, &retire("bureau", Some("bureau")), Code::RefWrong, "R-RETIRE-3");
    ledger.add("authority", Kind::AgencySuspend, &[], &suspend("bureau", "suspended")).unwrap();
    refused(&mut ledger, "authority", kind, &retire("agency-2", Some("bureau")), Code::AgencySuspended, "R-RETIRE-4");
    ledger.add("authority", Kind::AgencySuspend, &[], &suspend("bureau", "active")).unwrap();
    ledger.add("authority", kind, &[], &retire("second", None)).unwrap();
    assert_eq!(row(&ledger, "role", "authority"), Some(json!(["authority"])));
    refused(&mut ledger, "authority", kind, &retire("authority", Some("bureau")), Code::LimitExceeded, "R-RETIRE-6");
    refused(&mut ledger, "authority", kind, &retire("second", None), Code::AgencyRetired, "R-RETIRE-2");
    refused(&mut ledger, "authority", kind, &retire("agency-2", Some("second")), Code::AgencyRetired, "R-RETIRE-4");
}

/// What is open cannot be left behind, and goes along the chain of successors.
#[test]
fn what_an_agency_owes_goes_to_its_successor() {
    let mut ledger = with_second();
    let (authority, retired) = (Kind::AgencyRetire, Code::AgencyRetired);
    ledger.rows.apply(&counted("agency-0", 2));
    ledger.rows.apply(&counted("agency-1", 1));
    refused(&mut ledger, "authority", authority, &retire("agency-0", None), Code::StillOpen, "R-RETIRE-5");
    ledger.add("agency-0", Kind::DutyDeclare, &[], &duty("agency-0:d")).unwrap();
    ledger.add("authority", authority, &[], &retire("agency-0", Some("agency-1"))).unwrap();
    assert_eq!((row(&ledger, "open", "agency-0"), row(&ledger, "open", "agency-1")), (None, Some(json!(3))));
    ledger.add("authority", authority, &[], &retire("agency-1", Some("bureau"))).unwrap();
    assert_eq!((row(&ledger, "open", "agency-1"), row(&ledger, "open", "bureau")), (None, Some(json!(3))));
    refused(&mut ledger, "authority", authority, &retire("bureau", None), Code::StillOpen, "R-RETIRE-5");

    // The last of the chain acts for the first, under ids that keep their prefix; nobody between does.
    refused(&mut ledger, "agency-0", Kind::DutyDeclare, &duty("agency-0:e"), retired, "R-AGENCY-2");
    refused(&mut ledger, "agency-1", Kind::DutyDeclare, &duty("agency-0:e"), retired, "R-AGENCY-2");
    refused(&mut ledger, "agency-2", Kind::DutyDeclare, &duty("agency-0:e"), Code::NotParty, "R-DUTY-1");
    for id in ["agency-0:e", "agency-1:e", "bureau:e"] {
        ledger.add("bureau", Kind::DutyDeclare, &[], &duty(id)).unwrap();
    }
    refused(&mut ledger, "bureau", Kind::DutyDeclare, &duty("AGENCY-0:f"), Code::NotParty, "R-DUTY-1");
}

fn counted(agency: &str, count: u64) -> sharelog::core::state::Changes {
    let mut changes = sharelog::core::state::Changes::default();
    changes.put(Table("open"), agency, count.into());
    changes
}

/// A request, its answer and what follows, taken over by successors of both parties.
#[test]
fn successors_go_on_with_requests_and_grants() {
    let mut ledger = with_second();
    ledger.add("agency-1", Kind::DutyDeclare, &[], &duty("agency-1:d")).unwrap();
    let dataset = json!({"class": "unconditional", "frequency": "daily", "id": "agency-0:a", "title": "A", "version": 1});
    ledger.add("agency-0", Kind::DatasetPublish, &[], &dataset).unwrap();
    let request = json!({"basis": [], "datasets": [{"id": "agency-0:a", "version": 1}], "duty": "agency-1:d", "mode": "file", "purpose": "planning",
        "sort": "ordinary"});
    let request = ledger.add("agency-1", Kind::ShareRequest, &[], &request).unwrap();
    ledger.add("authority", Kind::AgencyRetire, &[], &retire("agency-0", Some("agency-2"))).unwrap();
    ledger.add("authority", Kind::AgencyRetire, &[], &retire("agency-1", Some("agency-3"))).unwrap();
    let agree = json!({"datasets": ["agency-0:a"], "outcome": "agree"});
    expect(ledger.add("agency-3", Kind::ShareAnswer, &[request], &agree), Code::NotParty, "R-ANSWER-3");
    let grant = ledger.add("agency-2", Kind::ShareAnswer, &[request], &agree).unwrap();
    let delivery = json!({"batch": "B", "bytes": 1, "commitment": "ab".repeat(32), "dataset": "agency-0:a", "mode": "file", "version": 1});
    let delivery = ledger.add("agency-2", Kind::ShareDeliver, &[grant], &delivery).unwrap();
    let receipt = json!({"commitment": "ab".repeat(32), "result": "match"});
    expect(ledger.add("agency-2", Kind::ShareReceipt, &[delivery], &receipt), Code::NotParty, "R-RECEIPT-3");
    ledger.add("agency-3", Kind::ShareReceipt, &[delivery], &receipt).unwrap();
    ledger.add("agency-2", Kind::DatasetPublish, &[], &changed(&dataset, "version", json!(2))).unwrap();
    let amend = json!({"reason": "typing error", "texts": {"label": "file 7"}});
    expect(ledger.add("agency-2", Kind::RecordAmend, &[request], &amend), Code::NotParty, "R-AMEND-3");
    ledger.add("agency-3", Kind::RecordAmend, &[request], &amend).unwrap();
}

#[test]
fn key_revoke() {
    let mut ledger = with_second();
    let kind = Kind::KeyRevoke;
    let body = |ledger: &Ledger, agency: &str, role: Role| json!({"key": ledger.vkey(agency, role), "reason": "lost"});
    let office = body(&ledger, "agency-0", Role::Office);
    for (by, signers, code) in [
        ("agency-0", vec![("agency-0", Role::Head)], Code::RoleWrong),
        ("agency-0", vec![("agency-0", Role::Office), ("agency-0", Role::Recovery)], Code::RoleWrong),
        ("agency-1", vec![("agency-1", Role::Recovery)], Code::RoleWrong),
        ("agency-0", vec![("authority", Role::Authority)], Code::SignatureMissing),
        ("agency-0", vec![("agency-0", Role::Office), ("authority", Role::Authority)], Code::RoleWrong),
    ] {
        expect(ledger.add_by(by, kind, &[], &office, &signers), code, "R-REVOKE-1");
    }
    let recovery = body(&ledger, "agency-0", Role::Recovery);
    expect(ledger.add_by("agency-0", kind, &[], &recovery, &[("agency-0", Role::Office)]), Code::RoleWrong, "R-REVOKE-1");
    let unknown = json!({"key": ledger.signer_of("agency-0", Role::Office, "unknown").vkey.to_string(), "reason": "lost"});
    expect(ledger.add_by("agency-0", kind, &[], &unknown, &[("agency-0", Role::Recovery)]), Code::KeyUnknown, "R-REVOKE-2");
    expect(
        ledger.add_by("agency-0", kind, &[], &changed(&office, "suspect_from", json!("soon")), &[("agency-0", Role::Office)]),
        Code::FieldInvalid,
        "",
    );

    let position = ledger.position;
    let dated = changed(&office, "suspect_from", json!("2026-11-20T00:00:00.000Z"));
    ledger.add_by("agency-0", kind, &[], &dated, &[("agency-0", Role::Office)]).unwrap();
    assert_eq!(rules::key(&ledger.rows, office["key"].as_str().unwrap()).unwrap().until, Some(position));
    expect(ledger.add("agency-0", Kind::DutyDeclare, &[], &duty("agency-0:d")), Code::KeyRevoked, "");
    expect(ledger.add_by("agency-0", kind, &[], &office, &[("agency-0", Role::Recovery)]), Code::KeyRevoked, "R-REVOKE-3");
    ledger.add_by("authority", kind, &[], &recovery, &[("authority", Role::Authority)]).unwrap();
}

#[test]
fn a_revoked_key_is_replaced_once_and_cannot_consent() {
    let mut ledger = Ledger::new();
    let old = json!({"key": ledger.vkey("agency-0", Role::Office), "reason": "lost"});
    ledger.add("agency-0", Kind::KeyRevoke, &[], &old).unwrap();
    let rotate = |ledger: &mut Ledger, label: &str, by: &str, consent: Role| {
        let new = ledger.signer_of("agency-0", Role::Office, label);
        let body = json!({"key": new.vkey.to_string(), "replaces": old["key"]});
        let draft = ledger.draft(by, Kind::KeyRotate, &[], &body);
        let note = ledger.sign(&draft, &[ledger.signer(by, consent), new]);
        ledger.submit(&note)
    };
    expect(rotate(&mut ledger, "new", "agency-0", Role::Office), Code::KeyRevoked, "");
    rotate(&mut ledger, "new", "agency-0", Role::Recovery).unwrap();
    expect(rotate(&mut ledger, "newer", "authority", Role::Authority), Code::KeyRevoked, "R-ROTATE-3");
    let draft = ledger.draft("agency-0", Kind::DutyDeclare, &[], &duty("agency-0:d"));
    let note = ledger.sign(&draft, &[ledger.signer_of("agency-0", Role::Office, "new")]);
    ledger.submit(&note).unwrap();
}

#[test]
fn the_last_authority_key_cannot_be_revoked() {
    let mut ledger = with_second();
    let body = |ledger: &Ledger, agency: &str| json!({"key": ledger.vkey(agency, Role::Authority), "reason": "lost"});
    let second = body(&ledger, "second");
    ledger.add_by("second", Kind::KeyRevoke, &[], &second, &[("second", Role::Recovery)]).unwrap();
    assert_eq!(row(&ledger, "role", "authority"), Some(json!(["authority"])));
    let last = body(&ledger, "authority");
    expect(ledger.add_by("authority", Kind::KeyRevoke, &[], &last, &[("authority", Role::Recovery)]), Code::LimitExceeded, "R-REVOKE-4");
    // A new key makes the other an authority again.
    let new = ledger.signer_of("second", Role::Authority, "new");
    let rotate = json!({"key": new.vkey.to_string(), "replaces": second["key"]});
    let draft = ledger.draft("second", Kind::KeyRotate, &[], &rotate);
    let note = ledger.sign(&draft, &[ledger.signer("second", Role::Recovery), new]);
    ledger.submit(&note).unwrap();
    assert_eq!(row(&ledger, "role", "authority"), Some(json!(["authority", "second"])));
    ledger.add_by("authority", Kind::KeyRevoke, &[], &last, &[("authority", Role::Recovery)]).unwrap();
    assert_eq!(row(&ledger, "role", "authority"), Some(json!(["second"])));
}

fn node(label: &str) -> Json {
    json!({"addresses": ["/ip4/127.0.0.1/tcp/26600"], "peer": peer_id(&public(&format!("{label}/network"))),
        "publication": public(&format!("{label}/publication")).to_base64(), "records": []})
}

#[test]
fn node_admit_and_remove() {
    let mut ledger = with_second();
    let (admit, remove) = (Kind::NodeAdmit, Kind::NodeRemove);
    refused(&mut ledger, "bureau", admit, &node("agency-1"), Code::Duplicate, "R-NODE-1");
    let mixed = changed(&node("f0"), "publication", json!(public("agency-1/office").to_base64()));
    refused(&mut ledger, "bureau", admit, &mixed, Code::Duplicate, "R-NODE-1");
    let one_key = changed(&node("f0"), "publication", json!(public("f0/network").to_base64()));
    refused(&mut ledger, "bureau", admit, &one_key, Code::Duplicate, "R-NODE-1");
    refused(&mut ledger, "bureau", admit, &changed(&node("f0"), "addresses", json!(["/ip4/x"])), Code::FieldInvalid, "");
    refused(&mut ledger, "bureau", admit, &changed(&node("f0"), "power", json!(1)), Code::FieldUnknown, "");
    let before = rules::nodes(&ledger.rows, 1).len();
    for index in 0..4 {
        ledger.add("bureau", admit, &[], &node(&format!("f{index}"))).unwrap();
    }
    refused(&mut ledger, "bureau", admit, &node("f4"), Code::LimitExceeded, "R-NODE-2");
    assert_eq!(rules::nodes(&ledger.rows, 1).len(), before + 4);
    let peer = json!({"peer": node("f2")["peer"]});
    refused(&mut ledger, "agency-0", remove, &peer, Code::RefUnknown, "R-NODE-3");
    ledger.add("bureau", remove, &[], &peer).unwrap();
    refused(&mut ledger, "bureau", remove, &peer, Code::RefUnknown, "R-NODE-3");
    refused(&mut ledger, "bureau", admit, &node("f2"), Code::Duplicate, "R-NODE-1");
    ledger.add("bureau", admit, &[], &node("f5")).unwrap();
    ledger.add("authority", Kind::AgencyRetire, &[], &retire("bureau", Some("agency-0"))).unwrap();
    ledger.add("agency-0", remove, &[], &json!({"peer": node("f5")["peer"]})).unwrap();
    assert_eq!(row(&ledger, "role", "follower"), Some(json!(["bureau"])));
}

/// A validator's body; keys by the label.
fn validator(agency: &str, label: &str, from: u64) -> Json {
    let validator = Validator {
        addresses: vec![],
        agency: agency.to_owned(),
        consensus: public(&format!("{label}/consensus")),
        cosigner: public(&format!("{label}/cosigner")),
        peer: peer_id(&public(&format!("{label}/network"))),
        power: 1,
        publication: public(&format!("{label}/publication")),
        records: vec![],
    };
    changed(&plain(&validator.to_value()), "from", json!(from))
}

fn members(ledger: &Ledger, height: u64) -> Vec<String> {
    rules::validator_set(&ledger.rows, height).members().iter().map(|member| member.agency.clone()).collect()
}

#[test]
fn validator_add() {
    let mut ledger = with_second();
    let kind = Kind::ValidatorAdd;
    ledger.height = 10;
    let good = validator("bureau", "new", 20);
    expect(ledger.add_by("authority", kind, &[], &good, &[("authority", Role::Head)]), Code::RoleWrong, "R-VALIDATOR-1");
    refused(&mut ledger, "authority", kind, &changed(&good, "from", json!(11)), Code::LimitExceeded, "R-VALIDATOR-3");
    refused(&mut ledger, "authority", kind, &changed(&good, "agency", json!("nobody")), Code::AgencyUnknown, "R-VALIDATOR-5");
    ledger.add("authority", Kind::AgencySuspend, &[], &suspend("bureau", "suspended")).unwrap();
    refused(&mut ledger, "authority", kind, &good, Code::AgencySuspended, "R-VALIDATOR-5");
    ledger.add("authority", Kind::AgencySuspend, &[], &suspend("bureau", "active")).unwrap();
    refused(&mut ledger, "authority", kind, &changed(&good, "agency", json!("agency-1")), Code::Duplicate, "R-VALIDATOR-6");
    for name in ["consensus", "cosigner", "publication", "peer"] {
        let used = validator("bureau", "agency-1", 20)[name].clone();
        refused(&mut ledger, "authority", kind, &changed(&good, name, used), Code::Duplicate, "R-VALIDATOR-7");
    }
    refused(&mut ledger, "authority", kind, &changed(&good, "cosigner", good["consensus"].clone()), Code::Duplicate, "R-VALIDATOR-7");
    refused(&mut ledger, "authority", kind, &changed(&good, "power", json!(2)), Code::FieldInvalid, "");
    ledger.add("authority", kind, &[], &good).unwrap();
    assert_eq!((members(&ledger, 19).len(), members(&ledger, 20).len(), members(&ledger, 1_000).len()), (4, 5, 5));
    assert_eq!(members(&ledger, 20)[4], "bureau");
    refused(&mut ledger, "authority", kind, &validator("second", "more", 19), Code::LimitExceeded, "R-VALIDATOR-4");
    refused(&mut ledger, "authority", kind, &validator("second", "more", 20), Code::LimitExceeded, "R-VALIDATOR-9");
    ledger.height = 11;
    ledger.add("authority", kind, &[], &validator("second", "more", 20)).unwrap();
    assert_eq!((members(&ledger, 20).len(), members(&ledger, 21).len()), (6, 6));
    assert_eq!(row(&ledger, "validators", "heights"), Some(json!([1, 20])));
    assert!(rules::nodes(&ledger.rows, 1).iter().any(|node| node.agency == "second"), "known before it votes");
    ledger.add("authority", Kind::PolicySet, &[], &threshold(2)).unwrap();
    let remove = json!({"agency": "second", "from": 30});
    refused(&mut ledger, "authority", Kind::ValidatorRemove, &remove, Code::LimitExceeded, "R-VALIDATOR-2");
}

#[test]
fn validator_change_and_remove() {
    let mut ledger = with_second();
    let (change, remove) = (Kind::ValidatorChange, Kind::ValidatorRemove);
    refused(&mut ledger, "authority", change, &validator("bureau", "new", 3), Code::RefWrong, "R-VALIDATOR-6");
    refused(&mut ledger, "authority", remove, &json!({"agency": "bureau", "from": 3}), Code::RefWrong, "R-VALIDATOR-6");
    refused(&mut ledger, "authority", remove, &json!({"agency": "agency-0", "from": 3}), Code::LimitExceeded, "R-VALIDATOR-8");
    refused(&mut ledger, "authority", change, &validator("agency-0", "agency-1", 3), Code::Duplicate, "R-VALIDATOR-7");
    // Other addresses alone are no other set, and count for no power.
    for agency in ["agency-0", "agency-1", "agency-2"] {
        let moved = changed(&validator(agency, agency, 3), "addresses", json!(["/ip4/127.0.0.2/tcp/1"]));
        ledger.add("authority", change, &[], &moved).unwrap();
    }
    assert_eq!(row(&ledger, "validators", "heights"), Some(json!([1])));
    assert_eq!(row(&ledger, "validator", "agency-0").unwrap().as_array().unwrap().len(), 2);
    // One key for a new one; its swapped keys are not new.
    let old = validator("agency-0", "agency-0", 4);
    let one = changed(&old, "consensus", json!(public("new/consensus").to_base64()));
    ledger.add("authority", change, &[], &one).unwrap();
    assert_eq!(rules::validator_set(&ledger.rows, 4).member("agency-0").unwrap().consensus, public("new/consensus"));
    assert_eq!(rules::validator_set(&ledger.rows, 3).member("agency-0").unwrap().consensus, public("agency-0/consensus"));
    refused(&mut ledger, "authority", change, &validator("agency-0", "agency-0", 4), Code::Duplicate, "R-VALIDATOR-7");
    // The same validator again is the same power; another one is too much for one block.
    let again = changed(&one, "cosigner", json!(public("new/cosigner").to_base64()));
    ledger.add("authority", change, &[], &again).unwrap();
    refused(&mut ledger, "authority", change, &validator("agency-1", "new-1", 4), Code::LimitExceeded, "R-VALIDATOR-9");
    ledger.height = 2;
    ledger.add("authority", Kind::ValidatorAdd, &[], &validator("bureau", "bureau", 5)).unwrap();
    ledger.height = 3;
    ledger.add("authority", remove, &[], &json!({"agency": "agency-3", "from": 6})).unwrap();
    assert_eq!(members(&ledger, 5), ["agency-0", "agency-1", "agency-2", "agency-3", "bureau"]);
    assert_eq!(members(&ledger, 6), ["agency-0", "agency-1", "agency-2", "bureau"]);
    assert!(rules::nodes(&ledger.rows, 1).iter().any(|node| node.agency == "agency-3"), "a removed validator stays on the list");
}

#[test]
fn record_amend() {
    let mut ledger = Ledger::new();
    let kind = Kind::RecordAmend;
    let declared = ledger.add("agency-0", Kind::DutyDeclare, &[], &duty("agency-0:d")).unwrap();
    let calendar = json!({"notice": {"url": "http://www.gov.cn/n"}, "off": [], "work": [], "year": 2027});
    let calendar = ledger.add("authority", Kind::CalendarSet, &[], &calendar).unwrap();
    let good = json!({"reason": "typing error", "texts": {"title": "Register of roads"}});
    expect(ledger.add("agency-0", kind, &[Hash::default()], &good), Code::RefUnknown, "R-AMEND-1");
    let reason = changed(&good, "texts", json!({"reason": "other"}));
    expect(ledger.add("agency-0", kind, &[declared], &reason), Code::RefWrong, "R-AMEND-2");
    expect(ledger.add_by("authority", kind, &[calendar], &good, &[("authority", Role::Authority)]), Code::RefWrong, "R-AMEND-2");
    expect(ledger.add("agency-1", kind, &[declared], &good), Code::NotParty, "R-AMEND-3");
    expect(ledger.add_by("agency-0", kind, &[declared], &good, &[("agency-0", Role::Head)]), Code::RoleWrong, "R-AMEND-4");
    expect(ledger.add_by("agency-0", kind, &[declared], &good, &[("agency-0", Role::Recovery)]), Code::RoleWrong, "");
    for (texts, code) in [
        (json!({}), Code::FieldInvalid),
        (json!({"purpose": "x"}), Code::FieldUnknown),
        (json!({"title": "x".repeat(301)}), Code::FieldInvalid),
        (json!({"title": "of 11010519491231002X"}), Code::TextForbidden),
    ] {
        expect(ledger.add("agency-0", kind, &[declared], &changed(&good, "texts", texts)), code, "");
    }
    let amended = ledger.add("agency-0", kind, &[declared], &good).unwrap();
    ledger.add("agency-0", kind, &[declared], &good).unwrap();
    ledger.add("agency-0", kind, &[amended], &reason).unwrap();
    let suspended = ledger.add("authority", Kind::AgencySuspend, &[], &suspend("agency-1", "suspended")).unwrap();
    ledger.add_by("authority", kind, &[suspended], &reason, &[("authority", Role::Authority)]).unwrap();
}
