//! JSON, notes, keys, records, commitments.

use sharelog::core::commitment::{Opening, commit};
use sharelog::core::hash::Hash;
use sharelog::core::json::{Strings, Value, object, parse, strings};
use sharelog::core::key::{Algorithm, Role, VerifierKey, encode_base64};
use sharelog::core::note::{Note, SignatureLine};
use sharelog::core::record::Record;
use sharelog::core::refusal::Code;
use sharelog::log::merkle::leaf_hash;
use signed_note::{StandardVerifier, Verifier as _, VerifierList};

use super::{bad_case, check_cases, hex};
use crate::it::ledger::{self, PAYLOAD, Story, agency_key, opening, record_id, secret};

#[test]
fn json() {
    let good: Vec<_> = [
        r#"{}"#,
        r#"[]"#,
        r#"[true,false,0,9007199254740991,""]"#,
        r#"{"a":{"b":[[[[["depth 8"]]]]]}}"#,
        r#"{"A":1,"_":2,"a":3}"#,
        "\"quote \\\" backslash \\\\ slash / \u{e9}\u{793e}\u{6703}\u{1f600}\"",
    ]
    .iter()
    .map(|text| {
        assert_eq!(parse(text.as_bytes(), Strings::Strict).unwrap().to_jcs(), *text);
        let oracle: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json_canonicalizer::to_string(&oracle).unwrap(), *text);
        Value::from(*text)
    })
    .collect();
    let cases: &[(&[u8], Code)] = &[
        (b"", Code::JsonMalformed),
        (b"null", Code::JsonMalformed),
        (b"-0", Code::JsonMalformed),
        (b"-1", Code::JsonMalformed),
        (b"1.5", Code::JsonMalformed),
        (b"1e3", Code::JsonMalformed),
        (b"01", Code::JsonMalformed),
        (b"9007199254740992", Code::JsonMalformed),
        (b"[1,]", Code::JsonMalformed),
        (b"{\"a\":1", Code::JsonMalformed),
        (b"{} {}", Code::JsonMalformed),
        (b"\"\\ud800\"", Code::JsonMalformed),
        (b"\"\xff\"", Code::JsonMalformed),
        (b"\"\xed\xa0\x80\"", Code::JsonMalformed),
        (b"{\"\xc3\xa9\":1}", Code::JsonMalformed),
        (b"[[[[[[[[[]]]]]]]]]", Code::JsonMalformed),
        (b"{\"a\":1,\"a\":1}", Code::JsonDuplicateKey),
        (b"{\"b\":1,\"a\":2}", Code::JsonNotCanonical),
        (b"{\"a\": 1}", Code::JsonNotCanonical),
        (b" {}", Code::JsonNotCanonical),
        (b"{}\n", Code::JsonNotCanonical),
        (b"\"\\u0061\"", Code::JsonNotCanonical),
        (b"\"\\/\"", Code::JsonNotCanonical),
        (b"\"\\ud83d\\ude00\"", Code::JsonNotCanonical),
        (b"\"\\n\"", Code::TextForbidden),
        (b"\"\\u0000\"", Code::TextForbidden),
        (b"\"\x7f\"", Code::TextForbidden),
        ("\"\u{85}\"".as_bytes(), Code::TextForbidden),
        ("\"\u{2028}\"".as_bytes(), Code::TextForbidden),
        ("\"\u{202e}\"".as_bytes(), Code::TextForbidden),
        ("\"\u{200b}\"".as_bytes(), Code::TextForbidden),
        ("\"\u{2060}\"".as_bytes(), Code::TextForbidden),
        ("\"\u{feff}\"".as_bytes(), Code::TextForbidden),
        ("\"e\u{301}\"".as_bytes(), Code::TextForbidden),
        ("\"\u{378}\"".as_bytes(), Code::TextForbidden),
    ];
    let bad = cases.iter().map(|(text, code)| bad_case(text, *code, parse(text, Strings::Strict))).collect();
    check_cases("json.json", &[("bad", bad), ("good", good)]);
}

