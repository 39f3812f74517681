//! The key register as the file proves it: genesis keys, and those that its own records brought or replaced.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::fields::Fields;
use crate::core::genesis::Genesis;
use crate::core::json::Value;
use crate::core::key::{Algorithm, KeyId, PublicKey, Role, VerifierKey, agency_key_name, key_id, split_agency_key_name};
use crate::core::kinds::Kind;
use crate::core::limits::LIST_MAX;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};

/// A key and the positions at which it is trusted: after `from`, up to and including `until`.
struct Trusted {
    public: PublicKey,
    from: Option<u64>,
    until: Option<u64>,
}

/// Who signed one line.
struct Signer<'a> {
    agency: &'a str,
    role: Role,
    public: PublicKey,
}

/// Records are taken in ascending order of position; each is judged by what came before it.
pub struct Register<'a> {
    origin: &'a str,
    /// By what a signature line shows of its key; more than one when key ids collide.
    keys: BTreeMap<(String, KeyId), Vec<Trusted>>,
    /// Every public key ever registered: each once, over all agencies, roles and uses.
    publics: BTreeSet<PublicKey>,
    /// Agency ids in lower case: each admitted once.
    agencies: BTreeSet<String>,
}

impl<'a> Register<'a> {
    pub fn of(genesis: &'a Genesis) -> Self {
        let mut register = Register { origin: &genesis.origin, keys: BTreeMap::new(), publics: BTreeSet::new(), agencies: BTreeSet::new() };
        for agency in &genesis.agencies {
            register.agencies.insert(agency.id.to_ascii_lowercase());
            for (role, public) in &agency.keys {
                let name = agency_key_name(&genesis.origin, &agency.id, *role);
                let id = key_id(&name, Algorithm::Ed25519, public);
                register.publics.insert(*public);
                register.keys.entry((name, id)).or_default().push(Trusted { public: *public, from: None, until: None });
            }
        }
        for validator in &genesis.validators {
            register.publics.extend([validator.consensus, validator.cosigner, validator.publication]);
        }
        register
    }

    /// Checks every signature line of `record`, and the roles that its kind wants; then takes what it brings.
    ///
    /// # Errors
    /// `key-unknown`, `key-revoked`, `signature-invalid`, `signature-missing`, `role-wrong`; `duplicate` for a key or an
    /// agency that is registered already.
    pub fn take(&mut self, record: &Record, position: u64) -> Result<(), Refusal> {
        match record.kind {
            Kind::AgencyAdmit => self.take_admission(record, position),
            Kind::KeyRotate => self.take_rotation(record, position),
            Kind::DatasetPublish => self.check_writer(record, position, Role::Head),
            Kind::DutyDeclare | Kind::ShareRequest | Kind::ShareAnswer | Kind::ShareDeliver | Kind::ShareReceipt => {
                self.check_writer(record, position, Role::Office)
            }
        }
    }

    /// The one line by the writer's own key of `role`.
    fn check_writer(&self, record: &Record, position: u64, role: Role) -> Result<(), Refusal> {
        let signers = self.signers(record, position, None)?;
        match signers.as_slice() {
            [only] if only.agency == record.by && only.role == role => Ok(()),
            _ => Err(Refusal::new(Code::RoleWrong, "other signers", format!("one line by the {role} key of {}", record.by))),
        }
    }

    fn take_admission(&mut self, record: &Record, position: u64) -> Result<(), Refusal> {
        let signers = self.signers(record, position, None)?;
        if !signers.iter().all(|signer| signer.role == Role::Authority) || !signers.iter().any(|signer| signer.agency == record.by) {
            return Err(Refusal::new(Code::RoleWrong, "other signers", format!("authority keys, one of them of {}", record.by)));
        }
        let body = record.body_value();
        let mut fields = Fields::of(&body, "body")?;
        let id = fields.string("id")?;
        if !self.agencies.insert(id.to_ascii_lowercase()) {
            return Err(Refusal::new(Code::Duplicate, id, "an agency that is not admitted yet"));
        }
        for text in fields.strings("keys", 1, LIST_MAX)? {
            let (key, agency, _) = self.agency_key(text)?;
            if agency != id {
                return Err(Refusal::new(Code::FieldInvalid, text, format!("a key of {id}")));
            }
            self.bring(&key, position)?;
        }
        Ok(())
    }

