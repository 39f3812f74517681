//! The engine's messages as bytes, on the wire and in the WAL. Written by hand: every tag and length is checked, nothing is
//! allocated on a stranger's word, and reading never panics.

use std::sync::Arc;

use bytes::Bytes;
use malachite_app::app::consensus::{LivenessMsg, ProposedValue, SignedConsensusMsg};
use malachite_app::app::engine::util::streaming::StreamContent;
use malachite_app::app::types::PeerId;
use malachite_app::app::types::codec::{Codec, HasEncodedLen};
use malachite_app::app::types::core::{
    ExtendedCommitCertificate, ExtendedCommitSignature, NilOrVal, PolkaCertificate, PolkaSignature, Round, RoundCertificate,
    RoundCertificateType, RoundSignature, SignedMessage, ValidatorProof, Validity, VoteType,
};
use malachite_app::app::types::streaming::{StreamId, StreamMessage};
use malachite_app::app::types::sync::{RawDecidedValue, Request, Response, Status};
use malachite_sync::{ValueRequest, ValueResponse};

use super::context::{Address, Height, Init, Ledger, Part, Proposal, Vote};
use super::frame::{FrameError, In, Out};
use super::heard::Heard;
use crate::core::hash::Hash;

/// The codec of all channels and of the WAL. It notes the heights that peers' status messages tell, because the engine
/// shows those to its own sync alone.
#[derive(Clone, Debug)]
pub struct Wire {
    heard: Arc<Heard>,
}

impl Wire {
    pub fn new(heard: Arc<Heard>) -> Self {
        Wire { heard }
    }
}

/// How a value lies in bytes.
trait Layout: Sized {
    fn put(&self, out: &mut Out) -> Result<(), FrameError>;
    fn take(input: &mut In) -> Result<Self, FrameError>;
}

fn encode<T: Layout>(value: &T) -> Result<Bytes, FrameError> {
    let mut out = Out::default();
    value.put(&mut out)?;
    Ok(out.into_bytes())
}

fn decode<T: Layout>(bytes: Bytes) -> Result<T, FrameError> {
    let mut input = In::new(bytes);
    let value = T::take(&mut input)?;
    input.end()?;
    Ok(value)
}

macro_rules! codec {
    ($($message:ty),* $(,)?) => {$(
        impl Codec<$message> for Wire {
            type Error = FrameError;

            fn decode(&self, bytes: Bytes) -> Result<$message, FrameError> {
                decode(bytes)
            }

            fn encode(&self, message: &$message) -> Result<Bytes, FrameError> {
                encode(message)
            }
        }
    )*};
}

codec!(
    Part,
    StreamMessage<Part>,
    SignedConsensusMsg<Ledger>,
    LivenessMsg<Ledger>,
    PolkaCertificate<Ledger>,
    ProposedValue<Ledger>,
    ValidatorProof<Ledger>,
    Request<Ledger>,
    Response<Ledger>,
);

impl Codec<Status<Ledger>> for Wire {
    type Error = FrameError;

    fn decode(&self, bytes: Bytes) -> Result<Status<Ledger>, FrameError> {
        let status: Status<Ledger> = decode(bytes)?;
        self.heard.note(&status.peer_id, status.tip_height.0);
        Ok(status)
    }

    fn encode(&self, status: &Status<Ledger>) -> Result<Bytes, FrameError> {
        encode(status)
    }
}

impl HasEncodedLen<Response<Ledger>> for Wire {
    fn encoded_len(&self, response: &Response<Ledger>) -> Result<usize, FrameError> {
        let Response::ValueResponse(response) = response;
        let signed = |value: &RawDecidedValue<Ledger>| value.certificate.commit_signatures.len() * SIGNATURE_ENTRY_BYTES;
        Ok(12 + response.values.iter().map(|value| value.value_bytes.len() + 56 + signed(value)).sum::<usize>())
    }
}

/// Address, signature, and the byte that says there is no extension.
const SIGNATURE_ENTRY_BYTES: usize = 97;

