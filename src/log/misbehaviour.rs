//! Proof that a key signed two texts that exclude each other: two votes or proposals of one height and round, or two
//! checkpoints of one size.
//!
//! The file names what was signed, not the texts: a reader makes them again (`log::certificate`, C2SP cosignature/v1), so that
//! nothing but the ledger's own texts can accuse. The statement with the lesser text stands first; a pair has one file.

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::ids::check_agency;
use crate::core::json::{Value, object};
use crate::core::key::{Algorithm, PublicKey, cosigner_key_name, decode_base64, encode_base64, key_id};
use crate::core::refusal::{Code, Refusal};
use crate::log::certificate::{Step, proposal_text, vote_text};
use crate::log::checkpoint::{Checkpoint, Cosignature};

/// The file's member `format`.
pub const FORMAT: &str = "sharelog/misbehaviour/v1";

/// What the two statements are about: at most one may be signed about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Prevote {
        height: u64,
        round: u32,
    },
    Precommit {
        height: u64,
        round: u32,
    },
    Proposal {
        height: u64,
        round: u32,
    },
    /// A tree size.
    Cosignature {
        size: u64,
    },
}

/// One of the two, with the signature over its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub said: Said,
    pub signature: [u8; 64],
}

/// What was said about the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A vote for a block, or for none.
    Vote { block: Option<Hash> },
    /// A proposal; `valid_round` is absent from a fresh one.
    Proposal { block: Hash, valid_round: Option<u32> },
    /// A checkpoint's root, cosigned at a time in Unix seconds.
    Root { root: Hash, time: u64 },
}

/// Two statements of one key about one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misbehaviour {
    /// Whose key it was, on the word of who wrote the file.
    pub agency: String,
    pub key: PublicKey,
    pub ledger: String,
    pub place: Place,
    pub first: Statement,
    pub second: Statement,
}

impl Place {
    /// The file's member `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Place::Prevote { .. } => "prevote",
            Place::Precommit { .. } => "precommit",
            Place::Proposal { .. } => "proposal",
            Place::Cosignature { .. } => "cosignature",
        }
    }
}

impl Misbehaviour {
    /// The proof that two statements make, in their one order.
    ///
    /// # Errors
    /// See [`Misbehaviour::check`].
    pub fn of(agency: &str, key: PublicKey, ledger: &str, place: Place, mut pair: [Statement; 2]) -> Result<Self, Refusal> {
        pair.sort_by_key(|statement| text(ledger, &place, &statement.said));
        let [first, second] = pair;
        let proof = Misbehaviour { agency: agency.to_owned(), key, ledger: ledger.to_owned(), place, first, second };
        proof.check()?;
        Ok(proof)
    }

    /// That both signatures are by the key, over two texts that exclude each other. Two cosignatures of one root, made at
    /// two times, do not.
    ///
    /// # Errors
    /// `field-invalid` for statements of the wrong kind or order, or that agree; `signature-invalid`.
    pub fn check(&self) -> Result<(), Refusal> {
        let texts = [&self.first, &self.second].map(|statement| text(&self.ledger, &self.place, &statement.said));
        let [Some(first), Some(second)] = texts else {
            return Err(Refusal::new(Code::FieldInvalid, "statements of another kind", self.place.kind()));
        };
        let agrees = match (&self.first.said, &self.second.said) {
            (Said::Root { root: first, .. }, Said::Root { root: second, .. }) => first == second,
            _ => first == second,
        };
        if agrees || first > second {
            return Err(Refusal::new(
                Code::FieldInvalid,
                "statements that agree, or in another order",
                "two that differ, the lesser first",
            ));
        }
        for (name, text, statement) in [("first", first, &self.first), ("second", second, &self.second)] {
            if !self.key.verifies(text.as_bytes(), &statement.signature) {
                return Err(Refusal::new(Code::SignatureInvalid, format!("the signature of {name}"), "a signature by the key"));
            }
        }
        Ok(())
    }

