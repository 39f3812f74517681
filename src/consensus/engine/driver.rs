//! The driver: answers the engine's messages, one after the other, in the order in which they come.
//!
//! One file per group of messages: `start` (ConsensusReady, StartedRound, Finalized), `propose` (GetValue, RestreamProposal),
//! `receive` (ReceivedProposalPart), `decide` (Decided), `sync` (ProcessSyncedValue, GetDecidedValues, GetHistoryMinHeight).
//! Signatures, execution and disk work run on blocking threads, and the driver waits for them: nothing overtakes.

mod accuse;
mod blocks;
mod decide;
mod execute;
mod propose;
mod receive;
mod start;
mod sync;
mod watch;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use malachite_app::AppMsg;
use malachite_app::app::consensus::{SignedConsensusMsg, VoteExtensionError};
use malachite_app::app::engine::util::events::Event;
use malachite_app::app::types::PeerId;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::blocks::Blocks;
use self::propose::Asked;
use self::watch::Watch;
use super::body;
use super::context::{Address, Ledger, Members, Vote};
use super::gate::{Gate, View};
use super::heard::Heard;
use super::level::Level;
use super::order;
use super::signing::{Checker, Signer};
use super::start::{NOBODY, Outlets, Session, Standing, addresses, validators};
use super::streams::{Assembled, Streams};
use super::undecided::Undecided;
use crate::consensus::clock::{self, Clock};
use crate::consensus::misbehaviours::Misbehaviours;
use crate::consensus::pool::Pool;
use crate::consensus::roster::{Detour, Peer, roster};
use crate::core::genesis::Genesis;
use crate::core::limits::VALIDATORS_MAX;
use crate::core::policy::Policy;
use crate::core::rules;
use crate::core::validators::ValidatorSet;
use crate::health::Health;
use crate::limits::DRIVER_TICK;
use crate::metrics::Metrics;
use crate::store::{Head, Reader, Writer};

/// What outlives a session of the engine.
pub struct Shared {
    pub genesis: Arc<Genesis>,
    pub agency: String,
    pub detours: Arc<[Detour]>,
    pub propose_timeout: Duration,
    pub reader: Reader,
    /// Locked by blocking threads alone.
    pub writer: Mutex<Writer>,
    /// Locked by blocking threads alone.
    pub undecided: Mutex<Undecided>,
    pub pool: Arc<Pool>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    pub checker: Checker,
    /// `None` for a follower.
    pub signer: Option<Signer>,
    /// Whether the signer may sign.
    pub level: Arc<Level>,
    pub heard: Arc<Heard>,
    pub misbehaviours: Arc<Misbehaviours>,
}

/// Why a session ended.
pub enum End {
    Stopped,
    /// The engine is to be started again, for this reason.
    Again(&'static str),
}

/// The height that is being decided, or comes next.
struct Upcoming {
    height: u64,
    /// The block below it.
    head: Arc<Head>,
    set: ValidatorSet,
    members: Members,
    policy: Arc<Policy>,
    /// When that block came, or this session began.
    since: Instant,
}

/// One session with the engine.
pub struct Driver {
    shared: Arc<Shared>,
    outlets: Outlets,
    standing: Standing,
    /// Of the own consensus key; [`NOBODY`] for a follower.
    address: Address,
    /// The own peer id, and who may connect.
    own: String,
    roster: Vec<Peer>,
    next: Upcoming,
    /// The newest round that started at it.
    round: u32,
    /// The set of the newest block's height, if it came in this session.
    decided: Option<Members>,
    /// Proposers of the newest blocks, oldest first.
    built: VecDeque<String>,
    streams: Streams,
    /// Whole proposals of heights above the next one.
    later: VecDeque<(PeerId, Assembled)>,
    blocks: Blocks,
    /// What the engine waits for.
    asked: Option<Asked>,
    gate: Gate,
    watch: Watch,
    /// Part of the ids of own streams: a number of this session, and a count.
    stream: ([u8; 16], u64),
}

impl Driver {
    /// Answers the engine until the session ends.
    ///
    /// # Errors
    /// A store that failed, an engine that ended.
    pub async fn run(
        shared: Arc<Shared>,
        session: &mut Session,
        standing: Standing,
        known: (String, Vec<Peer>),
        stop: &CancellationToken,
    ) -> anyhow::Result<End> {
        let mut number = [0; 16];
        getrandom::fill(&mut number).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let mut driver = Driver::new(shared, standing, known, session.outlets.clone(), number).await?;
        driver.work(session, stop).await
    }

