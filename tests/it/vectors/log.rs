//! Trees, block entries, signed texts and certificates, checkpoints, tlog-proofs, tiles.

use sharelog::core::hash::Hash;
use sharelog::core::json::{Strings, Value, object, parse, strings};
use sharelog::core::key::{Algorithm, SecretKey, VerifierKey, encode_base64};
use sharelog::core::note::Note;
use sharelog::core::refusal::Code;
use sharelog::log::certificate::{Certificate, Step, parts_text, peer_text, proposal_text, vote_text};
use sharelog::log::checkpoint::{Checkpoint, Cosignature, policy_text};
use sharelog::log::entry::BlockEntry;
use sharelog::log::merkle::{MemoryNodes, consistency_proof, inclusion_proof, leaf_hash, root_at, verify_consistency, verify_inclusion};
use sharelog::log::misbehaviour::{Misbehaviour, Place, Said, Statement};
use sharelog::log::proof::TlogProof;
use sharelog::log::tile::{TileName, entries_path, parse_path, tile_path};
use signed_note::{StandardVerifier, VerifierList};

use super::{bad_case, check_cases};
use crate::it::ledger::{FIRST_SET, SECOND_SET, Story, record_id, secret, set};

const SIZES: [u64; 10] = [0, 1, 2, 3, 255, 256, 257, 65_535, 65_536, 65_537];

fn base64(hashes: &[Hash]) -> Value {
    strings(hashes.iter().map(|hash| encode_base64(hash.as_bytes())))
}

#[test]
fn trees() {
    let leaf = |index: u64| leaf_hash(index.to_string().as_bytes());
    let mut nodes = MemoryNodes::default();
    (0..SIZES[9]).for_each(|index| nodes.push(leaf(index)));
    let root = |size| root_at(&nodes, size).unwrap();
    let roots = SIZES.map(|size| object([("root", root(size).to_hex().into()), ("size", size.into())]));
    let mut inclusion = Vec::new();
    let mut consistency = Vec::new();
    for size in SIZES.into_iter().filter(|size| *size > 0) {
        let mut positions = vec![0, size / 3, size / 2, size - 1];
        positions.dedup();
        for position in positions {
            let proof = inclusion_proof(&nodes, position, size).unwrap();
            verify_inclusion(&leaf(position), position, size, &proof, &root(size)).unwrap();
            inclusion.push(object([
                ("leaf_hash", leaf(position).to_hex().into()),
                ("position", position.into()),
                ("proof", base64(&proof)),
                ("root", root(size).to_hex().into()),
                ("size", size.into()),
            ]));
        }
        for from in SIZES.into_iter().filter(|from| (1..=size).contains(from)) {
            let proof = consistency_proof(&nodes, from, size).unwrap();
            verify_consistency(from, size, &root(from), &root(size), &proof).unwrap();
            consistency.push(object([
                ("from", from.into()),
                ("from_root", root(from).to_hex().into()),
                ("proof", base64(&proof)),
                ("to", size.into()),
                ("to_root", root(size).to_hex().into()),
            ]));
        }
    }
    check_cases("trees.json", &[("consistency", consistency), ("inclusion", inclusion), ("roots", roots.to_vec())]);
}

#[test]
fn entries() {
    let Story { ledger, .. } = Story::tell();
    let good = ledger.entries.values().map(|entry| {
        let text = entry.to_text();
        assert_eq!(BlockEntry::parse(text.as_bytes()).unwrap(), *entry);
        object([("hash", entry.hash().to_hex().into()), ("leaf", text.into())])
    });
    let good: Vec<_> = good.collect();
    let text = ledger.entries.values().nth(1).unwrap().to_text();
    let bend = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let cases = [
        (Code::NoteMalformed, bend("block/v1", "block/v2")),
        (Code::NoteMalformed, bend("}\n", "}")),
        (Code::JsonMalformed, bend("}\n", "}\n\n").replace("}\n\n", "}x\n")),
        (Code::JsonNotCanonical, bend("}\n", "}\n\n")),
        (Code::FieldMissing, bend("\"rules\":1,", "")),
        (Code::FieldUnknown, bend("\"rules\":1,", "\"rules\":1,\"seal\":1,")),
        (Code::FieldInvalid, bend("\"height\":2", "\"height\":0")),
        (Code::FieldInvalid, bend("\"first\":1", "\"first\":4")),
        (Code::FieldInvalid, bend("\"proposer\":\"agency-0\"", "\"proposer\":\"\"")),
        (Code::FieldInvalid, bend(".000Z", ".00Z")),
    ];
    let bad = cases.iter().map(|(code, text)| bad_case(text.as_bytes(), *code, BlockEntry::parse(text.as_bytes()))).collect();
    check_cases("entries.json", &[("bad", bad), ("good", good)]);
}

