//! HTTP against a node without network: every answer, every bound.

mod node;

use std::io::Write as _;
use std::time::{Duration, Instant};

use sharelog::core::hash::Hash;
use sharelog::core::json::Value;
use sharelog::core::key::{Role, decode_base64};
use sharelog::core::kinds::Kind;
use sharelog::core::refusal::{Code, Refusal};
use sharelog::health::Life;
use sharelog::log::certificate::Certificate;
use sharelog::log::entry::BlockEntry;
use sharelog::log::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use sharelog::verify::{Pin, verify};

use self::node::{Node, items, number, read_all, text};
use crate::it::ledger::{admission, rotation};

const OFFICE: Role = Role::Office;

fn proof(value: &Value) -> Vec<Hash> {
    let node = |node: &Value| Hash(decode_base64(node.as_str().unwrap()).unwrap().try_into().unwrap());
    value.get("proof").unwrap().as_array().unwrap().iter().map(node).collect()
}

fn hash(value: &Value, name: &str) -> Hash {
    Hash::parse(&text(value, name)).unwrap()
}

fn ids(list: &[Value]) -> Vec<String> {
    list.iter().map(|item| text(item, "id")).collect()
}

/// The records of one delivery from admission to receipt, committed one after the other.
struct Story {
    admit: Hash,
    duty: Hash,
    first_version: Hash,
    dataset: Hash,
    request: Hash,
    answer: Hash,
    delivery: Hash,
    receipt: Hash,
}

const DATASET: &str = r#"{"class":"conditional","conditions":"by agreement","duty":"provider:keeping","frequency":"monthly","id":"provider:register","items":[{"name":"code","type":"text"}],"purposes":["planning"],"title":"Register","version":VERSION}"#;

