//! `sharelog import requests`, `receipts` and `uses`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use crate::cli::client::{PAGE_MAX, escaped, items_of};
use crate::cli::failure::Failure;
use crate::cli::import::datasets::agency_of;
use crate::cli::import::fields::{Field, needed, optional};
use crate::cli::import::ledger::{self, KnownDataset, fold};
use crate::cli::import::plan::{Plan, Planned, Reading, Rows};
use crate::cli::import::table::Row;
use crate::cli::kinds::handover::{Payload, read_opening};
use crate::cli::kinds::lifecycle::counts_value;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::share::versions;
use crate::core::commitment::commit;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::refusal::{Code, Refusal};

pub const REQUESTS_HELP: &str = "Fields (* needed): requester* datasets* (ids, each at its newest version) duty* basis* purpose* label mode (file) sort (ordinary) scenario scope term_from term_to; a field that nothing fills is filled from the column of its name. A request of the same requester, provider and label that was not refused is kept.

Examples:
  sharelog import requests requests.csv --keys clients
  sharelog import requests plan.csv --keys clients --map requester=bureau --map datasets=dataset --set duty=agency-0:permits --set basis='Permit Act'";

pub const RECEIPTS_HELP: &str = "Fields (* needed): delivery* (record id) result (match) commitment rows file opening; a field that nothing fills is filled from the column of its name. With file and opening the commitment is computed; a match without either repeats the delivery's.

Examples:
  sharelog import receipts receipts.csv --keys clients
  sharelog import receipts month.csv --keys clients --map delivery=id --map rows=counted --set result=match";

pub const USES_HELP: &str = "Fields (* needed): requester* grant* (record id) period* purpose* count* root*; a field that nothing fills is filled from the column of its name. Rows of one grant and period make one record.

Examples:
  sharelog import uses uses.csv --keys clients
  sharelog import uses month.csv --keys clients --map count=times --set period=2026-11";

fn invalid(found: String, expected: &str) -> Failure {
    Failure::Refused(Refusal::new(Code::FieldInvalid, found, expected))
}

fn record_id(name: &str, text: &str) -> Result<Hash, Failure> {
    Hash::parse(text).map_err(|_| invalid(format!("{name} {text}"), "a record id of 64 lower-case hex digits"))
}

fn number(name: &str, text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| invalid(format!("{name} {text}"), "a whole number"))
}

/// Requests.
#[derive(Default)]
pub struct Requests {
    datasets: HashMap<String, HashMap<String, KnownDataset>>,
    /// Provider, requester and label of those on the ledger or in this file.
    known: HashMap<String, HashSet<(String, String)>>,
    made: HashSet<(String, String, String)>,
}

impl Rows for Requests {
    const FIELDS: &'static [Field] = &[
        needed("requester"),
        needed("datasets"),
        needed("duty"),
        needed("basis"),
        needed("purpose"),
        optional("label"),
        optional("mode"),
        optional("sort"),
        optional("scenario"),
        optional("scope"),
        optional("term_from"),
        optional("term_to"),
    ];
    const WHAT: &'static str = "requests";

    fn read(&mut self, reading: &Reading<'_>, row: &Row) -> Result<Planned, Failure> {
        let mapping = reading.mapping;
        let requester = agency_of(reading.agencies, &mapping.needed(row, "requester")?)?.to_owned();
        let mut wanted = BTreeMap::new();
        let mut provider = String::new();
        for id in mapping.list(row, "datasets") {
            provider = agency_of(reading.agencies, id.split(':').next().unwrap_or_default())?.to_owned();
            if !self.datasets.contains_key(&provider) {
                self.datasets.insert(provider.clone(), ledger::datasets(&reading.run.client, &provider)?);
            }
            let known = self.datasets.get(&provider).and_then(|datasets| datasets.get(&fold(&id)));
            let unknown = || Refusal::new(Code::DatasetUnknown, id.clone(), "a dataset of the catalogue");
            let known = known.ok_or_else(unknown)?;
            wanted.insert(known.id.clone(), known.version);
        }
        let label = mapping.text(row, "label");
        if let Some(label) = &label {
            if !self.known.contains_key(&provider) {
                let known = ledger::requests(&reading.run.client, &provider)?.into_keys().collect();
                self.known.insert(provider.clone(), known);
            }
            if self.known.get(&provider).is_some_and(|known| known.contains(&(fold(&requester), label.clone()))) {
                return Ok(Planned::Kept);
            }
            if !self.made.insert((provider.clone(), requester.clone(), label.clone())) {
                return Ok(Planned::Repeated);
            }
        }
        let body = Members::new()
            .list("basis", &mapping.list(row, "basis"))
            .with("datasets", versions(&wanted))
            .with("duty", mapping.needed(row, "duty")?)
            .text("label", label.as_ref())
            .with("mode", mapping.text(row, "mode").unwrap_or_else(|| "file".to_owned()))
            .with("purpose", mapping.needed(row, "purpose")?)
            .maybe("scenario", mapping.text(row, "scenario"))
            .maybe("scope", mapping.text(row, "scope"))
            .with("sort", mapping.text(row, "sort").unwrap_or_else(|| "ordinary".to_owned()))
            .term(mapping.text(row, "term_from").as_ref(), mapping.text(row, "term_to").as_ref());
        let name = label.unwrap_or_else(|| format!("line {}", row.line));
        let key = format!("share.request {} {} {name}", fold(&provider), fold(&requester));
        Ok(Planned::New(Plan { key, kind: "share.request", refs: Vec::new(), body, by: requester }))
    }
}

