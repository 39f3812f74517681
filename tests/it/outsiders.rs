//! Outsiders with keys of their own and valid handshakes at the ports of the swarms: closed at once, and members stay.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use libp2p::swarm::{ConnectionError, NetworkBehaviour, SwarmEvent, dummy};
use libp2p::{Multiaddr, Swarm, identify, identity, noise, tcp, yamux};
use sharelog::core::genesis::Genesis;
use sharelog::core::json::Value;

use super::network::TestNetwork;
use super::ports::goes_on;
use super::torture::{runs, under_load};

/// Outsiders at each port.
const OUTSIDERS: usize = 500;
/// An outsider alone is closed within this time, and a whole crowd, half of its work done in this process, within ten times of it.
const CLOSED: Duration = Duration::from_secs(1);
/// How long one is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of an outsider.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It never got a connection.
    Refused,
    ClosedAfter(Duration),
    Stayed,
}

impl Fate {
    fn closed_after(&self) -> Option<Duration> {
        match self {
            Fate::ClosedAfter(time) => Some(*time),
            Fate::Refused | Fate::Stayed => None,
        }
    }
}

/// A peer with a key of its own and this behaviour.
fn outsider<B: NetworkBehaviour>(behaviour: impl FnOnce(&identity::Keypair) -> B) -> Swarm<B> {
    libp2p::SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|key| behaviour(key))
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::MAX))
        .build()
}

/// Dials and waits until the connection is over.
async fn knock<B: NetworkBehaviour>(mut swarm: Swarm<B>, address: Multiaddr) -> Fate {
    swarm.dial(address).unwrap();
    let mut established = None;
    let over = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { .. } => established = Some(Instant::now()),
                // Its own side gave up a connection that nobody used: the other one had not closed it.
                SwarmEvent::ConnectionClosed { cause: Some(ConnectionError::KeepAliveTimeout), .. } => return None,
                SwarmEvent::ConnectionClosed { .. } => return Some(true),
                SwarmEvent::OutgoingConnectionError { .. } => return Some(false),
                _ => {}
            }
        }
    };
    match tokio::time::timeout(PATIENCE, over).await {
        Ok(Some(true)) => Fate::ClosedAfter(established.unwrap().elapsed()),
        Ok(Some(false)) => Fate::Refused,
        Ok(None) | Err(_) => Fate::Stayed,
    }
}

/// All at once at one port: every other one says who it is, as the protocol wants, and the others say nothing.
fn crowd(address: &str, count: usize) -> Vec<Fate> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let address: Multiaddr = address.parse().unwrap();
    runtime.block_on(async {
        let knocking = (0..count).map(|index| {
            let address = address.clone();
            tokio::spawn(async move {
                if index % 2 == 0 {
                    knock(outsider(|_| dummy::Behaviour), address).await
                } else {
                    let polite =
                        |key: &identity::Keypair| identify::Behaviour::new(identify::Config::new("/outsider/1".into(), key.public()));
                    knock(outsider(polite), address).await
                }
            })
        });
        futures::future::join_all(knocking).await.into_iter().map(Result::unwrap).collect()
    })
}

/// Asserts that every node is connected to all others.
fn members_are_connected(network: &TestNetwork) {
    for node in 0..4 {
        let status = network.net.ask(node, "/api/v1/status").unwrap();
        let peers = status.get("peers").and_then(Value::as_array).unwrap();
        let connected = peers.iter().filter(|peer| peer.get("connected").and_then(Value::as_bool) == Some(true)).count();
        assert_eq!(connected, 3, "node {node}: {peers:?}");
    }
}

#[test]
fn five_hundred_outsiders_at_a_port_are_closed_at_once_and_members_stay() {
    runs("outsiders at the swarms", |_| {
        let mut network = TestNetwork::start();
        let genesis = Genesis::parse(&network.genesis).unwrap();
        let records = under_load(&mut network, "outsiders", |network| {
            for address in [&genesis.validators[0].records[0], &genesis.validators[0].addresses[0]] {
                let pairs: Vec<_> = (0..5).map(|_| crowd(address, 2)).collect();
                for kind in 0..2 {
                    let fastest = pairs.iter().filter_map(|pair| pair[kind].closed_after()).min();
                    assert!(fastest.is_some_and(|time| time < CLOSED), "alone at {address}: {pairs:?}");
                }
                let fates = crowd(address, OUTSIDERS);
                let mut times: Vec<_> = fates.iter().filter_map(Fate::closed_after).collect();
                times.sort_unstable();
                let count = |wanted: Fate| fates.iter().filter(|fate| **fate == wanted).count();
                println!(
                    "{address}: {} refused, {} closed after at most {:?}, {} stayed",
                    count(Fate::Refused),
                    times.len(),
                    times.last(),
                    count(Fate::Stayed)
                );
                members_are_connected(network);
                assert!(times.len() > 10, "void: {} outsiders came in", times.len());
                assert_eq!(count(Fate::Stayed), 0, "outsiders stay at {address}");
                assert!(times[times.len() - 1] < 10 * CLOSED, "an outsider stays for {:?} at {address}", times.last());
                goes_on(network, "outsiders");
            }
        });
        (records, 2 * OUTSIDERS)
    });
}
