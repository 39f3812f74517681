//! Every message round-trips, and no cut or changed message makes the codec panic or allocate without bound.

use proptest::prelude::*;

use super::*;

fn signature() -> [u8; 64] {
    [7; 64]
}

fn vote(step: VoteType, block: NilOrVal<Hash>) -> SignedMessage<Ledger, Vote> {
    let vote = Vote { step, height: Height(9), round: Round::new(3), block, voter: Address([4; 32]) };
    SignedMessage::new(vote, signature())
}

fn certificate() -> ExtendedCommitCertificate<Ledger> {
    let entry = |number| ExtendedCommitSignature::new(Address([number; 32]), signature(), None);
    ExtendedCommitCertificate {
        height: Height(9),
        round: Round::new(0),
        value_id: Hash([2; 32]),
        commit_signatures: (0..3).map(entry).collect(),
    }
}

fn peer() -> PeerId {
    let mut bytes = vec![0, 36, 8, 1, 18, 32];
    bytes.extend([5; 32]);
    PeerId::from_bytes(&bytes).unwrap()
}

fn check<T: Layout + PartialEq + std::fmt::Debug>(message: &T) {
    let bytes = encode(message).unwrap();
    assert_eq!(&decode::<T>(bytes.clone()).unwrap(), message);
    for length in 0..bytes.len() {
        assert!(decode::<T>(bytes.slice(..length)).is_err(), "{length} of {}", bytes.len());
    }
    let longer: Bytes = [&bytes[..], b"x"].concat().into();
    assert_eq!(decode::<T>(longer).unwrap_err(), FrameError::Trailing(1));
}

#[test]
fn votes_and_proposals_round_trip() {
    for block in [NilOrVal::Nil, NilOrVal::Val(Hash([1; 32]))] {
        check(&SignedConsensusMsg::Vote(vote(VoteType::Prevote, block)));
        check(&LivenessMsg::Vote(vote(VoteType::Precommit, block)));
    }
    for valid_round in [Round::Nil, Round::new(0), Round::new(u32::MAX)] {
        let proposal = Proposal { height: Height(9), round: Round::new(3), block: Hash([1; 32]), valid_round, proposer: Address([4; 32]) };
        check(&SignedConsensusMsg::Proposal(SignedMessage::new(proposal, signature())));
        let value = ProposedValue::<Ledger> {
            height: Height(9),
            round: Round::new(3),
            valid_round,
            proposer: Address([4; 32]),
            value: Hash([1; 32]),
            validity: Validity::Invalid,
        };
        check(&value);
    }
}

#[test]
fn certificates_and_parts_round_trip() {
    let polka_signatures = vec![PolkaSignature::new(Address([1; 32]), signature())];
    let polka = PolkaCertificate { height: Height(1), round: Round::new(2), value_id: Hash([3; 32]), polka_signatures };
    check(&polka);
    check(&LivenessMsg::PolkaCertificate(polka));
    for cert_type in [RoundCertificateType::Skip, RoundCertificateType::Precommit] {
        let nil = RoundSignature::new(VoteType::Prevote, NilOrVal::Nil, Address([1; 32]), signature());
        let block = RoundSignature::new(VoteType::Precommit, NilOrVal::Val(Hash([1; 32])), Address([2; 32]), signature());
        let round = RoundCertificate { height: Height(1), round: Round::new(2), cert_type, round_signatures: vec![nil, block] };
        check(&LivenessMsg::SkipRoundCertificate(round));
    }
    let init = Init { height: Height(3), round: 1, valid_round: Some(0), proposer: Address([1; 32]) };
    for part in [Part::Init(init), Part::Body(Bytes::from_static(b"piece")), Part::Fin(signature())] {
        check(&part);
        check(&StreamMessage::new(StreamId::new(Bytes::from_static(b"id")), 4, StreamContent::Data(part)));
    }
    check(&StreamMessage::<Part>::new(StreamId::new(Bytes::from_static(b"id")), 4, StreamContent::Fin));
}

#[test]
fn sync_messages_round_trip_and_tell_their_length() {
    let wire = Wire::new(Arc::default());
    wire.heard.listen_to([peer()]);
    let status = Status::<Ledger> { peer_id: peer(), tip_height: Height(8), history_min_height: Height(1) };
    check(&status);
    let _: Status<Ledger> = Codec::decode(&wire, encode(&status).unwrap()).unwrap();
    assert_eq!(wire.heard.reached(), Some(8));
    check(&Request::<Ledger>::ValueRequest(ValueRequest::new(Height(2)..=Height(5))));
    let value = RawDecidedValue::new(Bytes::from_static(b"body"), certificate());
    let response = Response::ValueResponse(ValueResponse::new(Height(9), vec![value.clone(), value]));
    check(&response);
    assert_eq!(wire.encoded_len(&response).unwrap(), encode(&response).unwrap().len());
    check(&ValidatorProof::<Ledger>::new(vec![1; 32], vec![2; 38], signature()));
}

#[test]
fn a_vote_extension_is_refused() {
    let mut bytes = encode(&vote(VoteType::Precommit, NilOrVal::Nil)).unwrap().to_vec();
    let flag = bytes.len() - 65;
    bytes[flag] = 1;
    assert_eq!(decode::<SignedMessage<Ledger, Vote>>(bytes.into()).unwrap_err(), FrameError::Invalid("a vote extension"));
}

#[test]
fn a_count_beyond_the_bytes_is_refused_at_once() {
    let mut bytes = encode(&Response::ValueResponse(ValueResponse::<Ledger>::new(Height(1), vec![]))).unwrap().to_vec();
    bytes[8..].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(decode::<Response<Ledger>>(bytes.into()).unwrap_err(), FrameError::Truncated);
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = Bytes::from(bytes);
        let _ = decode::<SignedConsensusMsg<Ledger>>(bytes.clone());
        let _ = decode::<LivenessMsg<Ledger>>(bytes.clone());
        let _ = decode::<StreamMessage<Part>>(bytes.clone());
        let _ = decode::<ProposedValue<Ledger>>(bytes.clone());
        let _ = decode::<Status<Ledger>>(bytes.clone());
        let _ = decode::<Request<Ledger>>(bytes.clone());
        let _ = decode::<ValidatorProof<Ledger>>(bytes.clone());
        let _ = decode::<Response<Ledger>>(bytes);
    }
}
