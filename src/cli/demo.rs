//! `sharelog demo`: a local four-agency network on real data, each step with what it proved.
//!
//! Everything goes by way of the ordinary commands, which are printed: what the demo does, a reader can type.

mod timeline;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::core::json::{self, Strings, Value};
use crate::core::policy;
use crate::node::local::LocalNetwork;

/// Waiting for a node of the fresh network, or for one to catch up.
const READY_WAIT: Duration = Duration::from_secs(60);
const NODES: usize = 4;
/// The day on which the Government Data Sharing Regulations came into force; the demo's clock starts there.
const CREATED: &str = "2025-07-31T16:00:00.000Z";
/// When the catalogue and the sharing log go in.
const IMPORTS: &str = "2025-08-04";
/// When a node is lost.
const OUTAGE: &str = "2025-11-10";

/// The real data, with its provenance in tests/data/PROVENANCE.md.
const FILES: [(&str, &[u8]); 6] = [
    ("cn_divisions_hangzhou.csv", include_bytes!("../../tests/data/cn_divisions_hangzhou.csv")),
    ("cn_holidays_2023_2026.csv", include_bytes!("../../tests/data/cn_holidays_2023_2026.csv")),
    ("tyc_agencies.csv", include_bytes!("../../tests/data/tyc_agencies.csv")),
    ("tyc_datasets.csv", include_bytes!("../../tests/data/tyc_datasets.csv")),
    ("nhsd_agreements_2021-02.csv", include_bytes!("../../tests/data/nhsd_agreements_2021-02.csv")),
    ("nhsd_releases_2021-02.csv", include_bytes!("../../tests/data/nhsd_releases_2021-02.csv")),
];

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog demo
  sharelog demo --dir /tmp/sharelog-demo --exit")]
pub struct DemoArgs {
    /// Where the network lives; must not exist yet (default: a folder under the system's temporary folder, removed at the end)
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// End after the last step instead of keeping the network up
    #[arg(long)]
    exit: bool,
    /// First of the nodes' ports
    #[arg(long, default_value_t = 26_600)]
    base_port: u16,
    /// First of the nodes' HTTP ports
    #[arg(long, default_value_t = 8_600)]
    http_port: u16,
}

/// The running demo.
struct Demo {
    binary: PathBuf,
    dir: PathBuf,
    network: LocalNetwork,
    start: Instant,
    steps: u32,
}

pub fn run(args: &DemoArgs) -> Result<()> {
    let temporary = std::env::temp_dir().join(format!("sharelog-demo-{}", std::process::id()));
    let dir = args.dir.clone().unwrap_or_else(|| temporary.clone());
    ensure!(!dir.exists(), "{} exists already: name a folder that does not, or remove it", dir.display());
    let mut demo = Demo::begin(args, dir)?;
    demo.frame()?;
    demo.city_catalogue()?;
    demo.outside_provider()?;
    demo.sharing_log()?;
    let delivery = demo.who_got_what()?;
    demo.evidence(&delivery)?;
    demo.autumn()?;
    demo.lose_a_node()?;
    demo.questions()?;
    demo.end(args)?;
    if args.dir.is_none() {
        drop(demo);
        std::fs::remove_dir_all(&temporary).context("removing the demo's folder")?;
    }
    Ok(())
}

impl Demo {
    fn begin(args: &DemoArgs, dir: PathBuf) -> Result<Self> {
        let start = Instant::now();
        let binary = std::env::current_exe().context("finding this program")?;
        println!("sharelog demo in {}", dir.display());
        let ports = [args.base_port.to_string(), args.http_port.to_string()];
        let dir_text = dir.display().to_string();
        run_command(
            &binary,
            None,
            &[
                "testnet",
                "init",
                "--dir",
                &dir_text,
                "--validators",
                "4",
                "--base-port",
                &ports[0],
                "--http-port",
                &ports[1],
                "--test-clock",
                "--created",
                CREATED,
            ],
        )?;
        let data = dir.join("data");
        std::fs::create_dir_all(&data).with_context(|| format!("making {}", data.display()))?;
        for (name, bytes) in FILES {
            std::fs::write(data.join(name), bytes).with_context(|| format!("writing {name}"))?;
        }
        let mut policy = policy::default_body().as_object().cloned().context("a policy is an object")?;
        policy.insert("test_clock".to_owned(), true.into());
        std::fs::write(data.join("policy.json"), Value::Object(policy).to_jcs()).context("writing policy.json")?;
        let mut network = LocalNetwork::open(&dir, &binary)?;
        network.start_all()?;
        for index in 0..NODES {
            network.wait_ready(index, READY_WAIT)?;
        }
        let mut demo = Demo { binary, dir, network, start, steps: 0 };
        let text = format!("genesis {}, origin {}", &demo.network.genesis_hash[..16], demo.network.origin);
        demo.step("Four agencies' nodes, four processes", &format!("they met, agreed on block 1 and cosigned its checkpoint ({text})"));
        Ok(demo)
    }

