//! `correction.file` and `correction.close`: a reported error in shared data, and its repair.
//!
//! - R-CORRECTION-1: what a correction refers to is committed. R-CORRECTION-2: it is a delivery or a grant. R-CORRECTION-3:
//!   the writer is its requester. R-CORRECTION-4: the dataset is one of the grant's.
//! - R-CORRECTION-5: what a close refers to is committed. R-CORRECTION-6: it is a correction. R-CORRECTION-7: the writer is
//!   its provider. R-CORRECTION-8: it is not closed. R-CORRECTION-9: `batch` exactly when repaired, `reason` exactly when
//!   rejected. R-CORRECTION-10: the batch was delivered under the grant.

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::ids::check_local;
use crate::core::key::Role;
use crate::core::kinds::{GRANTS, Kind, KindRules, Place, add_request_subjects, check_party, check_refs, check_scoped, check_writer_signs};
use crate::core::limits::TEXT_BYTES_MAX;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, BATCH, RECORD, RecordRow};

const ERRORS: [&str; 6] = ["wrong", "missing", "repeated", "stale", "format", "other"];

/// The body of `correction.file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectionFile {
    pub dataset: String,
}

impl CorrectionFile {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.one_of("error", &ERRORS)?;
        fields.text("text", TEXT_BYTES_MAX)?;
        Ok(CorrectionFile { dataset: fields.checked("dataset", check_scoped)?.to_owned() })
    }

    /// The grant, and whether the dataset is one that was shared by what the record refers to.
    fn grant(&self, place: &Place<'_>) -> Result<(Hash, RecordRow, bool), Refusal> {
        let kinds = [Kind::ShareDeliver, GRANTS[0], GRANTS[1]];
        let rules = ["R-CORRECTION-1", "R-CORRECTION-2"];
        let (id, row) = place.referred_of(&kinds, rules)?;
        if row.is(Kind::ShareDeliver) {
            let grant = RecordRow::read(place.state, &row.grant()).expect("a delivery's grant is committed");
            let is_granted = grant.datasets().is_some_and(|mut ids| ids.any(|id| id == self.dataset));
            return Ok((row.grant(), grant, is_granted));
        }
        let is_granted = match row.datasets() {
            Some(mut datasets) => datasets.any(|id| id == self.dataset),
            None => return Err(Refusal::rule(rules[1], Code::RefWrong, format!("{id}, which grants nothing"), "a grant or a delivery")),
        };
        Ok((id, row, is_granted))
    }
}

impl KindRules for CorrectionFile {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, grant, is_shared) = self.grant(place)?;
        check_party(place, grant.requester(), "R-CORRECTION-3")?;
        if !is_shared {
            return Err(Refusal::rule("R-CORRECTION-4", Code::NotGranted, self.dataset.as_str(), "a dataset of the grant"));
        }
        let mut changes = place.rows([("grant", Some(id.to_hex().into())), ("request", Some(grant.request().to_hex().into()))]);
        for party in [grant.provider(), grant.requester()] {
            tables::add_open(&mut changes, place.state, party);
        }
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
        subjects.datasets.push(self.dataset.clone());
    }
}

/// The body of `correction.close`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectionClose {
    /// Of the repaired batch; none when it is rejected.
    pub batch: Option<String>,
}

impl CorrectionClose {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let result = fields.one_of("result", &["repaired", "rejected"])?;
        let (wanted, other) = if result == "repaired" { ("batch", "reason") } else { ("reason", "batch") };
        if fields.has(other) {
            return Err(Refusal::rule(
                "R-CORRECTION-9",
                Code::FieldUnknown,
                format!("body.{other}"),
                format!("body.{wanted} when {result}"),
            ));
        }
        if !fields.has(wanted) {
            return Err(Refusal::rule(
                "R-CORRECTION-9",
                Code::FieldMissing,
                format!("no body.{wanted}"),
                format!("this member when {result}"),
            ));
        }
        fields.optional_text("reason", TEXT_BYTES_MAX)?;
        Ok(CorrectionClose { batch: fields.optional_checked("batch", check_local)?.map(str::to_owned) })
    }
}

impl KindRules for CorrectionClose {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, correction) = place.referred(Kind::CorrectionFile, ["R-CORRECTION-5", "R-CORRECTION-6"])?;
        let grant = RecordRow::read(place.state, &correction.grant()).expect("a correction's grant is committed");
        check_party(place, grant.provider(), "R-CORRECTION-7")?;
        if let Some(close) = correction.closed_by() {
            return Err(Refusal::rule("R-CORRECTION-8", Code::Closed, format!("closed by {close}"), "an open correction"));
        }
        if let Some(batch) = &self.batch
            && place.state.get(BATCH, &format!("{}/{batch}", correction.grant())).is_none()
        {
            return Err(Refusal::rule("R-CORRECTION-10", Code::RefUnknown, batch.as_str(), "a batch that was delivered under the grant"));
        }
        let mut changes = place.rows([("request", Some(grant.request().to_hex().into()))]);
        changes.put(RECORD, id.to_hex(), correction.closing(&place.record.id()));
        for party in [grant.provider(), grant.requester()] {
            tables::end_open(&mut changes, place.state, party);
        }
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
    }
}
