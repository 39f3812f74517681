//! Audits of good ledgers, of damaged copies, and of sources that lie, each in its own way; copies; comparisons.

mod chain;
mod served;

use std::fs;
use std::path::Path;
use std::process::Output;

use sharelog::audit::compare::{Outcome, Side, compare};
use sharelog::audit::copy::copy;
use sharelog::audit::finding::{Fault, Finding};
use sharelog::audit::held::Held;
use sharelog::audit::memory::Memory;
use sharelog::audit::source::{Folder, Source, Url};
use sharelog::audit::tiles::Tree;
use sharelog::audit::{Audit, AuditError, Report};
use sharelog::core::genesis::Genesis;
use sharelog::core::hash::Hash;
use sharelog::core::json::{self, Strings, Value};
use sharelog::core::refusal::Code;
use sharelog::log::entry::BlockEntry;
use sharelog::log::misbehaviour::Misbehaviour;

use super::network::{Load, TestNetwork, WRITERS, sharelog};
use chain::{ALL, Chain, Files, QUORUM, bundle_of};
use served::serve;

const SNAPSHOT_LEAVES: u64 = 1_000;

/// Audits from genesis, remembering nothing.
fn audit(source: &dyn Source, genesis: &Genesis) -> Result<Report, AuditError> {
    Audit { source, genesis, memory: None, since: None, snapshot_leaves: SNAPSHOT_LEAVES }.run(&mut |_, _| ())
}

/// Audits as the command does, with a state folder.
fn audit_in(state: &Path, source: &dyn Source, genesis: &Genesis) -> Result<Report, AuditError> {
    let memory = Memory::open(state, genesis).unwrap();
    Audit { source, genesis, memory: Some(&memory), since: None, snapshot_leaves: SNAPSHOT_LEAVES }.run(&mut |_, _| ())
}

/// What an audit found to be unsound.
fn found(outcome: Result<Report, AuditError>) -> Finding {
    match outcome {
        Err(AuditError::Unsound(finding)) => *finding,
        other => panic!("{other:?}"),
    }
}

/// A ledger with a grant, `deliveries` under it and duties beside them, in blocks of 50 records.
fn ledger_of(deliveries: usize) -> Chain {
    let mut chain = Chain::new();
    chain.block(&[]);
    let (records, grant) = chain.ledger.grant();
    chain.block(&records);
    let all: Vec<_> = (0..deliveries).map(|_| chain.ledger.delivery(grant)).collect();
    for part in all.chunks(50) {
        chain.block(part);
    }
    chain
}

fn entry_file(size: u64) -> String {
    sharelog::log::tile::entries_path(size / 256, u32::try_from(size % 256).unwrap())
}

#[test]
fn a_good_ledger_is_sound_from_a_folder_and_from_an_address_and_later_audits_check_what_is_new() {
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut chain = ledger_of(700);
    let genesis = chain.ledger.genesis.clone();
    let files = chain.files(&QUORUM);
    files.write(dir.path());
    let report = audit_in(state.path(), &Folder::new(dir.path()), &genesis).unwrap();
    assert_eq!((report.size, report.root, report.blocks, report.records), (chain.size(), chain.head.root, 16, 704));
    assert_eq!((report.records_now, report.signatures_now, report.sets, report.resumed_from), (704, 704, 1, 0));
    assert_eq!(report.vouched.cosigners, ["agency-0", "agency-1", "agency-2"]);
    assert!(report.vouched.unknown.is_empty() && report.notes.is_empty(), "{report:?}");
    // From an address, with the state of the audit of the folder: one ledger, wherever it lies.
    let again = audit_in(state.path(), &Url::new(&serve(files)), &genesis).unwrap();
    assert_eq!((again.records, again.records_now, again.blocks_now, again.resumed_from), (704, 0, 0, report.size));
    let more: Vec<_> = (0..90).map(|_| chain.ledger.duty(1)).collect();
    chain.block(&more);
    let later = audit_in(state.path(), &chain.files(&ALL), &genesis).unwrap();
    assert_eq!((later.records, later.records_now, later.blocks_now, later.signatures), (794, 90, 1, 794));
    assert_eq!(later.resumed_from, report.size);
    // What is old is not read again: the first bundles may be gone.
    chain.block(&[]);
    let mut files = chain.files(&ALL);
    files.0.retain(|path, _| !path.starts_with("/tile/entries/000") && !path.starts_with("/tile/entries/001"));
    assert_eq!(audit_in(state.path(), &files, &genesis).unwrap().blocks_now, 1);
    assert!(matches!(audit(&files, &genesis), Err(AuditError::Source(_))));
}

