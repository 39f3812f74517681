//! Cosigning and the public checkpoint.
//!
//! A cosignature counts when it verifies under the cosigner key of a member of the set that judges its size, over the root
//! that the own tree has at that size. Those of sizes beyond the own tree wait, checked against the newest known set, until
//! the tree gets there ([`Checkpoints::settle`]). The newest size with a quorum becomes public: it is written to the file
//! and synced, then shown; sizes below it are forgotten. All public sizes are sizes of the one own tree, so each is
//! consistent with those before it.
//!
//! The line of a witness comes later, when the size is public already: it is put on the note that is shown, behind the
//! quorum, and not into the file, since a witness can be asked again.
//!
//! After a restart the file's checkpoint is public again once the own tree reaches its size and has its root; until then
//! nothing is public, and nothing smaller ever becomes so.

mod collection;
mod cosigned;
pub mod judged;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Context as _, bail};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::consensus::checkpoints::collection::Collection;
pub use crate::consensus::checkpoints::cosigned::Cosigned;
use crate::consensus::checkpoints::judged::{Judged, judge};
use crate::consensus::durable;
use crate::core::key::{Algorithm, SecretKey, VerifierKey};
use crate::core::limits::CHECKPOINT_LINES_MAX;
use crate::core::note::{Note, SignatureLine};
use crate::core::rules;
use crate::core::validators::ValidatorSet;
use crate::limits::NOTE_FILE_BYTES_MAX;
use crate::log::checkpoint::{Checkpoint, Cosignature, publish};
use crate::store::Reader;

/// A checkpoint that more than two thirds of the judging set cosigned, and all earlier public ones are consistent with.
#[derive(Clone, Debug)]
pub struct PublicCheckpoint {
    pub checkpoint: Checkpoint,
    /// The published note: one 0x01 line, the cosignatures, then the lines of witnesses.
    pub note: String,
    /// Agencies whose cosignatures the note carries, ascending.
    pub cosigners: Vec<String>,
    /// The key names of the witnesses whose lines the note carries, ascending.
    pub witnesses: Vec<String>,
}

/// The newest public checkpoint; shared by HTTP, swarm and cosigner.
pub struct Checkpoints {
    reader: Reader,
    publication: SecretKey,
    file: PathBuf,
    /// Held for a few lines.
    state: Mutex<State>,
    /// Orders those who publish; the one file is written under it.
    publishing: Mutex<()>,
    public: watch::Sender<Option<Arc<PublicCheckpoint>>>,
    changes: watch::Sender<u64>,
    /// Why the file could not be written: the end of the node.
    failure: watch::Sender<Option<String>>,
}

#[derive(Default)]
struct State {
    /// Verified over the own tree's roots: of the public size and above.
    collected: Collection,
    /// Beyond the own tree.
    ahead: Collection,
    /// The file's checkpoint, as long as the own tree is shorter.
    restored: Option<Cosigned>,
}

impl Checkpoints {
    /// `publication` signs what this node publishes; `file` keeps the newest public checkpoint over a restart, so that the
    /// published size never falls.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or contradicts the own tree.
    pub fn new(reader: Reader, publication: SecretKey, file: PathBuf) -> anyhow::Result<Arc<Self>> {
        let own = VerifierKey::new(reader.genesis().origin.clone(), Algorithm::Ed25519, publication.public())?;
        let restored = read_file(&file, &own).with_context(|| format!("checkpoint file {}", file.display()))?;
        let checkpoints = Arc::new(Checkpoints {
            reader,
            publication,
            file,
            state: Mutex::new(State { restored, ..State::default() }),
            publishing: Mutex::new(()),
            public: watch::Sender::new(None),
            changes: watch::Sender::new(0),
            failure: watch::Sender::new(None),
        });
        checkpoints.restore().with_context(|| format!("checkpoint file {}", checkpoints.file.display()))?;
        Ok(checkpoints)
    }

