//! One run of an import: from wanted records, by way of the journal, to what the ledger made of them.

use std::fs::File;
use std::path::Path;

use crate::cli::client::{Client, Problem};
use crate::cli::failure::Failure;
use crate::cli::import::journal::{Entry, Journal};
use crate::cli::import::keys::{KeyRing, Signer};
use crate::cli::import::pipeline::{self, Ready};
use crate::cli::import::summary::Summary;
use crate::cli::import::table::{Fault, Table};
use crate::cli::kinds::handover::{Payload, fresh_salt, write_opening};
use crate::cli::kinds::sign::{key_failure, now};
use crate::cli::kinds::submit::Sending;
use crate::core::commitment::Opening;
use crate::core::hash::Hash;
use crate::core::json::{self, Strings, Value, strings};
use crate::core::kinds::Kind;
use crate::core::note::Note;
use crate::core::privacy::check_guesses;
use crate::core::record::{Draft, HEADER, Record};
use crate::core::refusal::{Code, Refusal};
use crate::core::time::Time;
use crate::keystore;

/// Threads that write openings, each file synced.
const WRITERS: usize = 16;

/// What `--on-error` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnError {
    /// End at the first row that is refused; what was sent before stays
    Stop,
    /// List refused rows and go on
    Skip,
}

/// What an import works with.
pub struct Run {
    pub client: Client,
    pub origin: String,
    pub keys: KeyRing,
    pub journal: Journal,
    pub summary: Summary,
    pub on_error: OnError,
    /// How long a signed record may wait for its block (policy).
    pub record_age_ms_max: u64,
    /// The claimed time of the records; now, when none is given.
    pub at: Option<Time>,
    pub sending: Sending,
}

/// A record that an import wants on the ledger.
pub struct Want {
    /// Of the row that wants it.
    pub line: u64,
    /// What it is for, once in a journal.
    pub key: String,
    pub kind: Kind,
    pub refs: Vec<Hash>,
    pub body: Value,
    pub signer: Signer,
    /// The writer.
    pub by: String,
    /// Of a delivery: what opens its commitment, the record's id still open.
    pub opening: Option<([u8; 32], Payload)>,
}

impl Run {
    /// A row that became no record; with `stop` that is the end.
    ///
    /// # Errors
    /// [`Failure::Refused`], naming file and line.
    pub fn refuse(&mut self, table: &Table, line: u64, problem: Problem) -> Result<(), Failure> {
        let failure = Failure::Refused(problem.refusal().within(&place(table, line)));
        self.summary.refuse(line, problem);
        if self.on_error == OnError::Stop { Err(failure) } else { Ok(()) }
    }

    /// Rows that could not be read; with `stop` the first is the end.
    ///
    /// # Errors
    /// [`Failure::Unreadable`], naming file and line.
    pub fn faults(&mut self, table: &Table) -> Result<(), Failure> {
        for fault in &table.faults {
            let refusal = Refusal::new(Code::FieldInvalid, fault.found.clone(), fault.expected.clone());
            self.summary.refuse(fault.line, refusal.into());
        }
        match table.faults.first() {
            Some(fault) if self.on_error == OnError::Stop => Err(unreadable(table, fault)),
            _ => Ok(()),
        }
    }

    /// Signs, journals and sends what is wanted, and waits for it. Gives the record id of each that is committed; `None`
    /// stands for one that was refused.
    ///
    /// # Errors
    /// [`Failure::Refused`] for the first refused row with `stop`; [`Failure::Network`]; [`Failure::Unreadable`] when
    /// journal or openings cannot be written: then nothing of these was sent.
    pub fn phase(&mut self, table: &Table, what: &'static str, wants: Vec<Want>) -> Result<Vec<Option<Hash>>, Failure> {
        let mut places = Vec::with_capacity(wants.len());
        let (mut ready, mut journalled, mut openings) = (Vec::new(), Vec::new(), Vec::new());
        let mut ended = None;
        for want in wants {
            match self.prepare(&want) {
                Ok((id, entry, kept)) => {
                    places.push((want.line, Some(ready.len())));
                    openings.extend(entry.opening.clone());
                    ready.push(Ready { id, note: entry.note.clone() });
                    if !kept {
                        journalled.push((want.key, entry));
                    }
                }
                Err(refusal) => {
                    places.push((want.line, None));
                    if let Err(failure) = self.refuse(table, want.line, refusal.into()) {
                        ended = Some(failure);
                        break;
                    }
                }
            }
        }
        self.journal.append(journalled)?;
        write_openings(&self.keys.openings_dir(), &openings)?;
        let outcomes = pipeline::send(&self.client, &self.sending, &ready, what, self.on_error == OnError::Stop)?;
        let mut ids = Vec::with_capacity(places.len());
        for (line, place) in places {
            match place.and_then(|index| Some((ready[index].id, outcomes[index].clone()?))) {
                Some((id, Ok(()))) => {
                    self.summary.add("committed", 1);
                    self.summary.add(what, 1);
                    ids.push(Some(id));
                }
                Some((_, Err(problem))) => {
                    let refused = self.refuse(table, line, problem);
                    ended = ended.or(refused.err());
                    ids.push(None);
                }
                None => ids.push(None),
            }
        }
        ended.map_or(Ok(ids), Err)
    }

