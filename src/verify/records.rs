//! Records in order of position: by whom they were signed, and in which block they lie; and the openings of deliveries.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::commitment::Opening;
use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::kinds::Kind;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::log::evidence::{Evidence, ProvenLeaf};
use crate::verify::chain::Chain;
use crate::verify::keys::Register;
use crate::verify::{At, Claim, Failure, Step, View, contradicts};

/// What a delivery committed to.
struct Delivered {
    commitment: Hash,
    bytes: u64,
}

/// The records of a file, all of them checked.
pub struct Records {
    /// Of `entries`, ascending by position.
    pub claims: Vec<Claim>,
    deliveries: BTreeMap<Hash, Delivered>,
}

/// Checks `keys` and `entries` together, since either may bring or replace a key that a later one uses.
pub fn check(view: &View<'_>, chain: &Chain, evidence: &Evidence) -> Result<Records, Failure> {
    let mut leaves: BTreeMap<u64, (&ProvenLeaf, bool)> = BTreeMap::new();
    for (list, shown) in [(&evidence.keys, false), (&evidence.entries, true)] {
        for leaf in list {
            view.prove(leaf, Step::Records)?;
            leaves.insert(leaf.position, (leaf, shown));
        }
    }
    let mut register = Register::of(view.genesis);
    let mut ids = BTreeSet::new();
    let mut records = Records { claims: Vec::new(), deliveries: BTreeMap::new() };
    for (position, (leaf, shown)) in leaves {
        let place = format!("position {position}");
        let parsed = Record::parse(leaf.leaf.as_bytes(), &view.genesis.origin);
        let record = parsed.map_err(|refusal| refusal.within(&place)).at(Step::Records)?;
        register.take(&record, position).map_err(|refusal| refusal.within(&place)).at(Step::Records)?;
        if !ids.insert(record.id()) {
            return contradicts(Step::Records, format!("{place}: {} a second time", record.id()), "an id admitted once, ever");
        }
        if shown {
            records.show(chain, &record, position)?;
        } else if !matches!(record.kind, Kind::AgencyAdmit | Kind::KeyRotate | Kind::KeyRevoke) {
            return contradicts(Step::Records, format!("{place}: {} among keys", record.kind.as_str()), "records that bring or end keys");
        }
    }
    Ok(records)
}

impl Records {
    fn show(&mut self, chain: &Chain, record: &Record, position: u64) -> Result<(), Failure> {
        let Some(block) = chain.block_of(position) else {
            return contradicts(Step::Records, format!("position {position} in none of the blocks"), "the block that holds each entry");
        };
        if record.kind == Kind::ShareDeliver {
            self.deliveries.insert(record.id(), delivered(record).at(Step::Records)?);
        }
        self.claims.push(Claim {
            by: record.by.clone(),
            height: block.height,
            id: record.id(),
            kind: record.kind.as_str(),
            position,
            time: block.time.to_string(),
        });
        Ok(())
    }

    /// Each opening is that of a delivery among the entries.
    pub fn check_openings(&self, openings: &[Opening]) -> Result<(), Failure> {
        for opening in openings {
            let Some(delivery) = self.deliveries.get(&opening.record) else {
                return contradicts(Step::Openings, format!("an opening of {}", opening.record), "a delivery among the entries");
            };
            if opening.commitment() != delivery.commitment || opening.bytes != delivery.bytes {
                let why = Refusal::new(
                    Code::CommitmentMismatch,
                    format!("an opening of {} to {} bytes", opening.record, opening.bytes),
                    format!("the commitment {} to {} bytes", delivery.commitment, delivery.bytes),
                );
                return Err(Failure { step: Step::Openings, why });
            }
        }
        Ok(())
    }
}

fn delivered(record: &Record) -> Result<Delivered, Refusal> {
    let body = record.body_value();
    let mut fields = Fields::of(&body, "body")?;
    Ok(Delivered { commitment: fields.hash("commitment")?, bytes: fields.integer("bytes")? })
}
