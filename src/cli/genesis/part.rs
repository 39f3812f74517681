//! One operator's part of a genesis file: an agency with its public keys, and its validator; no secrets.
//!
//! A folder of one agency holds `agency/<role>.pem` (the keys it signs records with), `part.json` (this part), and for a node
//! `keys/` besides. The vkeys come later, by `genesis install`: their names hold the origin, which hangs on the whole genesis.

use std::path::Path;

use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::genesis::files;
use crate::core::fields::Fields;
use crate::core::json::{Value, object, strings};
use crate::core::key::{PublicKey, Role};
use crate::core::refusal::Refusal;
use crate::keystore::{self, KeyError, KeySource, NodeKeys};

const FORMAT: &str = "sharelog/genesis-part/v1";
/// The file's name in a home.
pub const FILE: &str = "part.json";
/// The folder of the agency's own keys in a home.
pub const AGENCY_DIR: &str = "agency";

/// The territory of an agency that names none.
const TERRITORY: &str = "3301";

/// How an agency is described in the genesis file; the members of `agency.admit`.
#[derive(Clone, Debug, Args)]
pub struct AgencyFlags {
    /// The agency's id: a letter or digit, then letters, digits and hyphens, at most 64
    #[arg(long, value_name = "ID")]
    pub agency: String,
    /// Its name in English (default, without a Chinese one: the id)
    #[arg(long, value_name = "NAME")]
    pub name_en: Option<String>,
    /// Its name in Chinese
    #[arg(long, value_name = "NAME")]
    pub name_zh: Option<String>,
    /// Where it stands
    #[arg(long, default_value = "city", value_parser = ["city", "district", "street", "community", "outside"])]
    pub level: String,
    /// Code of its territory, 2 to 12 digits; none at level outside
    #[arg(long, value_name = "CODE", default_value_if("level", "outside", None), default_value = TERRITORY)]
    pub territory: Option<String>,
    /// Code of its line of business, such as social-affairs
    #[arg(long, value_name = "CODE")]
    pub line: Option<String>,
    /// How its id is checked
    #[arg(long, default_value = "plain", value_parser = ["plain", "uscc"])]
    pub scheme: String,
}

impl AgencyFlags {
    /// A city agency of the test territory, named by its id.
    pub fn plain(agency: &str) -> Self {
        AgencyFlags {
            agency: agency.to_owned(),
            name_en: None,
            name_zh: None,
            level: "city".to_owned(),
            territory: Some(TERRITORY.to_owned()),
            line: None,
            scheme: "plain".to_owned(),
        }
    }

    /// The agency as it stands in the genesis file.
    fn to_value(&self, keys: &[(Role, PublicKey)]) -> Value {
        let mut names = Vec::new();
        if let Some(name) = &self.name_zh {
            names.push(("zh", name.as_str()));
        }
        if let Some(name) = self.name_en.as_deref().or(self.name_zh.is_none().then_some(self.agency.as_str())) {
            names.push(("en", name));
        }
        let names = names.into_iter().map(|(language, name)| (language.to_owned(), name.into())).collect();
        let mut keys = keys.to_vec();
        keys.sort_by_key(|(role, public)| (role.as_str(), public.to_base64()));
        let key = |(role, public): &(Role, PublicKey)| object([("public", public.to_base64().into()), ("role", role.as_str().into())]);
        let mut members = std::collections::BTreeMap::from([
            ("id".to_owned(), self.agency.as_str().into()),
            ("keys".to_owned(), Value::Array(keys.iter().map(key).collect())),
            ("level".to_owned(), self.level.as_str().into()),
            ("names".to_owned(), Value::Object(names)),
            ("scheme".to_owned(), self.scheme.as_str().into()),
        ]);
        for (name, value) in [("territory", &self.territory), ("line", &self.line)] {
            if let Some(value) = value {
                members.insert(name.to_owned(), value.as_str().into());
            }
        }
        Value::Object(members)
    }
}

/// What a validator says of itself in the genesis file.
#[derive(Clone, Copy, Debug)]
pub struct ValidatorPart<'a> {
    pub keys: &'a NodeKeys,
    /// Multiaddress under which the others dial the engine.
    pub consensus_address: &'a str,
    /// Multiaddress under which the others dial the record swarm.
    pub records_address: &'a str,
}

impl ValidatorPart<'_> {
    fn to_value(self, agency: &str) -> Value {
        object([
            ("addresses", strings([self.consensus_address])),
            ("agency", agency.into()),
            ("consensus", self.keys.consensus.public().to_base64().into()),
            ("cosigner", self.keys.cosigner.public().to_base64().into()),
            ("peer", keystore::peer_id(&self.keys.network.public()).into()),
            ("power", 1.into()),
            ("publication", self.keys.publication.public().to_base64().into()),
            ("records", strings([self.records_address])),
        ])
    }
}

/// A part of a genesis file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The agency, as the genesis lists it.
    pub agency: Value,
    /// Its validator, if it runs one.
    pub validator: Option<Value>,
}

impl Part {
    pub fn new(flags: &AgencyFlags, keys: &[(Role, PublicKey)], validator: Option<ValidatorPart<'_>>) -> Self {
        Part { agency: flags.to_value(keys), validator: validator.map(|validator| validator.to_value(&flags.agency)) }
    }

    pub fn to_value(&self) -> Value {
        let mut members =
            std::collections::BTreeMap::from([("agency".to_owned(), self.agency.clone()), ("format".to_owned(), FORMAT.into())]);
        if let Some(validator) = &self.validator {
            members.insert("validator".to_owned(), validator.clone());
        }
        Value::Object(members)
    }

    fn from_value(value: &Value) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, "part")?;
        if fields.string("format")? != FORMAT {
            return Err(Refusal::new(crate::core::refusal::Code::FieldInvalid, "another format", FORMAT));
        }
        let agency = fields.value("agency")?.clone();
        let validator = if fields.has("validator") { Some(fields.value("validator")?.clone()) } else { None };
        fields.end()?;
        Ok(Part { agency, validator })
    }

    /// Reads a part file. Members of agency and validator are checked with the whole genesis.
    ///
    /// # Errors
    /// [`Failure::Unreadable`].
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let value = files::read_json(path)?;
        Part::from_value(&value).map_err(|refusal| Failure::Unreadable(format!("{}: {refusal}", path.display())))
    }

    /// The agency's id, as the part spells it.
    pub fn agency_id(&self) -> &str {
        self.agency.get("id").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Makes the agency's own keys, `<dir>/<role>.pem` for each role; `prefix` tells seeded keys apart.
///
/// # Errors
/// [`KeyError`].
pub fn make_agency_keys(dir: &Path, roles: &[Role], source: KeySource, prefix: &str) -> Result<Vec<(Role, PublicKey)>, KeyError> {
    keystore::make_dir(dir)?;
    let mut made = Vec::new();
    for role in roles {
        let key = source.key(&format!("{prefix}{role}"))?;
        keystore::write_secret(&dir.join(format!("{role}.pem")), &key)?;
        made.push((*role, key.public()));
    }
    Ok(made)
}
