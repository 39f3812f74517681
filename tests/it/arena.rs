//! Four validators behind links that fail, with clocks that can be set wrong: faults as data, and that each took effect.
//!
//! A fault that shows no effect makes the run void, which fails it.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sharelog::core::json::Value;
use sharelog::node::local::LocalNetwork;

use super::links::{Condition, LAST_BYTES, Links, Passage};
use super::network::{FAULTY_BINARY, TestNetwork};

pub const NODES: usize = 4;
/// A network that is whole again decides within this time.
pub const PROGRESS: Duration = Duration::from_secs(10);

/// A part with a quorum decides within this time: a few rounds, on a machine that does other things too.
const GOES_ON: Duration = Duration::from_secs(30);

/// One change to the network; each lasts until another one takes it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Kill(Vec<usize>),
    Start(Vec<usize>),
    /// SIGSTOP.
    Pause(Vec<usize>),
    /// SIGCONT.
    Resume(Vec<usize>),
    /// The traffic of these directions is so from now on, all other as it should be.
    Links(Vec<(usize, usize)>, Condition),
    /// All connections that carry traffic in these directions are dead, and nobody is told.
    Forget(Vec<(usize, usize)>),
    /// A node's clock is wrong by so many milliseconds.
    Clock(usize, i64),
}

/// The network under test.
pub struct Arena {
    pub network: TestNetwork,
    pub links: Links,
    /// Directions that carry nothing, and what they had carried when they fell silent.
    silent: Vec<(usize, usize, u64)>,
    clocks: Vec<i64>,
    pub faults: usize,
}

impl AsMut<TestNetwork> for Arena {
    fn as_mut(&mut self) -> &mut TestNetwork {
        &mut self.network
    }
}

impl Arena {
    /// Four validators, ready, that speak with each other through the links alone.
    pub fn start(seed: u64) -> Self {
        Arena::start_with(seed, &[])
    }