#[test]
fn certificates() {
    let story = Story::tell();
    let origin = &story.ledger.origin;
    let block = Hash::of(b"block");
    let texts = [
        ("prevote", vote_text(origin, Step::Prevote, 42, 1, Some(&block))),
        ("prevote", vote_text(origin, Step::Prevote, 42, 1, None)),
        ("precommit", vote_text(origin, Step::Precommit, 42, 0, Some(&block))),
        ("proposal", proposal_text(origin, 42, 0, None, &block)),
        ("proposal", proposal_text(origin, 42, 3, Some(1), &block)),
        ("parts", parts_text(origin, 42, 0, None, &block)),
        ("peer", peer_text(origin, "12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2")),
    ];
    let texts = texts.into_iter().map(|(what, text)| {
        let signature = encode_base64(&secret("agency-0/consensus").sign(text.as_bytes()));
        object([("signature", signature.into()), ("text", text.into()), ("what", what.into())])
    });
    let texts: Vec<_> = texts.collect();
    let validators = set(&FIRST_SET);
    let sets = [&FIRST_SET[..], &SECOND_SET].map(|agencies| {
        let set = set(agencies);
        object([("hash", set.hash().to_hex().into()), ("validators", set.to_value())])
    });
    let certificate = story.ledger.certificate(story.handover, 1, &FIRST_SET[..3]);
    let (height, hash) = (certificate.height, certificate.block);
    certificate.verify(origin, height, &hash, &validators).unwrap();
    let text = certificate.to_value().to_jcs();
    let judge = |text: &str| {
        let value = parse(text.as_bytes(), Strings::Strict)?;
        Certificate::from_value(&value)?.verify(origin, height, &hash, &validators)
    };
    let bend = |change: &dyn Fn(&mut Certificate)| {
        let mut certificate = certificate.clone();
        change(&mut certificate);
        certificate.to_value().to_jcs()
    };
    let foreign = story.ledger.certificate(story.handover, 1, &["agency-0", "agency-1", "agency-2", "agency-4"]);
    let cases = [
        (Code::SignatureInvalid, bend(&|c| drop(c.signatures.pop()))),
        (Code::SignatureInvalid, bend(&|c| c.signatures[1].1[9] ^= 1)),
        (Code::SignatureInvalid, bend(&|c| c.round = 0)),
        (Code::SignatureInvalid, foreign.to_value().to_jcs()),
        (Code::FieldInvalid, bend(&|c| c.signatures.swap(0, 1))),
        (Code::FieldInvalid, bend(&|c| c.signatures[1] = c.signatures[0].clone())),
        (Code::FieldInvalid, bend(&|c| c.height += 1)),
        (Code::FieldInvalid, bend(&|c| c.block = Hash::default())),
        (Code::LedgerWrong, bend(&|c| c.ledger.push('0'))),
        (Code::FieldInvalid, text.replace("\"round\":1", "\"round\":4294967296")),
        (Code::FieldMissing, text.replace("\"round\":1,", "")),
        (Code::FieldUnknown, text.replace("\"round\":1,", "\"round\":1,\"seal\":1,")),
    ];
    let bad = cases.iter().map(|(code, text)| bad_case(text.as_bytes(), *code, judge(text))).collect();
    check_cases("certificates.json", &[("bad", bad), ("good", vec![text.into()]), ("sets", sets.to_vec()), ("texts", texts)]);
}

