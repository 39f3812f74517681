//! Nodes and witnesses: what is asked of them. Whatever they answer is judged elsewhere.

use std::time::Duration;

use crate::cli::client::{Client, items_of};
use crate::cli::failure::Failure;
use crate::cli::monitor::alarm::{Alarm, Kind};
use crate::consensus::witnesses::Witness;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::key::VerifierKey;
use crate::core::limits::INTEGER_MAX;
use crate::core::refusal::{Code, Refusal};
use crate::log::entry::BlockEntry;
use crate::log::merkle::{leaf_hash, verify_inclusion_prefix};
use crate::log::proof::{PROOF_HASHES_MAX, parse_node};
use crate::log::tile::{TILE_WIDTH, entries_path};

/// A node answers a question of the monitor within this time, or is unreachable: a hanging one must not hide the others.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// A checkpoint's note; more is no checkpoint.
const NOTE_BYTES_MAX: usize = 64 * 1024;

/// A place that shows checkpoints.
pub struct Source {
    pub address: String,
    client: Client,
    /// Where its checkpoint is.
    path: String,
    /// Of a witness.
    pub key: Option<VerifierKey>,
}

/// A consistency proof as a node gave it.
pub struct Consistency {
    /// The root that the node has at the lesser size.
    pub from_root: Hash,
    pub proof: Vec<Hash>,
    /// As it came.
    pub text: String,
}

impl Source {
    /// # Errors
    /// [`Failure::Usage`] for another address than http or https.
    pub fn node(address: &str) -> Result<Self, Failure> {
        let client = Client::at(address, ANSWER_WAIT)?;
        Ok(Source { address: address.trim_end_matches('/').to_owned(), client, path: "/checkpoint".to_owned(), key: None })
    }

    /// # Errors
    /// As [`Source::node`].
    pub fn witness(witness: &Witness, origin: &str) -> Result<Self, Failure> {
        let path = format!("/{}/checkpoint", Hash::of(origin.as_bytes()));
        let client = Client::at(&witness.url, ANSWER_WAIT)?;
        Ok(Source { address: witness.url.clone(), client, path, key: Some(witness.key.clone()) })
    }

    /// The note that it shows now.
    ///
    /// # Errors
    /// An alarm of kind `unreachable`, `no-checkpoint` or `malformed`.
    pub fn checkpoint(&self) -> Result<String, Alarm> {
        let alarm = |kind, found: String, expected: &str| Alarm::new(kind, &self.address, found, expected);
        let answer = self.client.get(&self.path).map_err(|failure| alarm(Kind::Unreachable, failure.to_string(), "an answer"))?;
        let is_none = match &self.key {
            Some(_) => answer.status == 404,
            None => self.client.problem(&answer).is_some_and(|problem| problem.code == Code::NotCovered),
        };
        match answer.status {
            200 if answer.body.len() <= NOTE_BYTES_MAX => String::from_utf8(answer.body)
                .map_err(|_| alarm(Kind::Malformed, "a checkpoint that is not UTF-8".to_owned(), "a signed note")),
            200 => Err(alarm(Kind::Malformed, format!("{} bytes", answer.body.len()), "a checkpoint's note")),
            status if is_none => Err(alarm(Kind::NoCheckpoint, format!("status {status}: it has none yet"), "a public checkpoint")),
            status => Err(alarm(Kind::Unreachable, format!("status {status} for {}", self.path), "a checkpoint")),
        }
    }

