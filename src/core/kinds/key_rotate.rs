//! `key.rotate`: a key is replaced by a new one of the same agency and role.
//!
//! Two lines sign: the new key's, which proves its possession, and the writer's consent. The old key is trusted up to and
//! including this record, the new one after it.
//!
//! - R-ROTATE-1: both keys have one name.
//! - R-ROTATE-2: the new key signs, and one key of the writer that may consent: the agency's recovery key, an authority's
//!   key, or the replaced key itself.
//! - R-ROTATE-3: the replaced key is registered, and was not replaced before. A revoked one may be replaced; it cannot
//!   consent itself.
//! - R-ROTATE-4: the new public key was never registered, for any use.

use crate::core::fields::Fields;
use crate::core::key::Role;
use crate::core::kinds::{AgencyKey, KindRules, Place, check_refs};
use crate::core::record::{Record, RecordSignature};
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, AgencyRow, RegisteredKey, Status};

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRotate {
    /// The new key.
    pub key: AgencyKey,
    pub replaces: AgencyKey,
}

impl KeyRotate {
    pub(crate) fn parse(fields: &mut Fields<'_>, origin: &str) -> Result<Self, Refusal> {
        let key = AgencyKey::parse(fields.string("key")?, origin).map_err(|refusal| refusal.within("body.key"))?;
        let replaces = AgencyKey::parse(fields.string("replaces")?, origin).map_err(|refusal| refusal.within("body.replaces"))?;
        if key.vkey.name() != replaces.vkey.name() {
            return Err(Refusal::rule("R-ROTATE-1", Code::FieldInvalid, key.vkey.name(), replaces.vkey.name()));
        }
        Ok(KeyRotate { key, replaces })
    }

    /// Whether a line of the writer may consent, as far as its role and key id show.
    fn may_consent(&self, line: &RecordSignature) -> bool {
        let own = line.agency == self.replaces.agency;
        line.role == Role::Authority || own && line.role == Role::Recovery || self.replaces.signed(line)
    }

    fn consent<'a>(&self, record: &'a Record) -> impl Iterator<Item = (usize, &'a RecordSignature)> {
        record.signatures.iter().enumerate().filter(|(_, line)| !self.key.signed(line))
    }
}

impl KindRules for KeyRotate {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        let missing = |found: &str, expected: String| Refusal::rule("R-ROTATE-2", Code::SignatureMissing, found, expected);
        if !record.signatures.iter().any(|line| self.key.signed(line)) {
            return Err(missing("no signature of the new key", format!("one by {}", self.key.vkey)));
        }
        let expected = || format!("one key of {}: the replaced one, {}'s recovery, or an authority's", record.by, self.key.agency);
        let wrong =
            |line: &RecordSignature| Refusal::rule("R-ROTATE-2", Code::RoleWrong, format!("{}/{}", line.agency, line.role), expected());
        let mut others = self.consent(record).map(|(_, line)| line);
        let Some(consent) = others.next() else {
            return Err(missing("no consent to the new key", expected()));
        };
        if let Some(more) = others.next() {
            return Err(wrong(more));
        }
        if consent.agency != record.by {
            return Err(missing(&format!("no consent of {}", record.by), expected()));
        }
        if self.may_consent(consent) { Ok(()) } else { Err(wrong(consent)) }
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (agency, role) = (self.replaces.agency.as_str(), self.replaces.role);
        let position = place.block.position;
        let (old_id, old_public) = (self.replaces.vkey.id(), *self.replaces.vkey.public());
        let refuse = |rule, code, key: &AgencyKey, expected: &str| Err(Refusal::rule(rule, code, key.vkey.to_string(), expected));
        let consents = |(index, line): (usize, &RecordSignature)| {
            line.role == Role::Authority || line.role == Role::Recovery || place.signers.get(index) == Some(&old_public)
        };
        if !self.consent(place.record).all(consents) {
            return refuse("R-ROTATE-2", Code::RoleWrong, &self.replaces, "the consent of this very key");
        }
        let mut keys = tables::registered_keys(place.state, agency, role, old_id);
        let Some(old) = keys.iter_mut().find(|key| key.public == old_public) else {
            return refuse("R-ROTATE-3", Code::KeyUnknown, &self.replaces, "a registered key");
        };
        if old.is_trusted_at(position) {
            old.until = Some(position);
        } else if old.is_revoked {
            old.is_revoked = false;
        } else {
            return refuse("R-ROTATE-3", Code::KeyRevoked, &self.replaces, "a key that is not replaced");
        }
        if tables::is_registered(place.state, self.key.vkey.public()) {
            return refuse("R-ROTATE-4", Code::Duplicate, &self.key, "a public key that was never registered");
        }
        let Some(row) = AgencyRow::read(place.state, agency) else {
            return refuse("R-ROTATE-3", Code::KeyUnknown, &self.replaces, "a key of an admitted agency");
        };
        let mut changes = place.rows([]);
        tables::put_keys(&mut changes, agency, role, old_id, &keys);
        let new_id = self.key.vkey.id();
        if new_id != old_id {
            keys = tables::registered_keys(place.state, agency, role, new_id);
        }
        keys.push(RegisteredKey { public: *self.key.vkey.public(), from: Some(position), until: None, is_revoked: false });
        tables::put_keys(&mut changes, agency, role, new_id, &keys);
        tables::put_public(&mut changes, self.key.vkey.public());
        changes.put(tables::AGENCY, agency.to_ascii_lowercase(), row.with_vkey(&self.key.vkey));
        if role == Role::Authority && row.status() != Status::Retired {
            tables::add_authority(&mut changes, place.state, agency);
        }
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.add_agency(&self.key.agency);
    }

    fn brought_key(&self) -> Option<&AgencyKey> {
        Some(&self.key)
    }

    fn mended_agency(&self) -> Option<&str> {
        Some(&self.key.agency)
    }
}
