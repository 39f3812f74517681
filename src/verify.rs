//! The offline verifier of evidence files: pure, no I/O, no clock.
//!
//! It believes the genesis hash that the caller pins, and nothing else. In this order, the first failure ending it:
//!
//! 1. `form`: the file is canonical, within its bounds, without unknown members or repeats.
//! 2. `genesis`: the file's genesis has the pinned hash and is well-formed; the origin follows from it.
//! 3. `checkpoint`: three lines under that origin. Every leaf below is proven to this size and root.
//! 4. `handovers`: from the genesis' set on, each set's own certificate hands over to the next.
//! 5. `head`: the entry at size - 1 names the last set reached.
//! 6. `signatures`: more than two thirds of that set cosigned the checkpoint; no line is unknown or bad.
//! 7. `blocks`: all block entries fit one chain: roots, order, times, sets.
//! 8. `records`: in order of position, each line of each record verifies under a key of the genesis file or of an earlier
//!    record of the file, of the right role, not replaced before; each record of `entries` lies in one of `blocks`.
//! 9. `openings`: each opens the commitment of a delivery among `entries`.
//! 10. `pin`: a checkpoint that the caller holds agrees with the file.
//!
//! That a record was admissible then (its refs, its dates, a key not replaced by a record that the file leaves out) is on
//! the word of the set that signed; [`Verdict::on_whose_word`] and [`Verdict::not_shown`] say so.

mod chain;
mod keys;
mod pin;
mod records;
mod signatures;

use std::fmt;

use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::json::{Value, object, strings};
use crate::core::note::Note;
use crate::core::refusal::{Code, Refusal};
use crate::core::text;
use crate::log::checkpoint::Checkpoint;
use crate::log::evidence::{Evidence, ProvenLeaf};
use crate::log::merkle::{Prefix, leaf_hash, verify_inclusion_prefix};
use crate::log::misbehaviour::{Misbehaviour, Place};

pub use signatures::known_lines;

/// What the caller knows of the genesis file from elsewhere.
#[derive(Clone, Copy, Debug)]
pub enum Pin<'a> {
    Hash(Hash),
    /// The bytes of the genesis file.
    File(&'a [u8]),
}

/// The steps of verification, as [`Verdict::failed`] names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Form,
    Genesis,
    Checkpoint,
    Handovers,
    Head,
    Signatures,
    Blocks,
    Records,
    Openings,
    Pin,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Form => "form",
            Step::Genesis => "genesis",
            Step::Checkpoint => "checkpoint",
            Step::Handovers => "handovers",
            Step::Head => "head",
            Step::Signatures => "signatures",
            Step::Blocks => "blocks",
            Step::Records => "records",
            Step::Openings => "openings",
            Step::Pin => "pin",
        })
    }
}

/// A step that failed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    step: Step,
    why: Refusal,
}

/// Names the step of a refusal.
trait At<T> {
    fn at(self, step: Step) -> Result<T, Failure>;
}

impl<T> At<T> for Result<T, Refusal> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.map_err(|why| Failure { step, why })
    }
}

/// A failure of `step` by something that contradicts something else.
fn contradicts<T>(step: Step, found: impl Into<String>, expected: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { step, why: Refusal::new(Code::FieldInvalid, found, expected) })
}

/// A record that was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub by: String,
    pub height: u64,
    pub id: Hash,
    pub kind: &'static str,
    pub position: u64,
    /// The time of its block.
    pub time: String,
}

/// Who vouches that what is in the tree was admitted under the rules of its day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
    /// The judging set, ascending.
    pub members: Vec<String>,
    /// Those of it whose cosignatures the file carries, ascending.
    pub cosigners: Vec<String>,
}

/// What the verifier found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub ok: bool,
    /// The step that failed, with why: `<step>: <refusal>`, one line.
    pub failed: Option<String>,
    /// Empty when refused.
    pub claims: Vec<Claim>,
    /// What even a good file does not show.
    pub not_shown: Vec<String>,
    pub on_whose_word: Option<Word>,
}

impl Verdict {
    /// `{"claims":[...],"failed":"...","not_shown":[...],"ok":true}`, `failed` only when refused.
    pub fn to_value(&self) -> Value {
        let claim = |claim: &Claim| {
            object([
                ("by", claim.by.as_str().into()),
                ("height", claim.height.into()),
                ("id", claim.id.to_hex().into()),
                ("kind", claim.kind.into()),
                ("position", claim.position.into()),
                ("time", claim.time.as_str().into()),
            ])
        };
        let claims = Value::Array(self.claims.iter().map(claim).collect());
        let not_shown = strings(&self.not_shown);
        match &self.failed {
            Some(failed) => {
                object([("claims", claims), ("failed", failed.as_str().into()), ("not_shown", not_shown), ("ok", self.ok.into())])
            }
            None => object([("claims", claims), ("not_shown", not_shown), ("ok", self.ok.into())]),
        }
    }
}

/// Verifies an evidence file against a pinned genesis. `later` is a checkpoint that the caller holds from elsewhere: a note
/// whose size the file proves, or a tlog-proof of the file's head under a larger one; one that cannot be compared is a
/// refusal, for the caller asked for more than the file shows.
pub fn verify(evidence: &[u8], genesis: &Pin<'_>, later: Option<&str>) -> Verdict {
    match examine(evidence, genesis, later) {
        Ok(verdict) => verdict,
        Err(failure) => Verdict {
            ok: false,
            failed: Some(printable(&format!("{}: {}", failure.step, failure.why))),
            claims: Vec::new(),
            not_shown: vec!["anything: a refused file proves nothing".to_owned()],
            on_whose_word: None,
        },
    }
}

