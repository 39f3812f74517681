//! Whether a validator that was started may sign: it must be level with the others first.
//!
//! Its disk may be an older copy (a restored backup, a snapshot). Then `last-signed` and the WAL know nothing of what it
//! signed since, at heights up to the one above the others' newest block.
//! 1. Nothing is signed before more than two thirds of the validators, this one included, have told how far they are.
//! 2. Nothing is signed before the own store has reached the highest of the heights told then. One that only a liar can have
//!    told holds it up for a while, no longer: its signatures wait, and its session goes on.
//! 3. A certificate met on the way that holds a signature of its own beyond `last-signed` shows that the disk is an older
//!    copy: it forgets what it signed, and votes again only where it cannot have voted yet (`driver/watch.rs`).
//!
//! What is left: a copy so fresh that the height of its last vote is still being decided, or is decided by one peer alone.

use std::sync::Mutex;
use std::time::Instant;

use tokio::sync::watch;

use super::heard::Heard;
use crate::consensus::clock;
use crate::limits::LIAR_HOLDS_UP;

/// What is known of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Too few have told how far they are, or that they are further.
    Unheard,
    Behind,
    Level,
}

/// Where this validator stands since the start of its process.
#[derive(Debug)]
pub struct Level {
    stand: watch::Sender<Stand>,
    /// The highest height told when enough had spoken first, and when that was.
    target: Mutex<Option<(u64, Instant)>>,
}

impl Level {
    /// `height` is that of the store. An empty store is another matter (`driver/watch.rs`): nobody tells of height 0.
    pub fn new(height: u64) -> Self {
        let stand = if height == 0 { Stand::Level } else { Stand::Unheard };
        Level { stand: watch::Sender::new(stand), target: Mutex::new(None) }
    }

    pub fn is_level(&self) -> bool {
        *self.stand.borrow() == Stand::Level
    }

    /// Looks again, with the store at `height`.
    pub fn look(&self, heard: &Heard, height: u64) -> Stand {
        if self.is_level() {
            return Stand::Level;
        }
        let mut target = self.target.lock().expect("no holder panics");
        *target = target.or_else(|| heard.highest_of_quorum().map(|highest| (highest, clock::instant())));
        let stand = match *target {
            None => Stand::Unheard,
            Some((highest, _)) if height >= highest => Stand::Level,
            // Told by so few that they may all be liars.
            Some((_, since)) if heard.reached().is_some_and(|reached| reached <= height) => {
                if clock::since(since) > LIAR_HOLDS_UP {
                    Stand::Level
                } else {
                    Stand::Unheard
                }
            }
            Some(_) => Stand::Behind,
        };
        self.stand.send_if_modified(|known| std::mem::replace(known, stand) != stand);
        stand
    }

    /// Waits until the others have told. While fewer than more than two thirds can be heard nothing can be decided either, so
    /// nobody waits for this validator; to end the session instead would lose what the engine knows of the height.
    pub async fn heard(&self) -> Stand {
        // A simulation does not wait within a signature.
        #[cfg(feature = "test-faults")]
        if clock::simulated::is_on() {
            return *self.stand.borrow();
        }
        let mut stand = self.stand.subscribe();
        let told = stand.wait_for(|stand| *stand != Stand::Unheard).await;
        told.map_or(Stand::Behind, |stand| *stand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use malachite_app::app::types::PeerId;

    fn peer(number: u8) -> PeerId {
        let mut bytes = vec![0, 36, 8, 1, 18, 32];
        bytes.extend([number; 32]);
        PeerId::from_bytes(&bytes).unwrap()
    }

    #[test]
    fn the_heights_told_first_have_to_be_reached() {
        let heard = Heard::default();
        heard.listen_to([peer(1), peer(2), peer(3)]);
        let level = Level::new(5);
        assert_eq!(level.look(&heard, 5), Stand::Unheard);
        heard.note(&peer(1), 9);
        assert_eq!(level.look(&heard, 9), Stand::Unheard, "one of three others is too few");
        heard.note(&peer(2), 8);
        assert_eq!(level.look(&heard, 5), Stand::Behind);
        heard.note(&peer(2), 20);
        assert_eq!(level.look(&heard, 8), Stand::Behind);
        assert_eq!(level.look(&heard, 9), Stand::Level);
        assert_eq!(level.look(&heard, 3), Stand::Level, "once level, always");
        assert!(Level::new(0).is_level());
    }

    #[test]
    fn one_that_tells_more_than_all_others_ends_no_session() {
        let heard = Heard::default();
        heard.listen_to([peer(1), peer(2), peer(3)]);
        let level = Level::new(5);
        heard.note(&peer(1), u64::MAX - 1);
        heard.note(&peer(2), 5);
        assert_eq!(level.look(&heard, 5), Stand::Unheard, "signatures wait");
        heard.note(&peer(3), 6);
        assert_eq!(level.look(&heard, 5), Stand::Behind, "a second one tells more");
    }
}
