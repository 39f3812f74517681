//! One look at all nodes, and what is wrong.
//!
//! 1. Every source's checkpoint is fetched, all at once. Its note is read; each line that bears the name of a known key must
//!    verify, and one must be there: else nobody signed it.
//! 2. The checkpoints of this look and the last good ones of each source, sorted by size, must all be of one tree: equal
//!    roots at equal sizes, and a consistency proof from each size to the next. Two signed roots that exclude each other are
//!    kept, with a proof of misbehaviour for every validator that signed both.
//! 3. A source's size must not fall.
//! 4. A node's checkpoint must be cosigned by more than two thirds of the set that its last block names: the block entry is
//!    proven to stand at the end of the tree, and sets after the genesis' are learned from evidence that verifies.
//! 5. That block must not be too old.
//! 6. What passed is the last good checkpoint of its source from now on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::cli::failure::Failure;
use crate::cli::monitor::alarm::{Alarm, Kind};
use crate::cli::monitor::kept::Kept;
use crate::cli::monitor::sets::{Sets, check_quorum};
use crate::cli::monitor::source::Source;
use crate::core::hash::Hash;
use crate::core::note::Note;
use crate::core::time::Time;
use crate::log::checkpoint::{Checkpoint, Cosignature};
use crate::log::entry::BlockEntry;
use crate::log::merkle::verify_consistency;
use crate::log::misbehaviour::of_checkpoints;
use crate::log::witness::line_verifies;

/// Proven pairs and entries that are remembered, so that an idle network is asked for checkpoints alone.
const REMEMBERED_MAX: usize = 1_000;

/// A tree: size and root.
type Tree = (u64, Hash);

/// A checkpoint as a source showed it.
#[derive(Clone)]
struct View {
    source: usize,
    checkpoint: Checkpoint,
    note: Note,
    /// Shown in this look, not kept from an earlier one.
    is_new: bool,
}

impl View {
    fn tree(&self) -> Tree {
        (self.checkpoint.size, self.checkpoint.root)
    }
}

/// The watch over all sources.
pub struct Watch {
    sources: Vec<Source>,
    sets: Sets,
    kept: Kept,
    stall: Duration,
    /// The last good checkpoint of each source.
    last: Vec<Option<View>>,
    /// When the size of each source last grew, by this watch.
    grown: Vec<Instant>,
    /// Pairs of trees of which the second continues the first.
    continued: BTreeSet<(Tree, Tree)>,
    /// Block entries at the ends of trees.
    heads: BTreeMap<Tree, BlockEntry>,
}

impl Watch {
    /// Goes on where the state folder ends.
    ///
    /// # Errors
    /// [`Failure`] for files of the folder that cannot be read.
    pub fn new(sources: Vec<Source>, mut sets: Sets, kept: Kept, stall: Duration) -> Result<Self, Failure> {
        let damaged = |what: &str, why: String| Failure::Configuration(format!("the state folder's {what}: {why}"));
        if let Some(evidence) = kept.sets()? {
            sets.learn(evidence.as_bytes()).map_err(|why| damaged("evidence of validator sets", why))?;
        }
        let mut last = Vec::new();
        for (source, Source { address, .. }) in sources.iter().enumerate() {
            let note = kept.note(address)?;
            let view = note.map(|note| read_note(source, &note, false)).transpose();
            last.push(view.map_err(|why| damaged(&format!("checkpoint of {address}"), why))?);
        }
        let grown = vec![Instant::now(); sources.len()];
        Ok(Watch { sources, sets, kept, stall, last, grown, continued: BTreeSet::new(), heads: BTreeMap::new() })
    }

    /// The largest size of a good checkpoint.
    pub fn size(&self) -> u64 {
        self.last.iter().flatten().map(|view| view.checkpoint.size).max().unwrap_or(0)
    }

    /// Looks at all sources once.
    ///
    /// # Errors
    /// [`Failure`] for files that cannot be written.
    pub fn look(&mut self, now: Time) -> Result<Vec<Alarm>, Failure> {
        let mut alarms = Vec::new();
        let mut views = Vec::new();
        for (source, fetched) in self.fetch().into_iter().enumerate() {
            match fetched.and_then(|note| self.read(source, &note)) {
                Ok(view) => views.push(view),
                Err(alarm) => alarms.push(alarm),
            }
        }
        let mut suspect = self.compare(&views, &mut alarms)?;
        for view in &views {
            suspect.extend(self.look_back(view, &mut alarms)?);
            if self.sources[view.source].key.is_none() && !self.check_head(view, now, &mut alarms)? {
                suspect.insert(view.source);
            }
        }
        for view in views.into_iter().filter(|view| !suspect.contains(&view.source)) {
            self.keep(view)?;
        }
        Ok(alarms)
    }

