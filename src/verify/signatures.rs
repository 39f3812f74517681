//! The signature lines of a checkpoint: cosignatures of the judging set, and the serving node's line.

use std::collections::BTreeSet;

use crate::core::genesis::Genesis;
use crate::core::key::{Algorithm, key_id};
use crate::core::note::{Note, SignatureLine};
use crate::core::refusal::{Code, Refusal};
use crate::core::validators::ValidatorSet;
use crate::log::checkpoint::{Checkpoint, Cosignature};
use crate::verify::View;

/// What a line is, when it is known and good.
enum Known {
    Publication,
    Cosigner(String, u64),
}

/// The agencies that cosigned, ascending, when they are more than two thirds of `set`. A line that is unknown, repeated or
/// bad refuses the whole: no byte of the note goes unchecked.
///
/// # Errors
/// `signature-invalid`.
pub fn check(view: &View<'_>, note: &Note, set: &ValidatorSet) -> Result<Vec<String>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut cosigners = BTreeSet::new();
    let mut power = 0;
    for line in &note.lines {
        if !seen.insert((&line.name, line.id)) {
            return Err(invalid(format!("a second line of {}", line.name), "each line once"));
        }
        match known(line, note, view.checkpoint, view.genesis, set) {
            Some(Known::Publication) => {}
            Some(Known::Cosigner(agency, share)) => {
                if cosigners.insert(agency) {
                    power += share;
                }
            }
            None => {
                return Err(invalid(
                    format!("the line of {}", line.name),
                    "valid lines of the judging set's cosigners and of one genesis validator's publication key",
                ));
            }
        }
    }
    if !set.is_quorum(power) {
        return Err(invalid(format!("cosignatures of power {power} of {}", set.power()), "more than two thirds"));
    }
    Ok(cosigners.into_iter().collect())
}

/// The note with the lines alone that [`check`] takes: what an evidence file carries. Witnesses' lines and those of nodes
/// that the genesis file does not name are left out.
pub fn known_lines(note: &Note, genesis: &Genesis, set: &ValidatorSet) -> Note {
    let Ok(checkpoint) = Checkpoint::parse(&note.text) else {
        return Note { text: note.text.clone(), lines: Vec::new() };
    };
    let lines = note.lines.iter().filter(|line| known(line, note, &checkpoint, genesis, set).is_some()).cloned().collect();
    Note { text: note.text.clone(), lines }
}

fn known(line: &SignatureLine, note: &Note, checkpoint: &Checkpoint, genesis: &Genesis, set: &ValidatorSet) -> Option<Known> {
    let origin = &genesis.origin;
    if line.name == *origin {
        let signature = line.signature.as_slice().try_into().ok()?;
        let mut publications = genesis.validators.iter().map(|validator| &validator.publication);
        let good =
            publications.any(|key| line.id == key_id(origin, Algorithm::Ed25519, key) && key.verifies(note.text.as_bytes(), signature));
        return good.then_some(Known::Publication);
    }
    let cosignature = Cosignature::from_line(line, origin)?;
    let member = set.member(&cosignature.agency)?;
    cosignature.verifies(checkpoint, &member.cosigner).then(|| Known::Cosigner(member.agency.clone(), member.power))
}

fn invalid(found: String, expected: &str) -> Refusal {
    Refusal::new(Code::SignatureInvalid, found, expected)
}