#[test]
fn keys_and_notes() {
    let origin = ledger::Ledger::new().origin;
    let vkeys = [
        agency_key(&origin, "provider", Role::Office, 0).1,
        VerifierKey::new(origin.clone(), Algorithm::Ed25519, secret("agency-0/publication").public()).unwrap(),
        VerifierKey::new(format!("{origin}/validator/agency-0"), Algorithm::Cosignature, secret("agency-0/cosigner").public()).unwrap(),
    ];
    let good_keys = vkeys.iter().map(|vkey| {
        let text = vkey.to_string();
        assert_eq!(VerifierKey::parse(&text).unwrap(), *vkey);
        if vkey.algorithm() == Algorithm::Ed25519 {
            let oracle = StandardVerifier::new(&text).unwrap();
            assert_eq!((oracle.name(), oracle.key_id()), (vkey.name(), u32::from_be_bytes(vkey.id())));
        }
        object([("id", hex(&vkey.id()).into()), ("public", hex(vkey.public().as_bytes()).into()), ("vkey", text.into())])
    });
    let good = vkeys[0].to_string();
    let material = |bytes: &[u8]| encode_base64(bytes);
    let identity = [[1].as_slice(), &[1], &[0; 31]].concat();
    let bad_keys = [
        "name".to_owned(),
        good.replacen('+', " ", 1),
        good.replace("office+", "office+0"),
        good.to_uppercase(),
        good.trim_end_matches('=').to_owned() + "A",
        format!("x+00000000+{}", material(&[1; 33])),
        format!("x+00000000+{}", material(&[&[2_u8][..], &[7; 32]].concat())),
        format!("x+d0f3cdd3+{}", material(&identity)),
    ];
    let bad_keys = bad_keys.iter().map(|text| bad_case(text.as_bytes(), Code::FieldInvalid, VerifierKey::parse(text)));

    let text = "a note\n\nof three lines\n";
    let key = secret("note");
    let vkey = VerifierKey::new("vectors.example/note".to_owned(), Algorithm::Ed25519, key.public()).unwrap();
    let line = SignatureLine { name: vkey.name().to_owned(), id: vkey.id(), signature: key.sign(text.as_bytes()).to_vec() };
    let note = Note { text: text.to_owned(), lines: vec![line] }.to_text();
    assert_eq!(Note::parse(note.as_bytes()).unwrap().to_text(), note);
    let oracle = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
    let (verified, _) = oracle.verify(&VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey.to_string()).unwrap())])).unwrap();
    assert_eq!(verified.len(), 1);
    let notes = vec![object([("note", note.as_str().into()), ("text", text.into()), ("vkey", vkey.to_string().into())])];
    let bad_notes: Vec<String> = vec![
        text.to_owned(),
        note.trim_end().to_owned(),
        note.replace('\u{2014}', "-"),
        note.replace("three", "thr\tee"),
        note.replace("vectors.example/note ", "vectors.example/note  "),
        note.replace("vectors.example/note", "vectors+example"),
        note.clone() + "\n",
        format!("\n{}", &note[text.len()..]),
        note.replacen('\n', "\r\n", 1),
    ];
    let bad_notes = bad_notes.iter().map(|note| bad_case(note.as_bytes(), Code::NoteMalformed, Note::parse(note.as_bytes())));
    check_cases(
        "notes.json",
        &[("bad_notes", bad_notes.collect()), ("bad_vkeys", bad_keys.collect()), ("notes", notes), ("vkeys", good_keys.collect())],
    );
}