/// Whether the accused key stands in the genesis file for the accused agency. A pin that is only a hash cannot tell; the
/// proof's ledger must bear its first digits.
///
/// # Errors
/// `ledger-wrong` for a proof of another ledger, the codes of [`Genesis::parse`].
pub fn accuse(proof: &Misbehaviour, genesis: &Pin<'_>) -> Result<bool, Refusal> {
    let wrong = |expected: String| Refusal::new(Code::LedgerWrong, proof.ledger.as_str(), expected);
    match genesis {
        Pin::Hash(hash) => {
            let digits = &hash.to_hex()[..16];
            if proof.ledger.ends_with(&format!("/{digits}")) { Ok(false) } else { Err(wrong(format!("a ledger ending in /{digits}"))) }
        }
        Pin::File(file) => {
            let genesis = Genesis::parse(file)?;
            if genesis.origin != proof.ledger {
                return Err(wrong(genesis.origin));
            }
            let validator = genesis.validators.iter().find(|validator| validator.agency == proof.agency);
            Ok(validator.is_some_and(|validator| match proof.place {
                Place::Cosignature { .. } => validator.cosigner == proof.key,
                _ => validator.consensus == proof.key,
            }))
        }
    }
}

/// The refusal may echo what a stranger wrote: nothing of it may move a terminal's cursor or break the JSON around it.
fn printable(message: &str) -> String {
    message
        .chars()
        .map(|character| if text::check(character.encode_utf8(&mut [0; 4])).is_ok() { character } else { '?' })
        .collect::<String>()
}

fn examine(bytes: &[u8], pin: &Pin<'_>, later: Option<&str>) -> Result<Verdict, Failure> {
    let evidence = Evidence::parse(bytes).at(Step::Form)?;
    let genesis = pinned_genesis(&evidence, pin)?;
    let note = Note::parse(evidence.checkpoint.as_bytes()).at(Step::Checkpoint)?;
    let checkpoint = Checkpoint::parse(&note.text).at(Step::Checkpoint)?;
    if checkpoint.origin != genesis.origin {
        return contradicts(Step::Checkpoint, checkpoint.origin, genesis.origin);
    }
    let view = View { genesis: &genesis, checkpoint: &checkpoint };
    let mut chain = chain::follow(&view, &evidence)?;
    let cosigners = signatures::check(&view, &note, chain.judging_set()).at(Step::Signatures)?;
    chain.check_entries(&view, &evidence.blocks)?;
    let records = records::check(&view, &chain, &evidence)?;
    records.check_openings(&evidence.openings)?;
    if let Some(later) = later {
        pin::check(&view, &evidence, later)?;
    }
    let members = chain.judging_set().members().iter().map(|member| member.agency.clone()).collect();
    Ok(Verdict {
        ok: true,
        failed: None,
        claims: records.claims,
        not_shown: not_shown(&checkpoint, &evidence, later.is_some()),
        on_whose_word: Some(Word { origin: checkpoint.origin, size: checkpoint.size, root: checkpoint.root, members, cosigners }),
    })
}

fn pinned_genesis(evidence: &Evidence, pin: &Pin<'_>) -> Result<Genesis, Failure> {
    let bytes = evidence.genesis.to_jcs();
    let pinned = match pin {
        Pin::Hash(hash) => *hash,
        Pin::File(file) => Hash::of(file),
    };
    let hash = Hash::of(bytes.as_bytes());
    if hash != pinned {
        return contradicts(Step::Genesis, format!("the genesis {hash}: another network"), format!("the pinned genesis {pinned}"));
    }
    Genesis::parse(bytes.as_bytes()).at(Step::Genesis)
}

/// What every proof leads to.
struct View<'a> {
    genesis: &'a Genesis,
    checkpoint: &'a Checkpoint,
}

impl View<'_> {
    /// The roots that a leaf's proof shows, once it leads to the checkpoint's root.
    fn prove(&self, leaf: &ProvenLeaf, step: Step) -> Result<Prefix, Failure> {
        let hash = leaf_hash(leaf.leaf.as_bytes());
        let Checkpoint { size, root, .. } = self.checkpoint;
        verify_inclusion_prefix(&hash, leaf.position, *size, &leaf.proof, root).or_else(|error| {
            contradicts(step, format!("position {}: {error}", leaf.position), format!("a proof to the checkpoint of size {size}"))
        })
    }
}

fn not_shown(checkpoint: &Checkpoint, evidence: &Evidence, pinned: bool) -> Vec<String> {
    let mut list = vec![
        format!("anything after the first {} leaves: what came later, or did not come", checkpoint.size),
        "any amendment, revocation, rotation, dispute or answer that is not in the file".to_owned(),
        "that the records were admissible when they were committed, other than by the word of more than two thirds of the validators"
            .to_owned(),
        "that the data behind a commitment is true; a receipt shows what the other side saw".to_owned(),
    ];
    if !pinned {
        list.push("that no corrupt quorum signed another history beside this one".to_owned());
        list.push("that no stolen keys of a past validator set made this one; compare with a checkpoint you hold (--pin)".to_owned());
    }
    if evidence.entries.is_empty() {
        list.push("any record: the file holds none".to_owned());
    }
    list
}
