//! `agency.admit`: an authority brings an agency and its keys onto the ledger.
//!
//! - R-ADMIT-1: at least one name.
//! - R-ADMIT-2: a territory, save at level `outside`.
//! - R-ADMIT-3: an id of scheme `uscc` has the form and check character of GB 32100.
//! - R-ADMIT-4: keys are the agency's own, ascending as vkey strings.
//! - R-ADMIT-5: the id is new, under ASCII case folding.
//! - R-ADMIT-6: the parent is an agency of the ledger.
//! - R-ADMIT-7: each public key is new, over all agencies, roles and uses.
//! - R-ADMIT-8: names are Highly Restrictive (UTS 39).
//! - R-ADMIT-9: no reader would take a name for another agency's, also not for one that it had before.

use crate::core::fields::Fields;
use crate::core::ids::check_agency;
use crate::core::key::Role;
use crate::core::kinds::{AgencyKey, KindRules, Place, check_names, check_refs, check_writer_signs, parse_names};
use crate::core::limits::LIST_MAX;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, AgencyRow, Membership};
use crate::core::uscc;

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyAdmit {
    pub id: String,
    pub keys: Vec<AgencyKey>,
    pub membership: Membership,
    /// In any language.
    pub names: Vec<String>,
}

/// What the members say beside the keys.
pub(crate) struct AgencyMembers<'a> {
    pub id: &'a str,
    pub names: Vec<String>,
    pub membership: Membership,
}

/// Checks all members but the keys, in a record and in the genesis file alike; gives what they say.
///
/// # Errors
/// `field-missing`, `field-invalid`, `text-forbidden`.
pub(crate) fn check_agency_members<'a>(fields: &mut Fields<'a>) -> Result<AgencyMembers<'a>, Refusal> {
    let id = fields.checked("id", check_agency)?;
    let names = parse_names(fields, ["R-ADMIT-1", "R-ADMIT-8"])?;
    let membership = Membership::parse(fields, "R-ADMIT-2")?;
    if fields.one_of("scheme", &["plain", "uscc"])? == "uscc" {
        uscc::check(id).map_err(|refusal| refusal.under("R-ADMIT-3"))?;
    }
    Ok(AgencyMembers { id, names, membership })
}

impl AgencyAdmit {
    pub(crate) fn parse(fields: &mut Fields<'_>, origin: &str) -> Result<Self, Refusal> {
        let AgencyMembers { id, names, membership } = check_agency_members(fields)?;
        let texts = fields.strings("keys", 0, LIST_MAX)?;
        if let Some(pair) = texts.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(Refusal::rule("R-ADMIT-4", Code::FieldInvalid, pair[1], "keys ascending as strings, none repeated"));
        }
        let mut keys = Vec::with_capacity(texts.len());
        for text in texts {
            let key = AgencyKey::parse(text, origin).map_err(|refusal| refusal.within("body.keys"))?;
            if key.agency != id {
                return Err(Refusal::rule("R-ADMIT-4", Code::FieldInvalid, text, format!("a key named {origin}/agency/{id}/<role>")));
            }
            keys.push(key);
        }
        Ok(AgencyAdmit { id: id.to_owned(), keys, membership, names })
    }
}

impl KindRules for AgencyAdmit {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Authority)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        if let Some(known) = AgencyRow::read(place.state, &self.id) {
            let found = format!("{}, on the ledger as {}", self.id, known.id());
            return Err(Refusal::rule("R-ADMIT-5", Code::Duplicate, found, "a new id, letter case set aside"));
        }
        if let Some(parent) = &self.membership.parent
            && AgencyRow::read_exact(place.state, parent).is_none()
        {
            return Err(Refusal::rule("R-ADMIT-6", Code::AgencyUnknown, parent, "an admitted agency as parent"));
        }
        for (index, key) in self.keys.iter().enumerate() {
            let public = key.vkey.public();
            let repeated = self.keys[..index].iter().any(|earlier| earlier.vkey.public() == public);
            if repeated || tables::is_registered(place.state, public) {
                return Err(Refusal::rule("R-ADMIT-7", Code::Duplicate, key.vkey.to_string(), "a public key that was never registered"));
            }
        }
        check_names(place, &self.id, &self.names, "R-ADMIT-9")?;
        let mut changes = place.rows([]);
        let keys: Vec<_> = self.keys.iter().map(|key| (key.role, key.vkey.clone())).collect();
        tables::put_agency(&mut changes, &self.id, &self.membership, &keys, Some(place.block.position));
        if keys.iter().any(|(role, _)| *role == Role::Authority) {
            tables::add_authority(&mut changes, place.state, &self.id);
        }
        tables::put_names(&mut changes, &self.id, &self.names);
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.add_agency(&self.id);
    }
}