    fn fetch(&self) -> Vec<Result<String, Alarm>> {
        std::thread::scope(|scope| {
            let asked: Vec<_> = self.sources.iter().map(|source| scope.spawn(|| source.checkpoint())).collect();
            asked.into_iter().map(|answer| answer.join().expect("asking does not panic")).collect()
        })
    }

    /// A checkpoint of this ledger that somebody known signed.
    fn read(&mut self, source: usize, note: &str) -> Result<View, Alarm> {
        let address = self.sources[source].address.clone();
        let alarm = |kind, found: String, expected: String| Alarm::new(kind, &address, found, expected);
        let view = read_note(source, note, true).map_err(|why| alarm(Kind::Malformed, why, "a checkpoint's note".to_owned()))?;
        let origin = &self.sets.genesis().origin;
        if view.checkpoint.origin != *origin {
            return Err(alarm(Kind::OtherLedger, view.checkpoint.origin, origin.clone()));
        }
        if self.count_known(&view).map_err(|why| alarm(Kind::Malformed, why, "lines that verify".to_owned()))? == 0 {
            return Err(alarm(
                Kind::NoQuorum,
                "no line of a validator or node that is known".to_owned(),
                "a quorum's cosignatures".to_owned(),
            ));
        }
        Ok(view)
    }

    /// How many lines are by known keys.
    fn count_known(&self, view: &View) -> Result<usize, String> {
        let mut keys = self.sets.keys();
        keys.extend(self.sources[view.source].key.clone());
        let mut count = 0;
        for line in &view.note.lines {
            let Some(key) = keys.iter().find(|key| key.name() == line.name && key.id() == line.id) else {
                continue;
            };
            if !line_verifies(line, &view.note.text, key) {
                return Err(format!("a line of {} that does not verify", line.name));
            }
            count += 1;
        }
        Ok(count)
    }

    /// Compares all trees that were shown; gives the sources whose checkpoint of this look is not to be kept.
    fn compare(&mut self, views: &[View], alarms: &mut Vec<Alarm>) -> Result<BTreeSet<usize>, Failure> {
        let mut all: Vec<View> = self.last.iter().flatten().chain(views).cloned().collect();
        let mut shown_by: BTreeMap<Tree, usize> = BTreeMap::new();
        all.iter().for_each(|view| *shown_by.entry(view.tree()).or_default() += 1);
        // Of two that exclude each other the one is believed that was good before, or that more sources show.
        let weight = |view: &View| (!view.is_new, shown_by[&view.tree()]);
        all.sort_by_key(|view| (view.checkpoint.size, Reverse(weight(view))));
        let mut suspect = BTreeSet::new();
        let mut before: Option<View> = None;
        for view in all {
            let Some(earlier) = before.take().filter(|earlier| earlier.tree() != view.tree()) else {
                before = Some(view);
                continue;
            };
            let Err(against) = self.continues(&earlier, &view) else {
                before = Some(view);
                continue;
            };
            let (believed, accused) = if weight(&view) > weight(&earlier) { (view, earlier) } else { (earlier, view) };
            // Two good ones were of one tree when they were kept.
            if accused.is_new {
                suspect.insert(accused.source);
                alarms.push(self.accuse(&accused, &believed, against)?);
            }
            before = Some(believed);
        }
        Ok(suspect)
    }

