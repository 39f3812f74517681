//! The store on a real disk: reopening, torn tails, damage, databases that are gone or wrong, and what all of it costs.

pub mod ledger;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use ledger::{CACHE_BYTES, Ledger};
use sharelog::core::book::Book;
use sharelog::core::book::at::AsOf;
use sharelog::core::clocks::{Clock, Moment, Wanted};
use sharelog::core::hash::Hash;
use sharelog::core::json::Value;
use sharelog::core::key::Role;
use sharelog::core::kinds::Kind;
use sharelog::core::record::Record;
use sharelog::core::rules;
use sharelog::core::time::Time;
use sharelog::log::entry::BlockEntry;
use sharelog::log::merkle::{consistency_proof, inclusion_proof, leaf_hash, root_at, verify_consistency, verify_inclusion};
use sharelog::query::book::BookKeeper;
use sharelog::store::execution::{self, BlockFault};
use sharelog::store::{Block, Reader, StoreError, check, open, rebuild};

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let path = item.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy_dir(&path, &target) } else { fs::copy(&path, &target).map(|_| ()).unwrap() }
    }
}

fn list_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { list_files(&path, into) } else { into.push(path) }
    }
    into.sort();
}

fn disk_bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let children = if path.is_dir() { fs::read_dir(path).unwrap().map(|item| disk_bytes(&item.unwrap().path())).sum() } else { 0 };
    fs::metadata(path).unwrap().blocks() * 512 + children
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("log/00000001.log")
}

/// Everything that a reader can say agrees with itself.
fn assert_sound(reader: &Reader) {
    let head = reader.head();
    assert_eq!(root_at(reader, head.size).unwrap(), head.root);
    let mut position = 0;
    for height in 1..=head.height {
        let block = reader.block(height).unwrap().unwrap();
        assert_eq!(reader.entry(height).unwrap().unwrap(), block.entry);
        assert_eq!(reader.first_at_or_after(block.entry.time).unwrap(), block.entry.first);
        for leaf in block.records.iter().chain([&block.entry_leaf]) {
            assert_eq!(reader.leaf(position).unwrap().as_ref(), Some(leaf));
            assert_eq!(reader.height_of(position).unwrap(), Some(height));
            let proof = inclusion_proof(reader, position, head.size).unwrap();
            verify_inclusion(&leaf_hash(leaf), position, head.size, &proof, &head.root).unwrap();
            position += 1;
        }
        assert_eq!(root_at(reader, block.entry.position).unwrap(), block.entry.root);
        let proof = consistency_proof(reader, block.entry.position.max(1), head.size).unwrap();
        let from = block.entry.position.max(1);
        verify_consistency(from, head.size, &root_at(reader, from).unwrap(), &head.root, &proof).unwrap();
    }
    assert_eq!(position, head.size);
    assert_eq!(reader.leaf(head.size).unwrap(), None);
    assert_eq!(reader.height_of(head.size).unwrap(), None);
    assert!(reader.block(head.height + 1).unwrap().is_none());
    assert!(reader.entry(0).unwrap().is_none());
}

fn blocks(reader: &Reader) -> Vec<Block> {
    (1..=reader.head().height).map(|height| reader.block(height).unwrap().unwrap()).collect()
}

