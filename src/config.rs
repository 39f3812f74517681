//! A node's settings: `config.toml` in its home, then `SHARELOG_...` variables; unknown keys are refused.
//!
//! [`SETTINGS`] lists every key once, with its default and the sentence that explains it: the reader, the written file and
//! the names of the variables all come from there. A variable is the key in upper case behind `SHARELOG_`; a list is written
//! with commas. Every setting has its default in the file format's own text, so a file may be empty but for `agency`.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Value;

use crate::consensus::roster::Detour;
use crate::consensus::witnesses::Witness;
use crate::core::ids::check_agency;
use crate::limits::{ENGINE_PEERS_MAX, WITNESSES_MAX};

/// The file of a home that holds the settings.
pub const FILE: &str = "config.toml";
const PREFIX: &str = "SHARELOG_";
/// Variables of the program that are no settings of a node.
const OTHER_VARIABLES: [&str; 5] = ["SHARELOG_NODE", "SHARELOG_FAULT", "SHARELOG_SEED", "SHARELOG_SEGMENT_BYTES", "SHARELOG_SIGNED"];

/// A checked configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The agency that runs this node.
    pub agency: String,
    /// The node's home folder.
    pub home: PathBuf,
    /// HTTP listens here.
    pub http: SocketAddr,
    /// Names that a Host header may hold besides the addresses of `http`; `localhost` always.
    pub hosts: Vec<String>,
    /// Multiaddress of the engine's port.
    pub consensus: String,
    /// Multiaddress of the record swarm's port.
    pub records: String,
    /// Where this node dials peers of the ledger, instead of where the ledger says.
    pub peers: Vec<Detour>,
    /// The engine's propose timeout of round 0; vote timeouts are half of it, and each later round adds a quarter.
    pub propose_timeout: Duration,
    /// Below this much free disk no records are taken, bytes.
    pub disk_free_bytes_min: u64,
    /// Whom this node asks to witness its checkpoints.
    pub witnesses: Vec<Witness>,
    /// The state's cache, bytes.
    pub cache_bytes: u64,
    /// A tracing filter such as `info` or `sharelog=debug`.
    pub log: String,
    /// Lines of JSON instead of text.
    pub log_json: bool,
}

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {found}; expected {expected}")]
pub struct ConfigError {
    /// The file or variable.
    pub origin: String,
    pub found: String,
    pub expected: String,
}

impl ConfigError {
    fn new(origin: &str, found: impl Into<String>, expected: impl Into<String>) -> Self {
        ConfigError { origin: origin.to_owned(), found: found.into(), expected: expected.into() }
    }
}

/// What a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Text,
    List,
    Integer,
    Boolean,
}

/// One key of the file.
struct Setting {
    name: &'static str,
    shape: Shape,
    /// As TOML; `None` when the key must be there.
    default: Option<&'static str>,
    /// What it does, one line of the written file each.
    about: &'static [&'static str],
}