#[test]
fn an_interrupted_audit_goes_on_where_it_stopped_and_a_damaged_snapshot_only_costs_time() {
    let state = tempfile::tempdir().unwrap();
    let chain = Chain::of_size(8_900);
    let genesis = chain.ledger.genesis.clone();
    let whole = chain.files(&ALL);
    let mut torn = whole.clone();
    torn.0.remove(&entry_file(chain.size())).unwrap();
    assert!(matches!(audit_in(state.path(), &torn, &genesis), Err(AuditError::Source(_))));
    let folder = fs::read_dir(state.path()).unwrap().next().unwrap().unwrap().path();
    let unfinished = folder.join("unfinished");
    assert!(unfinished.exists() && !folder.join("verified").exists());
    let good = fs::read(&unfinished).unwrap();
    // Damaged, it is named and not used.
    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 1;
    fs::write(&unfinished, damaged).unwrap();
    let report = audit_in(state.path(), &torn, &genesis);
    assert!(report.is_err());
    fs::write(&unfinished, &good).unwrap();
    let report = audit_in(state.path(), &whole, &genesis).unwrap();
    assert!((4_000..4_100).contains(&report.resumed_from), "{}", report.resumed_from);
    let resumed_blocks = report.resumed_from / 101;
    assert_eq!(report.records_now, report.records - (report.resumed_from - resumed_blocks));
    assert!(!unfinished.exists() && folder.join("verified").exists());
    let mut damaged = fs::read(folder.join("snapshot")).unwrap();
    damaged[100] ^= 1;
    fs::write(folder.join("snapshot"), damaged).unwrap();
    let report = audit_in(state.path(), &whole, &genesis).unwrap();
    assert_eq!((report.resumed_from, report.records_now, report.notes.len()), (0, report.records, 1), "{:?}", report.notes);
}

#[test]
fn what_an_interrupted_audit_of_a_forged_tail_reached_is_not_used_for_the_good_ledger() {
    let state = tempfile::tempdir().unwrap();
    let mut chain = Chain::of_size(300);
    let genesis = chain.ledger.genesis.clone();
    audit_in(state.path(), &chain.files(&ALL), &genesis).unwrap();
    let mut forged = chain.clone();
    for _ in 0..44 {
        let records: Vec<_> = (0..100).map(|_| forged.ledger.duty(1)).collect();
        forged.block(&records);
    }
    assert_eq!(found(audit_in(state.path(), &forged.files(&[3]), &genesis)).fault, Fault::Cosignatures);
    let folder = fs::read_dir(state.path()).unwrap().next().unwrap().unwrap().path();
    assert!(folder.join("unfinished").exists());
    let more: Vec<_> = (0..90).map(|_| chain.ledger.duty(2)).collect();
    for _ in 0..60 {
        chain.block(&[]);
    }
    chain.block(&more);
    let report = audit_in(state.path(), &chain.files(&ALL), &genesis).unwrap();
    assert_eq!((report.resumed_from, report.records_now, report.notes.len()), (300, 90, 1), "{:?}", report.notes);
}

#[test]
fn copies_are_whole_at_every_tile_border() {
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537] {
        let dir = tempfile::tempdir().unwrap();
        let mut chain = Chain::new();
        let files = chain.files_of_leaves(size);
        let checkpoint = chain.checkpoint();
        let tree = Tree::open(&files, &checkpoint).unwrap();
        for index in 0..tree.bundles() {
            let leaves = tree.bundle(index).unwrap();
            let first = usize::try_from(index).unwrap() * 256;
            assert!(leaves.iter().zip(&chain.leaves[first..]).all(|(found, leaf)| found.bytes == *leaf), "{size}: {index}");
        }
        if size > 1_000 && size != 65_537 {
            continue;
        }
        let copied = copy(&files, dir.path(), &mut |_, _| ()).unwrap();
        assert_eq!((copied.size, copied.root, copied.kept), (size, checkpoint.root, 0));
        assert!(Files::read(dir.path()) == files, "size {size}: the copy holds other files");
        // Once more: what is there is kept; what was damaged is made good.
        let damaged = dir.path().join(if size == 0 { "checkpoint" } else { "tile/entries/000" });
        if size >= 256 {
            fs::write(damaged, b"damaged").unwrap();
        }
        let again = copy(&files, dir.path(), &mut |_, _| ()).unwrap();
        assert_eq!((again.kept + again.written, again.written), (copied.written, u64::from(size >= 256)), "size {size}");
        assert!(Files::read(dir.path()) == files, "size {size}: after the second copy");
    }
}

