//! A validator's cosigner: which sizes it signs, and the note on disk that keeps it from signing two roots.
//!
//! At each new head, for the blocks that came since:
//! 1. A block is eligible when its time has another floor(ms / `checkpoint_ms`) than its predecessor's (block 1: always),
//!    or when it has been the newest for `checkpoint_ms`. After the start, only the newest eligible block counts; later
//!    ones are taken in ascending order.
//! 2. A size up to the note is passed over, and so is one beyond which more than two thirds of the power have cosigned
//!    already: this node is catching up, and nobody waits for it there.
//! 3. The own tree must have the noted root at the noted size, and this validator must be a member of the set that judges
//!    the size.
//! 4. The new size and root are noted and synced; then they are signed.
//!
//! `checkpoint_ms` is that of the newest policy: rule set 1 has no kind that changes it.

mod noted;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::consensus::checkpoints::judged::{Judged, judge};
use crate::consensus::checkpoints::{Checkpoints, Cosigned};
use crate::consensus::clock::now;
use crate::consensus::cosigner::noted::Noted;
use crate::core::key::SecretKey;
use crate::core::rules;
use crate::core::time::Time;
use crate::limits::{COSIGN_PASS_MAX, COSIGN_START_BLOCKS_MAX};
use crate::log::checkpoint::{Checkpoint, Cosignature};
use crate::log::merkle;
use crate::store::{Reader, StoreError};

/// What the cosigner works with.
pub struct Cosigner {
    pub agency: String,
    pub key: SecretKey,
    pub reader: Reader,
    pub checkpoints: Arc<Checkpoints>,
    /// The file of the last (size, root), written and synced before each signature.
    pub note: PathBuf,
}

impl Cosigner {
    /// Cosigns by the rule of DESIGN's Checkpoint until `stop`.
    ///
    /// # Errors
    /// A note that cannot be written, or that contradicts the own tree: nothing is signed then.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut heads = self.reader.subscribe();
        let mut signing = blocking(move || Signing::start(self)).await?;
        loop {
            heads.borrow_and_update();
            signing = blocking(move || signing.follow()).await?;
            let is_rested = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                changed = heads.changed() => match changed {
                    Ok(()) => false,
                    // The store is closed: what ends the node says so itself.
                    Err(_) => return { stop.cancelled().await; Ok(()) },
                },
                () = sleep_until(signing.rested_at), if signing.is_newest_open => true,
            };
            if is_rested {
                signing = blocking(move || signing.sign_newest()).await?;
            }
        }
    }
}

/// Runs work that reads and syncs files.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("the cosigner's work ended early")?
}

/// The cosigner at work.
struct Signing {
    cosigner: Cosigner,
    noted: Noted,
    /// The newest block looked at, and its time; 0 before block 1.
    followed: u64,
    followed_time: Option<Time>,
    /// When the block `followed` will have been the newest for `checkpoint_ms`, and whether that has been seen to.
    rested_at: Instant,
    is_newest_open: bool,
    is_stranger: bool,
}

impl Signing {
    /// Signs the newest eligible block of those on disk.
    fn start(cosigner: Cosigner) -> anyhow::Result<Self> {
        let noted = Noted::open(cosigner.note.clone(), &cosigner.reader.genesis().origin)?;
        let mut signing = Signing {
            noted,
            followed: cosigner.reader.head().height,
            followed_time: None,
            rested_at: Instant::now(),
            is_newest_open: true,
            is_stranger: false,
            cosigner,
        };
        signing.followed_time = signing.time_of(signing.followed)?;
        signing.rested_at = Instant::now() + signing.checkpoint_pause();
        let lowest = signing.followed.saturating_sub(COSIGN_START_BLOCKS_MAX);
        for height in (lowest..=signing.followed).rev().take_while(|height| *height > 0) {
            let (before, time) = (signing.time_of(height - 1)?, signing.time_of(height)?);
            if signing.is_eligible(height, before, time) {
                signing.sign(height)?;
                break;
            }
        }
        Ok(signing)
    }

