//! Verified cosignatures by size, a bounded number for each agency.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::hash::Hash;
use crate::limits::COSIGNED_SIZES_MAX;
use crate::log::checkpoint::Cosignature;

/// A root and one agency's cosignature over it.
pub type Signed = (Hash, Cosignature);

/// For each size the cosignatures of agencies; of each agency only the newest sizes.
#[derive(Default)]
pub struct Collection(BTreeMap<u64, BTreeMap<String, Signed>>);

impl Collection {
    pub fn contains(&self, size: u64, agency: &str) -> bool {
        self.0.get(&size).is_some_and(|signed| signed.contains_key(agency))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps a cosignature unless its agency has one for that size or too many newer ones; true when it was kept.
    pub fn insert(&mut self, size: u64, root: Hash, cosignature: Cosignature) -> bool {
        let agency = cosignature.agency.clone();
        if self.contains(size, &agency) {
            return false;
        }
        let held: Vec<u64> = self.0.iter().filter(|(_, signed)| signed.contains_key(&agency)).map(|(size, _)| *size).collect();
        if held.len() >= COSIGNED_SIZES_MAX {
            let Some(oldest) = held.first().copied().filter(|oldest| *oldest < size) else {
                return false;
            };
            self.remove(oldest, &agency);
        }
        self.0.entry(size).or_default().insert(agency, (root, cosignature));
        true
    }

    fn remove(&mut self, size: u64, agency: &str) {
        if let Some(signed) = self.0.get_mut(&size) {
            signed.remove(agency);
            if signed.is_empty() {
                self.0.remove(&size);
            }
        }
    }

    /// Forgets the sizes below `size`.
    pub fn forget_below(&mut self, size: u64) {
        self.0 = self.0.split_off(&size);
    }

    /// Takes out everything up to `size`.
    pub fn take_up_to(&mut self, size: u64) -> Vec<(u64, Signed)> {
        let above = size.checked_add(1).map(|next| self.0.split_off(&next)).unwrap_or_default();
        let taken = std::mem::replace(&mut self.0, above);
        taken.into_iter().flat_map(|(size, signed)| signed.into_values().map(move |one| (size, one))).collect()
    }

    /// The sizes above `size`, newest first.
    pub fn sizes_above(&self, size: u64) -> Vec<u64> {
        self.0.keys().rev().copied().take_while(|held| *held > size).collect()
    }

    /// The cosignatures of one size, ascending by agency.
    pub fn at(&self, size: u64) -> Vec<Signed> {
        self.0.get(&size).map(|signed| signed.values().cloned().collect()).unwrap_or_default()
    }

    pub fn sizes(&self) -> impl Iterator<Item = u64> {
        self.0.keys().copied()
    }

    /// Adds the agencies that cosigned more than `size` leaves.
    pub fn agencies_beyond(&self, size: u64, into: &mut BTreeSet<String>) {
        for (_, signed) in self.0.iter().rev().take_while(|(held, _)| **held > size) {
            into.extend(signed.keys().cloned());
        }
    }
}
