//! The texts that validators sign with their consensus keys, and commit certificates.
//!
//! Every text is `sharelog/<what>/v1\n<origin>\n` and then lines ended by U+000A. The round is signed, else precommits of
//! different rounds would add up to a false certificate; the valid round too, else a relay could frame a proposer.

use std::fmt::Write as _;

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::ids::check_agency;
use crate::core::json::{Value, object};
use crate::core::key::{decode_base64, encode_base64};
use crate::core::limits::VALIDATORS_MAX;
use crate::core::refusal::{Code, Refusal};
use crate::core::validators::ValidatorSet;

/// The two steps of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Prevote,
    Precommit,
}

/// The text of a vote; `block` is `None` for nil.
pub fn vote_text(origin: &str, step: Step, height: u64, round: u32, block: Option<&Hash>) -> String {
    let what = match step {
        Step::Prevote => "prevote",
        Step::Precommit => "precommit",
    };
    format!("sharelog/{what}/v1\n{origin}\n{height} {round}\n{}\n", or_nil(block))
}

/// The text of a proposal; `valid_round` is `None` for a fresh one.
pub fn proposal_text(origin: &str, height: u64, round: u32, valid_round: Option<u32>, block: &Hash) -> String {
    round_text("proposal", origin, height, round, valid_round, block)
}

/// The text that signs a proposal's parts.
pub fn parts_text(origin: &str, height: u64, round: u32, valid_round: Option<u32>, block: &Hash) -> String {
    round_text("parts", origin, height, round, valid_round, block)
}

/// The text that binds a peer id to a consensus key.
pub fn peer_text(origin: &str, peer: &str) -> String {
    format!("sharelog/peer/v1\n{origin}\n{peer}\n")
}

fn round_text(what: &str, origin: &str, height: u64, round: u32, valid_round: Option<u32>, block: &Hash) -> String {
    let mut text = format!("sharelog/{what}/v1\n{origin}\n{height} {round} ");
    match valid_round {
        Some(valid) => write!(text, "{valid}").expect("writing to a string"),
        None => text.push_str("nil"),
    }
    write!(text, "\n{block}\n").expect("writing to a string");
    text
}

fn or_nil(block: Option<&Hash>) -> String {
    block.map_or_else(|| "nil".to_owned(), |hash| hash.to_hex())
}

/// Precommits of one height, round and block by more than two thirds of the power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub block: Hash,
    pub height: u64,
    pub ledger: String,
    pub round: u32,
    /// Ascending by agency, no repeats.
    pub signatures: Vec<(String, [u8; 64])>,
}

impl Certificate {
    pub fn to_value(&self) -> Value {
        let signature = |(agency, signature): &(String, [u8; 64])| {
            object([("agency", agency.as_str().into()), ("signature", encode_base64(signature).into())])
        };
        object([
            ("block", self.block.to_hex().into()),
            ("height", self.height.into()),
            ("ledger", self.ledger.as_str().into()),
            ("round", u64::from(self.round).into()),
            ("signatures", Value::Array(self.signatures.iter().map(signature).collect())),
        ])
    }

    /// # Errors
    /// `field-missing`, `field-unknown`, `field-invalid`.
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, "certificate")?;
        let signature = |item| -> Result<(String, [u8; 64]), Refusal> {
            let mut fields = Fields::of(item, "signature")?;
            let agency = fields.string("agency")?.to_owned();
            check_agency(&agency)?;
            let text = fields.string("signature")?;
            let bytes = decode_base64(text)?.try_into().map_err(|_| Refusal::new(Code::FieldInvalid, text, "base64 of 64 bytes"))?;
            fields.end()?;
            Ok((agency, bytes))
        };
        let round = fields.integer("round")?;
        let no_height = || Refusal::new(Code::FieldInvalid, "height 0", "a height from 1");
        let certificate = Certificate {
            block: fields.hash("block")?,
            height: Some(fields.integer("height")?).filter(|height| *height > 0).ok_or_else(no_height)?,
            ledger: fields.string("ledger")?.to_owned(),
            round: u32::try_from(round).map_err(|_| Refusal::new(Code::FieldInvalid, format!("round {round}"), "a round below 2^32"))?,
            signatures: fields.list("signatures", 0, VALIDATORS_MAX)?.iter().map(signature).collect::<Result<_, _>>()?,
        };
        fields.end()?;
        if certificate.signatures.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(Refusal::new(
                Code::FieldInvalid,
                "certificate signatures out of order or repeated",
                "signatures ascending by agency",
            ));
        }
        Ok(certificate)
    }

    /// Checks that more than two thirds of `set` precommitted `block` at `height`; one bad or foreign signature refuses all.
    ///
    /// # Errors
    /// `signature-invalid` for a bad or foreign signature or too little power, `field-invalid` for another block or height,
    /// `ledger-wrong`.
    pub fn verify(&self, origin: &str, height: u64, block: &Hash, set: &ValidatorSet) -> Result<(), Refusal> {
        if self.ledger != origin {
            return Err(Refusal::new(Code::LedgerWrong, self.ledger.clone(), origin));
        }
        if self.height != height || self.block != *block {
            return Err(Refusal::new(
                Code::FieldInvalid,
                format!("a certificate of height {} and block {}", self.height, self.block),
                format!("height {height} and block {block}"),
            ));
        }
        let text = vote_text(origin, Step::Precommit, height, self.round, Some(block));
        let mut power = 0;
        for (agency, signature) in &self.signatures {
            let member = set
                .member(agency)
                .ok_or_else(|| Refusal::new(Code::SignatureInvalid, agency.clone(), "members of the height's validator set"))?;
            if !member.consensus.verifies(text.as_bytes(), signature) {
                return Err(Refusal::new(Code::SignatureInvalid, format!("the precommit of {agency}"), "a valid signature"));
            }
            power += member.power;
        }
        if !set.is_quorum(power) {
            return Err(Refusal::new(Code::SignatureInvalid, format!("power {power} of {}", set.power()), "more than two thirds"));
        }
        Ok(())
    }
}
