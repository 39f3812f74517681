//! Bad input at a node's door: each has its documented code, nothing panics, nothing is half-written.

use sharelog::core::json::{self, Strings, Value, object, strings};
use sharelog::core::key::{SecretKey, VerifierKey, encode_base64};
use sharelog::core::kinds::Kind;
use sharelog::core::record::Draft;

use super::network::{TestNetwork, duty, now, record_id, uid};

type Key = (VerifierKey, SecretKey);

/// Signs any text whatever as one line by `key`.
fn sign_text(text: &str, key: &Key) -> String {
    let mut material = key.0.id().to_vec();
    material.extend_from_slice(&key.1.sign(text.as_bytes()));
    format!("{text}\n\u{2014} {} {}\n", key.0.name(), encode_base64(&material))
}

fn post(network: &TestNetwork, note: &str) -> (u16, String) {
    let (status, body) = network.net.post(0, note, "?wait=committed").unwrap();
    let answer = json::parse(&body, Strings::WithNotes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)));
    (status, answer.get("code").and_then(Value::as_str).unwrap_or("").to_owned())
}

fn body(local: &str) -> Value {
    object([("basis", strings(["Act"])), ("id", format!("agency-0:{local}").into()), ("title", "T".into())])
}

fn draft(local: &str) -> Draft {
    Draft { at: now(), by: "agency-0".into(), kind: Kind::DutyDeclare, refs: Vec::new(), uid: uid(), body: body(local) }
}

#[test]
fn every_malformed_note_has_its_code() {
    let network = TestNetwork::start();
    let origin = network.net.origin.clone();
    let key = network.key("agency-0", "office");
    let text = draft("x").text(&origin);
    let changed = |from: &str, to: &str| sign_text(&text.replacen(from, to, 1), &key);
    let twice = format!(
        "{}{}",
        sign_text(&text, &key),
        sign_text(&text, &key).rsplit_once("\n\u{2014}").map(|(_, line)| format!("\u{2014}{line}")).unwrap()
    );
    let deep = format!("\"body\":{}{}", "[".repeat(60), "]".repeat(60));
    let cases = [
        ("no note", "hello".to_owned(), 400, "note-malformed"),
        ("another header", changed("sharelog/record/v1", "sharelog/record/v2"), 400, "note-malformed"),
        ("a line twice", twice, 400, "note-malformed"),
        ("no JSON", changed("{\"at\"", "{at"), 400, "json-malformed"),
        ("null", changed("\"refs\":[]", "\"refs\":null"), 400, "json-malformed"),
        ("a float", changed("\"refs\":[]", "\"refs\":1.5"), 400, "json-malformed"),
        ("depth", changed("\"body\":{", &format!("{deep},\"bodz\":{{")), 400, "json-malformed"),
        ("a member twice", changed("\"by\":", "\"by\":\"agency-0\",\"by\":"), 400, "json-duplicate-key"),
        ("white space", changed("\"refs\":[]", "\"refs\": []"), 400, "json-not-canonical"),
        ("an unknown member", changed(",\"uid\"", ",\"sort\":\"x\",\"uid\""), 400, "field-unknown"),
        ("a missing member", changed("\"refs\":[],", ""), 400, "field-missing"),
        ("a wrong type", changed("\"refs\":[]", "\"refs\":\"x\""), 400, "field-invalid"),
        ("a bidi control", changed("\"title\":\"T\"", "\"title\":\"T\u{202e}\""), 400, "text-forbidden"),
        ("not NFC", changed("\"title\":\"T\"", "\"title\":\"e\u{301}\""), 400, "text-forbidden"),
        ("another ledger", changed(&origin, "other.example/0123456789abcdef"), 400, "ledger-wrong"),
        ("an unknown kind", changed("duty.declare", "duty.invent"), 400, "kind-unknown"),
    ];
    for (name, note, status, code) in cases {
        assert_eq!(post(&network, &note), (status, code.to_owned()), "{name}");
    }
    let (status, code) = post(&network, &"x".repeat(17 * 1024));
    assert_eq!((status, code.as_str()), (413, "too-large"));
    let (status, _) = network.net.post(0, &"x".repeat(100 * 1024), "").unwrap();
    assert_eq!(status, 413, "a body over 20 KiB");
}