#[test]
fn blocks_rows_and_indexes_are_there_at_once_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    let (mut writer, reader) = ledger.open(dir.path());
    assert_eq!(reader.head().size, 0);
    let mut heads = reader.subscribe();
    let (records, grant) = ledger.grant();
    ledger.append(&mut writer, &records);
    assert!(heads.has_changed().unwrap());
    assert_eq!(heads.borrow_and_update().height, 1);
    ledger.append(&mut writer, &[]);
    let deliveries: Vec<_> = (0..600).map(|_| ledger.delivery(grant)).collect();
    for part in deliveries.chunks(100) {
        ledger.append(&mut writer, part);
    }
    let expect = |reader: &Reader| {
        assert_sound(reader);
        assert_eq!(reader.head().height, 8);
        assert_eq!(rules::position_of(reader, &grant), Some(3));
        let position = rules::position_of(reader, &deliveries[599].id()).unwrap();
        assert_eq!(reader.leaf(position).unwrap().as_ref(), Some(deliveries[599].leaf()));
        let term = format!("ref:{grant}");
        let all = reader.positions(&term, 0, u64::MAX, 1_000).unwrap();
        assert_eq!(all.len(), 600);
        assert_eq!(reader.positions(&term, all[250] + 1, all[300], 10).unwrap(), all[251..261]);
        assert_eq!(reader.positions(&term, all[598], all[599], 10).unwrap(), [all[598]]);
        assert_eq!(reader.positions("agency:agency-2", 0, 5, 10).unwrap(), [1, 2, 3]);
        assert!(reader.positions("kind:share.receipt", 0, u64::MAX, 10).unwrap().is_empty());
        let tile = reader.tile(0, 0, 256).unwrap().unwrap();
        assert_eq!(tile[32..64], *leaf_hash(&reader.leaf(1).unwrap().unwrap()).as_bytes());
        assert_eq!(reader.tile(0, 2, 97).unwrap().map(|tile| tile.len()), Some(97 * 32));
        assert_eq!(reader.tile(0, 2, 101).unwrap(), None);
        assert_eq!(reader.tile(1, 0, 2).unwrap().map(|tile| tile.len()), Some(64));
        assert_eq!(reader.tile(1, 0, 3).unwrap(), None);
        let bundle = reader.entries(2, 3).unwrap().unwrap();
        let length = usize::from(u16::from_be_bytes([bundle[0], bundle[1]]));
        assert_eq!(bundle[2..2 + length], *reader.leaf(512).unwrap().unwrap());
        assert_eq!(reader.entries(2, 101).unwrap(), None);
        assert_eq!(reader.first_at_or_after(Time::parse("2030-01-01T00:00:00.000Z").unwrap()).unwrap(), reader.head().size);
    };
    expect(&reader);
    writer.close().unwrap();
    drop(reader);
    let before = disk_bytes(&dir.path().join("log"));
    let (writer, reader) = ledger.open(dir.path());
    expect(&reader);
    drop((writer, reader));
    let (writer, reader) = ledger.open(dir.path());
    expect(&reader);
    writer.close().unwrap();
    assert!(disk_bytes(&dir.path().join("log")) <= before);
}

#[test]
fn the_book_keeps_up_with_the_log_and_tells_past_moments() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    let (mut writer, reader) = ledger.open(dir.path());
    let keeper = BookKeeper::new(reader.clone());
    let receipts = |as_of: AsOf| {
        let book = keeper.caught_up().unwrap();
        let mut count = 0;
        let wanted = Wanted { clock: Some(Clock::Receipt), ..Wanted::default() };
        Moment::new(&book, as_of).obligations(&wanted, &mut |_| count += 1);
        count
    };
    let now = |reader: &Reader| AsOf { size: reader.head().size, time: reader.head().time };
    assert_eq!((receipts(now(&reader)), keeper.caught_up().unwrap().size()), (0, 0));
    let (records, grant) = ledger.grant();
    ledger.append(&mut writer, &records);
    let before = now(&reader);
    for _ in 0..12 {
        let deliveries: Vec<_> = (0..100).map(|_| ledger.delivery(grant)).collect();
        ledger.append(&mut writer, &deliveries);
    }
    ledger.append(&mut writer, &[]);
    assert_eq!((receipts(now(&reader)), receipts(before)), (1_200, 0));
    let book = keeper.caught_up().unwrap();
    assert_eq!((book.size(), book.time()), (reader.head().size, reader.head().time));
    // Record by record, as a tool without the leaves does it.
    let mut other = Book::new(reader.genesis());
    for block in blocks(&reader) {
        for (position, leaf) in (block.entry.first..).zip(&block.records) {
            other.take(&Record::parse(leaf, &reader.genesis().origin).unwrap(), position, block.entry.time);
        }
        other.pass(block.entry.position + 1, block.entry.time);
    }
    assert_eq!(format!("{:?}", book.as_of(other.time())), format!("{:?}", other.as_of(book.time())));
    let mut all = [Vec::new(), Vec::new()];
    for (found, book) in all.iter_mut().zip([&*book, &other]) {
        Moment::new(book, now(&reader)).obligations(&Wanted::default(), &mut |obligation| found.push(obligation));
    }
    assert_eq!(all[0], all[1]);
    assert!(!all[0].is_empty());
}