const SETTINGS: [Setting; 12] = [
    Setting {
        name: "agency",
        shape: Shape::Text,
        default: None,
        about: &["The agency that runs this node, by its id on the ledger. Required."],
    },
    Setting {
        name: "http",
        shape: Shape::Text,
        default: Some("\"127.0.0.1:8600\""),
        about: &[
            "Address and port of the HTTP interface. The default serves this machine alone; put a reverse proxy with TLS before it",
            "rather than another address here.",
        ],
    },
    Setting {
        name: "hosts",
        shape: Shape::List,
        default: Some("[]"),
        about: &[
            "Names that a Host header may hold besides the address above and localhost, such as the name that the proxy passes on.",
            "Requests for other names are refused, so that a foreign web page cannot reach the node under a name of its own.",
        ],
    },
    Setting {
        name: "consensus",
        shape: Shape::Text,
        default: Some("\"/ip4/0.0.0.0/tcp/26600\""),
        about: &[
            "Where the consensus engine listens, as a multiaddress. The other validators dial the address that the genesis names, so",
            "the two must lead to each other. Peers that are not on the ledger are refused before any protocol.",
        ],
    },
    Setting {
        name: "records",
        shape: Shape::Text,
        default: Some("\"/ip4/0.0.0.0/tcp/26601\""),
        about: &["Where the swarm listens that spreads records and cosignatures, as a multiaddress."],
    },
    Setting {
        name: "peers",
        shape: Shape::List,
        default: Some("[]"),
        about: &[
            "Other addresses of peers, texts \"PEER_ID CONSENSUS_MULTIADDR RECORDS_MULTIADDR\": this node dials these instead of the ones",
            "that the ledger names, such as the end of a tunnel, an address behind NAT, or one that moved. A way back in, too, when no",
            "address on the ledger is right any more. Who is a peer the ledger says alone: an id that it does not name is not dialled.",
        ],
    },
    Setting {
        name: "propose_timeout_ms",
        shape: Shape::Integer,
        default: Some("1000"),
        about: &[
            "How long a validator waits for a proposal in the first round, ms. Votes are waited for half as long, and every further",
            "round adds a quarter. 500 suits one machine, 1000 a country; all validators should use the same.",
        ],
    },
    Setting {
        name: "witnesses",
        shape: Shape::List,
        default: Some("[]"),
        about: &[
            "Witnesses that are asked to cosign each public checkpoint: up to 8 texts \"URL VKEY\", as `witness init` prints them. A",
            "witness keeps a log from showing two histories; give it this node's keys/publication.vkey. None is waited for.",
        ],
    },
    Setting {
        name: "disk_free_bytes_min",
        shape: Shape::Integer,
        default: Some("268435456"),
        about: &["With less free disk than this many bytes the node takes no records; it goes on serving what it has. 256 MiB."],
    },
    Setting {
        name: "cache_bytes",
        shape: Shape::Integer,
        default: Some("33554432"),
        about: &["Memory for the cache of state and indexes, bytes. 32 MiB."],
    },
    Setting {
        name: "log",
        shape: Shape::Text,
        default: Some("\"info,arc_malachitebft=warn\""),
        about: &[
            "What is logged: error, warn, info, debug or trace, for all or by module. The engine tells each of its steps at info, an",
            "idle network's too.",
        ],
    },
    Setting { name: "log_json", shape: Shape::Boolean, default: Some("false"), about: &["Log lines as JSON instead of text."] },
];

/// Values that a written file gives in place of the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written<'a> {
    pub agency: &'a str,
    pub http: SocketAddr,
    pub consensus: &'a str,
    pub records: &'a str,
    pub propose_timeout_ms: u64,
}

impl Written<'_> {
    /// The text of a complete, commented `config.toml`.
    pub fn to_text(&self) -> String {
        let mut out = String::from(
            "# Settings of a sharelog node. Every key is here, with what it does; a key that is left out has its default.\n\
             # A variable SHARELOG_<KEY> (upper case; lists with commas) goes before the file. Unknown keys are refused.\n",
        );
        for setting in &SETTINGS {
            let value = match setting.name {
                "agency" => quoted(self.agency),
                "http" => quoted(&self.http.to_string()),
                "consensus" => quoted(self.consensus),
                "records" => quoted(self.records),
                "propose_timeout_ms" => self.propose_timeout_ms.to_string(),
                _ => setting.default.unwrap_or_default().to_owned(),
            };
            out.push('\n');
            for line in setting.about {
                writeln!(out, "# {line}").expect("writing to a string");
            }
            if let Some(default) = setting.default {
                writeln!(out, "# Default: {default}").expect("writing to a string");
            }
            writeln!(out, "{} = {value}", setting.name).expect("writing to a string");
        }
        out
    }
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