impl Story {
    fn tell(node: &Node) -> Self {
        let provider = |role| ("provider", role, 0);
        let admission = admission(&node.origin, "provider", &[Role::Head, OFFICE, Role::Recovery]).to_jcs();
        let admit = node.put(&node.sign("authority", Kind::AgencyAdmit, &[], &admission, &[("authority", Role::Authority, 0)]));
        let duty = r#"{"basis":["Test Act"],"id":"provider:keeping","title":"Keeping"}"#;
        let duty = node.put(&node.sign("provider", Kind::DutyDeclare, &[], duty, &[provider(OFFICE)]));
        let publish = |version| {
            let body = DATASET.replace("VERSION", version);
            node.put(&node.sign("provider", Kind::DatasetPublish, &[], &body, &[provider(Role::Head)]))
        };
        let (first_version, dataset) = (publish("1"), publish("2"));
        node.put(&node.duty("planning"));
        let request = r#"{"basis":["Test Act"],"datasets":[{"id":"provider:register","version":2}],"duty":"agency-1:planning","mode":"file","purpose":"planning","sort":"ordinary","term":{"from":"2026-01-01","to":"2030-01-01"}}"#;
        let request = node.put(&node.sign("agency-1", Kind::ShareRequest, &[], request, &[("agency-1", OFFICE, 0)]));
        let answer = r#"{"datasets":["provider:register"],"outcome":"agree"}"#;
        let answer = node.put(&node.sign("provider", Kind::ShareAnswer, &[request], answer, &[provider(OFFICE)]));
        let rotation = rotation(&node.origin, "provider", OFFICE, 0, 1).to_jcs();
        node.put(&node.sign("provider", Kind::KeyRotate, &[], &rotation, &[provider(OFFICE), ("provider", OFFICE, 1)]));
        let commitment = "ab".repeat(32);
        let delivery = format!(
            r#"{{"batch":"B1","bytes":7,"commitment":"{commitment}","dataset":"provider:register","mode":"file","rows":1,"version":2}}"#
        );
        let delivery = node.put(&node.sign("provider", Kind::ShareDeliver, &[answer], &delivery, &[("provider", OFFICE, 1)]));
        let receipt = format!(r#"{{"commitment":"{commitment}","result":"match","rows":1}}"#);
        let receipt = node.put(&node.sign("agency-1", Kind::ShareReceipt, &[delivery], &receipt, &[("agency-1", OFFICE, 0)]));
        Story { admit, duty, first_version, dataset, request, answer, delivery, receipt }
    }
}

#[test]
fn before_block_1_nothing_is_public_and_all_answers_are_whole() {
    let node = Node::start();
    assert_eq!(node.get("/checkpoint").problem(), (503, "not-covered".into()));
    assert_eq!(node.get("/readyz").problem(), (503, "syncing".into()));
    assert_eq!(node.get("/tile/0/000.p/1").problem(), (404, "not-found".into()));
    assert_eq!(node.get("/livez").status, 200);
    assert_eq!(node.get("/genesis").body, node.genesis);
    for list in ["records", "duties", "datasets", "requests", "deliveries", "blocks"] {
        let page = node.ask(&format!("/api/v1/{list}"));
        assert!(items(&page).is_empty() && page.get("next").is_none(), "{list}");
    }
    let agencies = node.all("/api/v1/agencies", 2);
    assert_eq!(ids(&agencies), ["agency-0", "agency-1", "agency-2", "agency-3", "agency-4", "authority"]);
    assert_eq!(text(&agencies[5], "time"), "2024-01-01T00:00:00.000Z");
    let status = node.ask("/api/v1/status");
    assert_eq!((text(&status, "life"), number(status.get("head").unwrap(), "height")), ("ready".into(), 0));
    assert!(status.get("checkpoint").is_none());
    node.commit();
    assert_eq!(node.get("/readyz").status, 200);
    node.cosign();
    let checkpoint = String::from_utf8(node.get("/checkpoint").body).unwrap();
    assert!(checkpoint.starts_with(&format!("{}\n1\n", node.origin)), "{checkpoint}");
}

#[test]
fn a_submission_is_answered_with_its_proof_and_certificate_then_and_later() {
    let node = Node::start();
    node.commit();
    let note = node.duty("one");
    let pending = node.post("", &note);
    assert_eq!((pending.status, text(&pending.json(), "status")), (202, "pending".into()));
    let path = format!("/api/v1/records/{}", text(&pending.json(), "id"));
    assert_eq!(node.ask(&path).to_jcs(), pending.json().to_jcs());
    assert_eq!(node.get_with(&path, &[("accept", "text/plain")]).body, note.as_bytes());
    node.commit();
    for query in ["?wait=committed", ""] {
        let got = node.post(query, &note);
        assert_eq!(got.status, 200);
        let answer = got.json();
        let entry = BlockEntry::parse(text(&answer, "entry").as_bytes()).unwrap();
        assert_eq!((number(&answer, "size"), number(&answer, "height")), (entry.position, entry.height));
        let leaf = leaf_hash(note.as_bytes());
        verify_inclusion(&leaf, number(&answer, "position"), entry.position, &proof(&answer), &entry.root).unwrap();
        let certificate = Certificate::from_value(answer.get("certificate").unwrap()).unwrap();
        certificate.verify(&node.origin, entry.height, &entry.hash(), &node.reader.genesis().validator_set()).unwrap();
    }
    let record = node.get(&path);
    assert_eq!((text(&record.json(), "note"), text(&record.json(), "status")), (note.clone(), "committed".into()));
    let again = node.get_with(&path, &[("if-none-match", record.header("etag"))]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    let as_text = node.get_with(&path, &[("accept", "text/plain")]);
    assert_ne!(as_text.header("etag"), record.header("etag"));
    assert_eq!(as_text.body, note.into_bytes());
}

#[test]
fn a_refusal_by_a_later_head_reaches_the_one_who_waits_and_stays_to_be_read() {
    let node = Node::start();
    node.commit();
    let note = node.duty("late");
    let refusal = Refusal::rule("R-DUTY-1", Code::Duplicate, "agency-1:late", "a new id");
    let id = sharelog::core::record::Record::parse(note.as_bytes(), &node.origin).unwrap().id();
    let got = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| node.post("?wait=committed", &note));
        while node.pool.status(&id).is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        node.pool.refused(&id, refusal);
        waiting.join().unwrap()
    });
    assert_eq!(got.problem(), (409, "duplicate".into()));
    let got = node.get_with(&format!("/api/v1/records/{id}"), &[("accept-language", "zh-CN")]);
    let (value, problem) = (got.json(), got.json().get("problem").unwrap().clone());
    assert_eq!((text(&value, "status"), text(&problem, "rule")), ("refused".into(), "R-DUTY-1".into()));
    assert!(!text(&problem, "detail").is_ascii());
}

