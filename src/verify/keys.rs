//! The key register as the file proves it: genesis keys, and those that its own records brought or replaced.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::genesis::Genesis;
use crate::core::key::{KeyId, PublicKey, Role, VerifierKey, agency_key_name};
use crate::core::kinds::{AgencyAdmit, Body, KeyRotate};
use crate::core::record::{Record, RecordSignature};
use crate::core::refusal::{Code, Refusal};

/// A key and the positions at which it is trusted: after `from`, up to and including `until`.
struct Trusted {
    public: PublicKey,
    from: Option<u64>,
    until: Option<u64>,
    /// Ended by key.revoke, and not replaced since.
    is_revoked: bool,
}

/// Whose key verified one line.
struct Signer {
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
            for (_, key) in genesis.agency_vkeys(agency) {
                register.publics.insert(*key.public());
                let trusted = Trusted { public: *key.public(), from: None, until: None, is_revoked: false };
                register.keys.entry((key.name().to_owned(), key.id())).or_default().push(trusted);
            }
        }
        for validator in &genesis.validators {
            register.publics.extend(validator.public_keys().expect("peer ids were checked by parse"));
        }
        register
    }

    /// Checks every signature line of `record`, whose form has settled which roles sign; then takes what it brings.
    ///
    /// # Errors
    /// `key-unknown`, `key-revoked`, `signature-invalid`, `role-wrong`; `duplicate` for a key or an agency that is
    /// registered already.
    pub fn take(&mut self, record: &Record, position: u64) -> Result<(), Refusal> {
        match &record.body {
            Body::AgencyAdmit(body) => {
                self.signers(record, position, None)?;
                self.admit(body, position)
            }
            Body::KeyRotate(body) => {
                let signers = self.signers(record, position, Some(&body.key.vkey))?;
                self.rotate(body, &signers, position)
            }
            Body::KeyRevoke(body) => {
                let signers = self.signers(record, position, None)?;
                self.revoke(&body.key.vkey, &signers, position)
            }
            _ => self.signers(record, position, None).map(|_| ()),
        }
    }

    fn admit(&mut self, body: &AgencyAdmit, position: u64) -> Result<(), Refusal> {
        if !self.agencies.insert(body.id.to_ascii_lowercase()) {
            return Err(Refusal::new(Code::Duplicate, body.id.as_str(), "an agency that is not admitted yet"));
        }
        body.keys.iter().try_for_each(|key| self.bring(&key.vkey, position))
    }

    fn rotate(&mut self, body: &KeyRotate, signers: &[Signer], position: u64) -> Result<(), Refusal> {
        let (new, replaced) = (body.key.vkey.public(), body.replaces.vkey.public());
        // The form knows roles and key ids; that the consenting key is the replaced one itself shows only here.
        let consents = |signer: &Signer| matches!(signer.role, Role::Authority | Role::Recovery) || signer.public == *replaced;
        if let Some(signer) = signers.iter().find(|signer| signer.public != *new && !consents(signer)) {
            let found = format!("a {} key, {}", signer.role, signer.public.to_base64());
            return Err(Refusal::new(Code::RoleWrong, found, "the replaced key, the agency's recovery key or an authority"));
        }
        if !signers.iter().any(|signer| signer.public == *new) {
            return Err(Refusal::new(Code::SignatureMissing, "no signature of the new key", body.key.vkey.to_string()));
        }
        self.replace(&body.replaces.vkey, position)?;
        self.bring(&body.key.vkey, position)
    }

    fn revoke(&mut self, key: &VerifierKey, signers: &[Signer], position: u64) -> Result<(), Refusal> {
        // The form knows roles and key ids; that it is the key itself shows only here.
        let may_end = |signer: &Signer| matches!(signer.role, Role::Authority | Role::Recovery) || signer.public == *key.public();
        if let Some(signer) = signers.iter().find(|signer| !may_end(signer)) {
            let found = format!("a {} key, {}", signer.role, signer.public.to_base64());
            return Err(Refusal::new(Code::RoleWrong, found, "the revoked key, the agency's recovery key or an authority"));
        }
        self.end(key, position)?.is_revoked = true;
        Ok(())
    }

    /// The signers of all lines; `incoming` is a key that this record itself brings.
    fn signers(&self, record: &Record, position: u64, incoming: Option<&VerifierKey>) -> Result<Vec<Signer>, Refusal> {
        let signer = |(index, line): (usize, &RecordSignature)| {
            let name = agency_key_name(self.origin, &line.agency, line.role);
            let known = self.keys.get(&(name.clone(), line.id)).map_or(&[][..], Vec::as_slice);
            let trusted = known.iter().filter(|key| key.from.is_none_or(|from| from < position));
            let trusted = trusted.filter(|key| key.until.is_none_or(|until| position <= until)).map(|key| key.public);
            let own = incoming.filter(|key| key.name() == name && key.id() == line.id).map(|key| *key.public());
            let candidates: Vec<_> = trusted.chain(own).collect();
            if candidates.is_empty() {
                let replaced = known.iter().any(|key| key.until.is_some_and(|until| until < position));
                let code = if replaced { Code::KeyRevoked } else { Code::KeyUnknown };
                let found = format!("a line of {name} at position {position}");
                return Err(Refusal::new(code, found, "a key of the genesis file, or of an earlier record of the file, in force"));
            }
            let public = candidates.into_iter().find(|public| record.verifies(index, public));
            let public = public.ok_or_else(|| Refusal::new(Code::SignatureInvalid, format!("the line of {name}"), "a valid signature"))?;
            Ok(Signer { role: line.role, public })
        };
        record.signatures.iter().enumerate().map(signer).collect()
    }

    fn bring(&mut self, key: &VerifierKey, position: u64) -> Result<(), Refusal> {
        if !self.publics.insert(*key.public()) {
            return Err(Refusal::new(Code::Duplicate, key.to_string(), "a public key that was never registered before"));
        }
        let trusted = Trusted { public: *key.public(), from: Some(position), until: None, is_revoked: false };
        self.keys.entry((key.name().to_owned(), key.id())).or_default().push(trusted);
        Ok(())
    }

    /// Ends the trust in a replaced key after `position`; that in a revoked one has ended.
    fn replace(&mut self, key: &VerifierKey, position: u64) -> Result<(), Refusal> {
        let known =
            self.keys.get_mut(&(key.name().to_owned(), key.id())).and_then(|keys| keys.iter_mut().find(|k| k.public == *key.public()));
        match known {
            Some(trusted) if trusted.is_revoked => trusted.is_revoked = false,
            _ => drop(self.end(key, position)?),
        }
        Ok(())
    }

    /// Ends the trust in a key after `position`; one that the file did not bring is remembered as registered and ended.
    fn end(&mut self, key: &VerifierKey, position: u64) -> Result<&mut Trusted, Refusal> {
        let keys = self.keys.entry((key.name().to_owned(), key.id())).or_default();
        let index = match keys.iter().position(|known| known.public == *key.public()) {
            Some(index) if keys[index].until.is_none() => index,
            None if self.publics.insert(*key.public()) => {
                keys.push(Trusted { public: *key.public(), from: Some(position), until: None, is_revoked: false });
                keys.len() - 1
            }
            _ => return Err(Refusal::new(Code::KeyRevoked, key.to_string(), "a key of this name that is in force")),
        };
        let ended = &mut keys[index];
        ended.until = Some(position);
        Ok(ended)
    }
}
