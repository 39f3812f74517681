//! The event loop: nodes, a network and a clock that one seed moves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use malachite_app::app::types::PeerId;
use sharelog::consensus::clock::simulated;
use sharelog::consensus::engine::replica::{Files, Fuse, Halt, Message, Replica, Wal, Wish};
use sharelog::consensus::engine::{Engine, Voter};
use sharelog::consensus::faults;
use sharelog::consensus::misbehaviours::Misbehaviours;
use sharelog::consensus::pool::Pool;
use sharelog::core::genesis::Genesis;
use sharelog::core::hash::Hash;
use sharelog::core::key::SecretKey;
use sharelog::core::time::Time;
use sharelog::health::Health;
use sharelog::limits::{DRIVER_TICK, SESSION_PAUSE, STATUS_EVERY, SYNC_REQUEST_TIMEOUT};
use sharelog::metrics::Metrics;
use sharelog::store;
use tempfile::TempDir;

use super::chance::Chance;
use super::evil::{Identity, Liar};
use super::judge::Judge;
use super::plan::{CALM, Part, Plan, Turn, Weather};
use super::trace::{Trace, told};
use crate::it::stores;

/// The simulated moment at which every run starts.
const START_MS: u64 = 1_767_225_600_000;
/// After the network healed, everything must be committed and level within this time.
const HEALED_WITHIN_MS: u64 = 120_000;
/// A liar may be forgetful again after this time.
const FORGETS_EVERY_MS: u64 = 3_000;

enum Event {
    Deliver {
        from: usize,
        to: usize,
        message: Message,
    },
    Timer {
        node: usize,
        life: u64,
        number: u64,
    },
    Tick {
        node: usize,
        life: u64,
    },
    Status {
        node: usize,
        life: u64,
    },
    /// A process starts.
    Start(usize),
    /// The engine of a running process starts again.
    Session {
        node: usize,
        life: u64,
    },
    Turn(Turn),
    Forget(usize),
    Heal,
}

pub struct Node {
    pub validator: usize,
    pub part: Part,
    pub replica: Option<Replica>,
    key: SecretKey,
    network: String,
    peer: PeerId,
    home: PathBuf,
    skew_ms: u64,
    wal: Wal,
    /// Counts the node's processes; events of an earlier one are nobody's.
    life: u64,
    /// Whether its engine is between two sessions.
    rests: bool,
    seen: u64,
    asked_until_ms: u64,
    blamed: BTreeSet<PeerId>,
    liar: Liar,
}

pub struct World {
    pub plan: Plan,
    pub genesis: Arc<Genesis>,
    pub nodes: Vec<Node>,
    pub judge: Judge,
    pub trace: Trace,
    chance: Chance,
    now_ms: u64,
    queue: BTreeMap<(u64, u64), Event>,
    queued: u64,
    weather: Weather,
    groups: Vec<u64>,
    pub records: BTreeMap<u64, Hash>,
    pub counts: Counts,
    // Dropped after the nodes.
    _dir: TempDir,
}

