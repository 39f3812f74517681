//! The genesis file: the first agencies, validators, policy and calendars. Its SHA-256 is what people pin.
//!
//! [`GenesisParts::to_bytes`] makes one, [`Genesis::parse`] checks every rule that holds for one: what comes out of it needs
//! no further check.

mod validator;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use validator::{Validator, peer_id, peer_key};
pub(crate) use validator::{multiaddresses, peer};

use crate::core::calendar::Calendar;
use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::ids::{self, check_ledger_name};
use crate::core::json::{self, Strings, Value, object};
use crate::core::key::{Algorithm, PublicKey, Role, VerifierKey, agency_key_name, cosigner_key_name};
use crate::core::kinds::{AgencyMembers, check_agency_members};
use crate::core::limits::{CALENDARS_MAX, GENESIS_AGENCIES_MAX, GENESIS_BYTES_MAX, LIST_MAX, VALIDATORS_MAX, VALIDATORS_MIN};
use crate::core::names;
use crate::core::policy::{Policy, RULES_NEWEST};
use crate::core::refusal::{Code, Refusal};
use crate::core::state::Changes;
use crate::core::tables::{self, Membership};
use crate::core::time::Time;
use crate::core::validators::ValidatorSet;

const FORMAT: &str = "sharelog/genesis/v1";

/// An agency of the genesis file; its keys are bare public keys, from which the vkeys follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisAgency {
    pub id: String,
    pub keys: Vec<(Role, PublicKey)>,
    /// All members but `keys`, as in the body of agency.admit.
    pub body: Value,
}

impl GenesisAgency {
    /// From the file's form: the members of agency.admit, with bare public keys.
    ///
    /// # Errors
    /// The codes of status 400, naming the member.
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, "agency")?;
        let AgencyMembers { id, .. } = check_agency_members(&mut fields)?;
        let keys = fields.list("keys", 0, LIST_MAX)?.iter().map(genesis_key).collect::<Result<Vec<_>, _>>()?;
        fields.end()?;
        let order = |(role, public): &(Role, PublicKey)| (role.as_str(), public.to_base64());
        if let Some(pair) = keys.windows(2).find(|pair| order(&pair[0]) >= order(&pair[1])) {
            return Err(invalid(format!("keys of {id}: {}", pair[1].1.to_base64()), "keys ascending by role and public key"));
        }
        let mut members = value.as_object().cloned().unwrap_or_default();
        members.remove("keys");
        Ok(GenesisAgency { id: id.to_owned(), keys, body: Value::Object(members) })
    }

    /// The form of the file, keys in their order.
    pub fn to_value(&self) -> Value {
        let key = |(role, public): &(Role, PublicKey)| object([("public", public.to_base64().into()), ("role", role.as_str().into())]);
        let mut keys = self.keys.clone();
        keys.sort_by_key(|(role, public)| (role.as_str(), public.to_base64()));
        let mut members = self.body.as_object().cloned().unwrap_or_default();
        members.insert("id".to_owned(), self.id.as_str().into());
        members.insert("keys".to_owned(), Value::Array(keys.iter().map(key).collect()));
        Value::Object(members)
    }

    fn parent(&self) -> Option<&str> {
        self.body.get("parent").and_then(Value::as_str)
    }

    fn is_authority(&self) -> bool {
        self.keys.iter().any(|(role, _)| *role == Role::Authority)
    }

    fn names(&self) -> Vec<String> {
        let names = self.body.get("names").and_then(Value::as_object).expect("agencies were checked by parse");
        names.values().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn membership(&self) -> Membership {
        let member = |name: &str| self.body.get(name).and_then(Value::as_str).map(str::to_owned);
        Membership {
            level: member("level").expect("agencies were checked by parse"),
            line: member("line"),
            parent: member("parent"),
            territory: member("territory"),
        }
    }
}

fn genesis_key(value: &Value) -> Result<(Role, PublicKey), Refusal> {
    let mut fields = Fields::of(value, "key")?;
    let key = (Role::parse(fields.string("role")?)?, fields.public_key("public")?);
    fields.end()?;
    Ok(key)
}

/// What a genesis file is made from, in any order.
#[derive(Clone, Debug)]
pub struct GenesisParts {
    pub name: String,
    pub created: Time,
    pub agencies: Vec<GenesisAgency>,
    pub calendars: Vec<Value>,
    pub policy: Value,
    pub validators: Vec<Validator>,
}

