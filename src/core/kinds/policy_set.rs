//! `policy.set`: the limits in force from its position on.
//!
//! Block limits are those of the policy after the block before; the rule set changes two heights later.
//!
//! - R-POLICY-1: authority keys sign, one an agency, the writer's among them.
//! - R-POLICY-2: as many as the threshold in force.
//! - R-POLICY-3: working-day limits and extensions are at most 3,660.
//! - R-POLICY-4: the new threshold can be reached: it is not above the number of agencies that hold a trusted authority key
//!   and may act.
//! - R-POLICY-5: `test_clock` stays as it is.

use crate::core::fields::Fields;
use crate::core::kinds::{KindRules, Place, check_authorities_sign, check_refs, check_threshold};
use crate::core::policy::Policy;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables;

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySet {
    pub policy: Policy,
}

impl PolicySet {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        Ok(PolicySet { policy: Policy::from_fields(fields)? })
    }
}

impl KindRules for PolicySet {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_authorities_sign(record, "R-POLICY-1")
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        check_threshold(place, "R-POLICY-2")?;
        let authorities = tables::acting_authorities(place.state, None);
        let threshold = self.policy.authority_threshold;
        if usize::try_from(threshold).map_or(true, |threshold| threshold > authorities) {
            let found = format!("authority_threshold {threshold}");
            return Err(Refusal::rule(
                "R-POLICY-4",
                Code::LimitExceeded,
                found,
                format!("at most {authorities}, the number of authorities"),
            ));
        }
        let test_clock = tables::policy(place.state).test_clock;
        if self.policy.test_clock != test_clock {
            let found = format!("test_clock {}", self.policy.test_clock);
            return Err(Refusal::rule("R-POLICY-5", Code::FieldInvalid, found, format!("{test_clock}, as in force")));
        }
        let mut changes = place.rows([]);
        tables::put_policy(&mut changes, &self.policy);
        tables::schedule_rules(&mut changes, place.state, place.block.height, self.policy.rules);
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, _subjects: &mut Subjects) {}
}
