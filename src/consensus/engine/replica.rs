//! One node without actors, sockets, threads or time of its own, for simulations: the engine's state machine, driven one
//! input at a time, and our driver, store, pool and signer, which answer it as in a running node.
//!
//! What the engine's actors do around its state machine is done here in the same order:
//! 1. Inputs wait in one queue. While one is processed, the state machine asks by effects; what it asks of the application
//!    is answered by the driver, at once for a round's start, else after the input.
//! 2. Its log (WAL) is written before and flushed before a vote, a proposal or a decision leaves. It is kept in memory
//!    (`Wal`): what was not flushed may be lost in a crash.
//! 3. A signature that is refused ends the session; the next one may only follow, as `engine::standing` says.
//!
//! Peers, delays, crashes and clocks are the caller's; so is value sync's choice of whom to ask (`wants_values`).

mod effects;
mod wal;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use malachite_app::app::config::ConsensusConfig;
use malachite_app::app::consensus::{Error, Input, LivenessMsg, Params, SignedConsensusMsg, State, ThresholdParams, ValuePayload, process};
use malachite_app::app::engine::host::{HeightParams, LocallyProposedValue, Next, ProposedValue};
use malachite_app::app::metrics::Metrics as EngineMetrics;
use malachite_app::app::types::PeerId;
use malachite_app::app::types::codec::Codec;
use malachite_app::app::types::core::{LinearTimeouts, Timeout, ValueOrigin, ValueResponse as SyncedValue};
use malachite_app::app::types::streaming::StreamMessage;
use malachite_app::app::types::sync::{RawDecidedValue, Request, Response, Status};
use malachite_app::{AppMsg, NetworkMsg};
use malachite_sync::{ValueRequest, ValueResponse};
use tokio::sync::{mpsc, oneshot, watch};

use self::effects::Ask;
pub use self::wal::Wal;
pub use super::body::Body;
pub use super::context::{Address, Height, Init, Ledger, Part, Proposal, Vote};
pub use super::signing::{text_of_proposal, text_of_vote};
pub use super::streams::{Assembled, parts as stream_parts};

use super::codec::Wire;
use super::driver::{Driver, End, Shared};
use super::start::{self, NOBODY, Outlets, Plan, Standing};
use super::{Engine, standing};
use crate::consensus::misbehaviours::Misbehaviours;
use crate::consensus::pool::{Pool, Source};
use crate::consensus::roster::roster;
use crate::core::hash::Hash;
use crate::core::refusal::Refusal;
use crate::limits::{ENGINE_QUEUED_HEIGHTS_MAX, SYNC_HEIGHTS_MAX};
use crate::store::Reader;

/// More parts than a proposal of a simulation has.
const PARTS_WAITING_MAX: usize = 1024;

/// What nodes send each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Consensus(SignedConsensusMsg<Ledger>),
    Liveness(LivenessMsg<Ledger>),
    Part(StreamMessage<Part>),
    Status(Status<Ledger>),
    Request(Request<Ledger>),
    Response(Response<Ledger>),
    /// A record's note.
    Record(Vec<u8>),
}

/// What a replica wants done.
#[derive(Clone, Debug)]
pub enum Wish {
    Broadcast(Message),
    Send(PeerId, Message),
    /// Call [`Replica::timer`] with this number after this time.
    Timer(u64, Duration),
    /// This peer's answer to a request for values does not hold.
    Blame(PeerId),
}

/// When a node crashes: after so many steps, each of which is an effect of the state machine or an answer to it.
#[derive(Clone, Debug)]
pub struct Fuse {
    pub steps: u64,
    /// In the middle of the step, with its writes on the way; else in front of it.
    pub is_torn: bool,
    /// Where the files lie that a step may write.
    pub folders: Vec<PathBuf>,
}

