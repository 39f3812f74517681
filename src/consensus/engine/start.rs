//! Settings and start of the engine: its network restricted to the known validators, its WAL, its value sync.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytesize::ByteSize;
use malachite_app::app::config::{ConsensusConfig, DiscoveryConfig, NodeConfig, P2pConfig, PubSubProtocol, ValuePayload, ValueSyncConfig};
use malachite_app::app::net::Multiaddr;
use malachite_app::app::types::codec::Codec as _;
use malachite_app::app::types::core::LinearTimeouts;
use malachite_app::app::types::{Keypair, PeerId};
use malachite_app::{
    Channels, ConsensusContext, EngineBuilder, EngineHandle, NetworkContext, NetworkIdentity, NetworkMsg, NetworkRequest, RequestContext,
    SyncContext, WalContext,
};
use tokio::sync::{mpsc, watch};

use super::codec::Wire;
use super::context::{Address, Ledger};
use super::heard::Heard;
use super::signing::{Checker, Signer};
use crate::consensus::roster::Peer;
use crate::core::key::SecretKey;
use crate::limits::{
    ENGINE_CONNECTIONS_PER_IP_MAX, ENGINE_MESSAGE_BYTES_MAX, ENGINE_PEERS_MAX, ENGINE_QUEUED_HEIGHTS_MAX, ENGINE_REQUESTS_MAX,
    ENGINE_STOP_TIMEOUT, REBROADCAST_MIN, ROUND_TIMEOUT_MAX, STATUS_EVERY, SYNC_HEIGHTS_MAX, SYNC_REQUEST_TIMEOUT, SYNC_RESPONSE_BYTES_MAX,
};

/// The address of a node that never votes; no key has these bytes.
pub const NOBODY: Address = Address([0; 32]);

/// What a session of the engine is started with.
pub struct Plan {
    pub agency: String,
    pub checker: Checker,
    /// `None` for a follower.
    pub signer: Option<Signer>,
    /// The own peer id in base58btc.
    pub own: String,
    pub heard: Arc<Heard>,
    pub network: Keypair,
    pub listen: Multiaddr,
    pub wal: PathBuf,
}

/// Whether this node votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Votes,
    /// Follows by value sync alone, and signs nothing.
    Follows,
}

/// A running engine.
pub struct Session {
    pub channels: Channels<Ledger>,
    pub outlets: Outlets,
    handle: EngineHandle,
}

/// Where the driver tells the engine's network something.
#[derive(Clone)]
pub struct Outlets {
    pub parts: mpsc::Sender<NetworkMsg<Ledger>>,
    /// The addresses of the peers that may connect.
    pub peers: watch::Sender<BTreeSet<Multiaddr>>,
}

impl Outlets {
    /// Lets these peers connect and no others.
    pub fn set_peers(&self, peers: BTreeSet<Multiaddr>) {
        self.peers.send_if_modified(|known| {
            let is_new = *known != peers;
            *known = peers;
            is_new
        });
    }
}

impl Session {
    /// Starts the engine's actors; it listens when this returns or soon after. `peers` may connect.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn start(plan: &Plan, standing: Standing, peers: BTreeSet<Multiaddr>) -> anyhow::Result<Self> {
        let wire = Wire::new(Arc::clone(&plan.heard));
        let verifier = Box::new(plan.checker.clone());
        let (moniker, network) = (plan.agency.clone(), plan.network.clone());
        let (address, identity) = match &plan.signer {
            Some(signer) => {
                let address = Address::from(&signer.public());
                let proof = wire.encode(&signer.sign_peer(&own_peer_id(&plan.network)?))?;
                (address, NetworkIdentity::new_validator(moniker, network, address.to_string(), proof))
            }
            None => (NOBODY, NetworkIdentity::new(moniker, network, None)),
        };
        let consensus = match &plan.signer {
            Some(signer) if standing == Standing::Votes => ConsensusContext::new_validator(address, verifier, Box::new(signer.clone())),
            _ => ConsensusContext::new_full_node(address, verifier),
        };
        let (channels, handle) = EngineBuilder::new(Ledger, Settings::new(plan, standing, &peers))
            .with_default_wal(WalContext::new(plan.wal.clone(), wire.clone()))
            .with_default_network(NetworkContext::new(identity, wire.clone()))
            .with_default_sync(SyncContext::new(wire))
            .with_default_consensus(consensus)
            .with_default_request(RequestContext::new(ENGINE_REQUESTS_MAX))
            .build()
            .await
            .map_err(|error| anyhow!("the engine does not start: {error:#}"))?;
        let (sender, receiver) = watch::channel(peers.clone());
        tokio::spawn(keep_peers(channels.net_requests.clone(), peers, receiver));
        let outlets = Outlets { parts: channels.network.clone(), peers: sender };
        Ok(Session { channels, outlets, handle })
    }

    /// Stops all actors: network and WAL are closed when this returns.
    pub async fn stop(self) {
        let Session { channels, outlets, handle } = self;
        drop(outlets);
        // The host actor waits for answers: with the channels it is let go.
        drop(channels);
        // Their supervisor kills the others at the first that ends. Each alone closes what it holds: the network its
        // connections, before new ones are made.
        let node = handle.actor.get_cell();
        let actors = node.get_children();
        actors.iter().for_each(|actor| actor.unlink(node.clone()));
        let ends = actors.iter().map(|actor| actor.stop_and_wait(None, Some(ENGINE_STOP_TIMEOUT)));
        if futures::future::join_all(ends).await.iter().any(Result::is_err) {
            tracing::warn!("an actor of the engine did not end in time");
        }
        handle.actor.stop(None);
        if tokio::time::timeout(ENGINE_STOP_TIMEOUT, handle.handle).await.is_err() {
            tracing::warn!("the engine's actors did not end in time");
        }
    }
}

