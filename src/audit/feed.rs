//! The leaves of a tree in order, checked against it and parsed, some bundles ahead of who takes them.
//!
//! A few threads take the bundles in turns: each reads tile and bundle, checks both, parses the records, and waits when its
//! bounded channel is full. The taker goes round the channels, so the leaves arrive in their order.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::audit::AuditError;
use crate::audit::tiles::{ProvenLeaf, Tree, WIDTH};
use crate::core::hash::Hash;
use crate::core::record::Record;
use crate::limits::{AUDIT_BATCH_BUNDLES, AUDIT_BUNDLES_AHEAD, AUDIT_FETCHERS};
use crate::log::entry;

/// A leaf of the tree, as far as it can be read without the state.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub bytes: Arc<[u8]>,
    pub hash: Hash,
    pub content: Content,
}

/// What a leaf is.
#[derive(Clone, Debug)]
pub enum Content {
    Entry,
    Record(Arc<Record>),
    /// Not a record: why is found when its block is executed.
    Other,
}

type Bundle = Result<Vec<Leaf>, AuditError>;

/// Gives the leaves from position `from` to the end of the tree to `take`, some thousand at once.
///
/// # Errors
/// [`AuditError`], the first one in the order of the leaves; those of `take`.
pub fn feed(tree: &Tree<'_>, origin: &str, from: u64, mut take: impl FnMut(Vec<Leaf>) -> Result<(), AuditError>) -> Result<(), AuditError> {
    let first = from / WIDTH;
    let end = if from < tree.size() { tree.bundles() } else { first };
    std::thread::scope(|scope| {
        let channels: Vec<Receiver<Bundle>> = (first..end)
            .take(AUDIT_FETCHERS)
            .map(|start| {
                let (sender, receiver) = sync_channel(AUDIT_BUNDLES_AHEAD);
                scope.spawn(move || fetch(tree, origin, start, &sender));
                receiver
            })
            .collect();
        let mut batch = Vec::new();
        for (index, channel) in (first..end).zip(channels.iter().cycle()) {
            let bundle = channel.recv().expect("a fetcher ends behind its last bundle, or with an error")?;
            // Only the first bundle can begin before the place to start from.
            let known = from.saturating_sub(index * WIDTH);
            batch.extend(bundle.into_iter().skip(usize::try_from(known).expect("below 256")));
            if (index + 1 - first).is_multiple_of(AUDIT_BATCH_BUNDLES) || index + 1 == end {
                take(std::mem::take(&mut batch))?;
            }
        }
        Ok(())
    })
}

/// Sends every bundle of one turn, until the taker has gone or one is wrong.
fn fetch(tree: &Tree<'_>, origin: &str, start: u64, sender: &SyncSender<Bundle>) {
    for index in (start..tree.bundles()).step_by(AUDIT_FETCHERS) {
        let bundle = tree.bundle(index).map(|leaves| leaves.into_iter().map(|leaf| read(leaf, origin)).collect());
        let is_last = bundle.is_err();
        if sender.send(bundle).is_err() || is_last {
            return;
        }
    }
}

fn read(leaf: ProvenLeaf, origin: &str) -> Leaf {
    let content = if leaf.bytes.starts_with(entry::HEADER.as_bytes()) {
        Content::Entry
    } else {
        Record::parse(&leaf.bytes, origin).map_or(Content::Other, |record| Content::Record(Arc::new(record)))
    };
    Leaf { bytes: leaf.bytes, hash: leaf.hash, content }
}