/// Files with their content, ascending by path.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Why a replica does not go on.
#[derive(Debug)]
pub enum Halt {
    /// Its fuse burnt down.
    Crashed,
    /// Its session is to be started again.
    Again(&'static str),
    /// What ends a real node.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Halt::Failed(error)
    }
}

/// A node in the middle of a session.
pub struct Replica {
    core: Option<State<Ledger>>,
    metrics: EngineMetrics,
    hull: Hull,
}

/// All but the state machine.
struct Hull {
    plan: Plan,
    shared: Arc<Shared>,
    driver: Option<Driver>,
    standing: Standing,
    parts: mpsc::Receiver<NetworkMsg<Ledger>>,
    outlets: Outlets,
    wal: Wal,
    is_recovering: bool,
    is_validator: bool,
    timeouts: LinearTimeouts,
    timers: Vec<(Timeout, u64)>,
    timers_set: u64,
    inputs: VecDeque<Input<Ledger>>,
    /// What the state machine asked the application for, not answered yet.
    asks: VecDeque<Ask>,
    value: Option<oneshot::Receiver<LocallyProposedValue<Ledger>>>,
    next: Option<oneshot::Receiver<Next<Ledger>>>,
    wishes: Vec<Wish>,
    fuse: Option<Fuse>,
    /// What lay in the files before the step that a crash tears, and how many wishes there were.
    torn: Option<(Files, usize)>,
    sessions: u64,
}

impl Replica {
    /// Opens the node's files, as a process that starts; `wal` is what the crash left of the last one's.
    ///
    /// # Errors
    /// What keeps a real node from starting.
    pub fn open(engine: Engine, wal: Wal, sessions: u64) -> anyhow::Result<Self> {
        let (plan, shared) = engine.prepare()?;
        let (sender, parts) = mpsc::channel(PARTS_WAITING_MAX);
        let outlets = Outlets { parts: sender, peers: watch::Sender::new(BTreeSet::new()) };
        let hull = Hull {
            plan,
            shared,
            driver: None,
            standing: Standing::Follows,
            parts,
            outlets,
            wal,
            is_recovering: false,
            is_validator: false,
            timeouts: LinearTimeouts::default(),
            timers: Vec::new(),
            timers_set: 0,
            inputs: VecDeque::new(),
            asks: VecDeque::new(),
            value: None,
            next: None,
            wishes: Vec::new(),
            fuse: None,
            torn: None,
            sessions,
        };
        Ok(Replica { core: None, metrics: EngineMetrics::new(), hull })
    }

    /// Starts the next session, as the engine starts.
    ///
    /// # Errors
    /// [`Halt`].
    pub fn start(&mut self) -> Result<(), Halt> {
        let hull = &mut self.hull;
        self.core = None;
        self.metrics = EngineMetrics::new();
        hull.sessions += 1;
        hull.standing = standing(&hull.shared);
        hull.wal.open();
        hull.timers.clear();
        hull.inputs.clear();
        hull.asks.clear();
        (hull.value, hull.next) = (None, None);
        while hull.parts.try_recv().is_ok() {}
        let roster = roster(&hull.shared.reader, &hull.plan.own, &[]);
        hull.shared.heard.listen_to(start::validators(&roster));
        let name = format!("{} {}", hull.plan.own, hull.sessions);
        let number = Hash::of(name.as_bytes()).as_bytes()[..16].try_into().expect("a hash has 32 bytes");
        let driver = Driver::new(Arc::clone(&hull.shared), hull.standing, (hull.plan.own.clone(), roster), hull.outlets.clone(), number);
        hull.driver = Some(at_once(driver)?);
        let (height, params) = hull.answered(|reply| AppMsg::ConsensusReady { reply })?;
        self.start_height(height, params)?;
        self.settle()
    }