#[test]
fn lists_show_what_was_shared_with_whom() {
    let node = Node::start();
    node.commit();
    let story = node.running(|| Story::tell(&node));
    let (admit, request) = (story.admit.to_hex(), story.request.to_hex());
    let agency = node.ask("/api/v1/agencies/PROVIDER");
    assert_eq!((text(&agency, "id"), text(&agency, "status")), ("provider".into(), "active".into()));
    let keys = agency.get("keys").unwrap().as_array().unwrap();
    assert_eq!(keys.len(), 4);
    assert_eq!(keys.iter().filter(|key| key.get("until").is_some()).count(), 1);
    assert_eq!(ids(&node.all("/api/v1/agencies", 1)).last().unwrap(), "provider");
    let versions = node.all("/api/v1/datasets", 10);
    assert_eq!((versions.len(), number(&versions[0], "version")), (1, 2));
    assert_eq!((text(&versions[0], "provider"), hash(&versions[0], "record")), ("provider".into(), story.dataset));
    assert_eq!(node.ask("/api/v1/datasets/provider:register"), versions[0]);
    assert_eq!(node.ask("/api/v1/datasets/provider%3Aregister"), versions[0]);
    assert_eq!(text(&node.ask("/api/v1/duties/agency-1:planning"), "agency"), "agency-1");
    assert_eq!(ids(&node.all("/api/v1/duties?agency=agency-1", 1)), ["agency-1:planning"]);
    let requests = node.all("/api/v1/requests?agency=provider", 1);
    assert_eq!((text(&requests[0], "status"), hash(&requests[0], "answer")), ("agreed".into(), story.answer));
    assert_eq!((text(&requests[0], "provider"), text(&requests[0], "requester")), ("provider".into(), "agency-1".into()));
    let delivery = node.ask(&format!("/api/v1/deliveries/{}", story.delivery));
    assert_eq!((text(&delivery, "status"), hash(&delivery, "receipt")), ("matched".into(), story.receipt));
    assert_eq!((hash(&delivery, "grant"), hash(&delivery, "request")), (story.answer, story.request));
    assert_eq!(text(&delivery, "requester"), "agency-1");
    assert_eq!(node.all("/api/v1/deliveries?dataset=provider:register", 1), [delivery]);
    let by_request = node.all(&format!("/api/v1/records?request={request}&agency=AGENCY-1&kind=share.receipt"), 1);
    assert_eq!(ids(&by_request), [story.receipt.to_hex()]);
    let everything = node.all("/api/v1/records", 3);
    assert_eq!((everything.len(), ids(&everything)[0].clone()), (10, admit));
    assert_eq!(node.all("/api/v1/records", 1), node.all("/api/v1/records", 1000));
    let [from, to] = [2, 4].map(|index: usize| text(&everything[index], "time"));
    assert_eq!(node.all(&format!("/api/v1/records?from={from}&to={to}"), 1), everything[2..4]);
    assert!(node.all("/api/v1/records?to=2024-01-02", 1).is_empty());
    assert_eq!(node.all("/api/v1/agencies?to=2024-01-02", 5).len(), 6);
    assert_eq!(node.all("/api/v1/records?from=2024-01-02", 100).len(), 10);
    let chain = |id: &Hash| ids(&node.all(&format!("/api/v1/chain/{id}"), 2));
    let planning = text(&node.ask("/api/v1/duties/agency-1:planning"), "record");
    let hex = |ids: &[Hash]| ids.iter().map(|id| id.to_hex()).collect::<Vec<_>>();
    let mut whole = hex(&[story.duty, story.dataset]);
    whole.push(planning.clone());
    whole.extend(hex(&[story.request, story.answer, story.delivery, story.receipt]));
    for id in [&story.request, &story.answer, &story.delivery, &story.receipt] {
        assert_eq!(chain(id), whole, "{id}");
    }
    let of_dataset: Vec<_> = whole.iter().filter(|id| **id != planning).cloned().collect();
    assert_eq!(chain(&story.dataset), of_dataset);
    assert_eq!(chain(&story.first_version), hex(&[story.duty, story.first_version]));
    let mut of_duty = of_dataset;
    of_duty.insert(1, story.first_version.to_hex());
    assert_eq!(chain(&story.duty), of_duty);
}

