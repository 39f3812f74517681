//! node.admit, node.remove and the three kinds that change the validator set.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::genesis::Part;
use crate::cli::kinds::members::Members;
use crate::cli::kinds::sign::Signing;
use crate::core::json::{Value, strings};
use crate::core::time::Time;

/// How far ahead a change of the validator set is proposed: time for every operator to see it coming.
const NOTICE_MS: u64 = 600_000;
/// A change takes effect at least so many heights after its record's.
const HEIGHTS_LEAST: u64 = 2;
/// Blocks from which the pace of the ledger is taken.
const PACE_BLOCKS: u64 = 100;

#[derive(Debug, Subcommand)]
pub enum ValidatorCommand {
    /// Let an agency's node take part in consensus
    Add(ValidatorArgs),
    /// Give a validator other keys or addresses
    Change(ValidatorArgs),
    /// Take an agency's node out of consensus; it goes on as a follower
    Remove(ValidatorRemoveArgs),
}

/// Where a node is reached and by which keys.
#[derive(Debug, Args)]
struct NodeFlags {
    /// part.json of the node's home, as `node init` made it; flags replace its members
    #[arg(long, value_name = "FILE")]
    part: Option<PathBuf>,
    /// Multiaddress of the engine; repeat
    #[arg(long, value_name = "MULTIADDR")]
    addresses: Vec<String>,
    /// Peer id
    #[arg(long, value_name = "PEER")]
    peer: Option<String>,
    /// Publication key in base64
    #[arg(long, value_name = "BASE64")]
    publication: Option<String>,
    /// Multiaddress of the record swarm; repeat
    #[arg(long, value_name = "MULTIADDR")]
    records: Vec<String>,
}