impl GenesisParts {
    /// The file's bytes, lists in their order; [`Genesis::parse`] judges them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut agencies: Vec<_> = self.agencies.iter().collect();
        agencies.sort_by(|a, b| a.id.cmp(&b.id));
        let mut validators: Vec<_> = self.validators.iter().collect();
        validators.sort_by(|a, b| a.agency.cmp(&b.agency));
        let mut calendars = self.calendars.clone();
        calendars.sort_by_key(|calendar| calendar.get("year").and_then(Value::as_u64));
        let value = object([
            ("agencies", Value::Array(agencies.into_iter().map(GenesisAgency::to_value).collect())),
            ("calendars", Value::Array(calendars)),
            ("created", self.created.to_string().into()),
            ("format", FORMAT.into()),
            ("name", self.name.as_str().into()),
            ("policy", self.policy.clone()),
            ("validators", Value::Array(validators.into_iter().map(Validator::to_value).collect())),
        ]);
        value.to_jcs().into_bytes()
    }
}

/// A checked genesis file.
#[derive(Clone, Debug)]
pub struct Genesis {
    pub bytes: Arc<[u8]>,
    pub hash: Hash,
    pub origin: String,
    pub name: String,
    pub created: Time,
    pub agencies: Vec<GenesisAgency>,
    pub calendars: Vec<Value>,
    pub policy: Policy,
    pub validators: Vec<Validator>,
}

impl Genesis {
    /// # Errors
    /// The codes of status 400, naming the member; `too-large`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > GENESIS_BYTES_MAX {
            return Err(Refusal::new(Code::TooLarge, format!("{} bytes", bytes.len()), format!("at most {GENESIS_BYTES_MAX} bytes")));
        }
        let value = json::parse(bytes, Strings::Strict)?;
        let mut fields = Fields::of(&value, "genesis")?;
        let format = fields.string("format")?;
        if format != FORMAT {
            return Err(invalid(format.to_owned(), FORMAT));
        }
        let name = fields.checked("name", check_ledger_name)?;
        let hash = Hash::of(bytes);
        let agencies = fields.list("agencies", 1, GENESIS_AGENCIES_MAX)?.iter().map(GenesisAgency::from_value);
        let validators = fields.list("validators", VALIDATORS_MIN, VALIDATORS_MAX)?.iter().map(Validator::from_value);
        let genesis = Genesis {
            bytes: bytes.into(),
            hash,
            origin: ids::origin(name, &hash)?,
            name: name.to_owned(),
            created: fields.time("created")?,
            agencies: agencies.collect::<Result<_, _>>()?,
            calendars: fields.list("calendars", 0, CALENDARS_MAX)?.to_vec(),
            policy: Policy::from_value(fields.value("policy")?)?,
            validators: validators.collect::<Result<_, _>>()?,
        };
        fields.end()?;
        if genesis.policy.rules > RULES_NEWEST {
            return Err(invalid(format!("rules {}", genesis.policy.rules), &format!("a rule set of this program, at most {RULES_NEWEST}")));
        }
        check_calendars(&genesis.calendars)?;
        check_agencies(&genesis.agencies)?;
        genesis.check_validators()?;
        genesis.check_keys()?;
        Ok(genesis)
    }

    fn check_validators(&self) -> Result<(), Refusal> {
        let known: BTreeSet<&str> = self.agencies.iter().map(|agency| agency.id.as_str()).collect();
        if let Some(stranger) = self.validators.iter().find(|validator| !known.contains(validator.agency.as_str())) {
            return Err(invalid(format!("validator {}", stranger.agency), "an agency of the file"));
        }
        ValidatorSet::new(self.validators.iter().map(Validator::member).collect()).map(|_| ())
    }

    /// Every key once, over all agencies and uses; every key name within its bound.
    fn check_keys(&self) -> Result<(), Refusal> {
        let mut seen = BTreeSet::new();
        let mut once = |public: PublicKey, owner: &str| match seen.insert(public) {
            true => Ok(()),
            false => Err(invalid(format!("{} of {owner}", public.to_base64()), "each public key once, over all uses")),
        };
        for agency in &self.agencies {
            for (role, public) in &agency.keys {
                once(*public, &agency.id)?;
                self.vkey(&agency.id, *role, *public)?;
            }
        }
        for validator in &self.validators {
            for public in validator.public_keys()? {
                once(public, &validator.agency)?;
            }
            VerifierKey::new(cosigner_key_name(&self.origin, &validator.agency), Algorithm::Cosignature, validator.cosigner)?;
        }
        Ok(())
    }

    fn vkey(&self, agency: &str, role: Role, public: PublicKey) -> Result<VerifierKey, Refusal> {
        VerifierKey::new(agency_key_name(&self.origin, agency, role), Algorithm::Ed25519, public)
    }

    /// The keys of an agency of the file with their vkeys.
    pub fn agency_vkeys(&self, agency: &GenesisAgency) -> Vec<(Role, VerifierKey)> {
        let vkey = |role: Role, public: PublicKey| self.vkey(&agency.id, role, public).expect("key names were checked by parse");
        agency.keys.iter().map(|(role, public)| (*role, vkey(*role, *public))).collect()
    }

    /// The set of heights 1 and 2, and until a change.
    pub fn validator_set(&self) -> ValidatorSet {
        ValidatorSet::new(self.validators.iter().map(Validator::member).collect()).expect("the set was checked by parse")
    }

    /// The rows that the state starts with; part of no block's changes. state(0) is the genesis hash itself.
    pub fn rows(&self) -> Changes {
        let mut changes = Changes::default();
        for agency in &self.agencies {
            tables::put_agency(&mut changes, &agency.id, &agency.membership(), &self.agency_vkeys(agency), None);
            tables::put_names(&mut changes, &agency.id, &agency.names());
        }
        let authorities = self.agencies.iter().filter(|agency| agency.is_authority());
        tables::put_authorities(&mut changes, authorities.map(|agency| agency.id.as_str()));
        for validator in &self.validators {
            for public in validator.public_keys().expect("peer ids were checked by parse") {
                tables::put_public(&mut changes, &public);
            }
        }
        for calendar in &self.calendars {
            let year = calendar.get("year").and_then(Value::as_u64).expect("calendars were checked by parse");
            changes.put(tables::CALENDAR, year.to_string(), calendar.clone());
        }
        tables::put_policy(&mut changes, &self.policy);
        tables::put_first_validators(&mut changes, &self.validator_set(), &self.validators);
        tables::put_first_rules(&mut changes, self.policy.rules);
        changes
    }
}

