//! What the swarm knows of one peer: connections, the next dial, and which records and cosignatures it was sent.
//!
//! Fresh records go first, then those that are spread again. A record is on the way until its message is acknowledged, and
//! due again [`SPREAD_AGAIN`] after that; one whose message was lost is due at the next round. A new connection forgets all
//! of it: the peer may have been restarted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use crate::consensus::checkpoints::Cosigned;
use crate::consensus::pool::Pool;
use crate::core::hash::Hash;
use crate::core::record::Record;
use crate::health::Known;
use crate::limits::{
    CONNECTION_SUPERSEDED_AFTER, MESSAGE_BYTES_AHEAD, MESSAGE_BYTES_SENT, MESSAGES_IN_FLIGHT_MAX, REDIAL_MAX, REDIAL_MIN, SPREAD_AGAIN,
    SPREAD_AGAIN_BYTES_MAX,
};
use crate::net::message::Draft;

/// A cosignature's place: size and agency.
pub type Place = (u64, String);

/// The places of all cosignatures.
pub fn places(cosigned: &[Cosigned]) -> impl Iterator<Item = Place> {
    cosigned.iter().flat_map(|one| one.cosignatures.iter().map(|cosignature| (one.checkpoint.size, cosignature.agency.clone())))
}

/// What a message on the way holds.
#[derive(Debug)]
pub struct Sent {
    records: Vec<Hash>,
    cosigned: Vec<Place>,
}

/// One peer.
pub struct Link {
    pub known: Known,
    pub peer: PeerId,
    /// Where the peer is dialled; one without an address dials by itself.
    pub addresses: Vec<Multiaddr>,
    /// A follower takes cosignatures alone: records wait where blocks are made.
    takes_records: bool,
    connections: HashMap<ConnectionId, Instant>,
    /// When to dial; `None` while connected or dialling.
    redial_at: Option<Instant>,
    pause: Duration,
    fresh: VecDeque<Arc<Record>>,
    again: VecDeque<Arc<Record>>,
    /// Count of the pool's arrivals up to which records were taken; `None` before the first look.
    taken: Option<u64>,
    /// Records sent: `None` on the way, else when they were acknowledged.
    spread: HashMap<Hash, Option<Instant>>,
    /// Cosignatures that the peer was sent or sent itself.
    told: HashSet<Place>,
    /// Whether the cosignatures of others are to be passed on too.
    is_relay_due: bool,
    in_flight: HashMap<OutboundRequestId, Sent>,
    /// Messages of the peer that are being handled.
    pub handled: usize,
}

impl Link {
    /// A link that is dialled at once; see [`Link::reach`].
    pub fn new(known: Known, peer: PeerId) -> Self {
        Link {
            known,
            peer,
            addresses: Vec::new(),
            takes_records: false,
            connections: HashMap::new(),
            redial_at: Some(Instant::now()),
            pause: REDIAL_MIN,
            fresh: VecDeque::new(),
            again: VecDeque::new(),
            taken: None,
            spread: HashMap::new(),
            told: HashSet::new(),
            is_relay_due: true,
            in_flight: HashMap::new(),
            handled: 0,
        }
    }

    /// Where the peer is reached from now on, and whether it takes records.
    pub fn reach(&mut self, addresses: Vec<Multiaddr>, takes_records: bool) {
        self.addresses = addresses;
        self.takes_records = takes_records;
    }

    pub fn is_connected(&self) -> bool {
        !self.connections.is_empty()
    }

    /// When the peer is to be dialled next.
    pub fn redial_at(&self) -> Option<Instant> {
        self.redial_at.filter(|_| !self.addresses.is_empty())
    }

    /// A dial has begun.
    pub fn dialling(&mut self) {
        self.redial_at = None;
    }

    /// A dial failed: the next one comes after a growing pause.
    pub fn dial_failed(&mut self) {
        if !self.is_connected() {
            self.redial_at = Some(Instant::now() + self.pause);
            self.pause = self.pause.saturating_mul(2).min(REDIAL_MAX);
        }
    }

    /// Gives the older connections that this one supersedes: a peer that still had one would not have made another.
    pub fn connected(&mut self, connection: ConnectionId) -> Vec<ConnectionId> {
        let is_old = |since: &Instant| since.elapsed() >= CONNECTION_SUPERSEDED_AFTER;
        let superseded = self.connections.iter().filter(|(_, since)| is_old(since)).map(|(id, _)| *id).collect();
        self.connections.insert(connection, Instant::now());
        self.redial_at = None;
        self.pause = REDIAL_MIN;
        self.fresh.clear();
        self.again.clear();
        self.taken = None;
        self.spread.clear();
        self.told.clear();
        self.is_relay_due = true;
        superseded
    }

    pub fn disconnected(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
        if !self.is_connected() {
            self.redial_at = Some(Instant::now() + self.pause);
        }
    }

