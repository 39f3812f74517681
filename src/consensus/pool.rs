//! Records on the way: verified, pending, not yet committed.
//!
//! A record is taken in these steps:
//! 1. A leaf that is pending is answered by its hash alone, an id that is committed or pending by that id, before any key
//!    is looked at.
//! 2. The quota of its agency is looked at, so that a flood costs no signature checks.
//! 3. The record is judged at the place after the head: rules and signatures, without any lock. The outcome of each
//!    signature stays with the [`Record`], which blocks hold again later ([`Pool::by_leaf_hash`]).
//! 4. It is kept, unless it came twice or no room is left; when its block was committed meanwhile, it is dropped again.
//!
//! A refusal at submission is an answer and nothing more. A record that was pending and is refused by a later head keeps
//! its refusal for a while. A record that a peer spreads may build on a block that this node has not applied yet: a few of
//! those wait here and are judged again by the next heads ([`Pool::retry_waiting`]), which saves the second until the peer
//! spreads them again.

mod lately;
mod pending;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use tokio::sync::watch;

use crate::consensus::clock::{self, Clock};
use crate::consensus::pool::lately::Lately;
use crate::consensus::pool::pending::Pending;
use crate::core::hash::Hash;
use crate::core::policy::Policy;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::{self, BlockContext};
use crate::core::time::Time;
use crate::limits::{RECHECK_AFTER, RECHECK_RECORDS_MAX, WAITING_KEPT, WAITING_RECORDS_MAX};
use crate::log::merkle;
use crate::metrics::Metrics;
use crate::store::{Head, Reader};

/// Who brought a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A client of this node: the node spreads the record to all validators.
    Client,
    /// A peer, which spreads it itself.
    Peer,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    Pending {
        id: Hash,
    },
    /// Committed earlier, at `position`.
    Committed {
        id: Hash,
        position: u64,
    },
}

/// A record that is not committed.
#[derive(Clone, Debug)]
pub enum Status {
    Pending(Arc<Record>),
    /// Refused at a later head; kept for 10 minutes.
    Refused(Refusal),
}

/// The pool; shared by HTTP, swarm and consensus. All methods are short but those that verify signatures ([`Pool::submit`],
/// [`Pool::retry_waiting`]) or judge many records ([`Pool::recheck`]): call these from a blocking thread.
pub struct Pool {
    reader: Reader,
    metrics: Arc<Metrics>,
    /// Held for a few lines, never while a record is parsed, judged or verified.
    records: Mutex<Records>,
    /// What every record is judged by; read once for each head.
    in_force: Mutex<Option<Arc<InForce>>>,
    arrivals: watch::Sender<u64>,
}

/// What is in force for the block after a height.
struct InForce {
    height: u64,
    policy: Policy,
    /// The rule set.
    rules: u64,
}

#[derive(Default)]
struct Records {
    pending: Pending,
    lately: Lately,
    /// Records of peers that this node's head cannot judge yet, by leaf hash, and since when.
    waiting: HashMap<Hash, (Instant, Arc<Record>)>,
    /// Arrival number up to which pending records were judged again.
    rechecked: u64,
}

impl Records {
    /// A record with these bytes that was seen before: its signatures need no second check.
    fn seen(&self, leaf_hash: &Hash) -> Option<Arc<Record>> {
        self.waiting.get(leaf_hash).map(|(_, record)| record).or_else(|| self.lately.by_leaf_hash(leaf_hash)).cloned()
    }
}