    fn step(&mut self, what: &str, proved: &str) {
        self.steps += 1;
        println!("\n[{}] {what} ({:.0} s)\n    proved: {proved}", self.steps, self.start.elapsed().as_secs_f64());
    }

    fn path(&self, relative: &str) -> String {
        self.dir.join(relative).display().to_string()
    }

    /// Runs an ordinary command against node 0, printing it; gives its JSON.
    fn sharelog(&self, arguments: &[&str]) -> Result<Value> {
        run_command(&self.binary, Some(&self.network.nodes[0].http), arguments)
    }

    /// As [`Demo::sharelog`], the record claiming the morning of `day`.
    fn on(&self, day: &str, arguments: &[&str]) -> Result<Value> {
        let at = morning(day);
        self.sharelog(&[arguments, &["--at", &at]].concat())
    }

    fn head(&self, index: usize) -> Result<(u64, u64)> {
        Ok(self.network.head(index)?)
    }

    fn city_catalogue(&mut self) -> Result<()> {
        let (key, clients) = (self.path("clients/authority/authority.pem"), self.path("clients"));
        let file = self.path("data/tyc_agencies.csv");
        let agencies = self.on(
            IMPORTS,
            &[
                "import",
                "agencies",
                &file,
                "--key",
                &key,
                "--keys",
                &clients,
                "--map",
                "id=agency_code",
                "--map",
                "name_zh=agency_name",
                "--set",
                "level=city",
                "--set",
                "territory=3301",
            ],
        )?;
        let file = self.path("data/tyc_datasets.csv");
        let datasets = self.on(
            IMPORTS,
            &[
                "import",
                "datasets",
                &file,
                "--keys",
                &clients,
                "--map",
                "provider=agency_code",
                "--map",
                "id=no",
                "--map",
                "title=title",
                "--map",
                "summary=description",
                "--map",
                "topic=category",
                "--map",
                "items=main_fields",
                "--map",
                "format=format",
                "--map",
                "frequency=update_freq",
                "--set",
                "class=unconditional",
                "--on-error",
                "skip",
            ],
        )?;
        let text = format!(
            "every entry is signed by its agency's head and ordered by more than two thirds: {}; {}",
            counts(&agencies),
            counts(&datasets)
        );
        self.step("A city's catalogue: 34 bureaus, 1,429 datasets (Taoyuan)", &text);
        Ok(())
    }

    fn outside_provider(&mut self) -> Result<()> {
        let (key, clients) = (self.path("clients/authority/authority.pem"), self.path("clients"));
        let provider = self.path("clients/nhs-digital");
        let mut admit = vec![
            "agency",
            "admit",
            "--id",
            "nhs-digital",
            "--name-en",
            "NHS Digital",
            "--level",
            "outside",
            "--scheme",
            "plain",
            "--key",
            &key,
        ];
        let mut vkeys = Vec::new();
        for role in ["office", "head", "recovery"] {
            let out = format!("{provider}/{role}.pem");
            let genesis = self.path("genesis.json");
            self.sharelog(&["key", "generate", "--agency", "nhs-digital", "--role", role, "--genesis", &genesis, "--out", &out])?;
            let vkey = std::fs::read_to_string(Path::new(&provider).join(format!("{role}.vkey"))).context("reading the new vkey")?;
            vkeys.push(vkey.trim_end().to_owned());
        }
        for vkey in &vkeys {
            admit.extend(["--keys", vkey]);
        }
        self.on(IMPORTS, &admit)?;
        let file = self.path("data/nhsd_agreements_2021-02.csv");
        let agencies = self.on(
            IMPORTS,
            &[
                "import",
                "agencies",
                &file,
                "--key",
                &key,
                "--keys",
                &clients,
                "--map",
                "id=organisation",
                "--map",
                "name_en=organisation",
                "--map",
                "line=org_type",
                "--set",
                "level=outside",
            ],
        )?;
        let file = self.path("data/nhsd_releases_2021-02.csv");
        let datasets = self.on(
            IMPORTS,
            &[
                "import",
                "datasets",
                &file,
                "--keys",
                &clients,
                "--map",
                "id=dataset",
                "--map",
                "title=dataset",
                "--set",
                "provider=nhs-digital",
                "--set",
                "class=conditional",
                "--set",
                "conditions=data sharing agreement",
                "--set",
                "purposes=health and care",
                "--set",
                "frequency=irregular",
            ],
        )?;
        self.step(
            "An outside provider: NHS Digital and its recipients",
            &format!("bodies beyond the city join the same register: {}; {}", counts(&agencies), counts(&datasets)),
        );
        Ok(())
    }

