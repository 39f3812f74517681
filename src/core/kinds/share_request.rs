//! `share.request`: an agency asks a provider for datasets of its catalogue.
//!
//! - R-REQUEST-1: datasets ascend by id, none twice.
//! - R-REQUEST-2: a term does not end before it begins.
//! - R-REQUEST-3: the duty is declared and not retired.
//! - R-REQUEST-4: each dataset is in the catalogue and not retired.
//! - R-REQUEST-5: each at its newest version.
//! - R-REQUEST-6: all of one provider and one class.
//! - R-REQUEST-7: none returned by its review, and each approved unless the policy lets unreviewed ones be requested.

use crate::core::fields::Fields;
use crate::core::json::strings;
use crate::core::key::Role;
use crate::core::kinds::{KindRules, MODES, Place, check_basis, check_refs, check_scoped, check_writer_signs, optional_term};
use crate::core::limits::{DATASETS_MAX, TEXT_BYTES_MAX};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, DatasetRow, DutyRow, RecordRow};

const SORTS: [&str; 4] = ["ordinary", "backflow", "onward", "purpose-change"];

/// A dataset at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedDataset {
    pub id: String,
    pub version: u64,
}

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRequest {
    /// 1 to 64, ascending by id.
    pub datasets: Vec<RequestedDataset>,
    pub duty: String,
    /// Data collected in the requester's territory, wanted back.
    pub is_backflow: bool,
}

impl ShareRequest {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        check_basis(fields)?;
        let datasets = requested(fields)?;
        let duty = fields.checked("duty", check_scoped)?.to_owned();
        fields.one_of("mode", &MODES)?;
        let is_backflow = fields.one_of("sort", &SORTS)? == "backflow";
        fields.text("purpose", TEXT_BYTES_MAX)?;
        for name in ["scenario", "scope", "label"] {
            fields.optional_text(name, TEXT_BYTES_MAX)?;
        }
        optional_term(fields, "R-REQUEST-2")?;
        Ok(ShareRequest { datasets, duty, is_backflow })
    }

    /// The row of each dataset, judged against the first one's; gives that and who stands for its provider.
    fn check_datasets(&self, state: &dyn Rows) -> Result<(DatasetRow, String), Refusal> {
        let mut first: Option<(DatasetRow, String)> = None;
        let takes_unreviewed = tables::unreviewed_requestable(state);
        for dataset in &self.datasets {
            let Some(row) = DatasetRow::read(state, &dataset.id).filter(|row| !row.is_retired()) else {
                return Err(Refusal::rule("R-REQUEST-4", Code::DatasetUnknown, dataset.id.as_str(), "id of a published dataset"));
            };
            if dataset.version != row.version() {
                let found = format!("{} version {}", dataset.id, dataset.version);
                return Err(Refusal::rule("R-REQUEST-5", Code::VersionWrong, found, format!("version {}, the newest", row.version())));
            }
            let provider = tables::end_of_chain(state, row.provider());
            match &first {
                Some((first, of)) if (&*provider, row.class()) != (&**of, first.class()) => {
                    let found = format!("{} of {provider}, {}", dataset.id, row.class());
                    let expected = format!("datasets of {of} alone, {}", first.class());
                    return Err(Refusal::rule("R-REQUEST-6", Code::RefWrong, found, expected));
                }
                _ => {}
            }
            let may = row.reviewed().map_or(takes_unreviewed, |outcome| outcome == "approve");
            if !may {
                let found = format!("{}, {}", dataset.id, row.reviewed().map_or("not reviewed", |_| "returned by its review"));
                return Err(Refusal::rule("R-REQUEST-7", Code::VersionWrong, found, "a reviewed version"));
            }
            if first.is_none() {
                first = Some((row, provider));
            }
        }
        Ok(first.expect("a request names 1 to 64 datasets"))
    }
}

fn requested(fields: &mut Fields<'_>) -> Result<Vec<RequestedDataset>, Refusal> {
    let mut datasets: Vec<RequestedDataset> = Vec::new();
    for (index, item) in fields.list("datasets", 1, DATASETS_MAX)?.iter().enumerate() {
        let mut item = Fields::of(item, &format!("body.datasets[{index}]"))?;
        let dataset = RequestedDataset { id: item.checked("id", check_scoped)?.to_owned(), version: item.integer("version")? };
        item.end()?;
        if datasets.last().is_some_and(|last| last.id >= dataset.id) {
            return Err(Refusal::rule("R-REQUEST-1", Code::FieldInvalid, dataset.id, "datasets ascending by id, none twice"));
        }
        datasets.push(dataset);
    }
    Ok(datasets)
}

impl KindRules for ShareRequest {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        if DutyRow::read_active(place.state, &self.duty).is_none() {
            return Err(Refusal::rule("R-REQUEST-3", Code::DutyUnknown, self.duty.as_str(), "id of a declared duty"));
        }
        let (first, provider) = self.check_datasets(place.state)?;
        let clock = if first.class() == "unconditional" { "answer_unconditional" } else { "answer_conditional" };
        let requester = place.record.by.as_str();
        let mut changes = place.rows([
            ("backflow", self.is_backflow.then(|| tables::limit(place.state, "backflow").into())),
            ("class", Some(first.class().into())),
            ("datasets", Some(strings(self.datasets.iter().map(|dataset| &dataset.id)))),
            ("limit", Some(tables::limit(place.state, clock).into())),
            ("offset", Some(place.offset())),
            ("pauses", tables::pauses_on_supplement(place.state).then(|| true.into())),
            ("provider", Some(provider.as_str().into())),
            ("requester", Some(requester.into())),
            ("start", Some(place.day().into())),
        ]);
        for party in [provider.as_str(), requester] {
            tables::add_open(&mut changes, place.state, party);
        }
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        if let Some(row) = RecordRow::read(state, &record.id()) {
            subjects.add_agency(row.provider());
        }
        subjects.datasets.extend(self.datasets.iter().map(|dataset| dataset.id.clone()));
        subjects.duties.push(self.duty.clone());
        subjects.request = Some(record.id());
    }
}
