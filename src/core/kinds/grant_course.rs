//! `share.suspend`, `share.resume`, `share.end`, `share.use` and `share.dispose`: the life of a grant.
//!
//! The provider's office or an authority over it suspends, resumes and ends; the requester accounts for its use, and for
//! the disposal once the grant is over.
//!
//! - R-SUSPENDGRANT-1, R-RESUME-1, R-END-1, R-USE-1, R-DISPOSE-1: the grant is committed.
//! - R-SUSPENDGRANT-2, R-RESUME-2, R-END-2, R-USE-2, R-DISPOSE-2: what is referred to is a grant.
//! - R-SUSPENDGRANT-3, R-RESUME-3, R-END-3: the writer is its provider, or an authority over it. R-USE-3, R-DISPOSE-3: its requester.
//! - R-SUSPENDGRANT-4: the grant is not over. R-SUSPENDGRANT-5: nor suspended.
//! - R-RESUME-4: the grant is suspended. R-END-4: it is not ended.
//! - R-USE-4: one account a period. R-USE-5: purposes ascend, none twice.
//! - R-DISPOSE-4: the grant is over. R-DISPOSE-5: disposed of once.

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::key::Role;
use crate::core::kinds::{GRANTS, KindRules, Place, add_request_subjects, check_party, check_refs, check_writer_signs, covers};
use crate::core::limits::{LIST_MAX, TEXT_BYTES_MAX};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, RECORD, RecordRow, USE};
use crate::core::time::check_period;

/// The grant that a record refers to; `rules` number its absence and another kind, one that refuses included.
fn grant(place: &Place<'_>, rules: [&'static str; 2]) -> Result<(Hash, RecordRow), Refusal> {
    let (id, row) = place.referred_of(&GRANTS, rules)?;
    if row.datasets().is_none() {
        return Err(Refusal::rule(rules[1], Code::RefWrong, format!("{id}, which grants nothing"), "a grant"));
    }
    Ok((id, row))
}

/// The writer's office as the provider, or its authority over the provider.
fn check_provider_side(place: &Place<'_>, grant: &RecordRow, rule: &'static str) -> Result<(), Refusal> {
    let is_authority = place.record.signatures.iter().any(|line| line.role == Role::Authority);
    if !is_authority {
        return check_party(place, grant.provider(), rule);
    }
    if !covers(place, grant.provider()) {
        let expected = format!("{} or an authority over it", grant.provider());
        return Err(Refusal::rule(rule, Code::NotParty, place.record.by.as_str(), expected));
    }
    Ok(())
}

/// One line of the writer, by its office or its authority key.
fn check_office_or_authority(record: &Record) -> Result<(), Refusal> {
    check_refs(record, 1)?;
    let is_authority = record.signatures.iter().any(|line| line.agency == record.by && line.role == Role::Authority);
    check_writer_signs(record, if is_authority { Role::Authority } else { Role::Office })
}

fn is_over(place: &Place<'_>, grant: &RecordRow) -> bool {
    grant.has("ended") || grant.day("term_to").is_some_and(|to| place.date() > to)
}

/// The body of `share.suspend`: nothing that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareSuspend;

impl ShareSuspend {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.text("cause", TEXT_BYTES_MAX)?;
        fields.boolean("negotiated")?;
        Ok(ShareSuspend)
    }
}

impl KindRules for ShareSuspend {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_office_or_authority(record)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, grant) = grant(place, ["R-SUSPENDGRANT-1", "R-SUSPENDGRANT-2"])?;
        check_provider_side(place, &grant, "R-SUSPENDGRANT-3")?;
        if is_over(place, &grant) {
            return Err(Refusal::rule("R-SUSPENDGRANT-4", Code::Closed, id.to_hex(), "a grant that is not over"));
        }
        if grant.has("suspended") {
            return Err(Refusal::rule("R-SUSPENDGRANT-5", Code::Closed, id.to_hex(), "a grant that is not suspended"));
        }
        let mut changes = place.rows([("request", Some(grant.request().to_hex().into()))]);
        changes.put(RECORD, id.to_hex(), grant.with("suspended", true.into()));
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
    }
}