    fn sharing_log(&mut self) -> Result<()> {
        let clients = self.path("clients");
        let (releases, agreements) = (self.path("data/nhsd_releases_2021-02.csv"), self.path("data/nhsd_agreements_2021-02.csv"));
        let journal = self.path("deliveries.journal");
        let before = self.head(0)?;
        let begun = Instant::now();
        let deliveries = self.on(
            IMPORTS,
            &[
                "import",
                "deliveries",
                &releases,
                "--agreements",
                &agreements,
                "--keys",
                &clients,
                "--receipts",
                "20",
                "--journal",
                &journal,
                "--map",
                "requester=recipient",
                "--map",
                "dataset=dataset",
                "--map",
                "agreement=agreement_ref",
                "--map",
                "batch=row_id",
                "--map",
                "basis=legal_basis",
                "--set",
                "provider=nhs-digital",
                "--map",
                "agreement.ref=agreement_ref",
                "--map",
                "agreement.purpose=objective_excerpt",
                "--on-error",
                "skip",
            ],
        )?;
        let after = self.head(0)?;
        let records = (after.1 - before.1) - (after.0 - before.0);
        let rate = records as f64 / begun.elapsed().as_secs_f64();
        list_refused(&deliveries);
        let text = format!(
            "a month of real sharing, {records} records at {rate:.0}/s: duties, requests, answers, deliveries and receipts, each by the side that owes it; {}",
            counts(&deliveries)
        );
        self.step("NHS Digital's sharing log of February 2021, replayed", &text);
        Ok(())
    }

    /// Shows what one recipient got; gives the id of a delivery with a receipt.
    fn who_got_what(&mut self) -> Result<String> {
        let got = self.sharelog(&["query", "deliveries", "--agency", "nhs-stockport-ccg", "--limit", "1000"])?;
        let items = got.get("items").and_then(Value::as_array).context("a list of deliveries")?;
        let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        for item in items.iter().take(5) {
            println!("    {}  {}  {}  {}", text(item, "time"), text(item, "batch"), text(item, "dataset"), text(item, "status"));
        }
        let matched = items.iter().find(|item| text(item, "status") == "matched").or(items.first()).context("at least one delivery")?;
        let id = text(matched, "id");
        let chain = self.sharelog(&["chain", &id])?;
        let chain = chain.get("items").and_then(Value::as_array).context("a chain")?;
        let kinds: Vec<_> = chain.iter().map(|record| text(record, "kind")).collect();
        let kinds: Vec<_> = kinds.chunk_by(|a, b| a == b).map(|run| in_words(&run[0], run.len())).collect();
        let links: Vec<_> = kinds.chunk_by(|a, b| a == b).map(|run| format!("{} x {}", run.len(), run[0])).collect();
        self.step(
            &format!("Who got what, and when: nhs-stockport-ccg received {} batches", items.len()),
            &format!("each batch hangs on its request, answer and duty: {}", links.join(" > ")),
        );
        Ok(id)
    }

    fn evidence(&mut self, delivery: &str) -> Result<()> {
        let file = self.path("delivery.evidence.json");
        let hash = self.network.genesis_hash.clone();
        self.sharelog(&["evidence", delivery, "-o", &file])?;
        let verdict = run_command(&self.binary, None, &["verify", &file, "--genesis", &hash])?;
        ensure!(verdict.get("ok").and_then(Value::as_bool) == Some(true), "the evidence verifies");
        let good = std::fs::read_to_string(&file).context("reading the evidence")?;
        let forged = self.path("forged.evidence.json");
        let at = good.find("\\\"bytes\\\":").context("a delivery's bytes")? + 10;
        let digit = if good.as_bytes()[at] == b'9' { "8" } else { "9" };
        std::fs::write(&forged, format!("{}{digit}{}", &good[..at], &good[at + 1..])).context("writing the forgery")?;
        println!("    $ sharelog verify {forged} --genesis {hash}");
        let out = Command::new(&self.binary).args(["verify", &forged, "--genesis", &hash, "--json"]).output().context("running verify")?;
        ensure!(out.status.code() == Some(1), "a changed byte must be refused");
        let verdict = json::parse(out.stdout.trim_ascii_end(), Strings::WithNotes).map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
        let failed = verdict.get("failed").and_then(Value::as_str).unwrap_or("").to_owned();
        self.step(
            "Evidence of one delivery, checked offline with only the genesis hash",
            &format!("the file alone shows who shared what and when; one changed byte is refused: {failed}"),
        );
        Ok(())
    }