    /// Looks at the blocks that came since the last look and signs the eligible ones, ascending.
    fn follow(mut self) -> anyhow::Result<Self> {
        let newest = self.cosigner.reader.head().height;
        if newest == self.followed {
            return Ok(self);
        }
        let mut eligible = Vec::new();
        for height in self.followed.saturating_add(1)..=newest {
            let time = self.time_of(height)?;
            if self.is_eligible(height, self.followed_time, time) {
                eligible.push(height);
            }
            (self.followed, self.followed_time) = (height, time);
        }
        self.rested_at = Instant::now() + self.checkpoint_pause();
        self.is_newest_open = true;
        let passed_over = eligible.len().saturating_sub(COSIGN_PASS_MAX);
        for height in eligible.into_iter().skip(passed_over) {
            self.sign(height)?;
        }
        Ok(self)
    }

    /// Signs the block that has been the newest for long enough.
    fn sign_newest(mut self) -> anyhow::Result<Self> {
        self.is_newest_open = false;
        self.sign(self.followed)?;
        Ok(self)
    }

    fn checkpoint_pause(&self) -> Duration {
        Duration::from_millis(rules::policy(&self.cosigner.reader).checkpoint_ms)
    }

    fn time_of(&self, height: u64) -> Result<Option<Time>, StoreError> {
        Ok(self.cosigner.reader.entry(height)?.map(|entry| entry.time))
    }

    /// Rule (a) of DESIGN's Checkpoint.
    fn is_eligible(&self, height: u64, before: Option<Time>, time: Option<Time>) -> bool {
        let checkpoint_ms = rules::policy(&self.cosigner.reader).checkpoint_ms.max(1);
        let slot = |time: Time| time.unix_ms() / checkpoint_ms;
        height == 1 || before.map(slot) != time.map(slot)
    }

    /// Signs the tree after the block of `height`, unless there is a reason not to.
    fn sign(&mut self, height: u64) -> anyhow::Result<()> {
        let Some(entry) = self.cosigner.reader.entry(height)? else {
            return Ok(());
        };
        let noted_size = self.noted.last().map_or(0, |noted| noted.size);
        let size = entry.position.saturating_add(1);
        if size <= noted_size {
            return Ok(());
        }
        let judged = judge(&self.cosigner.reader, size)?.context("a block of the own log ends at no size of it")?;
        if !self.is_member(&judged) || self.is_passed(&judged) {
            return Ok(());
        }
        if let Some(noted) = self.noted.last() {
            let own = merkle::root_at(&self.cosigner.reader, noted.size)?;
            if own != noted.root {
                bail!(
                    "this validator signed the root {} at {} leaves, but its own log has {own} there: it signs no more",
                    noted.root,
                    noted.size
                );
            }
        }
        let checkpoint = Checkpoint { origin: entry.ledger, size, root: judged.root };
        self.noted.advance(checkpoint.clone())?;
        let cosignature = Cosignature::sign(&checkpoint, &self.cosigner.agency, now().unix_ms() / 1_000, &self.cosigner.key);
        self.cosigner.checkpoints.add(&Cosigned { checkpoint, cosignatures: vec![cosignature] });
        Ok(())
    }

    /// Whether this validator's key is one of the judging set; says so when that ends or begins.
    fn is_member(&mut self, judged: &Judged) -> bool {
        let member = judged.set.member(&self.cosigner.agency);
        let is_stranger = member.is_none_or(|member| member.cosigner != self.cosigner.key.public());
        if is_stranger && !self.is_stranger {
            tracing::warn!("{} is no member of the set that judges {} leaves: nothing is cosigned", self.cosigner.agency, judged.size);
        }
        self.is_stranger = is_stranger;
        !is_stranger
    }

    /// Whether more than two thirds of the power have cosigned beyond this size.
    fn is_passed(&self, judged: &Judged) -> bool {
        let beyond = self.cosigner.checkpoints.agencies_beyond(judged.size);
        let power = judged.set.members().iter().filter(|member| beyond.contains(&member.agency)).map(|member| member.power).sum();
        judged.set.is_quorum(power)
    }
}
