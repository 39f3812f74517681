//! Putting proposals together from their parts, which may come in any order and from peers that send too much.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use malachite_app::app::engine::util::streaming::StreamContent;
use malachite_app::app::types::PeerId;
use malachite_app::app::types::streaming::{StreamId, StreamMessage};

use super::context::{Init, Part};
use crate::limits::{PART_BYTES, STREAM_ID_BYTES_MAX, STREAMS_PER_PEER_MAX};

/// A whole proposal, nothing of it checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    pub init: Init,
    pub body: Bytes,
    /// Said to be the round's proposer's over `parts_text`.
    pub signature: [u8; 64],
}

#[derive(Debug, Default)]
struct Stream {
    parts: BTreeMap<u64, Part>,
    bytes: usize,
    /// Number of parts, known once `Fin` is there.
    count: Option<u64>,
    /// Which of the peer's streams is the oldest.
    started: u64,
}

/// The unfinished streams.
#[derive(Debug)]
pub struct Streams {
    streams: HashMap<(PeerId, StreamId), Stream>,
    body_bytes_max: usize,
    started: u64,
}

impl Streams {
    /// A stream whose body exceeds `body_bytes_max` is dropped.
    pub fn new(body_bytes_max: usize) -> Self {
        Streams { streams: HashMap::new(), body_bytes_max, started: 0 }
    }

    pub fn set_body_bytes_max(&mut self, bytes: usize) {
        self.body_bytes_max = bytes;
    }

    /// Drops streams of heights below `height`.
    pub fn start_height(&mut self, height: u64) {
        self.streams.retain(|_, stream| match stream.parts.get(&0) {
            Some(Part::Init(init)) => init.height.0 >= height,
            _ => true,
        });
    }

    /// Takes a part; gives the proposal that it completes.
    pub fn add(&mut self, peer: PeerId, message: StreamMessage<Part>) -> Option<Assembled> {
        let StreamMessage { stream_id, sequence, content: StreamContent::Data(part) } = message else {
            return None;
        };
        if stream_id.to_bytes().len() > STREAM_ID_BYTES_MAX {
            return None;
        }
        let key = (peer, stream_id);
        if !self.streams.contains_key(&key) {
            self.make_room(peer);
            self.started += 1;
            self.streams.insert(key.clone(), Stream { started: self.started, ..Stream::default() });
        }
        let stream = self.streams.get_mut(&key)?;
        stream.bytes += match &part {
            Part::Body(bytes) => bytes.len(),
            Part::Init(_) | Part::Fin(_) => 0,
        };
        if matches!(part, Part::Fin(_)) {
            stream.count = Some(sequence.saturating_add(1));
        }
        let is_repeated = stream.parts.insert(sequence, part).is_some();
        let parts_max = self.body_bytes_max.div_ceil(PART_BYTES) + 2;
        if is_repeated || stream.bytes > self.body_bytes_max || stream.parts.len() > parts_max {
            self.streams.remove(&key);
            return None;
        }
        let held = u64::try_from(stream.parts.len()).ok()?;
        if stream.count != Some(held) {
            return None;
        }
        self.streams.remove(&key).and_then(assemble)
    }

    fn make_room(&mut self, peer: PeerId) {
        let of_peer = self.streams.iter().filter(|((owner, _), _)| *owner == peer);
        if of_peer.clone().count() < STREAMS_PER_PEER_MAX {
            return;
        }
        let oldest = of_peer.min_by_key(|(_, stream)| stream.started).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.streams.remove(&key);
        }
    }
}

/// `Init`, pieces, `Fin`, without gaps; anything else is no proposal.
fn assemble(stream: Stream) -> Option<Assembled> {
    let count = stream.parts.len();
    let mut parts = stream.parts.into_iter().zip(0_u64..);
    let Some(((0, Part::Init(init)), 0)) = parts.next() else {
        return None;
    };
    let mut body = Vec::with_capacity(stream.bytes);
    for _ in 2..count {
        match parts.next()? {
            ((sequence, Part::Body(piece)), index) if sequence == index => body.extend_from_slice(&piece),
            _ => return None,
        }
    }
    match parts.next()? {
        ((sequence, Part::Fin(signature)), index) if sequence == index => Some(Assembled { init, body: body.into(), signature }),
        _ => None,
    }
}

/// The parts of a proposal as a stream.
pub fn parts(stream: &StreamId, proposal: &Assembled) -> Vec<StreamMessage<Part>> {
    let pieces = (0..proposal.body.len()).step_by(PART_BYTES).map(|start| {
        let end = proposal.body.len().min(start + PART_BYTES);
        Part::Body(proposal.body.slice(start..end))
    });
    let parts = std::iter::once(Part::Init(proposal.init)).chain(pieces).chain([Part::Fin(proposal.signature)]);
    parts.zip(0..).map(|(part, sequence)| StreamMessage::new(stream.clone(), sequence, StreamContent::Data(part))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::context::{Address, Height};
    use super::*;

    fn peer(number: u8) -> PeerId {
        let mut bytes = vec![0, 36, 8, 1, 18, 32];
        bytes.extend([number; 32]);
        PeerId::from_bytes(&bytes).unwrap()
    }

    fn proposal(bytes: usize) -> Assembled {
        let init = Init { height: Height(3), round: 1, valid_round: None, proposer: Address([1; 32]) };
        Assembled { init, body: vec![7; bytes].into(), signature: [9; 64] }
    }

    fn stream(name: &'static str) -> StreamId {
        StreamId::new(name.into())
    }

    #[test]
    fn parts_come_together_in_any_order() {
        let sent = proposal(3 * PART_BYTES - 5);
        let mut streams = Streams::new(4 * PART_BYTES);
        let mut messages = parts(&stream("s"), &sent);
        messages.reverse();
        let last = messages.pop().unwrap();
        for message in messages {
            assert_eq!(streams.add(peer(1), message), None);
        }
        assert_eq!(streams.add(peer(2), last.clone()), None);
        assert_eq!(streams.add(peer(1), last), Some(sent));
    }

    #[test]
    fn too_much_is_dropped() {
        let mut streams = Streams::new(2 * PART_BYTES);
        let sent = proposal(3 * PART_BYTES);
        assert!(parts(&stream("s"), &sent).into_iter().all(|message| streams.add(peer(1), message).is_none()));
        for name in ["a", "b", "c", "d", "e"] {
            streams.add(peer(1), parts(&stream(name), &proposal(1)).remove(0));
        }
        let left = streams.streams.keys().filter(|(owner, _)| *owner == peer(1)).count();
        assert_eq!(left, STREAMS_PER_PEER_MAX);
        streams.start_height(4);
        assert!(streams.streams.is_empty());
    }
}
