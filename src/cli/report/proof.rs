//! The evidence files of a report: fetched, checked offline, and compared with what the page says of each record.

use std::collections::{BTreeMap, VecDeque};

use crate::cli::ask::fetch_evidence;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::report::facts::{Facts, Listed};
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::limits::EVIDENCE_BYTES_MAX;
use crate::core::refusal::Code;
use crate::limits::EVIDENCE_IDS_MAX;
use crate::verify::{Claim, Pin, verify};

/// An evidence file that holds.
pub struct Proof {
    pub name: String,
    pub bytes: Vec<u8>,
    /// Positions of its records.
    pub positions: Vec<u64>,
}

/// Evidence for every record of the report, in order of position, as many records in a file as it takes.
///
/// # Errors
/// [`Failure::Negative`] for evidence that does not hold, or shows something else than the node said.
pub fn prove(client: &Client, genesis: &Genesis, facts: &Facts) -> Result<Vec<Proof>, Failure> {
    let all: Vec<&Listed> = facts.records.values().collect();
    let mut left: VecDeque<&[&Listed]> = all.chunks(EVIDENCE_IDS_MAX).collect();
    let mut proofs = Vec::new();
    while let Some(part) = left.pop_front() {
        let ids: Vec<_> = part.iter().map(|listed| listed.id()).collect();
        let bytes = match fetch_evidence(client, &ids) {
            Err(Failure::Refused(refusal)) if refusal.code == Code::TooLarge && part.len() > 1 => None,
            Ok(bytes) if bytes.len() > EVIDENCE_BYTES_MAX && part.len() > 1 => None,
            outcome => Some(outcome?),
        };
        let Some(bytes) = bytes else {
            let (first, second) = part.split_at(part.len() / 2);
            left.push_front(second);
            left.push_front(first);
            continue;
        };
        let name = format!("evidence-{}.evidence.json", proofs.len() + 1);
        check(&name, &bytes, genesis, part)?;
        proofs.push(Proof { name, bytes, positions: part.iter().map(|listed| listed.position).collect() });
    }
    Ok(proofs)
}

/// The file holds by itself, and its records stand where and since when the report says.
fn check(name: &str, bytes: &[u8], genesis: &Genesis, part: &[&Listed]) -> Result<(), Failure> {
    let verdict = verify(bytes, &Pin::Hash(genesis.hash), None);
    if let Some(failed) = &verdict.failed {
        return Err(Failure::Negative(format!("{name} does not hold, and no report was written: {failed}")));
    }
    let shown: BTreeMap<Hash, &Claim> = verdict.claims.iter().map(|claim| (claim.id, claim)).collect();
    for listed in part {
        let same = |claim: &&Claim| claim.position == listed.position && claim.time == listed.time.to_string();
        if !shown.get(&listed.id()).is_some_and(same) {
            let found = format!("record {} at position {} of {}", listed.id(), listed.position, listed.time);
            return Err(Failure::Negative(format!("{name} does not show what the node says, and no report was written: {found}")));
        }
    }
    Ok(())
}