    /// Takes a message of a peer, through the codec.
    ///
    /// # Errors
    /// [`Halt`].
    pub fn receive(&mut self, from: PeerId, message: Message) -> Result<(), Halt> {
        let wire = Wire::new(Arc::clone(&self.hull.plan.heard));
        match message {
            Message::Consensus(message) => {
                let message: SignedConsensusMsg<Ledger> = through(&wire, &message)?;
                self.hull.driver()?.note_vote(&message);
                self.hull.inputs.push_back(match message {
                    SignedConsensusMsg::Vote(vote) => Input::Vote(vote),
                    SignedConsensusMsg::Proposal(proposal) => Input::Proposal(proposal),
                });
            }
            Message::Liveness(message) => {
                let message: LivenessMsg<Ledger> = through(&wire, &message)?;
                self.hull.inputs.push_back(match message {
                    LivenessMsg::Vote(vote) => Input::Vote(vote),
                    LivenessMsg::PolkaCertificate(certificate) => Input::PolkaCertificate(certificate),
                    LivenessMsg::SkipRoundCertificate(certificate) => Input::RoundCertificate(certificate),
                });
            }
            Message::Part(part) => self.hull.asks.push_back(Ask::Part(from, through(&wire, &part)?)),
            Message::Status(status) => {
                through::<Status<Ledger>>(&wire, &status)?;
            }
            Message::Request(request) => {
                let Request::ValueRequest(ValueRequest { range }) = through(&wire, &request)?;
                let start = *range.start();
                let values = self.hull.answered(|reply| AppMsg::GetDecidedValues { range, reply })?;
                let response = Response::ValueResponse(ValueResponse::new(start, values));
                self.hull.wishes.push(Wish::Send(from, Message::Response(response)));
            }
            Message::Response(response) => {
                let Response::ValueResponse(response) = through(&wire, &response)?;
                let value =
                    |value: RawDecidedValue<Ledger>| Input::SyncValueResponse(SyncedValue::new(from, value.value_bytes, value.certificate));
                self.hull.inputs.extend(response.values.into_iter().map(value));
            }
            // A refusal is the sender's matter.
            Message::Record(note) => drop(self.hull.shared.pool.submit(&note, Source::Peer)),
        }
        self.settle()
    }

    /// Takes a record of a client, to be spread.
    ///
    /// # Errors
    /// [`Halt`]; inside, the refusal.
    pub fn submit(&mut self, note: &[u8]) -> Result<Result<(), Refusal>, Halt> {
        let taken = self.hull.shared.pool.submit(note, Source::Client).map(|_| ());
        if taken.is_ok() {
            self.hull.wishes.push(Wish::Broadcast(Message::Record(note.to_vec())));
        }
        self.settle().map(|()| taken)
    }

    /// A timer that was wished for is over.
    ///
    /// # Errors
    /// [`Halt`].
    pub fn timer(&mut self, number: u64) -> Result<(), Halt> {
        if let Some(index) = self.hull.timers.iter().position(|(_, set)| *set == number) {
            let (timeout, _) = self.hull.timers.remove(index);
            self.hull.inputs.push_back(Input::TimeoutElapsed(timeout));
        }
        self.settle()
    }

    /// The driver's regular look around.
    ///
    /// # Errors
    /// [`Halt`].
    pub fn tick(&mut self) -> Result<(), Halt> {
        if let Some(End::Again(reason)) = at_once(self.hull.driver()?.tick())? {
            return Err(Halt::Again(reason));
        }
        self.settle()
    }

    /// Says to all how far this node is, and what it still spreads.
    pub fn tell_status(&mut self) {
        let tip_height = Height(self.hull.shared.reader.head().height);
        let status = Status { peer_id: self.peer(), tip_height, history_min_height: Height(1) };
        self.hull.wishes.push(Wish::Broadcast(Message::Status(status)));
        let (records, _) = self.hull.shared.pool.to_spread(None);
        self.hull.wishes.extend(records.iter().map(|record| Wish::Broadcast(Message::Record(record.leaf().to_vec()))));
    }