#[test]
fn records() {
    let Story { ledger, .. } = Story::tell();
    let origin = &ledger.origin;
    let good = ledger.leaves.iter().filter(|leaf| leaf.starts_with("sharelog/record")).map(|leaf| {
        let record = Record::parse(leaf.as_bytes(), origin).unwrap();
        assert_eq!(record.id(), record_id(leaf));
        assert_eq!(record.leaf_hash(), leaf_hash(leaf.as_bytes()));
        for (index, line) in record.signatures.iter().enumerate() {
            let vkeys = (0..2).map(|generation| agency_key(origin, &line.agency, line.role, generation).1);
            let vkey = vkeys.into_iter().find(|vkey| vkey.id() == line.id).unwrap();
            assert!(record.verifies(index, vkey.public()));
            let oracle = signed_note::Note::from_bytes(leaf.as_bytes()).unwrap();
            oracle.verify(&VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey.to_string()).unwrap())])).unwrap();
        }
        object([
            ("id", record.id().to_hex().into()),
            ("kind", record.kind.as_str().into()),
            ("leaf", leaf.as_str().into()),
            ("leaf_hash", record.leaf_hash().to_hex().into()),
        ])
    });
    let good: Vec<_> = good.collect();
    let duty = ledger.leaves[2].clone();
    let line = duty.lines().last().unwrap();
    let bend = |from: &str, to: &str| {
        assert!(duty.contains(from), "{from}");
        duty.replacen(from, to, 1)
    };
    let cases = [
        (Code::NoteMalformed, bend("sharelog/record/v1", "sharelog/record/v2")),
        (Code::NoteMalformed, bend("}\n\n", "}\nmore\n\n")),
        (Code::NoteMalformed, format!("{duty}{line}\n")),
        (Code::NoteMalformed, bend(line, &line[..line.len() - 8])),
        (Code::JsonMalformed, bend("\"refs\":[]", "\"refs\":null")),
        (Code::JsonDuplicateKey, bend("\"refs\":[]", "\"refs\":[],\"refs\":[]")),
        (Code::JsonNotCanonical, bend("\"refs\":[]", "\"refs\": []")),
        (Code::FieldUnknown, bend(",\"uid\"", ",\"size\":1,\"uid\"")),
        (Code::FieldMissing, bend("\"refs\":[],", "")),
        (Code::FieldInvalid, bend("\"refs\":[]", "\"refs\":[\"00\"]")),
        (Code::FieldInvalid, bend("-7abc-", "-4abc-")),
        (Code::FieldInvalid, bend(".000Z\"", "Z\"")),
        (Code::FieldInvalid, bend("\"by\":\"agency-1\"", "\"by\":\"agency 1\"")),
        (Code::TextForbidden, bend("Statistics", "Stat\u{202e}istics")),
        (Code::LedgerWrong, bend("\"ledger\":\"vectors", "\"ledger\":\"victors")),
        (Code::KindUnknown, bend("duty.declare", "duty.declair")),
        (Code::KeyUnknown, bend("/agency/agency-1/office ", "/agency/agency-1/chief ")),
        (Code::TooLarge, bend("Statistics", &"S".repeat(17 * 1024))),
    ];
    let bad = cases.iter().map(|(code, note)| bad_case(note.as_bytes(), *code, Record::parse(note.as_bytes(), origin))).collect();
    check_cases("records.json", &[("bad", bad), ("good", good), ("origin", vec![origin.as_str().into()])]);
}

#[test]
fn commitments() {
    let opening = opening(Hash::of(b"record"));
    assert_eq!(opening.commitment(), commit(&opening.salt, &Hash::of(PAYLOAD)));
    let text = opening.to_value().to_jcs();
    assert_eq!(Opening::parse(text.as_bytes()).unwrap(), opening);
    let good =
        object([("commitment", opening.commitment().to_hex().into()), ("opening", opening.to_value()), ("payload", hex(PAYLOAD).into())]);
    let bend = |from: &str, to: &str| text.replacen(from, to, 1);
    let cases = [
        (Code::FieldInvalid, bend("opening/v1", "opening/v2")),
        (Code::FieldInvalid, bend(&encode_base64(&opening.salt), "AAAA")),
        (Code::FieldMissing, bend("\"bytes\":15,", "")),
        (Code::FieldUnknown, bend("\"bytes\":15,", "\"bytes\":15,\"c\":1,")),
    ];
    let bad = cases.iter().map(|(code, text)| bad_case(text.as_bytes(), *code, Opening::parse(text.as_bytes()))).collect();
    check_cases("commitments.json", &[("bad", bad), ("good", vec![good]), ("tag", vec![strings(["sharelog/commitment/v1\n"])])]);
}