    pub fn to_value(&self) -> Value {
        let mut members = vec![
            ("agency", self.agency.as_str().into()),
            ("first", self.first.to_value()),
            ("format", FORMAT.into()),
            ("key", self.key.to_base64().into()),
            ("kind", self.place.kind().into()),
            ("ledger", self.ledger.as_str().into()),
            ("second", self.second.to_value()),
        ];
        match self.place {
            Place::Prevote { height, round } | Place::Precommit { height, round } | Place::Proposal { height, round } => {
                members.extend([("height", height.into()), ("round", u64::from(round).into())]);
            }
            Place::Cosignature { size } => members.push(("size", size.into())),
        }
        Value::Object(members.into_iter().map(|(name, value): (&str, Value)| (name.to_owned(), value)).collect())
    }

    /// Reads a file or an item of a list; see [`Misbehaviour::check`] for what it proves.
    ///
    /// # Errors
    /// The codes of [`Fields`].
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, "misbehaviour")?;
        let format = fields.string("format")?;
        if format != FORMAT {
            return Err(Refusal::new(Code::FieldInvalid, format, FORMAT));
        }
        let agency = fields.string("agency")?.to_owned();
        check_agency(&agency)?;
        let (key, ledger, kind) = (fields.public_key("key")?, fields.string("ledger")?.to_owned(), fields.string("kind")?);
        let place = match kind {
            "cosignature" => Place::Cosignature { size: fields.integer("size")? },
            _ => {
                let (height, round) = (fields.integer("height")?, small(&mut fields, "round")?);
                match kind {
                    "prevote" => Place::Prevote { height, round },
                    "precommit" => Place::Precommit { height, round },
                    "proposal" => Place::Proposal { height, round },
                    _ => return Err(Refusal::new(Code::FieldInvalid, kind, "prevote, precommit, proposal or cosignature")),
                }
            }
        };
        let first = Statement::from_value(fields.value("first")?, &place)?;
        let second = Statement::from_value(fields.value("second")?, &place)?;
        fields.end()?;
        Ok(Misbehaviour { agency, key, ledger, place, first, second })
    }
}

impl Statement {
    fn to_value(&self) -> Value {
        let signature = ("signature", encode_base64(&self.signature).into());
        match &self.said {
            Said::Vote { block: None } => object([signature]),
            Said::Vote { block: Some(block) } | Said::Proposal { block, valid_round: None } => {
                object([("block", block.to_hex().into()), signature])
            }
            Said::Proposal { block, valid_round: Some(round) } => {
                object([("block", block.to_hex().into()), signature, ("valid_round", u64::from(*round).into())])
            }
            Said::Root { root, time } => object([("root", root.to_hex().into()), signature, ("time", (*time).into())]),
        }
    }

    fn from_value(value: &Value, place: &Place) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, "statement")?;
        let bytes = decode_base64(fields.string("signature")?)?;
        let wrong = || Refusal::new(Code::FieldInvalid, "signature", "base64 of 64 bytes");
        let signature = bytes.try_into().map_err(|_| wrong())?;
        let said = match place {
            Place::Prevote { .. } | Place::Precommit { .. } => {
                Said::Vote { block: fields.has("block").then(|| fields.hash("block")).transpose()? }
            }
            Place::Proposal { .. } => Said::Proposal {
                block: fields.hash("block")?,
                valid_round: fields.has("valid_round").then(|| small(&mut fields, "valid_round")).transpose()?,
            },
            Place::Cosignature { .. } => Said::Root { root: fields.hash("root")?, time: fields.integer("time")? },
        };
        fields.end()?;
        Ok(Statement { said, signature })
    }
}

fn small(fields: &mut Fields<'_>, name: &str) -> Result<u32, Refusal> {
    u32::try_from(fields.integer(name)?).map_err(|_| Refusal::new(Code::FieldInvalid, name, "a round"))
}

/// The text that a statement signs; `None` when it says nothing about such a place.
fn text(ledger: &str, place: &Place, said: &Said) -> Option<String> {
    match (place, said) {
        (Place::Prevote { height, round }, Said::Vote { block }) => Some(vote_text(ledger, Step::Prevote, *height, *round, block.as_ref())),
        (Place::Precommit { height, round }, Said::Vote { block }) => {
            Some(vote_text(ledger, Step::Precommit, *height, *round, block.as_ref()))
        }
        (Place::Proposal { height, round }, Said::Proposal { block, valid_round }) => {
            Some(proposal_text(ledger, *height, *round, *valid_round, block))
        }
        (Place::Cosignature { size }, Said::Root { root, time }) => {
            let checkpoint = Checkpoint { origin: ledger.to_owned(), size: *size, root: *root };
            Some(format!("cosignature/v1\ntime {time}\n{}", checkpoint.to_text()))
        }
        _ => None,
    }
}

