//! `validator.add`, `validator.change`, `validator.remove`: the validator set of a later height.
//!
//! Each builds on the last set that is scheduled. A validator's addresses are known from the record on; a removed one stays
//! on the allow-list as a follower.
//!
//! - R-VALIDATOR-1: authority keys sign, one an agency, the writer's among them.
//! - R-VALIDATOR-2: as many as the threshold in force.
//! - R-VALIDATOR-3: `from` is at least two heights above the record's.
//! - R-VALIDATOR-4: `from` is not below a change that is scheduled already.
//! - R-VALIDATOR-5: who is added is an admitted agency that may act.
//! - R-VALIDATOR-6: who is added is not in the set; who is changed or removed is.
//! - R-VALIDATOR-7: public keys, that of the peer id included, are new and distinct; in a change those that differ.
//! - R-VALIDATOR-8: the set keeps 4 to 22 members.
//! - R-VALIDATOR-9: one block changes less than a third of the power.

use crate::core::fields::Fields;
use crate::core::genesis::Validator;
use crate::core::ids::check_agency;
use crate::core::key::{Algorithm, PublicKey, VerifierKey, cosigner_key_name};
use crate::core::kinds::{KindRules, Place, check_active, check_authorities_sign, check_new_key, check_refs, check_threshold};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, Reach, ReachRow};
use crate::core::validators::{Member, ValidatorSet};

/// The body of validator.add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorAdd {
    pub from: u64,
    pub validator: Validator,
}

/// The body of validator.change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorChange {
    pub from: u64,
    pub validator: Validator,
}

/// The body of validator.remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorRemove {
    pub agency: String,
    pub from: u64,
}

fn parse(fields: &mut Fields<'_>, origin: &str) -> Result<(u64, Validator), Refusal> {
    let from = fields.integer("from")?;
    let validator = Validator::from_fields(fields)?;
    VerifierKey::new(cosigner_key_name(origin, &validator.agency), Algorithm::Cosignature, validator.cosigner)?;
    Ok((from, validator))
}

fn check_form(record: &Record) -> Result<(), Refusal> {
    check_refs(record, 0)?;
    check_authorities_sign(record, "R-VALIDATOR-1")
}

/// Who signs and from when; gives the last set that is scheduled.
fn last_set(place: &Place<'_>, from: u64) -> Result<ValidatorSet, Refusal> {
    check_threshold(place, "R-VALIDATOR-2")?;
    let least = place.block.height.saturating_add(2);
    let found = || format!("from {from}");
    if from < least {
        return Err(Refusal::rule("R-VALIDATOR-3", Code::LimitExceeded, found(), format!("a height from {least}")));
    }
    let scheduled = tables::set_heights(place.state).pop().unwrap_or(1);
    if from < scheduled {
        return Err(Refusal::rule(
            "R-VALIDATOR-4",
            Code::LimitExceeded,
            found(),
            format!("a height from {scheduled}, where a change is scheduled"),
        ));
    }
    Ok(tables::validator_set(place.state, from))
}

fn check_member(set: &ValidatorSet, agency: &str) -> Result<Member, Refusal> {
    let member = set.member(agency).cloned();
    member.ok_or_else(|| Refusal::rule("R-VALIDATOR-6", Code::RefWrong, agency, "a validator of the set"))
}

/// New and distinct keys are written as registered.
fn register(place: &Place<'_>, changes: &mut Changes, keys: &[PublicKey]) -> Result<(), Refusal> {
    for (index, key) in keys.iter().enumerate() {
        check_new_key(place, key, "R-VALIDATOR-7")?;
        if keys[..index].contains(key) {
            return Err(Refusal::rule("R-VALIDATOR-7", Code::Duplicate, key.to_base64(), "each public key once"));
        }
        tables::put_public(changes, key);
    }
    Ok(())
}