    /// Whether the later tree, which is no smaller, continues the earlier one; else what speaks against it.
    fn continues(&mut self, earlier: &View, later: &View) -> Result<(), Against> {
        let pair = (earlier.tree(), later.tree());
        let ((from, from_root), (to, to_root)) = pair;
        if from == to {
            return Err(Against::Root);
        }
        if from == 0 || self.continued.contains(&pair) {
            return Ok(());
        }
        let mut whys = Vec::new();
        let nodes = self.sources.iter().enumerate().filter(|(_, source)| source.key.is_none());
        // Who showed the larger tree is asked first.
        let (first, others): (Vec<_>, Vec<_>) = nodes.partition(|(index, _)| *index == later.source);
        for (_, node) in first.into_iter().chain(others) {
            let given = match node.consistency(from, to) {
                Ok(given) => given,
                Err(why) => {
                    whys.push(why);
                    continue;
                }
            };
            if verify_consistency(from, to, &from_root, &to_root, &given.proof).is_ok() {
                if self.continued.len() >= REMEMBERED_MAX {
                    self.continued.clear();
                }
                self.continued.insert(pair);
                return Ok(());
            }
            if given.from_root != from_root && verify_consistency(from, to, &given.from_root, &to_root, &given.proof).is_ok() {
                return Err(Against::Proof { from, root: given.from_root, text: given.text });
            }
            whys.push(format!("{} gave a proof that leads elsewhere", node.address));
        }
        Err(Against::Nothing { whys })
    }

    /// The alarm on two checkpoints, with what is kept of it.
    fn accuse(&self, accused: &View, believed: &View, against: Against) -> Result<Alarm, Failure> {
        let shown = |view: &View| format!("size {} with root {}", view.checkpoint.size, view.checkpoint.root);
        let expected = format!("one tree with {}, as {} showed", shown(believed), self.sources[believed.source].address);
        let (kind, found) = match &against {
            Against::Root => (Kind::SplitView, shown(accused)),
            Against::Proof { from, root, .. } => {
                (Kind::SplitView, format!("{}; proven: the first {from} leaves of the larger tree have the root {root}", shown(accused)))
            }
            Against::Nothing { whys } => {
                (Kind::Unproven, format!("{}, and no consistency proof between the two: {}", shown(accused), whys.join("; ")))
            }
        };
        let mut alarm = Alarm::new(kind, &self.sources[accused.source].address, found, expected);
        if kind == Kind::SplitView {
            alarm.files = self.keep_notes([accused, believed])?;
            if let Against::Proof { text, .. } = &against {
                alarm.files.extend(self.kept.keep_alarm("consistency", "json", text)?);
            }
            alarm.files.extend(self.keep_misbehaviour(accused, believed)?);
        }
        Ok(alarm)
    }

    fn keep_notes(&self, views: [&View; 2]) -> Result<Vec<String>, Failure> {
        let mut files = Vec::new();
        for View { checkpoint, note, .. } in views {
            files.extend(self.kept.keep_alarm(&format!("size-{}", checkpoint.size), "note", &note.to_text())?);
        }
        Ok(files)
    }

    /// A file for each validator that cosigned both roots of one size; gives their paths.
    fn keep_misbehaviour(&self, a: &View, b: &View) -> Result<Vec<String>, Failure> {
        let cosignatures = |view: &View| -> Vec<Cosignature> {
            view.note.lines.iter().filter_map(|line| Cosignature::from_line(line, &view.checkpoint.origin)).collect()
        };
        let (ours, theirs) = (cosignatures(a), cosignatures(b));
        let mut files = Vec::new();
        for member in self.sets.members() {
            let of = |list: &[Cosignature]| list.iter().find(|one| one.agency == member.agency).cloned();
            let Some((one, other)) = of(&ours).zip(of(&theirs)) else {
                continue;
            };
            if let Some(proof) = of_checkpoints([&a.checkpoint, &b.checkpoint], [&one, &other], &member.cosigner) {
                files.extend(self.kept.keep_alarm(&format!("misbehaviour-{}", member.agency), "json", &proof.to_value().to_jcs())?);
            }
        }
        Ok(files)
    }

    /// A source's size must not fall; gives the source when it did.
    fn look_back(&self, view: &View, alarms: &mut Vec<Alarm>) -> Result<Option<usize>, Failure> {
        let Some(last) = self.last[view.source].as_ref().filter(|last| last.checkpoint.size > view.checkpoint.size) else {
            return Ok(None);
        };
        let found = format!("size {}", view.checkpoint.size);
        let expected = format!("size {} or more, as it showed before", last.checkpoint.size);
        let mut alarm = Alarm::new(Kind::Rollback, &self.sources[view.source].address, found, expected);
        alarm.files = self.keep_notes([last, view])?;
        alarms.push(alarm);
        Ok(Some(view.source))
    }