/// The engine's settings, all of them ours.
struct Settings {
    moniker: String,
    consensus: ConsensusConfig,
    sync: ValueSyncConfig,
}

impl Settings {
    fn new(plan: &Plan, standing: Standing, peers: &BTreeSet<Multiaddr>) -> Self {
        let discovery = DiscoveryConfig {
            enabled: false,
            max_connections_per_ip: ENGINE_CONNECTIONS_PER_IP_MAX,
            ip_throttle_duration: Duration::ZERO,
            num_inbound_peers: ENGINE_PEERS_MAX,
            num_outbound_peers: ENGINE_PEERS_MAX,
            ..DiscoveryConfig::default()
        };
        let p2p = P2pConfig {
            listen_addr: plan.listen.clone(),
            persistent_peers: peers.iter().cloned().collect(),
            persistent_peers_only: true,
            discovery,
            protocol: PubSubProtocol::Broadcast,
            pubsub_max_size: ByteSize::b(ENGINE_MESSAGE_BYTES_MAX),
            rpc_max_size: ByteSize::b(SYNC_RESPONSE_BYTES_MAX),
            ..P2pConfig::default()
        };
        let consensus = ConsensusConfig {
            enabled: standing == Standing::Votes,
            p2p,
            value_payload: ValuePayload::ProposalAndParts,
            queue_capacity: ENGINE_QUEUED_HEIGHTS_MAX,
            ..ConsensusConfig::default()
        };
        let sync = ValueSyncConfig {
            enabled: true,
            status_update_interval: STATUS_EVERY,
            request_timeout: SYNC_REQUEST_TIMEOUT,
            max_response_size: ByteSize::b(SYNC_RESPONSE_BYTES_MAX),
            batch_size: SYNC_HEIGHTS_MAX,
            ..ValueSyncConfig::default()
        };
        Settings { moniker: plan.agency.clone(), consensus, sync }
    }
}

impl NodeConfig for Settings {
    fn moniker(&self) -> &str {
        &self.moniker
    }

    fn consensus(&self) -> &ConsensusConfig {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut ConsensusConfig {
        &mut self.consensus
    }

    fn value_sync(&self) -> &ValueSyncConfig {
        &self.sync
    }

    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.sync
    }
}

/// Propose as configured, votes half of it, each later round a quarter more; what may have been lost is sent again soon after.
pub fn timeouts(propose: Duration) -> LinearTimeouts {
    let (vote, delta) = (propose / 2, propose / 4);
    LinearTimeouts {
        propose,
        propose_delta: delta,
        prevote: vote,
        prevote_delta: delta,
        precommit: vote,
        precommit_delta: delta,
        rebroadcast: propose.max(REBROADCAST_MIN),
        max_timeout: ROUND_TIMEOUT_MAX,
    }
}

/// The addresses of peers, each with the peer id that must answer there; one without an address may connect and is not
/// dialled. What cannot be read is left out: the others may do.
pub fn addresses(roster: &[Peer]) -> BTreeSet<Multiaddr> {
    let of_peer = |peer: &Peer| {
        let dialled = peer.addresses.iter().map(|address| format!("{address}/p2p/{}", peer.peer)).collect::<Vec<_>>();
        if dialled.is_empty() { vec![format!("/p2p/{}", peer.peer)] } else { dialled }
    };
    let read = |text: String| text.parse().inspect_err(|error| tracing::warn!("the address {text}: {error}")).ok();
    roster.iter().flat_map(of_peer).filter_map(read).collect()
}

/// The peer ids of the validators on a list.
pub fn validators(roster: &[Peer]) -> Vec<PeerId> {
    roster.iter().filter(|peer| peer.is_validator).filter_map(|peer| peer.peer.parse().ok()).collect()
}

/// Tells the engine of each change of its peers, one after the other; ends with the session.
async fn keep_peers(
    requests: mpsc::Sender<NetworkRequest>,
    mut known: BTreeSet<Multiaddr>,
    mut wanted: watch::Receiver<BTreeSet<Multiaddr>>,
) {
    while wanted.changed().await.is_ok() {
        let now = wanted.borrow_and_update().clone();
        for address in now.difference(&known) {
            tell("added", address, NetworkRequest::add_persistent_peer(&requests, address.clone()).await);
        }
        for address in known.difference(&now) {
            tell("removed", address, NetworkRequest::remove_persistent_peer(&requests, address.clone()).await);
        }
        known = now;
    }
}

/// An engine that is ending takes no more peers, and the next one starts with all of them.
fn tell<A, B>(what: &str, address: &Multiaddr, outcome: Result<Result<(), A>, B>) {
    match outcome {
        Ok(Ok(())) => tracing::info!(%address, "peer of the engine {what}"),
        Ok(Err(_)) | Err(_) => tracing::warn!(%address, "peer of the engine not {what}"),
    }
}

fn own_peer_id(network: &Keypair) -> anyhow::Result<PeerId> {
    PeerId::from_bytes(&network.public().to_peer_id().to_bytes()).context("the peer id of the network key")
}

/// The engine's form of the network key.
///
/// # Errors
/// None for an Ed25519 key.
pub fn keypair(network: &SecretKey) -> anyhow::Result<Keypair> {
    Keypair::ed25519_from_bytes(network.dalek().to_bytes()).context("the network key")
}