    /// The request for values that a peer at `height` can answer, if this node lacks any.
    pub fn wants_values(&self, height: u64) -> Option<Message> {
        let from = self.hull.shared.reader.head().height + 1;
        let to = height.min(from + u64::try_from(SYNC_HEIGHTS_MAX).expect("a small number") - 1);
        (from <= to).then(|| Message::Request(Request::ValueRequest(ValueRequest::new(Height(from)..=Height(to)))))
    }

    /// What is to be done since the last call, in order.
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.hull.wishes)
    }

    /// Lets the node crash later.
    pub fn set_fuse(&mut self, fuse: Fuse) {
        self.hull.fuse = Some(fuse);
    }

    /// The process is killed. Gives its log, and of a torn step what lay in its files before.
    pub fn kill(self) -> (Wal, Option<Files>) {
        (self.hull.wal, self.hull.torn.map(|(files, _)| files))
    }

    pub fn peer(&self) -> PeerId {
        self.hull.plan.own.parse().expect("the own peer id")
    }

    pub fn reader(&self) -> &Reader {
        &self.hull.shared.reader
    }

    pub fn pool(&self) -> &Arc<Pool> {
        &self.hull.shared.pool
    }

    pub fn misbehaviours(&self) -> &Arc<Misbehaviours> {
        &self.hull.shared.misbehaviours
    }

    pub fn votes(&self) -> bool {
        self.hull.standing == Standing::Votes
    }

    /// Where the state machine stands, for the trace of a simulation.
    pub fn place(&self) -> String {
        self.core.as_ref().map_or_else(String::new, |core| format!("{}/{}", core.height(), core.round()))
    }

    /// Works until nothing waits.
    fn settle(&mut self) -> Result<(), Halt> {
        loop {
            self.hull.look()?;
            if let Some(input) = self.hull.inputs.pop_front() {
                self.process(input)?;
            } else if let Some(ask) = self.hull.asks.pop_front() {
                self.hull.answer(ask)?;
            } else if let Some(Next::Start(height, params) | Next::Restart(height, params)) = received(&mut self.hull.next) {
                self.start_height(height, params)?;
            } else {
                return if self.hull.torn.is_some() { self.hull.step() } else { Ok(()) };
            }
        }
    }

    fn start_height(&mut self, height: Height, params: HeightParams<Ledger>) -> Result<(), Halt> {
        let hull = &mut self.hull;
        let address = hull.plan.signer.as_ref().map_or(NOBODY, |signer| Address::from(&signer.public()));
        let is_enabled = hull.standing == Standing::Votes;
        hull.is_validator = is_enabled && params.validator_set.by_address(&address).is_some();
        hull.timeouts = params.timeouts;
        self.core.get_or_insert_with(|| {
            let threshold_params = ThresholdParams::default();
            let machine = Params { address, threshold_params, value_payload: ValuePayload::ProposalAndParts, enabled: is_enabled };
            let per_height = ConsensusConfig::default().queue_per_height_capacity;
            State::new(Ledger, height, params.validator_set.clone(), machine, ENGINE_QUEUED_HEIGHTS_MAX, per_height)
        });
        let entries = if hull.is_validator { hull.wal.started_height(height) } else { hull.wal.reset(height) };
        self.process(Input::StartHeight(height, params.validator_set, false, params.target_time, params.vote_extension_policy))?;
        if entries.is_empty() {
            return Ok(());
        }
        let core = self.core.as_mut().expect("it was made above");
        core.record_recovered_own_precommit_extensions(&entries);
        core.index_wal_entries(&entries);
        self.hull.is_recovering = true;
        let replayed = entries.into_iter().try_for_each(|entry| self.process(entry));
        self.hull.is_recovering = false;
        replayed?;
        self.core.as_mut().expect("it was made above").reset_entries_index();
        Ok(())
    }

    fn process(&mut self, input: Input<Ledger>) -> Result<(), Halt> {
        let Replica { core: Some(core), metrics, hull } = self else {
            return Ok(());
        };
        let processed: Result<(), Error<Ledger>> = process!(
            input: input,
            state: core,
            metrics: &*metrics,
            with: effect => hull.effect(effect)?
        );
        match processed {
            Ok(()) => Ok(()),
            Err(_) if hull.plan.signer.as_ref().is_some_and(super::signing::Signer::has_refused) => {
                Err(Halt::Again("it refused to contradict itself"))
            }
            Err(error) => Err(Halt::Failed(anyhow::anyhow!("the engine's state machine: {error}"))),
        }
    }
}

