//! Settings and start of the engine: its network restricted to the known validators, its WAL, its value sync.

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
    Channels, ConsensusContext, EngineBuilder, EngineHandle, NetworkContext, NetworkIdentity, RequestContext, SyncContext, WalContext,
};

use super::codec::Wire;
use super::context::{Address, Ledger};
use super::heard::Heard;
use super::signing::{Checker, Signer};
use crate::core::genesis::{Genesis, Validator};
use crate::core::key::{PublicKey, SecretKey};
use crate::limits::{
    ENGINE_CONNECTIONS_PER_IP_MAX, ENGINE_MESSAGE_BYTES_MAX, ENGINE_QUEUED_HEIGHTS_MAX, ENGINE_REQUESTS_MAX, ENGINE_STOP_TIMEOUT,
    REBROADCAST_MIN, ROUND_TIMEOUT_MAX, STATUS_EVERY, SYNC_HEIGHTS_MAX, SYNC_REQUEST_TIMEOUT, SYNC_RESPONSE_BYTES_MAX,
};

/// What a session of the engine is started with.
pub struct Plan {
    pub agency: String,
    pub checker: Checker,
    pub signer: Signer,
    pub heard: Arc<Heard>,
    pub network: Keypair,
    pub listen: Multiaddr,
    pub peers: Vec<Multiaddr>,
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
    handle: EngineHandle,
}

impl Session {
    /// Starts the engine's actors; it listens when this returns or soon after.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn start(plan: &Plan, standing: Standing) -> anyhow::Result<Self> {
        let wire = Wire::new(Arc::clone(&plan.heard));
        let address = Address::from(&plan.signer.public());
        let verifier = Box::new(plan.checker.clone());
        let consensus = match standing {
            Standing::Votes => ConsensusContext::new_validator(address, verifier, Box::new(plan.signer.clone())),
            Standing::Follows => ConsensusContext::new_full_node(address, verifier),
        };
        let peer = own_peer_id(&plan.network)?;
        let proof = wire.encode(&plan.signer.sign_peer(&peer))?;
        let identity = NetworkIdentity::new_validator(plan.agency.clone(), plan.network.clone(), address.to_string(), proof);
        let (channels, handle) = EngineBuilder::new(Ledger, Settings::new(plan, standing))
            .with_default_wal(WalContext::new(plan.wal.clone(), wire.clone()))
            .with_default_network(NetworkContext::new(identity, wire.clone()))
            .with_default_sync(SyncContext::new(wire))
            .with_default_consensus(consensus)
            .with_default_request(RequestContext::new(ENGINE_REQUESTS_MAX))
            .build()
            .await
            .map_err(|error| anyhow!("the engine does not start: {error:#}"))?;
        Ok(Session { channels, handle })
    }

    /// Stops all actors: network and WAL are closed when this returns.
    pub async fn stop(self) {
        let Session { channels, handle } = self;
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
    fn new(plan: &Plan, standing: Standing) -> Self {
        let discovery = DiscoveryConfig {
            enabled: false,
            max_connections_per_ip: ENGINE_CONNECTIONS_PER_IP_MAX,
            ip_throttle_duration: Duration::ZERO,
            ..DiscoveryConfig::default()
        };
        let p2p = P2pConfig {
            listen_addr: plan.listen.clone(),
            persistent_peers: plan.peers.clone(),
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

/// The other validators' peer ids, and their addresses with the peer id that must answer there.
///
/// # Errors
/// An address or peer id that cannot be read, or own keys that are not those of `agency` in the genesis file.
pub fn peers(genesis: &Genesis, agency: &str, consensus: &PublicKey, network: &Keypair) -> anyhow::Result<(Vec<PeerId>, Vec<Multiaddr>)> {
    let own = genesis.validators.iter().find(|validator| validator.agency == agency);
    let own = own.with_context(|| format!("{agency} is no validator of this ledger"))?;
    if own.consensus != *consensus || peer_id(own)? != own_peer_id(network)? {
        anyhow::bail!("the consensus or network key of this node is not the one of {agency} in the genesis file");
    }
    let (mut ids, mut addresses) = (Vec::new(), Vec::new());
    for validator in genesis.validators.iter().filter(|validator| validator.agency != agency) {
        ids.push(peer_id(validator)?);
        for address in &validator.addresses {
            let full = format!("{address}/p2p/{}", validator.peer);
            addresses.push(full.parse().with_context(|| format!("the address {full} of {}", validator.agency))?);
        }
    }
    Ok((ids, addresses))
}

fn peer_id(validator: &Validator) -> anyhow::Result<PeerId> {
    validator.peer.parse().map_err(|_| anyhow!("the peer id {} of {} cannot be read", validator.peer, validator.agency))
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
