//! Read access. Leaves and entries are compared with the tree before they are answered, rows and index entries with their
//! checksums.
//!
//! Each call answers from one moment; two calls may answer from two. When damage is found, every later call fails, the
//! writer appends nothing more, and the databases are rebuilt at the next start. [`Rows::get`] cannot say so and panics: a missing
//! row would be a wrong vote.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use tokio::sync::watch;

use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::rules;
use crate::core::state::{Rows, Table};
use crate::core::time::Time;
use crate::log::certificate::Certificate;
use crate::log::entry::BlockEntry;
use crate::log::merkle::{NodeHashes, leaf_hash};
use crate::store::segments::Place;
use crate::store::tiles::{self, TILE_WIDTH};
use crate::store::view::{Shared, View};
use crate::store::{Block, Head, StoreError, index, rows};

const WIDTH: u64 = 256;

/// Read access for everybody: cheap to clone, never waits for the writer.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
    heads: watch::Receiver<Arc<Head>>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, heads: watch::Receiver<Arc<Head>>) -> Self {
        Reader { shared, heads }
    }

    pub fn head(&self) -> Arc<Head> {
        self.shared.view().head.clone()
    }

    /// Wakes at every new head.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Head>> {
        self.heads.clone()
    }

    pub fn genesis(&self) -> &Arc<Genesis> {
        &self.shared.genesis
    }

    /// The block of `height`, its leaves checked against the tree; `None` beyond the head.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn block(&self, height: u64) -> Result<Option<Block>, StoreError> {
        let view = self.view()?;
        let Some(place) = self.place(&view, height) else {
            return Ok(None);
        };
        self.noting(|| {
            let block = self.shared.log.block(&place)?;
            let leaves = block.records.iter().chain([&block.entry_leaf]);
            for (position, leaf) in (place.header.first..).zip(leaves) {
                self.check_leaf(&view, &place, position, leaf)?;
            }
            Ok(Some(block))
        })
    }

    /// The entry of `height`, checked against the tree; `None` beyond the head and for 0.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn entry(&self, height: u64) -> Result<Option<BlockEntry>, StoreError> {
        let view = self.view()?;
        let Some(place) = self.place(&view, height) else {
            return Ok(None);
        };
        self.noting(|| {
            let leaf = self.shared.log.entry_leaf(&place)?;
            self.check_leaf(&view, &place, place.position(), &leaf)?;
            let entry = BlockEntry::parse(&leaf).map_err(|refusal| self.shared.log.damaged(&place, refusal.to_string()))?;
            Ok(Some(entry))
        })
    }

    /// The certificate of `height`, checked under the set of that height; `None` beyond the head and for 0.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn certificate(&self, height: u64) -> Result<Option<Certificate>, StoreError> {
        let view = self.view()?;
        let Some(place) = self.place(&view, height) else {
            return Ok(None);
        };
        let set = rules::validator_set(self, height);
        self.noting(|| {
            let certificate = self.shared.log.certificate(&place)?;
            let block = self.shared.with_tree(&view, |tree| tree.node(0, place.position()))?;
            let checked = certificate.verify(&self.shared.genesis.origin, height, &block, &set);
            checked.map_err(|refusal| self.shared.log.damaged(&place, format!("certificate: {refusal}")))?;
            Ok(Some(certificate))
        })
    }

    /// The height of the block that holds `position` (its entry included); `None` beyond the head.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn height_of(&self, position: u64) -> Result<Option<u64>, StoreError> {
        let view = self.view()?;
        Ok((position < view.head.size).then(|| self.shared.log.first_height(|place| place.position() >= position)))
    }

    /// The leaf at `position`, checked against the tree.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn leaf(&self, position: u64) -> Result<Option<Arc<[u8]>>, StoreError> {
        let view = self.view()?;
        self.noting(|| self.leaf_of(&view, position))
    }

    /// The bytes of a C2SP tile of hashes: `width` (1 to 256) hashes from `index * 256` at tile level `level`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tile(&self, level: u32, index: u64, width: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let view = self.view()?;
        let Some(width) = width_of(width) else {
            return Ok(None);
        };
        self.noting(|| {
            let tile = self.shared.with_tree(&view, |tree| tree.tile((level, index), width))?;
            Ok(tile.and_then(|tile| tile.get(..width).map(tiles::encode)))
        })
    }

    /// The bytes of a C2SP entry bundle: `width` leaves from `index * 256`, each behind its length as two bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn entries(&self, index: u64, width: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let view = self.view()?;
        let first = index.checked_mul(WIDTH);
        let end = first.and_then(|first| first.checked_add(u64::from(width)));
        let (Some(first), Some(end), Some(_)) = (first, end, width_of(width)) else {
            return Ok(None);
        };
        if end > view.head.size {
            return Ok(None);
        }
        self.noting(|| {
            let mut out = Vec::new();
            for position in first..end {
                let leaf = self.leaf_of(&view, position)?.unwrap_or_default();
                let too_long = |_| StoreError::Corrupt { object: format!("leaf {position}"), found: "over 65,535 bytes".into() };
                out.extend_from_slice(&u16::try_from(leaf.len()).map_err(too_long)?.to_be_bytes());
                out.extend_from_slice(&leaf);
            }
            Ok(Some(out))
        })
    }

    /// Positions indexed under `term` (see `store/index.rs`), ascending, in `from..to`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn positions(&self, term: &str, from: u64, to: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        let view = self.view()?;
        let to = to.min(view.head.size);
        let mut out = Vec::new();
        if from >= to || limit == 0 {
            return Ok(out);
        }
        let term = index::term_key(term);
        let wanted = |position: &u64| (from..to).contains(position);
        self.noting(|| {
            let (lowest, start) = (index::entry_key(&term, 0), index::entry_key(&term, from));
            let before = self.shared.db.last_in(&lowest, &start)?;
            let start = before.as_ref().map_or(&start[..], |(key, _)| key);
            for item in self.shared.db.range(start, &index::entry_key(&term, to)) {
                let (key, value) = item?;
                let positions = index::decode(&key, &value).ok_or_else(malformed_index)?;
                out.extend(positions.into_iter().filter(wanted));
                if out.len() >= limit {
                    break;
                }
            }
            for layer in &view.layers {
                let known = out.last().copied();
                let newer = layer.terms.get(&term).into_iter().flatten().copied();
                out.extend(newer.filter(wanted).filter(|position| known.is_none_or(|known| *position > known)));
            }
            out.truncate(limit);
            Ok(out)
        })
    }

    /// `first` of the first block whose time is at or after `time`; the head's size when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn first_at_or_after(&self, time: Time) -> Result<u64, StoreError> {
        let view = self.view()?;
        let height = self.shared.log.first_height(|place| place.header.time >= time);
        Ok(self.place(&view, height).map_or(view.head.size, |place| place.header.first))
    }

    /// Rows of `table` with keys after `after`, ascending by key, at most `limit`; without those whose key is a record id
    /// and something behind it (see `store/rows.rs`).
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rows(&self, table: Table, after: Option<&str>, limit: usize) -> Result<Vec<(String, Arc<Value>)>, StoreError> {
        let view = self.view()?;
        let prefix = rows::prefix(table);
        let end = rows::end(table);
        let start = after.map_or_else(|| prefix.clone(), |key| rows::encode_key(table, key));
        let lower = if after.is_some() { Bound::Excluded(start.clone()) } else { Bound::Included(start.clone()) };
        let mut newer = BTreeMap::new();
        for layer in &view.layers {
            newer.extend(layer.rows.range((lower.clone(), Bound::Excluded(end.clone()))));
        }
        self.noting(|| {
            let mut newer = newer.into_iter().peekable();
            let mut found: Vec<(Vec<u8>, Arc<Value>)> = Vec::new();
            let mut stored = self.shared.db.range(&start, &end).filter(|item| match item {
                Ok((key, _)) => after.is_none() || key.as_ref() > &start[..],
                Err(_) => true,
            });
            let mut next_stored = stored.next().transpose()?;
            while found.len() < limit {
                match (newer.peek(), &next_stored) {
                    (None, None) => break,
                    (Some((key, value)), stored_item) if stored_item.as_ref().is_none_or(|(stored, _)| key[..] <= stored[..]) => {
                        if stored_item.as_ref().is_some_and(|(stored, _)| key[..] == stored[..]) {
                            next_stored = stored.next().transpose()?;
                        }
                        found.extend((*value).clone().map(|value| ((*key).clone(), value)));
                        newer.next();
                    }
                    (_, Some((key, value))) => {
                        found.push((key.to_vec(), rows::decode_value(value).ok_or_else(malformed_row)?));
                        next_stored = stored.next().transpose()?;
                    }
                    (Some(_), None) => break,
                }
            }
            let decode = |(key, value): (Vec<u8>, _)| Some((rows::decode_key(key.get(prefix.len()..)?)?, value));
            found.into_iter().map(|row| decode(row).ok_or_else(malformed_row)).collect()
        })
    }

    /// A row, or the damage that was found instead.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn row(&self, table: Table, key: &str) -> Result<Option<Arc<Value>>, StoreError> {
        let view = self.view()?;
        let key = rows::encode_key(table, key);
        if let Some(value) = view.row(&key) {
            return Ok(value.clone());
        }
        let began = match self.shared.rows.get(&key) {
            Ok(found) => return Ok(Some(found)),
            Err(began) => began,
        };
        if !self.shared.db.may_hold(&key) {
            return Ok(None);
        }
        let value = self.noting(|| {
            let stored = self.shared.db.get(&key)?;
            stored.map(|value| rows::decode_value(&value).ok_or_else(malformed_row)).transpose()
        })?;
        if let Some(value) = &value {
            self.shared.rows.put(began, key, value.clone());
        }
        Ok(value)
    }

    fn view(&self) -> Result<Arc<View>, StoreError> {
        self.shared.check()?;
        Ok(self.shared.view())
    }

    /// Runs `read`; damage that it finds is remembered.
    fn noting<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        read().map_err(|error| match error {
            StoreError::Corrupt { .. } => self.shared.remember(error),
            other => other,
        })
    }

    fn place(&self, view: &View, height: u64) -> Option<Place> {
        self.shared.log.place(height).filter(|_| height <= view.head.height)
    }

    fn leaf_of(&self, view: &View, position: u64) -> Result<Option<Arc<[u8]>>, StoreError> {
        if position >= view.head.size {
            return Ok(None);
        }
        let height = self.shared.log.first_height(|place| place.position() >= position);
        let Some(place) = self.place(view, height) else {
            return Ok(None);
        };
        let index = usize::try_from(position - place.header.first).expect("a block fits in memory");
        let leaf = self.shared.log.leaf(&place, index)?;
        self.check_leaf(view, &place, position, &leaf)?;
        Ok(Some(leaf))
    }

    fn check_leaf(&self, view: &View, place: &Place, position: u64, leaf: &[u8]) -> Result<(), StoreError> {
        if self.shared.with_tree(view, |tree| tree.node(0, position))? == leaf_hash(leaf) {
            return Ok(());
        }
        Err(self.shared.log.damaged(place, format!("the leaf at position {position} has another hash than the tree")))
    }
}

/// 1 to 256.
fn width_of(width: u32) -> Option<usize> {
    usize::try_from(width).ok().filter(|width| (1..=TILE_WIDTH).contains(width))
}

fn malformed_row() -> StoreError {
    StoreError::Corrupt { object: "a row of the state".into(), found: "not the text of a value".into() }
}

fn malformed_index() -> StoreError {
    StoreError::Corrupt { object: "an entry of the index".into(), found: "not a list of positions".into() }
}

impl Rows for Reader {
    /// # Panics
    /// When the row is damaged; nothing is appended afterwards.
    fn get(&self, table: Table, key: &str) -> Option<Arc<Value>> {
        self.row(table, key).unwrap_or_else(|error| panic!("the store cannot be read: {error}"))
    }
}

impl NodeHashes for Reader {
    type Error = StoreError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, StoreError> {
        let view = self.view()?;
        let last = index.checked_add(1).and_then(|count| count.checked_mul(1_u64.checked_shl(level)?));
        if last.is_none_or(|last| last > view.head.size) {
            return Err(StoreError::Beyond { level, index });
        }
        self.noting(|| self.shared.with_tree(&view, |tree| tree.node(level, index)))
    }
}
