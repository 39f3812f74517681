//! `sharelog import deliveries`: a sharing log replayed, in phases, each committed before the next.
//!
//! 1. One duty `<requester>:agreements` for each requester.
//! 2. One request for each agreement, labelled with its reference.
//! 3. One agreeing answer for each.
//! 4. One delivery for each row.
//! 5. A match receipt for some of them.
//!
//! What is on the ledger already is kept. What hangs on a refused record is refused with it.

pub mod rows;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use clap::Args;

use crate::cli::Global;
use crate::cli::client::Problem;
use crate::cli::failure::Failure;
use crate::cli::import::datasets::agency_of;
use crate::cli::import::deliveries::rows::{Agreement, DeliveryRow, Log, Register, has_receipt};
use crate::cli::import::fields::{Field, Mapping, check_known, needed, optional};
use crate::cli::import::ledger::{self, KnownDelivery, KnownRequest, fold};
use crate::cli::import::run::{Run, Want};
use crate::cli::import::table::Table;
use crate::cli::import::{Ended, Source};
use crate::cli::kinds::handover::Payload;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::share::versions;
use crate::core::commitment::commit;
use crate::core::hash::Hash;
use crate::core::key::Role;
use crate::core::kinds::Kind;
use crate::core::limits::BASIS_MAX;
use crate::core::refusal::{Code, Refusal};

pub const HELP: &str = "Fields (* needed): provider* requester* dataset* agreement* batch* basis frequency file rows period
Of the agreements: agreement.ref* agreement.purpose

Examples:
  sharelog import deliveries releases.csv --agreements agreements.csv --keys clients --receipts 20 --set provider=nhs-digital --map requester=recipient --map dataset=dataset --map agreement=agreement_ref --map batch=row_id --map basis=legal_basis --map agreement.ref=agreement_ref --map agreement.purpose=objective_excerpt
  sharelog import deliveries log.csv --agreements agreements.csv --keys clients --set provider=agency-0 --map requester=to --map dataset=dataset --map agreement=ref --map batch=batch --map file=path --map agreement.ref=ref --on-error skip --json";

const FIELDS: [Field; 10] = [
    needed("provider"),
    needed("requester"),
    needed("dataset"),
    needed("agreement"),
    needed("batch"),
    optional("basis"),
    optional("frequency"),
    optional("file"),
    optional("rows"),
    optional("period"),
];
const AGREEMENT_FIELDS: [Field; 2] = [needed("agreement.ref"), optional("agreement.purpose")];
/// The local part and the title of the duty under which a requester uses what it is given.
const DUTY: (&str, &str) = ("agreements", "Use of data shared under agreements");

#[derive(Debug, Args)]
pub struct DeliveriesArgs {
    #[command(flatten)]
    source: Source,
    /// CSV file of the agreements
    #[arg(long, value_name = "FILE")]
    agreements: PathBuf,
    /// Requesters give a receipt for this share of the deliveries
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=100))]
    receipts: u64,
}

/// # Errors
/// [`Failure`], when nothing could begin.
pub fn run(args: &DeliveriesArgs, global: &Global) -> Result<Ended, Failure> {
    check_known(&[&FIELDS, &AGREEMENT_FIELDS], &args.source.sheet.maps)?;
    check_known(&[&FIELDS, &AGREEMENT_FIELDS], &args.source.sheet.sets)?;
    let table = Table::read(&args.source.sheet.file)?;
    let mapping = Mapping::new(&FIELDS, &args.source.sheet.maps, &args.source.sheet.sets, &table)?;
    let agreements = Table::read(&args.agreements)?;
    let agreement_mapping = Mapping::new(&AGREEMENT_FIELDS, &args.source.sheet.maps, &args.source.sheet.sets, &agreements)?;
    let mut run = args.source.begin(global)?;
    let register = register(&run, &table, &mapping, &agreements, &agreement_mapping)?;
    let log = Log::read(&table, &mapping, &register)?;
    let outcome = import(&mut run, &table, &agreements, log, args.receipts);
    Ok((run.summary, outcome))
}