#[test]
fn evidence_and_proofs_hold_against_the_genesis_alone() {
    let node = Node::start();
    node.commit();
    let story = node.running(|| Story::tell(&node));
    let genesis = Pin::File(&node.genesis);
    let got = node.get(&format!("/api/v1/records/{}/evidence", story.delivery));
    assert_eq!(got.status, 200, "{}", String::from_utf8_lossy(&got.body));
    let verdict = verify(&got.body, &genesis, None);
    assert!(verdict.ok, "{:?}", verdict.failed);
    assert_eq!(verdict.claims[0].id, story.delivery);
    let several = format!("/api/v1/evidence?ids={},{},{}", story.receipt, story.admit, story.dataset);
    let verdict = verify(&node.get(&several).body, &genesis, None);
    assert!(verdict.ok && verdict.claims.len() == 3, "{:?}", verdict.failed);
    let mut bytes = got.body.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert!(!verify(&bytes, &genesis, None).ok);
    let size = node.reader.head().size;
    for position in [0, 1, size - 1] {
        let answer = node.ask(&format!("/api/v1/proofs/inclusion?position={position}&size={size}"));
        verify_inclusion(&hash(&answer, "leaf_hash"), position, size, &proof(&answer), &hash(&answer, "root")).unwrap();
        let from = position + 1;
        let answer = node.ask(&format!("/api/v1/proofs/consistency?from={from}&to={size}"));
        let (before, after) = (hash(&answer, "from_root"), hash(&answer, "to_root"));
        verify_consistency(from, size, &before, &after, &proof(&answer)).unwrap();
    }
    let too_far = size + 1;
    for (path, want) in [
        (format!("inclusion?position=0&size={too_far}"), 404),
        (format!("inclusion?position={size}&size={size}"), 404),
        ("inclusion?position=0".to_owned(), 400),
        (format!("consistency?from=0&to={size}"), 400),
        ("consistency?from=3&to=2".to_owned(), 400),
        (format!("consistency?from=1&to={too_far}"), 404),
    ] {
        assert_eq!(node.get(&format!("/api/v1/proofs/{path}")).status, want, "{path}");
    }
    let blocks = node.all("/api/v1/blocks", 3);
    assert_eq!(blocks.len(), 11);
    assert_eq!(node.ask("/api/v1/blocks/5"), blocks[4]);
    assert_eq!(hash(&blocks[4], "previous"), hash(&blocks[3], "hash"));
    let set = node.ask("/api/v1/validators?height=1");
    assert_eq!(hash(&set, "sha256"), node.reader.genesis().validator_set().hash());
    let policy = String::from_utf8(node.get("/policy").body).unwrap();
    assert_eq!(policy.lines().filter(|line| line.starts_with("log ")).count(), 1, "{policy}");
    let bundle = node.get(&format!("/tile/entries/000.p/{size}"));
    assert_eq!((bundle.status, bundle.header("content-type")), (200, "application/octet-stream"));
    assert_eq!(node.get(&format!("/tile/0/000.p/{size}")).body.len(), usize::try_from(size * 32).unwrap());
    assert_eq!(node.get(&format!("/tile/0/000.p/{too_far}")).status, 404);
    node.commit();
    assert_eq!(node.get(&format!("/tile/0/000.p/{too_far}")).status, 404, "committed, not yet public");
}

#[test]
fn evidence_waits_for_the_checkpoint_and_says_when_none_comes() {
    let node = Node::start();
    node.commit();
    node.post("", &node.duty("uncovered"));
    node.commit();
    let id = text(&items(&node.ask("/api/v1/records"))[0], "id");
    let path = format!("/api/v1/records/{id}/evidence");
    let start = Instant::now();
    assert_eq!(node.get(&path).problem(), (503, "not-covered".into()));
    assert!(start.elapsed() >= Duration::from_secs(5));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| node.get(&path));
        std::thread::sleep(Duration::from_millis(200));
        node.cosign();
        assert_eq!(waiting.join().unwrap().status, 200);
    });
}