    pub fn public(&self) -> Option<Arc<PublicCheckpoint>> {
        self.public.borrow().clone()
    }

    /// Wakes at every new public checkpoint, and at every line that a witness adds to it.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<PublicCheckpoint>>> {
        self.public.subscribe()
    }

    /// The cosignatures that this node knows and a peer may lack: of the newest public size and of the sizes above it.
    pub fn known(&self) -> Vec<Cosigned> {
        let state = self.state();
        let of_size = |size| {
            let signed = state.collected.at(size);
            let root = signed.first()?.0;
            let checkpoint = Checkpoint { origin: self.origin().to_owned(), size, root };
            Some(Cosigned { checkpoint, cosignatures: signed.into_iter().map(|(_, cosignature)| cosignature).collect() })
        };
        state.collected.sizes().filter_map(of_size).collect()
    }

    /// Wakes when [`Checkpoints::known`] has more to tell.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Ends with `stop`, or before it by an error once the file could not be written.
    ///
    /// # Errors
    /// That of the file.
    pub async fn watch_file(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let mut failure = self.failure.subscribe();
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            failed = failure.wait_for(Option::is_some) => bail!("{}", failed.ok().and_then(|failed| failed.clone()).unwrap_or_default()),
        }
    }

    /// Takes cosignatures from a peer or the own cosigner; verifies each before it counts. Blocking: reads the store, and
    /// writes the file of a new public checkpoint.
    pub fn add(&self, cosigned: &Cosigned) {
        if let Err(error) = self.take(cosigned).and_then(|()| self.publish_newest()) {
            tracing::error!("checkpoint of {} leaves: {error:#}", cosigned.checkpoint.size);
        }
    }

    /// Takes what waited for the own tree to grow; called at new heads. Blocking, as [`Checkpoints::add`].
    pub fn settle(&self) {
        let size = self.reader.head().size;
        let reached = {
            let mut state = self.state();
            if state.ahead.is_empty() && state.restored.is_none() {
                return;
            }
            state.ahead.take_up_to(size)
        };
        let taken = self.restore().and_then(|()| {
            for (size, (root, cosignature)) in reached {
                let checkpoint = Checkpoint { origin: self.origin().to_owned(), size, root };
                self.take(&Cosigned { checkpoint, cosignatures: vec![cosignature] })?;
            }
            self.publish_newest()
        });
        if let Err(error) = taken {
            tracing::error!("checkpoints up to {size} leaves: {error:#}");
        }
    }

    /// Puts a witness's line, which the caller has verified, on the public note of this checkpoint; for another size it
    /// comes too late. Of 16 lines a witness gets those that the quorum leaves. Blocking: reads the store.
    ///
    /// # Errors
    /// Those of the store.
    pub fn witness(&self, checkpoint: &Checkpoint, line: SignatureLine) -> anyhow::Result<()> {
        let _turn = self.publishing.lock().expect("no holder panics");
        let Some(public) = self.public().filter(|public| public.checkpoint == *checkpoint) else {
            return Ok(());
        };
        let Some(judged) = judge(&self.reader, checkpoint.size)? else {
            return Ok(());
        };
        let note = Note::parse(public.note.as_bytes())?;
        let mut cosignatures = Cosigned::from_note(&note)?.cosignatures;
        let mut lines: Vec<_> = note.lines.into_iter().filter(|held| public.witnesses.contains(&held.name)).collect();
        lines.retain(|held| held.name != line.name);
        lines.push(line);
        lines.sort_by(|a, b| a.name.cmp(&b.name));
        let room = CHECKPOINT_LINES_MAX - 1;
        while cosignatures.len() + lines.len() > room {
            let Some((_, others)) = cosignatures.split_last().filter(|(_, others)| is_quorum(&judged.set, others)) else {
                break;
            };
            cosignatures.truncate(others.len());
        }
        lines.truncate(room.saturating_sub(cosignatures.len()));
        let witnesses = lines.iter().map(|line| line.name.clone()).collect();
        let mut note = publish(checkpoint, &self.publication, &cosignatures);
        note.lines.extend(lines);
        let cosigners = cosignatures.into_iter().map(|cosignature| cosignature.agency).collect();
        let public = PublicCheckpoint { checkpoint: checkpoint.clone(), note: note.to_text(), cosigners, witnesses };
        self.public.send_replace(Some(Arc::new(public)));
        Ok(())
    }

    /// The agencies known to have cosigned more than `size` leaves.
    pub fn agencies_beyond(&self, size: u64) -> BTreeSet<String> {
        let state = self.state();
        let mut agencies = BTreeSet::new();
        state.collected.agencies_beyond(size, &mut agencies);
        state.ahead.agencies_beyond(size, &mut agencies);
        agencies
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    fn origin(&self) -> &str {
        &self.reader.genesis().origin
    }

    fn public_size(&self) -> u64 {
        self.public.borrow().as_ref().map_or(0, |public| public.checkpoint.size)
    }

    /// Verifies cosignatures and keeps those that count.
    fn take(&self, cosigned: &Cosigned) -> anyhow::Result<()> {
        let Checkpoint { origin, size, root } = &cosigned.checkpoint;
        if origin != self.origin() || *size < self.public_size() {
            return Ok(());
        }
        let fresh: Vec<&Cosignature> = {
            let state = self.state();
            let is_fresh = |agency: &str| !state.collected.contains(*size, agency) && !state.ahead.contains(*size, agency);
            cosigned.cosignatures.iter().filter(|cosignature| is_fresh(&cosignature.agency)).collect()
        };
        if fresh.is_empty() {
            return Ok(());
        }
        let head = self.reader.head();
        if *size > head.size {
            let set = rules::validator_set(&self.reader, head.height.saturating_add(1));
            let signed: Vec<_> = fresh.into_iter().filter(|cosignature| counts(&set, &cosigned.checkpoint, cosignature)).collect();
            let mut state = self.state();
            for cosignature in signed {
                state.ahead.insert(*size, *root, cosignature.clone());
            }
            return Ok(());
        }
        let Some(judged) = judge(&self.reader, *size)? else {
            return Ok(());
        };
        let signed: Vec<_> = fresh.into_iter().filter(|cosignature| counts(&judged.set, &cosigned.checkpoint, cosignature)).collect();
        if *root != judged.root {
            if !signed.is_empty() {
                let agencies: Vec<_> = signed.iter().map(|cosignature| cosignature.agency.as_str()).collect();
                bail!("{} cosigned the root {root} where this node has {}", agencies.join(", "), judged.root);
            }
            return Ok(());
        }
        let has_more = {
            let mut state = self.state();
            signed.into_iter().filter(|cosignature| state.collected.insert(*size, *root, (*cosignature).clone())).count() > 0
        };
        if has_more {
            self.changes.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(())
    }

    /// Makes the newest size with a quorum public.
    fn publish_newest(&self) -> anyhow::Result<()> {
        let _turn = self.publishing.lock().expect("no holder panics");
        let sizes = {
            let state = self.state();
            if state.restored.is_some() {
                return Ok(());
            }
            state.collected.sizes_above(self.public_size())
        };
        for size in sizes {
            let Some(judged) = judge(&self.reader, size)? else {
                continue;
            };
            let signed = self.state().collected.at(size);
            let cosignatures: Vec<_> = signed.into_iter().map(|(_, cosignature)| cosignature).collect();
            if is_quorum(&judged.set, &cosignatures) {
                return self.show(&judged, cosignatures);
            }
        }
        Ok(())
    }

    /// Writes and shows a checkpoint that has a quorum.
    fn show(&self, judged: &Judged, mut cosignatures: Vec<Cosignature>) -> anyhow::Result<()> {
        cosignatures.truncate(CHECKPOINT_LINES_MAX - 1);
        let checkpoint = Checkpoint { origin: self.origin().to_owned(), size: judged.size, root: judged.root };
        let note = publish(&checkpoint, &self.publication, &cosignatures).to_text();
        durable::replace(&self.file, note.as_bytes()).with_context(|| format!("writing {}", self.file.display())).inspect_err(|error| {
            self.failure.send_replace(Some(format!("{error:#}")));
        })?;
        let cosigners = cosignatures.into_iter().map(|cosignature| cosignature.agency).collect();
        self.state().collected.forget_below(judged.size);
        self.public.send_replace(Some(Arc::new(PublicCheckpoint { checkpoint, note, cosigners, witnesses: Vec::new() })));
        Ok(())
    }

    /// Shows the file's checkpoint again, once the own tree has its size.
    fn restore(&self) -> anyhow::Result<()> {
        let restored = self.state().restored.clone();
        let Some(Cosigned { checkpoint, cosignatures }) = restored.filter(|old| old.checkpoint.size <= self.reader.head().size) else {
            return Ok(());
        };
        let Some(judged) = judge(&self.reader, checkpoint.size)?.filter(|judged| judged.root == checkpoint.root) else {
            bail!("a public checkpoint of {} leaves with root {} that the own log contradicts", checkpoint.size, checkpoint.root);
        };
        let cosignatures: Vec<_> = cosignatures.into_iter().filter(|cosignature| counts(&judged.set, &checkpoint, cosignature)).collect();
        if !is_quorum(&judged.set, &cosignatures) {
            bail!("a public checkpoint of {} leaves without a quorum of cosignatures", checkpoint.size);
        }
        {
            let mut state = self.state();
            for cosignature in &cosignatures {
                state.collected.insert(checkpoint.size, checkpoint.root, cosignature.clone());
            }
        }
        let _turn = self.publishing.lock().expect("no holder panics");
        self.show(&judged, cosignatures)?;
        self.state().restored = None;
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }
}

/// Whether a cosignature is one by a member of `set`.
fn counts(set: &ValidatorSet, checkpoint: &Checkpoint, cosignature: &Cosignature) -> bool {
    set.member(&cosignature.agency).is_some_and(|member| cosignature.verifies(checkpoint, &member.cosigner))
}

/// Whether the verified cosignatures, of one agency each, carry more than two thirds of the set's power.
fn is_quorum(set: &ValidatorSet, cosignatures: &[Cosignature]) -> bool {
    let power = |cosignature: &Cosignature| set.member(&cosignature.agency).map_or(0, |member| member.power);
    set.is_quorum(cosignatures.iter().map(power).sum())
}

/// The checkpoint of an earlier run, whose text `own` signed when it has a line of that key; each agency counts once.
fn read_file(file: &Path, own: &VerifierKey) -> anyhow::Result<Option<Cosigned>> {
    let Some(text) = durable::read(file, NOTE_FILE_BYTES_MAX)? else {
        return Ok(None);
    };
    let note = Note::parse(text.as_bytes())?;
    let is_own = |line: &&SignatureLine| line.name == own.name() && line.id == own.id();
    for line in note.lines.iter().filter(is_own) {
        let signature = line.signature.as_slice().try_into();
        if !signature.is_ok_and(|signature| own.public().verifies(note.text.as_bytes(), signature)) {
            bail!("damaged: its own signature does not hold");
        }
    }
    let mut cosigned = Cosigned::from_note(&note)?;
    if cosigned.checkpoint.origin != own.name() {
        bail!("a checkpoint of another ledger: {}", cosigned.checkpoint.origin);
    }
    cosigned.cosignatures.sort_by(|a, b| a.agency.cmp(&b.agency));
    cosigned.cosignatures.dedup_by(|a, b| a.agency == b.agency);
    Ok(Some(cosigned))
}