/// The proof in two cosigned checkpoints of one size, when there is one: `key` is the agency's cosigner key.
pub fn of_checkpoints(checkpoints: [&Checkpoint; 2], cosignatures: [&Cosignature; 2], key: &PublicKey) -> Option<Misbehaviour> {
    let [a, b] = checkpoints;
    let agency = &cosignatures[0].agency;
    let id = key_id(&cosigner_key_name(&a.origin, agency), Algorithm::Cosignature, key);
    let is_pair = a.origin == b.origin && a.size == b.size && cosignatures.iter().all(|one| one.agency == *agency && one.id == id);
    if !is_pair {
        return None;
    }
    let statement = |checkpoint: &Checkpoint, cosignature: &Cosignature| Statement {
        said: Said::Root { root: checkpoint.root, time: cosignature.timestamp },
        signature: cosignature.signature,
    };
    let pair = [statement(a, cosignatures[0]), statement(b, cosignatures[1])];
    Misbehaviour::of(agency, *key, &a.origin, Place::Cosignature { size: a.size }, pair).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::key::SecretKey;

    const LEDGER: &str = "x.example/l/0123456789abcdef";

    fn vote(key: &SecretKey, block: Option<Hash>) -> Statement {
        let text = vote_text(LEDGER, Step::Precommit, 7, 1, block.as_ref());
        Statement { said: Said::Vote { block }, signature: key.sign(text.as_bytes()) }
    }

    #[test]
    fn two_votes_of_one_round_accuse_their_key_and_nobody_else() {
        let (key, other) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let place = Place::Precommit { height: 7, round: 1 };
        let pair = [vote(&key, Some(Hash::of(b"a"))), vote(&key, None)];
        let proof = Misbehaviour::of("agency-1", key.public(), LEDGER, place.clone(), pair.clone()).unwrap();
        let turned = [pair[1].clone(), pair[0].clone()];
        assert_eq!(Misbehaviour::of("agency-1", key.public(), LEDGER, place.clone(), turned).unwrap(), proof, "one pair, one file");
        let read = Misbehaviour::from_value(&proof.to_value()).unwrap();
        assert_eq!((&read, read.check()), (&proof, Ok(())));
        assert!(Misbehaviour::of("agency-2", other.public(), LEDGER, place.clone(), pair.clone()).is_err());
        assert!(Misbehaviour::of("agency-1", key.public(), "y.example/l/0123456789abcdef", place, pair.clone()).is_err());
        let elsewhere = Place::Precommit { height: 8, round: 1 };
        assert!(Misbehaviour::of("agency-1", key.public(), LEDGER, elsewhere, pair.clone()).is_err());
        let prevote = Place::Prevote { height: 7, round: 1 };
        assert!(Misbehaviour::of("agency-1", key.public(), LEDGER, prevote, pair.clone()).is_err());
        let same = [pair[0].clone(), pair[0].clone()];
        assert!(Misbehaviour::of("agency-1", key.public(), LEDGER, Place::Precommit { height: 7, round: 1 }, same).is_err());
    }

    #[test]
    fn cosigning_one_root_twice_is_honest_and_two_roots_is_not() {
        let key = SecretKey::from_seed(&[3; 32]);
        let checkpoint = |root: &[u8]| Checkpoint { origin: LEDGER.to_owned(), size: 9, root: Hash::of(root) };
        let (a, b) = (checkpoint(b"a"), checkpoint(b"b"));
        let sign = |checkpoint: &Checkpoint, time: u64| Cosignature::sign(checkpoint, "agency-1", time, &key);
        assert_eq!(of_checkpoints([&a, &a], [&sign(&a, 1), &sign(&a, 2)], &key.public()), None);
        let proof = of_checkpoints([&b, &a], [&sign(&b, 1), &sign(&a, 2)], &key.public()).unwrap();
        assert_eq!(Misbehaviour::from_value(&proof.to_value()).unwrap().check(), Ok(()));
        let larger = Checkpoint { size: 10, ..b };
        assert_eq!(of_checkpoints([&larger, &a], [&sign(&larger, 1), &sign(&a, 2)], &key.public()), None);
    }
}