    /// Stands at the height above the store's; speaks with the engine over `outlets`, and names its streams after
    /// `number`, which no other session has.
    pub(super) async fn new(
        shared: Arc<Shared>,
        standing: Standing,
        (own, roster): (String, Vec<Peer>),
        outlets: Outlets,
        number: [u8; 16],
    ) -> anyhow::Result<Self> {
        let loading = Arc::clone(&shared);
        let (built, next) = blocking(move || load(&loading)).await??;
        Ok(Driver {
            address: shared.signer.as_ref().map_or(NOBODY, |signer| Address::from(&signer.public())),
            own,
            roster,
            streams: Streams::new(body::bytes_max(&next.policy)),
            later: VecDeque::new(),
            blocks: Blocks::default(),
            asked: None,
            gate: Gate::default(),
            watch: Watch::new(),
            stream: (number, 0),
            shared,
            outlets,
            standing,
            round: 0,
            decided: None,
            next,
            built,
        })
    }

    async fn work(&mut self, session: &mut Session, stop: &CancellationToken) -> anyhow::Result<End> {
        let mut events = session.channels.events.subscribe();
        let mut arrivals = self.shared.pool.arrivals();
        let mut tick = tokio::time::interval(DRIVER_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(End::Stopped),
                message = session.channels.consensus.recv() => match message {
                    Some(message) => self.answer(message).await?,
                    None if self.shared.signer.as_ref().is_some_and(Signer::has_refused) => return Ok(End::Again("it refused to sign")),
                    None => anyhow::bail!("the engine ended"),
                },
                event = events.recv() => match event {
                    Ok(Event::Received(message)) => self.note_vote(&message),
                    Ok(Event::Published(SignedConsensusMsg::Vote(vote))) => tell_nil(&vote.message),
                    Ok(_) | Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => anyhow::bail!("the engine ended"),
                },
                arrived = arrivals.changed() => {
                    arrived.context("the pool ended")?;
                    self.try_propose().await?;
                }
                () = until(self.asked.as_ref().map(|asked| asked.again)) => self.try_propose().await?,
                _ = tick.tick() => {
                    if let Some(end) = self.tick().await? {
                        return Ok(end);
                    }
                }
            }
            self.try_gate();
        }
    }

    /// Looks around, every [`DRIVER_TICK`]; gives a reason to end the session, if there is one.
    pub(super) async fn tick(&mut self) -> anyhow::Result<Option<End>> {
        Ok(self.look_after_signer().await?.or_else(|| self.look_around()))
    }

