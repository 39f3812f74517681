//! Sending many signed records: up to 256 in flight, each followed until it is committed or refused.
//!
//! 1. Senders offer records without waiting for their commit; a node that is busy is obeyed.
//! 2. One follower reads the ledger's new records, page by page, and marks those that it waits for.
//! 3. A record that stays out is asked for by its id: committed, refused at a later head, still pending, or forgotten by
//!    a node that was restarted, and then sent again.
//! 4. A refusal that may pass later is tried again once others of the batch were committed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::client::{Client, PAGE_MAX, Problem, items_of};
use crate::cli::failure::Failure;
use crate::cli::kinds::submit::{Sending, Taken, offer};
use crate::core::hash::Hash;
use crate::core::json::Value;
use crate::core::time::Time;

/// Records offered and not yet known to be committed.
const IN_FLIGHT_MAX: usize = 256;
/// Connections that offer records: enough to keep a node busy, a quarter of what it takes from one address.
const SENDERS: usize = 16;
/// Between two looks at the ledger's end.
const POLL: Duration = Duration::from_millis(40);
/// A record that is not among the new ones by then is asked for by its id.
const ASK_AFTER: Duration = Duration::from_secs(3);
/// With no record taken, committed or refused for so long the import ends; its journal lets a rerun go on.
const STALL_MAX: Duration = Duration::from_secs(120);
/// After a connection failed.
const LOST_WAIT: Duration = Duration::from_millis(500);

/// A signed record that is on disk, in the journal.
#[derive(Clone, Debug)]
pub struct Ready {
    pub id: Hash,
    pub note: String,
}

/// What became of a record; `None` for one that was not sent, since another's refusal ended the import.
pub type Outcome = Option<Result<(), Problem>>;

struct State<'a> {
    records: &'a [Ready],
    queue: VecDeque<usize>,
    /// Records on the wire, or taken and not yet committed, with the time of the last news of each.
    in_flight: HashMap<Hash, (usize, Instant)>,
    /// Refused, but may pass once others are committed.
    aside: Vec<(usize, Problem)>,
    outcomes: Vec<Outcome>,
    committed_since_aside: bool,
    pause_until: Instant,
    last_news: Instant,
    last_trouble: Option<Failure>,
    stop_at_refusal: bool,
    stopped: bool,
    progress: ProgressBar,
}

impl State<'_> {
    fn done(&self) -> bool {
        self.in_flight.is_empty() && (self.stopped || (self.queue.is_empty() && self.aside.is_empty()))
    }

    fn commit(&mut self, id: &Hash) {
        if let Some((index, _)) = self.in_flight.remove(id) {
            self.outcomes[index] = Some(Ok(()));
            self.committed_since_aside = true;
            self.news();
            self.progress.inc(1);
        }
    }

    fn refuse(&mut self, id: &Hash, problem: Problem) {
        if let Some((index, _)) = self.in_flight.remove(id) {
            self.news();
            if problem.retry {
                self.aside.push((index, problem));
            } else {
                self.settle(index, problem);
            }
        }
    }

    fn settle(&mut self, index: usize, problem: Problem) {
        self.outcomes[index] = Some(Err(problem));
        self.stopped |= self.stop_at_refusal;
        self.progress.inc(1);
    }

    fn again(&mut self, id: &Hash, pause: Duration) {
        if let Some((index, _)) = self.in_flight.remove(id) {
            self.queue.push_front(index);
            self.pause_until = self.pause_until.max(Instant::now() + pause);
        }
    }

    fn news(&mut self) {
        self.last_news = Instant::now();
    }

    /// With nothing else left, those aside are tried again when others were committed since, else they are refused.
    fn turn_aside(&mut self) {
        if !self.in_flight.is_empty() || !self.queue.is_empty() || self.aside.is_empty() || self.stopped {
            return;
        }
        let aside = std::mem::take(&mut self.aside);
        if std::mem::take(&mut self.committed_since_aside) {
            self.queue.extend(aside.into_iter().map(|(index, _)| index));
        } else {
            aside.into_iter().for_each(|(index, problem)| self.settle(index, problem));
        }
    }
}

struct Shared<'a> {
    client: &'a Client,
    /// Of each submission.
    query: String,
    state: Mutex<State<'a>>,
    changed: Condvar,
}

impl<'a> Shared<'a> {
    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends `records` and waits for them all; with `stop_at_refusal` none is sent after the first that is refused for good.
///
/// # Errors
/// [`Failure::Network`] when nothing moves for two minutes.
pub fn send(client: &Client, sending: &Sending, records: &[Ready], what: &str, stop_at_refusal: bool) -> Result<Vec<Outcome>, Failure> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let since = head_time(client)?;
    let now = Instant::now();
    let state = State {
        records,
        queue: (0..records.len()).collect(),
        in_flight: HashMap::new(),
        aside: Vec::new(),
        outcomes: vec![None; records.len()],
        committed_since_aside: false,
        pause_until: now,
        last_news: now,
        last_trouble: None,
        stop_at_refusal,
        stopped: false,
        progress: progress(records.len(), what),
    };
    let shared = Shared { client, query: sending.query(&[]), state: Mutex::new(state), changed: Condvar::new() };
    let followed = std::thread::scope(|scope| {
        for _ in 0..SENDERS.min(records.len()) {
            scope.spawn(|| send_each(&shared));
        }
        let followed = follow(&shared, since);
        shared.lock().stopped |= followed.is_err();
        shared.changed.notify_all();
        followed
    });
    let state = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.progress.finish_and_clear();
    followed.map(|()| state.outcomes)
}

