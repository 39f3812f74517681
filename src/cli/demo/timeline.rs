//! The demo's autumn of 2025: a street, a district and the city's bureaus live under the clocks of the ledger.
//!
//! Block times are the records' claims, since the demo's genesis says `test_clock`; so four months pass in seconds. Every
//! step is an ordinary command at a day of its own, and the last ones ask what was late and who owed it.

use anyhow::{Context as _, Result, ensure};

use crate::core::json::Value;

use super::{Demo, counts};

/// The past day at which the demo asks, and the period of its matrix.
const AS_OF: &str = "2025-11-14";
const FROM: &str = "2025-08-01";

const STREET: &str = "beishan-street";
const DISTRICT: &str = "xihu-civil-affairs";
/// A bureau of the city's catalogue, and one of its datasets.
const BUREAU: &str = "380020000A";

/// Records that later months refer to.
struct Autumn {
    /// The decision by which the district's dataset is shared.
    grant: String,
    correction: String,
    /// A request that nobody answers.
    silent: String,
    /// A request that is answered late.
    late: String,
}

/// A dataset or duty of the district.
fn of_district(local: &str) -> String {
    format!("{DISTRICT}:{local}")
}

impl Demo {
    /// Policy, calendars and territories, then the new agencies and their catalogue.
    pub(super) fn frame(&mut self) -> Result<()> {
        let key = self.path("clients/authority/authority.pem");
        let policy = self.path("data/policy.json");
        self.on("2025-08-01", &["policy", "set", "--file", &policy, "--key", &key])?;
        let file = self.path("data/cn_holidays_2023_2026.csv");
        let calendars = self.on("2025-08-01", &["import", "calendar", &file, "--key", &key])?;
        let file = self.path("data/cn_divisions_hangzhou.csv");
        let territories = self.on("2025-08-01", &["import", "territories", &file, "--key", &key])?;
        let text = format!(
            "limits, working days and places are records too, and stand before anything is owed: {}; {}",
            counts(&calendars),
            counts(&territories)
        );
        self.step("Policy, the calendars of 2023 to 2026 and Hangzhou's 3,530 territories", &text);
        Ok(())
    }

    /// Four months of requests under a street, a district and the city.
    pub(super) fn autumn(&mut self) -> Result<()> {
        self.admit("2025-08-12", DISTRICT, "\u{897f}\u{6e56}\u{533a}\u{6c11}\u{653f}\u{5c40}", "district", "330106")?;
        self.admit("2025-08-12", STREET, "\u{5317}\u{5c71}\u{8857}\u{9053}\u{529e}\u{4e8b}\u{5904}", "street", "330106002")?;
        self.district_catalogue()?;
        let autumn = self.september()?;
        self.october(&autumn)?;
        self.november(&autumn)
    }

    fn admit(&mut self, day: &str, id: &str, name: &str, level: &str, territory: &str) -> Result<()> {
        let key = self.path("clients/authority/authority.pem");
        let genesis = self.path("genesis.json");
        let mut admit =
            vec!["agency", "admit", "--id", id, "--name-zh", name, "--level", level, "--territory", territory, "--line", "civil-affairs"];
        let mut vkeys = Vec::new();
        for role in ["office", "head", "recovery"] {
            let out = self.path(&format!("clients/{id}/{role}.pem"));
            self.sharelog(&["key", "generate", "--agency", id, "--role", role, "--genesis", &genesis, "--out", &out])?;
            let vkey = std::fs::read_to_string(std::path::Path::new(&out).with_extension("vkey")).context("reading the new vkey")?;
            vkeys.push(vkey.trim_end().to_owned());
        }
        for vkey in &vkeys {
            admit.extend(["--keys", vkey]);
        }
        admit.extend(["--scheme", "plain", "--key", &key]);
        self.on(day, &admit)?;
        Ok(())
    }