#[test]
fn rows_are_listed_in_order_across_memory_and_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    ledger.fill(dir.path(), 3);
    let (mut writer, reader) = ledger.open(dir.path());
    let records = [ledger.duty(3), ledger.duty(1)];
    ledger.append(&mut writer, &records);
    let duties = sharelog::core::state::Table("duty");
    let all = reader.rows(duties, None, 100).unwrap();
    assert_eq!(all.len(), 8);
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "{all:?}");
    for (index, (key, _)) in all.iter().enumerate() {
        let rest = reader.rows(duties, Some(key), 2).unwrap();
        assert_eq!(rest, all[index + 1..(index + 3).min(all.len())]);
    }
    let records = sharelog::core::state::Table("record");
    let page = reader.rows(records, None, 3).unwrap();
    let next = reader.rows(records, Some(&page[2].0), 100).unwrap();
    assert_eq!(page.len() + next.len(), 8);
    assert!(page[2].0 < next[0].0);
}

#[test]
fn a_torn_tail_is_cut_back_to_the_last_whole_block() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    ledger.fill(dir.path(), 3);
    let whole = fs::read(segment(dir.path())).unwrap();
    let starts: Vec<_> = (0..whole.len()).filter(|at| whole[*at..].starts_with(b"\xf7SLB")).collect();
    assert_eq!(starts.len(), 3);
    let cuts = (starts[2]..whole.len()).filter(|at| at - starts[2] < 64 || at % 97 == 0 || whole.len() - at < 4);
    for (number, cut) in cuts.enumerate() {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        let mut torn = whole[..cut].to_vec();
        if number % 2 == 1 {
            torn.resize(whole.len() + 4_096, 0);
        }
        fs::write(segment(copy.path()), &torn).unwrap();
        let (mut writer, reader) = ledger.open(copy.path());
        assert_eq!(reader.head().height, 2, "cut at {cut}");
        let records = [ledger.duty(3)];
        ledger.append(&mut writer, &records);
        writer.close().unwrap();
        drop(reader);
        let (_writer, reader) = ledger.open(copy.path());
        assert_eq!(reader.head().height, 3);
        assert_sound(&reader);
    }
}

#[test]
fn damage_before_the_tail_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    ledger.fill(dir.path(), 3);
    let whole = fs::read(segment(dir.path())).unwrap();
    let second = (1..whole.len()).find(|at| whole[*at..].starts_with(b"\xf7SLB")).unwrap();
    for at in [0, 5, 20, 41, 50, 700, second, second + 60] {
        let mut bad = whole.clone();
        bad[at] ^= 1;
        fs::write(segment(dir.path()), &bad).unwrap();
        match open(dir.path(), ledger.genesis.clone(), CACHE_BYTES).map(|_| ()) {
            Err(StoreError::Corrupt { object, .. }) => {
                let start = if at < second { 0 } else { second };
                assert!(object.ends_with(&format!("00000001.log at byte {start}")), "{object}");
            }
            other => panic!("flipped at {at}: {other:?}"),
        }
        let report = check::check(dir.path(), &ledger.genesis, CACHE_BYTES, &mut |_, _| {}).unwrap();
        assert!(report.damage[0].contains("00000001.log"), "{report:?}");
    }
    fs::write(segment(dir.path()), &whole).unwrap();
    let report = check::check(dir.path(), &ledger.genesis, CACHE_BYTES, &mut |_, _| {}).unwrap();
    assert_eq!((report.blocks, report.records, report.damage.len()), (3, 6, 0));
}

#[test]
fn a_leaf_that_changed_on_disk_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    let (mut writer, reader) = ledger.open(dir.path());
    let records = [ledger.duty(1), ledger.duty(2)];
    ledger.append(&mut writer, &records);
    let mut bytes = fs::read(segment(dir.path())).unwrap();
    let leaf = records[1].leaf();
    let at = (0..bytes.len()).find(|at| bytes[*at..].starts_with(leaf)).unwrap();
    bytes[at + 30] ^= 1;
    fs::write(segment(dir.path()), &bytes).unwrap();
    assert_eq!(reader.leaf(0).unwrap().as_ref(), Some(records[0].leaf()));
    assert!(matches!(reader.leaf(1), Err(StoreError::Corrupt { .. })));
    assert!(matches!(reader.leaf(0), Err(StoreError::Corrupt { .. })), "once damaged, nothing is answered");
}

