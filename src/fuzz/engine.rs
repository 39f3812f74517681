//! Bytes from peers and of the engine's own files: messages, bodies, kept bodies, the record swarm.

use bytes::Bytes;
use malachite_app::app::consensus::{LivenessMsg, ProposedValue, SignedConsensusMsg};
use malachite_app::app::engine::util::streaming::StreamContent;
use malachite_app::app::types::codec::Codec;
use malachite_app::app::types::core::{
    ExtendedCommitCertificate, ExtendedCommitSignature, NilOrVal, PolkaCertificate, PolkaSignature, Round, RoundCertificate,
    RoundCertificateType, RoundSignature, SignedMessage, ValidatorProof, Validity, VoteType,
};
use malachite_app::app::types::streaming::{StreamId, StreamMessage};
use malachite_app::app::types::sync::{RawDecidedValue, Request, Response, Status};
use malachite_sync::{ValueRequest, ValueResponse};

use crate::consensus::engine::body::Body;
use crate::consensus::engine::codec::Wire;
use crate::consensus::engine::context::{Address, Height, Init, Ledger, Part, Proposal, Vote};
use crate::consensus::engine::undecided::{from_frame, to_frame};
use crate::core::hash::Hash;
use crate::core::limits::RECORD_BYTES_MAX;
use crate::net::message::{Draft, Message};

fn again<T>(bytes: &Bytes) -> bool
where
    Wire: Codec<T>,
{
    let wire = Wire::new(Default::default());
    let Ok(message) = Codec::<T>::decode(&wire, bytes.clone()) else { return false };
    let written = Codec::<T>::encode(&wire, &message);
    assert_eq!(written.ok().as_ref(), Some(bytes), "read and written again");
    true
}

/// The first byte chooses the kind of message.
pub fn message(bytes: &[u8]) -> bool {
    let Some((kind, rest)) = bytes.split_first() else { return false };
    let rest = Bytes::copy_from_slice(rest);
    match kind % 10 {
        0 => again::<SignedConsensusMsg<Ledger>>(&rest),
        1 => again::<LivenessMsg<Ledger>>(&rest),
        2 => again::<PolkaCertificate<Ledger>>(&rest),
        3 => again::<ProposedValue<Ledger>>(&rest),
        4 => again::<ValidatorProof<Ledger>>(&rest),
        5 => again::<StreamMessage<Part>>(&rest),
        6 => again::<Part>(&rest),
        7 => again::<Status<Ledger>>(&rest),
        8 => again::<Request<Ledger>>(&rest),
        _ => again::<Response<Ledger>>(&rest),
    }
}

pub fn body(bytes: &[u8]) -> bool {
    let Ok(body) = Body::parse(Bytes::copy_from_slice(bytes)) else { return false };
    assert_eq!(body.to_bytes().expect("a body that was read"), bytes);
    true
}

/// As they are, and behind the checksum that they should have.
pub fn undecided(bytes: &[u8]) -> bool {
    let sealed = [bytes, Hash::of(bytes).as_bytes()].concat();
    let mut is_read = false;
    for frame in [bytes, &sealed] {
        if let Ok(kept) = from_frame(Bytes::copy_from_slice(frame)) {
            let written = to_frame(&kept).expect("a frame that was read");
            assert_eq!(&written[4..], frame, "behind the length");
            is_read = true;
        }
    }
    is_read
}

/// A checkpoint's note travels without the lines of others than cosigners.
pub fn swarm(bytes: &[u8]) -> bool {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(bytes)) else { return false };
    assert!(message.leaves.iter().all(|leaf| leaf.len() <= RECORD_BYTES_MAX));
    let mut draft = Draft::default();
    message.leaves.iter().for_each(|leaf| draft.record(leaf));
    let with_lines: Vec<_> = message.cosigned.into_iter().filter(|cosigned| !cosigned.cosignatures.is_empty()).collect();
    with_lines.iter().for_each(|cosigned| draft.cosigned(cosigned));
    let again = Message::parse(draft.finish()).expect("what was taken apart is put together");
    assert_eq!((again.leaves, again.cosigned), (message.leaves, with_lines));
    true
}

fn encoded<T>(kind: u8, message: &T) -> Vec<u8>
where
    Wire: Codec<T>,
{
    let bytes = Codec::<T>::encode(&Wire::new(Default::default()), message).unwrap_or_default();
    [&[kind], &bytes[..]].concat()
}

/// A message of each kind, for the target `engine`.
pub fn seeds() -> Vec<Vec<u8>> {
    let (address, hash, signature) = (Address([4; 32]), Hash([1; 32]), [7; 64]);
    let (height, round) = (Height(9), Round::new(3));
    let vote = |step, block| SignedMessage::new(Vote { step, height, round, block, voter: address }, signature);
    let proposal = Proposal { height, round, block: hash, valid_round: Round::new(1), proposer: address };
    let polka_signatures = vec![PolkaSignature::new(address, signature); 3];
    let polka = PolkaCertificate { height, round, value_id: hash, polka_signatures };
    let round_signatures = vec![RoundSignature::new(VoteType::Precommit, NilOrVal::Val(hash), address, signature); 2];
    let cert_type = RoundCertificateType::Skip;
    let value =
        ProposedValue::<Ledger> { height, round, valid_round: Round::Nil, proposer: address, value: hash, validity: Validity::Valid };
    let commit_signatures = vec![ExtendedCommitSignature::new(address, signature, None); 3];
    let certificate = ExtendedCommitCertificate { height, round, value_id: hash, commit_signatures };
    let decided = RawDecidedValue::new(Bytes::from_static(b"body"), certificate);
    let init = Part::Init(Init { height, round: 1, valid_round: Some(0), proposer: address });
    let stream = |content| StreamMessage::<Part>::new(StreamId::new(Bytes::from_static(b"id")), 4, content);
    vec![
        encoded(0, &SignedConsensusMsg::Vote(vote(VoteType::Prevote, NilOrVal::Nil))),
        encoded(0, &SignedConsensusMsg::Vote(vote(VoteType::Precommit, NilOrVal::Val(hash)))),
        encoded(0, &SignedConsensusMsg::Proposal(SignedMessage::new(proposal, signature))),
        encoded(1, &LivenessMsg::Vote(vote(VoteType::Prevote, NilOrVal::Val(hash)))),
        encoded(1, &LivenessMsg::PolkaCertificate(polka.clone())),
        encoded(1, &LivenessMsg::SkipRoundCertificate(RoundCertificate { height, round, cert_type, round_signatures })),
        encoded(2, &polka),
        encoded(3, &value),
        encoded(4, &ValidatorProof::<Ledger>::new(vec![1; 32], vec![2; 38], signature)),
        encoded(5, &stream(StreamContent::Data(init.clone()))),
        encoded(5, &stream(StreamContent::Fin)),
        encoded(6, &init),
        encoded(6, &Part::Body(Bytes::from_static(b"piece"))),
        encoded(6, &Part::Fin(signature)),
        encoded(8, &Request::<Ledger>::ValueRequest(ValueRequest::new(Height(2)..=Height(5)))),
        encoded(9, &Response::ValueResponse(ValueResponse::new(height, vec![decided.clone(), decided]))),
    ]
}