fn register(run: &Run, table: &Table, mapping: &Mapping, agreements: &Table, agreement_mapping: &Mapping) -> Result<Register, Failure> {
    let agencies = ledger::agencies(&run.client)?;
    let cells: BTreeSet<_> = table.rows.iter().filter_map(|row| mapping.text(row, "provider")).collect();
    let providers: BTreeSet<_> = cells.iter().filter_map(|cell| agency_of(&agencies, cell).ok()).collect();
    let mut datasets = HashMap::new();
    for provider in providers {
        datasets.insert(provider.to_owned(), ledger::datasets(&run.client, provider)?);
    }
    let purpose = |row| {
        let reference = agreement_mapping.text(row, "agreement.ref")?;
        let purpose = agreement_mapping.text(row, "agreement.purpose").unwrap_or_else(|| format!("agreement {reference}"));
        Some((reference, purpose))
    };
    let purposes = agreements.rows.iter().filter_map(purpose).collect();
    Ok(Register { agencies, datasets, purposes })
}

/// With `stop`, a row that cannot stand ends the import before anything is sent: half an agreement would bind the rest.
fn import(run: &mut Run, table: &Table, agreements: &Table, log: Log, percent: u64) -> Result<(), Failure> {
    run.summary.add("rows", table.rows.len() + table.faults.len());
    run.summary.add("repeated", log.repeated);
    run.faults(agreements)?;
    run.faults(table)?;
    for (line, problem) in log.refused {
        run.refuse(table, line, problem)?;
    }
    let mut replay = Replay::new(run, table, log.agreements)?;
    replay.duties()?;
    replay.requests()?;
    replay.answers()?;
    replay.deliveries()?;
    replay.receipts(percent)
}

/// An agreement on its way.
struct Course {
    agreement: Agreement,
    request: Option<KnownRequest>,
    dead: bool,
}

impl Course {
    /// The line that stands for the whole agreement.
    fn line(&self) -> u64 {
        self.agreement.rows.first().map_or(0, |row| row.line)
    }

    fn granted(&self) -> Option<(Hash, &KnownRequest)> {
        let request = self.request.as_ref()?;
        Some((request.grant?, request))
    }
}

struct Replay<'a> {
    run: &'a mut Run,
    table: &'a Table,
    courses: Vec<Course>,
    duties: HashSet<String>,
    delivered: HashMap<(Hash, String), KnownDelivery>,
}

impl<'a> Replay<'a> {
    fn new(run: &'a mut Run, table: &'a Table, agreements: Vec<Agreement>) -> Result<Self, Failure> {
        let providers: BTreeSet<_> = agreements.iter().map(|agreement| agreement.provider.clone()).collect();
        let duties = ledger::duties(&run.client)?;
        let (mut requests, mut delivered) = (HashMap::new(), HashMap::new());
        for provider in providers {
            delivered.extend(ledger::deliveries(&run.client, &provider)?);
            requests.insert(provider.clone(), ledger::requests(&run.client, &provider)?);
        }
        let course = |agreement: Agreement| {
            let key = (fold(&agreement.requester), agreement.reference.clone());
            let request = requests.get_mut(&agreement.provider).and_then(|requests| requests.remove(&key));
            Course { agreement, request, dead: false }
        };
        let courses = agreements.into_iter().map(course).collect();
        Ok(Replay { run, table, courses, duties, delivered })
    }

    /// The rows of an agreement that came to nothing, beside the one that already stands for it in the summary.
    fn bury(&mut self, index: usize, why: &str) -> Result<(), Failure> {
        let course = &mut self.courses[index];
        course.dead = true;
        let found = format!("{} of agreement {} was refused", why, course.agreement.reference);
        let lines: Vec<_> = course.agreement.rows.iter().skip(1).map(|row| row.line).collect();
        for line in lines {
            let problem = Problem::from(Refusal::new(Code::RefUnknown, found.clone(), "a committed one"));
            self.run.refuse(self.table, line, problem)?;
        }
        Ok(())
    }

    fn living(&self) -> impl Iterator<Item = (usize, &Course)> {
        self.courses.iter().enumerate().filter(|(_, course)| !course.dead)
    }