/// A bar on standard error, when that is a terminal.
fn progress(count: usize, what: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg:12} {bar:40} {pos}/{len} {per_sec} {eta}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX)).with_style(style).with_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn head_time(client: &Client) -> Result<Time, Failure> {
    let status = client.json("/api/v1/status")?;
    let time = status.get("head").and_then(|head| head.get("time")).and_then(Value::as_str);
    time.and_then(|time| Time::parse(time).ok())
        .ok_or_else(|| Failure::Network("the node has no block yet; wait until it is ready".to_owned()))
}

/// One sender: takes the next record until all are done.
fn send_each(shared: &Shared<'_>) {
    loop {
        let (id, note) = {
            let mut state = shared.lock();
            loop {
                if state.done() || state.stopped {
                    return;
                }
                let now = Instant::now();
                let ready = now >= state.pause_until && state.in_flight.len() < IN_FLIGHT_MAX;
                if let Some(index) = ready.then(|| state.queue.pop_front()).flatten() {
                    let record = &state.records[index];
                    state.in_flight.insert(record.id, (index, now));
                    break (record.id, record.note.as_bytes());
                }
                state = shared.changed.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0;
            }
        };
        let taken = offer(shared.client, id, note, &shared.query);
        let mut state = shared.lock();
        match taken {
            Ok(Taken::Committed(_)) => state.commit(&id),
            Ok(Taken::Pending) => {
                state.news();
                if let Some((_, heard)) = state.in_flight.get_mut(&id) {
                    *heard = Instant::now();
                }
            }
            Ok(Taken::Busy(wait, problem)) => {
                state.last_trouble = Some(Failure::Refused(problem.refusal()));
                state.again(&id, wait);
            }
            Ok(Taken::Refused(problem)) => state.refuse(&id, problem),
            Err(failure) => {
                state.last_trouble = Some(failure);
                state.again(&id, LOST_WAIT);
            }
        }
        drop(state);
        shared.changed.notify_all();
    }
}

/// Reads the ledger's new records until nothing is awaited.
fn follow(shared: &Shared<'_>, since: Time) -> Result<(), Failure> {
    let mut from = since;
    loop {
        {
            let mut state = shared.lock();
            state.turn_aside();
            if state.done() {
                return Ok(());
            }
            if state.last_news.elapsed() > STALL_MAX {
                let seconds = STALL_MAX.as_secs();
                let trouble = state.last_trouble.take().map_or_else(String::new, |trouble| format!(" ({trouble})"));
                return Err(Failure::Network(format!(
                    "no record was taken or committed for {seconds} s{trouble}; run the same command again to go on"
                )));
            }
        }
        shared.changed.notify_all();
        match look(shared, from) {
            Ok(next) => from = next,
            Err(failure) => shared.lock().last_trouble = Some(failure),
        }
        if let Err(failure) = ask_for_late(shared) {
            shared.lock().last_trouble = Some(failure);
        }
        sleep(POLL);
    }
}

/// Marks what was committed at or after `from`; gives the moment after the newest block seen.
fn look(shared: &Shared<'_>, from: Time) -> Result<Time, Failure> {
    let mut next = None;
    shared.client.each_page(&format!("/api/v1/records?from={from}&limit={PAGE_MAX}"), |page| {
        // The first page's: what is committed while the pages are read shows at the next look.
        next = next.or_else(|| page.get("as_of").and_then(Value::as_str).and_then(|time| Time::parse(time).ok()));
        let mut state = shared.lock();
        for item in items_of(page) {
            if let Some(id) = item.get("id").and_then(Value::as_str).and_then(|id| Hash::parse(id).ok()) {
                state.commit(&id);
            }
        }
    })?;
    Ok(next.map_or(from, |time| time.plus_ms(1).max(from)))
}

/// Asks for records of which nothing was heard for a while.
fn ask_for_late(shared: &Shared<'_>) -> Result<(), Failure> {
    let late: Vec<_> = {
        let state = shared.lock();
        state.in_flight.iter().filter(|(_, (_, heard))| heard.elapsed() > ASK_AFTER).map(|(id, _)| *id).collect()
    };
    for id in late {
        let answer = shared.client.get(&format!("/api/v1/records/{id}"))?;
        let mut state = shared.lock();
        if answer.status == 404 {
            state.again(&id, Duration::ZERO);
            continue;
        }
        let value = shared.client.parse(&answer.body)?;
        match value.get("status").and_then(Value::as_str) {
            Some("committed") => state.commit(&id),
            Some("refused") => {
                if let Some(problem) = value.get("problem").and_then(Problem::from_value) {
                    state.refuse(&id, problem);
                }
            }
            _ => {
                if let Some((_, heard)) = state.in_flight.get_mut(&id) {
                    *heard = Instant::now();
                }
            }
        }
    }
    Ok(())
}
