//! Who vouches for a checkpoint: the set that its last block entry names.

use std::collections::BTreeSet;

use crate::audit::finding::{Fault, Finding};
use crate::core::hash::to_hex;
use crate::core::key::{Algorithm, PublicKey, cosigner_key_name, key_id};
use crate::core::note::{Note, SignatureLine};
use crate::core::rules;
use crate::core::state::Rows;
use crate::core::validators::ValidatorSet;
use crate::log::checkpoint::{Checkpoint, Cosignature};
use crate::log::misbehaviour::{self, Misbehaviour};

/// What the signature lines of a checkpoint say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The judging set, ascending.
    pub members: Vec<String>,
    /// Those of it that cosigned, ascending.
    pub cosigners: Vec<String>,
    /// The names of lines that were not checked, since no key is known for them, in their order.
    pub unknown: Vec<String>,
}

/// Checks the lines of a checkpoint, with the state behind its last block, of `height`: more than two thirds of the set must
/// have signed. A line under a known key that does not verify refuses the whole; a line of a stranger is only named.
///
/// # Errors
/// [`Fault::Cosignatures`].
pub fn judge(note: &Note, checkpoint: &Checkpoint, rows: &dyn Rows, height: u64) -> Result<Vouched, Finding> {
    let set = rules::validator_set(rows, height);
    let publications = publications(rows, height);
    let mut cosigners = BTreeSet::new();
    let mut unknown = Vec::new();
    for line in &note.lines {
        let outcome = match cosigner(line, &checkpoint.origin, &set) {
            Some((cosignature, key)) => {
                cosigners.insert(cosignature.agency.clone());
                Some(cosignature.verifies(checkpoint, key))
            }
            None => {
                publication(line, &checkpoint.origin, &publications).map(|(key, signature)| key.verifies(note.text.as_bytes(), signature))
            }
        };
        match outcome {
            Some(true) => {}
            Some(false) => {
                let found = format!("a line of {}+{} that its key did not sign", line.name, to_hex(&line.id));
                return Err(Finding::new(Fault::Cosignatures, found, "signatures of the keys that the ledger holds"));
            }
            None => unknown.push(format!("{}+{}", line.name, to_hex(&line.id))),
        }
    }
    let power = cosigners.iter().filter_map(|agency| set.member(agency)).map(|member| member.power).sum();
    let members: Vec<_> = set.members().iter().map(|member| member.agency.clone()).collect();
    if !set.is_quorum(power) {
        let named: Vec<_> = cosigners.into_iter().collect();
        let named = if named.is_empty() { "nobody".to_owned() } else { named.join(", ") };
        let found = format!("a checkpoint of size {} that is cosigned by {named}: {power} of {}", checkpoint.size, set.power());
        return Err(Finding::new(Fault::Cosignatures, found, format!("more than two thirds of {}", members.join(", "))));
    }
    Ok(Vouched { members, cosigners: cosigners.into_iter().collect(), unknown })
}

/// The cosignature in a line, when its key is a member's.
fn cosigner<'a>(line: &SignatureLine, origin: &str, set: &'a ValidatorSet) -> Option<(Cosignature, &'a PublicKey)> {
    let cosignature = Cosignature::from_line(line, origin)?;
    let key = &set.member(&cosignature.agency)?.cosigner;
    let id = key_id(&cosigner_key_name(origin, &cosignature.agency), Algorithm::Cosignature, key);
    (cosignature.id == id).then_some((cosignature, key))
}

/// The signature in a line under the ledger's own name, when its key is a node's.
fn publication<'a, 'b>(line: &'a SignatureLine, origin: &str, keys: &'b [PublicKey]) -> Option<(&'b PublicKey, &'a [u8; 64])> {
    let signature = line.signature.as_slice().try_into().ok()?;
    let key = keys.iter().find(|key| line.id == key_id(origin, Algorithm::Ed25519, key))?;
    (line.name == origin).then_some((key, signature))
}

fn publications(rows: &dyn Rows, height: u64) -> Vec<PublicKey> {
    rules::nodes(rows, height).iter().filter_map(|node| PublicKey::from_base64(&node.publication).ok()).collect()
}

/// The proofs that two checkpoints of one size make against those who cosigned both; `keys` are cosigner keys by agency.
pub fn accuse(notes: [&Note; 2], keys: &[(String, PublicKey)]) -> Vec<Misbehaviour> {
    let [Ok(a), Ok(b)] = notes.map(|note| Checkpoint::parse(&note.text)) else {
        return Vec::new();
    };
    let lines = |note: &Note| note.lines.iter().filter_map(|line| Cosignature::from_line(line, &a.origin)).collect::<Vec<_>>();
    let (first, second) = (lines(notes[0]), lines(notes[1]));
    let pairs = first.iter().flat_map(|one| second.iter().map(move |other| (one, other)));
    let mut proofs: Vec<Misbehaviour> = Vec::new();
    for (one, other) in pairs.filter(|(one, other)| one.agency == other.agency) {
        let keys = keys.iter().filter(|(agency, _)| *agency == one.agency);
        let proof = keys.filter_map(|(_, key)| misbehaviour::of_checkpoints([&a, &b], [one, other], key)).next();
        if let Some(proof) = proof.filter(|proof| proofs.iter().all(|known| known.agency != proof.agency)) {
            proofs.push(proof);
        }
    }
    proofs
}

/// The cosigner keys of a set.
pub fn keys_of(set: &ValidatorSet) -> Vec<(String, PublicKey)> {
    set.members().iter().map(|member| (member.agency.clone(), member.cosigner)).collect()
}
