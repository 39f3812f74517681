//! Handing a signed record to a node and waiting until its block is committed.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;

use crate::cli::Global;
use crate::cli::client::{Client, Problem};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::core::hash::Hash;
use crate::core::json::{Value, object};

/// A commit that has not come by then is left to `sharelog get`: four times what a node waits for one answer.
const COMMIT_WAIT: Duration = Duration::from_secs(120);
/// When a busy node names no time.
const BUSY_WAIT: Duration = Duration::from_millis(500);
/// A node that names a longer wait is asked again all the same.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(10);

/// How a record is sent.
#[derive(Clone, Debug, Default, Args)]
pub struct Sending {
    /// Return once the node has taken the record
    #[arg(long)]
    pub no_wait: bool,
    /// Only check the record against the node's present state, and show the due days that it would start
    #[arg(long, conflicts_with = "no_wait")]
    pub dry_run: bool,
    /// Send texts although they look as if they held a bank card, a mobile number or an e-mail address
    #[arg(long)]
    pub force_text: bool,
}

impl Sending {
    /// The query of a submission, with these parameters besides its own.
    pub fn query(&self, parameters: &[&str]) -> String {
        let force = self.force_text.then_some("force_text=true");
        let all: Vec<_> = parameters.iter().copied().chain(force).collect();
        if all.is_empty() { String::new() } else { format!("?{}", all.join("&")) }
    }
}

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub height: u64,
    pub id: Hash,
    pub position: u64,
    pub time: String,
}

impl Committed {
    /// From an answer or a record with the status `committed`.
    pub fn from_value(id: Hash, value: &Value) -> Option<Self> {
        if value.get("status").and_then(Value::as_str) != Some("committed") {
            return None;
        }
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        let time = value.get("time").and_then(Value::as_str)?.to_owned();
        Some(Committed { height: number("height")?, id, position: number("position")?, time })
    }

    pub fn to_value(&self) -> Value {
        object([
            ("height", self.height.into()),
            ("id", self.id.to_hex().into()),
            ("position", self.position.into()),
            ("time", self.time.as_str().into()),
        ])
    }
}

/// How a node answered an offered record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Committed(Committed),
    Pending,
    /// Not now: ask again after this time.
    Busy(Duration, Problem),
    Refused(Problem),
}

/// Offers a record once; `query` is empty or begins with a question mark.
///
/// # Errors
/// [`Failure::Network`] when no answer comes, or none that is known here.
pub fn offer(client: &Client, id: Hash, note: &[u8], query: &str) -> Result<Taken, Failure> {
    let answer = client.post_record(note, query)?;
    if matches!(answer.status, 200 | 202) {
        let value = client.parse(&answer.body)?;
        return Ok(Committed::from_value(id, &value).map_or(Taken::Pending, Taken::Committed));
    }
    let problem = client.problem(&answer).ok_or_else(|| client.refused(&answer))?;
    if matches!(answer.status, 429 | 503) {
        return Ok(Taken::Busy(answer.retry_after.unwrap_or(BUSY_WAIT).min(BUSY_WAIT_MAX), problem));
    }
    Ok(Taken::Refused(problem))
}

/// Offers a record until it is committed.
///
/// # Errors
/// [`Failure::Refused`]; [`Failure::Network`] when no commit comes in time: the record may still be committed.
pub fn commit(client: &Client, id: Hash, note: &[u8], sending: &Sending) -> Result<Committed, Failure> {
    let start = Instant::now();
    let query = sending.query(&["wait=committed"]);
    loop {
        let taken = offer(client, id, note, &query)?;
        let in_time = start.elapsed() < COMMIT_WAIT;
        match taken {
            Taken::Committed(committed) => return Ok(committed),
            Taken::Refused(problem) => return Err(Failure::Refused(problem.refusal())),
            Taken::Busy(wait, _) if in_time => sleep(wait),
            Taken::Busy(_, problem) => return Err(Failure::Refused(problem.refusal())),
            Taken::Pending if in_time => sleep(BUSY_WAIT),
            Taken::Pending => {
                let waited = COMMIT_WAIT.as_secs();
                return Err(Failure::Network(format!(
                    "record {id} was taken, and is not committed after {waited} s; follow it with: sharelog get {id}"
                )));
            }
        }
    }
}

/// Offers a record, waits as wanted, prints the outcome.
///
/// # Errors
/// As [`commit`].
pub fn submit(client: &Client, id: Hash, note: &[u8], sending: &Sending, global: &Global) -> Result<(), Failure> {
    if sending.dry_run {
        let answer = try_out(client, note, sending)?;
        output::show(global, &answer, |answer| verdict_text(id, answer));
        return Ok(());
    }
    if !sending.no_wait {
        let committed = commit(client, id, note, sending)?;
        output::show(global, &committed.to_value(), |_| {
            format!("committed {id}\nat position {} in block {}, {}", committed.position, committed.height, committed.time)
        });
        return Ok(());
    }
    match offer(client, id, note, &sending.query(&[]))? {
        Taken::Committed(committed) => output::show(global, &committed.to_value(), |_| format!("{id} was committed before")),
        Taken::Pending => {
            let value = object([("id", id.to_hex().into()), ("status", "pending".into())]);
            output::show(global, &value, |_| format!("taken {id}\nfollow it with: sharelog get {id}"));
        }
        Taken::Busy(_, problem) | Taken::Refused(problem) => return Err(Failure::Refused(problem.refusal())),
    }
    Ok(())
}

/// Has the node judge a record by its present state; nothing is kept.
fn try_out(client: &Client, note: &[u8], sending: &Sending) -> Result<Value, Failure> {
    let answer = client.post_record(note, &sending.query(&["dry_run=true"]))?;
    if answer.status == 200 { client.parse(&answer.body) } else { Err(client.refused(&answer)) }
}

fn verdict_text(id: Hash, answer: &Value) -> String {
    let due = answer.get("due").and_then(Value::as_array).unwrap_or_default();
    let verdict = format!("{id} would be taken now; nothing was sent to the ledger");
    if due.is_empty() {
        return verdict;
    }
    let provisional = |clock: &Value| if clock.get("provisional").and_then(Value::as_bool) == Some(true) { "yes" } else { "" };
    let row = |clock: &Value| {
        let text = |name| output::cell(clock, name);
        vec![text("clock"), text("debtor"), text("creditor"), text("dataset"), text("due"), provisional(clock).to_owned()]
    };
    let table = output::table(&["clock", "who owes", "to whom", "dataset", "due", "provisional"], due.iter().map(row).collect());
    format!("{verdict}\nclocks that would start:\n{table}")
}