    fn duties(&mut self) -> Result<(), Failure> {
        let mut bases: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
        for course in &self.courses {
            let agreement = &course.agreement;
            let (_, basis) = bases.entry(agreement.requester.clone()).or_insert_with(|| (course.line(), Vec::new()));
            for text in basis_of(agreement) {
                if basis.len() < BASIS_MAX && !basis.contains(&text) {
                    basis.push(text);
                }
            }
        }
        let mut wants = Vec::new();
        let mut kept = 0;
        for (requester, (line, basis)) in bases {
            let id = duty_of(&requester);
            if self.duties.contains(&fold(&id)) {
                kept += 1;
                continue;
            }
            let body = Members::new().list("basis", &basis).with("id", id.as_str()).with("title", DUTY.1).into_value();
            let (key, signer) = (format!("duty.declare {}", fold(&id)), self.run.keys.get(&requester, Role::Office)?);
            wants.push(Want { line, key, kind: Kind::DutyDeclare, refs: Vec::new(), body, signer, by: requester, opening: None });
        }
        self.run.summary.add("kept", kept);
        // A duty that is refused shows again at the requests that need it.
        self.run.phase(self.table, "duties", wants).map(|_| ())
    }

    fn requests(&mut self) -> Result<(), Failure> {
        let mut wants = Vec::new();
        let mut open = Vec::new();
        let kept = self.courses.iter().filter(|course| course.request.is_some()).count();
        for (index, course) in self.courses.iter().enumerate().filter(|(_, course)| course.request.is_none()) {
            let agreement = &course.agreement;
            let requester = agreement.requester.clone();
            let body = Members::new()
                .list("basis", &basis_of(agreement))
                .with("datasets", versions(&agreement.datasets))
                .with("duty", duty_of(&requester))
                .with("label", agreement.reference.as_str())
                .with("mode", "file")
                .with("purpose", agreement.purpose.as_str())
                .with("sort", "ordinary")
                .into_value();
            let key = format!("share.request {} {} {}", fold(&agreement.provider), fold(&requester), agreement.reference);
            let (line, signer) = (course.line(), self.run.keys.get(&requester, Role::Office)?);
            wants.push(Want { line, key, kind: Kind::ShareRequest, refs: Vec::new(), body, signer, by: requester, opening: None });
            open.push(index);
        }
        self.run.summary.add("kept", kept);
        let ids = self.run.phase(self.table, "requests", wants)?;
        for (index, id) in open.into_iter().zip(ids) {
            match id {
                Some(id) => {
                    let datasets = self.courses[index].agreement.datasets.clone();
                    self.courses[index].request = Some(KnownRequest { id, grant: None, datasets });
                }
                None => self.bury(index, "the request")?,
            }
        }
        Ok(())
    }

    fn answers(&mut self) -> Result<(), Failure> {
        let mut wants = Vec::new();
        let mut open = Vec::new();
        let kept = self.living().filter(|(_, course)| course.granted().is_some()).count();
        for (index, course) in self.courses.iter().enumerate().filter(|(_, course)| !course.dead && course.granted().is_none()) {
            let Some(request) = &course.request else {
                continue;
            };
            let agreement = &course.agreement;
            let ids: Vec<_> = request.datasets.keys().cloned().collect();
            let body = Members::new()
                .list("datasets", &ids)
                .maybe("frequency", frequency_of(&agreement.frequencies))
                .with("outcome", "agree")
                .into_value();
            let (line, by) = (course.line(), agreement.provider.clone());
            let signer = self.run.keys.get(&by, Role::Office)?;
            let key = format!("share.answer {}", request.id);
            wants.push(Want { line, key, kind: Kind::ShareAnswer, refs: vec![request.id], body, signer, by, opening: None });
            open.push(index);
        }
        self.run.summary.add("kept", kept);
        let ids = self.run.phase(self.table, "answers", wants)?;
        for (index, id) in open.into_iter().zip(ids) {
            match (id, &mut self.courses[index].request) {
                (Some(id), Some(request)) => request.grant = Some(id),
                _ => self.bury(index, "the answer")?,
            }
        }
        Ok(())
    }

