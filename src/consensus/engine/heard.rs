//! What peers say of their own height, in the status messages of the engine's sync.
//!
//! A single peer may lie: only a height that at least one honest peer has reached counts once enough have spoken.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use malachite_app::app::types::PeerId;

use crate::consensus::clock;
use crate::limits::PEER_SILENCE;

/// The newest height told by each known peer.
#[derive(Debug, Default)]
pub struct Heard {
    peers: Mutex<BTreeMap<PeerId, Option<(u64, Instant)>>>,
}

impl Heard {
    /// `validators` are the other validators from now on; others are not listened to.
    pub fn listen_to(&self, validators: impl IntoIterator<Item = PeerId>) {
        let mut peers = self.peers.lock().expect("no holder panics");
        *peers = validators.into_iter().map(|peer| (peer, peers.get(&peer).copied().flatten())).collect();
    }

    pub fn note(&self, peer: &PeerId, height: u64) {
        if let Some(told) = self.peers.lock().expect("no holder panics").get_mut(peer) {
            *told = Some((height, clock::instant()));
        }
    }

    /// The heights that peers told lately, highest first.
    fn told(&self) -> Vec<u64> {
        let peers = self.peers.lock().expect("no holder panics");
        let mut told: Vec<u64> =
            peers.values().flatten().filter(|(_, at)| clock::since(*at) < PEER_SILENCE).map(|(height, _)| *height).collect();
        told.sort_unstable_by(|a, b| b.cmp(a));
        told
    }

    /// A height that the network has reached: told by so many that one of them is honest; by the only ones that spoke when
    /// they are fewer. `None` when nobody spoke lately.
    pub fn reached(&self) -> Option<u64> {
        let told = self.told();
        // So many of the validators may lie.
        let faulty_max = self.peers.lock().expect("no holder panics").len() / 3;
        told.get(faulty_max).or(told.last()).copied()
    }

    /// Whether the network has reached `height` on the word of so many that one of them is honest.
    pub fn is_surely_beyond(&self, height: u64) -> bool {
        let faulty_max = self.peers.lock().expect("no holder panics").len() / 3;
        self.told().get(faulty_max).is_some_and(|told| *told >= height)
    }

    /// The highest height that any peer told lately, once more than two thirds of the validators are there, this one
    /// included.
    pub fn highest_of_quorum(&self) -> Option<u64> {
        let told = self.told();
        let validators = self.peers.lock().expect("no holder panics").len() + 1;
        if (told.len() + 1) * 3 > validators * 2 { told.first().copied() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> PeerId {
        let mut bytes = vec![0, 36, 8, 1, 18, 32];
        bytes.extend([number; 32]);
        PeerId::from_bytes(&bytes).unwrap()
    }

    #[test]
    fn one_liar_moves_nothing_once_enough_have_spoken() {
        let heard = Heard::default();
        heard.listen_to([peer(1), peer(2), peer(3)]);
        assert_eq!(heard.reached(), None);
        heard.note(&peer(1), 7);
        assert_eq!(heard.reached(), Some(7));
        assert!(!heard.is_surely_beyond(7), "one alone may lie");
        assert_eq!(heard.highest_of_quorum(), None);
        heard.note(&peer(2), 1 << 60);
        assert_eq!(heard.highest_of_quorum(), Some(1 << 60));
        assert_eq!(heard.reached(), Some(7));
        assert!(heard.is_surely_beyond(7) && !heard.is_surely_beyond(8));
        heard.note(&peer(3), 8);
        assert_eq!(heard.reached(), Some(8));
        heard.note(&peer(9), 1 << 60);
        assert_eq!(heard.reached(), Some(8));
        heard.listen_to([peer(1), peer(3)]);
        assert_eq!((heard.reached(), heard.highest_of_quorum()), (Some(8), Some(8)));
    }
}
