//! The record swarm: spreads records and cosignatures among known peers.
//!
//! 1. Peers are those of the roster, which is read again after each block; strangers are refused after the handshake. Each
//!    peer is dialled, and again after a pause, for ever.
//! 2. What a client brought to this node goes to every validator at once; what arrives while a message to the peer is on the way
//!    goes with the next one, unless it is much. Until it is committed it is sent again each second, and at once on a new connection.
//! 3. A message is handled on blocking threads, its records verified in parallel, and acknowledged when that is done. So a
//!    peer that cannot keep up slows its senders down, and nothing piles up.
//! 4. A malformed message ends the connection.
//! 5. Own cosignatures go out at once, those of others in the round of each second, to peers that lack them.
//!
//! A node spreads only what its own clients brought: each record travels once to each peer.

mod behaviour;
mod link;
pub(crate) mod message;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures::StreamExt as _;
use libp2p::request_response::{self, ResponseChannel};
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, ping};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::consensus::checkpoints::{Checkpoints, Cosigned};
use crate::consensus::pool::{Pool, Source};
use crate::consensus::roster::{Detour, Peer, roster};
use crate::core::key::SecretKey;
use crate::health::{Health, Known};
use crate::limits::{MESSAGES_HANDLED_MAX, RECORDS_PER_THREAD_MIN, SPREAD_AGAIN};
use crate::metrics::Metrics;
use crate::net::behaviour::{Behaviour, BehaviourEvent};
use crate::net::link::{Link, Place, places};
use crate::net::message::{Malformed, Message};
use crate::store::Reader;

/// What the swarm works with.
pub struct Swarm {
    pub reader: Reader,
    pub network_key: SecretKey,
    /// Multiaddress to listen on.
    pub listen: String,
    pub detours: Arc<[Detour]>,
    pub pool: Arc<Pool>,
    pub checkpoints: Arc<Checkpoints>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
}

impl Swarm {
    /// Runs until `stop`; listens before it returns its first pending.
    ///
    /// # Errors
    /// A listen address that cannot be used.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut arrivals = self.pool.arrivals();
        let mut changes = self.checkpoints.changes();
        let mut heads = self.pool.heads();
        let mut spreading = Spreading::start(self)?;
        let mut rounds = interval(SPREAD_AGAIN);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let redial_at = spreading.redial_at();
            tokio::select! {
                () = stop.cancelled() => return spreading.end().await,
                event = spreading.swarm.select_next_some() => spreading.on_event(event)?,
                Some(done) = spreading.tasks.join_next() => spreading.on_done(done.context("work of the record swarm")?),
                Ok(()) = arrivals.changed() => spreading.send_all(),
                Ok(()) = changes.changed() => spreading.on_cosigned(),
                Ok(()) = heads.changed() => {
                    spreading.follow_roster();
                    spreading.catch_up(Chore::Head);
                }
                _ = rounds.tick() => spreading.on_round(),
                () = sleep_until(redial_at.unwrap_or_else(Instant::now)), if redial_at.is_some() => spreading.dial(),
            }
        }
    }
}

/// Work on blocking threads that has ended.
enum Done {
    Handled { peer: PeerId, channel: ResponseChannel<()>, cosigned: Vec<Place> },
    Malformed { peer: PeerId, why: Malformed },
    Chore,
}

/// What calls for the pool and the checkpoints to look at what waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chore {
    Head,
    Round,
}

/// The swarm at work; owned by one task.
struct Spreading {
    swarm: libp2p::Swarm<Behaviour>,
    links: HashMap<PeerId, Link>,
    reader: Reader,
    /// The own peer id in base58btc, and who may connect.
    own: String,
    roster: Vec<Peer>,
    detours: Arc<[Detour]>,
    /// The agency that runs this node, when the node is a validator.
    cosigner: Option<String>,
    /// The newest answer of [`Checkpoints::known`].
    known: Vec<Cosigned>,
    tasks: JoinSet<Done>,
    is_chore_running: bool,
    pool: Arc<Pool>,
    checkpoints: Arc<Checkpoints>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

impl Spreading {
    fn start(settings: Swarm) -> anyhow::Result<Self> {
        let Swarm { reader, network_key, listen, detours, pool, checkpoints, health, metrics } = settings;
        let own = behaviour::identity(&network_key)?.public().to_peer_id().to_base58();
        let mut swarm = behaviour::swarm(&network_key, &reader.genesis().hash)?;
        let address: Multiaddr = listen.parse().with_context(|| format!("record swarm's address {listen}"))?;
        swarm.listen_on(address).with_context(|| format!("record swarm's address {listen}"))?;
        let cosigner = health.is_validator.then(|| health.agency.clone());
        let mut spreading = Spreading {
            swarm,
            links: HashMap::new(),
            reader,
            own,
            roster: Vec::new(),
            detours,
            cosigner,
            known: checkpoints.known(),
            tasks: JoinSet::new(),
            is_chore_running: false,
            pool,
            checkpoints,
            health,
            metrics,
        };
        spreading.follow_roster();
        Ok(spreading)
    }