#[test]
fn every_wrong_signer_has_its_code() {
    let network = TestNetwork::start();
    let origin = network.net.origin.clone();
    let office = network.key("agency-0", "office");
    let sign = |key: &Key| draft("y").sign(&origin, &[(&key.0, &key.1)]);
    let stranger = SecretKey::from_seed(&[99; 32]);
    let vkey = VerifierKey::new(office.0.name().to_owned(), office.0.algorithm(), stranger.public()).unwrap();
    assert_eq!(post(&network, &sign(&(vkey, stranger))), (403, "key-unknown".to_owned()));
    assert_eq!(post(&network, &sign(&network.key("agency-0", "head"))), (403, "role-wrong".to_owned()));
    let text = draft("y").text(&origin);
    let broken = sign_text(&text, &office).replacen(&text, &text.replacen("\"T\"", "\"U\"", 1), 1);
    assert_eq!(post(&network, &broken), (403, "signature-invalid".to_owned()));
    // A key that was replaced signs no more; the rotation wants the new key's line too.
    let new = SecretKey::from_seed(&[98; 32]);
    let new = (VerifierKey::new(office.0.name().to_owned(), office.0.algorithm(), new.public()).unwrap(), new);
    let body = object([("key", new.0.to_string().into()), ("replaces", office.0.to_string().into())]);
    let rotate = Draft { at: now(), by: "agency-0".into(), kind: Kind::KeyRotate, refs: Vec::new(), uid: uid(), body };
    assert_eq!(post(&network, &rotate.sign(&origin, &[(&office.0, &office.1)])), (403, "signature-missing".to_owned()));
    let (status, _) = post(&network, &rotate.sign(&origin, &[(&office.0, &office.1), (&new.0, &new.1)]));
    assert_eq!(status, 200);
    assert_eq!(post(&network, &duty(&origin, "agency-0", "old-key", &office)), (403, "key-revoked".to_owned()));
    assert_eq!(post(&network, &duty(&origin, "agency-0", "new-key", &new)).0, 200);
}

#[test]
fn the_same_record_has_one_position_wherever_and_whenever_it_is_sent() {
    let network = TestNetwork::start();
    let note = duty(&network.net.origin, "agency-0", "once", &network.key("agency-0", "office"));
    let position = |node: usize| {
        let (status, body) = network.net.post(node, &note, "?wait=committed").unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        json::parse(&body, Strings::WithNotes).unwrap().get("position").and_then(Value::as_u64).unwrap()
    };
    let positions: Vec<_> = std::thread::scope(|scope| {
        let position = &position;
        let senders: Vec<_> = (0..16).map(|index| scope.spawn(move || position(index % 4))).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    assert!(positions.iter().all(|found| *found == positions[0]), "{positions:?}");
    assert_eq!(position(3), positions[0], "later, at another node");
    let id = record_id(&note);
    let record = network.net.ask(2, &format!("/api/v1/records/{id}")).unwrap();
    assert_eq!(record.get("position").and_then(Value::as_u64), Some(positions[0]));
    assert_eq!(record.get("note").and_then(Value::as_str), Some(note.as_str()));
}

#[test]
fn questions_out_of_bounds_are_refused() {
    let network = TestNetwork::start();
    let cases = [
        ("/api/v1/records?limit=1001", 400, "query-invalid"),
        ("/api/v1/records?limit=0", 400, "query-invalid"),
        ("/api/v1/records?colour=red", 400, "query-invalid"),
        ("/api/v1/records?kind=duty.declare&kind=duty.declare", 400, "query-invalid"),
        ("/api/v1/records?after=nonsense", 400, "cursor-invalid"),
        ("/api/v1/records/abc", 404, "not-found"),
        ("/api/v1/blocks/99999", 404, "not-found"),
        ("/api/v1/proofs/inclusion?position=5&size=99999", 404, "not-found"),
        ("/api/v1/proofs/consistency?from=0&to=1", 400, "query-invalid"),
        ("/api/v1/proofs/consistency?from=2&to=1", 400, "query-invalid"),
        ("/nowhere", 404, "not-found"),
        ("/tile/0/x999/999", 404, "not-found"),
    ];
    for (path, status, code) in cases {
        let (found, body) = network.net.get(0, path).unwrap();
        let text = String::from_utf8_lossy(&body);
        assert_eq!(found, status, "{path}: {text}");
        assert!(text.contains(&format!("\"code\":\"{code}\"")), "{path}: {text}");
    }
}
