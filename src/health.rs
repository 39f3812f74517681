//! What a node says of itself: life, role, peers.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where a node stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// The store is being opened.
    Starting,
    /// Behind the validators.
    Syncing,
    Ready,
    /// The disk is nearly full: reads go on, records are not taken.
    LowSpace,
    /// Damage was found: nothing is signed or taken.
    Corrupt,
}

impl Life {
    pub fn as_str(self) -> &'static str {
        match self {
            Life::Starting => "starting",
            Life::Syncing => "syncing",
            Life::Ready => "ready",
            Life::LowSpace => "low-space",
            Life::Corrupt => "corrupt",
        }
    }
}

/// Another node: the agency that runs it, and its peer id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    pub agency: String,
    pub peer: String,
}

/// Shared by the node's tasks; each writes what it knows.
#[derive(Debug)]
pub struct Health {
    /// The agency that runs this node.
    pub agency: String,
    /// Whether the node holds a validator's keys.
    pub is_validator: bool,
    life: Mutex<Life>,
    low_space: AtomicBool,
    /// The other nodes that this one speaks with, and whether the record swarm is connected to them.
    peers: Mutex<BTreeMap<Known, bool>>,
}

impl Health {
    /// Without peers, see [`Health::set_peers`].
    pub fn new(agency: String, is_validator: bool) -> Self {
        Health { agency, is_validator, life: Mutex::new(Life::Starting), low_space: AtomicBool::default(), peers: Mutex::default() }
    }

    /// A ready node with too little free disk is `low-space`.
    pub fn life(&self) -> Life {
        let life = *self.life.lock().expect("no holder panics");
        if life == Life::Ready && self.low_space.load(Ordering::Relaxed) { Life::LowSpace } else { life }
    }

    pub fn set_low_space(&self, low: bool) {
        self.low_space.store(low, Ordering::Relaxed);
    }

    pub fn set_life(&self, life: Life) {
        *self.life.lock().expect("no holder panics") = life;
    }

    /// Ascending by agency and peer id.
    pub fn peers(&self) -> BTreeMap<Known, bool> {
        self.peers.lock().expect("no holder panics").clone()
    }

    /// Names the nodes that this one speaks with from now on; what is connected stays so.
    pub fn set_peers(&self, known: impl IntoIterator<Item = Known>) {
        let mut peers = self.peers.lock().expect("no holder panics");
        *peers = known.into_iter().map(|known| (known.clone(), peers.get(&known).is_some_and(|connected| *connected))).collect();
    }

    pub fn set_connected(&self, known: &Known, connected: bool) {
        if let Some(state) = self.peers.lock().expect("no holder panics").get_mut(known) {
            *state = connected;
        }
    }
}
