//! `duty.declare`: what an agency is by law responsible for.
//!
//! - R-DUTY-1: the id begins with the writer's own, or with that of an agency whose chain of successors ends with it.
//! - R-DUTY-2: the id is new.
//! - R-DUTY-3: the duty that this one is delegated from is declared.

use crate::core::fields::Fields;
use crate::core::ids::{check_line, check_territory};
use crate::core::key::Role;
use crate::core::kinds::{KindRules, Place, check_basis, check_own_id, check_refs, check_scoped, check_writer_signs, duty_row};
use crate::core::limits::TITLE_BYTES_MAX;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::DUTY;

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyDeclare {
    pub id: String,
    pub delegated_from: Option<String>,
}

impl DutyDeclare {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let id = fields.checked("id", check_scoped)?.to_owned();
        let delegated_from = fields.optional_checked("delegated_from", check_scoped)?.map(str::to_owned);
        fields.text("title", TITLE_BYTES_MAX)?;
        check_basis(fields)?;
        fields.optional_checked("territory", check_territory)?;
        fields.optional_checked("line", check_line)?;
        Ok(DutyDeclare { id, delegated_from })
    }
}

impl KindRules for DutyDeclare {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        check_own_id(place, &self.id, "R-DUTY-1")?;
        if place.state.get(DUTY, &self.id).is_some() {
            return Err(Refusal::rule("R-DUTY-2", Code::Duplicate, self.id.as_str(), "the id of no declared duty"));
        }
        if let Some(from) = &self.delegated_from
            && place.state.get(DUTY, from).is_none()
        {
            return Err(Refusal::rule("R-DUTY-3", Code::DutyUnknown, from, "id of a declared duty"));
        }
        let mut changes = place.rows([]);
        changes.put(DUTY, &*self.id, duty_row(&place.record.by, place.block.position));
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.duties.push(self.id.clone());
        subjects.duties.extend(self.delegated_from.clone());
    }
}