/// The body of `share.resume`: nothing that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareResume;

impl ShareResume {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.text("cause", TEXT_BYTES_MAX)?;
        Ok(ShareResume)
    }
}

impl KindRules for ShareResume {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_office_or_authority(record)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, grant) = grant(place, ["R-RESUME-1", "R-RESUME-2"])?;
        check_provider_side(place, &grant, "R-RESUME-3")?;
        if !grant.has("suspended") || grant.has("ended") {
            return Err(Refusal::rule("R-RESUME-4", Code::Closed, id.to_hex(), "a suspended grant"));
        }
        let mut changes = place.rows([("request", Some(grant.request().to_hex().into()))]);
        changes.put(RECORD, id.to_hex(), grant.without("suspended"));
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
    }
}

/// The body of `share.end`: nothing that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareEnd;

impl ShareEnd {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.text("cause", TEXT_BYTES_MAX)?;
        fields.boolean("negotiated")?;
        Ok(ShareEnd)
    }
}

impl KindRules for ShareEnd {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_office_or_authority(record)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, grant) = grant(place, ["R-END-1", "R-END-2"])?;
        check_provider_side(place, &grant, "R-END-3")?;
        if grant.has("ended") {
            return Err(Refusal::rule("R-END-4", Code::Closed, id.to_hex(), "a grant that is not ended"));
        }
        let mut changes = place.rows([("request", Some(grant.request().to_hex().into()))]);
        changes.put(RECORD, id.to_hex(), grant.with("ended", true.into()));
        for party in [grant.provider(), grant.requester()] {
            tables::end_open(&mut changes, place.state, party);
        }
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
    }
}

/// The body of `share.use`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareUse {
    pub period: String,
}

impl ShareUse {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let mut last: Option<&str> = None;
        for (index, item) in fields.list("counts", 1, LIST_MAX)?.iter().enumerate() {
            let mut item = Fields::of(item, &format!("body.counts[{index}]"))?;
            item.integer("count")?;
            let purpose = item.text("purpose", TEXT_BYTES_MAX)?;
            item.end()?;
            if last >= Some(purpose) {
                return Err(Refusal::rule("R-USE-5", Code::FieldInvalid, purpose, "purposes ascending, none twice"));
            }
            last = Some(purpose);
        }
        fields.hash("root")?;
        Ok(ShareUse { period: fields.checked("period", check_period)?.to_owned() })
    }
}

impl KindRules for ShareUse {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, grant) = grant(place, ["R-USE-1", "R-USE-2"])?;
        check_party(place, grant.requester(), "R-USE-3")?;
        let key = format!("{id}/{}", self.period);
        if place.state.get(USE, &key).is_some() {
            return Err(Refusal::rule("R-USE-4", Code::Duplicate, self.period.as_str(), "a period without an account"));
        }
        let mut changes = place.rows([("request", Some(grant.request().to_hex().into()))]);
        changes.put(USE, key, place.block.position.into());
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
    }
}

/// The body of `share.dispose`: nothing that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareDispose;

impl ShareDispose {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.hash("certificate")?;
        fields.text("method", TEXT_BYTES_MAX)?;
        fields.text("what", TEXT_BYTES_MAX)?;
        Ok(ShareDispose)
    }
}

impl KindRules for ShareDispose {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, grant) = grant(place, ["R-DISPOSE-1", "R-DISPOSE-2"])?;
        check_party(place, grant.requester(), "R-DISPOSE-3")?;
        if !is_over(place, &grant) {
            return Err(Refusal::rule("R-DISPOSE-4", Code::TooEarly, id.to_hex(), "a grant that was ended, or whose term is past"));
        }
        if grant.has("disposed") {
            return Err(Refusal::rule("R-DISPOSE-5", Code::Duplicate, id.to_hex(), "a grant whose data were not disposed of"));
        }
        let mut changes = place.rows([("request", Some(grant.request().to_hex().into()))]);
        changes.put(RECORD, id.to_hex(), grant.with("disposed", true.into()));
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
    }
}