impl Layout for Height {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        out.u64(self.0);
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        input.u64().map(Height)
    }
}

/// Nil is 0, round r is r + 1 in eight bytes.
impl Layout for Round {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        out.u64(self.as_u32().map_or(0, |round| u64::from(round) + 1));
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        match input.u64()? {
            0 => Ok(Round::Nil),
            above => u32::try_from(above - 1).map(Round::new).map_err(|_| FrameError::Invalid("a round above 2^32 - 1")),
        }
    }
}

/// A round of a message that is signed: never nil.
fn take_round(input: &mut In) -> Result<Round, FrameError> {
    let round = Round::take(input)?;
    if round.is_nil() { Err(FrameError::Invalid("a nil round")) } else { Ok(round) }
}

impl Layout for Address {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        out.raw(&self.0);
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        input.array().map(Address)
    }
}

impl Layout for Hash {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        out.raw(&self.0);
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        input.array().map(Hash)
    }
}

impl Layout for NilOrVal<Hash> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        match self {
            NilOrVal::Nil => out.byte(0),
            NilOrVal::Val(hash) => {
                out.byte(1);
                hash.put(out)?;
            }
        }
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        match input.byte()? {
            0 => Ok(NilOrVal::Nil),
            1 => Hash::take(input).map(NilOrVal::Val),
            _ => Err(FrameError::Invalid("neither nil nor a block")),
        }
    }
}

impl Layout for VoteType {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        out.byte(match self {
            VoteType::Prevote => 1,
            VoteType::Precommit => 2,
        });
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        match input.byte()? {
            1 => Ok(VoteType::Prevote),
            2 => Ok(VoteType::Precommit),
            _ => Err(FrameError::Invalid("neither prevote nor precommit")),
        }
    }
}

impl Layout for SignedMessage<Ledger, Vote> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        let vote = &self.message;
        vote.step.put(out)?;
        vote.height.put(out)?;
        vote.round.put(out)?;
        vote.block.put(out)?;
        vote.voter.put(out)?;
        // No extension.
        out.byte(0);
        out.raw(&self.signature);
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        let vote = Vote {
            step: VoteType::take(input)?,
            height: Height::take(input)?,
            round: take_round(input)?,
            block: NilOrVal::take(input)?,
            voter: Address::take(input)?,
        };
        take_no_extension(input)?;
        Ok(SignedMessage::new(vote, input.array()?))
    }
}

fn take_no_extension(input: &mut In) -> Result<(), FrameError> {
    match input.byte()? {
        0 => Ok(()),
        _ => Err(FrameError::Invalid("a vote extension")),
    }
}

impl Layout for SignedMessage<Ledger, Proposal> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        let proposal = &self.message;
        proposal.height.put(out)?;
        proposal.round.put(out)?;
        proposal.block.put(out)?;
        proposal.valid_round.put(out)?;
        proposal.proposer.put(out)?;
        out.raw(&self.signature);
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        let proposal = Proposal {
            height: Height::take(input)?,
            round: take_round(input)?,
            block: Hash::take(input)?,
            valid_round: Round::take(input)?,
            proposer: Address::take(input)?,
        };
        Ok(SignedMessage::new(proposal, input.array()?))
    }
}

impl Layout for SignedConsensusMsg<Ledger> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        #[cfg(feature = "test-faults")]
        if let Some(second) = super::two_votes::in_place_of(self) {
            return second.put(out);
        }
        match self {
            SignedConsensusMsg::Vote(vote) => {
                out.byte(1);
                vote.put(out)
            }
            SignedConsensusMsg::Proposal(proposal) => {
                out.byte(2);
                proposal.put(out)
            }
        }
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        match input.byte()? {
            1 => SignedMessage::take(input).map(SignedConsensusMsg::Vote),
            2 => SignedMessage::take(input).map(SignedConsensusMsg::Proposal),
            _ => Err(FrameError::Invalid("neither vote nor proposal")),
        }
    }
}