    pub(super) async fn answer(&mut self, message: AppMsg<Ledger>) -> anyhow::Result<()> {
        match message {
            AppMsg::ConsensusReady { reply } => self.consensus_ready(reply).await?,
            AppMsg::StartedRound { height, round, reply_value, .. } => self.started_round(height, round, reply_value).await?,
            AppMsg::GetValue { height, round, timeout, reply } => self.get_value(height, round, timeout, reply).await?,
            AppMsg::RestreamProposal { height, round, valid_round, address, value_id } => {
                self.restream(height, round, valid_round, address, value_id).await?;
            }
            AppMsg::ReceivedProposalPart { from, published_by, part, reply } => {
                let value = self.received_part(published_by.unwrap_or(from), part).await?;
                reply_with(reply, value);
            }
            AppMsg::Decided { certificate, reply, .. } => {
                self.decided(certificate).await?;
                reply_with(reply, ());
            }
            AppMsg::Finalized { evidence, reply, .. } => {
                self.accuse(&evidence).await?;
                self.gate.hold(reply);
            }
            AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply } => {
                let outcome = self.synced_value(height, round, proposer, value_bytes).await?;
                reply_with(reply, outcome);
            }
            AppMsg::GetDecidedValues { range, reply } => reply_with(reply, self.decided_values(range).await?),
            AppMsg::GetHistoryMinHeight { reply } => reply_with(reply, super::context::Height(1)),
            AppMsg::ExtendVote { reply, .. } => reply_with(reply, None),
            AppMsg::VerifyVoteExtensions { extensions, reply, .. } => {
                let refused = |(address, ())| (address, Err(VoteExtensionError::InvalidVoteExtension));
                reply_with(reply, extensions.into_iter().map(refused).collect());
            }
        }
        Ok(())
    }

    /// Notes a vote or proposal above the newest block, if it verifies.
    pub(super) fn note_vote(&mut self, message: &SignedConsensusMsg<Ledger>) {
        let height = message.height().0;
        if height < self.next.height || height <= self.gate.voted() {
            return;
        }
        let checker = &self.shared.checker;
        let is_signed = match message {
            SignedConsensusMsg::Vote(vote) => self
                .next
                .members
                .by_address(&vote.message.voter)
                .is_some_and(|member| checker.is_signed_vote(&vote.message, &vote.signature, &member.key)),
            SignedConsensusMsg::Proposal(proposal) => self
                .next
                .members
                .by_address(&proposal.message.proposer)
                .is_some_and(|member| checker.is_signed_proposal(&proposal.message, &proposal.signature, &member.key)),
        };
        if is_signed {
            self.gate.note_vote(height);
        }
    }

    pub(super) fn try_gate(&mut self) {
        let head = &self.next.head;
        let view = View {
            height: head.height,
            is_record_pending: self.standing == Standing::Follows || self.shared.pool.pending().0 > 0,
            age_ms: Clock::of(&self.next.policy).age_ms(head.time, clock::since(self.next.since)),
            heartbeat_ms: self.next.policy.heartbeat_ms,
            reached: self.shared.heard.reached(),
        };
        if let Some(reply) = self.gate.open(&view) {
            self.start_next(reply);
        }
    }

    /// Moves on to the height above the newest block.
    fn advance(&mut self, proposer: String) {
        self.built.push_back(proposer);
        while self.built.len() > VALIDATORS_MAX {
            self.built.pop_front();
        }
        let decided = std::mem::replace(&mut self.next, upcoming(&self.shared, &self.built));
        self.decided = Some(decided.members);
        self.round = 0;
        self.asked = None;
        self.watch.round_since = None;
        self.blocks = Blocks::default();
        self.streams.set_body_bytes_max(body::bytes_max(&self.next.policy));
        self.streams.start_height(self.next.height);
        self.later.retain(|(_, proposal)| proposal.init.height.0 >= self.next.height);
        self.follow_roster();
    }

    /// Lets those connect whom the ledger names now.
    fn follow_roster(&mut self) {
        let roster = roster(&self.shared.reader, &self.own, &self.shared.detours);
        if roster != self.roster {
            self.shared.heard.listen_to(validators(&roster));
            self.outlets.set_peers(addresses(&roster));
            self.roster = roster;
        }
    }
}

/// An own nil vote is worth a line: this node refused the proposal, or saw none in time.
fn tell_nil(vote: &Vote) {
    if vote.block.is_nil() {
        tracing::info!(height = %vote.height, round = %vote.round, step = ?vote.step, "voted nil");
    }
}

/// The proposers of the newest blocks and the height above them.
fn load(shared: &Shared) -> anyhow::Result<(VecDeque<String>, Upcoming)> {
    let top = shared.reader.head().height;
    let count = u64::try_from(VALIDATORS_MAX).expect("a small number");
    let mut built = VecDeque::new();
    for height in top.saturating_sub(count) + 1..=top {
        let entry = shared.reader.entry(height)?.with_context(|| format!("no entry of height {height}"))?;
        built.push_back(entry.proposer);
    }
    let next = upcoming(shared, &built);
    Ok((built, next))
}

fn upcoming(shared: &Shared, built: &VecDeque<String>) -> Upcoming {
    let head = shared.reader.head();
    let height = head.height + 1;
    let set = rules::validator_set(&shared.reader, height);
    let agencies: Vec<&str> = set.members().iter().map(|member| member.agency.as_str()).collect();
    let order = order::turns(&agencies, built.iter().map(String::as_str), height);
    let members = Members::new(&set, order);
    Upcoming { height, head, set, members, policy: Arc::new(rules::policy(&shared.reader)), since: clock::instant() }
}

/// Waits for `moment`; for ever without one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// Runs blocking work and waits for it; a simulation runs it in place.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    #[cfg(feature = "test-faults")]
    if clock::simulated::is_on() {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.context("a blocking task of the driver")
}

/// Answers the engine; one that no longer waits has moved on or is ending, and its channel says so next.
fn reply_with<T>(reply: malachite_app::Reply<T>, value: T) {
    if reply.send(value).is_err() {
        tracing::debug!("the engine did not wait for an answer");
    }
}