impl Config {
    /// Reads `home/config.toml` and the environment.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(home: &Path) -> Result<Self, ConfigError> {
        let file = home.join(FILE);
        let place = file.display().to_string();
        let text = fs::read_to_string(&file).map_err(|error| ConfigError::new(&place, error.to_string(), "a node's settings"))?;
        let variable = |name: &str| match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(ConfigError::new(name, "bytes that are not UTF-8", "UTF-8")),
        };
        Config::from_sources(home, &place, &text, variable)
    }

    /// From the text of a file, named `place` in errors, and a look-up of variables.
    pub(crate) fn from_sources(
        home: &Path,
        place: &str,
        text: &str,
        variable: impl Fn(&str) -> Result<Option<String>, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            ConfigError::new(place, format!("line {line}: {}", error.message()), "TOML")
        })?;
        if let Some(unknown) = table.keys().find(|key| SETTINGS.iter().all(|setting| setting.name != key.as_str())) {
            let known: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
            return Err(ConfigError::new(place, format!("unknown key {unknown}"), format!("one of {}", known.join(", "))));
        }
        let mut values = Vec::new();
        for setting in &SETTINGS {
            let name = format!("{PREFIX}{}", setting.name.to_ascii_uppercase());
            values.push(match (variable(&name)?, table.get(setting.name), setting.default) {
                (Some(text), _, _) => Chosen { value: from_variable(setting, &name, &text)?, origin: name },
                (None, Some(value), _) => Chosen { value: value.clone(), origin: format!("{place}, key {}", setting.name) },
                (None, None, Some(default)) => Chosen { value: default_value(default), origin: format!("the default of {}", setting.name) },
                (None, None, None) => return Err(ConfigError::new(place, format!("no key {}", setting.name), setting.about[0])),
            });
        }
        Config::from_values(home, values)
    }

    /// From one value for each of [`SETTINGS`], in their order.
    fn from_values(home: &Path, values: Vec<Chosen>) -> Result<Self, ConfigError> {
        let of = |name: &str| {
            let index = SETTINGS.iter().position(|setting| setting.name == name).expect("the name of a setting");
            &values[index]
        };
        let agency = of("agency");
        check_agency(agency.text()?).map_err(|refusal| agency.wrong(&refusal.expected))?;
        let http = of("http");
        let log = of("log");
        tracing_subscriber::EnvFilter::try_new(log.text()?)
            .map_err(|_| log.wrong("error, warn, info, debug, trace, or a list of module=level"))?;
        Ok(Config {
            agency: agency.text()?.to_owned(),
            home: home.to_owned(),
            http: http.text()?.parse().map_err(|_| http.wrong("an address and port, such as 127.0.0.1:8600"))?,
            hosts: of("hosts").list()?,
            consensus: of("consensus").multiaddress()?,
            records: of("records").multiaddress()?,
            peers: of("peers").peers()?,
            propose_timeout: Duration::from_millis(of("propose_timeout_ms").integer(50, 600_000)?),
            witnesses: of("witnesses").witnesses()?,
            disk_free_bytes_min: of("disk_free_bytes_min").integer(0, u64::MAX)?,
            cache_bytes: of("cache_bytes").integer(1 << 20, 1 << 40)?,
            log: log.text()?.to_owned(),
            log_json: of("log_json").boolean()?,
        })
    }
}

/// A value and where it came from.
struct Chosen {
    value: Value,
    origin: String,
}

impl Chosen {
    fn wrong(&self, expected: &str) -> ConfigError {
        ConfigError::new(&self.origin, self.value.to_string(), expected)
    }

    fn text(&self) -> Result<&str, ConfigError> {
        self.value.as_str().ok_or_else(|| self.wrong("a text in quotes"))
    }

    fn list(&self) -> Result<Vec<String>, ConfigError> {
        let texts = |items: &Vec<Value>| items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
        self.value.as_array().and_then(texts).ok_or_else(|| self.wrong("a list of texts"))
    }

    fn witnesses(&self) -> Result<Vec<Witness>, ConfigError> {
        let witnesses: Vec<_> =
            self.list()?.iter().map(|text| Witness::parse(text).map_err(|expected| self.wrong(expected))).collect::<Result<_, _>>()?;
        let is_twin = |a: &Witness, b: &Witness| a.key.name() == b.key.name() || a.key.public() == b.key.public();
        let has_twins = witnesses.iter().enumerate().any(|(index, witness)| witnesses[..index].iter().any(|other| is_twin(witness, other)));
        if has_twins || witnesses.len() > WITNESSES_MAX {
            return Err(self.wrong(&format!("up to {WITNESSES_MAX} witnesses of different names and keys")));
        }
        Ok(witnesses)
    }