    pub fn on_the_way(&mut self, request: OutboundRequestId, sent: Sent) {
        self.in_flight.insert(request, sent);
    }

    pub fn acknowledged(&mut self, request: OutboundRequestId) {
        let now = Instant::now();
        for id in self.in_flight.remove(&request).into_iter().flat_map(|sent| sent.records) {
            if let Some(state) = self.spread.get_mut(&id) {
                *state = Some(now);
            }
        }
    }

    /// A message was lost, or may have been: what it held is due again.
    pub fn lost(&mut self, request: OutboundRequestId) {
        if let Some(sent) = self.in_flight.remove(&request) {
            for id in &sent.records {
                self.spread.remove(id);
            }
            for place in &sent.cosigned {
                self.told.remove(place);
            }
        }
    }

    /// The peer sent these cosignatures itself.
    pub fn heard(&mut self, cosigned: Vec<Place>) {
        self.told.extend(cosigned);
    }

    /// Forgets which cosignatures were told of sizes that nobody speaks of any more.
    pub fn forget_told(&mut self, known: &HashSet<Place>) {
        self.told.retain(|place| known.contains(place));
    }

    /// The round of each second: what of `pending` was sent [`SPREAD_AGAIN`] ago is due, the longest unsent first, and so
    /// are the cosignatures of others.
    pub fn round(&mut self, pending: &[Arc<Record>]) {
        self.is_relay_due = true;
        if !self.takes_records {
            return;
        }
        let before = std::mem::take(&mut self.spread);
        self.spread = pending.iter().filter_map(|record| before.get_key_value(&record.id())).map(|(id, state)| (*id, *state)).collect();
        if !self.fresh.is_empty() || !self.again.is_empty() {
            return;
        }
        let last_sent = |record: &Arc<Record>| match self.spread.get(&record.id()) {
            None => Some(None),
            Some(None) => None,
            Some(Some(at)) => (at.elapsed() >= SPREAD_AGAIN).then_some(Some(*at)),
        };
        let mut due: Vec<_> = pending.iter().filter_map(|record| Some((last_sent(record)?, record))).collect();
        due.sort_by_key(|(at, _)| *at);
        let mut bytes = 0_usize;
        self.again.extend(due.into_iter().map(|(_, record)| record.clone()).take_while(|record| {
            bytes = bytes.saturating_add(record.leaf().len());
            bytes <= SPREAD_AGAIN_BYTES_MAX
        }));
    }

    /// The next message to the peer, when it may have another one and there is something to say. `own` is this node's
    /// agency: its cosignatures go out at once, those of others in the round of each second.
    pub fn next_message(&mut self, pool: &Pool, known: &[Cosigned], own: Option<&str>) -> Option<(Bytes, Sent)> {
        if !self.is_connected() || self.in_flight.len() >= MESSAGES_IN_FLIGHT_MAX {
            return None;
        }
        if self.takes_records {
            let (arrived, count) = pool.to_spread(self.taken);
            self.taken = Some(count);
            self.fresh.extend(arrived);
        }
        if !self.in_flight.is_empty() && self.is_little() {
            return None;
        }
        let mut draft = Draft::default();
        let cosigned = self.write_cosigned(&mut draft, known, own);
        let mut records = Vec::new();
        while let Some(record) = self.fresh.front().or_else(|| self.again.front()) {
            if !draft.is_empty() && draft.len_with(record.leaf().len()) > MESSAGE_BYTES_SENT {
                break;
            }
            draft.record(record.leaf());
            records.push(record.id());
            self.spread.insert(record.id(), None);
            if self.fresh.pop_front().is_none() {
                self.again.pop_front();
            }
        }
        (!draft.is_empty()).then(|| (draft.finish(), Sent { records, cosigned }))
    }

    /// Whether what is to be sent can well wait for the acknowledgement of the message before: many small messages cost
    /// more than their records.
    fn is_little(&self) -> bool {
        let mut bytes = 0_usize;
        !self.fresh.iter().chain(&self.again).any(|record| {
            bytes = bytes.saturating_add(record.leaf().len());
            bytes >= MESSAGE_BYTES_AHEAD
        })
    }

    fn write_cosigned(&mut self, draft: &mut Draft, known: &[Cosigned], own: Option<&str>) -> Vec<Place> {
        let is_relay = std::mem::take(&mut self.is_relay_due);
        let mut written = Vec::new();
        for one in known {
            let size = one.checkpoint.size;
            let is_due = |agency: &str| (is_relay || own == Some(agency)) && !self.told.contains(&(size, agency.to_owned()));
            let cosignatures: Vec<_> = one.cosignatures.iter().filter(|cosignature| is_due(&cosignature.agency)).cloned().collect();
            if !cosignatures.is_empty() {
                let part = Cosigned { checkpoint: one.checkpoint.clone(), cosignatures };
                draft.cosigned(&part);
                written.extend(places(&[part]));
            }
        }
        self.told.extend(written.iter().cloned());
        written
    }
}