    /// Lets those connect whom the ledger names now, and parts from the others.
    fn follow_roster(&mut self) {
        let roster = roster(&self.reader, &self.own, &self.detours);
        if roster == self.roster {
            return;
        }
        let mut links = std::mem::take(&mut self.links);
        let allowed = &mut self.swarm.behaviour_mut().allowed;
        for Peer { agency, peer, records, is_validator, .. } in &roster {
            let Ok(id) = peer.parse::<PeerId>() else {
                tracing::warn!(agency, "peer id {peer} cannot be read");
                continue;
            };
            allowed.allow_peer(id);
            let addresses: Vec<Multiaddr> = records.iter().filter_map(|address| parse_address(address)).collect();
            let link = links.remove(&id).filter(|link| link.known.agency == *agency);
            let mut link = link.unwrap_or_else(|| Link::new(Known { agency: agency.clone(), peer: peer.clone() }, id));
            link.reach(addresses, *is_validator);
            self.links.insert(id, link);
        }
        for (id, link) in links {
            tracing::info!(agency = link.known.agency, peer = %id, "record swarm: no longer on the list");
            allowed.disallow_peer(id);
        }
        self.health.set_peers(self.links.values().map(|link| link.known.clone()));
        self.roster = roster;
    }

    /// Closes all connections and waits for what is being handled, so that nobody uses the store any more.
    async fn end(self) -> anyhow::Result<()> {
        let Spreading { swarm, mut tasks, .. } = self;
        drop(swarm);
        while let Some(done) = tasks.join_next().await {
            done.context("work of the record swarm")?;
        }
        Ok(())
    }

    fn redial_at(&self) -> Option<Instant> {
        self.links.values().filter_map(Link::redial_at).min()
    }

    /// Dials the peers whose time has come.
    fn dial(&mut self) {
        let now = Instant::now();
        for link in self.links.values_mut().filter(|link| link.redial_at().is_some_and(|at| at <= now)) {
            link.dialling();
            // A new port for each dial: two nodes that dial each other from their listening ports would meet in one
            // connection without a listener.
            let options = DialOpts::peer_id(link.peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(link.addresses.clone())
                .allocate_new_port()
                .build();
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(agency = link.known.agency, "dial: {error}");
                link.dial_failed();
            }
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) -> anyhow::Result<()> {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Messages(event)) => self.on_message(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => {
                // A peer that answers no pings at all is judged by its acknowledgements alone.
                if let Err(error @ (ping::Failure::Timeout | ping::Failure::Other { .. })) = event.result {
                    tracing::debug!(peer = %event.peer, "ping: {error}");
                    self.swarm.close_connection(event.connection);
                }
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
                if let Some(link) = self.links.get_mut(&peer_id) {
                    for superseded in link.connected(connection_id) {
                        self.swarm.close_connection(superseded);
                    }
                    tracing::info!(agency = link.known.agency, "record swarm: connected");
                    self.health.set_connected(&link.known, true);
                }
                self.send(peer_id);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                if let Some(link) = self.links.get_mut(&peer_id) {
                    link.disconnected(connection_id);
                    tracing::info!(
                        agency = link.known.agency,
                        cause = cause.map(|cause| cause.to_string()),
                        "record swarm: connection closed"
                    );
                    self.health.set_connected(&link.known, link.is_connected());
                }
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                if let Some(link) = self.links.get_mut(&peer) {
                    tracing::debug!(agency = link.known.agency, "dial: {error}");
                    link.dial_failed();
                }
            }
            SwarmEvent::IncomingConnectionError { error, send_back_addr, .. } => {
                tracing::debug!(%send_back_addr, "caller refused: {error}");
            }
            SwarmEvent::ListenerClosed { addresses, reason: Err(error), .. } => {
                bail!("the record swarm listens no more on {addresses:?}: {error}");
            }
            _ => {}
        }
        Ok(())
    }

