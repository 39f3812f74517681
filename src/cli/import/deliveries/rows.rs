//! The rows of a sharing log, gathered by the agreements that they stand under.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use crate::cli::client::Problem;
use crate::cli::failure::Failure;
use crate::cli::import::datasets::agency_of;
use crate::cli::import::fields::Mapping;
use crate::cli::import::ledger::{KnownAgency, KnownDataset, fold};
use crate::cli::import::table::{Row, Table, row_jcs};
use crate::cli::import::text;
use crate::cli::kinds::handover::Payload;
use crate::core::hash::Hash;
use crate::core::ids::{check_local, split_scoped};
use crate::core::limits::{BASIS_MAX, DATASETS_MAX};
use crate::core::refusal::{Code, Refusal};

/// One row that becomes a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    pub line: u64,
    pub batch: String,
    /// As spelled on the ledger.
    pub dataset: String,
    pub period: Option<String>,
    pub rows: Option<u64>,
    pub bytes: u64,
    pub sha256: Hash,
}

/// An agreement with its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    pub reference: String,
    pub purpose: String,
    pub provider: String,
    pub requester: String,
    pub basis: Vec<String>,
    /// Newest versions by id.
    pub datasets: BTreeMap<String, u64>,
    pub frequencies: BTreeSet<&'static str>,
    pub rows: Vec<DeliveryRow>,
}

/// What the rows are read against.
pub struct Register {
    pub agencies: HashMap<String, KnownAgency>,
    /// By provider, then by folded id.
    pub datasets: HashMap<String, HashMap<String, KnownDataset>>,
    /// Purposes by reference.
    pub purposes: HashMap<String, String>,
}

/// A sharing log, read.
#[derive(Debug, Default)]
pub struct Log {
    /// In the order of their first rows.
    pub agreements: Vec<Agreement>,
    pub repeated: usize,
    pub refused: Vec<(u64, Problem)>,
    places: HashMap<String, usize>,
    batches: HashMap<(String, String), Vec<String>>,
}

impl Log {
    /// Reads all rows; refused ones are listed and belong to no agreement.
    ///
    /// # Errors
    /// [`Failure::Unreadable`] for a payload file that cannot be read.
    pub fn read(table: &Table, mapping: &Mapping, register: &Register) -> Result<Self, Failure> {
        let mut log = Log::default();
        for row in &table.rows {
            let outcome = log.take(table, mapping, register, row)?;
            if let Err(refusal) = outcome {
                log.refused.push((row.line, refusal.into()));
            }
        }
        Ok(log)
    }

