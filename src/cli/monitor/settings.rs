//! What to watch: a file, flags, or both; flags go before the file.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::cli::failure::Failure;
use crate::cli::monitor::MonitorArgs;
use crate::consensus::witnesses::Witness;

/// Between two looks.
const EVERY_USUAL: Duration = Duration::from_secs(10);
const EVERY_LEAST: Duration = Duration::from_millis(100);

/// Checked settings.
pub struct Settings {
    /// A file or a hash.
    pub genesis: String,
    pub nodes: Vec<String>,
    pub witnesses: Vec<Witness>,
    pub every: Duration,
    /// By default two heartbeats of the genesis' policy.
    pub stall: Option<Duration>,
    /// Where checkpoints and proofs are kept; without it, in memory.
    pub state: Option<PathBuf>,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    genesis: Option<String>,
    #[serde(default)]
    nodes: Vec<String>,
    #[serde(default)]
    witnesses: Vec<String>,
    every: Option<String>,
    stall: Option<String>,
    state: Option<PathBuf>,
}

impl Settings {
    /// # Errors
    /// [`Failure::Unreadable`] and [`Failure::Configuration`] for the file, [`Failure::Usage`] for what is missing.
    pub fn of(args: &MonitorArgs) -> Result<Self, Failure> {
        let written = match &args.config {
            None => Written::default(),
            Some(file) => {
                let text = fs::read_to_string(file).map_err(|error| Failure::Unreadable(format!("{}: {error}", file.display())))?;
                let wrong = |error: toml::de::Error| Failure::Configuration(format!("{}: {error}", file.display()));
                toml::from_str(&text).map_err(wrong)?
            }
        };
        let missing = |what: &str| Failure::Usage(format!("no {what}; name it as a flag or in the file of --config"));
        let genesis = args.genesis.clone().or(written.genesis).ok_or_else(|| missing("genesis"))?;
        let nodes = if args.nodes.is_empty() { written.nodes } else { args.nodes.clone() };
        if nodes.is_empty() {
            return Err(missing("node to watch"));
        }
        let witnesses = if args.witnesses.is_empty() { written.witnesses } else { args.witnesses.clone() };
        let witness = |text: &String| {
            Witness::parse(text).map_err(|expected| Failure::Usage(format!("witness: found {text}; expected \"URL VKEY\": {expected}")))
        };
        let wait = |flag: Option<Duration>, text: Option<String>| match (flag, text) {
            (Some(wait), _) => Ok(Some(wait)),
            (None, Some(text)) => parse_wait(&text).map(Some).map_err(Failure::Configuration),
            (None, None) => Ok(None),
        };
        Ok(Settings {
            genesis,
            nodes,
            witnesses: witnesses.iter().map(witness).collect::<Result<_, _>>()?,
            every: wait(args.every, written.every)?.unwrap_or(EVERY_USUAL).max(EVERY_LEAST),
            stall: wait(args.stall, written.stall)?,
            state: args.state.clone().or(written.state),
        })
    }
}

/// A number with `ms`, `s`, `m` or `h`.
///
/// # Errors
/// What was found and expected.
pub fn parse_wait(text: &str) -> Result<Duration, String> {
    let wrong = || format!("found {text}; expected a time such as 500ms, 10s, 20m or 2h");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_has_a_unit() {
        assert_eq!(parse_wait("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_wait("20m"), Ok(Duration::from_secs(1_200)));
        for bad in ["", "10", "s", "1.5s", "-1s", "10 s", "99999999999999999999s"] {
            assert!(parse_wait(bad).is_err(), "{bad}");
        }
    }
}