    fn take_rotation(&mut self, record: &Record, position: u64) -> Result<(), Refusal> {
        let body = record.body_value();
        let (key, replaced) = self.rotation(&body)?;
        let (agency, _) = split_agency_key_name(self.origin, key.name()).expect("the key's name was taken apart before");
        let signers = self.signers(record, position, Some(&key))?;
        let other = match signers.as_slice() {
            [a, b] if a.public == *key.public() => b,
            [a, b] if b.public == *key.public() => a,
            _ => return Err(Refusal::new(Code::SignatureMissing, "other lines", "one line by the new key and one that allows it")),
        };
        let allowed = other.public == *replaced.public() || (other.role == Role::Recovery && other.agency == agency);
        if !allowed && other.role != Role::Authority {
            return Err(Refusal::new(
                Code::RoleWrong,
                format!("the {} key of {}", other.role, other.agency),
                "the replaced key, the agency's recovery key or an authority",
            ));
        }
        if record.by != agency && !(other.role == Role::Authority && record.by == other.agency) {
            return Err(Refusal::new(Code::NotParty, record.by.clone(), format!("{agency}, or the authority that signs")));
        }
        self.replace(&replaced, position)?;
        self.bring(&key, position)
    }

    /// The new and the replaced key of a rotation's body.
    fn rotation(&self, body: &Value) -> Result<(VerifierKey, VerifierKey), Refusal> {
        let mut fields = Fields::of(body, "body")?;
        let (key, ..) = self.agency_key(fields.string("key")?)?;
        let (replaced, ..) = self.agency_key(fields.string("replaces")?)?;
        if key.name() != replaced.name() || key.public() == replaced.public() {
            return Err(Refusal::new(Code::FieldInvalid, key.name(), format!("another key named {}", replaced.name())));
        }
        Ok((key, replaced))
    }

    fn agency_key<'t>(&self, text: &'t str) -> Result<(VerifierKey, &'t str, Role), Refusal> {
        let key = VerifierKey::parse(text)?;
        let name = text.split('+').next().unwrap_or_default();
        match split_agency_key_name(self.origin, name) {
            Some((agency, role)) if key.algorithm() == Algorithm::Ed25519 => Ok((key, agency, role)),
            _ => Err(Refusal::new(Code::FieldInvalid, text, "an agency's key of algorithm 0x01 under this origin")),
        }
    }

    /// The signers of all lines; `incoming` is a key that this record itself brings.
    fn signers<'r>(&self, record: &'r Record, position: u64, incoming: Option<&VerifierKey>) -> Result<Vec<Signer<'r>>, Refusal> {
        let signer = |(index, line): (usize, &'r crate::core::record::RecordSignature)| {
            let name = agency_key_name(self.origin, &line.agency, line.role);
            let known = self.keys.get(&(name.clone(), line.id)).map_or(&[][..], Vec::as_slice);
            let trusted = known.iter().filter(|key| key.from.is_none_or(|from| from < position));
            let trusted = trusted.filter(|key| key.until.is_none_or(|until| position <= until)).map(|key| key.public);
            let own = incoming.filter(|key| key.name() == name && key.id() == line.id).map(|key| *key.public());
            let candidates: Vec<_> = trusted.chain(own).collect();
            if candidates.is_empty() {
                let code = if known.is_empty() { Code::KeyUnknown } else { Code::KeyRevoked };
                let found = format!("a line of {name} at position {position}");
                return Err(Refusal::new(code, found, "a key of the genesis file, or of an earlier record of the file, in force"));
            }
            let public = candidates.into_iter().find(|public| record.verifies(index, public));
            let public = public.ok_or_else(|| Refusal::new(Code::SignatureInvalid, format!("the line of {name}"), "a valid signature"))?;
            Ok(Signer { agency: &line.agency, role: line.role, public })
        };
        record.signatures.iter().enumerate().map(signer).collect()
    }

    fn bring(&mut self, key: &VerifierKey, position: u64) -> Result<(), Refusal> {
        if !self.publics.insert(*key.public()) {
            return Err(Refusal::new(Code::Duplicate, key.to_string(), "a public key that was never registered before"));
        }
        let trusted = Trusted { public: *key.public(), from: Some(position), until: None };
        self.keys.entry((key.name().to_owned(), key.id())).or_default().push(trusted);
        Ok(())
    }

    /// Ends the trust in a replaced key after `position`; one that the file did not bring is remembered as registered.
    fn replace(&mut self, key: &VerifierKey, position: u64) -> Result<(), Refusal> {
        let known =
            self.keys.get_mut(&(key.name().to_owned(), key.id())).and_then(|keys| keys.iter_mut().find(|k| k.public == *key.public()));
        match known {
            Some(trusted) if trusted.until.is_none() => {
                trusted.until = Some(position);
                Ok(())
            }
            None if self.publics.insert(*key.public()) => Ok(()),
            _ => Err(Refusal::new(Code::KeyRevoked, key.to_string(), "a key of this name that is in force")),
        }
    }
}