fn invalid(found: String, expected: &str) -> Refusal {
    Refusal::new(Code::FieldInvalid, found, expected)
}

fn check_calendars(calendars: &[Value]) -> Result<(), Refusal> {
    let mut last = None;
    for calendar in calendars {
        let year = Calendar::from_value(calendar)?.year;
        if last >= Some(year) {
            return Err(invalid(format!("calendar of {year}"), "calendars ascending by year, none repeated"));
        }
        last = Some(year);
    }
    Ok(())
}

/// No reader would take one agency's name for another's.
fn check_distinct_names(agencies: &[GenesisAgency]) -> Result<(), Refusal> {
    let mut owners: BTreeMap<Hash, &str> = BTreeMap::new();
    for agency in agencies {
        for name in agency.names() {
            let owner = owners.insert(names::skeleton(&name), &agency.id);
            if let Some(owner) = owner.filter(|owner| *owner != agency.id) {
                return Err(invalid(format!("{name} of {}, as {owner}", agency.id), "names that cannot be taken for one another"));
            }
        }
    }
    Ok(())
}

/// Order, ids that differ by more than letter case, parents that lead out of the file's tree, one authority.
fn check_agencies(agencies: &[GenesisAgency]) -> Result<(), Refusal> {
    if let Some(pair) = agencies.windows(2).find(|pair| pair[0].id >= pair[1].id) {
        return Err(invalid(pair[1].id.clone(), "agencies ascending by id, none repeated"));
    }
    let mut folded = BTreeSet::new();
    if let Some(twin) = agencies.iter().find(|agency| !folded.insert(agency.id.to_ascii_lowercase())) {
        return Err(invalid(twin.id.clone(), "ids that differ by more than letter case"));
    }
    check_distinct_names(agencies)?;
    let parents: BTreeMap<&str, Option<&str>> = agencies.iter().map(|agency| (agency.id.as_str(), agency.parent())).collect();
    for agency in agencies {
        let mut above = agency.parent();
        for _ in 0..agencies.len() {
            let Some(parent) = above else {
                break;
            };
            above = *parents.get(parent).ok_or_else(|| invalid(format!("parent {parent} of {}", agency.id), "an agency of the file"))?;
        }
        if above.is_some() {
            return Err(invalid(format!("parents of {}", agency.id), "parents that lead to an agency without one"));
        }
    }
    if !agencies.iter().any(GenesisAgency::is_authority) {
        return Err(invalid("no authority key".to_owned(), "at least one authority"));
    }
    Ok(())
}