    fn lose_a_node(&mut self) -> Result<()> {
        let last = NODES - 1;
        self.network.kill(last);
        println!("    killed the node of {} (kill -9)", self.network.nodes[last].agency);
        let (key, at) = (self.path("clients/agency-0/office.pem"), morning(OUTAGE));
        let begun = Instant::now();
        for index in 0..20 {
            let (id, title) = (format!("agency-0:outage-{index}"), format!("Duty taken up during the outage, {index}"));
            self.quiet(&["duty", "declare", "--id", &id, "--title", &title, "--basis", "Demo Act", "--key", &key, "--at", &at])?;
        }
        let went_on = begun.elapsed();
        let (height, size) = self.head(0)?;
        self.network.start(last)?;
        let caught_up = self.network.wait_size(last, size, READY_WAIT)?;
        let states = [self.state(0)?, self.state(last)?];
        ensure!(states[0] == states[1], "equal state hashes");
        self.step(
            "One node lost and back",
            &format!(
                "20 records were committed by the other three in {:.1} s; {:.1} s after its restart the fourth held height {height} with the same state hash",
                went_on.as_secs_f64(),
                caught_up.as_secs_f64()
            ),
        );
        Ok(())
    }

    fn state(&self, index: usize) -> Result<Option<String>> {
        let status = self.network.ask(index, "/api/v1/status")?;
        Ok(status.get("head").and_then(|head| head.get("state")).and_then(Value::as_str).map(str::to_owned))
    }

    /// As [`Demo::sharelog`], printing nothing.
    fn quiet(&self, arguments: &[&str]) -> Result<()> {
        let out = Command::new(&self.binary)
            .args(arguments)
            .args(["--json", "--node", &self.network.nodes[0].http])
            .output()
            .context("running a command")?;
        ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Ok(())
    }

    fn end(&mut self, args: &DemoArgs) -> Result<()> {
        let (height, size) = self.head(0)?;
        let http = self.network.nodes[0].http.clone();
        println!("\nDone in {:.0} s: {} records in {height} blocks.", self.start.elapsed().as_secs_f64(), size - height);
        println!("\nTry next:");
        println!("  export SHARELOG_NODE={http}");
        println!("  sharelog query datasets --agency 380120000J");
        println!("  sharelog query requests --agency nhs-digital --limit 5");
        println!("  sharelog todo --agency 380020000A");
        println!("  curl {http}/api/v1/status");
        println!("  curl {http}/checkpoint");
        println!("  sharelog verify {} --genesis {}", self.path("delivery.evidence.json"), self.network.genesis_hash);
        if args.exit {
            ensure!(self.network.stop_all(), "the nodes end cleanly");
            return Ok(());
        }
        println!("\nThe network stays up; end it with Ctrl-C.");
        wait_for_interrupt()?;
        self.network.stop_all();
        Ok(())
    }
}

fn wait_for_interrupt() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    })?;
    Ok(())
}

/// Prints and runs a command of this program with `--json`; gives what it printed. Its progress and errors show as they come.
fn run_command(binary: &Path, node: Option<&str>, arguments: &[&str]) -> Result<Value> {
    println!("    $ sharelog {}", arguments.iter().map(|argument| quoted(argument)).collect::<Vec<_>>().join(" "));
    let mut command = Command::new(binary);
    command.args(arguments).arg("--json").stderr(Stdio::inherit());
    if let Some(node) = node {
        command.env("SHARELOG_NODE", node);
    }
    let out = command.output().context("running a command")?;
    if !out.status.success() {
        bail!("the command ended with {}: {}", out.status, String::from_utf8_lossy(&out.stdout));
    }
    json::parse(out.stdout.trim_ascii_end(), Strings::WithNotes).map_err(|refusal| anyhow::anyhow!("the command's answer: {refusal}"))
}

/// Nine o'clock of a day at the ledger's offset, UTC+8.
fn morning(day: &str) -> String {
    format!("{day}T01:00:00.000Z")
}

fn quoted(argument: &str) -> String {
    if argument.contains([' ', '+', '(']) { format!("'{argument}'") } else { argument.to_owned() }
}

/// The integer members of an import's summary, in words.
fn counts(summary: &Value) -> String {
    let members = summary.as_object().into_iter().flatten();
    let counted = members
        .filter_map(|(name, value)| value.as_u64().filter(|count| *count > 0).map(|count| format!("{count} {}", name.replace('_', " "))));
    counted.collect::<Vec<_>>().join(", ")
}

/// `share.deliver`, or `25 dataset.publish`.
fn in_words(kind: &str, count: usize) -> String {
    if count == 1 { kind.to_owned() } else { format!("{count} {kind}") }
}

/// What rules refused, listed.
fn list_refused(summary: &Value) {
    for refused in summary.get("refused_rows").and_then(Value::as_array).into_iter().flatten() {
        println!("    refused: {}", refused.to_jcs());
    }
}