impl NodeFlags {
    /// The members of the part's node that a body of this kind has, with those of the flags.
    fn members(&self, wanted: &[&str]) -> Result<Members, Failure> {
        let mut body = Members::new();
        if let Some(path) = &self.part {
            let node = Part::read(path)?.node.map(|node| node.to_value());
            let lacking = || Failure::Usage(format!("{} describes no node", path.display()));
            for (name, value) in node.as_ref().and_then(Value::as_object).ok_or_else(lacking)? {
                if wanted.contains(&name.as_str()) {
                    body = body.with(name, value.clone());
                }
            }
        }
        Ok(body
            .list("addresses", &self.addresses)
            .text("peer", self.peer.as_ref())
            .text("publication", self.publication.as_ref())
            .list("records", &self.records))
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog node admit --part home/part.json --key head.pem
  sharelog node admit --peer 12D3KooWExample --publication BASE64 --addresses /ip4/192.0.2.9/tcp/26600 --records /ip4/192.0.2.9/tcp/26601 --key head.pem")]
pub struct AdmitArgs {
    #[command(flatten)]
    node: NodeFlags,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn admit(args: &AdmitArgs, global: &Global) -> Result<(), Failure> {
    let body = args.node.members(&["addresses", "peer", "publication", "records"])?;
    args.signing.send("node.admit", Vec::new(), body, global)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog node remove --peer 12D3KooWExample --key head.pem
  sharelog node remove --peer 12D3KooWExample --key head.pem --dry-run")]
pub struct RemoveArgs {
    /// Peer id
    #[arg(long, value_name = "PEER")]
    peer: String,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn remove(args: &RemoveArgs, global: &Global) -> Result<(), Failure> {
    args.signing.send("node.remove", Vec::new(), Members::new().with("peer", args.peer.as_str()), global)
}

#[derive(Debug, Args)]
#[command(after_help = "Where policy wants several authorities, each signs: repeat --key.

Examples:
  sharelog validator add --part home/part.json --key a/authority.pem --key b/authority.pem
  sharelog validator change --part home/part.json --addresses /ip4/192.0.2.9/tcp/26600 --from 1200 --key authority.pem")]
pub struct ValidatorArgs {
    #[command(flatten)]
    node: NodeFlags,
    /// The agency whose node it is
    #[arg(long, value_name = "ID", required_unless_present = "part")]
    agency: Option<String>,
    /// Consensus key in base64
    #[arg(long, value_name = "BASE64")]
    consensus: Option<String>,
    /// Cosigner key in base64
    #[arg(long, value_name = "BASE64")]
    cosigner: Option<String>,
    /// Voting power; 1 in this version
    #[arg(long, value_name = "N")]
    power: Option<u64>,
    /// Height at which it takes effect (default: about ten minutes ahead)
    #[arg(long, value_name = "HEIGHT")]
    from: Option<u64>,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog validator remove --agency agency-3 --key authority.pem
  sharelog validator remove --agency agency-3 --from 1200 --key authority.pem --dry-run")]
pub struct ValidatorRemoveArgs {
    /// The agency whose node it is
    #[arg(long, value_name = "ID")]
    agency: String,
    /// Height at which it takes effect (default: about ten minutes ahead)
    #[arg(long, value_name = "HEIGHT")]
    from: Option<u64>,
    #[command(flatten)]
    signing: Signing,
}

/// # Errors
/// [`Failure`].
pub fn validator(command: &ValidatorCommand, global: &Global) -> Result<(), Failure> {
    match command {
        ValidatorCommand::Add(args) => set(args, "validator.add", global),
        ValidatorCommand::Change(args) => set(args, "validator.change", global),
        ValidatorCommand::Remove(args) => {
            let from = height(args.from, global)?;
            let body = Members::new().with("agency", args.agency.as_str()).with("from", from);
            args.signing.send("validator.remove", Vec::new(), body, global)
        }
    }
}

fn set(args: &ValidatorArgs, kind: &str, global: &Global) -> Result<(), Failure> {
    let wanted = ["addresses", "agency", "consensus", "cosigner", "peer", "power", "publication", "records"];
    let usual = Members::new().with("addresses", strings::<&str>([])).with("power", 1).with("records", strings::<&str>([]));
    let body = usual
        .and(args.node.members(&wanted)?)
        .text("agency", args.agency.as_ref())
        .text("consensus", args.consensus.as_ref())
        .text("cosigner", args.cosigner.as_ref())
        .maybe("power", args.power)
        .with("from", height(args.from, global)?);
    args.signing.send(kind, Vec::new(), body, global)
}

/// The height that was asked for, or the one that the ledger reaches in about ten minutes at its present pace.
fn height(asked: Option<u64>, global: &Global) -> Result<u64, Failure> {
    if let Some(height) = asked {
        return Ok(height);
    }
    let client = Client::new(global)?;
    let status = client.json("/api/v1/status")?;
    let no_head = || Failure::Network("the node has no block yet; wait until it is ready".to_owned());
    let head = status.get("head").ok_or_else(no_head)?;
    let (newest, newest_ms) = moment(head).ok_or_else(no_head)?;
    let before = client.json(&format!("/api/v1/blocks/{}", newest.saturating_sub(PACE_BLOCKS).max(1)))?;
    let (oldest, oldest_ms) = moment(&before).ok_or_else(no_head)?;
    Ok(ahead(newest, newest - oldest.min(newest), newest_ms.saturating_sub(oldest_ms)))
}

/// Height and time of a block or head.
fn moment(block: &Value) -> Option<(u64, u64)> {
    let time = block.get("time").and_then(Value::as_str).and_then(|time| Time::parse(time).ok())?;
    Some((block.get("height").and_then(Value::as_u64)?, time.unix_ms()))
}

/// The height about ten minutes after `newest`, at the pace of `blocks` in `ms`.
fn ahead(newest: u64, blocks: u64, ms: u64) -> u64 {
    let notice = NOTICE_MS.saturating_mul(blocks).div_ceil(ms.max(1));
    newest.saturating_add(notice.max(HEIGHTS_LEAST + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_proposed_ten_minutes_ahead_and_never_too_near() {
        assert_eq!(ahead(1_000, 100, 100_000), 1_600);
        assert_eq!(ahead(5, 4, 4 * 600_000), 8);
        assert_eq!(ahead(1, 0, 0), 4);
    }
}
