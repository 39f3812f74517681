//! `agency.admit`: an authority brings an agency and its keys onto the ledger.
//!
//! - R-ADMIT-1: at least one name.
//! - R-ADMIT-2: a territory, save at level `outside`.
//! - R-ADMIT-3: an id of scheme `uscc` has the form and check character of GB 32100.
//! - R-ADMIT-4: keys are the agency's own, ascending as vkey strings.
//! - R-ADMIT-5: the id is new, under ASCII case folding.
//! - R-ADMIT-6: the parent is an agency of the ledger.
//! - R-ADMIT-7: each public key is new, over all agencies, roles and uses.

use crate::core::fields::Fields;
use crate::core::ids::check_agency;
use crate::core::key::Role;
use crate::core::kinds::{AgencyKey, KindRules, Place, check_refs, check_writer_signs};
use crate::core::limits::{LIST_MAX, NAME_BYTES_MAX};
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
}

/// Checks all members but the keys, in a record and in the genesis file alike; gives the id and where the agency stands.
///
/// # Errors
/// `field-missing`, `field-invalid`, `text-forbidden`.
pub(crate) fn check_agency_members<'a>(fields: &mut Fields<'a>) -> Result<(&'a str, Membership), Refusal> {
    let id = fields.checked("id", check_agency)?;
    let mut names = fields.object("names")?;
    let named = [names.optional_text("en", NAME_BYTES_MAX)?, names.optional_text("zh", NAME_BYTES_MAX)?];
    names.end()?;
    if named == [None, None] {
        return Err(Refusal::rule("R-ADMIT-1", Code::FieldMissing, "no name", "a name in en or zh"));
    }
    let membership = Membership::parse(fields, "R-ADMIT-2")?;
    if fields.one_of("scheme", &["plain", "uscc"])? == "uscc" {
        uscc::check(id).map_err(|refusal| refusal.under("R-ADMIT-3"))?;
    }
    Ok((id, membership))
}

impl AgencyAdmit {
    pub(crate) fn parse(fields: &mut Fields<'_>, origin: &str) -> Result<Self, Refusal> {
        let (id, membership) = check_agency_members(fields)?;
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
        Ok(AgencyAdmit { id: id.to_owned(), keys, membership })
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
        let mut changes = place.rows([]);
        let keys: Vec<_> = self.keys.iter().map(|key| (key.role, key.vkey.clone())).collect();
        tables::put_agency(&mut changes, &self.id, &self.membership, &keys, Some(place.block.position));
        if keys.iter().any(|(role, _)| *role == Role::Authority) {
            let authorities = tables::authorities(place.state);
            tables::put_authorities(&mut changes, authorities.iter().map(String::as_str).chain([self.id.as_str()]));
        }
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.add_agency(&self.id);
    }
}
