//! A report is a folder that stands by itself: a page without scripts, signed records, and evidence that holds offline.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sharelog::core::hash::Hash;
use sharelog::core::json::Value;
use sharelog::core::time::Time;

use super::network::{READY, TestNetwork, duty, record_id, sharelog};

const HOSTILE: &str = "<script>alert('x')</script> & \"y\" <img src=x onerror=z>";
/// More than one evidence file holds.
const DUTIES: usize = 70;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {}", value.to_jcs()))
}

fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

struct History {
    network: TestNetwork,
    /// The first record of all, before the request.
    early: Time,
    head: Time,
}

impl History {
    /// The exit status and what was printed; the report goes to `out`.
    fn report(&self, out: &str, more: &[&str]) -> Result<Value, (i32, String)> {
        let out = self.network.path(out).display().to_string();
        let day = |days: u64| self.head.plus_ms(days * 86_400_000).day(480).to_string();
        let (from, to) = (self.early.day(480).to_string(), day(1));
        let fixed = ["report", "--agency", "agency-0", "--from", &from, "--to", &to, "-o", &out];
        self.network.cli(&[&fixed[..], more].concat())
    }
}

/// agency-0 publishes, delivers twice, refuses once and is silent once; agency-1 acknowledges one of the deliveries.
fn tell() -> History {
    let mut network = TestNetwork::start();
    let run = |arguments: &[&str]| network.cli(arguments).unwrap_or_else(|(status, text)| panic!("{arguments:?}: {status}: {text}"));
    let key = |agency: &str, role: &str| network.key_path(agency, role);
    let (head0, office0, office1) = (key("agency-0", "head"), key("agency-0", "office"), key("agency-1", "office"));
    run(&["duty", "declare", "--id", "agency-1:register", "--title", HOSTILE, "--basis", "Register Act", "--key", &office1]);
    let publish = ["dataset", "publish", "--id", "agency-0:roads", "--title", HOSTILE, "--version", "1", "--class", "unconditional"];
    run(&[&publish[..], &["--frequency", "irregular", "--key", &head0][..]].concat());
    let time = |network: &TestNetwork| {
        let status = network.net.ask(0, "/api/v1/status").unwrap();
        Time::parse(text(status.get("head").unwrap(), "time")).unwrap()
    };
    let early = time(&network);
    let request = || {
        let fixed = ["share", "request", "--dataset", "agency-0:roads", "--duty", "agency-1:register", "--basis", "Register Act"];
        text(&run(&[&fixed[..], &["--purpose", HOSTILE, "--key", &office1][..]].concat()), "id").to_owned()
    };
    let answer = |request: &str, more: &[&str]| {
        text(&run(&[&["share", "answer", "--request", request, "--key", &office0][..], more].concat()), "id").to_owned()
    };
    let grant = answer(&request(), &["--outcome", "agree", "--dataset", "agency-0:roads"]);
    let deliver = |batch: &str| {
        let file = network.path(batch).display().to_string();
        fs::write(&file, batch).unwrap();
        let fixed = ["share", "deliver", "--grant", &grant, "--dataset", "agency-0:roads", "--version", "1", "--batch", batch];
        text(&run(&[&fixed[..], &["--rows", "1", "--file", &file, "--key", &office0][..]].concat()), "id").to_owned()
    };
    let (first, _) = (deliver("b1"), deliver("b2"));
    let (file, opening) = (network.path("b1").display().to_string(), network.path("b1.opening.json").display().to_string());
    run(&["share", "receipt", "--delivery", &first, "--file", &file, "--opening", &opening, "--rows", "1", "--key", &office1]);
    answer(&request(), &["--outcome", "refuse", "--code", "not-held", "--reason", HOSTILE]);
    let silent = request();
    let inspector = key("inspector", "inspector");
    let found = ["finding", "file", "--agency", "agency-0", "--offence", "39-4", "--text", HOSTILE, "--evidence", &silent];
    let finding = text(&run(&[&found[..], &["--due", "2030-12-31", "--key", &inspector][..]].concat()), "id").to_owned();
    run(&["finding", "rectify", "--finding", &finding, "--text", "under way", "--key", &office0]);
    let (origin, signer) = (network.net.origin.clone(), network.key("agency-0", "office"));
    for count in 0..DUTIES {
        let note = duty(&origin, "agency-0", &format!("d{count}"), &signer);
        ureq::post(format!("{}/api/v1/records", network.net.nodes[0].http)).header("content-type", "text/plain").send(note).unwrap();
    }
    network.settle(READY);
    let head = time(&network);
    History { network, early, head }
}