/// Writes the set with these members, if it may be and is another.
fn put_set(
    place: &Place<'_>,
    changes: &mut Changes,
    (from, old): (u64, &ValidatorSet),
    mut members: Vec<Member>,
    agency: &str,
) -> Result<(), Refusal> {
    members.sort_by(|a, b| a.agency.cmp(&b.agency));
    let count = members.len();
    let Ok(set) = ValidatorSet::new(members) else {
        return Err(Refusal::rule("R-VALIDATOR-8", Code::LimitExceeded, format!("{count} validators"), "4 to 22 validators"));
    };
    if set == *old {
        return Ok(());
    }
    let (power, mut agencies) = tables::changed_in_block(place.state, place.block.height);
    if let Err(index) = agencies.binary_search_by(|known| known.as_str().cmp(agency)) {
        agencies.insert(index, agency.to_owned());
    }
    // Power is 1 each.
    let changed = u64::try_from(agencies.len()).expect("a set has at most 22 members");
    if changed.saturating_mul(3) >= power {
        let found = format!("{changed} changed in one block, of power {power}");
        return Err(Refusal::rule("R-VALIDATOR-9", Code::LimitExceeded, found, "less than a third"));
    }
    tables::put_changed(changes, place.block.height, power, &agencies);
    tables::put_set(changes, place.state, from, &set);
    Ok(())
}

impl ValidatorAdd {
    pub(crate) fn parse(fields: &mut Fields<'_>, origin: &str) -> Result<Self, Refusal> {
        let (from, validator) = parse(fields, origin)?;
        Ok(ValidatorAdd { from, validator })
    }
}

impl KindRules for ValidatorAdd {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_form(record)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let set = last_set(place, self.from)?;
        let agency = &self.validator.agency;
        check_active(place, agency, ["R-VALIDATOR-5", "R-VALIDATOR-5"])?;
        if set.member(agency).is_some() {
            return Err(Refusal::rule("R-VALIDATOR-6", Code::Duplicate, agency, "an agency that is not in the set"));
        }
        let mut changes = place.rows([]);
        register(place, &mut changes, &self.validator.public_keys()?)?;
        let members = set.members().iter().cloned().chain([self.validator.member()]).collect();
        put_set(place, &mut changes, (self.from, &set), members, agency)?;
        tables::put_reach(&mut changes, place.state, agency, place.block.height, (self.from, Reach::of(&self.validator)));
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.add_agency(&self.validator.agency);
    }
}

impl ValidatorChange {
    pub(crate) fn parse(fields: &mut Fields<'_>, origin: &str) -> Result<Self, Refusal> {
        let (from, validator) = parse(fields, origin)?;
        Ok(ValidatorChange { from, validator })
    }

    /// The keys that differ from those that the validator has.
    fn new_keys(&self, state: &dyn Rows, member: &Member) -> Result<Vec<PublicKey>, Refusal> {
        let reach = ReachRow::read(state, &self.validator.agency).expect("a member's addresses are known").newest();
        let [consensus, cosigner, publication, network] = self.validator.public_keys()?;
        let same = [
            (consensus, consensus == member.consensus),
            (cosigner, cosigner == member.cosigner),
            (publication, publication.to_base64() == reach.publication),
            (network, self.validator.peer == reach.peer),
        ];
        Ok(same.into_iter().filter(|(_, is_same)| !is_same).map(|(key, _)| key).collect())
    }
}

impl KindRules for ValidatorChange {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_form(record)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let set = last_set(place, self.from)?;
        let agency = &self.validator.agency;
        let member = check_member(&set, agency)?;
        let mut changes = place.rows([]);
        register(place, &mut changes, &self.new_keys(place.state, &member)?)?;
        let others = set.members().iter().filter(|other| other.agency != *agency).cloned();
        put_set(place, &mut changes, (self.from, &set), others.chain([self.validator.member()]).collect(), agency)?;
        tables::put_reach(&mut changes, place.state, agency, place.block.height, (self.from, Reach::of(&self.validator)));
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.add_agency(&self.validator.agency);
    }
}

impl ValidatorRemove {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        Ok(ValidatorRemove { agency: fields.checked("agency", check_agency)?.to_owned(), from: fields.integer("from")? })
    }
}

impl KindRules for ValidatorRemove {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_form(record)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let set = last_set(place, self.from)?;
        check_member(&set, &self.agency)?;
        let mut changes = place.rows([]);
        let others = set.members().iter().filter(|other| other.agency != self.agency).cloned().collect();
        put_set(place, &mut changes, (self.from, &set), others, &self.agency)?;
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.add_agency(&self.agency);
    }
}