#[test]
fn databases_are_rebuilt_when_they_are_gone_behind_ahead_or_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    ledger.fill(dir.path(), 4);
    let (writer, reader) = ledger.open(dir.path());
    let (wanted, size) = (blocks(&reader).len(), reader.head().size);
    writer.close().unwrap();
    drop(reader);
    let older = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), older.path());
    let (mut writer, _) = ledger.open(dir.path());
    let records = [ledger.duty(3)];
    ledger.append(&mut writer, &records);
    writer.close().unwrap();
    let newer = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), newer.path());
    let expect = |what: &str, data: &Path, height: u64| {
        let (_writer, reader) = ledger.open(data);
        assert_eq!(reader.head().height, height, "{what}");
        assert_sound(&reader);
        let duties = reader.positions("kind:duty.declare", 0, u64::MAX, 100).unwrap();
        assert_eq!(duties.len(), if height == 4 { 8 } else { 9 }, "{what}");
    };
    assert_eq!((wanted, size), (4, 12));

    let (older, newer) = (older.path(), newer.path());
    let joined = |parts: &[(&str, &Path)]| {
        let copy = tempfile::tempdir().unwrap();
        for (folder, from) in parts {
            copy_dir(&from.join(folder), &copy.path().join(folder));
        }
        copy
    };
    expect("both behind", joined(&[("log", newer), ("state", older), ("sled", older)]).path(), 5);
    expect("both ahead", joined(&[("log", older), ("state", newer), ("sled", newer)]).path(), 4);
    expect("tiles behind the state", joined(&[("log", newer), ("state", newer), ("sled", older)]).path(), 5);
    expect("tiles ahead of the state", joined(&[("log", newer), ("state", older), ("sled", newer)]).path(), 5);
    expect("tiles gone", joined(&[("log", newer), ("state", newer)]).path(), 5);
    expect("state gone", joined(&[("log", newer), ("sled", newer)]).path(), 5);
    expect("both gone", joined(&[("log", newer)]).path(), 5);

    let mut files = Vec::new();
    list_files(&newer.join("state"), &mut files);
    list_files(&newer.join("sled"), &mut files);
    assert!(files.len() > 6, "{files:?}");
    for file in files {
        let length = fs::read(&file).unwrap().len();
        let file = file.strip_prefix(newer).unwrap();
        for number in 0..12 {
            for with_sum in [true, false] {
                let is_tile = file.starts_with("sled");
                if length == 0 || (!is_tile && !with_sum) {
                    continue;
                }
                let copy = tempfile::tempdir().unwrap();
                copy_dir(newer, copy.path());
                let path = copy.path().join(file);
                let mut bytes = fs::read(&path).unwrap();
                let at = length * number / 12;
                match number % 3 {
                    0 => bytes[at] ^= 0x10,
                    1 => bytes.truncate(at),
                    _ => bytes[at..(at + 4_096).min(length)].fill(0),
                }
                fs::write(&path, &bytes).unwrap();
                if !with_sum {
                    fs::remove_file(copy.path().join("sled.sum")).unwrap();
                }
                expect(&format!("{} damaged at {at}, sum kept: {with_sum}", file.display()), copy.path(), 5);
            }
        }
    }
}

/// A home that was stopped cleanly and then moved was rebuilt, for its checksums named whole paths: a restart took many
/// times as long. They name paths inside the folder.
#[test]
fn a_home_that_moved_keeps_its_databases() {
    use std::os::unix::fs::MetadataExt as _;
    let (dir, moved) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ledger = Ledger::new();
    ledger.fill(dir.path(), 4);
    copy_dir(dir.path(), moved.path());
    let inode = || ["sled/conf", "state/version"].map(|file| fs::metadata(moved.path().join(file)).unwrap().ino());
    let before = inode();
    let (_writer, reader) = ledger.open(moved.path());
    assert_eq!(reader.head().height, 4);
    assert_eq!(inode(), before, "rebuilt");
}