    fn peers(&self) -> Result<Vec<Detour>, ConfigError> {
        let detours: Vec<_> =
            self.list()?.iter().map(|text| parse_detour(text).map_err(|expected| self.wrong(expected))).collect::<Result<_, _>>()?;
        let has_twins = detours.iter().enumerate().any(|(index, detour)| detours[..index].iter().any(|other| other.peer == detour.peer));
        if has_twins || detours.len() > ENGINE_PEERS_MAX {
            return Err(self.wrong(&format!("up to {ENGINE_PEERS_MAX} peers, each once")));
        }
        Ok(detours)
    }

    fn boolean(&self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    fn integer(&self, least: u64, most: u64) -> Result<u64, ConfigError> {
        let number = self.value.as_integer().and_then(|number| u64::try_from(number).ok());
        let expected =
            || self.wrong(&format!("an integer from {least}{}", if most == u64::MAX { String::new() } else { format!(" to {most}") }));
        number.filter(|number| (least..=most).contains(number)).ok_or_else(expected)
    }

    fn multiaddress(&self) -> Result<String, ConfigError> {
        let text = self.text()?;
        check_multiaddress(text).map_err(|expected| self.wrong(expected))?;
        Ok(text.to_owned())
    }
}

/// `PEER_ID CONSENSUS_MULTIADDR RECORDS_MULTIADDR`.
fn parse_detour(text: &str) -> Result<Detour, &'static str> {
    let words: Vec<_> = text.split_whitespace().collect();
    let [peer, consensus, records] = words.as_slice() else {
        return Err("PEER_ID CONSENSUS_MULTIADDR RECORDS_MULTIADDR, with spaces between");
    };
    let id: libp2p::PeerId = peer.parse().map_err(|_| "a peer id in base58, such as the ledger names")?;
    check_multiaddress(consensus)?;
    check_multiaddress(records)?;
    Ok(Detour { peer: id.to_base58(), consensus: (*consensus).to_owned(), records: (*records).to_owned() })
}

/// An address of a TCP port, without a peer id.
///
/// # Errors
/// What was expected.
pub fn check_multiaddress(text: &str) -> Result<u16, &'static str> {
    use libp2p::multiaddr::{Multiaddr, Protocol};
    let expected = "a multiaddress such as /ip4/192.0.2.10/tcp/26600";
    let address: Multiaddr = text.parse().map_err(|_| expected)?;
    match address.iter().collect::<Vec<_>>().as_slice() {
        [Protocol::Ip4(_) | Protocol::Ip6(_), Protocol::Tcp(port)] => Ok(*port),
        _ => Err(expected),
    }
}

/// A variable's text as a value of the setting's shape.
fn from_variable(setting: &Setting, name: &str, text: &str) -> Result<Value, ConfigError> {
    Ok(match setting.shape {
        Shape::Text => Value::String(text.to_owned()),
        Shape::List => Value::Array(
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(|item| Value::String(item.to_owned())).collect(),
        ),
        Shape::Integer => Value::Integer(text.parse().map_err(|_| ConfigError::new(name, text, "an integer"))?),
        Shape::Boolean => Value::Boolean(text.parse().map_err(|_| ConfigError::new(name, text, "true or false"))?),
    })
}

fn default_value(text: &str) -> Value {
    let mut table: toml::Table = format!("value = {text}").parse().expect("defaults are TOML");
    table.remove("value").expect("the key that was just written")
}