#[test]
fn every_wrong_request_has_its_problem() {
    let node = Node::start();
    node.commit();
    let note = node.duty("good");
    let unknown = "0".repeat(64);
    for (path, want) in [
        ("/nowhere".to_owned(), (404, "not-found")),
        (format!("/api/v1/records/{unknown}"), (404, "not-found")),
        ("/api/v1/records/xyz".to_owned(), (404, "not-found")),
        (format!("/api/v1/records/{unknown}/evidence"), (404, "not-found")),
        ("/api/v1/evidence?ids=1".to_owned(), (400, "query-invalid")),
        (format!("/api/v1/evidence?ids={unknown},{unknown}"), (400, "query-invalid")),
        (format!("/api/v1/chain/{unknown}"), (404, "not-found")),
        ("/api/v1/agencies/nobody".to_owned(), (404, "not-found")),
        ("/api/v1/blocks/2".to_owned(), (404, "not-found")),
        ("/api/v1/validators?height=0".to_owned(), (400, "query-invalid")),
        ("/api/v1/validators?height=9".to_owned(), (404, "not-found")),
        ("/api/v1/records?limit=0".to_owned(), (400, "query-invalid")),
        ("/api/v1/records?limit=1&limit=1".to_owned(), (400, "query-invalid")),
        ("/api/v1/agencies?kind=share.deliver".to_owned(), (400, "query-invalid")),
        ("/api/v1/records?after=0-000000000000".to_owned(), (400, "cursor-invalid")),
        ("/api/v1/%FF".to_owned(), (404, "not-found")),
        ("/api/v1/agencies/%FF".to_owned(), (404, "not-found")),
        ("/tile/0/../../genesis".to_owned(), (404, "not-found")),
    ] {
        let (status, code) = node.get(&path).problem();
        assert_eq!((status, code.as_str()), want, "{path}");
    }
    let cursor = text(&node.ask("/api/v1/agencies?limit=1"), "next");
    assert_eq!(node.get(&format!("/api/v1/records?after={cursor}")).problem(), (400, "cursor-invalid".into()));
    assert_eq!(node.post("?wait=soon", &note).problem(), (400, "query-invalid".into()));
    assert_eq!(node.post("", "not a note").problem(), (400, "note-malformed".into()));
    assert_eq!(node.post_as("application/json", note.as_bytes()).problem(), (415, "media-type".into()));
    assert_eq!(node.post("", &"x".repeat(17_000)).problem(), (413, "too-large".into()));
    assert_eq!(node.post("", &"x".repeat(500_000)).problem(), (413, "too-large".into()));
    let tampered = note.replace("Duty good", "Duty evil");
    assert_eq!(node.post("", &tampered).problem(), (403, "signature-invalid".into()));
    for (life, want) in [(Life::Syncing, "syncing"), (Life::LowSpace, "low-space")] {
        node.health.set_life(life);
        assert_eq!(node.post("", &note).problem(), (503, want.into()));
        assert_eq!(node.get("/readyz").problem(), (503, want.into()));
        assert_eq!(node.get("/api/v1/records").status, 200);
    }
    let chinese = node.get_with("/nowhere", &[("accept-language", "zh-CN,zh;q=0.9,en;q=0.8")]);
    assert!(!text(&chinese.json(), "detail").is_ascii());
    assert_eq!((text(&chinese.json(), "code"), chinese.header("content-language")), ("not-found".into(), "zh"));
}

#[test]
fn answers_carry_what_browsers_need_and_no_foreign_host_reads_them() {
    let node = Node::start();
    node.commit();
    node.cosign();
    let got = node.get("/api/v1/status");
    assert_eq!((got.header("access-control-allow-origin"), got.header("x-content-type-options")), ("*", "nosniff"));
    let head = node.head("/genesis");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), node.genesis.len().to_string());
    let ask = |request: &str| node.raw(request.as_bytes(), Duration::from_millis(500));
    assert!(ask("GET /livez HTTP/1.1\r\nhost: node.example\r\n\r\n").starts_with("HTTP/1.1 200"));
    for request in [
        "GET /livez HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        "GET /livez HTTP/1.1\r\n\r\n",
        "GET http://evil.example/livez HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ] {
        let answer = ask(request);
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("query-invalid"), "{request}{answer}");
    }
    let answer = ask("DELETE /api/v1/records HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 405") && answer.to_ascii_lowercase().contains("allow: get,head,post"), "{answer}");
    assert!(answer.contains("method-not-allowed"), "{answer}");
    let metrics = String::from_utf8(node.get("/metrics").body).unwrap();
    assert!(metrics.contains("sharelog_head_size 1\n") && metrics.ends_with("# EOF\n"), "{metrics}");
}

#[test]
fn heads_connections_and_slow_senders_are_bounded() {
    let node = Node::start();
    node.commit();
    let long = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(17 * 1024));
    assert!(node.raw(long.as_bytes(), Duration::from_secs(2)).starts_with("HTTP/1.1 431"));
    let fitting = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(15 * 1024));
    assert!(node.raw(fitting.as_bytes(), Duration::from_millis(500)).starts_with("HTTP/1.1 200"));
    let start = Instant::now();
    let mut held: Vec<_> = (0..64).map(|_| node.connect()).collect();
    for stream in &mut held {
        stream.write_all(b"GET /livez HTTP/1.1\r\nho").unwrap();
    }
    let mut one_more = node.connect();
    let answer = read_all(&mut one_more, Duration::from_secs(8));
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("quota"), "{answer}");
    for stream in &mut held {
        read_all(stream, Duration::from_secs(12));
    }
    let waited = start.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(20)).contains(&waited), "slow senders were held for {waited:?}");
    assert_eq!(node.get("/livez").status, 200);
}

#[test]
fn a_stop_answers_those_who_wait_and_takes_no_longer_than_promised() {
    let node = Node::start();
    node.commit();
    let note = node.duty("waits");
    let (got, took) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| node.post("?wait=committed", &note));
        while node.pool.pending().0 == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _silent = node.connect();
        let took = node.stop();
        (waiting.join().unwrap(), took)
    });
    assert_eq!((got.status, text(&got.json(), "status")), (202, "pending".into()));
    assert!(took < Duration::from_secs(6), "{took:?}");
}