impl Pool {
    pub fn new(reader: Reader, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Pool {
            reader,
            metrics,
            records: Mutex::new(Records::default()),
            in_force: Mutex::new(None),
            arrivals: watch::Sender::new(0),
        })
    }

    /// Parses, checks against the head, verifies (once) and keeps a record.
    ///
    /// # Errors
    /// The codes of statuses 400, 403, 409, 413, `quota`, `pool-full`.
    pub fn submit(&self, leaf: &[u8], source: Source) -> Result<Submitted, Refusal> {
        let outcome = self.take(leaf, source);
        match &outcome {
            Ok(_) => {}
            Err(refusal) if matches!(refusal.code, Code::Quota | Code::PoolFull) => {
                self.metrics.limits_reached.inc();
            }
            Err(_) => {
                self.metrics.records_refused.inc();
            }
        }
        outcome
    }

    /// Parses, verifies and judges a record as [`Pool::submit`] does, and keeps nothing of it; with the time at which it
    /// was judged.
    ///
    /// # Errors
    /// The codes of statuses 400, 403, 409, 413.
    pub fn try_out(&self, leaf: &[u8]) -> Result<(Record, Time), Refusal> {
        let record = Record::parse(leaf, &self.reader.genesis().origin)?;
        let time = self.judge(&record)?;
        Ok((record, time))
    }

    /// The pending or lately seen record with this leaf hash, its signatures already verified.
    pub fn by_leaf_hash(&self, leaf_hash: &Hash) -> Option<Arc<Record>> {
        let records = self.records();
        match records.pending.id_of_leaf(leaf_hash) {
            Some(id) => records.pending.get(&id).cloned(),
            None => records.lately.by_leaf_hash(leaf_hash).cloned(),
        }
    }

    /// Pending records in fair order over agencies, at most `records_max` and `bytes_max` leaf bytes; they stay in the pool.
    pub fn candidates(&self, records_max: usize, bytes_max: usize) -> Vec<Arc<Record>> {
        self.records().pending.candidates(records_max, bytes_max)
    }

    /// Drops what a committed block holds, and what the new head makes too old for any later block.
    pub fn committed(&self, ids: &[Hash]) {
        let (oldest, age_ms_max) = self.oldest_claim();
        let mut records = self.records();
        for id in ids {
            records.lately.pardon(id);
            if let Some(record) = records.pending.remove(id) {
                records.lately.keep(record);
            }
        }
        for id in records.pending.claimed_before(oldest) {
            if let Some(record) = records.pending.remove(&id) {
                let expected = format!("at most {age_ms_max} ms before the block's time");
                records.lately.refuse(id, Refusal::new(Code::AtOutOfRange, record.at.to_string(), expected));
                records.lately.keep(record);
                self.metrics.records_refused.inc();
            }
        }
    }

    /// Drops a record that execution refused; its status says why for 10 minutes.
    pub fn refused(&self, id: &Hash, refusal: Refusal) {
        let mut records = self.records();
        if let Some(record) = records.pending.remove(id) {
            records.lately.keep(record);
            records.lately.refuse(*id, refusal);
            self.metrics.records_refused.inc();
        }
    }

    /// Pending records that this node spreads: those its clients brought, oldest first. With `since`, only those that
    /// arrived after that count of [`Pool::arrivals`]; gives the count up to which the answer speaks.
    pub fn to_spread(&self, since: Option<u64>) -> (Vec<Arc<Record>>, u64) {
        let records = self.records();
        (records.pending.to_spread(since), records.pending.arrivals())
    }

    pub fn status(&self, id: &Hash) -> Option<Status> {
        let records = self.records();
        match records.pending.get(id) {
            Some(record) => Some(Status::Pending(record.clone())),
            None => records.lately.refusal(id).cloned().map(Status::Refused),
        }
    }

    /// (records, bytes) pending.
    pub fn pending(&self) -> (usize, usize) {
        let records = self.records();
        (records.pending.len(), records.pending.bytes())
    }

    /// How long the oldest pending record has waited: an agency that is left out of blocks shows here.
    pub fn oldest(&self) -> Option<Duration> {
        self.records().pending.oldest()
    }

    /// Wakes at every arrival: its value counts them.
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// Wakes at every new head: then [`Pool::retry_waiting`] may take what an earlier head could not judge.
    pub fn heads(&self) -> watch::Receiver<Arc<Head>> {
        self.reader.subscribe()
    }

    /// Judges the waiting records of peers again.
    pub fn retry_waiting(&self) {
        let waiting = std::mem::take(&mut self.records().waiting);
        if waiting.is_empty() {
            return;
        }
        waiting.into_values().collect::<Vec<_>>().into_par_iter().for_each(|(since, record)| {
            if let Err(refusal) = self.consider(&record, Source::Peer)
                && is_early(&refusal)
            {
                self.wait(record, since);
            }
        });
    }

    /// Judges some records that have been pending for long by the newest head, in turn, and drops those refused: a node
    /// that builds no blocks would otherwise keep and spread them until they are too old.
    pub fn recheck(&self) {
        let lingering = {
            let mut records = self.records();
            let (lingering, last) = records.pending.lingering(records.rechecked, RECHECK_AFTER, RECHECK_RECORDS_MAX);
            records.rechecked = last.unwrap_or(0);
            lingering
        };
        for record in lingering {
            let id = record.id();
            let verdict = self.judge(&record);
            if rules::position_of(&self.reader, &id).is_some() {
                self.committed(&[id]);
            } else if let Err(refusal) = verdict {
                self.refused(&id, refusal);
            }
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().expect("no holder panics")
    }

    fn take(&self, leaf: &[u8], source: Source) -> Result<Submitted, Refusal> {
        let leaf_hash = merkle::leaf_hash(leaf);
        let known = self.records().pending.id_of_leaf(&leaf_hash);
        if let Some(answer) = known.and_then(|id| self.known_pending(id, source)) {
            return Ok(answer);
        }
        let seen = self.records().seen(&leaf_hash);
        let record = match seen {
            Some(record) => record,
            None => Arc::new(Record::parse(leaf, &self.reader.genesis().origin)?),
        };
        let outcome = self.consider(&record, source);
        if let Err(refusal) = &outcome
            && source == Source::Peer
            && is_early(refusal)
        {
            self.wait(record, clock::instant());
        }
        outcome
    }

    /// Steps 1 (by id) to 4.
    fn consider(&self, record: &Arc<Record>, source: Source) -> Result<Submitted, Refusal> {
        let id = record.id();
        if let Some(answer) = self.known_pending(id, source) {
            return Ok(answer);
        }
        let room = self.records().pending.room_for(&record.by, record.leaf().len());
        if let Err(refusal) = room.and_then(|()| self.judge(record).map(|_| ())) {
            // A committed id is answered with its place, whatever else is wrong; to judge a new one includes that look.
            return rules::position_of(&self.reader, &id).map(|position| Submitted::Committed { id, position }).ok_or(refusal);
        }
        self.keep(record.clone(), source)
    }

    /// The answer for a pending id; a client that brings it again makes this node spread it.
    fn known_pending(&self, id: Hash, source: Source) -> Option<Submitted> {
        let arrivals = {
            let mut records = self.records();
            records.pending.get(&id)?;
            let is_marked = source == Source::Client && records.pending.mark_spread(&id);
            is_marked.then(|| records.pending.arrivals())
        };
        self.announce(arrivals);
        Some(Submitted::Pending { id })
    }

    /// Judges a record at the place after the head; verifies its signatures unless that was done before. Gives the block time
    /// that it was judged at.
    fn judge(&self, record: &Record) -> Result<Time, Refusal> {
        let verified_before = record.signatures_verified();
        let head = self.reader.head();
        let in_force = self.in_force(head.height);
        let time = Clock::of(&in_force.policy).block_time(head.time, Duration::ZERO, std::iter::once(record.at));
        let block = BlockContext { height: head.height.saturating_add(1), position: head.size, time, rules: in_force.rules };
        let verdict = rules::apply(&self.reader, record, &block).map(|_| time);
        let verified = record.signatures_verified().saturating_sub(verified_before);
        self.metrics.signatures_verified.inc_by(u64::try_from(verified).expect("a note has at most 100 lines"));
        verdict
    }

    fn keep(&self, record: Arc<Record>, source: Source) -> Result<Submitted, Refusal> {
        let id = record.id();
        let arrivals = {
            let mut records = self.records();
            if records.pending.get(&id).is_some() {
                return Ok(Submitted::Pending { id });
            }
            records.pending.room_for(&record.by, record.leaf().len())?;
            records.lately.pardon(&id);
            records.pending.insert(record, source == Source::Client);
            records.pending.arrivals()
        };
        if let Some(position) = rules::position_of(&self.reader, &id) {
            // Committed while it was judged: the drop for its block came before it was kept.
            self.committed(&[id]);
            return Ok(Submitted::Committed { id, position });
        }
        self.metrics.records_taken.inc();
        self.announce(Some(arrivals));
        Ok(Submitted::Pending { id })
    }

    fn announce(&self, arrivals: Option<u64>) {
        if let Some(count) = arrivals {
            self.arrivals.send_if_modified(|last| {
                let is_newer = count > *last;
                *last = count.max(*last);
                is_newer
            });
        }
    }

    /// Keeps a peer's record for the next heads, when there is room and it has not waited for long.
    fn wait(&self, record: Arc<Record>, since: Instant) {
        if clock::since(since) < WAITING_KEPT {
            let mut records = self.records();
            if records.waiting.len() < WAITING_RECORDS_MAX {
                records.waiting.entry(record.leaf_hash()).or_insert((since, record));
            }
        }
    }

    /// Policy and rule set after the block of `height`.
    fn in_force(&self, height: u64) -> Arc<InForce> {
        if let Some(in_force) = &*self.in_force.lock().expect("no holder panics")
            && in_force.height == height
        {
            return in_force.clone();
        }
        let rules = rules::rules_in_force(&self.reader, height.saturating_add(1));
        let in_force = Arc::new(InForce { height, policy: rules::policy(&self.reader), rules });
        *self.in_force.lock().expect("no holder panics") = Some(in_force.clone());
        in_force
    }

    /// The earliest claimed time that a block after the head may hold, and the age that gives it.
    fn oldest_claim(&self) -> (Time, u64) {
        let head = self.reader.head();
        let age_ms_max = self.in_force(head.height).policy.record_age_ms_max;
        let oldest_ms = head.time.unix_ms().saturating_sub(age_ms_max);
        (Time::from_unix_ms(oldest_ms).expect("below the head's time"), age_ms_max)
    }
}

/// Whether a newer head may judge otherwise; a lack of room is no matter of heads.
fn is_early(refusal: &Refusal) -> bool {
    refusal.may_pass_later() && !matches!(refusal.code, Code::Quota | Code::PoolFull)
}