    /// The same, with more environment for the nodes.
    pub fn start_with(seed: u64, environment: &[(&str, &str)]) -> Self {
        let mut network = TestNetwork::init_with(u16::try_from(NODES).unwrap(), FAULTY_BINARY);
        network.net.environment.extend(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let links = Links::between(&network, seed);
        for node in &mut network.net.nodes {
            let fault = format!("clock={}", node.home.join("clock").display());
            node.environment.push(("SHARELOG_FAULT".to_owned(), fault));
        }
        network.net.start_all().unwrap();
        network.all_ready();
        let arena = Arena { network, links, silent: Vec::new(), clocks: vec![0; NODES], faults: 0 };
        for (from, to) in directions() {
            assert!(arena.links.carried(from, to) > 0, "void: nothing went from {from} to {to} through the links");
        }
        arena
    }

    pub fn net(&mut self) -> &mut LocalNetwork {
        &mut self.network.net
    }

    /// Works a fault and asserts that it took effect.
    pub fn work(&mut self, fault: &Fault) {
        self.faults += 1;
        match fault {
            Fault::Kill(nodes) => {
                nodes.iter().for_each(|&node| self.net().kill(node));
                let answers = nodes.iter().any(|&node| self.net().get(node, "/livez").is_ok());
                assert!(!answers, "void: {fault:?}, and one answers");
            }
            Fault::Start(nodes) => nodes.iter().for_each(|&node| self.net().start(node).unwrap()),
            Fault::Pause(nodes) => self.signal(nodes, Signal::STOP),
            Fault::Resume(nodes) => self.signal(nodes, Signal::CONT),
            Fault::Links(directions, condition) => self.set_links(directions, *condition),
            Fault::Forget(directions) => self.forget(directions),
            Fault::Clock(node, offset_ms) => self.set_clock(*node, *offset_ms),
        }
    }

    fn signal(&mut self, nodes: &[usize], signal: Signal) {
        for &node in nodes {
            let pid = self.net().pid(node).unwrap();
            kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
            let stops = signal == Signal::STOP;
            let what = format!("node {node}: {signal:?} took effect");
            self.net().wait_until(&what, Duration::from_secs(5), |_| is_stopped(pid) == stops).unwrap();
        }
    }

    fn set_links(&mut self, directions: &[(usize, usize)], condition: Condition) {
        self.check_silence();
        for (from, to) in self::directions() {
            self.links.set(from, to, if directions.contains(&(from, to)) { condition } else { Condition::default() });
        }
        if condition.passage != Passage::Open && !directions.is_empty() {
            std::thread::sleep(LAST_BYTES);
            let links = &self.links;
            self.silent = directions.iter().map(|&(from, to)| (from, to, links.carried(from, to))).collect();
        }
    }

    fn forget(&mut self, directions: &[(usize, usize)]) {
        directions.iter().for_each(|&(from, to)| self.links.forget(from, to));
        std::thread::sleep(LAST_BYTES);
        let carried = |links: &Links| directions.iter().map(|&(from, to)| links.carried(from, to)).collect::<Vec<_>>();
        let before = carried(&self.links);
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(carried(&self.links), before, "void: forgotten connections carry");
    }

    /// Asserts that no byte went where nothing may go.
    pub fn check_silence(&mut self) {
        for (from, to, carried) in self.silent.drain(..) {
            assert_eq!(self.links.carried(from, to), carried, "void: bytes went from {from} to {to}");
        }
    }

    fn set_clock(&mut self, node: usize, offset_ms: i64) {
        let file = self.clock_file(node);
        // Replaced as a whole: the node never reads half a number.
        std::fs::write(file.with_extension("new"), offset_ms.to_string()).unwrap();
        std::fs::rename(file.with_extension("new"), &file).unwrap();
        self.clocks[node] = offset_ms;
    }

    fn clock_file(&self, node: usize) -> PathBuf {
        self.network.net.nodes[node].home.join("clock")
    }

    /// Asserts that a node's clock shows its offset: the age of the newest block, by its own clock, under load.
    pub fn check_clock(&mut self, node: usize) {
        let offset_ms = self.clocks[node];
        let shows = |net: &mut LocalNetwork| {
            let ages: Vec<_> = (0..5).filter_map(|_| metric(net, node, "sharelog_head_age_ms")).collect();
            // A block may be a few seconds old, and never older than zero for a clock that lags.
            ages.len() == 5 && ages.iter().all(|age| if offset_ms > 0 { *age >= offset_ms - 500 } else { *age == 0 })
        };
        let what = format!("the clock of node {node} is wrong by {offset_ms} ms, or void");
        self.net().wait_until(&what, Duration::from_secs(10), shows).unwrap();
    }

    /// Takes all faults back: links, clocks, stopped and killed processes; returns at once.
    pub fn heal(&mut self) {
        self.set_links(&[], Condition::default());
        (0..NODES).filter(|&node| self.clocks[node] != 0).collect::<Vec<_>>().into_iter().for_each(|node| self.set_clock(node, 0));
        for node in 0..NODES {
            match self.net().pid(node) {
                Some(pid) if is_stopped(pid) => self.signal(&[node], Signal::CONT),
                Some(_) => {}
                None => self.net().start(node).unwrap(),
            }
        }
    }

    /// Heals and asserts that the network decides, and that every node holds what was decided, within [`PROGRESS`] each; tells the
    /// times. Needs a load.
    pub fn heals_in_time(&mut self, after: &str) {
        self.heals_within(PROGRESS, after);
    }

    /// The same with another limit.
    pub fn heals_within(&mut self, limit: Duration, after: &str) {
        let height = self.height();
        self.heal();
        let since = Instant::now();
        let decides = |net: &mut LocalNetwork| (0..NODES).any(|node| net.head(node).is_ok_and(|head| head.0 > height + 1));
        let follow = |net: &mut LocalNetwork| (0..NODES).all(|node| net.head(node).is_ok_and(|head| head.0 > height + 1));
        let outcome = self.net().wait_until(&format!("progress after {after}"), limit, decides);
        let outcome = outcome.and_then(|first| {
            let all = self.net().wait_until(&format!("all nodes with the others after {after}"), limit, follow);
            all.map(|_| {
                println!("{after}: progress {} ms after healing, all nodes after {} ms", first.as_millis(), since.elapsed().as_millis())
            })
        });
        self.expect(outcome);
    }

    /// Fails with what the nodes say, where what was waited for did not come.
    fn expect<T, E: Display>(&self, outcome: Result<T, E>) {
        if let Err(error) = outcome {
            let says = |node: usize| format!("node {node}, head {:?}:\n{}", self.network.net.head(node).ok(), self.network.log_tail(node));
            let answering = (0..NODES).filter(|&node| self.answers(node));
            panic!("{error}\n{}", answering.map(says).collect::<Vec<_>>().join("\n---\n"));
        }
    }

    /// The highest head of those that answer.
    pub fn height(&self) -> u64 {
        (0..NODES).filter(|&node| self.answers(node)).filter_map(|node| self.network.net.head(node).ok()).max().unwrap_or((0, 0)).0
    }

    fn block(&self, node: usize, height: u64) -> Value {
        self.network.net.ask(node, &format!("/api/v1/blocks/{height}")).unwrap()
    }

    /// The node that built the block of a height.
    pub fn proposer(&self, height: u64) -> usize {
        let block = self.block(0, height);
        let agency = block.get("proposer").and_then(Value::as_str).unwrap();
        self.network.net.nodes.iter().position(|node| node.agency == agency).unwrap()
    }

    /// The round in which a height was decided.
    pub fn round(&self, node: usize, height: u64) -> u64 {
        let block = self.block(node, height);
        block.get("certificate").and_then(|certificate| certificate.get("round")).and_then(Value::as_u64).unwrap()
    }

    fn answers(&self, node: usize) -> bool {
        self.network.net.pid(node).is_some_and(|pid| !is_stopped(pid))
    }

    /// Asserts that nothing is decided for a while. What was on its way is decided before.
    pub fn halts_for(&mut self, time: Duration, why: &str) {
        std::thread::sleep(Duration::from_secs(1));
        let before = self.height();
        std::thread::sleep(time);
        assert_eq!(self.height(), before, "decided although {why}");
    }

    /// Asserts that the network decides, as seen at these nodes.
    pub fn goes_on_at(&mut self, nodes: &[usize], why: &str) {
        let before = self.height();
        let follow = |net: &mut LocalNetwork| nodes.iter().all(|&node| net.head(node).is_ok_and(|head| head.0 > before + 1));
        let outcome = self.net().wait_until(&format!("progress while {why}"), GOES_ON, follow);
        self.expect(outcome);
    }
}

/// All ordered pairs of nodes.
pub fn directions() -> impl Iterator<Item = (usize, usize)> {
    (0..NODES).flat_map(|from| (0..NODES).filter(move |to| *to != from).map(move |to| (from, to)))
}

/// Both directions between nodes of different groups.
pub fn between(groups: &[&[usize]]) -> Vec<(usize, usize)> {
    let group = |node: usize| groups.iter().position(|group| group.contains(&node));
    directions().filter(|&(from, to)| group(from) != group(to)).collect()
}

/// Both directions of these pairs.
pub fn both_ways(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).collect()
}

pub fn metric(net: &LocalNetwork, node: usize, name: &str) -> Option<i64> {
    let (_, body) = net.get(node, "/metrics").ok()?;
    let text = String::from_utf8(body).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Whether a process is stopped by a signal.
fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}
