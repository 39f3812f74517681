//! The validator sets of a ledger, as far as they are proven: the genesis' set, and those to which evidence files hand over.

use crate::core::genesis::Genesis;
use crate::core::key::{Algorithm, VerifierKey, cosigner_key_name};
use crate::core::note::Note;
use crate::core::validators::{Member, ValidatorSet};
use crate::log::checkpoint::{Checkpoint, Cosignature};
use crate::log::entry::BlockEntry;
use crate::log::evidence::Evidence;
use crate::verify::{Pin, verify};

/// The proven sets.
pub struct Sets {
    genesis: Genesis,
    /// (first height, set), ascending.
    sets: Vec<(u64, ValidatorSet)>,
}

impl Sets {
    pub fn of(genesis: Genesis) -> Self {
        let first = genesis.validator_set();
        Sets { genesis, sets: vec![(1, first)] }
    }

    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Takes later sets from an evidence file that holds under the pinned genesis; true when there were any.
    ///
    /// # Errors
    /// Why the file is refused, also when its sets are others than those that are known.
    pub fn learn(&mut self, file: &[u8]) -> Result<bool, String> {
        let verdict = verify(file, &Pin::Hash(self.genesis.hash), None);
        if let Some(failed) = verdict.failed {
            return Err(failed);
        }
        let mut sets = vec![(1, self.genesis.validator_set())];
        for handover in Evidence::parse(file).map_err(|refusal| refusal.to_string())?.handovers {
            let entry = BlockEntry::parse(handover.entry.leaf.as_bytes()).map_err(|refusal| refusal.to_string())?;
            sets.push((entry.height.saturating_add(1), handover.validators));
        }
        if let Some((known, other)) = self.sets.iter().zip(&sets).find(|(known, other)| known != other) {
            return Err(format!("a set from height {} where one from height {} is known", other.0, known.0));
        }
        let is_more = sets.len() > self.sets.len();
        if is_more {
            self.sets = sets;
        }
        Ok(is_more)
    }

    /// The set that judges the checkpoint after a block, when it is the known one of its height.
    pub fn judging(&self, entry: &BlockEntry) -> Option<&ValidatorSet> {
        let (_, set) = self.sets.iter().rev().find(|(since, _)| *since <= entry.height)?;
        (set.hash() == entry.validators).then_some(set)
    }

    /// Every member that any set ever had, of each agency and key once.
    pub fn members(&self) -> Vec<&Member> {
        let mut members: Vec<&Member> = self.sets.iter().flat_map(|(_, set)| set.members()).collect();
        members.sort_by(|a, b| (&a.agency, a.cosigner).cmp(&(&b.agency, b.cosigner)));
        members.dedup_by(|a, b| (&a.agency, a.cosigner) == (&b.agency, b.cosigner));
        members
    }

    /// The keys whose lines are known: cosigners of all sets, and the publication keys of the genesis.
    pub fn keys(&self) -> Vec<VerifierKey> {
        let origin = &self.genesis.origin;
        let cosigners =
            self.members().into_iter().map(|member| (cosigner_key_name(origin, &member.agency), Algorithm::Cosignature, member.cosigner));
        let publications = self.genesis.validators.iter().map(|validator| (origin.clone(), Algorithm::Ed25519, validator.publication));
        cosigners.chain(publications).filter_map(|(name, algorithm, key)| VerifierKey::new(name, algorithm, key).ok()).collect()
    }
}

/// Whether more than two thirds of `set` cosigned; else who did.
///
/// # Errors
/// The agencies whose cosignatures hold.
pub fn check_quorum(note: &Note, checkpoint: &Checkpoint, set: &ValidatorSet) -> Result<(), Vec<String>> {
    let holds = |cosignature: &Cosignature| {
        set.member(&cosignature.agency).is_some_and(|member| cosignature.verifies(checkpoint, &member.cosigner))
    };
    let lines = note.lines.iter().filter_map(|line| Cosignature::from_line(line, &checkpoint.origin)).filter(holds);
    let mut agencies: Vec<_> = lines.map(|cosignature| cosignature.agency).collect();
    agencies.sort();
    agencies.dedup();
    let power = agencies.iter().filter_map(|agency| set.member(agency)).map(|member| member.power).sum();
    if set.is_quorum(power) { Ok(()) } else { Err(agencies) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: &[u8] = include_bytes!("../../../tests/vectors/genesis.json");
    const EVIDENCE: &[u8] = include_bytes!("../../../tests/vectors/good.evidence.json");

    #[test]
    fn a_later_set_is_believed_on_the_word_of_the_one_before() {
        let evidence = Evidence::parse(EVIDENCE).unwrap();
        let head = BlockEntry::parse(evidence.head.leaf.as_bytes()).unwrap();
        let note = Note::parse(evidence.checkpoint.as_bytes()).unwrap();
        let checkpoint = Checkpoint::parse(&note.text).unwrap();
        let mut sets = Sets::of(Genesis::parse(GENESIS).unwrap());
        assert!(sets.judging(&head).is_none(), "the set after the handover is not known yet");
        let keys = sets.keys().len();
        assert!(sets.learn(EVIDENCE).unwrap());
        assert!(sets.keys().len() > keys);
        assert!(!sets.learn(EVIDENCE).unwrap(), "nothing new");
        let set = sets.judging(&head).unwrap();
        assert_eq!(check_quorum(&note, &checkpoint, set), Ok(()));
        let few = Note { lines: note.lines[..3].to_vec(), ..note.clone() };
        assert_eq!(check_quorum(&few, &checkpoint, set).unwrap_err().len(), 2);
        let forged = String::from_utf8(EVIDENCE.to_vec()).unwrap().replacen("\"height\"", "\"heigth\"", 1);
        assert!(sets.learn(forged.as_bytes()).is_err());
    }
}
