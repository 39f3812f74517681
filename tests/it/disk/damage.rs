//! Damage of every file that a stopped node has: found and named, or repaired; never a wrong answer, never a wrong vote.
//!
//! 1. A real network makes a ledger with several log files; all stop; the victim's home is the base, an earlier copy the older.
//! 2. Each damage is done to a fresh copy of the base. A damaged log is found by `store check`.
//! 3. The victim starts alone. It refuses with the file's name; or it serves, and each answer is the truth's byte for byte, a
//!    5xx, or missing from a node that says that it is behind. Alone it signs nothing at all.
//! 4. Some runs go on with its peers: all end equal, and what was signed before is not contradicted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sharelog::consensus::misbehaviours::Misbehaviours;
use sharelog::core::genesis::Genesis;
use sharelog::core::hash::Hash;
use sharelog::keystore::NodeKeys;
use sharelog::log::certificate::{Step, vote_text};
use sharelog::log::misbehaviour::{Misbehaviour, Place, Said, Statement};
use sharelog::node::local::LocalNetwork;
use sharelog::store::check;

use super::super::network::{TestNetwork, duty};
use super::truth::Truth;
use super::{
    SETTLE, Seeded, VICTIM, check_accuses_nobody, check_signed, copy_dir, count, log_text, network, replace_dir, signed, start_victim,
    victim_ready,
};

/// A start, or a refusal to start.
const STARTS: Duration = Duration::from_secs(60);
/// A node whose settings name another port serves there.
const ELSEWHERE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Flip,
    Zero,
    Truncate,
    Delete,
    Older,
}

/// As often as 300 flips, 50 zeroed pages, 50 truncations, 20 deletions and 20 swaps with an older copy.
fn kind(random: &mut Seeded) -> Kind {
    match random.below(44) {
        0..30 => Kind::Flip,
        30..35 => Kind::Zero,
        35..40 => Kind::Truncate,
        40..42 => Kind::Delete,
        _ => Kind::Older,
    }
}

/// Homes at rest: what they hold, and what a node with it answers.
struct Bases {
    dir: tempfile::TempDir,
    truth: Truth,
}

impl Bases {
    /// Of a node: stopped cleanly, killed, or earlier.
    fn home(&self, name: &str, node: usize) -> PathBuf {
        self.dir.path().join(format!("{name}{node}"))
    }

    fn keep(&self, network: &TestNetwork, name: &str, node: usize) {
        copy_dir(&network.net.nodes[node].home, &self.home(name, node));
    }
}

/// A ledger of some hundred blocks, and the victim's homes.
fn make(network: &mut TestNetwork, random: &mut Seeded) -> Bases {
    let dir = tempfile::tempdir().unwrap();
    let load = |network: &mut TestNetwork, prefix: &str, height: u64| {
        let reaches = |net: &mut LocalNetwork| net.head(0).is_ok_and(|(reached, _)| reached >= height);
        super::under_load(network, prefix, |network| {
            network.net.wait_until("blocks", SETTLE, reaches).unwrap();
        });
    };
    let height = if count(0) > 100 { 150 } else { 30 };
    load(network, "first", height);
    assert!(network.net.stop(VICTIM));
    copy_dir(&network.net.nodes[VICTIM].home, &dir.path().join(format!("older{VICTIM}")));
    start_victim(network, "");
    victim_ready(network);
    load(network, "second", 2 * height);
    assert!(network.net.stop_all());
    accuse(network);
    fs::copy(signed(network), dir.path().join("signed")).unwrap();
    let mut bases = Bases { dir, truth: Truth { height: 0, size: 0, answers: Vec::new() } };
    (0..4).for_each(|node| bases.keep(network, "clean", node));
    start_victim(network, "");
    victim_ready(network);
    bases.truth = Truth::of(&network.net, VICTIM, random);
    network.net.kill(VICTIM);
    bases.keep(network, "killed", VICTIM);
    let files = fs::read_dir(bases.home("clean", VICTIM).join("data/log")).unwrap().count() - 1;
    println!("{} blocks, {} leaves, {files} log files, {} answers", bases.truth.height, bases.truth.size, bases.truth.answers.len());
    assert!(files >= 2, "void: one log file");
    bases
}