/// Names of `SHARELOG_...` variables in the environment that are no setting, such as misspelt ones.
pub fn unknown_variables() -> Vec<String> {
    let known = |name: &str| {
        let setting = name.strip_prefix(PREFIX).unwrap_or_default().to_ascii_lowercase();
        OTHER_VARIABLES.contains(&name) || SETTINGS.iter().any(|known| known.name == setting)
    };
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with(PREFIX) && !known(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variable = |name: &str| Ok(variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()));
        Config::from_sources(Path::new("/h"), "f.toml", text, variable)
    }

    #[test]
    fn a_file_may_be_empty_but_for_the_agency_and_variables_go_first() {
        let config = load("agency = \"a\"", &[("SHARELOG_HOSTS", "x.example, y.example"), ("SHARELOG_CACHE_BYTES", "1048576")]).unwrap();
        assert_eq!(config.http.to_string(), "127.0.0.1:8600");
        assert_eq!(config.hosts, ["x.example", "y.example"]);
        assert_eq!((config.cache_bytes, config.disk_free_bytes_min), (1 << 20, 256 << 20));
        assert_eq!(config.propose_timeout, Duration::from_secs(1));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let error = |text: &str, variables: &[(&str, &str)]| load(text, variables).unwrap_err().to_string();
        assert!(error("agency = \"a\"\nhtpp = 1", &[]).contains("f.toml: unknown key htpp"));
        assert!(error("agency = \"a\"\nhttp = \"x\"", &[]).contains("key http"));
        assert!(error("agency = \"a\"\nrecords = \"/ip4/1.2.3.4/udp/1\"", &[]).contains("key records"));
        assert!(error("agency = \"a\"\nlog_json = 1", &[]).contains("true or false"));
        assert!(error("agency = \"a\"\nwitnesses = [\"https://w.example\"]", &[]).contains("URL VKEY"));
        assert!(error("", &[]).contains("no key agency"));
        assert!(error("agency = \"a\"\nx", &[]).contains("line 2"));
        assert!(error("agency = \"a\"", &[("SHARELOG_PROPOSE_TIMEOUT_MS", "1")]).contains("SHARELOG_PROPOSE_TIMEOUT_MS"));
    }

    #[test]
    fn peers_are_dialled_where_the_settings_say() {
        let peer = crate::core::genesis::peer_id(&crate::core::key::SecretKey::from_seed(&[7; 32]).public());
        let (consensus, records) = ("/ip4/192.0.2.1/tcp/1".to_owned(), "/ip6/::1/tcp/2".to_owned());
        let good = format!("{peer} {consensus} {records}");
        let detour = Detour { peer: peer.clone(), consensus, records };
        assert_eq!(load(&format!("agency = \"a\"\npeers = [\"{good}\"]"), &[]).unwrap().peers, std::slice::from_ref(&detour));
        assert_eq!(load("agency = \"a\"", &[("SHARELOG_PEERS", &good)]).unwrap().peers, [detour]);
        let error = |peers: &str| load(&format!("agency = \"a\"\npeers = [{peers}]"), &[]).unwrap_err().to_string();
        assert!(error(&format!("\"{peer} /ip4/192.0.2.1/tcp/1\"")).contains("key peers"));
        assert!(error(&format!("\"{peer} /ip4/192.0.2.1/tcp/1\"")).contains("PEER_ID CONSENSUS_MULTIADDR RECORDS_MULTIADDR"));
        assert!(error("\"12D3 /ip4/192.0.2.1/tcp/1 /ip4/192.0.2.1/tcp/2\"").contains("a peer id"));
        assert!(error(&format!("\"{peer} /ip4/192.0.2.1/udp/1 /ip4/192.0.2.1/tcp/2\"")).contains("a multiaddress"));
        assert!(error(&format!("\"{peer} /ip4/192.0.2.1/tcp/1/p2p/{peer} /ip4/192.0.2.1/tcp/2\"")).contains("a multiaddress"));
        assert!(error(&format!("\"{good}\", \"{good}\"")).contains("each once"));
        assert!(error("7").contains("a list of texts"));
    }

    #[test]
    fn the_written_file_is_the_documented_one() {
        let defaults = Written {
            agency: "agency-0",
            http: ([127, 0, 0, 1], 8600).into(),
            consensus: "/ip4/0.0.0.0/tcp/26600",
            records: "/ip4/0.0.0.0/tcp/26601",
            propose_timeout_ms: 1000,
        };
        let text = defaults.to_text();
        assert_eq!(load(&text, &[]).unwrap(), load("agency = \"agency-0\"", &[]).unwrap());
        assert_eq!(text, include_str!("../config/node.toml"), "config/node.toml is what `node init` writes");
    }
}