#[test]
fn misbehaviours() {
    let Story { ledger, .. } = Story::tell();
    let origin = &ledger.origin;
    let (key, cosigner) = (secret("agency-0/consensus"), secret("agency-0/cosigner"));
    let block = |name: &str| Hash::of(name.as_bytes());
    let vote = |step: Step, height: u64, block: Option<Hash>| Statement {
        said: Said::Vote { block },
        signature: key.sign(vote_text(origin, step, height, 1, block.as_ref()).as_bytes()),
    };
    let proposal = |block: Hash, valid_round: Option<u32>| Statement {
        said: Said::Proposal { block, valid_round },
        signature: key.sign(proposal_text(origin, 42, 3, valid_round, &block).as_bytes()),
    };
    let root = |root: Hash, time: u64| {
        let checkpoint = Checkpoint { origin: origin.clone(), size: 13, root };
        let cosignature = Cosignature::sign(&checkpoint, "agency-0", time, &cosigner);
        Statement { said: Said::Root { root, time }, signature: cosignature.signature }
    };
    let prove = |key: &SecretKey, place: Place, pair: [Statement; 2]| Misbehaviour::of("agency-0", key.public(), origin, place, pair);
    let (a, b) = (block("a"), block("b"));
    let (prevote, precommit) = (Place::Prevote { height: 42, round: 1 }, Place::Precommit { height: 42, round: 1 });
    let place = Place::Proposal { height: 42, round: 3 };
    let good = [
        prove(&key, prevote, [vote(Step::Prevote, 42, Some(a)), vote(Step::Prevote, 42, None)]).unwrap(),
        prove(&key, precommit.clone(), [vote(Step::Precommit, 42, Some(a)), vote(Step::Precommit, 42, Some(b))]).unwrap(),
        prove(&key, place.clone(), [proposal(a, None), proposal(b, None)]).unwrap(),
        prove(&key, place, [proposal(a, Some(1)), proposal(a, None)]).unwrap(),
        prove(&cosigner, Place::Cosignature { size: 13 }, [root(a, 1_764_500_000), root(b, 1_764_500_007)]).unwrap(),
    ];
    let texts: Vec<_> = good.iter().map(|proof| proof.to_value().to_jcs()).collect();
    let judge = |text: &str| Misbehaviour::from_value(&parse(text.as_bytes(), Strings::Strict)?)?.check();
    let bent = |change: &dyn Fn(&mut Misbehaviour)| {
        let mut proof = good[1].clone();
        change(&mut proof);
        proof.to_value().to_jcs()
    };
    let honest = Misbehaviour { first: root(a, 1_764_500_000), second: root(a, 1_764_500_007), ..good[4].clone() };
    let cases = [
        (Code::FieldInvalid, bent(&|proof| std::mem::swap(&mut proof.first, &mut proof.second))),
        (Code::FieldInvalid, bent(&|proof| proof.second = proof.first.clone())),
        (Code::FieldInvalid, honest.to_value().to_jcs()),
        (Code::SignatureInvalid, bent(&|proof| proof.second.signature[9] ^= 1)),
        (Code::SignatureInvalid, bent(&|proof| proof.key = cosigner.public())),
        (Code::SignatureInvalid, bent(&|proof| proof.place = Place::Precommit { height: 43, round: 1 })),
        (Code::SignatureInvalid, bent(&|proof| proof.place = Place::Prevote { height: 42, round: 1 })),
        (Code::SignatureInvalid, bent(&|proof| proof.ledger.push('0'))),
        (Code::FieldInvalid, texts[1].replace("precommit", "accusation")),
        (Code::FieldUnknown, texts[1].replace("\"round\":1,", "\"round\":1,\"seal\":1,")),
        (Code::FieldMissing, texts[4].replace(",\"size\":13", "")),
    ];
    let bad = cases.iter().map(|(code, text)| bad_case(text.as_bytes(), *code, judge(text))).collect();
    check_cases("misbehaviour.json", &[("bad", bad), ("good", texts.into_iter().map(Value::from).collect())]);
}

