//! `collect.notice`: an agency asks a level of a territory for items; repeated collection is found by it.
//!
//! - R-COLLECT-1: the duty is declared and not retired.
//! - R-COLLECT-2: the writer stands for its agency.
//! - R-COLLECT-3: no item twice.

use std::collections::BTreeSet;

use crate::core::fields::Fields;
use crate::core::ids::check_territory;
use crate::core::key::Role;
use crate::core::kinds::{FREQUENCIES, KindRules, Place, TERRITORY_LEVELS, check_party, check_refs, check_scoped, check_writer_signs};
use crate::core::limits::{ITEM_NAME_BYTES_MAX, ITEMS_MAX, TITLE_BYTES_MAX};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::DutyRow;

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectNotice {
    pub duty: String,
}

impl CollectNotice {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.one_of("frequency", &FREQUENCIES)?;
        fields.one_of("level", &TERRITORY_LEVELS)?;
        fields.checked("territory", check_territory)?;
        fields.text("title", TITLE_BYTES_MAX)?;
        let mut names = BTreeSet::new();
        for name in fields.texts("items", 1, ITEMS_MAX, ITEM_NAME_BYTES_MAX)? {
            if !names.insert(name) {
                return Err(Refusal::rule("R-COLLECT-3", Code::FieldInvalid, name, "each item once"));
            }
        }
        Ok(CollectNotice { duty: fields.checked("duty", check_scoped)?.to_owned() })
    }
}

impl KindRules for CollectNotice {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let Some(duty) = DutyRow::read_active(place.state, &self.duty) else {
            return Err(Refusal::rule("R-COLLECT-1", Code::DutyUnknown, self.duty.as_str(), "id of a declared duty"));
        };
        check_party(place, duty.agency(), "R-COLLECT-2")?;
        Ok(place.rows([]))
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.duties.push(self.duty.clone());
    }
}