    fn deliveries(&mut self) -> Result<(), Failure> {
        let mut wants = Vec::new();
        let mut slots = Vec::new();
        let mut kept = 0;
        for (_, course) in self.living() {
            let Some((grant, request)) = course.granted() else {
                continue;
            };
            let by = &course.agreement.provider;
            for row in &course.agreement.rows {
                let slot = (grant, row.batch.clone());
                if self.delivered.contains_key(&slot) {
                    kept += 1;
                    continue;
                }
                let version = request.datasets.get(&row.dataset).or(course.agreement.datasets.get(&row.dataset)).copied().unwrap_or(1);
                wants.push((by.clone(), grant, version, row.clone()));
                slots.push((slot, row.rows));
            }
        }
        self.run.summary.add("kept", kept);
        let wants: Vec<_> = wants
            .into_iter()
            .map(|(by, grant, version, row)| delivery(self.run, by, grant, version, &row))
            .collect::<Result<_, Failure>>()?;
        let commitments: Vec<_> = wants.iter().map(|(_, commitment)| commitment.clone()).collect();
        let ids = self.run.phase(self.table, "deliveries", wants.into_iter().map(|(want, _)| want).collect())?;
        for (((slot, rows), commitment), id) in slots.into_iter().zip(commitments).zip(ids) {
            if let Some(id) = id {
                self.delivered.insert(slot, KnownDelivery { id, commitment, rows, has_receipt: false });
            }
        }
        Ok(())
    }

    fn receipts(&mut self, percent: u64) -> Result<(), Failure> {
        let mut due = Vec::new();
        for (_, course) in self.living() {
            let Some((grant, _)) = course.granted() else {
                continue;
            };
            for row in course.agreement.rows.iter().filter(|row| has_receipt(&row.batch, percent)) {
                if let Some(delivery) = self.delivered.get(&(grant, row.batch.clone())) {
                    due.push((row.line, course.agreement.requester.clone(), delivery.clone()));
                }
            }
        }
        let (kept, due): (Vec<_>, Vec<_>) = due.into_iter().partition(|(_, _, delivery)| delivery.has_receipt);
        self.run.summary.add("kept", kept.len());
        let mut wants = Vec::with_capacity(due.len());
        for (line, by, delivery) in due {
            let body = Members::new()
                .with("commitment", delivery.commitment.as_str())
                .with("result", "match")
                .maybe("rows", delivery.rows)
                .into_value();
            let (key, signer) = (format!("share.receipt {}", delivery.id), self.run.keys.get(&by, Role::Office)?);
            wants.push(Want { line, key, kind: Kind::ShareReceipt, refs: vec![delivery.id], body, signer, by, opening: None });
        }
        self.run.phase(self.table, "receipts", wants).map(|_| ())
    }
}

/// A delivery with its commitment.
fn delivery(run: &mut Run, by: String, grant: Hash, version: u64, row: &DeliveryRow) -> Result<(Want, String), Failure> {
    let key = format!("share.deliver {grant} {}", row.batch);
    let payload = Payload { bytes: row.bytes, sha256: row.sha256 };
    let salt = run.salt(&key, &payload)?;
    let commitment = commit(&salt, &row.sha256).to_hex();
    let body = Members::new()
        .with("batch", row.batch.as_str())
        .with("bytes", row.bytes)
        .with("commitment", commitment.as_str())
        .with("dataset", row.dataset.as_str())
        .with("mode", "file")
        .maybe("period", row.period.as_deref())
        .maybe("rows", row.rows)
        .with("version", version)
        .into_value();
    let signer = run.keys.get(&by, Role::Office)?;
    let (line, opening) = (row.line, Some((salt, payload)));
    Ok((Want { line, key, kind: Kind::ShareDeliver, refs: vec![grant], body, signer, by, opening }, commitment))
}

fn duty_of(requester: &str) -> String {
    format!("{requester}:{}", DUTY.0)
}

/// The bases of the rows; where they name none, the agreement itself is the basis.
fn basis_of(agreement: &Agreement) -> Vec<String> {
    if agreement.basis.is_empty() { vec![agreement.reference.clone()] } else { agreement.basis.clone() }
}

/// What all rows say alike; rows that differ make no period.
fn frequency_of(frequencies: &BTreeSet<&'static str>) -> Option<&'static str> {
    match frequencies.len() {
        0 => None,
        1 => frequencies.first().copied(),
        _ => Some("irregular"),
    }
}