/// Receipts.
#[derive(Default)]
pub struct Receipts {
    made: HashSet<Hash>,
}

impl Rows for Receipts {
    const FIELDS: &'static [Field] =
        &[needed("delivery"), optional("result"), optional("commitment"), optional("rows"), optional("file"), optional("opening")];
    const WHAT: &'static str = "receipts";

    fn read(&mut self, reading: &Reading<'_>, row: &Row) -> Result<Planned, Failure> {
        let mapping = reading.mapping;
        let delivery = record_id("delivery", &mapping.needed(row, "delivery")?)?;
        let known = reading.run.client.json(&format!("/api/v1/deliveries/{delivery}")).map_err(|failure| match failure {
            Failure::Refused(refusal) if refusal.code == Code::NotFound => {
                Failure::Refused(Refusal::new(Code::RefUnknown, delivery.to_hex(), "id of a committed share.deliver"))
            }
            other => other,
        })?;
        if known.get("receipt").is_some() {
            return Ok(Planned::Kept);
        }
        if !self.made.insert(delivery) {
            return Ok(Planned::Repeated);
        }
        let text = |name: &str| known.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let result = mapping.text(row, "result").unwrap_or_else(|| "match".to_owned());
        let given = mapping.text(row, "commitment");
        let commitment = match (mapping.text(row, "file"), mapping.text(row, "opening"), given) {
            (Some(file), Some(opening), None) => {
                let opening = read_opening(Path::new(&opening))?;
                commit(&opening.salt, &Payload::read(Path::new(&file))?.sha256).to_hex()
            }
            (None, None, Some(commitment)) => commitment,
            (None, None, None) => text("commitment"),
            _ => return Err(invalid("file, opening and commitment".to_owned(), "file with opening, or commitment, or none of them")),
        };
        if result == "match" && commitment != text("commitment") {
            let expected = format!("{}, the commitment of delivery {delivery}", text("commitment"));
            return Err(Failure::Refused(Refusal::new(Code::CommitmentMismatch, commitment, expected)));
        }
        let rows = mapping.text(row, "rows").map(|rows| number("rows", &rows)).transpose()?;
        let body = Members::new().with("commitment", commitment).with("result", result).maybe("rows", rows);
        let key = format!("share.receipt {delivery}");
        Ok(Planned::New(Plan { key, kind: "share.receipt", refs: vec![delivery], body, by: text("requester") }))
    }
}

/// Reports of use.
#[derive(Default)]
pub struct Uses {
    /// Grant and period of those on the ledger, by requester.
    known: HashMap<String, HashSet<(String, String)>>,
    made: BTreeMap<(Hash, String), Use>,
}

struct Use {
    line: u64,
    requester: String,
    root: String,
    counts: BTreeMap<String, u64>,
}

impl Rows for Uses {
    const FIELDS: &'static [Field] =
        &[needed("requester"), needed("grant"), needed("period"), needed("purpose"), needed("count"), needed("root")];
    const WHAT: &'static str = "uses";

    fn read(&mut self, reading: &Reading<'_>, row: &Row) -> Result<Planned, Failure> {
        let mapping = reading.mapping;
        let requester = agency_of(reading.agencies, &mapping.needed(row, "requester")?)?.to_owned();
        let grant = record_id("grant", &mapping.needed(row, "grant")?)?;
        let period = mapping.needed(row, "period")?;
        let purpose = mapping.needed(row, "purpose")?;
        let count = number("count", &mapping.needed(row, "count")?)?;
        let root = mapping.needed(row, "root")?;
        if !self.known.contains_key(&requester) {
            self.known.insert(requester.clone(), known_uses(reading, &requester)?);
        }
        if self.known.get(&requester).is_some_and(|known| known.contains(&(grant.to_hex(), period.clone()))) {
            return Ok(Planned::Kept);
        }
        let new = || Use { line: row.line, requester: requester.clone(), root: root.clone(), counts: BTreeMap::new() };
        let report = self.made.entry((grant, period)).or_insert_with(new);
        if (&report.requester, &report.root) != (&requester, &root) {
            return Err(invalid(format!("requester {requester}, root {root}"), "the same in all rows of a grant and period"));
        }
        let sum = report.counts.entry(purpose).or_default();
        *sum = sum.saturating_add(count);
        Ok(Planned::Gathered)
    }

    fn finish(&mut self) -> Vec<(u64, Plan)> {
        let plan = |((grant, period), report): ((Hash, String), Use)| {
            let key = format!("share.use {grant} {period}");
            let body = Members::new().with("counts", counts_value(&report.counts)).with("period", period).with("root", report.root);
            (report.line, Plan { key, kind: "share.use", refs: vec![grant], body, by: report.requester })
        };
        std::mem::take(&mut self.made).into_iter().map(plan).collect()
    }
}

fn known_uses(reading: &Reading<'_>, requester: &str) -> Result<HashSet<(String, String)>, Failure> {
    let mut known = HashSet::new();
    let path = format!("/api/v1/records?kind=share.use&agency={}&limit={PAGE_MAX}", escaped(requester));
    reading.run.client.each_page(&path, |page| {
        known.extend(items_of(page).iter().filter_map(|record| {
            let grant = record.get("refs")?.as_array()?.first()?.as_str()?;
            let period = record.get("body")?.get("period")?.as_str()?;
            Some((grant.to_owned(), period.to_owned()))
        }));
    })?;
    Ok(known)
}
