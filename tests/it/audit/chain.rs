//! A ledger in memory whose keys are all known, good or forged at will, and its public files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sharelog::audit::source::{Source, SourceError};
use sharelog::core::record::Record;
use sharelog::core::state::MemoryRows;
use sharelog::log::checkpoint::{Checkpoint, Cosignature, publish};
use sharelog::log::entry::BlockEntry;
use sharelog::log::merkle::{MemoryNodes, NodeHashes as _, leaf_hash};
use sharelog::log::tile::{entries_path, tile_path};
use sharelog::store::execution::Executor;
use sharelog::store::{Head, genesis_head};

use super::super::store::ledger::{Ledger, agency_name, secret};

/// All validators of the ledger, and just enough of them.
pub const ALL: [u8; 4] = [0, 1, 2, 3];
pub const QUORUM: [u8; 3] = [0, 1, 2];

#[derive(Clone)]
pub struct Chain {
    pub ledger: Ledger,
    pub head: Head,
    pub leaves: Vec<Arc<[u8]>>,
    rows: MemoryRows,
    nodes: MemoryNodes,
}

impl Chain {
    pub fn new() -> Self {
        let ledger = Ledger::new();
        let mut rows = MemoryRows::default();
        rows.apply(&ledger.genesis.rows());
        let head = genesis_head(&ledger.genesis);
        Chain { ledger, head, leaves: Vec::new(), rows, nodes: MemoryNodes::default() }
    }

    /// A ledger of `size` leaves: duties in blocks of at most 100.
    pub fn of_size(size: u64) -> Self {
        let mut chain = Chain::new();
        while chain.size() < size {
            let records = (size - chain.size() - 1).min(100);
            // A block more needs room for its entry, and one without records a later time.
            let records: Vec<_> = (0..records).map(|index| chain.ledger.duty(u8::try_from(index % 2).unwrap() + 1)).collect();
            chain.block(&records);
        }
        chain
    }

    pub fn size(&self) -> u64 {
        self.head.size
    }

    fn push(&mut self, leaf: Arc<[u8]>) {
        self.nodes.push(leaf_hash(&leaf));
        self.leaves.push(leaf);
    }

    pub fn block(&mut self, records: &[Arc<Record>]) {
        self.forged(records, |_| ());
    }

    /// A block with the records that the rules refuse, too, whose entry `bend` may have changed.
    pub fn forged(&mut self, records: &[Arc<Record>], bend: impl FnOnce(&mut BlockEntry)) {
        let mut executor = Executor::new(&self.rows, &self.head, &self.ledger.genesis, self.head.time.plus_ms(10_000));
        for record in records {
            let _ = executor.push(record);
        }
        let execution = executor.finish("agency-0");
        for record in records {
            self.push(record.leaf().clone());
        }
        let mut entry = execution.entry;
        (entry.position, entry.root) = (self.nodes.frontier().size(), self.nodes.frontier().root());
        bend(&mut entry);
        self.push(entry.to_text().into_bytes().into());
        self.rows.apply(&execution.changes);
        let frontier = self.nodes.frontier().clone();
        self.head = Head {
            height: entry.height,
            size: frontier.size(),
            root: frontier.root(),
            state: entry.state,
            time: entry.time,
            entry_hash: entry.hash(),
            frontier,
        };
    }

    pub fn checkpoint(&self) -> Checkpoint {
        let frontier = self.nodes.frontier();
        Checkpoint { origin: self.ledger.genesis.origin.clone(), size: frontier.size(), root: frontier.root() }
    }

    pub fn note(&self, cosigners: &[u8]) -> String {
        let checkpoint = self.checkpoint();
        let sign = |number: &u8| Cosignature::sign(&checkpoint, &agency_name(*number), 1_795_564_900, &secret(*number, 2));
        publish(&checkpoint, &secret(0, 4), &cosigners.iter().map(sign).collect::<Vec<_>>()).to_text()
    }

    /// The public files, with a checkpoint of these cosigners.
    pub fn files(&self, cosigners: &[u8]) -> Files {
        let leaves = self.leaves.iter().map(AsRef::as_ref).collect::<Vec<_>>();
        let mut files = static_files(&self.nodes, &leaves);
        files.put("/checkpoint", self.note(cosigners).into_bytes());
        files.put("/genesis", self.ledger.genesis.bytes.to_vec());
        files.put("/policy", b"log x\n".to_vec());
        files
    }

    /// The files with these leaves behind all others, and all signatures.
    pub fn files_with(&mut self, leaves: &[&[u8]]) -> Files {
        for leaf in leaves {
            self.push((*leaf).into());
        }
        self.files(&ALL)
    }

    /// The files with as many leaves that are no records.
    pub fn files_of_leaves(&mut self, count: u64) -> Files {
        let leaves: Vec<_> = (0..count).map(|index| format!("leaf {index}").into_bytes()).collect();
        self.files_with(&leaves.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

/// Tiles and bundles, as wide as the tree has them.
fn static_files(nodes: &MemoryNodes, leaves: &[&[u8]]) -> Files {
    let mut files = Files::default();
    let size = nodes.frontier().size();
    for level in 0.. {
        let count = size >> (8 * level);
        if count == 0 {
            break;
        }
        let hashes: Vec<_> = (0..count).map(|index| nodes.node(8 * level, index).unwrap()).collect();
        for (index, tile) in (0..).zip(hashes.chunks(256)) {
            let bytes = tile.iter().flat_map(|hash| *hash.as_bytes()).collect();
            files.put(&tile_path(level, index, u32::try_from(tile.len()).unwrap()), bytes);
        }
    }
    for (index, bundle) in (0..).zip(leaves.chunks(256)) {
        files.put(&entries_path(index, u32::try_from(bundle.len()).unwrap()), bundle_of(bundle));
    }
    files
}

pub fn bundle_of(leaves: &[&[u8]]) -> Vec<u8> {
    leaves.iter().flat_map(|leaf| [&u16::try_from(leaf.len()).unwrap().to_be_bytes()[..], leaf].concat()).collect()
}

/// Public files by their paths: a source in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(pub BTreeMap<String, Vec<u8>>);

impl Files {
    pub fn put(&mut self, path: &str, bytes: Vec<u8>) {
        self.0.insert(path.to_owned(), bytes);
    }

    pub fn write(&self, dir: &Path) {
        for (path, bytes) in &self.0 {
            let path = dir.join(&path[1..]);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    /// Everything under `dir`.
    pub fn read(dir: &Path) -> Self {
        let mut files = Files::default();
        let mut open = vec![dir.to_owned()];
        while let Some(next) = open.pop() {
            for item in fs::read_dir(next).unwrap() {
                let path = item.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.put(&format!("/{}", path.strip_prefix(dir).unwrap().display()), fs::read(&path).unwrap());
                }
            }
        }
        files
    }
}

impl Source for Files {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn read(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, SourceError> {
        let bytes = self.0.get(path).ok_or_else(|| SourceError::Refused { url: path.to_owned(), status: 404 })?;
        Ok(bytes[..bytes.len().min(bytes_max + 1)].to_vec())
    }
}
