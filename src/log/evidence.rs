//! Evidence files: everything to check records offline, given only the genesis hash (shape in INTERFACES.md).
//!
//! Reading one checks its form alone; what it proves is for [`crate::verify`].

use crate::core::commitment::Opening;
use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::json::{self, Strings, Value, object, strings};
use crate::core::key::encode_base64;
use crate::core::limits::EVIDENCE_BYTES_MAX;
use crate::core::refusal::{Code, Refusal};
use crate::core::validators::ValidatorSet;
use crate::log::certificate::Certificate;
use crate::log::proof::{PROOF_HASHES_MAX, parse_node};

const FORMAT: &str = "sharelog/evidence/v1";
/// Lists are bounded by the file's size alone: no item is shorter than a byte.
const ITEMS_MAX: usize = EVIDENCE_BYTES_MAX;

/// A leaf with its inclusion proof to the checkpoint's size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenLeaf {
    pub leaf: String,
    pub position: u64,
    pub proof: Vec<Hash>,
}

/// The last block entry decided by an old set, that set's certificate over it, and the new set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub certificate: Certificate,
    pub entry: ProvenLeaf,
    pub validators: ValidatorSet,
}

/// An evidence file, well-formed; nothing is verified yet (see [`crate::verify`]).
#[derive(Clone, Debug)]
pub struct Evidence {
    pub blocks: Vec<ProvenLeaf>,
    /// The checkpoint note.
    pub checkpoint: String,
    pub entries: Vec<ProvenLeaf>,
    /// The genesis file, parsed as JSON; its JCS text is the file's bytes.
    pub genesis: Value,
    pub handovers: Vec<Handover>,
    pub head: ProvenLeaf,
    pub keys: Vec<ProvenLeaf>,
    pub openings: Vec<Opening>,
}

impl Evidence {
    pub fn to_value(&self) -> Value {
        let leaves = |items: &[ProvenLeaf]| Value::Array(items.iter().map(ProvenLeaf::to_value).collect());
        object([
            ("blocks", leaves(&self.blocks)),
            ("checkpoint", self.checkpoint.as_str().into()),
            ("entries", leaves(&self.entries)),
            ("format", FORMAT.into()),
            ("genesis", self.genesis.clone()),
            ("handovers", Value::Array(self.handovers.iter().map(Handover::to_value).collect())),
            ("head", self.head.to_value()),
            ("keys", leaves(&self.keys)),
            ("openings", Value::Array(self.openings.iter().map(Opening::to_value).collect())),
        ])
    }

    /// Strict: unknown members, repeats, another order, non-canonical base64 and over-long files are refused.
    ///
    /// # Errors
    /// `too-large` and the codes of status 400.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > EVIDENCE_BYTES_MAX {
            return Err(Refusal::new(Code::TooLarge, format!("{} bytes", bytes.len()), format!("at most {EVIDENCE_BYTES_MAX} bytes")));
        }
        let value = json::parse(bytes, Strings::WithNotes)?;
        let mut fields = Fields::of(&value, "evidence")?;
        let format = fields.string("format")?;
        if format != FORMAT {
            return Err(Refusal::new(Code::FieldInvalid, format, FORMAT));
        }
        let evidence = Evidence {
            blocks: leaves(&mut fields, "blocks")?,
            checkpoint: fields.string("checkpoint")?.to_owned(),
            entries: leaves(&mut fields, "entries")?,
            genesis: fields.value("genesis")?.clone(),
            handovers: handovers(&mut fields)?,
            head: ProvenLeaf::from_value(fields.value("head")?, "evidence.head")?,
            keys: leaves(&mut fields, "keys")?,
            openings: openings(&mut fields)?,
        };
        fields.end()?;
        Ok(evidence)
    }
}

impl ProvenLeaf {
    fn to_value(&self) -> Value {
        object([
            ("leaf", self.leaf.as_str().into()),
            ("position", self.position.into()),
            ("proof", strings(self.proof.iter().map(|hash| encode_base64(hash.as_bytes())))),
        ])
    }

    fn from_value(value: &Value, place: &str) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, place)?;
        let leaf = fields.string("leaf")?.to_owned();
        let position = fields.integer("position")?;
        let node = |text| parse_node(text).map_err(|refusal| Refusal { code: Code::FieldInvalid, ..refusal.within(place) });
        let proof = fields.strings("proof", 0, PROOF_HASHES_MAX)?.into_iter().map(node).collect::<Result<_, _>>()?;
        fields.end()?;
        Ok(ProvenLeaf { leaf, position, proof })
    }
}

impl Handover {
    fn to_value(&self) -> Value {
        object([("certificate", self.certificate.to_value()), ("entry", self.entry.to_value()), ("validators", self.validators.to_value())])
    }

    fn from_value(value: &Value, place: &str) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, place)?;
        let handover = Handover {
            certificate: Certificate::from_value(fields.value("certificate")?).map_err(|refusal| refusal.within(place))?,
            entry: ProvenLeaf::from_value(fields.value("entry")?, &format!("{place}.entry"))?,
            validators: ValidatorSet::from_value(fields.value("validators")?).map_err(|refusal| refusal.within(place))?,
        };
        fields.end()?;
        Ok(handover)
    }
}

fn leaves(fields: &mut Fields<'_>, name: &str) -> Result<Vec<ProvenLeaf>, Refusal> {
    let items = fields.list(name, 0, ITEMS_MAX)?.iter().enumerate();
    let leaves: Vec<_> =
        items.map(|(index, item)| ProvenLeaf::from_value(item, &format!("evidence.{name}[{index}]"))).collect::<Result<_, _>>()?;
    check_ascending(name, leaves.iter().map(|leaf| leaf.position))?;
    Ok(leaves)
}

fn handovers(fields: &mut Fields<'_>) -> Result<Vec<Handover>, Refusal> {
    let items = fields.list("handovers", 0, ITEMS_MAX)?.iter().enumerate();
    let handovers: Vec<_> =
        items.map(|(index, item)| Handover::from_value(item, &format!("evidence.handovers[{index}]"))).collect::<Result<_, _>>()?;
    check_ascending("handovers", handovers.iter().map(|handover| handover.entry.position))?;
    Ok(handovers)
}

fn openings(fields: &mut Fields<'_>) -> Result<Vec<Opening>, Refusal> {
    let items = fields.list("openings", 0, ITEMS_MAX)?.iter();
    let openings: Vec<_> = items.map(Opening::from_value).collect::<Result<_, _>>()?;
    let mut records: Vec<_> = openings.iter().map(|opening| opening.record).collect();
    records.sort_unstable();
    if let Some(pair) = records.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Refusal::new(Code::FieldInvalid, format!("evidence.openings: two of {}", pair[0]), "one opening for each record"));
    }
    Ok(openings)
}

fn check_ascending(name: &str, positions: impl Iterator<Item = u64>) -> Result<(), Refusal> {
    let mut last = None;
    for position in positions {
        if last >= Some(position) {
            return Err(Refusal::new(
                Code::FieldInvalid,
                format!("evidence.{name}: position {position} out of order or repeated"),
                "a list ascending by position",
            ));
        }
        last = Some(position);
    }
    Ok(())
}
