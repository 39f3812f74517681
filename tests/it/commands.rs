//! The command line against a running network: drafts, dry runs, histories, imports of all sorts, the catalogue out and back in.

use std::fs;

use sharelog::core::json::{self, Strings, Value};

use super::network::{TestNetwork, sharelog};

/// A network with the paths of its keys.
struct Desk {
    network: TestNetwork,
}

impl Desk {
    fn new() -> Self {
        Desk { network: TestNetwork::start() }
    }

    /// Words of a line; `{agency/role}` stands for a key file, `{/file}` for a file of the folder, `_` for a space in a word.
    fn words(&self, line: &str) -> Vec<String> {
        let word = |word: &str| match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
            Some(path) if path.starts_with('/') => self.network.path(&path[1..]).display().to_string(),
            Some(key) => {
                let (agency, role) = key.split_once('/').unwrap();
                self.network.key_path(agency, role)
            }
            None => word.replace('_', " "),
        };
        line.split(' ').map(word).collect()
    }

    fn good(&self, line: &str) -> Value {
        let words = self.words(line);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        self.network.cli(&words).unwrap_or_else(|(status, text)| panic!("{line}: {status}: {text}"))
    }

    fn bad(&self, line: &str, status: i32, said: &str) {
        let words = self.words(line);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let (found, text) = self.network.cli(&words).expect_err(line);
        assert_eq!(found, status, "{line}: {text}");
        assert!(text.contains(said), "{line}: {text}");
    }

    /// What is printed without `--json`.
    fn printed(&self, line: &str) -> String {
        let mut words = self.words(line);
        words.extend(["--node".to_owned(), self.network.net.nodes[0].http.clone()]);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let out = sharelog(&words);
        assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.network.path(file), text).unwrap();
    }

    fn size(&self) -> u64 {
        let status = self.network.net.ask(0, "/api/v1/status").unwrap();
        status.get("head").unwrap().get("size").unwrap().as_u64().unwrap()
    }
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    let found = path.split('.').try_fold(value, |value, name| match name.parse::<usize>() {
        Ok(index) => value.as_array()?.get(index),
        Err(_) => value.get(name),
    });
    found.and_then(Value::as_str).unwrap_or_else(|| panic!("no {path} in {}", value.to_jcs()))
}

