//! `share.request`: an agency asks a provider for datasets of its catalogue.
//!
//! - R-REQUEST-1: datasets ascend by id, none twice.
//! - R-REQUEST-2: a term does not end before it begins.
//! - R-REQUEST-3: the duty is declared.
//! - R-REQUEST-4: each dataset is in the catalogue.
//! - R-REQUEST-5: each at its newest version.
//! - R-REQUEST-6: all of one provider and one class.
//! - R-REQUEST-7: reviewed, unless the policy lets unreviewed ones be requested.

use crate::core::fields::Fields;
use crate::core::json::strings;
use crate::core::key::Role;
use crate::core::kinds::{KindRules, MODES, Place, check_basis, check_optional_term, check_refs, check_scoped, check_writer_signs};
use crate::core::limits::{DATASETS_MAX, TEXT_BYTES_MAX};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, DUTY, DatasetRow};

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
}

impl ShareRequest {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        check_basis(fields)?;
        let datasets = requested(fields)?;
        let duty = fields.checked("duty", check_scoped)?.to_owned();
        fields.one_of("mode", &MODES)?;
        fields.one_of("sort", &SORTS)?;
        fields.text("purpose", TEXT_BYTES_MAX)?;
        for name in ["scenario", "scope", "label"] {
            fields.optional_text(name, TEXT_BYTES_MAX)?;
        }
        check_optional_term(fields, "R-REQUEST-2")?;
        Ok(ShareRequest { datasets, duty })
    }

    /// The row of each dataset, judged against the first one's.
    fn check_datasets(&self, state: &dyn Rows) -> Result<DatasetRow, Refusal> {
        let mut first: Option<DatasetRow> = None;
        for dataset in &self.datasets {
            let Some(row) = DatasetRow::read(state, &dataset.id) else {
                return Err(Refusal::rule("R-REQUEST-4", Code::DatasetUnknown, dataset.id.as_str(), "id of a published dataset"));
            };
            if dataset.version != row.version() {
                let found = format!("{} version {}", dataset.id, dataset.version);
                return Err(Refusal::rule("R-REQUEST-5", Code::VersionWrong, found, format!("version {}, the newest", row.version())));
            }
            match &first {
                Some(first) if (row.provider(), row.class()) != (first.provider(), first.class()) => {
                    let found = format!("{} of {}, {}", dataset.id, row.provider(), row.class());
                    let expected = format!("datasets of {} alone, {}", first.provider(), first.class());
                    return Err(Refusal::rule("R-REQUEST-6", Code::RefWrong, found, expected));
                }
                Some(_) => {}
                None => first = Some(row),
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
        if place.state.get(DUTY, &self.duty).is_none() {
            return Err(Refusal::rule("R-REQUEST-3", Code::DutyUnknown, self.duty.as_str(), "id of a declared duty"));
        }
        let first = self.check_datasets(place.state)?;
        if !tables::unreviewed_requestable(place.state) {
            let found = format!("{}, not reviewed", self.datasets[0].id);
            return Err(Refusal::rule("R-REQUEST-7", Code::VersionWrong, found, "a reviewed version"));
        }
        Ok(place.rows([
            ("class", Some(first.class().into())),
            ("datasets", Some(strings(self.datasets.iter().map(|dataset| &dataset.id)))),
            ("provider", Some(first.provider().into())),
            ("requester", Some(place.record.by.as_str().into())),
        ]))
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        if let Some(first) = self.datasets.first().and_then(|first| DatasetRow::read(state, &first.id)) {
            subjects.add_agency(first.provider());
        }
        subjects.datasets.extend(self.datasets.iter().map(|dataset| dataset.id.clone()));
        subjects.duties.push(self.duty.clone());
        subjects.request = Some(record.id());
    }
}