    /// The journal's note where it says the same and can still be committed, else a fresh one; true for the journal's.
    fn prepare(&self, want: &Want) -> Result<(Hash, Entry, bool), Refusal> {
        let at = self
            .at
            .map_or_else(now, Ok)
            .map_err(|_| Refusal::new(Code::AtOutOfRange, "a clock that is not set", "this computer's time"))?;
        if let Some(entry) = self.journal.get(&want.key).filter(|entry| self.says_the_same(entry, want, at)) {
            let record = Record::parse(entry.note.as_bytes(), &self.origin)?;
            return Ok((record.id(), entry.clone(), true));
        }
        if !self.sending.force_text {
            check_guesses(&want.body)?;
        }
        let draft = Draft {
            at,
            by: want.by.clone(),
            kind: want.kind,
            refs: want.refs.clone(),
            uid: uuid::Uuid::now_v7().to_string(),
            body: want.body.clone(),
        };
        let note = draft.sign(&self.origin, &[(&want.signer.0, &want.signer.1)]);
        let id = Record::parse(note.as_bytes(), &self.origin)?.id();
        let opening =
            want.opening.as_ref().map(|(salt, payload)| Opening { bytes: payload.bytes, record: id, salt: *salt, sha256: payload.sha256 });
        Ok((id, Entry { note, opening }, false))
    }

    fn says_the_same(&self, entry: &Entry, want: &Want, now: Time) -> bool {
        let Ok(note) = Note::parse(entry.note.as_bytes()) else {
            return false;
        };
        let line = note.text.strip_prefix(HEADER).map(|line| line.trim_end().as_bytes());
        let Some(Ok(head)) = line.map(|line| json::parse(line, Strings::Strict)) else {
            return false;
        };
        let text = |name: &str| head.get(name).and_then(Value::as_str).unwrap_or_default();
        let refs = strings(want.refs.iter().map(|id| id.to_hex()));
        let signer = &want.signer.0;
        let in_time = Time::parse(text("at")).is_ok_and(|at| at.plus_ms(self.record_age_ms_max) > now);
        in_time
            && note.lines.len() == 1
            && (note.lines[0].name.as_str(), note.lines[0].id) == (signer.name(), signer.id())
            && (text("ledger"), text("kind"), text("by")) == (self.origin.as_str(), want.kind.as_str(), want.by.as_str())
            && head.get("refs") == Some(&refs)
            && head.get("body") == Some(&want.body)
    }

    /// The salt for a delivery: the journal's, when it was made for the same bytes, so that a rerun can send the same record.
    ///
    /// # Errors
    /// [`Failure::Configuration`] on a system without randomness.
    pub fn salt(&self, key: &str, payload: &Payload) -> Result<[u8; 32], Failure> {
        let known = self.journal.get(key).and_then(|entry| entry.opening.as_ref());
        match known.filter(|opening| (opening.bytes, opening.sha256) == (payload.bytes, payload.sha256)) {
            Some(opening) => Ok(opening.salt),
            None => fresh_salt(),
        }
    }
}

fn place(table: &Table, line: u64) -> String {
    format!("{} {} {line}", table.path.display(), table.unit())
}

fn unreadable(table: &Table, fault: &Fault) -> Failure {
    Failure::Unreadable(format!("{}: found {}; expected {}", place(table, fault.line), fault.found, fault.expected))
}

/// `<delivery id>.opening.json` each; one that is there already stays.
fn write_openings(dir: &Path, openings: &[Opening]) -> Result<(), Failure> {
    if openings.is_empty() {
        return Ok(());
    }
    let failed =
        |error: std::io::Error| Failure::Unreadable(format!("writing openings to {}: {error}; nothing of these was sent", dir.display()));
    keystore::make_dir(dir).map_err(|error| key_failure(&error))?;
    let write = |opening: &Opening| {
        let path = dir.join(format!("{}.opening.json", opening.record));
        if path.exists() { Ok(()) } else { write_opening(&path, opening) }
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = openings
            .chunks(openings.len().div_ceil(WRITERS))
            .map(|openings| scope.spawn(move || openings.iter().try_for_each(write)))
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().expect("a writer of openings does not panic"))
    })
    .map_err(failed)?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)
}