#[test]
fn a_report_stands_by_itself() {
    let history = tell();
    let later = history.head.plus_ms(60 * 86_400_000).day(480).to_string();
    let made = history.report("en", &["--lang", "en", "--as-of", &later]).unwrap();
    history.report("zh", &["--lang", "zh", "--as-of", &later]).unwrap();
    let evidence = made.get("evidence").and_then(Value::as_array).unwrap().len();
    assert!(evidence >= 2, "{}", made.to_jcs());
    for (dir, wanted) in [
        ("en", ["lang=\"en\"", "late by ", "not answered", "no receipt", "no legal basis"]),
        (
            "zh",
            [
                "lang=\"zh\"",
                "\u{903e}\u{671f} ",
                "\u{672a}\u{7b54}\u{590d}",
                "\u{672a}\u{56de}\u{6267}",
                "\u{672a}\u{5217}\u{6cd5}\u{5b9a}\u{4f9d}\u{636e}",
            ],
        ),
    ] {
        let dir = history.network.path(dir);
        let page = fs::read_to_string(dir.join("report.html")).unwrap();
        for want in wanted.into_iter().chain([
            "39-4",
            "2030-12-31",
            "under way",
            "class=\"proven\"",
            "class=\"indexed\"",
            "@media print",
            "&lt;script&gt;",
            "2026",
        ]) {
            assert!(page.contains(want), "no {want} in {}", dir.display());
        }
        for never in ["figure.", "outcome.", "receipt.", "closed.", "<script", "<img", "src=\"", "href=\"http", "url("] {
            assert!(!page.contains(never), "{never} in {}", dir.display());
        }
        for target in page.split("href=\"").skip(1).filter_map(|rest| rest.split_once('"')) {
            assert!(dir.join(target.0).is_file(), "{}", target.0);
        }
        holds(&history, &dir);
    }
    moments(&history);
    refusals(&history);
}

/// Every evidence file verifies offline against the hash, and together they prove exactly the records of the folder.
fn holds(history: &History, dir: &Path) {
    assert_eq!(fs::read(dir.join("genesis.json")).unwrap(), history.network.genesis);
    let hash = Hash::of(&history.network.genesis).to_hex();
    let how = fs::read_to_string(dir.join("VERIFY.txt")).unwrap();
    let notes: BTreeSet<_> = names(&dir.join("records"))
        .into_iter()
        .map(|name| {
            let note = fs::read_to_string(dir.join("records").join(&name)).unwrap();
            let id = record_id(&note).to_hex();
            assert!(name.ends_with(&format!("-{}.txt", &id[..12])), "{name}");
            id
        })
        .collect();
    assert!(notes.len() > DUTIES);
    let files = names(dir).into_iter().filter(|name| name.ends_with(".evidence.json"));
    let mut proven = BTreeSet::new();
    for file in files {
        assert_eq!(how.matches(&format!("sharelog verify {file} --genesis {hash}\n")).count(), 2, "{file}: {how}");
        let out = sharelog(&["verify", dir.join(&file).to_str().unwrap(), "--genesis", &hash, "--json"]);
        assert!(out.status.success(), "{file}: {}", String::from_utf8_lossy(&out.stderr));
        let verdict = sharelog::core::json::parse(out.stdout.trim_ascii_end(), sharelog::core::json::Strings::WithNotes).unwrap();
        let claims = verdict.get("claims").and_then(Value::as_array).unwrap();
        assert!(claims.iter().all(|claim| proven.insert(text(claim, "id").to_owned())), "{file}");
    }
    assert_eq!(proven, notes);
    assert!(!how.contains('{'), "{how}");
}

/// An earlier moment knows less, and says nothing of what came after.
fn moments(history: &History) {
    history.report("early", &["--lang", "en", "--as-of", &history.early.to_string()]).unwrap();
    let dir = history.network.path("early");
    assert_eq!(names(&dir.join("records")).len(), 1, "the publication alone");
    let page = fs::read_to_string(dir.join("report.html")).unwrap();
    assert!(!page.contains("no receipt") && page.contains("None."));
}

/// All or nothing.
fn refusals(history: &History) {
    let before = names(history.network.dir.path());
    let (status, output) = history.report("en", &[]).unwrap_err();
    assert_eq!(status, 2, "{output}");
    assert!(output.contains("it exists"), "{output}");
    let fixed = ["report", "--from", "2026-01-01", "--to", "2027-01-01", "-o"];
    let out = history.network.path("none").display().to_string();
    for (more, want) in [(&["--agency", "nobody"][..], 1), (&["--agency", "agency-0", "--as-of", "yesterday"], 5)] {
        let (status, output) = history.network.cli(&[&fixed[..], &[out.as_str()][..], more].concat()).unwrap_err();
        assert_eq!(status, want, "{output}");
    }
    let backwards = ["report", "--agency", "agency-0", "--from", "2026-02-01", "--to", "2026-02-01", "-o", &out];
    assert_eq!(history.network.cli(&backwards).unwrap_err().0, 2);
    let alone = [&fixed[..], &[&out, "--agency", "agency-0", "--node", "http://127.0.0.1:1"][..]].concat();
    assert_eq!(sharelog(&alone).status.code(), Some(4));
    assert_eq!(names(history.network.dir.path()), before);
}
