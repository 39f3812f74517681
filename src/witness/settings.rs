//! A witness's settings: `config.toml` in its home; unknown keys are refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

use crate::config::{ConfigError, FILE};
use crate::core::key::VerifierKey;

/// A log, and the keys that sign its checkpoints: a sharelog ledger has one for each node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessedLog {
    pub origin: String,
    pub keys: Vec<VerifierKey>,
}

/// Checked settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// HTTP listens here.
    pub http: SocketAddr,
    /// A tracing filter.
    pub log: String,
    /// Ascending by origin.
    pub logs: Vec<WitnessedLog>,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    http: String,
    #[serde(default = "usual_log")]
    log: String,
    #[serde(default)]
    logs: Vec<WrittenLog>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLog {
    origin: String,
    keys: Vec<String>,
}

fn usual_log() -> String {
    "info".to_owned()
}

impl Settings {
    /// The settings of a new witness; keys of one origin come together.
    pub fn new(http: SocketAddr, keys: impl IntoIterator<Item = (String, VerifierKey)>) -> Self {
        let mut logs: BTreeMap<String, Vec<VerifierKey>> = BTreeMap::new();
        for (origin, key) in keys {
            let known = logs.entry(origin).or_default();
            if !known.contains(&key) {
                known.push(key);
            }
        }
        let logs = logs.into_iter().map(|(origin, keys)| WitnessedLog { origin, keys }).collect();
        Settings { http, log: usual_log(), logs }
    }

    /// Reads `home/config.toml`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(home: &Path) -> Result<Self, ConfigError> {
        let file = home.join(FILE);
        let place = file.display().to_string();
        let wrong = |found: String, expected: &str| ConfigError { origin: place.clone(), found, expected: expected.to_owned() };
        let text =
            fs::read_to_string(&file).map_err(|error| wrong(error.to_string(), "a witness's settings; make them with witness init"))?;
        Settings::parse(&text).map_err(|(found, expected)| wrong(found, &expected))
    }

    /// Gives what was found and what was expected of a wrong text.
    fn parse(text: &str) -> Result<Self, (String, String)> {
        let written: Written =
            toml::from_str(text).map_err(|error| (error.to_string(), "http, log, and [[logs]] of origin and keys".into()))?;
        let http = written.http.parse().map_err(|_| (written.http, "http = an address and port, such as 127.0.0.1:8700".to_owned()))?;
        let mut keys = Vec::new();
        for log in written.logs {
            if log.keys.is_empty() {
                return Err((format!("{} without keys", log.origin), "keys = [\"<vkey>\"]".to_owned()));
            }
            for vkey in log.keys {
                let key = VerifierKey::parse(&vkey).map_err(|refusal| (refusal.to_string(), format!("vkeys of {}", log.origin)))?;
                keys.push((log.origin.clone(), key));
            }
        }
        Ok(Settings { log: written.log, ..Settings::new(http, keys) })
    }

    /// The text of the file, with comments.
    pub fn to_text(&self) -> String {
        let mut out = format!(
            "# Settings of a sharelog witness (C2SP tlog-witness). Unknown keys are refused.\n\n\
             # Address and port of HTTP. The default serves this machine alone; put a reverse proxy with TLS before it.\n\
             http = {}\n\n\
             # What is logged: error, warn, info, debug or trace.\nlog = {}\n\n\
             # The logs that are witnessed: their origins, and the vkeys that sign their checkpoints. A sharelog ledger has one\n\
             # such key for each node, keys/publication.vkey. Removing a log here forgets nothing of it.\n",
            quoted(&self.http.to_string()),
            quoted(&self.log)
        );
        for log in &self.logs {
            write!(out, "\n[[logs]]\norigin = {}\nkeys = [\n", quoted(&log.origin)).expect("writing to a string");
            for key in &log.keys {
                writeln!(out, "    {},", quoted(&key.to_string())).expect("writing to a string");
            }
            out.push_str("]\n");
        }
        if self.logs.is_empty() {
            out.push_str("#\n# [[logs]]\n# origin = \"hangzhou.example/sharelog/5f3a09c1d2e4b677\"\n# keys = [\"<vkey>\", \"<vkey>\"]\n");
        }
        out
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::key::{Algorithm, SecretKey};

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let key = |seed| VerifierKey::new("l.example/a".into(), Algorithm::Ed25519, SecretKey::from_seed(&[seed; 32]).public()).unwrap();
        let http = ([127, 0, 0, 1], 8700).into();
        let keys = [("l.example/a".to_owned(), key(1)), ("l.example/a".to_owned(), key(2)), ("l.example/a".to_owned(), key(1))];
        for settings in [Settings::new(http, keys), Settings::new(http, [])] {
            assert_eq!(Settings::parse(&settings.to_text()).unwrap(), settings);
        }
        assert!(Settings::parse("http = \"127.0.0.1:1\"\nhtpp = 1").unwrap_err().0.contains("htpp"));
        assert!(Settings::parse("http = \"x\"").is_err());
        assert!(Settings::parse("http = \"127.0.0.1:1\"\n[[logs]]\norigin = \"o\"\nkeys = []").is_err());
        assert!(Settings::parse("http = \"127.0.0.1:1\"\n[[logs]]\norigin = \"o\"\nkeys = [\"v\"]").is_err());
    }
}