#[test]
fn checkpoints() {
    let Story { ledger, .. } = Story::tell();
    let (origin, checkpoint) = (&ledger.origin, ledger.checkpoint());
    let text = checkpoint.to_text();
    assert_eq!(Checkpoint::parse(&text).unwrap(), checkpoint);
    let note = ledger.note(&SECOND_SET[..4]);
    let publication = VerifierKey::new(origin.clone(), Algorithm::Ed25519, secret("agency-0/publication").public()).unwrap();
    let oracle = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&publication.to_string()).unwrap())]);
    let (verified, others) = oracle.verify(&known).unwrap();
    assert_eq!((verified.len(), others.len()), (1, 4));
    for line in &Note::parse(note.as_bytes()).unwrap().lines[1..] {
        let cosignature = Cosignature::from_line(line, origin).unwrap();
        assert_eq!(cosignature.to_line(origin), *line);
        assert!(cosignature.verifies(&checkpoint, &secret(&format!("{}/cosigner", cosignature.agency)).public()));
        assert!(!cosignature.verifies(&checkpoint, &secret("agency-4/cosigner").public()));
        let other = Checkpoint { size: checkpoint.size + 1, ..checkpoint.clone() };
        assert!(!cosignature.verifies(&other, &secret(&format!("{}/cosigner", cosignature.agency)).public()));
    }
    let cosigners = SECOND_SET.map(|agency| {
        let key = secret(&format!("{agency}/cosigner")).public();
        VerifierKey::new(format!("{origin}/validator/{agency}"), Algorithm::Cosignature, key).unwrap()
    });
    let good = object([
        ("note", note.as_str().into()),
        ("policy", policy_text(&publication, &cosigners, &[]).into()),
        ("root", checkpoint.root.to_hex().into()),
        ("size", checkpoint.size.into()),
    ]);
    let root = encode_base64(checkpoint.root.as_bytes());
    let bad_texts = [
        text.trim_end().to_owned(),
        format!("{text}extension\n"),
        text.replace("\n13\n", "\n013\n"),
        text.replace("\n13\n", "\n+13\n"),
        text.replace("\n13\n", "\n9007199254740992\n"),
        text.replace("\n13\n", "\n\n"),
        text.replace(&root, &root[4..]),
        text.replace(&root, root.trim_end_matches('=')),
        text.replace(origin, ""),
        text.replace(origin, "two words"),
    ];
    let bad = bad_texts.iter().map(|text| bad_case(text.as_bytes(), Code::NoteMalformed, Checkpoint::parse(text))).collect();
    check_cases("checkpoints.json", &[("bad", bad), ("good", vec![good])]);
}

#[test]
fn proofs() {
    let story = Story::tell();
    let proven = story.ledger.proven(story.deliver);
    let proof = TlogProof { index: proven.position, proof: proven.proof, checkpoint: story.ledger.note(&SECOND_SET[..4]) };
    let text = proof.to_text();
    assert_eq!(TlogProof::parse(&text).unwrap(), proof);
    let good = object([
        ("leaf", proven.leaf.as_str().into()),
        ("proof", text.as_str().into()),
        ("record", record_id(&proven.leaf).to_hex().into()),
    ]);
    let first = encode_base64(proof.proof[0].as_bytes());
    let bad_texts = [
        text.replace("@v1", "@v2"),
        text.replace("index 9", "extra AA==\nindex 9"),
        text.replace("index 9", "index 09"),
        text.replace("index 9", "index"),
        text.replace(&first, &first[4..]),
        text.replace(&format!("{first}\n"), &format!("{first}\n").repeat(65)),
        text.replace("\n\nvectors", "\nvectors"),
        text.split_once("\n\n").unwrap().0.to_owned() + "\n",
    ];
    let bad = bad_texts.iter().map(|text| bad_case(text.as_bytes(), Code::NoteMalformed, TlogProof::parse(text))).collect();
    check_cases("proofs.json", &[("bad", bad), ("good", vec![good])]);
}

#[test]
fn tiles() {
    let names = [
        (Some(0), 0, 256),
        (Some(0), 0, 1),
        (Some(1), 999, 255),
        (Some(2), 1000, 256),
        (Some(0), 1_234_067, 112),
        (Some(63), 999_999_999, 256),
        (None, 5, 256),
        (None, 1_234_067, 17),
        (None, u64::MAX, 3),
    ];
    let good = names.map(|(level, index, width)| {
        let path = level.map_or_else(|| entries_path(index, width), |level| tile_path(level, index, width));
        assert_eq!(parse_path(path.strip_prefix("/tile/").unwrap()), Some(TileName { level, index, width }));
        let kind = level.map_or_else(|| "entries".to_owned(), |level| level.to_string());
        object([("index", index.to_string().into()), ("level", kind.into()), ("path", path.into()), ("width", u64::from(width).into())])
    });
    let bad_paths =
        ["0/0", "0/1000", "00/000", "64/000", "0/x000/001", "0/000.p/0", "0/000.p/256", "0/000.p/07", "entries/x001", "names/000"];
    assert!(bad_paths.iter().all(|path| parse_path(path).is_none()));
    let bad = bad_paths.iter().map(|path| format!("/tile/{path}").into()).collect();
    check_cases("tiles.json", &[("bad", bad), ("good", good.to_vec())]);
}
