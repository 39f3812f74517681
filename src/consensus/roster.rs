//! Who may connect: the nodes that the ledger names as of the newest block.
//!
//! Validators speak with every node on the list; a follower speaks with validators alone. A node reads the list anew after
//! each block, so that a change of members needs no restart. Where its settings name a detour to a peer of the list, it dials
//! that and not what the ledger says; nobody gets on the list by it.

use std::collections::BTreeMap;

use crate::core::rules;
use crate::store::Reader;

/// Another node that may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub agency: String,
    /// Peer id in base58btc.
    pub peer: String,
    /// Multiaddresses of its engine, ascending.
    pub addresses: Vec<String>,
    /// Multiaddresses of its record swarm, ascending.
    pub records: Vec<String>,
    /// In the set of the next height or of a later one that is scheduled.
    pub is_validator: bool,
}

/// Where this node dials a peer, whatever the ledger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detour {
    /// Peer id in base58btc.
    pub peer: String,
    /// Multiaddress of its engine.
    pub consensus: String,
    /// Multiaddress of its record swarm.
    pub records: String,
}

/// The nodes that the node with the peer id `own` speaks with, ascending by peer id; one that is not on the list itself, or
/// not yet as far as it knows, speaks with validators.
pub fn roster(reader: &Reader, own: &str, detours: &[Detour]) -> Vec<Peer> {
    let nodes = rules::nodes(reader, reader.head().height.saturating_add(1));
    let is_own_validator = nodes.iter().any(|node| node.peer == own && node.is_validator);
    let mut peers: BTreeMap<String, Peer> = BTreeMap::new();
    for node in nodes.into_iter().filter(|node| node.peer != own && (is_own_validator || node.is_validator)) {
        let peer = peers.entry(node.peer.clone()).or_insert_with(|| Peer {
            agency: node.agency,
            peer: node.peer,
            addresses: Vec::new(),
            records: Vec::new(),
            is_validator: node.is_validator,
        });
        // A validator whose addresses are about to change is reached at the old ones and the new ones.
        merge(&mut peer.addresses, node.addresses);
        merge(&mut peer.records, node.records);
    }
    for detour in detours {
        if let Some(peer) = peers.get_mut(&detour.peer) {
            peer.addresses = vec![detour.consensus.clone()];
            peer.records = vec![detour.records.clone()];
        }
    }
    peers.into_values().collect()
}

fn merge(known: &mut Vec<String>, more: Vec<String>) {
    known.extend(more);
    known.sort();
    known.dedup();
}