/// What took place: a run whose faults did not is void.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub crashes: usize,
    pub torn: usize,
    pub lost: usize,
    pub cut: usize,
    pub sessions: usize,
    pub lies: usize,
    pub proofs: usize,
    pub blocks: u64,
    pub votes: usize,
    pub events: usize,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let shm = std::path::Path::new("/dev/shm");
        let dir = if shm.is_dir() { TempDir::new_in(shm) } else { TempDir::new() }.unwrap();
        let genesis = stores::genesis_at(Time::from_unix_ms(START_MS - 1_000).unwrap(), [1, 2, 3, 4], &[]);
        let mut seats = BTreeSet::new();
        let node = |(index, (validator, part)): (usize, &(usize, Part))| {
            let name = format!("agency-{validator}");
            // The second of two with one key has a network key of its own.
            let network = if seats.insert(*validator) { format!("{name}/network") } else { format!("{name}/network/{index}") };
            Node {
                validator: *validator,
                part: *part,
                replica: None,
                key: stores::secret(&format!("{name}/consensus")),
                peer: sharelog::core::genesis::peer_id(&stores::secret(&network).public()).parse().unwrap(),
                network,
                home: dir.path().join(format!("node{index}")),
                skew_ms: plan.skews_ms[index],
                wal: Wal::default(),
                life: 0,
                rests: false,
                seen: 0,
                asked_until_ms: 0,
                blamed: BTreeSet::new(),
                liar: Liar::default(),
            }
        };
        let nodes: Vec<_> = plan.nodes.iter().enumerate().map(node).collect();
        let drift_ms = 5_000 + plan.skews_ms.iter().max().unwrap();
        let mut world = World {
            judge: Judge::new(&genesis, drift_ms),
            trace: Trace::default(),
            chance: Chance::new(plan.seed ^ 0x5eed),
            now_ms: 0,
            queue: BTreeMap::new(),
            queued: 0,
            weather: plan.weather,
            groups: vec![0; nodes.len()],
            records: BTreeMap::new(),
            counts: Counts::default(),
            genesis,
            nodes,
            plan,
            _dir: dir,
        };
        world.schedule();
        world
    }

    fn schedule(&mut self) {
        for node in 0..self.nodes.len() {
            let at = self.chance.below(500);
            self.push(at, Event::Start(node));
            if self.nodes[node].part == Part::Amnesiac {
                self.push(FORGETS_EVERY_MS, Event::Forget(node));
            }
        }
        for (at, turn) in self.plan.turns.clone() {
            self.push(1_000 + at, Event::Turn(turn));
        }
        self.push(1_000 + self.plan.heals_at_ms, Event::Heal);
    }

    fn push(&mut self, after_ms: u64, event: Event) {
        self.queued += 1;
        self.queue.insert((self.now_ms + after_ms, self.queued), event);
    }

    /// Runs until all is committed and level after the healing.
    pub fn run(&mut self) -> Result<(), String> {
        let heals_at_ms = 1_000 + self.plan.heals_at_ms;
        let ends_at_ms = heals_at_ms + HEALED_WITHIN_MS;
        while !(self.now_ms > heals_at_ms && self.is_level()) {
            let Some(((at_ms, _), event)) = self.queue.pop_first() else {
                return Err("nothing happens any more".to_owned());
            };
            if at_ms > ends_at_ms {
                return Err(format!("no progress within {HEALED_WITHIN_MS} ms after the network healed: {:?}", self.heights()));
            }
            self.now_ms = at_ms;
            self.counts.events += 1;
            self.happen(event)?;
        }
        self.finish()
    }

    /// Every node's height, and how many records are pending there.
    fn heights(&self) -> Vec<(u64, usize, String)> {
        let height = |node: &Node| {
            node.replica.as_ref().map(|replica| (replica.reader().head().height, replica.pool().pending().0, replica.place()))
        };
        self.nodes.iter().map(|node| height(node).unwrap_or_default()).collect()
    }

    fn honest(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.part == Part::Honest)
    }

    /// Whether all honest nodes are up, have one head, and hold every record that an honest node took.
    fn is_level(&self) -> bool {
        let heads: Option<Vec<_>> = self.honest().map(|(_, node)| Some(node.replica.as_ref()?.reader().head().entry_hash)).collect();
        let is_one = heads.is_some_and(|heads| heads.windows(2).all(|pair| pair[0] == pair[1]));
        is_one && self.records.len() == self.judge.submitted.len() && self.records.values().all(|id| self.judge.is_committed(id))
    }

    fn finish(&mut self) -> Result<(), String> {
        let liars = self.plan.liars();
        let counted: Result<Vec<_>, _> = self
            .honest()
            .map(|(index, node)| self.judge.look_at_proofs(index, node.replica.as_ref().ok_or("an honest node is down")?, &liars))
            .collect();
        self.counts.proofs = counted?.into_iter().sum();
        self.counts.blocks = self.judge.height();
        self.counts.votes = self.judge.votes;
        self.counts.lies = self.nodes.iter().map(|node| node.liar.told).sum();
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Deliver { from, to, message } => self.deliver(from, to, message),
            Event::Timer { node, life, number } => self.at(node, life, "timer", |replica| replica.timer(number)),
            Event::Tick { node, life } => {
                if self.nodes[node].life == life {
                    self.push(ms(DRIVER_TICK), Event::Tick { node, life });
                }
                self.at(node, life, "tick", Replica::tick)
            }
            Event::Status { node, life } => {
                if self.nodes[node].life == life {
                    self.push(ms(STATUS_EVERY), Event::Status { node, life });
                }
                self.at(node, life, "status", |replica| {
                    replica.tell_status();
                    Ok(())
                })
            }
            Event::Start(node) => self.start(node),
            Event::Session { node, life } => {
                self.counts.sessions += 1;
                self.nodes[node].rests = false;
                self.at(node, life, "session", Replica::start)
            }
            Event::Turn(turn) => self.turn(turn),
            Event::Forget(node) => self.forget(node),
            Event::Heal => self.heal(),
        }
    }

    fn turn(&mut self, turn: Turn) -> Result<(), String> {
        self.trace.note(self.now_ms, format!("{turn:?}"));
        match turn {
            Turn::Groups(groups) => {
                self.counts.cut += 1;
                self.groups = groups;
            }
            Turn::Kill(node) => self.kill(node)?,
            Turn::LoseLog(node) => {
                self.counts.lost += usize::from(self.nodes[node].replica.is_some());
                self.forget_log(node)?;
            }
            Turn::CrashAt { node, steps, is_torn } => {
                let home = &self.nodes[node].home;
                let folders = vec![home.join("consensus"), home.join("log")];
                if let Some(replica) = &mut self.nodes[node].replica {
                    replica.set_fuse(Fuse { steps, is_torn, folders });
                }
            }
            Turn::Submit(node, number) => self.submit(node, number)?,
        }
        Ok(())
    }

    /// A client gives a record to a node, or to the next one that takes it.
    fn submit(&mut self, node: usize, number: u64) -> Result<(), String> {
        let agency = format!("agency-{}", number % 4);
        // Its client asks again with the same record.
        let at = Time::from_unix_ms(START_MS).unwrap();
        let note = stores::duty_of(&self.genesis.origin, &agency, &format!("d{number}"), at);
        let id = Hash::of(&note.as_bytes()[..=note.rfind("\n\n").unwrap()]);
        self.judge.submitted.insert(id);
        let is_up = |index: &usize| self.nodes[*index].replica.is_some() && self.nodes[*index].part == Part::Honest;
        let Some(taker) = (0..self.nodes.len()).map(|step| (node + step) % self.nodes.len()).find(is_up) else {
            self.push(500, Event::Turn(Turn::Submit(node, number)));
            return Ok(());
        };
        self.at(taker, self.nodes[taker].life, "submit", |replica| replica.submit(note.as_bytes()).map(|_| ()))?;
        // A crash of the node that took it may lose a record that is not committed: its client asks again.
        self.records.insert(number, id);
        if !self.judge.is_committed(&id) {
            self.push(2_000, Event::Turn(Turn::Submit(node + 1, number)));
        }
        Ok(())
    }

    fn heal(&mut self) -> Result<(), String> {
        self.trace.note(self.now_ms, "heal".to_owned());
        self.weather = CALM;
        self.groups = vec![0; self.nodes.len()];
        Ok(())
    }

    fn forget(&mut self, node: usize) -> Result<(), String> {
        let again = FORGETS_EVERY_MS + self.chance.below(FORGETS_EVERY_MS);
        self.push(again, Event::Forget(node));
        self.nodes[node].liar.told += 1;
        self.forget_log(node)
    }

    /// The process is killed, and the engine's log and bodies are gone.
    fn forget_log(&mut self, node: usize) -> Result<(), String> {
        if self.nodes[node].replica.is_some() {
            self.kill(node)?;
            self.nodes[node].wal = Wal::default();
            remove(&self.nodes[node].home.join("consensus/undecided"));
        }
        Ok(())
    }

    /// The faults of the product that a node has.
    fn faults_of(&self, node: usize) -> &'static str {
        match self.nodes[node].part {
            Part::Faulty(fault) => fault,
            Part::Amnesiac => "unguarded",
            Part::Honest => self.plan.switched_off,
            _ => "",
        }
    }

    /// The clock and the faults are those of this node from here on.
    fn enter(&self, node: usize) -> Time {
        let time = Time::from_unix_ms(START_MS + self.now_ms + self.nodes[node].skew_ms).unwrap();
        simulated::set(time, Duration::from_millis(self.now_ms));
        faults::choose(self.faults_of(node));
        time
    }

    fn start(&mut self, node: usize) -> Result<(), String> {
        if self.nodes[node].replica.is_some() {
            return Ok(());
        }
        self.enter(node);
        let life = self.nodes[node].life + 1;
        let held = &mut self.nodes[node];
        (held.life, held.rests) = (life, false);
        let engine = engine(&self.genesis, held);
        let opened = engine.and_then(|engine| Replica::open(engine, std::mem::take(&mut held.wal), life << 16));
        let replica = opened.map_err(|error| format!("node {node} does not start: {error:#}"))?;
        held.replica = Some(replica);
        self.at(node, life, "start", Replica::start)?;
        self.push(self.chance.clone().below(ms(DRIVER_TICK)), Event::Tick { node, life });
        self.push(1, Event::Status { node, life });
        Ok(())
    }

    fn kill(&mut self, node: usize) -> Result<(), String> {
        let Some(replica) = self.nodes[node].replica.take() else {
            return Ok(());
        };
        self.counts.crashes += 1;
        let (mut wal, torn) = replica.kill();
        wal.lose(self.chance.index(wal.unflushed() + 1));
        self.nodes[node].wal = wal;
        // What is left of the databases is believed only if it is whole.
        let mut is_state_lost = self.chance.is_one_in(2);
        let are_tiles_lost = self.chance.is_one_in(2);
        if let Some(files) = torn {
            self.counts.torn += 1;
            is_state_lost |= self.tear(node, &files);
        }
        for (folder, is_lost) in [("state", is_state_lost), ("sled", are_tiles_lost)] {
            if is_lost {
                let _ = std::fs::remove_dir_all(self.nodes[node].home.join(folder));
            }
        }
        let pause = self.chance.between(200, 3_000);
        self.trace.note(self.now_ms, format!("node {node} is down for {pause} ms"));
        self.push(pause, Event::Start(node));
        Ok(())
    }

    /// Writes that were on the way at a crash are there, or not, or in part. Gives whether the ledger's log was one of them.
    fn tear(&mut self, node: usize, before: &Files) -> bool {
        let home = self.nodes[node].home.clone();
        let mut is_log = false;
        for folder in ["consensus", "log"] {
            let mut paths: Vec<_> = std::fs::read_dir(home.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            for path in paths.into_iter().filter(|path| path.is_file()) {
                let now = std::fs::read(&path).unwrap();
                let old = before.get(&path).cloned().unwrap_or_default();
                if now == old {
                    continue;
                }
                is_log |= folder == "log";
                let mixed = self.mix(&old, now);
                std::fs::write(&path, mixed).unwrap();
            }
        }
        is_log
    }

    /// The sectors of two contents, some of the one and some of the other.
    fn mix(&mut self, old: &[u8], mut now: Vec<u8>) -> Vec<u8> {
        const SECTOR: usize = 512;
        let way = self.chance.below(3);
        for (index, sector) in now.chunks_mut(SECTOR).enumerate() {
            let before = old.get(index * SECTOR..).unwrap_or_default();
            let is_same = before.len() >= sector.len() && before[..sector.len()] == *sector;
            if is_same || way == 0 || (way == 1 && self.chance.is_one_in(2)) {
                continue;
            }
            let kept = before.len().min(sector.len());
            sector[..kept].copy_from_slice(&before[..kept]);
            sector[kept..].fill(0);
        }
        now
    }

    fn deliver(&mut self, from: usize, to: usize, message: Message) -> Result<(), String> {
        if self.groups[from] != self.groups[to] || self.nodes[to].replica.is_none() {
            return Ok(());
        }
        let what = told(&message);
        let (peer, life) = (self.nodes[from].peer, self.nodes[to].life);
        let height = match &message {
            Message::Status(status) => Some(status.tip_height.0),
            Message::Response(_) => {
                self.nodes[to].asked_until_ms = 0;
                None
            }
            _ => None,
        };
        self.at(to, life, &format!("from {from}: {what}"), |replica| replica.receive(peer, message))?;
        if let Some(height) = height {
            self.ask_for_values(to, from, height);
        }
        Ok(())
    }

    /// A node that lacks blocks asks a peer that says it has them, one at a time, and not one that lied to it.
    fn ask_for_values(&mut self, node: usize, peer: usize, height: u64) {
        let asked = &self.nodes[node];
        if asked.asked_until_ms > self.now_ms || asked.blamed.contains(&self.nodes[peer].peer) {
            return;
        }
        if let Some(request) = asked.replica.as_ref().and_then(|replica| replica.wants_values(height)) {
            self.nodes[node].asked_until_ms = self.now_ms + ms(SYNC_REQUEST_TIMEOUT);
            self.send(node, peer, request);
        }
    }

    /// Lets a node work, and does what it wishes.
    fn at(&mut self, node: usize, life: u64, what: &str, work: impl FnOnce(&mut Replica) -> Result<(), Halt>) -> Result<(), String> {
        let time = self.enter(node);
        let held = &mut self.nodes[node];
        let Some(replica) = held.replica.as_mut().filter(|_| held.life == life && !held.rests) else {
            return Ok(());
        };
        let outcome = work(replica);
        let wishes = replica.take_wishes();
        self.trace.note(self.now_ms, format!("{node} [{}] {what}", replica.place()));
        for wish in wishes {
            self.grant(node, life, wish)?;
        }
        match outcome {
            Ok(()) => self.look(node, time),
            Err(Halt::Crashed) => self.kill(node),
            Err(Halt::Again(reason)) => {
                self.trace.note(self.now_ms, format!("{node} starts its engine again: {reason}"));
                self.nodes[node].rests = true;
                self.push(ms(SESSION_PAUSE), Event::Session { node, life });
                self.look(node, time)
            }
            Err(Halt::Failed(error)) if self.nodes[node].part == Part::Honest => Err(format!("node {node} failed: {error:#}")),
            // A liar may well run into what it did; its operator starts it anew.
            Err(Halt::Failed(_)) => self.forget_log(node),
        }
    }

    fn look(&mut self, node: usize, now: Time) -> Result<(), String> {
        let held = &mut self.nodes[node];
        if held.part == Part::Honest
            && let Some(replica) = &held.replica
        {
            held.seen = self.judge.look(node, replica, held.seen, now)?;
        }
        Ok(())
    }

    fn grant(&mut self, node: usize, life: u64, wish: Wish) -> Result<(), String> {
        if self.nodes[node].part == Part::Honest {
            if let Wish::Broadcast(message) = &wish {
                self.judge.hear(node, message)?;
            }
            self.carry(node, life, wish, None);
            return Ok(());
        }
        let held = &mut self.nodes[node];
        let replica = held.replica.as_ref().expect("it has just worked");
        let who = Identity { validator: held.validator, part: held.part, key: &held.key, replica, genesis: &self.genesis };
        let lies = held.liar.twist(&who, wish, &mut self.chance);
        for lie in lies {
            self.carry(node, life, lie.wish, lie.side);
        }
        Ok(())
    }

    fn carry(&mut self, node: usize, life: u64, wish: Wish, side: Option<u64>) {
        match wish {
            Wish::Timer(number, after) => self.push(ms(after), Event::Timer { node, life, number }),
            Wish::Send(peer, message) => {
                if let Some(to) = self.nodes.iter().position(|node| node.peer == peer) {
                    self.send(node, to, message);
                }
            }
            Wish::Broadcast(message) => {
                for to in (0..self.nodes.len()).filter(|to| *to != node) {
                    let parity = u64::try_from(to).unwrap() % 2;
                    if side.is_none_or(|side| side == parity) {
                        self.send(node, to, message.clone());
                    }
                }
            }
            Wish::Blame(peer) => drop(self.nodes[node].blamed.insert(peer)),
        }
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        if self.groups[from] != self.groups[to] || self.chance.below(1_000) < self.weather.lost {
            return;
        }
        let copies = if self.chance.below(1_000) < self.weather.doubled { 2 } else { 1 };
        for _ in 0..copies {
            let delay = self.chance.between(1, self.weather.delay_ms_max);
            self.push(delay, Event::Deliver { from, to, message: message.clone() });
        }
    }
}

fn engine(genesis: &Arc<Genesis>, node: &Node) -> anyhow::Result<Engine> {
    let (writer, reader) = store::open(&node.home, genesis.clone(), 1 << 20)?;
    let metrics = Arc::new(Metrics::default());
    let agency = format!("agency-{}", node.validator);
    Ok(Engine {
        genesis: Arc::clone(genesis),
        health: Arc::new(Health::new(agency.clone(), true)),
        pool: Pool::new(reader, Arc::clone(&metrics)),
        agency,
        voter: Voter::Validator { key: Box::new(SecretKey::from_dalek(node.key.dalek().clone())), has_just_joined: false },
        network_key: stores::secret(&node.network),
        listen: "/ip4/127.0.0.1/tcp/1".to_owned(),
        detours: Arc::from([]),
        dir: node.home.join("consensus"),
        mark: node.home.join("voted"),
        propose_timeout: Duration::from_millis(500),
        writer,
        misbehaviours: Arc::new(Misbehaviours::open(node.home.join("misbehaviour"))?),
        metrics,
    })
}

fn remove(path: &std::path::Path) {
    let _ = std::fs::remove_file(path);
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}
