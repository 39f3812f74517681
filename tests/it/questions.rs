//! The ten questions over one small history: by command and over HTTP, as JSON, as CSV and as a calendar, page by page, at past
//! and future moments.

use std::process::{Command, Output};

use sharelog::core::json::Value;
use sharelog::core::time::Time;

use super::network::{BINARY, TestNetwork};

/// What a spreadsheet would run.
const FORMULA: &str = "=HYPERLINK(\"http://example.com\",\"x\")";
const TERRITORY: &str = "3301";

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {}", value.to_jcs()))
}

fn items(value: &Value) -> &[Value] {
    value.get("items").and_then(Value::as_array).unwrap_or_else(|| panic!("no items in {}", value.to_jcs()))
}

fn texts<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    items(value).iter().map(|item| text(item, name)).collect()
}

/// A network in which agency-0 owes agency-1 much, and agency-1 a receipt.
struct History {
    network: TestNetwork,
    silent: String,
    refusal: String,
    unacknowledged: String,
    mismatch: String,
    /// When nothing but the catalogue stood.
    early: Time,
    head: Time,
}

impl History {
    fn run(&self, arguments: &[&str]) -> Value {
        run(&self.network, arguments)
    }

    /// The program's output as it is, for tables and CSV.
    fn print(&self, arguments: &[&str]) -> Output {
        let out = Command::new(BINARY).args(arguments).args(["--node", &self.network.net.nodes[0].http]).output().unwrap();
        assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        out
    }

