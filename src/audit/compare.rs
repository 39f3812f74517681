//! Whether two places show one history, and where they part if they do not.
//!
//! 1. Both checkpoints must be of one ledger.
//! 2. Of equal sizes, the roots must be equal. Of others, the smaller checkpoint's root must be the root of as many leaves of
//!    the larger one's tiles, each believed under its own checkpoint.
//! 3. Where they part, the first leaf that differs is found by descent through both trees, a tile a level.
//! 4. Whoever cosigned two roots of one size is named by a proof that verifies by itself.
//!
//! Who signed a checkpoint is not judged here, save for those proofs: an audit does.

use std::path::Path;

use crate::audit::AuditError;
use crate::audit::copy::{GENESIS_PATH, POLICY_PATH};
use crate::audit::cosigners::{accuse, keys_of};
use crate::audit::finding::{Fault, Finding};
use crate::audit::held::Held;
use crate::audit::source::{self, Source, is_url};
use crate::audit::tiles::{Tree, WIDTH};
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::key::{Algorithm, PublicKey, VerifierKey};
use crate::core::limits::GENESIS_BYTES_MAX;
use crate::limits::{AUDIT_ENTRY_BUNDLES, POLICY_FILE_BYTES_MAX};
use crate::log::entry::BlockEntry;
use crate::log::merkle::{NodeHashes, root_at};
use crate::log::misbehaviour::Misbehaviour;

/// One of the two places: a checkpoint, and the tiles behind it unless it is a note file.
pub struct Side {
    pub name: String,
    pub held: Held,
    source: Option<Box<dyn Source>>,
}

impl Side {
    /// A node or file server, a folder of tiles, or a file with a checkpoint note.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn open(place: &str) -> Result<Self, AuditError> {
        if !is_url(place) && Path::new(place).is_file() {
            return Ok(Side { name: place.to_owned(), held: Held::read(Path::new(place))?, source: None });
        }
        let source = source::open(place);
        Ok(Side { name: place.to_owned(), held: Held::of(source.as_ref())?, source: Some(source) })
    }

    fn tree(&self) -> Result<Option<Tree<'_>>, AuditError> {
        self.source.as_deref().map(|source| Tree::open(source, &self.held.checkpoint)).transpose()
    }

    /// The cosigner keys that the place knows: of its genesis file, and of its policy. Only a signature under one of them
    /// makes a proof, so that a place that lies here accuses nobody.
    fn keys(&self) -> Vec<(String, PublicKey)> {
        let Some(source) = &self.source else {
            return Vec::new();
        };
        let genesis = source.read(GENESIS_PATH, GENESIS_BYTES_MAX).ok().and_then(|bytes| Genesis::parse(&bytes).ok());
        let mut keys = genesis.map(|genesis| keys_of(&genesis.validator_set())).unwrap_or_default();
        let policy = source.read(POLICY_PATH, POLICY_FILE_BYTES_MAX).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let witness = |line: &str| VerifierKey::parse(line.strip_prefix("witness ")?.split_once(' ')?.1).ok();
        let cosigners = policy.iter().flat_map(|policy| policy.lines()).filter_map(witness);
        let prefix = format!("{}/validator/", self.held.checkpoint.origin);
        keys.extend(cosigners.filter(|key| key.algorithm() == Algorithm::Cosignature).filter_map(|key| {
            let agency = key.name().strip_prefix(&prefix)?.to_owned();
            Some((agency, *key.public()))
        }));
        keys
    }
}

/// Two histories: where they part, as far as it can be told.
#[derive(Clone, Debug)]
pub struct Parted {
    /// With both sides' place and leaf hashes; the height where the block's entry is found.
    pub finding: Finding,
    /// Proofs against those who cosigned two roots of one size.
    pub accused: Vec<Misbehaviour>,
}

/// What a comparison showed.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Of equal size and root.
    Same,
    /// The larger one continues the smaller one.
    Continues,
    Parted(Box<Parted>),
}