#[test]
fn a_copy_follows_its_ledger_and_takes_no_other_history() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::of_size(300);
    let mut other = chain.clone();
    let files = chain.files(&ALL);
    copy(&files, dir.path(), &mut |_, _| ()).unwrap();
    chain.block(&[]);
    let later = chain.files(&ALL);
    let copied = copy(&later, dir.path(), &mut |_, _| ()).unwrap();
    assert_eq!((copied.size, copied.kept, copied.written), (301, 3, 2), "the unfinished tile and its bundle are new");
    assert!(audit(&Folder::new(dir.path()), &chain.ledger.genesis).is_ok());
    let refused = |outcome: Result<_, AuditError>| match outcome {
        Err(AuditError::Unsound(finding)) => finding.fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(copy(&files, dir.path(), &mut |_, _| ())), Fault::Rollback);
    let duty = other.ledger.duty(1);
    other.block(&[duty]);
    assert_eq!(refused(copy(&other.files(&ALL), dir.path(), &mut |_, _| ())), Fault::Fork);
    let mut damaged = later.clone();
    damaged.0.get_mut("/tile/entries/000").unwrap()[300] ^= 1;
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(refused(copy(&damaged, elsewhere.path(), &mut |_, _| ())), Fault::Bundle);
    assert!(!elsewhere.path().join("checkpoint").exists(), "a copy that is not whole has no checkpoint");
}

#[test]
fn a_leaf_of_the_greatest_size_is_sound_and_one_byte_more_is_not() {
    let mut chain = Chain::new();
    let mut record = chain.ledger.duty_of_bytes(1, 16_384);
    assert_eq!(record.leaf().len(), 16_384);
    chain.block(&[record.clone()]);
    assert_eq!(audit(&chain.files(&QUORUM), &chain.ledger.genesis).unwrap().records, 1);
    let mut longer = Chain::new();
    record = longer.ledger.duty(1);
    longer.block(&[record]);
    let leaf = vec![b'x'; 16_385];
    let files = longer.files_with(&[&leaf]);
    let finding = found(audit(&files, &longer.ledger.genesis));
    assert_eq!((finding.fault, finding.position), (Fault::Bundle, Some(2)), "{finding}");
}

#[test]
fn no_byte_can_be_flipped() {
    let chain = ledger_of(3);
    let genesis = chain.ledger.genesis.clone();
    let files = chain.files(&QUORUM);
    let sound = audit(&files, &genesis).unwrap();
    let claims =
        |report: &Report| (report.size, report.root, report.blocks, report.records, report.signatures, report.vouched.cosigners.clone());
    let (mut flips, mut passed) = (0, 0);
    for (path, bytes) in files.0.iter().filter(|(path, _)| *path != "/genesis" && *path != "/policy") {
        for index in 0..bytes.len() {
            for mask in [0x01, 0x20] {
                let mut flipped = files.clone();
                flipped.0.get_mut(path).unwrap()[index] ^= mask;
                flips += 1;
                match audit(&flipped, &genesis) {
                    Err(AuditError::Unsound(_)) => {}
                    // Another size, for which there are no tiles.
                    Err(AuditError::Source(_)) if path == "/checkpoint" => {}
                    // A signature line of a key that nobody knows.
                    Ok(report) if path == "/checkpoint" && !report.vouched.unknown.is_empty() => {
                        assert_eq!(claims(&report), claims(&sound));
                        passed += 1;
                    }
                    other => panic!("{path}, byte {index}, {mask:#x}: {other:?}"),
                }
            }
        }
    }
    assert!(flips > 8_000, "{flips}");
    assert!((1..200).contains(&passed), "{passed}: the one line of a publication key");
}

