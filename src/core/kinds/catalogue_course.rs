//! `duty.retire`, `dataset.retire` and `dataset.review`: what becomes of a duty and of a catalogue entry.
//!
//! A retired duty starts the clock of the datasets that name it; a retired dataset takes no more requests, and what was
//! granted goes on.
//!
//! - R-DUTYRETIRE-1: the duty is declared. R-DUTYRETIRE-2: the writer stands for its agency. R-DUTYRETIRE-3: it is not
//!   retired yet.
//! - R-DATASETRETIRE-1: the dataset is published. R-DATASETRETIRE-2: the writer stands for its provider.
//!   R-DATASETRETIRE-3: it is not retired yet.
//! - R-REVIEW-1: the dataset is published and not retired. R-REVIEW-2: the version is its newest. R-REVIEW-3: that version
//!   was not reviewed yet. R-REVIEW-4: a reason exactly when it is returned.

use crate::core::fields::Fields;
use crate::core::key::Role;
use crate::core::kinds::{KindRules, Place, check_party, check_refs, check_scoped, check_writer_signs};
use crate::core::limits::TEXT_BYTES_MAX;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, DATASET, DUTY, DatasetRow, DutyRow};

/// The body of `duty.retire`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyRetire {
    pub id: String,
}

impl DutyRetire {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.text("reason", TEXT_BYTES_MAX)?;
        Ok(DutyRetire { id: fields.checked("id", check_scoped)?.to_owned() })
    }
}

impl KindRules for DutyRetire {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let Some(duty) = DutyRow::read(place.state, &self.id) else {
            return Err(Refusal::rule("R-DUTYRETIRE-1", Code::DutyUnknown, self.id.as_str(), "id of a declared duty"));
        };
        check_party(place, duty.agency(), "R-DUTYRETIRE-2")?;
        if duty.is_retired() {
            return Err(Refusal::rule("R-DUTYRETIRE-3", Code::Closed, self.id.as_str(), "a duty that is not retired"));
        }
        let mut changes = place.rows([
            ("limit", Some(tables::limit(place.state, "catalogue_update").into())),
            ("offset", Some(place.offset())),
            ("provider", Some(duty.agency().into())),
            ("start", Some(place.day().into())),
        ]);
        changes.put(DUTY, &*self.id, duty.retired());
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.duties.push(self.id.clone());
    }
}

/// The body of `dataset.retire`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetRetire {
    pub id: String,
}

impl DatasetRetire {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.text("reason", TEXT_BYTES_MAX)?;
        Ok(DatasetRetire { id: fields.checked("id", check_scoped)?.to_owned() })
    }
}

impl KindRules for DatasetRetire {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Head)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let Some(dataset) = DatasetRow::read(place.state, &self.id) else {
            return Err(Refusal::rule("R-DATASETRETIRE-1", Code::DatasetUnknown, self.id.as_str(), "id of a published dataset"));
        };
        check_party(place, dataset.provider(), "R-DATASETRETIRE-2")?;
        if dataset.is_retired() {
            return Err(Refusal::rule("R-DATASETRETIRE-3", Code::Closed, self.id.as_str(), "a dataset that is not retired"));
        }
        let mut changes = place.rows([]);
        changes.put(DATASET, &*self.id, dataset.with("retired", true.into()));
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.datasets.push(self.id.clone());
    }
}

/// The body of `dataset.review`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetReview {
    pub id: String,
    pub version: u64,
    /// `approve` or `return`.
    pub outcome: String,
}

impl DatasetReview {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let outcome = fields.one_of("outcome", &["approve", "return"])?.to_owned();
        let is_returned = outcome == "return";
        if fields.has("reason") != is_returned {
            let (code, expected) = if is_returned {
                (Code::FieldMissing, "a reason for the return")
            } else {
                (Code::FieldUnknown, "no reason for an approval")
            };
            return Err(Refusal::rule("R-REVIEW-4", code, format!("body.outcome {outcome}"), expected));
        }
        fields.optional_text("reason", TEXT_BYTES_MAX)?;
        Ok(DatasetReview { id: fields.checked("id", check_scoped)?.to_owned(), version: fields.integer("version")?, outcome })
    }
}

impl KindRules for DatasetReview {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Authority)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let Some(dataset) = DatasetRow::read(place.state, &self.id).filter(|row| !row.is_retired()) else {
            return Err(Refusal::rule("R-REVIEW-1", Code::DatasetUnknown, self.id.as_str(), "id of a published dataset"));
        };
        if self.version != dataset.version() {
            let found = format!("{} version {}", self.id, self.version);
            return Err(Refusal::rule("R-REVIEW-2", Code::VersionWrong, found, format!("version {}, the newest", dataset.version())));
        }
        if let Some(outcome) = dataset.reviewed() {
            return Err(Refusal::rule("R-REVIEW-3", Code::Duplicate, format!("reviewed: {outcome}"), "a version without a review"));
        }
        let mut changes = place.rows([]);
        changes.put(DATASET, &*self.id, dataset.with("reviewed", self.outcome.as_str().into()));
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        if let Some(row) = DatasetRow::read(state, &self.id) {
            subjects.add_agency(row.provider());
        }
        subjects.datasets.push(self.id.clone());
    }
}