    fn on_message(&mut self, event: request_response::Event<Bytes, ()>) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request { request, channel, .. } => self.handle(peer, request, channel),
                request_response::Message::Response { request_id, .. } => {
                    if let Some(link) = self.links.get_mut(&peer) {
                        link.acknowledged(request_id);
                    }
                    self.send(peer);
                }
            },
            request_response::Event::OutboundFailure { peer, request_id, error, .. } => {
                if let Some(link) = self.links.get_mut(&peer) {
                    tracing::debug!(agency = link.known.agency, "message lost: {error}");
                    link.lost(request_id);
                }
            }
            request_response::Event::InboundFailure { peer, error, .. } => tracing::debug!(%peer, "message not answered: {error}"),
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    /// Hands a peer's message to the blocking threads; a peer that does not wait for its acknowledgements is dropped.
    fn handle(&mut self, peer: PeerId, bytes: Bytes, channel: ResponseChannel<()>) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        if link.handled >= MESSAGES_HANDLED_MAX {
            self.metrics.limits_reached.inc();
            tracing::warn!(agency = link.known.agency, "record swarm: too many messages at once");
            let _ = self.swarm.disconnect_peer_id(peer);
            return;
        }
        link.handled += 1;
        let (pool, checkpoints) = (self.pool.clone(), self.checkpoints.clone());
        self.tasks.spawn_blocking(move || match Message::parse(bytes) {
            Err(why) => Done::Malformed { peer, why },
            Ok(message) => {
                message.cosigned.iter().for_each(|cosigned| checkpoints.add(cosigned));
                let submit = |leaf: &Bytes| {
                    if let Err(refusal) = pool.submit(leaf, Source::Peer) {
                        tracing::debug!(%peer, "record refused: {refusal}");
                    }
                };
                if message.leaves.len() < 2 * RECORDS_PER_THREAD_MIN {
                    message.leaves.iter().for_each(submit);
                } else {
                    message.leaves.par_iter().with_min_len(RECORDS_PER_THREAD_MIN).for_each(submit);
                }
                Done::Handled { peer, channel, cosigned: places(&message.cosigned).collect() }
            }
        });
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Handled { peer, channel, cosigned } => {
                if let Some(link) = self.links.get_mut(&peer) {
                    link.handled -= 1;
                    link.heard(cosigned);
                }
                // The connection may be gone; its peer then sends the message again.
                let _ = self.swarm.behaviour_mut().messages.send_response(channel, ());
            }
            Done::Malformed { peer, why } => {
                self.metrics.messages_refused.inc();
                if let Some(link) = self.links.get_mut(&peer) {
                    link.handled -= 1;
                    tracing::warn!(agency = link.known.agency, "record swarm: malformed message: {why}");
                }
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Done::Chore => self.is_chore_running = false,
        }
    }

    fn on_cosigned(&mut self) {
        self.known = self.checkpoints.known();
        let known: HashSet<Place> = places(&self.known).collect();
        self.links.values_mut().for_each(|link| link.forget_told(&known));
        self.send_all();
    }

    fn on_round(&mut self) {
        let (pending, _) = self.pool.to_spread(None);
        self.links.values_mut().filter(|link| link.is_connected()).for_each(|link| link.round(&pending));
        self.send_all();
        self.catch_up(Chore::Round);
    }

    /// Lets pool and checkpoints look at what waits, on a blocking thread, one at a time: a look that is left out is made
    /// up for by the round of the next second.
    fn catch_up(&mut self, chore: Chore) {
        if self.is_chore_running {
            return;
        }
        self.is_chore_running = true;
        let (pool, checkpoints) = (self.pool.clone(), self.checkpoints.clone());
        self.tasks.spawn_blocking(move || {
            pool.retry_waiting();
            checkpoints.settle();
            if chore == Chore::Round {
                pool.recheck();
            }
            Done::Chore
        });
    }

    fn send_all(&mut self) {
        let peers: Vec<PeerId> = self.links.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.send(peer));
    }

    /// Sends a peer what it may have now.
    fn send(&mut self, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        while let Some((bytes, sent)) = link.next_message(&self.pool, &self.known, self.cosigner.as_deref()) {
            let request = self.swarm.behaviour_mut().messages.send_request(&peer, bytes);
            link.on_the_way(request, sent);
        }
    }
}

/// A peer's address; one that cannot be read is left out, the others may do.
fn parse_address(text: &str) -> Option<Multiaddr> {
    text.parse().inspect_err(|error| tracing::warn!("the address {text}: {error}")).ok()
}
