//! The tables of a report's page. What stands in a record is proven by its evidence; days, states and sides are the node's.

use crate::cli::output::cell;
use crate::cli::report::facts::{Facts, Listed};
use crate::cli::report::html::Html;
use crate::cli::report::proof::Proof;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::time::Time;
use crate::locale::{Language, word};

const PROVEN: &str = "proven";
const INDEXED: &str = "indexed";
const DAY_MS: u64 = 86_400_000;
const MINUTE_MS: u64 = 60_000;

/// What tables are made of.
pub struct Tables<'a> {
    pub facts: &'a Facts,
    pub proofs: &'a [Proof],
    pub language: Language,
}

pub fn number(count: usize) -> String {
    count.to_string()
}

/// A delivery or request belongs to the period, whatever else is listed.
fn of_period<'a>(listed: impl Iterator<Item = &'a Listed>) -> Vec<&'a Listed> {
    listed.filter(|listed| listed.in_period).collect()
}

fn member(listed: &Listed, path: &str) -> String {
    cell(&listed.record.body_value(), path)
}

fn dataset_ids(listed: &Listed) -> Vec<String> {
    let body = listed.record.body_value();
    let datasets = body.get("datasets").and_then(Value::as_array).unwrap_or_default();
    datasets.iter().map(|dataset| dataset.as_str().map_or_else(|| cell(dataset, "id"), str::to_owned)).collect()
}

