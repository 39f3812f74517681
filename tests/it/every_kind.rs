//! Every kind of record by its command, on a running network; then every question, a report, and the judge.

use std::collections::BTreeSet;

use sharelog::core::json::Value;
use sharelog::core::kinds::Kind;

use super::judge::judge;
use super::network::{TestNetwork, sharelog};

/// The network with what its people do.
struct Office {
    network: TestNetwork,
}

impl Office {
    /// Runs a command written in one line; `@agency/role` is the path of a key, `#name` the id of an earlier record.
    fn run(&self, line: &str) -> String {
        let answer = self.ask(line);
        answer.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn ask(&self, line: &str) -> Value {
        let arguments: Vec<_> = line.split_whitespace().map(|word| self.word(word)).collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        self.network.cli(&arguments).unwrap_or_else(|(status, text)| panic!("{line}\n{status} {text}"))
    }

    fn word(&self, word: &str) -> String {
        match word.strip_prefix('@').and_then(|key| key.split_once('/')) {
            Some((agency, role)) => self.network.key_path(agency, role),
            None => word.replace('_', " "),
        }
    }

    /// Keys of a new agency, and its admission.
    fn admit(&self, agency: &str, more: &str) {
        let genesis = self.network.path("genesis.json").display().to_string();
        let mut keys = String::new();
        for role in ["head", "office", "recovery"] {
            let out = self.network.key_path(agency, role);
            self.ask(&format!("key generate --agency {agency} --role {role} --genesis {genesis} --out {out}"));
            keys.push_str(&format!(" --keys {}", out.replace(".pem", ".vkey")));
        }
        self.run(&format!("agency admit --id {agency} --name-en Bureau-{agency} --scheme plain {more}{keys} --key @authority/authority"));
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.network.path(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

fn governance(office: &Office) {
    office.run("policy set --clocks-receipt 7 --key @authority/authority");
    office.run(
        "calendar set --year 2027 --off 2027-01-01 --work 2027-01-03 --notice-url https://example.test/2027 --key @authority/authority",
    );
    office.run("territory set --code 3301 --level city --name-en Hangzhou --key @authority/authority");
    office.run("territory set --code 330106 --level district --name-en Xihu --parent 3301 --key @authority/authority");
    office.admit("bureau", "--level district --territory 330106");
    office.run(
        "agency change --id bureau --name-en Bureau-bureau --level district --territory 330106 --line health --key @authority/authority",
    );
    office.admit("short", "--level outside");
    office.run("agency retire --id short --reason dissolved --key @authority/authority");
    office.run("agency suspend --id bureau --reason key_found --key @authority/authority");
    office.run("agency suspend --id bureau --status active --reason keys_replaced --key @authority/authority");
    let genesis = office.network.path("genesis.json").display().to_string();
    let new = office.network.path("new-office.pem").display().to_string();
    office.ask(&format!("key generate --agency bureau --role office --genesis {genesis} --out {new}"));
    office.run(&format!("key rotate --key @bureau/office --key {new}"));
    let vkey = new.replace(".pem", ".vkey");
    office.run(&format!("key revoke --revoked {vkey} --reason laptop_stolen --key @bureau/recovery"));
}

fn members(office: &Office) {
    let home = office.network.path("joins").display().to_string();
    let out = sharelog(&["node", "init", "--home", &home, "--agency", "bureau", "--node-only"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    office.run(&format!("validator add --part {home}/part.json --from 1000000 --key @authority/authority"));
    office.run(&format!(
        "validator change --part {home}/part.json --addresses /ip4/127.0.0.1/tcp/9 --from 1000001 --key @authority/authority"
    ));
    office.run("validator remove --agency bureau --from 1000002 --key @authority/authority");
    let follower = office.network.path("follows").display().to_string();
    let out = sharelog(&["node", "init", "--home", &follower, "--agency", "agency-2", "--follower", "--json"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let made = sharelog::core::json::parse(out.stdout.trim_ascii_end(), sharelog::core::json::Strings::Strict).unwrap();
    office.run(&format!("node admit --part {follower}/part.json --key @agency-2/head"));
    office.run(&format!("node remove --peer {} --key @agency-2/head", made.get("peer").unwrap().as_str().unwrap()));
}

fn catalogue(office: &Office) -> String {
    office.run("duty declare --id agency-0:checks --title Checks --basis Check_Act --territory 3301 --line health --key @agency-0/office");
    office.run("duty declare --id agency-1:register --title Register --basis Register_Act --key @agency-1/office");
    office.run("duty declare --id agency-1:over --title Over --basis Old_Act --key @agency-1/office");
    office.run("duty retire --id agency-1:over --reason repealed --key @agency-1/office");
    let roads = office.run(
        "dataset publish --id agency-1:roads --title Raods --class conditional --conditions duty --purposes checks --frequency monthly \
         --items name --duty agency-1:register --key @agency-1/head",
    );
    office.run("dataset publish --id agency-1:old --title Old --class unconditional --frequency once --key @agency-1/head");
    office.run("dataset retire --id agency-1:old --reason gone --key @agency-1/head");
    office.run("dataset review --id agency-1:roads --outcome approve --key @authority/authority");
    office.run(&format!("record amend --record {roads} --set title=Roads --reason slip --key @agency-1/head"));
    office.run(
        "collect notice --duty agency-0:checks --title Forms --items name --items heads --level community --territory 330106 --frequency \
         yearly --key @agency-0/office",
    );
    roads
}

fn ask_for(office: &Office, label: &str) -> String {
    office.run(&format!(
        "share request --dataset agency-1:roads --duty agency-0:checks --basis Check_Act --purpose checks --mode file --sort ordinary \
         --label {label} --key @agency-0/office"
    ))
}

fn sharing(office: &Office) -> (String, String) {
    let request = ask_for(office, "one");
    office.run(&format!("share supplement --request {request} --missing term --key @agency-1/office"));
    office.run(&format!("share supplement --request {request} --given 2027 --key @agency-0/office"));
    office.run(&format!("share extend --record {request} --clock answer --days 5 --reason holidays --key @authority/authority"));
    let grant = office.run(&format!("share answer --request {request} --outcome agree --frequency monthly --key @agency-1/office"));
    let file = office.file("roads.csv", "name\nPing'an Lu\n");
    let deliver = |batch: &str| {
        office.run(&format!(
            "share deliver --grant {grant} --dataset agency-1:roads --version 1 --batch {batch} --mode file --rows 1 --file {file} \
             --opening {file}.{batch}.json --key @agency-1/office"
        ))
    };
    let (first, second) = (deliver("b1"), deliver("b2"));
    office.run(&format!("share receipt --delivery {first} --file {file} --opening {file}.b1.json --rows 1 --key @agency-0/office"));
    office.run(&format!(
        "share receipt --delivery {second} --result mismatch --file {file} --opening {file}.b2.json --rows 9 --key @agency-0/office"
    ));
    let correction = office.run(&format!("correction file --delivery {second} --error missing --text eight_rows --key @agency-0/office"));
    deliver("b3");
    office.run(&format!("correction close --correction {correction} --result repaired --batch b3 --key @agency-1/office"));
    let root = "5f3a09c1d2e4b677000102030405060708090a0b0c0d0e0f1011121314151617";
    office.run(&format!("share use --grant {grant} --period 2026-11 --count checks=12 --root {root} --key @agency-0/office"));
    office.run(&format!("share suspend --grant {grant} --cause unclear --key @agency-1/office"));
    office.run(&format!("share resume --grant {grant} --cause clear --key @agency-1/office"));
    office.run(&format!("share end --grant {grant} --cause agreed --negotiated --key @agency-1/office"));
    office.run(&format!("share dispose --grant {grant} --what batches --method wiped --file {file} --key @agency-0/office"));
    let withdrawn = ask_for(office, "two");
    office.run(&format!("share withdraw --request {withdrawn} --reason twice --key @agency-0/office"));
    (grant, first)
}

fn inspection(office: &Office) -> String {
    let request = ask_for(office, "three");
    let refusal = office.run(&format!("share answer --request {request} --outcome refuse --code other --reason no --key @agency-1/office"));
    let dispute = office.run(&format!("dispute file --record {refusal} --subject refusal --grounds article_21 --key @agency-0/office"));
    office.run(&format!("dispute refer --dispute {dispute} --to authority --reason own_matter --key @authority/authority"));
    office.run(&format!("dispute decide --dispute {dispute} --outcome share --reason listed --key @authority/authority"));
    let finding = office.run(&format!(
        "finding file --agency agency-1 --offence 39-4 --text refused_without_basis --evidence {refusal} --due 2030-12-31 \
         --key @inspector/inspector"
    ));
    office.run(&format!("finding rectify --finding {finding} --text shared_now --key @agency-1/office"));
    office.run(&format!("finding close --finding {finding} --outcome rectified --key @inspector/inspector"));
    finding
}

#[test]
fn every_kind_is_made_by_its_command_and_every_question_is_answered() {
    let mut office = Office { network: TestNetwork::start() };
    governance(&office);
    members(&office);
    let roads = catalogue(&office);
    let (grant, delivery) = sharing(&office);
    let finding = inspection(&office);
    office.network.settle(std::time::Duration::from_secs(120));

    let page = office.network.net.ask(0, "/api/v1/records?limit=1000").unwrap();
    let records = page.get("items").unwrap().as_array().unwrap();
    let made: BTreeSet<_> = records.iter().map(|record| record.get("kind").unwrap().as_str().unwrap()).collect();
    let all: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(made, all, "each kind was committed at least once");

    // Each question by its command, and the same bytes from every node for one moment.
    let status = office.network.net.ask(0, "/api/v1/status").unwrap();
    let as_of = status.get("head").unwrap().get("time").unwrap().as_str().unwrap().to_owned();
    let questions = [
        "todo?agency=agency-1",
        "overdue?",
        "obligations?agency=agency-1",
        "refusals?",
        "promises?",
        "terms?",
        "catalogue/check?",
        "burden?territory=3301",
        "public?",
        "matrix?",
    ];
    for question in questions {
        let answers: Vec<_> = (0..4)
            .map(|node| office.network.net.get(node, &format!("/api/v1/{question}&as_of={as_of}").replace("?&", "?")).unwrap())
            .collect();
        assert_eq!(answers[0].0, 200, "{question}: {}", String::from_utf8_lossy(&answers[0].1));
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{question} differs between nodes");
    }
    for line in [
        "todo --agency agency-1",
        "overdue --territory 3301",
        "obligations --agency agency-1",
        "refusals",
        "promises",
        "terms",
        "catalogue check",
        "burden --territory 3301",
        "public",
        "matrix",
    ] {
        assert!(office.ask(line).get("as_of").is_some(), "{line}");
    }
    for id in [&roads, &grant, &delivery, &finding] {
        office.ask(&format!("chain {id}"));
        office.ask(&format!("history {id}"));
    }
    let refusals = office.ask("refusals");
    let faults = refusals.get("items").unwrap().to_jcs();
    assert!(faults.contains("no-basis"), "{faults}");

    let folder = office.network.path("report").display().to_string();
    office.ask(&format!("report --agency agency-1 --from 2020-01-01 --to 2030-01-01 -o {folder} --lang zh"));
    let page = std::fs::read_to_string(office.network.path("report/report.html")).unwrap();
    assert!(page.contains("agency-1") && page.contains("lang=\"zh"), "a page in Chinese");
    let genesis = office.network.net.genesis_hash.clone();
    let verdict = office.ask(&format!("verify {folder}/evidence-1.evidence.json --genesis {genesis}"));
    assert_eq!(verdict.get("ok"), Some(&Value::Bool(true)));
    judge(&office.network, &Vec::new(), &[]);
}
