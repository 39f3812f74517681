//! One operator's part of a genesis file: an agency with its public keys, and its node; no secrets. The same file later brings
//! a node into a ledger that runs: `validator add --part`, `node admit --part`.
//!
//! A folder of one agency holds `agency/<role>.pem` (the keys it signs records with), `part.json` (this part), and for a node
//! `keys/` besides. The vkeys come later, by `genesis install`: their names hold the origin, which hangs on the whole genesis.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::genesis::files;
use crate::core::fields::Fields;
use crate::core::genesis::{GenesisAgency, Validator};
use crate::core::json::{Value, object, strings};
use crate::core::key::{PublicKey, Role};
use crate::core::refusal::{Code, Refusal};
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

    fn to_agency(&self, keys: Vec<(Role, PublicKey)>) -> GenesisAgency {
        let english = self.name_en.as_deref().or(self.name_zh.is_none().then_some(self.agency.as_str()));
        let names = [("en", english), ("zh", self.name_zh.as_deref())];
        let texts = [("territory", self.territory.as_deref()), ("line", self.line.as_deref())];
        let given = |members: &[(&str, Option<&str>)]| -> BTreeMap<String, Value> {
            members.iter().filter_map(|(name, value)| value.map(|value| ((*name).to_owned(), value.into()))).collect()
        };
        let mut body = given(&texts);
        body.insert("id".to_owned(), self.agency.as_str().into());
        body.insert("level".to_owned(), self.level.as_str().into());
        body.insert("names".to_owned(), Value::Object(given(&names)));
        body.insert("scheme".to_owned(), self.scheme.as_str().into());
        GenesisAgency { id: self.agency.clone(), keys, body: Value::Object(body) }
    }
}

/// What a node says of itself.
#[derive(Clone, Copy, Debug)]
pub struct NodePart<'a> {
    /// Those of a validator, or of a follower.
    pub keys: &'a NodeKeys,
    /// Multiaddress under which the others dial the engine.
    pub consensus_address: &'a str,
    /// Multiaddress under which the others dial the record swarm.
    pub records_address: &'a str,
}

impl NodePart<'_> {
    fn to_node(self, agency: &str) -> Node {
        let (addresses, records) = (vec![self.consensus_address.to_owned()], vec![self.records_address.to_owned()]);
        let (peer, publication) = (keystore::peer_id(&self.keys.network.public()), self.keys.publication.public());
        match (&self.keys.consensus, &self.keys.cosigner) {
            (Some(consensus), Some(cosigner)) => Node::Validator(Validator {
                addresses,
                agency: agency.to_owned(),
                consensus: consensus.public(),
                cosigner: cosigner.public(),
                peer,
                power: 1,
                publication,
                records,
            }),
            _ => Node::Follower(object([
                ("addresses", strings(&addresses)),
                ("peer", peer.into()),
                ("publication", publication.to_base64().into()),
                ("records", strings(&records)),
            ])),
        }
    }
}

/// The node of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Validator(Validator),
    /// The body of node.admit.
    Follower(Value),
}

impl Node {
    /// The members that a validator, or node.admit, has.
    pub fn to_value(&self) -> Value {
        match self {
            Node::Validator(validator) => validator.to_value(),
            Node::Follower(body) => body.clone(),
        }
    }
}

/// A part of a genesis file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub agency: GenesisAgency,
    /// The node that it describes, if it does.
    pub node: Option<Node>,
}

impl Part {
    pub fn new(flags: &AgencyFlags, keys: Vec<(Role, PublicKey)>, node: Option<NodePart<'_>>) -> Self {
        Part { agency: flags.to_agency(keys), node: node.map(|node| node.to_node(&flags.agency)) }
    }

    /// Writes a new part file.
    ///
    /// # Errors
    /// [`Failure`], see [`files::write_new`].
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut members = BTreeMap::from([("agency".to_owned(), self.agency.to_value()), ("format".to_owned(), FORMAT.into())]);
        if let Some(node) = &self.node {
            let name = if matches!(node, Node::Validator(_)) { "validator" } else { "follower" };
            members.insert(name.to_owned(), node.to_value());
        }
        files::write_new(path, Value::Object(members).to_jcs().as_bytes())
    }

    /// Checks what the flags of a new part say, before any key is made for it.
    ///
    /// # Errors
    /// [`Failure::Usage`], naming the member.
    pub fn check_flags(flags: &AgencyFlags) -> Result<(), Failure> {
        let value = flags.to_agency(Vec::new()).to_value();
        GenesisAgency::from_value(&value).map(drop).map_err(|refusal| Failure::Usage(refusal.to_string()))
    }

    /// Reads a part file; how it fits the others is judged with the whole genesis.
    ///
    /// # Errors
    /// [`Failure::Unreadable`].
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let value = files::read_json(path)?;
        Part::from_value(&value).map_err(|refusal| Failure::Unreadable(format!("{}: {refusal}", path.display())))
    }

    fn from_value(value: &Value) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, "part")?;
        let format = fields.string("format")?;
        if format != FORMAT {
            return Err(Refusal::new(Code::FieldInvalid, format, FORMAT));
        }
        let agency = GenesisAgency::from_value(fields.value("agency")?)?;
        let node = if fields.has("follower") {
            Some(Node::Follower(fields.value("follower")?.clone()))
        } else if fields.has("validator") {
            Some(Node::Validator(Validator::from_value(fields.value("validator")?)?))
        } else {
            None
        };
        fields.end()?;
        Ok(Part { agency, node })
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
