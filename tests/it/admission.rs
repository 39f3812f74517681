//! A ledger in memory for tests of the rules: a genesis, its rows, keys by seed, and one record after the other.

use sharelog::core::genesis::{Genesis, GenesisAgency, GenesisParts, Validator, peer_id};
use sharelog::core::hash::Hash;
use sharelog::core::json::Value;
use sharelog::core::key::{Algorithm, PublicKey, Role, SecretKey, VerifierKey, agency_key_name};
use sharelog::core::kinds::Kind;
use sharelog::core::policy;
use sharelog::core::record::{Draft, Record};
use sharelog::core::refusal::Refusal;
use sharelog::core::rules::{self, BlockContext};
use sharelog::core::state::{Changes, MemoryRows};
use sharelog::core::time::Time;

pub use serde_json::json;

/// Restricted JSON from the `json!` macro.
pub fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Int(number.as_u64().unwrap()),
        serde_json::Value::String(string) => Value::String(string.clone()),
        serde_json::Value::Array(items) => Value::Array(items.iter().map(value).collect()),
        serde_json::Value::Object(members) => Value::Object(members.iter().map(|(name, member)| (name.clone(), value(member))).collect()),
        serde_json::Value::Null => panic!("no null"),
    }
}

/// The secret key of this label, the same in every run.
pub fn secret(label: &str) -> SecretKey {
    SecretKey::from_seed(Hash::of(label.as_bytes()).as_bytes())
}

pub fn public(label: &str) -> PublicKey {
    secret(label).public()
}

/// Genesis: four validators, an authority, an inspector. `change` may break it.
pub fn genesis_parts(change: impl FnOnce(&mut GenesisParts)) -> Vec<u8> {
    let agency = |id: &str, roles: &[Role]| GenesisAgency {
        id: id.to_owned(),
        keys: roles.iter().map(|role| (*role, public(&format!("{id}/{role}")))).collect(),
        body: value(&json!({"id": id, "level": "city", "names": {"en": id}, "scheme": "plain", "territory": "3301"})),
    };
    let validator = |index: usize| {
        let id = format!("agency-{index}");
        Validator {
            addresses: vec![format!("/ip4/127.0.0.1/tcp/{}", 26_600 + 2 * index)],
            consensus: public(&format!("{id}/consensus")),
            cosigner: public(&format!("{id}/cosigner")),
            peer: peer_id(&public(&format!("{id}/network"))),
            power: 1,
            publication: public(&format!("{id}/publication")),
            records: vec![format!("/ip4/127.0.0.1/tcp/{}", 26_601 + 2 * index)],
            agency: id,
        }
    };
    let mut agencies: Vec<_> =
        (0..4).map(|index| agency(&format!("agency-{index}"), &[Role::Office, Role::Head, Role::Recovery])).collect();
    agencies.push(agency("authority", &[Role::Authority, Role::Office, Role::Head, Role::Recovery]));
    agencies.push(agency("inspector", &[Role::Inspector, Role::Recovery]));
    let mut parts = GenesisParts {
        name: "test.example/rules".to_owned(),
        created: Time::parse("2026-11-01T00:00:00.000Z").unwrap(),
        agencies,
        calendars: vec![],
        policy: policy::default_body(),
        validators: (0..4).map(validator).collect(),
    };
    change(&mut parts);
    parts.to_bytes()
}

/// Who signs: agency and role, the key being that of the label `<agency>/<role>`; or another label's.
pub struct Signer {
    pub vkey: VerifierKey,
    pub secret: SecretKey,
}

pub struct Ledger {
    pub genesis: Genesis,
    pub rows: MemoryRows,
    pub position: u64,
    pub height: u64,
    pub now: Time,
    drafts: u64,
}