    /// Duties and three datasets of the district: conditional, withheld, unconditional.
    fn district_catalogue(&mut self) -> Result<()> {
        for (agency, local, title) in
            [(STREET, "relief", "Relief for households in need"), (DISTRICT, "households", "Register of households")]
        {
            let key = self.key(agency, "office");
            let id = format!("{agency}:{local}");
            self.on(
                "2025-08-13",
                &["duty", "declare", "--id", &id, "--title", title, "--basis", "Interim Measures for Social Assistance", "--key", &key],
            )?;
        }
        let (head, duty) = (self.key(DISTRICT, "head"), of_district("households"));
        let items = ["--items", "household number", "--items", "members", "--items", "address"];
        let publish = |local: &str, title: &str, class: &str, more: &[&str]| -> Vec<String> {
            let id = of_district(local);
            let fixed = ["dataset", "publish", "--id", &id, "--title", title, "--class", class, "--frequency", "monthly", "--duty", &duty];
            fixed.iter().chain(&items).chain(more).chain(&["--key", &head]).map(|text| (*text).to_owned()).collect()
        };
        let conditional = ["--conditions", "request with legal basis", "--purposes", "social assistance"];
        let withheld = ["--bar", "Archives Law, article 28"];
        for arguments in [
            publish("households", "Households", "conditional", &conditional),
            publish("adoptions", "Adoption files", "withheld", &withheld),
            publish("residents-count", "Residents by community", "unconditional", &[]),
        ] {
            self.on("2025-08-14", &arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        let authority = self.path("clients/authority/authority.pem");
        self.on(
            "2025-08-15",
            &["dataset", "review", "--id", &of_district("households"), "--version", "1", "--outcome", "approve", "--key", &authority],
        )?;
        Ok(())
    }

    /// September: a supplement and an extension, two refusals, a dispute, a first delivery, a silence.
    fn september(&mut self) -> Result<Autumn> {
        let (office, street) = (self.key(DISTRICT, "office"), self.key(STREET, "office"));
        let authority = self.path("clients/authority/authority.pem");
        let slow = self.ask("2025-09-01", &of_district("households"), "ordinary")?;
        let barred = self.ask("2025-09-02", &of_district("adoptions"), "ordinary")?;
        let plain = self.ask("2025-09-03", &of_district("residents-count"), "ordinary")?;
        let refusal =
            self.answer("2025-09-04", DISTRICT, &plain, &["--outcome", "refuse", "--code", "other", "--reason", "not convenient"])?;
        let missing = ["--missing", "the list of communities", "--key", &office];
        self.on("2025-09-04", &[&["share", "supplement", "--request", &slow], missing.as_slice()].concat())?;
        let refuse =
            ["--outcome", "refuse", "--code", "withheld-by-law", "--reason", "the law bars it", "--basis", "Archives Law, article 28"];
        self.answer("2025-09-05", DISTRICT, &barred, &refuse)?;
        let grounds = ["--subject", "refusal of an unconditional dataset", "--grounds", "Regulations, article 21", "--key", &street];
        let dispute = self.on("2025-09-05", &[&["dispute", "file", "--record", &refusal], grounds.as_slice()].concat())?;
        let given = ["--given", "communities of Beishan", "--key", &street];
        self.on("2025-09-08", &[&["share", "supplement", "--request", &slow], given.as_slice()].concat())?;
        let extension = ["--clock", "answer", "--days", "5", "--reason", "register under repair", "--key", &authority];
        self.on("2025-09-12", &[&["share", "extend", "--record", &slow], extension.as_slice()].concat())?;
        let outcome = ["--outcome", "share", "--reason", "the catalogue calls it unconditional", "--key", &authority];
        let decided = self.on("2025-09-12", &[&["dispute", "decide", "--dispute", &id_of(&dispute)?], outcome.as_slice()].concat())?;
        self.step(
            "A street asks: a supplement, an extension, two refusals, a dispute",
            "a refusal with a legal basis stands; one of an unconditional dataset was disputed, and the common superior authority decided that it is shared",
        );
        let silent = self.ask("2025-09-22", &self.bureau_dataset()?, "ordinary")?;
        self.answer(
            "2025-09-23",
            DISTRICT,
            &slow,
            &["--outcome", "agree", "--frequency", "monthly", "--term-from", "2025-09-23", "--term-to", "2026-08-31"],
        )?;
        let grant = id_of(&decided)?;
        let first = self.deliver("2025-09-24", &grant, "residents-1", "community,residents\nBaoshu,4211\n")?;
        let altered = self.path("data/altered.csv");
        std::fs::write(&altered, "community,residents\nBaoshu,4112\n").context("writing a file")?;
        let opening = self.path("residents-1.opening.json");
        let mismatch = ["--result", "mismatch", "--file", &altered, "--opening", &opening, "--key", &street];
        self.on("2025-09-26", &[&["share", "receipt", "--delivery", &first], mismatch.as_slice()].concat())?;
        let dataset = of_district("residents-count");
        let wrong = ["--dataset", &dataset, "--error", "wrong", "--text", "one community differs", "--key", &street];
        let correction = self.on("2025-09-26", &[&["correction", "file", "--delivery", &first], wrong.as_slice()].concat())?;
        let late = self.ask("2025-09-29", &self.bureau_dataset()?, "backflow")?;
        Ok(Autumn { grant, correction: id_of(&correction)?, silent, late })
    }

    /// October: the repair, an answer that is late, a delivery nobody acknowledged, repeated collection.
    fn october(&mut self, autumn: &Autumn) -> Result<()> {
        let (office, street) = (self.key(DISTRICT, "office"), self.key(STREET, "office"));
        let second = self.deliver("2025-10-10", &autumn.grant, "residents-2", "community,residents\nBaoshu,4112\n")?;
        let repaired = ["--result", "repaired", "--batch", "residents-2", "--key", &office];
        self.on("2025-10-10", &[&["correction", "close", "--correction", &autumn.correction], repaired.as_slice()].concat())?;
        let (file, opening) = (self.path("data/residents-2.csv"), self.path("residents-2.opening.json"));
        self.on("2025-10-13", &["share", "receipt", "--delivery", &second, "--file", &file, "--opening", &opening, "--key", &street])?;
        self.answer("2025-10-13", BUREAU, &autumn.late, &["--outcome", "agree", "--frequency", "once"])?;
        self.deliver("2025-10-20", &autumn.grant, "residents-3", "community,residents\nBaoshu,4120\n")?;
        let duty = of_district("households");
        let notice = ["collect", "notice", "--title", "Household sheets of autumn", "--duty", &duty, "--frequency", "quarterly"];
        let from = ["--items", "household number", "--items", "address", "--level", "street", "--territory", "330106002", "--key", &office];
        self.on("2025-10-21", &[notice.as_slice(), &from].concat())?;
        self.step(
            "October: a mismatch repaired, an answer late, a delivery without receipt, items asked for again",
            "the two sides signed different commitments of the same batch; the repair is a batch of its own, and silence shows by itself",
        );
        Ok(())
    }

    /// November: a finding on the silence, rectified and closed.
    fn november(&mut self, autumn: &Autumn) -> Result<()> {
        let (inspector, bureau) = (self.key("inspector", "inspector"), self.key(BUREAU, "office"));
        let order = ["--offence", "39-4", "--text", "no answer within one working day", "--due", "2025-11-07", "--key", &inspector];
        let file = [&["finding", "file", "--agency", BUREAU, "--evidence", &autumn.silent], order.as_slice()].concat();
        let finding = id_of(&self.on("2025-10-27", &file)?)?;
        self.on(
            "2025-11-03",
            &["finding", "rectify", "--finding", &finding, "--text", "the office in charge was named", "--key", &bureau],
        )?;
        self.on("2025-11-06", &["finding", "close", "--finding", &finding, "--outcome", "rectified", "--key", &inspector])?;
        self.step(
            "A finding of the inspector, rectified and closed",
            "the order, its due day, what was done and the close are records of those who signed them",
        );
        Ok(())
    }

    /// A dataset of the bureau's catalogue.
    fn bureau_dataset(&self) -> Result<String> {
        let listed = self.network.ask(0, &format!("/api/v1/datasets?agency={BUREAU}&limit=1"))?;
        let first = listed.get("items").and_then(Value::as_array).and_then(|items| items.first()).context("a dataset of the bureau")?;
        Ok(first.get("id").and_then(Value::as_str).context("its id")?.to_owned())
    }

    /// The questions, for a day that is past.
    pub(super) fn questions(&mut self) -> Result<()> {
        let mut counted = Vec::new();
        for clock in ["answer", "delivery", "receipt"] {
            let overdue = self.sharelog(&["overdue", "--as-of", AS_OF, "--territory", "3301", "--clock", clock])?;
            let lines = overdue.get("items").and_then(Value::as_array).context("a list of what is overdue")?;
            for line in lines.iter().take(5) {
                let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
                let late = line.get("late_days").and_then(Value::as_u64).unwrap_or(0);
                println!("    {:>3} WD late  {:<14} {:<20} due {}", late, text("clock"), text("debtor"), text("due"));
            }
            ensure!(!lines.is_empty(), "a silence shows as overdue");
            counted.push(format!("{} x {clock}", lines.len()));
        }
        self.step(
            &format!("What was overdue in the city on {AS_OF}: {}", counted.join(", ")),
            "late and silent are written nowhere: every node computes them from the records, the calendar and the policy of that time",
        );
        let matrix = self.sharelog(&["matrix", "--from", FROM, "--to", AS_OF, "--as-of", AS_OF])?;
        for side in ["provider", "requester"] {
            let rows = matrix.get(side).and_then(Value::as_array).context("a table of the matrix")?;
            println!("    {side} side: {} rows of line x territory", rows.len());
            for row in rows.iter().take(6) {
                println!("      {}", row.to_jcs());
            }
        }
        self.step(
            "The line x territory matrix of the autumn",
            "sums over lines equal sums over territories; providers and requesters are two tables",
        );
        Ok(())
    }

    /// The street asks for a dataset; gives the request's id.
    fn ask(&mut self, day: &str, dataset: &str, sort: &str) -> Result<String> {
        let (key, duty) = (self.key(STREET, "office"), format!("{STREET}:relief"));
        let what = ["share", "request", "--dataset", dataset, "--duty", &duty, "--basis", "Interim Measures for Social Assistance"];
        let why = ["--purpose", "social assistance", "--sort", sort, "--key", &key];
        id_of(&self.on(day, &[what.as_slice(), &why].concat())?)
    }

    fn answer(&mut self, day: &str, provider: &str, request: &str, outcome: &[&str]) -> Result<String> {
        let key = self.key(provider, "office");
        id_of(&self.on(day, &[&["share", "answer", "--request", request], outcome, &["--key", &key]].concat())?)
    }

    /// A batch of the district's count of residents; gives the delivery's id.
    fn deliver(&mut self, day: &str, grant: &str, batch: &str, content: &str) -> Result<String> {
        let (file, opening) = (self.path(&format!("data/{batch}.csv")), self.path(&format!("{batch}.opening.json")));
        std::fs::write(&file, content).context("writing a batch")?;
        let (key, dataset) = (self.key(DISTRICT, "office"), of_district("residents-count"));
        let what = ["share", "deliver", "--grant", grant, "--dataset", &dataset, "--batch", batch, "--file", &file, "--opening", &opening];
        id_of(&self.on(day, &[what.as_slice(), &["--key", &key]].concat())?)
    }

    fn key(&self, agency: &str, role: &str) -> String {
        self.path(&format!("clients/{agency}/{role}.pem"))
    }
}

/// The id that a submitting command printed.
fn id_of(printed: &Value) -> Result<String> {
    Ok(printed.get("id").and_then(Value::as_str).context("the id of the new record")?.to_owned())
}
