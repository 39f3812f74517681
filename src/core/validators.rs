//! Validator sets and the arithmetic of quorums.

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::ids::check_agency;
use crate::core::json::{Value, object};
use crate::core::key::PublicKey;
use crate::core::limits::{VALIDATORS_MAX, VALIDATORS_MIN};
use crate::core::refusal::{Code, Refusal};

/// One member of a set, as block entries hash it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub agency: String,
    pub consensus: PublicKey,
    pub cosigner: PublicKey,
    pub power: u64,
}

/// The validators of a height, ascending by agency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorSet {
    members: Vec<Member>,
}

impl ValidatorSet {
    /// # Errors
    /// `field-invalid` for fewer than 4 or more than 22 members, another order, a repeat, a key twice, or a power other than 1.
    pub fn new(members: Vec<Member>) -> Result<Self, Refusal> {
        let invalid = |found: String, expected: &str| Refusal::new(Code::FieldInvalid, found, expected);
        if !(VALIDATORS_MIN..=VALIDATORS_MAX).contains(&members.len()) {
            return Err(invalid(format!("{} validators", members.len()), "4 to 22 validators"));
        }
        if let Some(pair) = members.windows(2).find(|pair| pair[0].agency >= pair[1].agency) {
            return Err(invalid(pair[1].agency.clone(), "validators ascending by agency, none repeated"));
        }
        if let Some(member) = members.iter().find(|member| member.power != 1) {
            return Err(invalid(format!("power {} of {}", member.power, member.agency), "power 1"));
        }
        let keys: std::collections::BTreeSet<_> = members.iter().flat_map(|member| [&member.consensus, &member.cosigner]).collect();
        if keys.len() < 2 * members.len() {
            return Err(invalid("a key that stands twice".to_owned(), "distinct keys"));
        }
        Ok(ValidatorSet { members })
    }

    /// From the list of [`ValidatorSet::to_value`].
    ///
    /// # Errors
    /// `field-missing`, `field-unknown`, `field-invalid`.
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        let items = value.as_array().ok_or_else(|| Refusal::new(Code::FieldInvalid, "validators", "a list"))?;
        let member = |item| -> Result<Member, Refusal> {
            let mut fields = Fields::of(item, "validator")?;
            let agency = fields.string("agency")?.to_owned();
            check_agency(&agency)?;
            let member = Member {
                agency,
                consensus: fields.public_key("consensus")?,
                cosigner: fields.public_key("cosigner")?,
                power: fields.integer("power")?,
            };
            fields.end()?;
            Ok(member)
        };
        ValidatorSet::new(items.iter().map(member).collect::<Result<_, _>>()?)
    }

    /// From a row of the state, whose members were checked before they were written; `None` for another shape.
    pub(crate) fn from_row(row: &Value) -> Option<Self> {
        let member = |item: &Value| {
            let text = |name| item.get(name).and_then(Value::as_str);
            Some(Member {
                agency: text("agency")?.to_owned(),
                consensus: PublicKey::from_registered(text("consensus")?)?,
                cosigner: PublicKey::from_registered(text("cosigner")?)?,
                power: item.get("power")?.as_u64()?,
            })
        };
        let members = row.as_array()?.iter().map(member).collect::<Option<_>>()?;
        Some(ValidatorSet { members })
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }

    pub fn member(&self, agency: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.agency == agency)
    }

    pub fn power(&self) -> u64 {
        self.members.iter().map(|member| member.power).sum()
    }

    /// Whether `power` is more than two thirds of the set's.
    pub fn is_quorum(&self, power: u64) -> bool {
        u128::from(power) * 3 > u128::from(self.power()) * 2
    }

    pub fn to_value(&self) -> Value {
        let member = |member: &Member| {
            object([
                ("agency", member.agency.as_str().into()),
                ("consensus", member.consensus.to_base64().into()),
                ("cosigner", member.cosigner.to_base64().into()),
                ("power", member.power.into()),
            ])
        };
        Value::Array(self.members.iter().map(member).collect())
    }

    /// SHA-256 of the set's JCS text.
    pub fn hash(&self) -> Hash {
        Hash::of(self.to_value().to_jcs().as_bytes())
    }
}