    /// The answer over HTTP.
    fn ask(&self, path: &str) -> Value {
        self.network.net.ask(0, &format!("/api/v1/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn refused(&self, path: &str) -> (u16, String) {
        let (status, body) = self.network.net.get(0, &format!("/api/v1/{path}")).unwrap();
        let body = sharelog::core::json::parse(&body, sharelog::core::json::Strings::WithNotes).unwrap();
        (status, text(&body, "code").to_owned())
    }

    /// A day of the ledger's zone so many days after the head.
    fn days_on(&self, days: u64) -> String {
        self.head.plus_ms(days * 86_400_000).day(480).to_string()
    }
}

fn run(network: &TestNetwork, arguments: &[&str]) -> Value {
    network.cli(arguments).unwrap_or_else(|(status, text)| panic!("{arguments:?}: {status}: {text}"))
}

fn head_time(network: &TestNetwork) -> Time {
    let status = network.net.ask(0, "/api/v1/status").unwrap();
    Time::parse(text(status.get("head").unwrap(), "time")).unwrap()
}

fn request(network: &TestNetwork, dataset: &str, sort: &str) -> String {
    let key = network.key_path("agency-1", "office");
    let fixed = ["share", "request", "--duty", "agency-1:register", "--basis", "Register Act", "--purpose", "street lists"];
    let own = ["--dataset", dataset, "--sort", sort, "--key", &key];
    text(&run(network, &[&fixed[..], &own[..]].concat()), "id").to_owned()
}

fn answer(network: &TestNetwork, request: &str, more: &[&str]) -> String {
    let key = network.key_path("agency-0", "office");
    let fixed = ["share", "answer", "--request", request, "--key", &key];
    text(&run(network, &[&fixed[..], more].concat()), "id").to_owned()
}

fn deliver(network: &TestNetwork, grant: &str, batch: &str) -> String {
    let key = network.key_path("agency-0", "office");
    let (file, opening) = (network.path(&format!("{batch}.csv")), network.path(&format!("{batch}.opening.json")));
    std::fs::write(&file, format!("id,name\n1,{batch}\n")).unwrap();
    let (file, opening) = (file.to_str().unwrap(), opening.to_str().unwrap());
    let fixed = ["share", "deliver", "--grant", grant, "--dataset", "agency-0:roads", "--version", "1", "--mode", "file"];
    let own = ["--batch", batch, "--rows", "1", "--file", file, "--opening", opening, "--key", &key];
    text(&run(network, &[&fixed[..], &own[..]].concat()), "id").to_owned()
}

fn tell() -> History {
    let network = TestNetwork::start();
    let (head0, office1) = (network.key_path("agency-0", "head"), network.key_path("agency-1", "office"));
    run(&network, &["duty", "declare", "--id", "agency-1:register", "--title", "Register", "--basis", "Register Act", "--key", &office1]);
    for (id, title) in [("agency-0:roads", FORMULA), ("agency-0:bridges", "Bridges")] {
        let fixed = ["dataset", "publish", "--id", id, "--title", title, "--version", "1", "--class", "unconditional"];
        run(&network, &[&fixed[..], &["--frequency", "irregular", "--key", &head0][..]].concat());
    }
    let early = head_time(&network);
    let agree = ["--outcome", "agree", "--dataset", "agency-0:roads"];
    let grant = answer(&network, &request(&network, "agency-0:roads", "ordinary"), &agree);
    let unacknowledged = deliver(&network, &grant, "b1");
    let mismatch = deliver(&network, &grant, "b2");
    let (file, opening) = (network.path("b2.csv").display().to_string(), network.path("b2.opening.json").display().to_string());
    let fixed = ["share", "receipt", "--delivery", &mismatch, "--result", "mismatch", "--rows", "2"];
    run(&network, &[&fixed[..], &["--file", &file, "--opening", &opening, "--key", &office1][..]].concat());
    answer(&network, &request(&network, "agency-0:roads", "ordinary"), &agree);
    let refused = request(&network, "agency-0:bridges", "ordinary");
    let refusal = answer(&network, &refused, &["--outcome", "refuse", "--code", "not-held", "--reason", "none here"]);
    let silent = request(&network, "agency-0:bridges", "backflow");
    let head = head_time(&network);
    History { network, silent, refusal, unacknowledged, mismatch, early, head }
}

#[test]
fn every_question_is_answered_by_command_and_over_http() {
    let history = tell();
    let late = history.days_on(90);
    let cases: [(&[&str], &str); 10] = [
        (&["todo", "--agency", "agency-0"], "todo?agency=agency-0&"),
        (
            &["overdue", "--agency", "agency-0", "--clock", "answer", "--territory", "33"],
            "overdue?agency=AGENCY-0&clock=answer&territory=33&",
        ),
        (&["refusals"], "refusals?"),
        (&["promises"], "promises?"),
        (&["terms"], "terms?"),
        (&["catalogue", "check"], "catalogue/check?"),
        (&["burden", "--territory", TERRITORY], "burden?territory=3301&"),
        (&["public", "--agency", "agency-1"], "public?agency=agency-1&"),
        (&["matrix", "--digits", "4"], "matrix?digits=4&"),
        (&["obligations", "--agency", "agency-1", "--state", "open"], "obligations?agency=agency-1&state=open&"),
    ];
    for (command, path) in cases {
        let by_command = history.run(&[command, &["--as-of", &late]].concat());
        let over_http = history.ask(&format!("{path}as_of={late}"));
        assert_eq!(by_command.to_jcs(), over_http.to_jcs(), "{path}");
        assert_eq!(text(&over_http, "source"), "index");
        for member in ["as_of", "position", "coverage"] {
            assert!(over_http.get(member).is_some(), "{member}: {}", over_http.to_jcs());
        }
        let zh = history.print(&[command, &["--as-of", &late, "--lang", "zh"]].concat());
        assert!(String::from_utf8_lossy(&zh.stdout).contains("\u{622a}\u{81f3}"), "{path}");
    }
    contents(&history, &late);
    chain_and_evidence(&history);
    moments(&history);
    pages(&history, &late);
    exports(&history, &late);
    refusals(&history);
}

/// What the answers hold.
fn contents(history: &History, late: &str) {
    let overdue = history.ask(&format!("overdue?agency=agency-0&clock=answer&as_of={late}"));
    assert_eq!(texts(&overdue, "record"), [history.silent.as_str()], "{}", overdue.to_jcs());
    let line = &items(&overdue)[0];
    assert_eq!((text(line, "debtor"), text(line, "creditor"), text(line, "state")), ("agency-0", "agency-1", "open"));
    assert_eq!((text(line, "dataset"), text(line, "title")), ("agency-0:bridges", "street lists"));
    assert!(line.get("late_days").and_then(Value::as_u64).unwrap() > 20);
    let refusals = history.ask(&format!("refusals?as_of={late}"));
    assert_eq!(texts(&refusals, "record"), [history.refusal.as_str()]);
    let faults: Vec<_> = items(&refusals)[0].get("faults").unwrap().as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(faults, ["no-basis", "shareable"]);
    let promises = history.ask(&format!("promises?as_of={late}"));
    assert_eq!(texts(&promises, "breach"), ["undelivered", "unacknowledged", "mismatched"], "{}", promises.to_jcs());
    assert_eq!(texts(&promises, "record")[1..], [history.unacknowledged.as_str(), history.mismatch.as_str()]);
    let check = history.ask(&format!("catalogue/check?as_of={late}"));
    for fault in ["dutiless", "never-delivered", "never-used"] {
        assert!(texts(&check, "fault").contains(&fault), "{fault}: {}", check.to_jcs());
    }
    let burden = history.ask(&format!("burden?territory={TERRITORY}&as_of={late}"));
    assert_eq!(texts(&burden, "record"), [history.silent.as_str()]);
    let public = history.ask(&format!("public?dataset=agency-0:roads&as_of={late}"));
    assert_eq!(texts(&public, "title"), [FORMULA, FORMULA]);
    let matrix = history.ask(&format!("matrix?as_of={late}"));
    for side in ["provider", "requester"] {
        let total = matrix.get("totals").and_then(|totals| totals.get(side)).unwrap();
        let counts = ["requests", "answered", "refused", "delivered", "backflow"].map(|name| total.get(name).unwrap().as_u64().unwrap());
        assert_eq!(counts, [4, 3, 1, 2, 1], "{side}: {}", matrix.to_jcs());
    }
}

fn chain_and_evidence(history: &History) {
    let chain = history.run(&["chain", &history.mismatch]);
    let kinds = texts(&chain, "kind");
    assert_eq!(kinds, ["duty.declare", "dataset.publish", "share.request", "share.answer", "share.deliver", "share.receipt"]);
    let file = history.network.path("silent.evidence.json");
    history.run(&["evidence", &history.silent, "-o", file.to_str().unwrap()]);
}

/// Earlier moments see less; no moment is too far ahead.
fn moments(history: &History) {
    let early = history.early.to_string();
    let before = history.ask(&format!("todo?agency=agency-0&as_of={early}"));
    assert!(texts(&before, "clock").iter().all(|clock| *clock == "catalogue_review"), "{}", before.to_jcs());
    let coverage = |answer: &Value| answer.get("coverage").and_then(|coverage| coverage.get("records")).unwrap().as_u64().unwrap();
    assert_eq!(coverage(&before), 3);
    let now = history.ask("overdue");
    assert!(items(&now).is_empty(), "{}", now.to_jcs());
    assert!(coverage(&now) > 3);
    let day = history.ask(&format!("overdue?as_of={}", history.days_on(1)));
    assert!(text(&day, "as_of").ends_with("T15:59:59.999Z"), "the end of a day at +08:00: {}", text(&day, "as_of"));
    assert_eq!(history.refused(&format!("overdue?as_of={}", history.days_on(400))), (400, "query-invalid".to_owned()));
}

/// Pages are those of the moment, whatever is recorded between them.
fn pages(history: &History, late: &str) {
    let whole = history.ask(&format!("todo?agency=agency-0&as_of={late}"));
    assert!(items(&whole).len() >= 3 && whole.get("next").is_none(), "{}", whole.to_jcs());
    let mut path = format!("todo?agency=agency-0&limit=1&as_of={late}");
    let mut found = Vec::new();
    loop {
        let page = history.ask(&path);
        found.extend_from_slice(items(&page));
        assert_eq!(page.get("position"), whole.get("position"));
        let Some(next) = page.get("next").and_then(Value::as_str) else {
            break;
        };
        // The cursor holds the moment; it need not be named again.
        path = format!("todo?agency=agency-0&limit=1&after={next}");
        if found.len() == 1 {
            request(&history.network, "agency-0:roads", "ordinary");
        }
    }
    assert_eq!(found, items(&whole));
    let all = history.run(&["todo", "--agency", "agency-0", "--as-of", late, "--limit", "2", "--all"]);
    assert!(items(&all).len() > found.len(), "the new request is owed too");
    let cursor = history.ask(&format!("todo?agency=agency-0&limit=1&as_of={late}"));
    let cursor = text(&cursor, "next");
    for wrong in [format!("overdue?after={cursor}"), format!("todo?agency=agency-0&after={cursor}&as_of=2026-01-01")] {
        assert_eq!(history.refused(&wrong), (400, "cursor-invalid".to_owned()), "{wrong}");
    }
}

/// CSV that no spreadsheet runs, and calendars.
fn exports(history: &History, late: &str) {
    let printed = history.print(&["public", "--csv"]).stdout;
    let (status, served) = history.network.net.get(0, "/api/v1/public?format=csv").unwrap();
    assert_eq!(status, 200);
    let titles = |bytes: &[u8]| -> Vec<String> {
        let mut reader = csv::Reader::from_reader(bytes);
        let place = reader.headers().unwrap().iter().position(|heading| heading == "title").unwrap();
        reader.records().map(|record| record.unwrap().get(place).unwrap().to_owned()).collect()
    };
    assert!(titles(&printed).len() >= 2);
    assert!(titles(&printed).iter().all(|title| *title == format!("'{FORMULA}")), "{:?}", titles(&printed));
    assert_eq!(titles(&printed), titles(&served));
    let mut response = ureq::get(format!("{}/api/v1/overdue?limit=1&as_of={late}", history.network.net.nodes[0].http))
        .header("accept", "text/csv")
        .call()
        .unwrap();
    assert_eq!(response.headers().get("content-type").unwrap(), "text/csv; charset=utf-8; header=present");
    let link = response.headers().get("link").unwrap().to_str().unwrap().to_owned();
    assert!(link.contains("&after=") && link.ends_with("rel=\"next\""), "{link}");
    assert_eq!(response.body_mut().read_to_string().unwrap().matches("\r\n").count(), 2, "headings and one line");
    let file = history.network.path("overdue.ics");
    history.run(&["overdue", "--agency", "agency-0", "--as-of", late, "--ics", file.to_str().unwrap()]);
    let written = std::fs::read_to_string(&file).unwrap();
    let served = history.network.net.get(0, &format!("/api/v1/overdue.ics?agency=agency-0&as_of={late}")).unwrap();
    assert_eq!((served.0, written.as_bytes()), (200, &served.1[..]));
    let overdue = history.ask(&format!("overdue?agency=agency-0&as_of={late}"));
    well_formed(&written, items(&overdue).len());
    let todo = history.network.net.get(0, "/api/v1/todo.ics?agency=agency-3").unwrap();
    well_formed(&String::from_utf8(todo.1).unwrap(), 0);
}

/// RFC 5545: components nest, lines are short and end in CRLF, each event has what it needs, and no UID stands twice.
fn well_formed(calendar: &str, events: usize) {
    assert!(calendar.ends_with("\r\n"));
    for line in calendar.trim_end().split("\r\n") {
        assert!(line.len() <= 75 && !line.contains(['\r', '\n']), "{line}");
    }
    let unfolded = calendar.replace("\r\n ", "");
    let mut open = Vec::new();
    let mut uids = std::collections::BTreeSet::new();
    let mut names: Vec<&str> = Vec::new();
    for line in unfolded.split_terminator("\r\n") {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no value: {line}"));
        match name {
            "BEGIN" => {
                open.push(value);
                names.clear();
            }
            "END" => {
                assert_eq!(open.pop(), Some(value));
                if value == "VEVENT" {
                    assert!(["UID", "DTSTAMP", "DTSTART;VALUE=DATE", "SUMMARY"].iter().all(|want| names.contains(want)), "{names:?}");
                }
            }
            "UID" => assert!(uids.insert(value.to_owned()), "{value} twice"),
            _ => {}
        }
        names.push(name);
    }
    assert!(open.is_empty());
    assert_eq!(uids.len(), events);
}

/// Parameters that are unknown, repeated, missing or wrong.
fn refusals(history: &History) {
    for path in [
        "todo",
        "todo?agency=agency-0&agency=agency-0",
        "todo?agency=agency-0&clock=answer",
        "overdue?clock=never",
        "overdue?as_of=yesterday",
        "overdue?limit=0",
        "overdue?format=xml",
        "overdue?as_of=2026-01-01&as_of=2026-01-02",
        "refusals?agency=agency-0",
        "promises?from=2026-01-01",
        "terms?x=",
        "catalogue/check?limit=1001",
        "burden",
        "burden?territory=x",
        "public?line=health",
        "obligations",
        "obligations?agency=agency-0&state=closed",
        "obligations?agency=agency-0&from=2026-02-01&to=2026-02-01",
        "matrix?digits=5",
        "matrix?limit=5",
        "matrix?from=2026-02-01&to=2026-01-01",
        "matrix?territory=330106&digits=4",
        "todo.ics",
        "overdue.ics?agency=agency-0&clock=answer",
    ] {
        assert_eq!(history.refused(path), (400, "query-invalid".to_owned()), "{path}");
    }
    assert_eq!(history.refused("todo?agency=nobody"), (404, "not-found".to_owned()));
    assert_eq!(history.refused("overdue?after=1.2.3"), (400, "cursor-invalid".to_owned()));
    let (status, output) = history.network.cli(&["todo", "--agency", "nobody"]).unwrap_err();
    assert_eq!(status, 1, "{output}");
}