#[test]
fn a_copy_of_a_running_store_is_what_a_kill_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    let (mut writer, _reader) = ledger.open(dir.path());
    let copies = tempfile::tempdir().unwrap();
    for number in 1..=40_u64 {
        let records = [ledger.duty(1), ledger.duty(2)];
        ledger.append(&mut writer, &records);
        if number % 8 == 0 {
            copy_dir(dir.path(), &copies.path().join(number.to_string()));
        }
    }
    for number in (8..=40).step_by(8) {
        let copy = copies.path().join(number.to_string());
        let (_writer, reader) = ledger.open(&copy);
        assert_eq!(reader.head().height, number);
        assert_sound(&reader);
    }
}

#[test]
fn readers_miss_nothing_while_layers_move_to_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    let (mut writer, reader) = ledger.open(dir.path());
    let duties = sharelog::core::state::Table("duty");
    std::thread::scope(|scope| {
        let readers = [reader.clone(), reader.clone()].map(|reader| {
            scope.spawn(move || {
                while reader.head().height < 40 {
                    let head = reader.head();
                    let wanted: Vec<_> = (0..head.size).filter(|position| position % 101 != 100).collect();
                    assert_eq!(reader.positions("kind:duty.declare", 0, head.size, usize::MAX).unwrap(), wanted);
                    assert!(reader.rows(duties, None, usize::MAX).unwrap().len() >= wanted.len());
                    assert_eq!(root_at(&reader, head.size).unwrap(), head.root);
                }
            })
        });
        for _ in 0..40 {
            let records: Vec<_> = (0..100).map(|_| ledger.duty(1)).collect();
            ledger.append(&mut writer, &records);
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
    assert_sound(&reader);
}

#[test]
fn a_full_file_is_followed_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    let (mut writer, reader) = ledger.open(dir.path());
    while !dir.path().join("log/00000002.log").exists() {
        let records: Vec<_> = (0..72).map(|_| ledger.long_duty(1)).collect();
        ledger.append(&mut writer, &records);
    }
    let height = reader.head().height;
    writer.close().unwrap();
    drop(reader);
    let (writer, reader) = ledger.open(dir.path());
    assert_eq!(reader.head().height, height);
    assert_eq!(reader.block(height).unwrap().unwrap().records.len(), 72);
    assert_eq!(reader.block(1).unwrap().unwrap().records.len(), 72);
    writer.close().unwrap();
    drop(reader);
    // A body in the first file is read when it is wanted, and then found out.
    let mut bytes = fs::read(segment(dir.path())).unwrap();
    bytes[2_000] ^= 1;
    fs::write(segment(dir.path()), &bytes).unwrap();
    let report = check::check(dir.path(), &ledger.genesis, CACHE_BYTES, &mut |_, _| {}).unwrap();
    assert!(report.damage[0].contains("00000001.log at byte 0"), "{report:?}");
    bytes[2_000] ^= 1;
    bytes[4] ^= 1;
    fs::write(segment(dir.path()), &bytes).unwrap();
    let opened = open(dir.path(), ledger.genesis.clone(), CACHE_BYTES).map(|_| ());
    assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
    fs::remove_file(segment(dir.path())).unwrap();
    let opened = open(dir.path(), ledger.genesis.clone(), CACHE_BYTES).map(|_| ());
    assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
}

#[test]
fn a_block_that_is_not_what_its_records_give_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    let (mut writer, reader) = ledger.open(dir.path());
    ledger.append(&mut writer, &[]);
    let records = [ledger.duty(1), ledger.duty(2)];
    let (block, execution) = ledger.block(&reader, &records);
    let head = reader.head();
    let replayed = |entry: &BlockEntry, leaves: &[Arc<[u8]>]| {
        let known = |_: &Hash| None;
        execution::replay(&reader, &head, &ledger.genesis, entry.to_text().as_bytes(), leaves, &known, true)
    };
    let (again, parsed) = replayed(&block.entry, &block.records).unwrap();
    assert_eq!((again.leaf_hashes, again.changes, again.frontier), (execution.leaf_hashes, execution.changes, execution.frontier));
    assert_eq!(parsed[1].id(), records[1].id());
    let wrong = Hash::of(b"wrong");
    let other_entries = [
        BlockEntry { state: wrong, ..block.entry.clone() },
        BlockEntry { root: wrong, ..block.entry.clone() },
        BlockEntry { next: wrong, ..block.entry.clone() },
        BlockEntry { previous: wrong, ..block.entry.clone() },
        BlockEntry { validators: wrong, ..block.entry.clone() },
        BlockEntry { rules: 2, ..block.entry.clone() },
        BlockEntry { height: 3, ..block.entry.clone() },
        BlockEntry { first: 0, ..block.entry.clone() },
        BlockEntry { position: block.entry.position + 1, ..block.entry.clone() },
        BlockEntry { proposer: "agency-9".into(), ..block.entry.clone() },
        BlockEntry { ledger: "another".into(), ..block.entry.clone() },
        BlockEntry { time: head.time, ..block.entry.clone() },
    ];
    for entry in other_entries {
        assert!(matches!(replayed(&entry, &block.records), Err(BlockFault::Entry { .. })), "{entry:?}");
    }
    let twice = [block.records[0].clone(), block.records[0].clone()];
    assert!(matches!(replayed(&block.entry, &twice), Err(BlockFault::Record { position: 2, .. })));
    let mut leaf = block.records[1].to_vec();
    let at = leaf.len() - 20;
    leaf[at] = if leaf[at] == b'A' { b'B' } else { b'A' };
    let forged = [block.records[0].clone(), leaf.into()];
    assert!(matches!(replayed(&block.entry, &forged), Err(BlockFault::Record { position: 2, .. })));
    let (mut empty, _) = ledger.block(&reader, &[]);
    empty.entry.time = head.time.plus_ms(9_999);
    assert!(matches!(replayed(&empty.entry, &[]), Err(BlockFault::Entry { member: "time", .. })));
    let misplaced = Block { entry: BlockEntry { height: 3, ..block.entry.clone() }, ..block.clone() };
    assert!(matches!(writer.append(&misplaced, &ledger.block(&reader, &records).1), Err(StoreError::Misplaced { height: 3 })));
}