impl Layout for PolkaCertificate<Ledger> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        self.height.put(out)?;
        self.round.put(out)?;
        self.value_id.put(out)?;
        out.count(self.polka_signatures.len())?;
        for entry in &self.polka_signatures {
            entry.address.put(out)?;
            out.raw(&entry.signature);
        }
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        let (height, round, value_id) = (Height::take(input)?, take_round(input)?, Hash::take(input)?);
        let count = input.count(96)?;
        let mut entry = || Ok(PolkaSignature::new(Address::take(input)?, input.array()?));
        let polka_signatures = (0..count).map(|_| entry()).collect::<Result<_, FrameError>>()?;
        Ok(PolkaCertificate { height, round, value_id, polka_signatures })
    }
}

impl Layout for RoundCertificate<Ledger> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        self.height.put(out)?;
        self.round.put(out)?;
        out.byte(match self.cert_type {
            RoundCertificateType::Skip => 1,
            RoundCertificateType::Precommit => 2,
        });
        out.count(self.round_signatures.len())?;
        for entry in &self.round_signatures {
            entry.vote_type.put(out)?;
            entry.value_id.put(out)?;
            entry.address.put(out)?;
            out.raw(&entry.signature);
        }
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        let (height, round) = (Height::take(input)?, take_round(input)?);
        let cert_type = match input.byte()? {
            1 => RoundCertificateType::Skip,
            2 => RoundCertificateType::Precommit,
            _ => return Err(FrameError::Invalid("an unknown round certificate")),
        };
        let count = input.count(98)?;
        let mut entry = || {
            let (step, block, address) = (VoteType::take(input)?, NilOrVal::take(input)?, Address::take(input)?);
            Ok(RoundSignature::new(step, block, address, input.array()?))
        };
        let round_signatures = (0..count).map(|_| entry()).collect::<Result<_, FrameError>>()?;
        Ok(RoundCertificate { height, round, cert_type, round_signatures })
    }
}

impl Layout for LivenessMsg<Ledger> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        match self {
            LivenessMsg::Vote(vote) => {
                out.byte(1);
                vote.put(out)
            }
            LivenessMsg::PolkaCertificate(certificate) => {
                out.byte(2);
                certificate.put(out)
            }
            LivenessMsg::SkipRoundCertificate(certificate) => {
                out.byte(3);
                certificate.put(out)
            }
        }
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        match input.byte()? {
            1 => SignedMessage::take(input).map(LivenessMsg::Vote),
            2 => PolkaCertificate::take(input).map(LivenessMsg::PolkaCertificate),
            3 => RoundCertificate::take(input).map(LivenessMsg::SkipRoundCertificate),
            _ => Err(FrameError::Invalid("an unknown liveness message")),
        }
    }
}

impl Layout for ProposedValue<Ledger> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        self.height.put(out)?;
        self.round.put(out)?;
        self.valid_round.put(out)?;
        self.proposer.put(out)?;
        self.value.put(out)?;
        out.byte(u8::from(self.validity.is_valid()));
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        Ok(ProposedValue {
            height: Height::take(input)?,
            round: Round::take(input)?,
            valid_round: Round::take(input)?,
            proposer: Address::take(input)?,
            value: Hash::take(input)?,
            validity: match input.byte()? {
                0 => Validity::Invalid,
                1 => Validity::Valid,
                _ => return Err(FrameError::Invalid("neither valid nor invalid")),
            },
        })
    }
}

impl Layout for Part {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        match self {
            Part::Init(init) => {
                out.byte(1);
                init.height.put(out)?;
                Round::new(init.round).put(out)?;
                Round::from(init.valid_round).put(out)?;
                init.proposer.put(out)
            }
            Part::Body(bytes) => {
                out.byte(2);
                out.sized(bytes)
            }
            Part::Fin(signature) => {
                out.byte(3);
                out.raw(signature);
                Ok(())
            }
        }
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        match input.byte()? {
            1 => {
                let height = Height::take(input)?;
                let round = Round::take(input)?.as_u32().ok_or(FrameError::Invalid("a nil round"))?;
                let valid_round = Round::take(input)?.as_u32();
                Ok(Part::Init(Init { height, round, valid_round, proposer: Address::take(input)? }))
            }
            2 => input.sized().map(Part::Body),
            3 => input.array().map(Part::Fin),
            _ => Err(FrameError::Invalid("an unknown part")),
        }
    }
}