#[test]
fn tiles_that_are_cut_too_long_swapped_or_repeated_are_refused() {
    let chain = Chain::of_size(600);
    let genesis = chain.ledger.genesis.clone();
    let good = chain.files(&ALL);
    assert!(audit(&good, &genesis).is_ok());
    let refused = |what: &str, bend: &dyn Fn(&mut Files)| {
        let mut files = good.clone();
        bend(&mut files);
        assert!(files != good, "{what}");
        let finding = found(audit(&files, &genesis));
        assert!(matches!(finding.fault, Fault::Tile | Fault::Bundle), "{what}: {finding}");
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(copy(&files, dir.path(), &mut |_, _| ()), Err(AuditError::Unsound(_))), "{what}: a copy takes it");
    };
    for path in ["/tile/0/000", "/tile/0/001", "/tile/0/002.p/88", "/tile/1/000.p/2", "/tile/entries/001", "/tile/entries/002.p/88"] {
        let file = |files: &mut Files, bend: &dyn Fn(&mut Vec<u8>)| bend(files.0.get_mut(path).unwrap());
        refused(&format!("{path} without its last byte"), &|files| file(files, &|bytes| bytes.truncate(bytes.len() - 1)));
        refused(&format!("{path} without its last hash"), &|files| file(files, &|bytes| bytes.truncate(bytes.len() - 32)));
        refused(&format!("{path}, empty"), &|files| file(files, &Vec::clear));
        refused(&format!("{path} with a byte more"), &|files| file(files, &|bytes| bytes.push(0)));
        refused(&format!("{path} with a hash more"), &|files| file(files, &|bytes| bytes.extend([7; 32])));
        refused(&format!("{path}, twice"), &|files| file(files, &|bytes| bytes.extend(bytes.clone())));
        refused(&format!("{path} with two hashes swapped"), &|files| file(files, &|bytes| bytes.rotate_left(32)));
    }
    for (one, other) in [("/tile/0/000", "/tile/0/001"), ("/tile/entries/000", "/tile/entries/001")] {
        refused(&format!("{one} in the place of {other}"), &|files| files.put(other, good.0[one].clone()));
        refused(&format!("{one} and {other} swapped"), &|files| {
            files.put(one, good.0[other].clone());
            files.put(other, good.0[one].clone());
        });
    }
    let leaves: Vec<&[u8]> = chain.leaves[..256].iter().map(AsRef::as_ref).collect();
    let bundle = |bend: &dyn Fn(&mut Vec<&[u8]>)| {
        let mut bent = leaves.clone();
        bend(&mut bent);
        bundle_of(&bent)
    };
    refused("two leaves swapped", &|files| files.put("/tile/entries/000", bundle(&|leaves| leaves.swap(7, 8))));
    refused("a leaf twice", &|files| files.put("/tile/entries/000", bundle(&|leaves| leaves[8] = leaves[7])));
    refused("a leaf less", &|files| files.put("/tile/entries/000", bundle(&|leaves| leaves.truncate(255))));
    refused("a leaf more", &|files| files.put("/tile/entries/000", bundle(&|leaves| leaves.push(b"x"))));
    let mut missing = good.clone();
    missing.0.remove("/tile/0/001");
    assert!(matches!(audit(&missing, &genesis), Err(AuditError::Source(_))), "nothing is said of the ledger");
}

#[test]
fn a_node_that_hides_a_record_has_no_quorum_for_its_tree() {
    let mut chain = Chain::of_size(300);
    let mut hiding = chain.clone();
    let (kept, hidden) = (chain.ledger.duty(1), chain.ledger.duty(2));
    chain.block(&[kept.clone(), hidden]);
    hiding.block(&[kept]);
    let genesis = &chain.ledger.genesis;
    assert!(audit(&chain.files(&QUORUM), genesis).is_ok());
    // A re-made tree under its own signature alone, and under the quorum's for the true tree.
    let finding = found(audit(&hiding.files(&[2]), genesis));
    assert_eq!(finding.fault, Fault::Cosignatures);
    assert!(finding.found.contains("cosigned by agency-2: 1 of 4"), "{finding}");
    let mut files = hiding.files(&[]);
    files.put("/checkpoint", chain.note(&QUORUM).into_bytes());
    assert!(matches!(audit(&files, genesis), Err(AuditError::Source(_))), "the tiles of the true size are not there");
    let mut files = chain.files(&QUORUM);
    files.0.extend(hiding.files(&[]).0.into_iter().filter(|(path, _)| path.starts_with("/tile/entries/")));
    files.put(&entry_file(chain.size()), bundle_of(&chain.leaves[256..].iter().map(|leaf| &leaf[..leaf.len() - 1]).collect::<Vec<_>>()));
    assert_eq!(found(audit(&files, genesis)).fault, Fault::Bundle);
}

