//! `key.revoke`: a key is trusted up to and including this record, and no longer.
//!
//! `suspect_from` is a remark that reports show; no rule reads it. A revoked key may be replaced by key.rotate.
//!
//! - R-REVOKE-1: one line signs, the writer's: the key itself, its agency's recovery key, or an authority's; for a recovery key
//!   recovery or an authority.
//! - R-REVOKE-2: the key is registered.
//! - R-REVOKE-3: it is trusted: not replaced or revoked before.
//! - R-REVOKE-4: it is not the last trusted authority key of the agencies that are not retired.

use crate::core::fields::Fields;
use crate::core::key::Role;
use crate::core::kinds::{AgencyKey, KindRules, Place, check_refs};
use crate::core::limits::TEXT_BYTES_MAX;
use crate::core::record::{Record, RecordSignature};
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::{Subjects, agency_keys};
use crate::core::state::{Changes, Rows};
use crate::core::tables;

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRevoke {
    pub key: AgencyKey,
}

impl KeyRevoke {
    pub(crate) fn parse(fields: &mut Fields<'_>, origin: &str) -> Result<Self, Refusal> {
        let key = AgencyKey::parse(fields.string("key")?, origin).map_err(|refusal| refusal.within("body.key"))?;
        fields.text("reason", TEXT_BYTES_MAX)?;
        if fields.has("suspect_from") {
            fields.time("suspect_from")?;
        }
        Ok(KeyRevoke { key })
    }

    /// Whether a line may end the key, as far as its role and key id show.
    fn may_end(&self, line: &RecordSignature) -> bool {
        let own = line.agency == self.key.agency;
        line.role == Role::Authority || own && line.role == Role::Recovery || self.key.signed(line)
    }

    fn expected(&self, record: &Record) -> String {
        format!("one key of {}: the revoked one, {}'s recovery, or an authority's", record.by, self.key.agency)
    }

    /// Whether the agency holds another trusted authority key.
    fn has_other_authority_key(&self, place: &Place<'_>) -> bool {
        let is_other = |key: &crate::core::rules::KeyState| key.role == Role::Authority && key.vkey != self.key.vkey && key.until.is_none();
        agency_keys(place.state, &self.key.agency).iter().any(is_other)
    }
}

impl KindRules for KeyRevoke {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        let wrong = |line: &RecordSignature| {
            let found = format!("{}/{}", line.agency, line.role);
            Err(Refusal::rule("R-REVOKE-1", Code::RoleWrong, found, self.expected(record)))
        };
        let Some(line) = record.signatures.iter().find(|line| line.agency == record.by) else {
            let found = format!("no signature of {}", record.by);
            return Err(Refusal::rule("R-REVOKE-1", Code::SignatureMissing, found, self.expected(record)));
        };
        match record.signatures.iter().find(|other| !std::ptr::eq(*other, line)) {
            Some(more) => wrong(more),
            None if self.may_end(line) => Ok(()),
            None => wrong(line),
        }
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (agency, role, id) = (self.key.agency.as_str(), self.key.role, self.key.vkey.id());
        let public = *self.key.vkey.public();
        let refuse = |rule, code, expected: &str| Err(Refusal::rule(rule, code, self.key.vkey.to_string(), expected));
        // The form knows roles and key ids; that it is this very key shows only here.
        let signs = |(line, signer): (&RecordSignature, &crate::core::key::PublicKey)| {
            matches!(line.role, Role::Authority | Role::Recovery) || *signer == public
        };
        if !place.record.signatures.iter().zip(place.signers).all(signs) {
            return refuse("R-REVOKE-1", Code::RoleWrong, "the signature of this very key");
        }
        let mut keys = tables::registered_keys(place.state, agency, role, id);
        let Some(key) = keys.iter_mut().find(|key| key.public == public) else {
            return refuse("R-REVOKE-2", Code::KeyUnknown, "a registered key");
        };
        if !key.is_trusted_at(place.block.position) {
            return refuse("R-REVOKE-3", Code::KeyRevoked, "a key that is not replaced or revoked");
        }
        key.until = Some(place.block.position);
        key.is_revoked = true;
        let mut changes = place.rows([]);
        tables::put_keys(&mut changes, agency, role, id, &keys);
        if role == Role::Authority && !self.has_other_authority_key(place) {
            if tables::authorities(place.state) == [agency] {
                return refuse("R-REVOKE-4", Code::LimitExceeded, "a key beside which another authority key is trusted");
            }
            tables::remove_authority(&mut changes, place.state, agency);
        }
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.add_agency(&self.key.agency);
    }

    fn mended_agency(&self) -> Option<&str> {
        Some(&self.key.agency)
    }
}