impl Tables<'_> {
    fn say(&self, name: &str) -> String {
        word(self.language, "page", name).to_owned()
    }

    fn value(&self, name: &str) -> String {
        word(self.language, "value", name).to_owned()
    }

    /// How far a figure can be trusted.
    pub fn badge(&self, source: &'static str) -> Html {
        Html::mark(source, &self.say(source))
    }

    /// A time in the ledger's zone.
    pub fn moment(&self, time: Time) -> String {
        let offset = self.facts.offset_minutes;
        let minute = (time.unix_ms() / MINUTE_MS + offset) % (DAY_MS / MINUTE_MS);
        let zone = format!("+{:02}:{:02}", offset / 60, offset % 60);
        format!("{} {:02}:{:02} ({zone})", time.day(offset), minute / 60, minute % 60)
    }

    /// Headings with their sources over rows; without rows, a sentence.
    fn table(&self, headings: &[(&str, &'static str)], rows: &[Vec<Html>]) -> Html {
        if rows.is_empty() {
            return Html::paragraph(Html::text(&self.say("none")).beside(self.badge(INDEXED)));
        }
        let heading = |(name, source): &(&str, &'static str)| Html::lines([Html::text(&self.say(name)), self.badge(source)]);
        Html::table(&headings.iter().map(heading).collect::<Vec<_>>(), rows)
    }

    /// A link to the note of a listed record; the bare id of one that is not.
    fn link(&self, id: &str) -> Html {
        let listed = Hash::parse(id).ok().and_then(|id| self.facts.record(&id));
        match listed {
            Some(listed) => Html::link(&listed.file(), &listed.position.to_string()),
            None => Html::code(id.get(..12).unwrap_or(id)),
        }
    }

    fn link_to(listed: &Listed) -> Html {
        Html::link(&listed.file(), &listed.position.to_string())
    }

    /// Obligations that `belong`, with the `other` party.
    pub fn obligations(&self, belong: impl Fn(&Value) -> bool, other: &str) -> Html {
        let row = |owed: &Value| {
            let subject = ["dataset", "period", "title"].map(|name| Html::text(&cell(owed, name)));
            vec![
                Html::text(&cell(owed, "start")),
                Html::text(&self.value(&cell(owed, "clock"))),
                Html::text(&cell(owed, other)),
                Html::lines(subject),
                self.due(owed),
                self.course(owed),
                self.link(&cell(owed, "record")),
            ]
        };
        let rows: Vec<_> = self.facts.obligations.iter().filter(|owed| belong(owed)).map(row).collect();
        let headings = [
            ("start", INDEXED),
            ("clock", INDEXED),
            (other, INDEXED),
            ("subject", INDEXED),
            ("due_day", INDEXED),
            ("course", INDEXED),
            ("record", PROVEN),
        ];
        self.table(&headings, &rows)
    }

    fn due(&self, owed: &Value) -> Html {
        let days = |name: &str, path: &str| {
            let count = cell(owed, path);
            if count.is_empty() { String::new() } else { self.say(name).replace("{days}", &count) }
        };
        let marked = |name: &str| if owed.get(name).is_some() { self.say(name) } else { String::new() };
        let parts = [cell(owed, "due"), days("extended", "extended"), marked("paused"), marked("provisional")];
        Html::lines(parts.iter().map(|part| Html::text(part)))
    }

    /// State, the day of the end, and how late.
    fn course(&self, owed: &Value) -> Html {
        let state = Html::text(&self.value(&cell(owed, "state"))).beside(Html::text(&cell(owed, "stopped")));
        let late = cell(owed, "late_days");
        let left = cell(owed, "left_days");
        let days = match (late.is_empty(), left.is_empty()) {
            (false, _) => Html::mark("late", &self.say("late").replace("{days}", &late)),
            (true, false) => Html::text(&self.say("left").replace("{days}", &left)),
            (true, true) => Html::default(),
        };
        Html::lines([state, days])
    }

    /// Requester and provider of a request: by the index, or by what was signed.
    fn sides(&self, request: &Listed) -> (String, String) {
        let known = self.facts.parties.get(&request.id());
        let answer = self.facts.replies(&request.id(), "share.answer").next().map(|answer| answer.record.by.clone());
        let provider = known.map(|parties| parties.provider.clone()).or(answer).unwrap_or_default();
        (request.record.by.clone(), provider)
    }

    /// The requests of the period in which the side that `own` picks is the agency.
    pub fn requests(&self, own: impl Fn(String, String) -> String) -> Html {
        let row = |request: &&Listed| {
            let (requester, provider) = self.sides(request);
            vec![
                Html::text(&self.moment(request.time)),
                Html::lines([Html::text(&requester), Html::text(&provider)]),
                Html::lines(dataset_ids(request).iter().map(|id| Html::text(id))),
                Html::lines([Html::text(&member(request, "purpose")), Html::text(&member(request, "basis"))]),
                self.outcome(request),
                Self::link_to(request),
            ]
        };
        let requests = of_period(self.facts.of_kind("share.request"));
        let is_own = |request: &&Listed| {
            let (requester, provider) = self.sides(request);
            own(requester, provider).eq_ignore_ascii_case(&self.facts.id)
        };
        let rows: Vec<_> = requests.iter().copied().filter(is_own).map(|request| row(&request)).collect();
        let headings =
            [("time", PROVEN), ("sides", INDEXED), ("datasets", PROVEN), ("purpose", PROVEN), ("outcome", INDEXED), ("record", PROVEN)];
        self.table(&headings, &rows)
    }

    /// What became of a request, with a link to its answer.
    fn outcome(&self, request: &Listed) -> Html {
        let id = request.id();
        if let Some(answer) = self.facts.replies(&id, "share.answer").next() {
            let outcome = format!("outcome.{}", member(answer, "outcome"));
            return Html::lines([Html::text(&self.say(&outcome)), Html::text(&self.moment(answer.time)), Self::link_to(answer)]);
        }
        // What stops an answer is the answer or the withdrawal.
        let owed = self.facts.obligations.iter().find(|owed| cell(owed, "clock") == "answer" && cell(owed, "record") == id.to_hex());
        let is_open = owed.is_none_or(|owed| cell(owed, "state") == "open");
        Html::text(&self.say(if is_open { "outcome.filed" } else { "outcome.withdrawn" }))
    }

    fn refused(&self) -> Vec<&Listed> {
        let answers = of_period(self.facts.of_kind("share.answer"));
        answers.into_iter().filter(|answer| member(answer, "outcome") == "refuse").collect()
    }

    /// Refusals by the agency and of its requests.
    pub fn refusals(&self) -> Html {
        let row = |answer: &&Listed| {
            let request = answer.record.refs.first().and_then(|id| self.facts.record(id));
            let faults = self.facts.faults.get(&answer.id()).map(Vec::as_slice).unwrap_or_default();
            vec![
                Html::text(&self.moment(answer.time)),
                Html::text(&answer.record.by),
                Html::text(&request.map(|request| request.record.by.clone()).unwrap_or_default()),
                Html::lines(request.map(dataset_ids).unwrap_or_default().iter().map(|id| Html::text(id))),
                Html::lines([self.value(&member(answer, "code")), member(answer, "reason")].iter().map(|text| Html::text(text))),
                Html::text(&member(answer, "basis")),
                Html::lines(faults.iter().map(|fault| Html::mark("late", &self.value(fault)))),
                Html::lines([Self::link_to(answer), request.map(Self::link_to).unwrap_or_default()]),
            ]
        };
        let headings = [
            ("time", PROVEN),
            ("refused_by", PROVEN),
            ("refused_to", PROVEN),
            ("datasets", PROVEN),
            ("reason", PROVEN),
            ("basis", PROVEN),
            ("faults", INDEXED),
            ("record", PROVEN),
        ];
        self.table(&headings, &self.refused().iter().map(row).collect::<Vec<_>>())
    }

    fn handed_over(&self) -> Vec<&Listed> {
        of_period(self.facts.of_kind("share.deliver"))
    }

    /// Deliveries of the period and their receipts.
    pub fn deliveries(&self) -> Html {
        let row = |delivery: &&Listed| {
            let id = delivery.id();
            let receipt = self.facts.replies(&id, "share.receipt").next();
            let requester = self.facts.parties.get(&id).map(|parties| parties.requester.clone()).unwrap_or_default();
            let subject = ["dataset", "batch", "period"].map(|name| Html::text(&member(delivery, name)));
            let size = [("rows", "rows"), ("bytes", "bytes")].map(|(name, path)| {
                let count = member(delivery, path);
                if count.is_empty() { Html::default() } else { Html::text(&self.say(name).replace("{count}", &count)) }
            });
            let acknowledged = match receipt {
                Some(receipt) => {
                    let result = format!("receipt.{}", member(receipt, "result"));
                    Html::lines([Html::text(&self.say(&result)), Html::text(&self.moment(receipt.time)), Self::link_to(receipt)])
                }
                None => Html::mark("late", &self.say("receipt.none")),
            };
            vec![
                Html::text(&self.moment(delivery.time)),
                Html::text(&delivery.record.by),
                Html::text(&requester),
                Html::lines(subject),
                Html::lines(size),
                acknowledged,
                Self::link_to(delivery),
            ]
        };
        let headings = [
            ("time", PROVEN),
            ("delivered_by", PROVEN),
            ("delivered_to", INDEXED),
            ("subject", PROVEN),
            ("size", PROVEN),
            ("receipt", INDEXED),
            ("record", PROVEN),
        ];
        self.table(&headings, &self.handed_over().iter().map(row).collect::<Vec<_>>())
    }

    fn found(&self) -> Vec<&Listed> {
        let against = |listed: &&Listed| member(listed, "agency").eq_ignore_ascii_case(&self.facts.id);
        self.facts.of_kind("finding.file").filter(against).collect()
    }

    /// Findings against the agency, each with what followed.
    pub fn findings(&self) -> Html {
        let row = |finding: &&Listed| {
            let id = finding.id();
            let steps = ["finding.rectify", "finding.close"].into_iter().flat_map(|kind| self.facts.replies(&id, kind));
            let step = |step: &Listed| {
                let outcome = member(step, "outcome");
                let outcome = if outcome.is_empty() { outcome } else { self.say(&format!("closed.{outcome}")) };
                let text = format!("{} {} {} {outcome} {}", self.moment(step.time), self.kind(step), step.record.by, member(step, "text"));
                Html::text(text.trim()).beside(Self::link_to(step))
            };
            let due = [member(finding, "due"), self.rectification(&id)];
            vec![
                Html::text(&self.moment(finding.time)),
                Html::text(&finding.record.by),
                Html::text(&member(finding, "offence")),
                Html::text(&member(finding, "text")),
                Html::lines(due.iter().map(|text| Html::text(text))),
                Html::lines(steps.map(step)),
                Self::link_to(finding),
            ]
        };
        let headings = [
            ("time", PROVEN),
            ("inspector", PROVEN),
            ("offence", PROVEN),
            ("finding", PROVEN),
            ("due_day", INDEXED),
            ("course", PROVEN),
            ("record", PROVEN),
        ];
        self.table(&headings, &self.found().iter().map(row).collect::<Vec<_>>())
    }

    /// How the order to rectify stands.
    fn rectification(&self, finding: &Hash) -> String {
        let id = finding.to_hex();
        let owed = self.facts.obligations.iter().find(|owed| cell(owed, "clock") == "rectification" && cell(owed, "record") == id);
        owed.map(|owed| self.value(&cell(owed, "state"))).unwrap_or_default()
    }

    fn kind(&self, listed: &Listed) -> String {
        let kind = listed.kind();
        let name = word(self.language, "kind", kind);
        if name == kind { name.to_owned() } else { format!("{name} ({kind})") }
    }

    /// Every record that the page names.
    pub fn records(&self) -> Html {
        let row = |listed: &Listed| {
            let proof = self.proofs.iter().find(|proof| proof.positions.binary_search(&listed.position).is_ok());
            vec![
                Self::link_to(listed),
                Html::text(&self.moment(listed.time)),
                Html::text(&self.kind(listed)),
                Html::text(&listed.record.by),
                Html::code(&listed.id().to_hex()),
                Html::text(&self.say(if listed.in_period { "in_period" } else { "named" })),
                proof.map(|proof| Html::link(&proof.name, &proof.name)).unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = self.facts.records.values().map(row).collect();
        let headings = [
            ("position", PROVEN),
            ("time", PROVEN),
            ("kind", PROVEN),
            ("by", PROVEN),
            ("id", PROVEN),
            ("listed_for", INDEXED),
            ("evidence", PROVEN),
        ];
        self.table(&headings, &rows)
    }

    /// Counts of the period beside those of obligations.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let requests = of_period(self.facts.of_kind("share.request"));
        let made = requests.iter().filter(|request| request.record.by.eq_ignore_ascii_case(&self.facts.id)).count();
        let (given, taken): (Vec<&Listed>, Vec<&Listed>) =
            self.handed_over().into_iter().partition(|delivery| delivery.record.by.eq_ignore_ascii_case(&self.facts.id));
        let silent =
            |of: &[&Listed]| of.iter().filter(|delivery| self.facts.replies(&delivery.id(), "share.receipt").next().is_none()).count();
        let refused_by = self.refused().iter().filter(|answer| answer.record.by.eq_ignore_ascii_case(&self.facts.id)).count();
        vec![
            ("requests.made", made),
            ("requests.received", requests.len() - made),
            ("figure.refused_by", refused_by),
            ("figure.refused_to", self.refused().len() - refused_by),
            ("figure.given", given.len()),
            ("figure.given_silent", silent(&given)),
            ("figure.taken", taken.len()),
            ("figure.taken_silent", silent(&taken)),
            ("findings", self.found().len()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::kinds::Kind;

    #[test]
    fn every_kind_has_its_name_in_both_languages() {
        for kind in Kind::ALL {
            assert_ne!(word(Language::English, "kind", kind.as_str()), kind.as_str());
            assert!(!word(Language::Chinese, "kind", kind.as_str()).is_ascii(), "{}", kind.as_str());
        }
    }
}