#[test]
fn a_tail_that_one_validator_forged_is_refused_and_so_are_signatures_that_only_look_like_more() {
    let mut chain = Chain::of_size(20);
    let duty = chain.ledger.duty(2);
    chain.block(&[duty]);
    let genesis = chain.ledger.genesis.clone();
    for cosigners in [&[][..], &[3], &[2, 3]] {
        assert_eq!(found(audit(&chain.files(cosigners), &genesis)).fault, Fault::Cosignatures, "{cosigners:?}");
    }
    let bent = |bend: &dyn Fn(&str) -> String| {
        let mut files = chain.files(&[2, 3]);
        files.put("/checkpoint", bend(&chain.note(&[2, 3])).into_bytes());
        found(audit(&files, &genesis))
    };
    let line = |note: &str, agency: &str| note.lines().find(|line| line.contains(agency)).unwrap().to_owned() + "\n";
    // A line twice counts once; another validator's name over a line is not that validator's; nor is an earlier checkpoint's.
    assert_eq!(bent(&|note| note.to_owned() + &line(note, "/agency-3 ")).fault, Fault::Cosignatures);
    assert_eq!(bent(&|note| note.to_owned() + &line(note, "/agency-3 ").replace("agency-3", "agency-1")).fault, Fault::Cosignatures);
    let earlier = Chain::of_size(20).note(&[1]);
    let finding = bent(&|note| note.to_owned() + &line(&earlier, "/agency-1 "));
    assert!(finding.found.contains("/agency-1+"), "{finding}");
}

#[test]
fn a_node_that_shows_less_than_before_or_another_history_is_refused_and_both_checkpoints_are_kept() {
    let state = tempfile::tempdir().unwrap();
    let mut chain = Chain::of_size(280);
    let (genesis, earlier) = (chain.ledger.genesis.clone(), chain.clone());
    let mut fork = chain.clone();
    let (one, other) = (chain.ledger.duty(1), chain.ledger.duty(2));
    chain.block(&[one]);
    fork.block(&[other]);
    let report = audit_in(state.path(), &chain.files(&ALL), &genesis).unwrap();
    let refused = fs::read_dir(state.path()).unwrap().next().unwrap().unwrap().path().join("refused");
    let rollback = found(audit_in(state.path(), &earlier.files(&ALL), &genesis));
    assert_eq!(rollback.fault, Fault::Rollback);
    assert!(rollback.expected.contains(&refused.display().to_string()), "{rollback}");
    // Two validators cosigned another tree of the same size: both are accused by a file that verifies.
    let two = found(audit_in(state.path(), &fork.files(&[2, 3]), &genesis));
    assert_eq!(two.fault, Fault::Fork);
    let name = |size: u64, root: &Hash| format!("{size}-{}", &root.to_hex()[..16]);
    let kept = |chain: &Chain, which: &str| {
        let file = refused.join(format!("{}.{which}.checkpoint", name(chain.size(), &chain.head.root)));
        Held::read(&file).unwrap().checkpoint
    };
    assert_eq!((kept(&earlier, "offered"), kept(&earlier, "held")), (earlier.checkpoint(), chain.checkpoint()));
    assert_eq!((kept(&fork, "offered"), kept(&fork, "held")), (fork.checkpoint(), chain.checkpoint()));
    for agency in ["agency-2", "agency-3"] {
        let file = refused.join(format!("{}.{agency}.misbehaviour.json", name(fork.size(), &fork.head.root)));
        let proof = json::parse(&fs::read(file).unwrap(), Strings::Strict).unwrap();
        assert_eq!(Misbehaviour::from_value(&proof).unwrap().check(), Ok(()));
    }
    assert_eq!(fs::read_dir(&refused).unwrap().count(), 6, "nobody else is accused");
    // A fork that has grown since.
    for _ in 0..40 {
        fork.block(&[]);
    }
    assert_eq!(found(audit_in(state.path(), &fork.files(&ALL), &genesis)).fault, Fault::Fork);
    // The true ledger is audited on.
    chain.block(&[]);
    assert_eq!(audit_in(state.path(), &chain.files(&ALL), &genesis).unwrap().resumed_from, report.size);
    // Without a memory, the checkpoint that the auditor brings is enough.
    let since = Held::parse(chain.note(&ALL).as_bytes()).unwrap();
    let brought = |source: &Files| {
        Audit { source, genesis: &genesis, memory: None, since: Some(&since), snapshot_leaves: SNAPSHOT_LEAVES }.run(&mut |_, _| ())
    };
    assert!(brought(&chain.files(&QUORUM)).is_ok());
    assert_eq!(found(brought(&earlier.files(&ALL))).fault, Fault::Rollback);
    assert_eq!(found(brought(&fork.files(&ALL))).fault, Fault::Fork);
}

