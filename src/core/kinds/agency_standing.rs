//! `agency.suspend`: an agency may not act for a while; the same kind lifts it.
//!
//! - R-SUSPEND-1: the agency is known.
//! - R-SUSPEND-2: it is not retired.
//! - R-SUSPEND-3: its status differs from the new one.
//! - R-SUSPEND-4: as many authorities as the policy's threshold may still act.
//!
//! `agency.retire`: an agency has ended. What it owed and may claim goes to its successor, for ever.
//!
//! - R-RETIRE-1: the agency is known.
//! - R-RETIRE-2: it is not retired.
//! - R-RETIRE-3: the successor is another agency that is known.
//! - R-RETIRE-4: the successor is active.
//! - R-RETIRE-5: a successor is named while anything of the agency is open: a request without answer, a grant not ended, a
//!   correction, dispute or finding not closed.
//! - R-RETIRE-6: as many authorities as the policy's threshold may still act.

use crate::core::fields::Fields;
use crate::core::ids::check_agency;
use crate::core::key::Role;
use crate::core::kinds::{KindRules, Place, check_active, check_refs, check_writer_signs};
use crate::core::limits::TEXT_BYTES_MAX;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, AGENCY, AgencyRow, Status};

/// The body of agency.suspend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencySuspend {
    pub id: String,
    /// Suspended, or active again.
    pub status: Status,
}

/// The body of agency.retire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyRetire {
    pub id: String,
    pub successor: Option<String>,
}

/// The row of an agency that is known and not retired.
fn living(place: &Place<'_>, id: &str, rules: [&'static str; 2]) -> Result<AgencyRow, Refusal> {
    let Some(row) = AgencyRow::read_exact(place.state, id) else {
        return Err(Refusal::rule(rules[0], Code::AgencyUnknown, id, "an admitted agency"));
    };
    if row.status() == Status::Retired {
        return Err(Refusal::rule(rules[1], Code::AgencyRetired, id, "an agency that is not retired"));
    }
    Ok(row)
}

/// A ledger whose authorities cannot act could never be mended.
fn check_authorities_left(place: &Place<'_>, without: &str, rule: &'static str) -> Result<(), Refusal> {
    let left = tables::acting_authorities(place.state, Some(without));
    let is_one = tables::authorities(place.state).iter().any(|id| id == without);
    let threshold = tables::authority_threshold(place.state);
    if is_one && usize::try_from(threshold).map_or(true, |threshold| left < threshold) {
        let found = format!("{left} authorities without {without}");
        return Err(Refusal::rule(rule, Code::LimitExceeded, found, format!("at least {threshold}")));
    }
    Ok(())
}

impl AgencySuspend {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let id = fields.checked("id", check_agency)?.to_owned();
        fields.text("reason", TEXT_BYTES_MAX)?;
        let status = match fields.one_of("status", &["active", "suspended"])? {
            "active" => Status::Active,
            _ => Status::Suspended,
        };
        Ok(AgencySuspend { id, status })
    }
}

impl KindRules for AgencySuspend {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Authority)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let row = living(place, &self.id, ["R-SUSPEND-1", "R-SUSPEND-2"])?;
        if row.status() == self.status {
            let found = format!("{}, {} already", self.id, self.status.as_str());
            return Err(Refusal::rule("R-SUSPEND-3", Code::Duplicate, found, "another status than it has"));
        }
        if self.status == Status::Suspended {
            check_authorities_left(place, &self.id, "R-SUSPEND-4")?;
        }
        let mut changes = place.rows([]);
        changes.put(AGENCY, self.id.to_ascii_lowercase(), row.with_status(self.status));
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.add_agency(&self.id);
    }
}

impl AgencyRetire {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let id = fields.checked("id", check_agency)?.to_owned();
        fields.text("reason", TEXT_BYTES_MAX)?;
        let successor = fields.optional_checked("successor", check_agency)?.map(str::to_owned);
        Ok(AgencyRetire { id, successor })
    }

    fn check_successor(&self, place: &Place<'_>) -> Result<(), Refusal> {
        match &self.successor {
            Some(successor) if *successor == self.id => Err(Refusal::rule("R-RETIRE-3", Code::RefWrong, successor, "another agency")),
            Some(successor) => check_active(place, successor, ["R-RETIRE-3", "R-RETIRE-4"]).map(|_| ()),
            None => match tables::open_count(&Changes::default(), place.state, &self.id) {
                0 => Ok(()),
                open => {
                    let found = format!("{open} open matters of {}", self.id);
                    Err(Refusal::rule("R-RETIRE-5", Code::StillOpen, found, "a successor, or none open"))
                }
            },
        }
    }
}

impl KindRules for AgencyRetire {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Authority)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let row = living(place, &self.id, ["R-RETIRE-1", "R-RETIRE-2"])?;
        self.check_successor(place)?;
        check_authorities_left(place, &self.id, "R-RETIRE-6")?;
        let mut changes = place.rows([]);
        changes.put(AGENCY, self.id.to_ascii_lowercase(), row.retiring(self.successor.as_deref()));
        tables::remove_authority(&mut changes, place.state, &self.id);
        if let Some(successor) = &self.successor {
            tables::hand_over_open(&mut changes, place.state, &self.id, successor);
        }
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.add_agency(&self.id);
        if let Some(successor) = &self.successor {
            subjects.add_agency(successor);
        }
    }
}
