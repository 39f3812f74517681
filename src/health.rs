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

/// Shared by the node's tasks; each writes what it knows.
#[derive(Debug)]
pub struct Health {
    /// The agency that runs this node.
    pub agency: String,
    /// Whether the node holds a validator's keys.
    pub is_validator: bool,
    life: Mutex<Life>,
    low_space: AtomicBool,
    /// Agency of each other validator, and whether the record swarm is connected to it.
    peers: Mutex<BTreeMap<String, bool>>,
}

impl Health {
    pub fn new(agency: String, is_validator: bool, peers: impl IntoIterator<Item = String>) -> Self {
        let peers = peers.into_iter().map(|agency| (agency, false)).collect();
        Health { agency, is_validator, life: Mutex::new(Life::Starting), low_space: AtomicBool::new(false), peers: Mutex::new(peers) }
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

    pub fn peers(&self) -> BTreeMap<String, bool> {
        self.peers.lock().expect("no holder panics").clone()
    }

    pub fn set_connected(&self, agency: &str, connected: bool) {
        if let Some(state) = self.peers.lock().expect("no holder panics").get_mut(agency) {
            *state = connected;
        }
    }
}