    /// Quorum and age of a node's checkpoint; true when the quorum is there.
    fn check_head(&mut self, view: &View, now: Time, alarms: &mut Vec<Alarm>) -> Result<bool, Failure> {
        let address = self.sources[view.source].address.clone();
        let no_quorum = |found: String| {
            let expected = format!("cosignatures of more than two thirds of the set that judges size {}", view.checkpoint.size);
            Alarm::new(Kind::NoQuorum, &address, found, expected)
        };
        let entry = match self.head_entry(view) {
            Ok(entry) => entry,
            Err(why) => {
                alarms.push(no_quorum(format!("no proof of its last block, which names that set: {why}")));
                return Ok(false);
            }
        };
        let learned = if self.sets.judging(&entry).is_none() { self.learn(view.source)? } else { Ok(()) };
        let Some(set) = self.sets.judging(&entry) else {
            let why = learned.err().map_or_else(String::new, |why| format!(": {why}"));
            alarms.push(no_quorum(format!("block {} names the set {}, which no evidence proves{why}", entry.height, entry.validators)));
            return Ok(false);
        };
        let signed = check_quorum(&view.note, &view.checkpoint, set);
        if let Err(agencies) = &signed {
            let who = if agencies.is_empty() { "nobody".to_owned() } else { agencies.join(", ") };
            alarms.push(no_quorum(format!("cosignatures of {who} alone")));
        }
        self.check_age(view, &entry, now, alarms);
        Ok(signed.is_ok())
    }

    fn head_entry(&mut self, view: &View) -> Result<BlockEntry, String> {
        let tree = view.tree();
        if let Some(entry) = self.heads.get(&tree) {
            return Ok(entry.clone());
        }
        let entry = self.sources[view.source].head_entry(tree.0, &tree.1)?;
        let origin = &self.sets.genesis().origin;
        if entry.ledger != *origin {
            return Err(format!("a block of {}, not of {origin}", entry.ledger));
        }
        if self.heads.len() >= REMEMBERED_MAX {
            self.heads.clear();
        }
        self.heads.insert(tree, entry.clone());
        Ok(entry)
    }

    /// Learns later sets from a node's evidence; the inner error says why there were none.
    fn learn(&mut self, source: usize) -> Result<Result<(), String>, Failure> {
        let evidence = match self.sources[source].evidence() {
            Ok(Some(evidence)) => evidence,
            Ok(None) => return Ok(Err("it has no record".to_owned())),
            Err(why) => return Ok(Err(why)),
        };
        match self.sets.learn(evidence.as_bytes()) {
            Ok(true) => self.kept.keep_sets(&evidence).map(Ok),
            Ok(false) => Ok(Err("its evidence hands over to no other set".to_owned())),
            Err(why) => Ok(Err(why)),
        }
    }

    /// Times of a test clock say nothing of age; there, and only there, the age is that of the watch's own last news.
    fn check_age(&self, view: &View, entry: &BlockEntry, now: Time, alarms: &mut Vec<Alarm>) {
        let age = match self.sets.genesis().policy.test_clock {
            true if self.last[view.source].as_ref().is_some_and(|last| last.tree() == view.tree()) => self.grown[view.source].elapsed(),
            true => Duration::ZERO,
            false => Duration::from_millis(now.unix_ms().saturating_sub(entry.time.unix_ms())),
        };
        if age > self.stall {
            let found = format!("block {} of {}, {} s old", entry.height, entry.time, age.as_secs());
            let expected = format!("one not older than {} s", self.stall.as_secs());
            alarms.push(Alarm::new(Kind::Stalled, &self.sources[view.source].address, found, expected));
        }
    }

    fn keep(&mut self, view: View) -> Result<(), Failure> {
        let source = view.source;
        if self.last[source].as_ref().is_some_and(|last| last.tree() == view.tree()) {
            return Ok(());
        }
        self.kept.keep_note(&self.sources[source].address, &view.note.to_text())?;
        self.grown[source] = Instant::now();
        self.last[source] = Some(View { is_new: false, ..view });
        Ok(())
    }
}

/// What speaks against two trees' being one.
enum Against {
    /// They have one size and two roots.
    Root,
    /// The larger tree has this root at the lesser size; the node's answer proves it.
    Proof { from: u64, root: Hash, text: String },
    /// Nobody gave a proof that the larger one continues the other.
    Nothing { whys: Vec<String> },
}

fn read_note(source: usize, text: &str, is_new: bool) -> Result<View, String> {
    let note = Note::parse(text.as_bytes()).map_err(|refusal| refusal.to_string())?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|refusal| refusal.to_string())?;
    Ok(View { source, checkpoint, note, is_new })
}
