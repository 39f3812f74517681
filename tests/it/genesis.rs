//! The genesis file: what it gives, and every check of it, broken once.

use sharelog::core::genesis::{Genesis, GenesisParts};
use sharelog::core::json::{Strings, Value, parse};
use sharelog::core::key::Role;
use sharelog::core::refusal::Code;
use sharelog::core::rules;
use sharelog::core::state::MemoryRows;

use super::admission::{genesis_parts, json, value};

#[test]
fn a_genesis_gives_origin_set_policy_and_keys() {
    let bytes = genesis_parts(|_| ());
    let genesis = Genesis::parse(&bytes).unwrap();
    assert_eq!(genesis.origin, format!("test.example/rules/{}", &genesis.hash.to_hex()[..16]));
    let mut rows = MemoryRows::default();
    rows.apply(&genesis.rows());
    for height in [0, 1, 2, 1_000] {
        assert_eq!(rules::validator_set(&rows, height), genesis.validator_set());
    }
    assert_eq!(rules::policy(&rows), genesis.policy);
    let keys = rules::agency_keys(&rows, "Authority");
    assert_eq!(keys.iter().map(|key| key.role).collect::<Vec<_>>(), [Role::Authority, Role::Head, Role::Office, Role::Recovery]);
    assert!(keys.iter().all(|key| key.from.is_none() && key.until.is_none()));
    let agency = rules::agency(&rows, "authority").unwrap();
    assert_eq!((agency.position, agency.status.as_str()), (0, "active"));
    assert_eq!(rules::agency(&rows, "nobody"), None);
}

fn refused(name: &str, change: impl FnOnce(&mut GenesisParts)) {
    let refusal = Genesis::parse(&genesis_parts(change)).expect_err(name);
    assert!(matches!(refusal.code, Code::FieldInvalid | Code::FieldMissing | Code::FieldUnknown), "{name}: {refusal}");
}

fn set(body: &mut Value, name: &str, member: Value) {
    let Value::Object(members) = body else { panic!() };
    members.insert(name.to_owned(), member);
}

#[test]
fn each_check_holds() {
    refused("name", |parts| parts.name = "sharelog/x".to_owned());
    refused("no authority", |parts| parts.agencies.retain(|agency| agency.id != "authority"));
    refused("three validators", |parts| drop(parts.validators.pop()));
    refused("validator twice", |parts| parts.validators[1].agency = "agency-0".to_owned());
    refused("stranger", |parts| parts.validators[3].agency = "agency-9".to_owned());
    refused("power", |parts| parts.validators[0].power = 2);
    refused("key twice", |parts| parts.validators[0].consensus = parts.validators[1].cosigner);
    refused("peer id twice", |parts| parts.validators[0].peer = parts.validators[1].peer.clone());
    refused("key of agency and validator", |parts| parts.validators[0].consensus = parts.agencies[0].keys[0].1);
    refused("address", |parts| parts.validators[0].addresses[0].push_str("/p2p/x"));
    refused("agency twice", |parts| parts.agencies[1] = parts.agencies[0].clone());
    refused("letter case", |parts| parts.agencies[1].id = "AGENCY-0".to_owned());
    refused("names of letter case", |parts| set(&mut parts.agencies[0].body, "names", value(&json!({"zh": "AGENCY-1"}))));
    refused("names alike", |parts| set(&mut parts.agencies[0].body, "names", value(&json!({"zh": "agency-l"}))));
    refused("parent", |parts| set(&mut parts.agencies[0].body, "parent", "agency-9".into()));
    refused("own parent", |parts| set(&mut parts.agencies[0].body, "parent", "agency-0".into()));
    refused("territory", |parts| set(&mut parts.agencies[0].body, "territory", "x".into()));
    refused("unknown member", |parts| set(&mut parts.agencies[0].body, "more", "x".into()));
    refused("policy", |parts| set(&mut parts.policy, "heartbeat_ms", 9_999.into()));
    refused("rules", |parts| set(&mut parts.policy, "rules", 2.into()));
    let calendar = |year: u64| value(&json!({"notice": {"url": "http://www.gov.cn/n"}, "off": [], "work": [], "year": year}));
    assert!(Genesis::parse(&genesis_parts(|parts| parts.calendars = vec![calendar(2027), calendar(2026)])).is_ok());
    refused("calendar twice", |parts| parts.calendars = vec![calendar(2026), calendar(2026)]);
}

#[test]
fn order_and_bytes_hold() {
    let bytes = genesis_parts(|_| ());
    let mut value = parse(&bytes, Strings::Strict).unwrap();
    let Value::Object(members) = &mut value else { panic!() };
    for list in ["agencies", "validators"] {
        let mut turned = members.clone();
        let Some(Value::Array(items)) = turned.get_mut(list) else { panic!() };
        items.reverse();
        let code = Genesis::parse(Value::Object(turned).to_jcs().as_bytes()).unwrap_err().code;
        assert_eq!(code, Code::FieldInvalid, "{list}");
    }
    let Some(Value::Array(agencies)) = members.get_mut("agencies") else { panic!() };
    let Value::Object(agency) = &mut agencies[0] else { panic!() };
    let Some(Value::Array(keys)) = agency.get_mut("keys") else { panic!() };
    keys.reverse();
    assert_eq!(Genesis::parse(value.to_jcs().as_bytes()).unwrap_err().code, Code::FieldInvalid);
    let mut fed = bytes.clone();
    fed.push(b'\n');
    assert_eq!(Genesis::parse(&fed).unwrap_err().code, Code::JsonNotCanonical);
    assert_eq!(Genesis::parse(&vec![b' '; 1_048_577]).unwrap_err().code, Code::TooLarge);
}
