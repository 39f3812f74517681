//! `record.amend`: the writer of a record corrects its texts; the old ones stay visible, struck.
//!
//! Only texts that no rule, clock or commitment reads can be amended. Whoever stands for the writer may amend, too.
//!
//! - R-AMEND-1: the amended record is committed.
//! - R-AMEND-2: its kind has these texts.
//! - R-AMEND-3: the writer is that of the amended record.
//! - R-AMEND-4: a key of the role signs that the amended record's kind wants.

use std::collections::BTreeSet;

use crate::core::fields::Fields;
use crate::core::key::Role;
use crate::core::kinds::{Kind, KindRules, Place, add_request_subjects, check_party, check_refs, only_ref};
use crate::core::limits::{AMENDED_TEXTS_MAX, TEXT_BYTES_MAX, TITLE_BYTES_MAX};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::RecordRow;

/// The texts that some kind lets be amended.
const TEXTS: [&str; 14] = [
    "cause", "grounds", "label", "method", "reason", "scenario", "scope", "subject", "summary", "system", "text", "title", "topic", "what",
];

/// Roles that may sign this kind at all.
const ROLES: [Role; 4] = [Role::Authority, Role::Head, Role::Inspector, Role::Office];

/// Of a kind: the roles of which one signs it, and its amendable texts. Kinds without such texts are left out.
const AMENDABLE: &[(Kind, &[Role], &[&str])] = &[
    (Kind::AgencyRetire, &[Role::Authority], &["reason"]),
    (Kind::AgencySuspend, &[Role::Authority], &["reason"]),
    (Kind::CollectNotice, &[Role::Office], &["title"]),
    (Kind::CorrectionClose, &[Role::Office], &["reason"]),
    (Kind::CorrectionFile, &[Role::Office], &["text"]),
    (Kind::DatasetPublish, &[Role::Head], &["summary", "system", "title", "topic"]),
    (Kind::DatasetRetire, &[Role::Head], &["reason"]),
    (Kind::DatasetReview, &[Role::Authority], &["reason"]),
    (Kind::DisputeDecide, &[Role::Authority], &["reason"]),
    (Kind::DisputeFile, &[Role::Office], &["grounds", "subject"]),
    (Kind::DisputeRefer, &[Role::Authority], &["reason"]),
    (Kind::DutyDeclare, &[Role::Office], &["title"]),
    (Kind::DutyRetire, &[Role::Office], &["reason"]),
    (Kind::FindingClose, &[Role::Inspector], &["text"]),
    (Kind::FindingFile, &[Role::Inspector], &["text"]),
    (Kind::FindingRectify, &[Role::Office], &["text"]),
    (Kind::KeyRevoke, &ROLES, &["reason"]),
    (Kind::RecordAmend, &ROLES, &["reason"]),
    (Kind::ShareAnswer, &[Role::Office], &["reason"]),
    (Kind::ShareDispose, &[Role::Office], &["method", "what"]),
    (Kind::ShareEnd, &[Role::Authority, Role::Office], &["cause"]),
    (Kind::ShareExtend, &[Role::Authority], &["reason"]),
    (Kind::ShareRequest, &[Role::Office], &["label", "scenario", "scope"]),
    (Kind::ShareResume, &[Role::Authority, Role::Office], &["cause"]),
    (Kind::ShareSuspend, &[Role::Authority, Role::Office], &["cause"]),
    (Kind::ShareWithdraw, &[Role::Office], &["reason"]),
];

fn amendable(kind: Kind) -> Option<(&'static [Role], &'static [&'static str])> {
    let found = AMENDABLE.iter().find(|(own, ..)| *own == kind);
    found.map(|(_, roles, texts)| (*roles, *texts))
}

/// Whether the `record` row of this kind must tell the writer: it can be amended, and names it in no other member.
pub(crate) fn asks_row_for_writer(kind: Kind) -> bool {
    !matches!(kind, Kind::ShareRequest | Kind::ShareAnswer) && amendable(kind).is_some()
}

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordAmend {
    /// The members that get a new text.
    pub texts: BTreeSet<String>,
}

impl RecordAmend {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.text("reason", TEXT_BYTES_MAX)?;
        let mut given = fields.object("texts")?;
        let mut texts = BTreeSet::new();
        for name in TEXTS {
            let bytes_max = if name == "title" { TITLE_BYTES_MAX } else { TEXT_BYTES_MAX };
            if given.optional_text(name, bytes_max)?.is_some() {
                texts.insert(name.to_owned());
            }
        }
        given.end()?;
        if !(1..=AMENDED_TEXTS_MAX).contains(&texts.len()) {
            return Err(Refusal::new(Code::FieldInvalid, "body.texts without a text", "1 to 16 texts"));
        }
        Ok(RecordAmend { texts })
    }
}

impl KindRules for RecordAmend {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        let expected = || format!("one signature, by {}: office, head, authority or inspector", record.by);
        let Some(line) = record.signatures.iter().find(|line| line.agency == record.by) else {
            return Err(Refusal::new(Code::SignatureMissing, format!("no signature of {}", record.by), expected()));
        };
        let surplus = record.signatures.iter().find(|other| !std::ptr::eq(*other, line));
        match surplus.or(Some(line).filter(|line| !ROLES.contains(&line.role))) {
            Some(wrong) => Err(Refusal::new(Code::RoleWrong, format!("{}/{}", wrong.agency, wrong.role), expected())),
            None => Ok(()),
        }
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let id = only_ref(place.record);
        let Some(row) = RecordRow::read(place.state, &id) else {
            return Err(Refusal::rule("R-AMEND-1", Code::RefUnknown, id.to_hex(), "id of a committed record"));
        };
        let kind = row.kind();
        let (roles, texts) = amendable(kind).unwrap_or((&[], &[]));
        if let Some(fixed) = self.texts.iter().find(|name| !texts.contains(&name.as_str())) {
            let found = format!("{fixed} of a {}", kind.as_str());
            return Err(Refusal::rule("R-AMEND-2", Code::RefWrong, found, format!("one of its texts: {}", texts.join(", "))));
        }
        check_party(place, row.writer().unwrap_or_default(), "R-AMEND-3")?;
        if let Some(line) = place.record.signatures.iter().find(|line| !roles.contains(&line.role)) {
            let expected: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
            return Err(Refusal::rule("R-AMEND-4", Code::RoleWrong, line.role.as_str(), expected.join(" or ")));
        }
        Ok(place.rows([]))
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_texts_of_the_list_in_order() {
        assert!(AMENDABLE.is_sorted_by_key(|(kind, ..)| kind.as_str()));
        assert!(TEXTS.is_sorted() && TEXTS.len() <= AMENDED_TEXTS_MAX);
        for (kind, roles, texts) in AMENDABLE {
            assert!(!texts.is_empty() && texts.iter().all(|text| TEXTS.contains(text)), "{}", kind.as_str());
            assert!(!roles.is_empty() && roles.iter().all(|role| ROLES.contains(role)), "{}", kind.as_str());
        }
    }
}