impl Layout for StreamMessage<Part> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        out.sized(&self.stream_id.to_bytes())?;
        out.u64(self.sequence);
        match &self.content {
            StreamContent::Data(part) => {
                out.byte(1);
                part.put(out)
            }
            StreamContent::Fin => {
                out.byte(0);
                Ok(())
            }
        }
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        let stream_id = StreamId::new(input.sized()?);
        let sequence = input.u64()?;
        let content = match input.byte()? {
            0 => StreamContent::Fin,
            1 => StreamContent::Data(Part::take(input)?),
            _ => return Err(FrameError::Invalid("unknown stream content")),
        };
        Ok(StreamMessage::new(stream_id, sequence, content))
    }
}

impl Layout for ValidatorProof<Ledger> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        out.sized(&self.public_key)?;
        out.sized(&self.peer_id)?;
        out.raw(&self.signature);
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        Ok(ValidatorProof::new(input.sized()?.to_vec(), input.sized()?.to_vec(), input.array()?))
    }
}

impl Layout for Status<Ledger> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        out.sized(&self.peer_id.to_bytes())?;
        self.tip_height.put(out)?;
        self.history_min_height.put(out)
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        let peer = input.sized()?;
        Ok(Status {
            peer_id: PeerId::from_bytes(&peer).map_err(|_| FrameError::Invalid("not a peer id"))?,
            tip_height: Height::take(input)?,
            history_min_height: Height::take(input)?,
        })
    }
}

impl Layout for Request<Ledger> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        let Request::ValueRequest(request) = self;
        request.range.start().put(out)?;
        request.range.end().put(out)
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        let (start, end) = (Height::take(input)?, Height::take(input)?);
        Ok(Request::ValueRequest(ValueRequest::new(start..=end)))
    }
}

impl Layout for ExtendedCommitCertificate<Ledger> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        self.height.put(out)?;
        self.round.put(out)?;
        self.value_id.put(out)?;
        out.count(self.commit_signatures.len())?;
        for entry in &self.commit_signatures {
            if entry.extension.is_some() {
                return Err(FrameError::Invalid("a vote extension"));
            }
            entry.address.put(out)?;
            out.raw(&entry.signature);
            out.byte(0);
        }
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        let (height, round, value_id) = (Height::take(input)?, take_round(input)?, Hash::take(input)?);
        let count = input.count(SIGNATURE_ENTRY_BYTES)?;
        let mut entry = || {
            let signature = ExtendedCommitSignature::new(Address::take(input)?, input.array()?, None);
            take_no_extension(input)?;
            Ok(signature)
        };
        let commit_signatures = (0..count).map(|_| entry()).collect::<Result<_, FrameError>>()?;
        Ok(ExtendedCommitCertificate { height, round, value_id, commit_signatures })
    }
}

impl Layout for Response<Ledger> {
    fn put(&self, out: &mut Out) -> Result<(), FrameError> {
        let Response::ValueResponse(response) = self;
        response.start_height.put(out)?;
        out.count(response.values.len())?;
        for value in &response.values {
            value.certificate.put(out)?;
            out.sized(&value.value_bytes)?;
        }
        Ok(())
    }

    fn take(input: &mut In) -> Result<Self, FrameError> {
        let start_height = Height::take(input)?;
        let count = input.count(56)?;
        let mut value = || {
            let certificate = ExtendedCommitCertificate::take(input)?;
            Ok(RawDecidedValue::new(input.sized()?, certificate))
        };
        let values = (0..count).map(|_| value()).collect::<Result<_, FrameError>>()?;
        Ok(Response::ValueResponse(ValueResponse::new(start_height, values)))
    }
}

#[cfg(test)]
mod tests;