impl Ledger {
    pub fn new() -> Self {
        Ledger::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut GenesisParts)) -> Self {
        let genesis = Genesis::parse(&genesis_parts(change)).unwrap();
        let mut rows = MemoryRows::default();
        rows.apply(&genesis.rows());
        Ledger { genesis, rows, position: 1, height: 1, now: Time::parse("2026-11-25T01:02:03.000Z").unwrap(), drafts: 0 }
    }

    /// The key of `<agency>/<role>` under its name on this ledger.
    pub fn signer(&self, agency: &str, role: Role) -> Signer {
        self.signer_of(agency, role, &format!("{agency}/{role}"))
    }

    /// Another key under the same name.
    pub fn signer_of(&self, agency: &str, role: Role, label: &str) -> Signer {
        let secret = secret(label);
        let name = agency_key_name(&self.genesis.origin, agency, role);
        Signer { vkey: VerifierKey::new(name, Algorithm::Ed25519, secret.public()).unwrap(), secret }
    }

    pub fn vkey(&self, agency: &str, role: Role) -> String {
        self.signer(agency, role).vkey.to_string()
    }

    pub fn draft(&mut self, by: &str, kind: Kind, refs: &[Hash], body: &serde_json::Value) -> Draft {
        self.drafts += 1;
        let uid = format!("01939d7c-3f0a-7abc-8def-{:012x}", self.drafts);
        Draft { at: self.now, by: by.to_owned(), kind, refs: refs.to_vec(), uid, body: value(body) }
    }

    pub fn sign(&self, draft: &Draft, signers: &[Signer]) -> String {
        let keys: Vec<_> = signers.iter().map(|signer| (&signer.vkey, &signer.secret)).collect();
        draft.sign(&self.genesis.origin, &keys)
    }

    pub fn parse(&self, note: &str) -> Result<Record, Refusal> {
        Record::parse(note.as_bytes(), &self.genesis.origin)
    }

    pub fn block(&self) -> BlockContext {
        BlockContext { height: self.height, position: self.position, time: self.now, rules: 1 }
    }

    pub fn judge(&self, note: &str) -> Result<(Record, Changes), Refusal> {
        let record = self.parse(note)?;
        let changes = rules::apply(&self.rows, &record, &self.block())?;
        Ok((record, changes))
    }

    /// Parses, applies, and keeps the rows.
    pub fn submit(&mut self, note: &str) -> Result<Hash, Refusal> {
        let (record, changes) = self.judge(note)?;
        self.rows.apply(&changes);
        self.position += 1;
        Ok(record.id())
    }

    /// A record of the kind's usual signer, not applied.
    pub fn note(&mut self, by: &str, kind: Kind, refs: &[Hash], body: &serde_json::Value) -> String {
        let role = match kind {
            Kind::AgencyAdmit | Kind::AgencyChange | Kind::AgencySuspend | Kind::AgencyRetire | Kind::PolicySet | Kind::CalendarSet => {
                Role::Authority
            }
            Kind::ShareExtend | Kind::TerritorySet | Kind::ValidatorAdd | Kind::ValidatorChange | Kind::ValidatorRemove => Role::Authority,
            Kind::DatasetPublish | Kind::NodeAdmit | Kind::NodeRemove => Role::Head,
            _ => Role::Office,
        };
        self.note_by(by, kind, refs, body, &[(by, role)])
    }

    /// A record signed by the keys of `<agency>/<role>`, not applied.
    pub fn note_by(&mut self, by: &str, kind: Kind, refs: &[Hash], body: &serde_json::Value, signers: &[(&str, Role)]) -> String {
        let draft = self.draft(by, kind, refs, body);
        let signers: Vec<_> = signers.iter().map(|(agency, role)| self.signer(agency, *role)).collect();
        self.sign(&draft, &signers)
    }

    /// Submits a record of the kind's usual signer.
    pub fn add(&mut self, by: &str, kind: Kind, refs: &[Hash], body: &serde_json::Value) -> Result<Hash, Refusal> {
        let note = self.note(by, kind, refs, body);
        self.submit(&note)
    }

    /// Submits a record signed by the keys of `<agency>/<role>`.
    pub fn add_by(
        &mut self,
        by: &str,
        kind: Kind,
        refs: &[Hash],
        body: &serde_json::Value,
        signers: &[(&str, Role)],
    ) -> Result<Hash, Refusal> {
        let note = self.note_by(by, kind, refs, body, signers);
        self.submit(&note)
    }
}

/// A change of one member of a body; `null` takes it away.
pub fn changed(body: &serde_json::Value, name: &str, member: serde_json::Value) -> serde_json::Value {
    let mut body = body.clone();
    let members = body.as_object_mut().unwrap();
    if member.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), member);
    }
    body
}
