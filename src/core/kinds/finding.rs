//! `finding.file`, `finding.rectify` and `finding.close`: what an inspector found, and its course.
//!
//! - R-FINDING-1: the evidence, 1 to 16 records, is committed. R-FINDING-2: the agency is on the ledger. R-FINDING-3: the
//!   offence is one of articles 39 to 41 of the Regulations.
//! - R-FINDING-4: the finding is committed. R-FINDING-5: what is referred to is a finding. R-FINDING-6: it is not closed.
//!   R-FINDING-7: the agency found against rectifies.

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::ids::check_agency;
use crate::core::key::Role;
use crate::core::kinds::{Kind, KindRules, Place, check_party, check_refs, check_writer_signs, only_ref};
use crate::core::limits::{REFS_MAX, TEXT_BYTES_MAX};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, AgencyRow, RECORD, RecordRow};
use crate::core::time::Day;

/// The body of `finding.file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingFile {
    pub agency: String,
    /// By when it is to be rectified; else the policy's limit counts.
    pub due: Option<Day>,
}

/// `39-4` and the like: article 39 to 41, item 1 to 9; article 41 has two.
fn check_offence(code: &str) -> Result<(), Refusal> {
    let is_known = match code.as_bytes() {
        [b'3', b'9', b'-', item] | [b'4', b'0', b'-', item] => matches!(item, b'1'..=b'9'),
        [b'4', b'1', b'-', item] => matches!(item, b'1' | b'2'),
        _ => false,
    };
    if is_known { Ok(()) } else { Err(Refusal::rule("R-FINDING-3", Code::FieldInvalid, code, "an offence from 39-1 to 41-2")) }
}

impl FindingFile {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.checked("offence", check_offence)?;
        fields.text("text", TEXT_BYTES_MAX)?;
        let due = if fields.has("due") { Some(fields.day("due")?) } else { None };
        Ok(FindingFile { agency: fields.checked("agency", check_agency)?.to_owned(), due })
    }
}

impl KindRules for FindingFile {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        let count = record.refs.len();
        if !(1..=REFS_MAX).contains(&count) {
            return Err(Refusal::rule(
                "R-FINDING-1",
                Code::RefWrong,
                format!("{count} refs"),
                format!("1 to {REFS_MAX} records as evidence"),
            ));
        }
        check_writer_signs(record, Role::Inspector)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        if let Some(id) = place.record.refs.iter().find(|id| RecordRow::read(place.state, id).is_none()) {
            return Err(Refusal::rule("R-FINDING-1", Code::RefUnknown, id.to_hex(), "ids of committed records"));
        }
        if AgencyRow::read(place.state, &self.agency).is_none_or(|row| row.id() != self.agency) {
            return Err(Refusal::rule("R-FINDING-2", Code::AgencyUnknown, self.agency.as_str(), "an admitted agency"));
        }
        let mut changes = place.rows([
            ("agency", Some(self.agency.as_str().into())),
            ("due", self.due.map(|day| day.to_string().into())),
            ("limit", Some(tables::limit(place.state, "rectification").into())),
            ("offset", Some(place.offset())),
            ("start", Some(place.day().into())),
        ]);
        tables::add_open(&mut changes, place.state, &self.agency);
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.add_agency(&self.agency);
    }
}

/// The finding that a record refers to, not closed yet.
fn open_finding(place: &Place<'_>) -> Result<(Hash, RecordRow), Refusal> {
    let (id, finding) = place.referred(Kind::FindingFile, ["R-FINDING-4", "R-FINDING-5"])?;
    match finding.closed_by() {
        Some(close) => Err(Refusal::rule("R-FINDING-6", Code::Closed, format!("closed by {close}"), "an open finding")),
        None => Ok((id, finding)),
    }
}

fn add_found_agency(state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
    if let Some(row) = RecordRow::read(state, &only_ref(record))
        && let Some(agency) = row.text("agency")
    {
        subjects.add_agency(agency);
    }
}

/// The body of `finding.rectify`: nothing that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingRectify;

impl FindingRectify {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.text("text", TEXT_BYTES_MAX)?;
        Ok(FindingRectify)
    }
}

impl KindRules for FindingRectify {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (_, finding) = open_finding(place)?;
        check_party(place, finding.text("agency").expect("a finding names its agency"), "R-FINDING-7")?;
        Ok(place.rows([]))
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_found_agency(state, record, subjects);
    }
}

/// The body of `finding.close`: nothing that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingClose;

impl FindingClose {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.one_of("outcome", &["rectified", "unrectified", "withdrawn"])?;
        fields.optional_text("text", TEXT_BYTES_MAX)?;
        Ok(FindingClose)
    }
}

impl KindRules for FindingClose {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Inspector)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, finding) = open_finding(place)?;
        let mut changes = place.rows([]);
        changes.put(RECORD, id.to_hex(), finding.closing(&place.record.id()));
        let agency = finding.text("agency").expect("a finding names its agency");
        tables::end_open(&mut changes, place.state, agency);
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_found_agency(state, record, subjects);
    }
}
