//! The swarm's protocols: the allow-list and connection limits, messages with their answer, pings.
//!
//! The allow-list refuses a stranger after the handshake and before any protocol. The name of the message protocol holds
//! the ledger's genesis hash, so that nodes of two ledgers never exchange a message.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::allow_block_list::{self, AllowedPeers};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, Swarm, identity, noise, ping, tcp, yamux};
use std::time::Duration;

use anyhow::Context as _;

use crate::core::hash::Hash;
use crate::core::key::SecretKey;
use crate::limits::{
    CONNECTIONS_PER_PEER_MAX, HANDSHAKES_MAX, MESSAGE_BYTES_MAX, MESSAGE_TIMEOUT, PING_EVERY, PING_TIMEOUT, SWARM_STREAMS_MAX,
};
use crate::net::message::ACKNOWLEDGED;

/// Protocols in the order in which they see a connection: limits and allow-list first.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    limits: connection_limits::Behaviour,
    pub allowed: allow_block_list::Behaviour<AllowedPeers>,
    pub messages: request_response::Behaviour<MessageCodec>,
    ping: ping::Behaviour,
}

/// Carries whole messages as bytes: at most one more than allowed is read, and taking them apart is left to the receiver.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageCodec;

#[async_trait]
impl request_response::Codec for MessageCodec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    /// Whether the receiver acknowledged the message.
    type Response = ();

    async fn read_request<T: AsyncRead + Unpin + Send>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        let bytes_max = u64::try_from(MESSAGE_BYTES_MAX).unwrap_or(u64::MAX);
        io.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).await?;
        Ok(bytes.into())
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<()> {
        let mut answer = [0];
        io.read_exact(&mut answer).await?;
        if answer == [ACKNOWLEDGED] { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(&mut self, _: &StreamProtocol, io: &mut T, message: Bytes) -> io::Result<()> {
        io.write_all(&message).await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(&mut self, _: &StreamProtocol, io: &mut T, (): ()) -> io::Result<()> {
        io.write_all(&[ACKNOWLEDGED]).await
    }
}

/// The libp2p identity of a network key.
///
/// # Errors
/// None in practice: every Ed25519 seed is a key.
pub fn identity(key: &SecretKey) -> anyhow::Result<identity::Keypair> {
    let mut seed = key.dalek().to_bytes();
    identity::Keypair::ed25519_from_bytes(&mut seed).context("network key")
}

/// A swarm of the ledger with this genesis hash that admits nobody yet and does not listen.
///
/// # Errors
/// A transport that cannot be built.
pub fn swarm(key: &SecretKey, genesis: &Hash) -> anyhow::Result<Swarm<Behaviour>> {
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(HANDSHAKES_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX));
    let protocol = StreamProtocol::try_from_owned(format!("/sharelog/records/1/{genesis}"))?;
    let config = request_response::Config::default().with_request_timeout(MESSAGE_TIMEOUT).with_max_concurrent_streams(SWARM_STREAMS_MAX);
    let behaviour = Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        allowed: allow_block_list::Behaviour::default(),
        messages: request_response::Behaviour::with_codec(MessageCodec, [(protocol, ProtocolSupport::Full)], config),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_EVERY).with_timeout(PING_TIMEOUT)),
    };
    let swarm = libp2p::SwarmBuilder::with_existing_identity(identity(key)?)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|_| behaviour)?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::MAX))
        .build();
    Ok(swarm)
}