    /// The entry at the end of the tree of `size` and `root`, proven to stand there.
    ///
    /// # Errors
    /// Why there is none.
    pub fn head_entry(&self, size: u64, root: &Hash) -> Result<BlockEntry, String> {
        let position = size.checked_sub(1).filter(|last| *last < INTEGER_MAX).ok_or("a tree without a block")?;
        let width = u32::try_from(position % u64::from(TILE_WIDTH)).expect("below the width of a tile") + 1;
        let bundle = self.client.bytes(&entries_path(position / u64::from(TILE_WIDTH), width)).map_err(|failure| failure.to_string())?;
        let leaf = last_leaf(&bundle, width).ok_or("a bundle of entries with another number of leaves")?;
        let answer = self.client.json(&format!("/api/v1/proofs/inclusion?position={position}&size={size}"));
        let proof = hashes(&answer.map_err(|failure| failure.to_string())?, "proof")?;
        let prefix = verify_inclusion_prefix(&leaf_hash(leaf), position, size, &proof, root).map_err(|error| error.to_string())?;
        let entry = BlockEntry::parse(leaf).map_err(|refusal| format!("the last leaf is no block entry: {refusal}"))?;
        if entry.position != position || entry.root != prefix.before {
            return Err(format!("a block entry of position {} and root {} at position {position}", entry.position, entry.root));
        }
        Ok(entry)
    }

    /// The proof from one size to a larger one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn consistency(&self, from: u64, to: u64) -> Result<Consistency, String> {
        let path = format!("/api/v1/proofs/consistency?from={from}&to={to}");
        let bytes = self.client.bytes(&path).map_err(|failure| failure.to_string())?;
        let answer = self.client.parse(&bytes).map_err(|failure| failure.to_string())?;
        let from_root = answer.get("from_root").and_then(Value::as_str).ok_or("no from_root")?;
        let from_root = Hash::parse(from_root).map_err(|refusal: Refusal| refusal.to_string())?;
        Ok(Consistency { from_root, proof: hashes(&answer, "proof")?, text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// An evidence file with the handovers of validator sets up to now; `None` of a ledger without a record.
    ///
    /// # Errors
    /// Why there is none.
    pub fn evidence(&self) -> Result<Option<String>, String> {
        let first = self.client.json("/api/v1/records?limit=1").map_err(|failure| failure.to_string())?;
        let Some(id) = items_of(&first).first().and_then(|record| record.get("id")).and_then(Value::as_str) else {
            return Ok(None);
        };
        let id = Hash::parse(id).map_err(|refusal| refusal.to_string())?;
        let bytes = self.client.bytes(&format!("/api/v1/records/{id}/evidence")).map_err(|failure| failure.to_string())?;
        String::from_utf8(bytes).map(Some).map_err(|_| "evidence that is not UTF-8".to_owned())
    }

    /// The bytes of its genesis file.
    ///
    /// # Errors
    /// As [`Client::bytes`].
    pub fn genesis(&self) -> Result<Vec<u8>, Failure> {
        self.client.bytes("/genesis")
    }
}

/// The last of exactly `width` leaves of a bundle.
fn last_leaf(bundle: &[u8], width: u32) -> Option<&[u8]> {
    let (mut rest, mut last) = (bundle, None);
    for _ in 0..width {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (leaf, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        (rest, last) = (after, Some(leaf));
    }
    last.filter(|_| rest.is_empty())
}

fn hashes(answer: &Value, name: &str) -> Result<Vec<Hash>, String> {
    let items = answer.get(name).and_then(Value::as_array).filter(|items| items.len() <= PROOF_HASHES_MAX);
    let items = items.ok_or_else(|| format!("no list {name} of at most {PROOF_HASHES_MAX} hashes"))?;
    let hash = |item: &Value| parse_node(item.as_str().unwrap_or_default()).map_err(|refusal| refusal.to_string());
    items.iter().map(hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_leaf_is_that_of_a_whole_bundle() {
        let bundle = [0, 1, b'a', 0, 2, b'b', b'c'];
        assert_eq!(last_leaf(&bundle, 2), Some(&b"bc"[..]));
        for (bytes, width) in [(&bundle[..], 1), (&bundle[..], 3), (&bundle[..6], 2), (&[][..], 1)] {
            assert_eq!(last_leaf(bytes, width), None);
        }
    }
}