/// A policy may name rules that this program does not have: it applies what it can, then stops and says so, also when opened.
#[test]
fn a_store_stops_before_a_rule_set_that_it_does_not_have() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    let (mut writer, reader) = ledger.open(dir.path());
    let mut body = sharelog::core::policy::default_body();
    let Value::Object(members) = &mut body else { panic!() };
    members.insert("rules".to_owned(), 2.into());
    let policy = ledger.record(0, Kind::PolicySet, Role::Authority, Vec::new(), body);
    ledger.append(&mut writer, &[policy]);
    let (block, execution) = ledger.block(&reader, &[]);
    assert_eq!(block.entry.rules, 1, "the height after the policy's keeps the old rules");
    let stopped = writer.append(&block, &execution);
    assert!(matches!(stopped, Err(StoreError::RulesUnknown { height: 3, rules: 2 })), "{stopped:?}");
    assert_eq!(reader.head().height, 2);
    drop(reader);
    writer.close().unwrap();
    let opened = open(dir.path(), ledger.genesis.clone(), CACHE_BYTES).map(|_| ());
    assert!(matches!(opened, Err(StoreError::RulesUnknown { height: 3, rules: 2 })), "{opened:?}");
}

#[test]
fn a_check_names_what_will_be_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    ledger.fill(dir.path(), 3);
    {
        let database = fjall::Database::builder(dir.path().join("state")).open().unwrap();
        let entries = database.keyspace("state", fjall::KeyspaceCreateOptions::default).unwrap();
        let key = entries.prefix(b"i").next().unwrap().key().unwrap();
        entries.remove(key).unwrap();
    }
    let report = check::check(dir.path(), &ledger.genesis, CACHE_BYTES, &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty(), "a state that will be rebuilt harms nobody");
    assert!(report.notes[0].contains("rebuilt"), "{report:?}");
    rebuild(dir.path(), ledger.genesis.clone(), CACHE_BYTES, &mut |_, _| {}).unwrap();
    let report = check::check(dir.path(), &ledger.genesis, CACHE_BYTES, &mut |_, _| {}).unwrap();
    assert_eq!((report.damage.len(), report.notes.len(), report.blocks), (0, 0, 3));
}