/// A proof of misbehaviour for the victim to keep: made with the keys of node 0, which never said this.
fn accuse(network: &TestNetwork) {
    let key = NodeKeys::load(&network.net.nodes[0].home.join("keys")).unwrap().consensus.unwrap();
    let origin = &network.net.origin;
    let statement = |block: Option<Hash>| {
        let signature = key.sign(vote_text(origin, Step::Prevote, 1, 7, block.as_ref()).as_bytes());
        Statement { said: Said::Vote { block }, signature }
    };
    let statements = [statement(None), statement(Some(Hash::of(b"x")))];
    let proof = Misbehaviour::of("agency-0", key.public(), origin, Place::Prevote { height: 1, round: 7 }, statements).unwrap();
    Misbehaviours::open(network.net.nodes[VICTIM].home.join("data/misbehaviour")).unwrap().keep(proof).unwrap();
}

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// The files of a home, each folder's or kind's as often as another's.
fn pick_file(home: &Path, random: &mut Seeded) -> PathBuf {
    let mut all = Vec::new();
    files(home, &mut all);
    let mut groups: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in all.into_iter().filter(|path| !path.ends_with("node.log")) {
        let inside = path.strip_prefix(home).unwrap();
        let is_folder = ["data/log", "data/state", "data/sled", "data/misbehaviour"].iter().any(|folder| inside.starts_with(folder));
        let group = if is_folder { inside.parent().unwrap() } else { inside };
        groups.entry(group.display().to_string()).or_default().push(path);
    }
    // The truth, what is signed, and what is built from the truth: three times as often as the rest.
    let often = ["data/log", "data/state", "data/sled", "data/consensus/last-signed"];
    let names: Vec<&String> = groups.keys().flat_map(|name| vec![name; if often.contains(&name.as_str()) { 3 } else { 1 }]).collect();
    let mut paths = groups[*random.pick(&names)].clone();
    paths.sort();
    random.pick(&paths).clone()
}

/// Does the damage; `None` when there is nothing to damage so.
fn damage(path: &Path, older: &Path, kind: Kind, random: &mut Seeded) -> Option<String> {
    let bytes = fs::read(path).unwrap();
    let length = u64::try_from(bytes.len()).unwrap();
    if kind != Kind::Delete && kind != Kind::Older && length == 0 {
        return None;
    }
    let (changed, place) = match kind {
        Kind::Flip => {
            let (at, bit) = (random.below(length), random.below(8));
            let mut changed = bytes.clone();
            changed[usize::try_from(at).unwrap()] ^= 1 << bit;
            (changed, format!("bit {bit} of byte {at}"))
        }
        Kind::Zero => {
            let page = usize::try_from(random.below(length.div_ceil(4_096))).unwrap();
            let mut changed = bytes.clone();
            changed[page * 4_096..bytes.len().min((page + 1) * 4_096)].fill(0);
            (changed, format!("page {page} zeroed"))
        }
        Kind::Truncate => {
            let left = usize::try_from(random.below(length)).unwrap();
            (bytes[..left].to_vec(), format!("cut to {left} of {length} bytes"))
        }
        Kind::Delete => {
            fs::remove_file(path).unwrap();
            return Some("deleted".to_owned());
        }
        Kind::Older => (fs::read(older).ok()?, "an older copy".to_owned()),
    };
    if changed == bytes {
        return None;
    }
    fs::write(path, changed).unwrap();
    Some(place)
}

/// What became of a damaged node that started alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alone {
    Refused,
    Served,
    ServedInPart,
    Behind,
    Elsewhere,
}

