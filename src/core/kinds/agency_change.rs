//! `agency.change`: an agency's names and its place among lines and territories, from here on.
//!
//! What is left out is gone. Names that the agency had stay its own.
//!
//! - R-CHANGE-1: at least one name.
//! - R-CHANGE-2: a territory, save at level `outside`.
//! - R-CHANGE-3: the agency is known.
//! - R-CHANGE-4: it is not retired.
//! - R-CHANGE-5: the parent is an agency of the ledger.
//! - R-CHANGE-6: the parents lead to an agency without one.
//! - R-CHANGE-7: names are Highly Restrictive (UTS 39).
//! - R-CHANGE-8: no reader would take a name for another agency's.

use crate::core::fields::Fields;
use crate::core::ids::check_agency;
use crate::core::key::Role;
use crate::core::kinds::{KindRules, Place, check_names, check_refs, check_writer_signs, parse_names};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, AGENCY, AgencyRow, Membership, Status};

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyChange {
    pub id: String,
    pub membership: Membership,
    /// In any language.
    pub names: Vec<String>,
}

impl AgencyChange {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let id = fields.checked("id", check_agency)?.to_owned();
        let names = parse_names(fields, ["R-CHANGE-1", "R-CHANGE-7"])?;
        Ok(AgencyChange { id, membership: Membership::parse(fields, "R-CHANGE-2")?, names })
    }

    fn check_parent(&self, state: &dyn Rows) -> Result<(), Refusal> {
        let mut above = self.membership.parent.clone();
        // The parents of the agencies on the ledger make no circle, so that the walk ends; only this one can close one.
        while let Some(parent) = above {
            if parent == self.id {
                return Err(Refusal::rule("R-CHANGE-6", Code::RefWrong, parent, "parents that lead to an agency without one"));
            }
            let Some(row) = AgencyRow::read_exact(state, &parent) else {
                return Err(Refusal::rule("R-CHANGE-5", Code::AgencyUnknown, parent, "an admitted agency as parent"));
            };
            above = row.parent().map(str::to_owned);
        }
        Ok(())
    }
}

impl KindRules for AgencyChange {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Authority)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let Some(row) = AgencyRow::read_exact(place.state, &self.id) else {
            return Err(Refusal::rule("R-CHANGE-3", Code::AgencyUnknown, self.id.as_str(), "an admitted agency"));
        };
        if row.status() == Status::Retired {
            return Err(Refusal::rule("R-CHANGE-4", Code::AgencyRetired, self.id.as_str(), "an agency that is not retired"));
        }
        self.check_parent(place.state)?;
        check_names(place, &self.id, &self.names, "R-CHANGE-8")?;
        let mut changes = place.rows([]);
        changes.put(AGENCY, self.id.to_ascii_lowercase(), row.moved(&self.membership));
        tables::put_names(&mut changes, &self.id, &self.names);
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.add_agency(&self.id);
    }
}