    fn take(&mut self, table: &Table, mapping: &Mapping, register: &Register, row: &Row) -> Result<Result<(), Refusal>, Failure> {
        let head = match Head::read(mapping, register, row) {
            Ok(head) => head,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let slot = (head.reference.clone(), head.batch.clone());
        if let Some(first) = self.batches.get(&slot) {
            if *first == row.cells {
                self.repeated += 1;
                return Ok(Ok(()));
            }
            let found = format!("batch {} again in agreement {}", head.batch, head.reference);
            return Ok(Err(Refusal::new(Code::Duplicate, found, "each batch once in an agreement")));
        }
        let payload = match mapping.text(row, "file") {
            Some(file) => Payload::read(&table.path.parent().unwrap_or(Path::new(".")).join(file))?,
            None => Payload::of(row_jcs(&table.columns, row).as_bytes()),
        };
        let delivery = DeliveryRow {
            line: row.line,
            batch: head.batch.clone(),
            dataset: head.dataset.id.clone(),
            period: mapping.text(row, "period"),
            rows: head.rows,
            bytes: payload.bytes,
            sha256: payload.sha256,
        };
        if let Err(refusal) = self.add(head, delivery, register) {
            return Ok(Err(refusal));
        }
        self.batches.insert(slot, row.cells.clone());
        Ok(Ok(()))
    }

    fn add(&mut self, head: Head<'_>, delivery: DeliveryRow, register: &Register) -> Result<(), Refusal> {
        let index = match self.places.get(&head.reference) {
            Some(index) => *index,
            None => {
                let unknown =
                    || Refusal::new(Code::RefUnknown, format!("agreement {}", head.reference), "an agreement of the file of agreements");
                let purpose = register.purposes.get(&head.reference).cloned().ok_or_else(unknown)?;
                self.places.insert(head.reference.clone(), self.agreements.len());
                self.agreements.push(Agreement {
                    reference: head.reference.clone(),
                    purpose,
                    provider: head.provider.to_owned(),
                    requester: head.requester.to_owned(),
                    basis: Vec::new(),
                    datasets: BTreeMap::new(),
                    frequencies: BTreeSet::new(),
                    rows: Vec::new(),
                });
                self.agreements.len() - 1
            }
        };
        let agreement = &mut self.agreements[index];
        if (agreement.provider.as_str(), agreement.requester.as_str()) != (head.provider, head.requester) {
            let found = format!("{} to {} under {}", head.provider, head.requester, head.reference);
            return Err(Refusal::new(Code::NotParty, found, format!("{} to {}", agreement.provider, agreement.requester)));
        }
        if agreement.datasets.len() >= DATASETS_MAX && !agreement.datasets.contains_key(&head.dataset.id) {
            let found = format!("more datasets under {}", head.reference);
            return Err(Refusal::new(Code::FieldInvalid, found, format!("at most {DATASETS_MAX}")));
        }
        agreement.datasets.insert(head.dataset.id.clone(), head.dataset.version);
        agreement.frequencies.extend(head.frequency);
        if let Some(basis) = head.basis.filter(|basis| agreement.basis.len() < BASIS_MAX && !agreement.basis.contains(basis)) {
            agreement.basis.push(basis);
        }
        agreement.rows.push(delivery);
        Ok(())
    }
}

/// The members of a row that need no file.
struct Head<'a> {
    provider: &'a str,
    requester: &'a str,
    dataset: &'a KnownDataset,
    reference: String,
    batch: String,
    basis: Option<String>,
    frequency: Option<&'static str>,
    rows: Option<u64>,
}

impl<'a> Head<'a> {
    fn read(mapping: &Mapping, register: &'a Register, row: &Row) -> Result<Self, Refusal> {
        let provider = agency_of(&register.agencies, &mapping.needed(row, "provider")?)?;
        let requester = agency_of(&register.agencies, &mapping.needed(row, "requester")?)?;
        let dataset = dataset_of(register, provider, &mapping.needed(row, "dataset")?)?;
        let value = mapping.needed(row, "batch")?;
        let batch = text::identifier(&value, |batch| check_local(batch).is_ok());
        check_local(&batch)
            .map_err(|_| Refusal::new(Code::FieldInvalid, format!("batch {value}"), "a name with Latin letters or digits"))?;
        let rows = mapping
            .text(row, "rows")
            .map(|rows| rows.parse().map_err(|_| Refusal::new(Code::FieldInvalid, format!("rows {rows}"), "an integer from 0 to 2^53-1")));
        Ok(Head {
            provider,
            requester,
            dataset,
            reference: mapping.needed(row, "agreement")?,
            batch,
            basis: mapping.text(row, "basis"),
            frequency: mapping.frequency(row, "frequency")?,
            rows: rows.transpose()?,
        })
    }
}

/// The dataset that a cell names: an id of the provider, or what its catalogue entry was made from.
fn dataset_of<'a>(register: &'a Register, provider: &str, value: &str) -> Result<&'a KnownDataset, Refusal> {
    let id = match split_scoped(value) {
        Ok(_) => value.to_owned(),
        Err(_) => format!("{provider}:{}", text::identifier(value, |local| check_local(local).is_ok())),
    };
    let unknown =
        || Refusal::new(Code::DatasetUnknown, format!("{value} ({id})"), format!("a dataset of {provider}; import datasets first"));
    register.datasets.get(provider).and_then(|datasets| datasets.get(&fold(&id))).ok_or_else(unknown)
}

/// Whether the requester of this batch gives a receipt, when `percent` of 100 do: SHA-256 of the batch's name, as a
/// big-endian integer, modulo 100, is below.
pub fn has_receipt(batch: &str, percent: u64) -> bool {
    let rest = Hash::of(batch.as_bytes()).as_bytes().iter().fold(0, |rest, byte| (rest * 256 + u64::from(*byte)) % 100);
    rest < percent
}