#[test]
fn another_ledger_is_refused() {
    let chain = Chain::of_size(3);
    let other = Genesis::parse(&fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/genesis.json")).unwrap()).unwrap();
    assert_eq!(found(audit(&chain.files(&ALL), &other)).fault, Fault::Checkpoint);
    // The checkpoint's name changed to the one that is wanted: nothing in it is of that ledger.
    let mut files = chain.files(&ALL);
    let note = chain.note(&ALL).replace(&chain.ledger.genesis.origin, &other.origin);
    files.put("/checkpoint", note.into_bytes());
    assert_eq!(found(audit(&files, &other)).fault, Fault::Entry);
}

#[test]
fn a_record_that_the_rules_refuse_is_found_although_the_quorum_signed_it() {
    let chain = ledger_of(120);
    let genesis = chain.ledger.genesis.clone();
    // Without a grant.
    let mut granted = chain.clone();
    let (first, bad) = (granted.ledger.duty(1), granted.ledger.delivery(Hash::of(b"no grant")));
    granted.forged(&[first, bad], |_| ());
    granted.block(&[]);
    let finding = found(audit(&granted.files(&ALL), &genesis));
    let height = chain.head.height + 1;
    assert_eq!(
        (finding.fault, finding.position, finding.height),
        (Fault::Record(Code::RefUnknown), Some(chain.size() + 1), Some(height)),
        "{finding}"
    );
    // One record twice.
    let mut twice = chain.clone();
    let duty = twice.ledger.duty(1);
    twice.block(std::slice::from_ref(&duty));
    twice.forged(&[duty], |_| ());
    assert_eq!(found(audit(&twice.files(&ALL), &genesis)).fault, Fault::Record(Code::Duplicate));
    // Signed with a key that is not the one that it names.
    let mut stolen = chain.clone();
    let record = stolen.ledger.signed_by_another(1);
    stolen.forged(&[record], |_| ());
    let finding = found(audit(&stolen.files(&ALL), &genesis));
    assert_eq!((finding.fault, finding.position), (Fault::Record(Code::SignatureInvalid), Some(chain.size())), "{finding}");
}

#[test]
fn an_entry_that_its_block_does_not_give_is_found_although_the_quorum_signed_it() {
    let chain = Chain::of_size(30);
    let genesis = chain.ledger.genesis.clone();
    let wrong = Hash::of(b"wrong");
    type Bend = fn(&mut BlockEntry, Hash);
    let bends: [(&str, Bend); 11] = [
        ("state", |entry, wrong| entry.state = wrong),
        ("next", |entry, wrong| entry.next = wrong),
        ("previous", |entry, wrong| entry.previous = wrong),
        ("root", |entry, wrong| entry.root = wrong),
        ("validators", |entry, wrong| entry.validators = wrong),
        ("rules", |entry, _| entry.rules += 1),
        ("height", |entry, _| entry.height += 1),
        ("place", |entry, _| entry.first -= 1),
        ("proposer", |entry, _| entry.proposer = "agency-9".to_owned()),
        ("ledger", |entry, _| entry.ledger = "x.example/l/0123456789abcdef".to_owned()),
        ("time", |entry, _| entry.time = sharelog::core::time::Time::parse("2026-11-25T00:00:00.001Z").unwrap()),
    ];
    for (member, bend) in bends {
        let mut forged = chain.clone();
        let duty = forged.ledger.duty(1);
        forged.forged(&[duty], |entry| bend(entry, wrong));
        let finding = found(audit(&forged.files(&ALL), &genesis));
        assert_eq!((finding.fault, finding.position, finding.height), (Fault::Entry, Some(31), Some(chain.head.height + 1)), "{finding}");
        assert!(finding.found.starts_with(member), "{member}: {finding}");
    }
}

#[test]
fn a_tree_must_end_with_a_block_entry() {
    let mut chain = Chain::of_size(30);
    let genesis = chain.ledger.genesis.clone();
    let duty = chain.ledger.duty(1);
    let files = chain.files_with(&[duty.leaf()]);
    let finding = found(audit(&files, &genesis));
    assert_eq!((finding.fault, finding.position), (Fault::Tail, Some(30)), "{finding}");
    let mut empty = Chain::new();
    assert_eq!(found(audit(&empty.files_of_leaves(0), &genesis)).fault, Fault::Tail);
    // Leaves without end and without an entry are not collected for ever: a block has at most 4,096 records.
    let mut endless = Chain::of_size(30);
    let files = endless.files_of_leaves(9_000);
    assert_eq!(found(audit(&files, &genesis)).fault, Fault::Entry);
}

/// A side of a comparison in a folder of its own.
fn side(dir: &Path, name: &str, files: &Files) -> String {
    let dir = dir.join(name);
    files.write(&dir);
    dir.display().to_string()
}

#[test]
fn comparisons_name_the_first_leaf_that_differs_and_accuse_who_signed_both() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::of_size(1_000);
    let earlier = chain.clone();
    let mut fork = chain.clone();
    let (one, other) = (chain.ledger.duty(1), chain.ledger.duty(2));
    let common = chain.ledger.duty(1);
    chain.block(&[common.clone(), one]);
    fork.block(&[common, other]);
    let genesis = &chain.ledger.genesis;
    let places = [side(dir.path(), "true", &chain.files(&ALL)), serve(earlier.files(&ALL)), side(dir.path(), "fork", &fork.files(&[1, 3]))];
    let [whole, old, forked] = places.map(|place| Side::open(&place).unwrap());
    let (note, fork_note) = (dir.path().join("note"), dir.path().join("fork-note"));
    fs::write(&note, earlier.note(&ALL)).unwrap();
    fs::write(&fork_note, fork.note(&[1, 3])).unwrap();
    let [old_note, fork_note] = [&note, &fork_note].map(|path| Side::open(&path.display().to_string()).unwrap());
    assert!(matches!(compare(&whole, &whole, None), Ok(Outcome::Same)));
    assert!(matches!(compare(&old, &old_note, None), Ok(Outcome::Same)));
    assert!(matches!(compare(&old, &whole, None), Ok(Outcome::Continues)));
    assert!(matches!(compare(&whole, &old_note, None), Ok(Outcome::Continues)));
    assert!(matches!(compare(&old_note, &fork_note, None), Err(AuditError::Incomparable(_))));
    assert!(matches!(compare(&old, &fork_note, None), Err(AuditError::Incomparable(_))), "the larger one has no tiles");
    let parted = |a: &Side, b: &Side, genesis: Option<&Genesis>| match compare(a, b, genesis) {
        Ok(Outcome::Parted(parted)) => *parted,
        other => panic!("{other:?}"),
    };
    let accused = |outcome: &[Misbehaviour]| outcome.iter().map(|proof| proof.agency.clone()).collect::<Vec<_>>();
    let found = parted(&whole, &forked, None);
    assert_eq!((found.finding.position, found.finding.height), (Some(1_001), Some(chain.head.height)), "{}", found.finding);
    assert_eq!(accused(&found.accused), ["agency-1", "agency-3"]);
    assert!(found.accused.iter().all(|proof| proof.check().is_ok()));
    // Notes alone: no place, and the keys come from a genesis file.
    let whole_note = dir.path().join("whole-note");
    fs::write(&whole_note, chain.note(&[0, 1])).unwrap();
    let whole_note = Side::open(&whole_note.display().to_string()).unwrap();
    let found = parted(&whole_note, &fork_note, Some(genesis));
    assert_eq!((found.finding.position, accused(&found.accused)), (None, vec!["agency-1".to_owned()]));
    assert!(accused(&parted(&whole_note, &fork_note, None).accused).is_empty());
    // Of other sizes: the first difference is where the smaller one's leaf is another.
    fork.block(&[]);
    let longer = Side::open(&side(dir.path(), "longer", &fork.files(&ALL))).unwrap();
    let found = parted(&longer, &whole, None);
    assert_eq!((found.finding.position, found.accused.len()), (Some(1_001), 0));
    let elsewhere = Chain::new();
    let mut files = elsewhere.clone().files_of_leaves(0);
    files.put("/checkpoint", elsewhere.note(&ALL).replace("store/", "other/").into_bytes());
    let elsewhere = Side::open(&side(dir.path(), "elsewhere", &files)).unwrap();
    assert!(matches!(compare(&elsewhere, &whole, None), Err(AuditError::Unsound(_))));
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = sharelog(arguments);
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn good(arguments: &[&str]) -> Value {
    let (status, out, err) = run(&[arguments, &["--json"]].concat());
    assert_eq!(status, 0, "{arguments:?}: {out}{err}");
    json::parse(out.trim_end().as_bytes(), Strings::WithNotes).unwrap()
}

#[test]
fn a_network_is_exported_audited_and_compared_from_the_command_line() {
    let mut network = TestNetwork::start();
    let origin = network.net.origin.clone();
    let keys: Vec<_> = (0..4).map(|index| (format!("agency-{index}"), network.key(&format!("agency-{index}"), "office"))).collect();
    let urls: Vec<_> = network.net.nodes.iter().map(|node| node.http.clone()).collect();
    let load = Load { origin: &origin, urls: urls.clone(), keys, prefix: "audited", writers: WRITERS };
    let (log, _) = load.run(|| {
        network
            .net
            .wait_until("300 leaves", std::time::Duration::from_secs(60), |net| net.head(0).is_ok_and(|(_, size)| size > 300))
            .unwrap()
    });
    network.settle(std::time::Duration::from_secs(120));
    let covered = network.net.head(0).unwrap().1;
    network
        .net
        .wait_until("a checkpoint of them", std::time::Duration::from_secs(60), |net| {
            let size = |index| net.ask(index, "/api/v1/status").ok()?.get("checkpoint")?.get("size")?.as_u64();
            (0..4).all(|index| size(index) >= Some(covered))
        })
        .unwrap();
    let text = |path: &str| network.path(path).display().to_string();
    let (dir, state, genesis) = (text("copy"), text("state"), text("genesis.json"));
    let hash = network.net.genesis_hash.clone();
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap();
    let copied = good(&["export", "tiles", &dir, "--node", &urls[1]]);
    let report = good(&["audit", &dir, "--genesis", &hash, "--state", &state]);
    assert_eq!((number(&report, "size"), number(&report, "resumed_from")), (number(&copied, "size"), 0));
    assert!(number(&report, "records") >= u64::try_from(log.len() / 2).unwrap() && number(&report, "size") > 300);
    let again = good(&["audit", &urls[2], "--genesis", &genesis, "--state", &state, "--since", &text("copy/checkpoint")]);
    assert_eq!(number(&again, "resumed_from"), number(&report, "size"));
    good(&["compare", &dir, &urls[3]]);
    good(&["compare", &text("copy/checkpoint"), &urls[0]]);
    let (status, out, _) = run(&["audit", &urls[0], "--genesis", &hash, "--state", &text("other-state")]);
    assert!(status == 0 && out.starts_with("Sound: ") && out.contains("On the word of agency-"), "{out}");
    // How it fails: another genesis, a damaged copy, no answer, no folder.
    let other = Hash::of(b"another").to_hex();
    let (status, out, err) = run(&["audit", &urls[0], "--genesis", &other, "--state", &state, "--json"]);
    assert!(status == 1 && out.contains("genesis-wrong") && err.contains("found genesis"), "{out}{err}");
    let bundle = network.path("copy/tile/entries/000");
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[500] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let (status, out, err) = run(&["audit", &dir, "--genesis", &hash, "--state", &text("fresh"), "--json"]);
    assert!(status == 1 && out.contains(r#""code":"bundle-wrong""#) && err.contains("at position "), "{out}{err}");
    let mended = good(&["export", "tiles", &dir, "--node", &urls[0]]);
    assert!(number(&mended, "written") >= 1);
    good(&["audit", &dir, "--genesis", &hash, "--state", &text("fresh")]);
    assert_eq!(run(&["audit", "http://127.0.0.1:1", "--genesis", &genesis, "--state", &state]).0, 4);
    assert_eq!(run(&["audit", &text("nowhere"), "--genesis", &genesis, "--state", &state]).0, 6);
    assert_eq!(run(&["compare", &text("nowhere"), &dir]).0, 6);
}