#[test]
fn a_store_is_opened_once_and_by_its_own_genesis() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    ledger.fill(dir.path(), 1);
    let (writer, reader) = ledger.open(dir.path());
    let second = open(dir.path(), ledger.genesis.clone(), CACHE_BYTES).map(|_| ());
    assert!(matches!(second, Err(StoreError::Io { operation: "lock", .. })), "{second:?}");
    drop((writer, reader));
    let mut other = (*ledger.genesis).clone();
    other.hash = sharelog::core::hash::Hash::of(b"another");
    let wrong = open(dir.path(), other.into(), CACHE_BYTES).map(|_| ());
    assert!(matches!(wrong, Err(StoreError::Corrupt { .. })), "{wrong:?}");
}

#[test]
fn a_store_that_is_let_go_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    ledger.fill(dir.path(), 1);
    let before = ledger.open(dir.path());
    let lets_go = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        drop(before);
    });
    let (_, reader) = ledger.open(dir.path());
    assert_eq!(reader.head().height, 1);
    lets_go.join().unwrap();
}

/// Run by hand: `cargo test --features test-faults --test main store::cost -- --ignored --nocapture`.
#[test]
#[ignore = "prints figures; takes a minute"]
fn cost_of_100_000_records() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new();
    let (mut writer, reader) = ledger.open(dir.path());
    let (records, grant) = ledger.grant();
    ledger.append(&mut writer, &records);
    let (mut leaf_bytes, mut executing, mut appending) = (0, 0.0, 0.0);
    let cpu_start = cpu_seconds();
    let mut cpu_making = 0.0;
    for _ in 0..200 {
        let before = cpu_seconds();
        let deliveries: Vec<_> = (0..500).map(|_| ledger.delivery(grant)).collect();
        leaf_bytes += deliveries.iter().map(|record| record.leaf().len()).sum::<usize>();
        sharelog::store::execution::verify_signatures(&reader, &deliveries);
        cpu_making += cpu_seconds() - before;
        let start = Instant::now();
        let (block, execution) = ledger.block(&reader, &deliveries);
        executing += start.elapsed().as_secs_f64();
        let start = Instant::now();
        writer.append(&block, &execution).unwrap();
        appending += start.elapsed().as_secs_f64();
    }
    writer.close().unwrap();
    let cpu = cpu_seconds() - cpu_start - cpu_making;
    println!("{} bytes per record", leaf_bytes / 100_000);
    println!("executing {:.1} us, appending {:.1} us per record; CPU {:.1} us", executing * 10.0, appending * 10.0, cpu * 10.0);
    let (log, all) = (disk_bytes(&dir.path().join("log")), disk_bytes(dir.path()));
    println!("log {log} bytes, all {all} bytes; leaves {leaf_bytes}");
    println!("resident {} MiB", resident_mib());
    drop(reader);
    for what in ["after a clean stop", "after a kill"] {
        let start = Instant::now();
        let (writer, reader) = ledger.open(dir.path());
        println!("open {what}: {:.2} s, height {}, resident {} MiB", start.elapsed().as_secs_f64(), reader.head().height, resident_mib());
        drop((writer, reader));
    }
    let start = Instant::now();
    rebuild(dir.path(), ledger.genesis.clone(), CACHE_BYTES, &mut |_, _| {}).unwrap();
    println!("rebuild: {:.1} s", start.elapsed().as_secs_f64());
    println!("after the rebuild: all {} bytes", disk_bytes(dir.path()));
    let start = Instant::now();
    let report = check::check(dir.path(), &ledger.genesis, CACHE_BYTES, &mut |_, _| {}).unwrap();
    println!("check: {:.1} s, {report:?}", start.elapsed().as_secs_f64());
}

fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let ticks = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}

fn resident_mib() -> usize {
    fs::read_to_string("/proc/self/statm").unwrap().split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 256
}