/// Starts the victim alone and judges it.
fn alone(network: &mut TestNetwork, truth: &Truth, inside: &Path) -> Result<Alone, String> {
    let file = inside.file_name().unwrap().to_str().unwrap();
    let is_gone = !network.net.nodes[VICTIM].home.join(inside).exists();
    let before = log_text(network).len();
    let texts = fs::read_to_string(signed(network)).unwrap();
    start_victim(network, "");
    let started = Instant::now();
    let serves = loop {
        if network.net.ended(VICTIM).is_some() {
            break false;
        }
        if network.net.get(VICTIM, "/api/v1/status").is_ok() {
            break true;
        }
        if file == "config.toml" && started.elapsed() > ELSEWHERE {
            network.net.kill(VICTIM);
            return Ok(Alone::Elsewhere);
        }
        if started.elapsed() > STARTS {
            return Err("it neither serves nor ends".to_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let compared = if serves { Some(truth.compare(&network.net, VICTIM)) } else { None };
    if compared.as_ref().is_some_and(|compared| compared.silent > 0) {
        let ended = network.net.wait_until("the end of a node that does not answer", STARTS, |net| net.ended(VICTIM).is_some());
        ended.map_err(|error| error.to_string())?;
    }
    let ended = network.net.ended(VICTIM);
    let signed_alone = fs::read_to_string(signed(network)).unwrap() != texts;
    network.net.kill(VICTIM);
    let log = log_text(network)[before..].to_owned();
    if signed_alone {
        return Err("alone, it signed".to_owned());
    }
    let is_database = ["data/state", "data/sled"].iter().any(|folder| inside.starts_with(folder) && log.contains(folder));
    let is_named = log.contains(file) || is_database;
    let Some(compared) = compared else {
        let has_failed = ended.is_some_and(|status| !status.success());
        return if has_failed && is_named {
            Ok(Alone::Refused)
        } else {
            Err(format!("ended with {ended:?}, and {file} is not named:\n{log}"))
        };
    };
    // A proof that was deleted leaves no trace; other nodes have it.
    let is_lost_proof = |answer: &String| inside.starts_with("data/misbehaviour") && is_gone && answer.starts_with("/api/v1/misbehaviour");
    if !compared.wrong.iter().all(is_lost_proof) {
        return Err(format!("wrong answers: {:#?}\n{log}", compared.wrong));
    }
    if compared.silent > 0 && is_named && ended.is_some_and(|status| !status.success()) {
        return Ok(Alone::Refused);
    }
    match (compared.refused + compared.silent, compared.behind) {
        (0, 0) => Ok(Alone::Served),
        (0, _) => Ok(Alone::Behind),
        _ if is_named => Ok(Alone::ServedInPart),
        _ => Err(format!("{compared:?}, and {file} is not named:\n{log}")),
    }
}

/// The size of a checkpoint's note.
fn size_of(note: &[u8]) -> u64 {
    String::from_utf8_lossy(note).lines().nth(1).and_then(|size| size.parse().ok()).unwrap()
}

/// Starts all four, commits some records, and compares.
fn with_peers(network: &mut TestNetwork, bases: &Bases) {
    for node in 0..VICTIM {
        replace_dir(&bases.home("clean", node), &network.net.nodes[node].home);
        network.net.start(node).unwrap();
    }
    start_victim(network, "");
    network.all_ready();
    let key = network.key("agency-1", "office");
    for turn in 0..6 {
        let note = duty(&network.net.origin, "agency-1", &format!("joined-{turn}"), &key);
        let (status, body) = network.net.post(turn % 3, &note, "?wait=committed").unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    }
    network.settle(SETTLE);
    let heads: Vec<_> = (0..4).map(|node| network.net.ask(node, "/api/v1/status").unwrap().get("head").unwrap().to_jcs()).collect();
    assert!(heads.iter().all(|head| *head == heads[0]), "{heads:#?}");
    bases.truth.check_goes_on(&network.net, VICTIM);
    let covers = |net: &mut LocalNetwork| {
        net.get(VICTIM, "/checkpoint").is_ok_and(|(status, note)| status == 200 && size_of(&note) > bases.truth.size)
    };
    let covered = network.net.wait_until("a public checkpoint of the victim", SETTLE, covers);
    covered.unwrap_or_else(|error| panic!("{error}\n{}", network.log_tail(VICTIM)));
    check_signed(&signed(network));
    (0..VICTIM).for_each(|node| check_accuses_nobody(network, node));
    (0..4).for_each(|node| network.net.kill(node));
}

#[test]
fn every_damage_is_named_or_repaired() {
    let mut network = network();
    let mut random = Seeded::new();
    let bases = make(&mut network, &mut random);
    let genesis = Arc::new(Genesis::parse(&network.genesis).unwrap());
    let mut outcomes: BTreeMap<(Kind, Alone), u64> = BTreeMap::new();
    let (mut done, mut checked, mut joined, few) = (0, 0, 0, 24);
    let wanted = count(few);
    while done < wanted {
        let home = network.net.nodes[VICTIM].home.clone();
        let base = bases.home(["clean", "killed"][usize::from(random.below(2) == 0)], VICTIM);
        replace_dir(&base, &home);
        fs::copy(bases.dir.path().join("signed"), signed(&network)).unwrap();
        let kind = kind(&mut random);
        let path = pick_file(&home, &mut random);
        let inside = path.strip_prefix(&home).unwrap().to_owned();
        let Some(place) = damage(&path, &bases.home("older", VICTIM).join(&inside), kind, &mut random) else {
            continue;
        };
        let what = format!("{}: {place}, {}", inside.display(), base.file_name().unwrap().display());
        if inside.starts_with("data/log") && path.extension().is_some_and(|extension| extension == "log") {
            check_offline(&home, &base, &inside, &genesis, &what);
            checked += 1;
        }
        let outcome = alone(&mut network, &bases.truth, &inside).unwrap_or_else(|found| panic!("{what}: {found}"));
        println!("{what}: {outcome:?}");
        *outcomes.entry((kind, outcome)).or_default() += 1;
        done += 1;
        // What the operator of a damaged log does: log and index go, the rest stays, and the peers have it all.
        let is_log = inside.starts_with("data/log");
        let is_whole = matches!(outcome, Alone::Served | Alone::Behind);
        if !is_whole && is_log {
            for folder in ["data/log", "data/state", "data/sled"] {
                fs::remove_dir_all(home.join(folder)).unwrap();
            }
        }
        // A network of all four takes ten times as long as one node. A proof that was deleted stays with the others alone.
        let is_lost_proof = inside.starts_with("data/misbehaviour") && kind == Kind::Delete;
        if (is_whole || is_log) && !is_lost_proof && random.below(6) == 0 {
            println!("... with its peers");
            with_peers(&mut network, &bases);
            joined += 1;
        }
    }
    println!("{done} damages, {checked} logs checked offline, {joined} with peers: {outcomes:#?}");
    assert!(outcomes.keys().any(|(_, outcome)| *outcome == Alone::Refused), "void: nothing was refused");
    assert!(joined > 0 || done < few, "void: no run with peers");
}

/// `store check` names what was done to a log file, but for what lies behind its last block.
fn check_offline(home: &Path, base: &Path, inside: &Path, genesis: &Arc<Genesis>, what: &str) {
    let (found, sound) = (fs::read(home.join(inside)).unwrap_or_default(), fs::read(base.join(inside)).unwrap());
    let end = sound.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if found.get(..end) == Some(&sound[..end]) {
        return;
    }
    let copy = tempfile::tempdir().unwrap();
    copy_dir(&home.join("data"), copy.path());
    let report = check::check(copy.path(), genesis, 32 << 20, &mut |_, _| {}).unwrap();
    assert!(!report.damage.is_empty(), "{what}: not found by a check: {report:?}");
}