/// Compares two places. `genesis` gives cosigner keys where the places have none.
///
/// # Errors
/// [`AuditError`]; [`AuditError::Incomparable`] when the larger checkpoint has no tiles.
pub fn compare(a: &Side, b: &Side, genesis: Option<&Genesis>) -> Result<Outcome, AuditError> {
    b.held.check_origin(&a.held.checkpoint.origin)?;
    let (smaller, larger) = if a.held.checkpoint.size <= b.held.checkpoint.size { (a, b) } else { (b, a) };
    let (less, more) = (&smaller.held.checkpoint, &larger.held.checkpoint);
    if less == more {
        return Ok(Outcome::Same);
    }
    let tree = larger.tree()?;
    let root = match &tree {
        _ if less.size == more.size => more.root,
        Some(tree) => root_at(tree, less.size)?,
        None => {
            return Err(AuditError::Incomparable(format!(
                "{} is a note of size {} without tiles, and {} of size {}: notes alone are compared only at equal sizes; \
                 give an address or a folder of tiles for the larger one",
                larger.name, more.size, smaller.name, less.size
            )));
        }
    };
    if root == less.root {
        return Ok(Outcome::Continues);
    }
    let expected = format!("root {}, as {} has it", less.root, smaller.name);
    let mut finding = Finding::new(Fault::Fork, format!("root {root} of the first {} leaves of {}", less.size, larger.name), expected);
    if let (Some(tree), Some(other)) = (tree, smaller.tree()?) {
        finding = first_difference(&tree, &other, [&larger.name, &smaller.name])?;
    }
    let mut keys = genesis.map(|genesis| keys_of(&genesis.validator_set())).unwrap_or_default();
    keys.extend(smaller.keys());
    keys.extend(larger.keys());
    let accused = accuse([&a.held.note, &b.held.note], &keys);
    Ok(Outcome::Parted(Box::new(Parted { finding, accused })))
}

/// The first leaf that two trees have otherwise; they differ within the smaller one.
fn first_difference(larger: &Tree<'_>, smaller: &Tree<'_>, names: [&str; 2]) -> Result<Finding, AuditError> {
    let position = first_differing_leaf(larger, smaller)?;
    let [found, expected] = [larger.node(0, position)?, smaller.node(0, position)?];
    let height = height_of(smaller, position)?.or(height_of(larger, position)?);
    let says = |name: &str, hash: Hash| format!("leaf {hash} in {name}");
    let mut finding = Finding::new(Fault::Fork, says(names[0], found), says(names[1], expected)).at(position);
    finding.height = height;
    Ok(finding)
}

/// Goes over the complete subtrees of the smaller tree to the first that differs, and down in it.
fn first_differing_leaf(larger: &Tree<'_>, smaller: &Tree<'_>) -> Result<u64, AuditError> {
    let differs = |level: u32, index: u64| Ok::<_, AuditError>(larger.node(level, index)? != smaller.node(level, index)?);
    let mut start = 0;
    while start < smaller.size() {
        let level = (smaller.size() - start).ilog2();
        if differs(level, start >> level)? {
            let mut index = start >> level;
            for below in (0..level).rev() {
                index *= 2;
                if !differs(below, index)? {
                    index += 1;
                }
            }
            return Ok(index);
        }
        start += 1 << level;
    }
    let whole = Finding::new(Fault::Tile, "equal leaves under unequal roots", "one root for equal leaves");
    Err(whole.into())
}

/// The height of the block that holds a leaf: of the first entry from there on, unless it is far away.
fn height_of(tree: &Tree<'_>, position: u64) -> Result<Option<u64>, AuditError> {
    let first = position / WIDTH;
    for index in (first..tree.bundles()).take(usize::try_from(AUDIT_ENTRY_BUNDLES).expect("some bundles")) {
        let known = usize::try_from(position.saturating_sub(index * WIDTH)).expect("below 256");
        let leaves = tree.bundle(index)?;
        let entry = leaves.iter().skip(known).find_map(|leaf| BlockEntry::parse(&leaf.bytes).ok());
        if let Some(entry) = entry {
            return Ok(Some(entry.height));
        }
    }
    Ok(None)
}