fn count(summary: &Value, name: &str) -> u64 {
    summary.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn items(answer: &Value) -> &[Value] {
    answer.get("items").and_then(Value::as_array).unwrap()
}

const HOLIDAYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cn_holidays_2023_2026.csv");
const DIVISIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cn_divisions_hangzhou.csv");

#[test]
fn drafts_dry_runs_and_histories() {
    let desk = Desk::new();

    // A dry run judges by the state at hand, shows the due days and leaves nothing behind.
    let publish = "dataset publish --id agency-0:beds --title Bets --class conditional --conditions agreement --purposes checks --frequency monthly --key {agency-0/head}";
    let size = desk.size();
    let tried = desk.good(&format!("{publish} --dry-run"));
    assert_eq!((text(&tried, "status"), text(&tried, "due.0.clock")), ("acceptable", "catalogue_review"));
    assert_eq!(text(&tried, "due.0.debtor"), "authority");
    desk.good(publish);
    desk.bad(&format!("{publish} --version 1 --dry-run"), 5, "version-wrong");
    assert!(desk.size() <= size + 4, "nothing but the one record and block entries");

    // A guess of personal data stops on this side, and at the node, unless it is forced.
    let duty = "duty declare --id agency-1:census --title Call_13800138000 --basis Census_Act --key {agency-1/office}";
    desk.bad(duty, 5, "text-forbidden");
    desk.good(&format!("{duty} --force-text --dry-run"));
    desk.good(&format!("{duty} --force-text"));

    // A template becomes a record once its values are filled in.
    let template = desk.printed("record draft duty.declare --lang en");
    assert!(template.contains("# Legal bases (1 to 8 texts of at most 2000 bytes each)"), "{template}");
    assert!(!desk.printed("record draft duty.declare --lang zh").is_ascii());
    desk.bad("record draft share.nothing", 5, "kind-unknown");
    desk.write("duty.toml", &template.replace("agency-0:permits", "agency-1:permits"));
    let drafted = desk.good("record submit --draft {/duty.toml} --key {agency-1/office}");
    desk.write("broken.toml", "kind = \"duty.declare\"\n[body]\nid = 1.5\n");
    desk.bad("record submit --draft {/broken.toml} --key {agency-1/office}", 6, "body.id");

    // The claimed time is the one that was asked for, within the bounds of the rules.
    let now = text(&drafted, "time").to_owned();
    let dated = format!("duty declare --id agency-1:roads --title Roads --basis Road_Act --key {{agency-1/office}} --at {now}");
    let dated = desk.good(&dated);
    assert_eq!(text(&desk.good(&format!("get {}", text(&dated, "id"))), "at"), now);
    desk.bad(
        "duty declare --id agency-1:old --title Old --basis Act --key {agency-1/office} --at 2020-01-01T00:00:00.000Z",
        5,
        "at-out-of-range",
    );

    // An amendment shows in the life of the record and of the dataset; the old text is struck.
    let record = text(&items(&desk.good("history agency-0:beds"))[0], "id").to_owned();
    desk.good(&format!("record amend --record {record} --set title=Beds --reason typing_error --key {{agency-0/head}}"));
    let life = desk.printed("history agency-0:beds");
    assert!(life.contains("title: ~~Bets~~ Beds"), "{life}");
    let life = desk.good(&format!("history {record}"));
    let kinds: Vec<_> = items(&life).iter().map(|item| text(item, "kind")).collect();
    assert_eq!(kinds, ["dataset.publish", "record.amend"]);
    assert_eq!(text(&items(&life)[0], "amendments.0.texts.title"), "Beds");
    assert_eq!(text(&items(&life)[0], "body.title"), "Bets");
    desk.bad("history nobody", 1, "not-found");
}

#[test]
fn an_agency_has_a_life_and_a_policy_is_set_over_the_one_in_force() {
    let desk = Desk::new();
    let shown = desk.good("policy show");
    assert_eq!(shown.get("clocks").unwrap().get("receipt").unwrap().as_u64(), Some(5));
    desk.bad("policy set --key {authority/authority}", 2, "--file");
    desk.bad("policy set --heartbeat-ms 1 --key {authority/authority}", 5, "field-invalid");
    desk.good("policy set --clocks-receipt 7 --pause-on-supplement false --key {authority/authority}");
    let shown = desk.good("policy show");
    assert_eq!(shown.get("clocks").unwrap().get("receipt").unwrap().as_u64(), Some(7));
    assert_eq!(shown.get("pause_on_supplement").unwrap().as_bool(), Some(false));

    desk.good("agency change --id agency-3 --name-en Water_Office --level city --territory 3301 --line water --key {authority/authority}");
    desk.good("agency suspend --id agency-3 --reason key_lost --key {authority/authority}");
    desk.bad("duty declare --id agency-3:water --title Water --basis Water_Act --key {agency-3/office}", 5, "agency-suspended");
    desk.good("agency suspend --id agency-3 --status active --reason key_found --key {authority/authority}");
    desk.good("key revoke --reason no_longer_used --key {agency-3/head}");
    let life = desk.good("history agency-3");
    let kinds: Vec<_> = items(&life).iter().map(|item| text(item, "kind")).collect();
    assert_eq!(kinds, ["agency.change", "agency.suspend", "agency.suspend", "key.revoke"]);
    // The proposal of the height is ten minutes ahead, and four validators cannot lose one.
    desk.bad("validator remove --agency agency-3 --key {authority/authority}", 5, "");
}

#[test]
fn territories_and_calendars_are_imported_once() {
    let desk = Desk::new();
    let territories = format!("import territories {DIVISIONS} --key {{authority/authority}} --journal {{/t.journal}}");
    let territories = territories.replace('_', "\u{0}");
    let run = |line: &str| {
        let words: Vec<_> = desk.words(line).into_iter().map(|word| word.replace('\u{0}', "_")).collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        desk.network.cli(&words).unwrap_or_else(|(status, text)| panic!("{line}: {status}: {text}"))
    };
    let summary = run(&territories);
    assert_eq!((count(&summary, "rows"), count(&summary, "refused")), (3_530, 0));
    // 1 city, 13 districts, 196 streets, 3,320 communities, 100 to a record.
    assert_eq!(count(&summary, "committed"), 1 + 1 + 2 + 34);
    let again = run(&territories);
    assert_eq!((count(&again, "committed"), count(&again, "kept")), (0, 3_530));

    let calendar = format!("import calendar {HOLIDAYS} --key {{authority/authority}} --journal {{/c.journal}}").replace('_', "\u{0}");
    let summary = run(&calendar);
    assert_eq!((count(&summary, "rows"), count(&summary, "committed")), (142, 4));
    assert_eq!(count(&run(&calendar), "kept"), 4);
    // With calendars the due days are certain: the first working day after the New Year holidays of 2026 included.
    desk.good("duty declare --id agency-1:d --title D --basis Act --key {agency-1/office}");

    desk.write("bad.csv", "code,name,level,parent\n3302,Ningbo,city,\n330201,Haishu,district,3301\n330203,Yinzhou,district,3302\n330203,Jiangbei,district,3302\n");
    desk.bad("import territories {/bad.csv} --key {authority/authority}", 5, "line 3");
    let skipped = desk.good("import territories {/bad.csv} --key {authority/authority} --on-error skip");
    assert_eq!((count(&skipped, "refused"), count(&skipped, "rows")), (2, 4));
    desk.write(
        "twice.csv",
        "date,kind,notice_year,notice_url\n2027-01-01,off,2027,http://n\n2027-01-01,work,2027,http://n\n".replace('\u{0}', "_").as_str(),
    );
    desk.bad("import calendar {/twice.csv} --key {authority/authority}", 5, "line 3");
    desk.bad("import territories {/bad.csv} --key {agency-0/office}", 3, "authority");
}

#[test]
fn tables_of_agencies_become_records_and_the_catalogue_reads_back_the_same() {
    let desk = Desk::new();
    desk.write("duties.csv", "agency,id,title,basis\nagency-1,permits,Permits,Permit Act; Data Act\nagency-1,Permits,permits,Permit Act\n");
    let summary = desk.good("import duties {/duties.csv} --keys {/clients}");
    assert_eq!((count(&summary, "committed"), count(&summary, "repeated")), (1, 1));
    assert_eq!(count(&desk.good("import duties {/duties.csv} --keys {/clients}"), "kept"), 2);

    for (class, more) in [
        ("unconditional", ""),
        ("withheld", "--bar Statistics_Act"),
        ("conditional", "--conditions by_agreement --purposes one,_two --purposes three"),
    ] {
        let more = format!(
            "{more} --format CSV --format JSON --topic Health --summary All,_of;_them --items number:integer --items holder --system Permit_system --grade general"
        );
        let line = format!(
            "dataset publish --id agency-0:{class} --title Title,_{class} --class {class} --frequency halfyearly --key {{agency-0/head}} {}",
            more.trim()
        );
        desk.good(&line);
    }
    desk.write(
        "requests.csv",
        "requester,datasets,duty,basis,purpose,label\nagency-1,agency-0:unconditional,agency-1:permits,Permit Act,checks,2026-1\nagency-1,agency-0:nothing,agency-1:permits,Permit Act,checks,2026-2\n",
    );
    desk.bad("import requests {/requests.csv} --keys {/clients}", 5, "dataset-unknown");
    let summary = desk.good("import requests {/requests.csv} --keys {/clients} --on-error skip");
    assert_eq!((count(&summary, "kept"), count(&summary, "refused")), (1, 1));

    let request = text(&items(&desk.good("query requests"))[0], "id").to_owned();
    let grant = text(&desk.good(&format!("share answer --request {request} --outcome agree --key {{agency-0/office}}")), "id").to_owned();
    desk.write("data.csv", "1,2\n");
    let deliver =
        format!("share deliver --grant {grant} --dataset agency-0:unconditional --batch b1 --file {{/data.csv}} --key {{agency-0/office}}");
    let tried = desk.good(&format!("{deliver} --dry-run"));
    assert_eq!(text(&tried, "due.0.debtor"), "agency-1");
    assert!(!desk.network.path("data.csv.opening.json").exists(), "a dry run writes nothing");
    let delivery = text(&desk.good(&deliver), "id").to_owned();
    let (data, opening) = (desk.network.path("data.csv"), desk.network.path("data.csv.opening.json"));
    desk.write("receipts.csv", &format!("delivery,file,opening,rows\n{delivery},{},{},2\n", data.display(), opening.display()));
    assert_eq!(count(&desk.good("import receipts {/receipts.csv} --keys {/clients}"), "committed"), 1);
    assert_eq!(count(&desk.good("import receipts {/receipts.csv} --keys {/clients}"), "kept"), 1);

    desk.good("export catalogue -o {/out.jsonld}");
    let exported: Value = json_of(&fs::read_to_string(desk.network.path("out.jsonld")).unwrap());
    let first = &exported.get("dcat:dataset").unwrap().as_array().unwrap()[0];
    assert_eq!(text(first, "dct:accrualPeriodicity.@id"), "http://publications.europa.eu/resource/authority/frequency/ANNUAL_2");
    let before = catalogue(&desk);
    drop(desk);

    let elsewhere = Desk::new();
    elsewhere.write("in.jsonld", &exported.to_jcs());
    let summary = elsewhere.good("import datasets {/in.jsonld} --keys {/clients}");
    assert_eq!((count(&summary, "committed"), count(&summary, "refused")), (3, 0));
    assert_eq!(catalogue(&elsewhere), before);
    assert_eq!(count(&elsewhere.good("import datasets {/in.jsonld} --keys {/clients}"), "kept"), 3);
}

/// The catalogue without what belongs to one ledger.
fn catalogue(desk: &Desk) -> Vec<String> {
    let entry = |item: &Value| {
        let members = item.as_object().unwrap().iter().filter(|(name, _)| !["position", "record", "time"].contains(&name.as_str()));
        Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect()).to_jcs()
    };
    let mut entries: Vec<_> = items(&desk.good("query datasets --all")).iter().map(entry).collect();
    entries.sort();
    entries
}

/// JSON as people lay it out.
fn json_of(text: &str) -> Value {
    let loose: serde_json::Value = serde_json::from_str(text).unwrap();
    json::parse(serde_json_canonicalizer::to_string(&loose).unwrap().as_bytes(), Strings::Strict).unwrap()
}