impl Hull {
    fn driver(&mut self) -> Result<&mut Driver, Halt> {
        self.driver.as_mut().ok_or_else(|| Halt::Failed(anyhow::anyhow!("no session was started")))
    }

    /// What the driver does after each event: a block for which a record came, a height that may start, its parts.
    fn look(&mut self) -> Result<(), Halt> {
        at_once(self.driver()?.try_propose())?;
        self.driver()?.try_gate();
        while let Ok(NetworkMsg::PublishProposalPart(part)) = self.parts.try_recv() {
            self.wishes.push(Wish::Broadcast(Message::Part(part)));
        }
        if let Some(value) = received(&mut self.value) {
            self.inputs.push_back(Input::Propose(value));
        }
        Ok(())
    }

    /// The driver's answer to a message, which it gives before it returns.
    fn answered<T>(&mut self, message: impl FnOnce(oneshot::Sender<T>) -> AppMsg<Ledger>) -> Result<T, Halt> {
        let (reply, mut answer) = oneshot::channel();
        at_once(self.driver()?.answer(message(reply)))?;
        answer.try_recv().map_err(|_| Halt::Failed(anyhow::anyhow!("the driver gave no answer")))
    }

    fn propose(&mut self, value: ProposedValue<Ledger>, origin: ValueOrigin) {
        self.inputs.push_back(Input::ProposedValue(value, origin));
    }

    /// Burns the fuse: a node crashes in front of a step, or in the middle of it, and then nothing of it leaves.
    fn step(&mut self) -> Result<(), Halt> {
        if let Some((_, wishes)) = &self.torn {
            self.wishes.truncate(*wishes);
            return Err(Halt::Crashed);
        }
        match &mut self.fuse {
            Some(Fuse { steps: 0, is_torn: false, .. }) => return Err(Halt::Crashed),
            Some(Fuse { steps: 0, folders, .. }) => {
                let files = files_in(folders).map_err(anyhow::Error::from)?;
                self.torn = Some((files, self.wishes.len()));
            }
            Some(fuse) => fuse.steps -= 1,
            None => {}
        }
        Ok(())
    }
}

fn files_in(folders: &[PathBuf]) -> std::io::Result<Files> {
    let mut files = Files::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_file() {
                let bytes = std::fs::read(&path)?;
                files.insert(path, bytes);
            }
        }
    }
    Ok(files)
}

/// What came, if it did; a sender that is gone is forgotten.
fn received<T>(receiver: &mut Option<oneshot::Receiver<T>>) -> Option<T> {
    let outcome = receiver.as_mut()?.try_recv();
    if !matches!(outcome, Err(oneshot::error::TryRecvError::Empty)) {
        *receiver = None;
    }
    outcome.ok()
}

/// The outcome of work that waits for nothing in a simulation.
fn at_once<T>(work: impl Future<Output = anyhow::Result<T>>) -> Result<T, Halt> {
    work.now_or_never().ok_or_else(|| Halt::Failed(anyhow::anyhow!("the driver waits for something")))?.map_err(Halt::Failed)
}

/// A message as it arrives.
fn through<T>(wire: &Wire, message: &T) -> anyhow::Result<T>
where
    Wire: Codec<T>,
    <Wire as Codec<T>>::Error: std::error::Error + Send + Sync + 'static,
{
    Ok(wire.decode(wire.encode(message)?)?)
}
