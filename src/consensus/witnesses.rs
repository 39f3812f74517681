//! Asking witnesses for cosignatures of the public checkpoints (C2SP tlog-witness, the log's side).
//!
//! For each witness by itself, so that one that is down holds up nobody:
//!
//! 1. The newest public checkpoint is submitted with the consistency proof from the size that the witness is known to have,
//!    at first 0.
//! 2. A witness that has another size says so (409), and is asked again with the proof from there. One that is ahead of this
//!    node has heard from a faster one: it is asked again once a checkpoint of that size is public here.
//! 3. A cosignature that verifies under the witness's key is put on the published note, if that still has this size.
//! 4. After a failure the witness is left alone for a while, longer each time; what became public meanwhile is passed over.
//!
//! Nothing waits for a witness: the quorum of validators makes a checkpoint public without it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::consensus::checkpoints::{Checkpoints, PublicCheckpoint};
use crate::core::key::{Algorithm, VerifierKey};
use crate::core::note::{Note, SignatureLine};
use crate::limits::{WITNESS_AGAIN_MAX, WITNESS_AGAIN_MIN, WITNESS_ANSWER_BYTES_MAX, WITNESS_TRIES_MAX, WITNESS_WAIT};
use crate::log::checkpoint::parse_decimal;
use crate::log::merkle::consistency_proof;
use crate::log::witness::{Submission, line_of_answer};
use crate::store::Reader;

/// The media type of a witness's answer that names the size it has.
const SIZE_TYPE: &str = "text/x.tlog.size";
/// Names that a policy file has other uses for.
const POLICY_NAMES: [&str; 3] = ["none", "validators", "witnesses"];

/// A witness: where it takes submissions, and the key that it cosigns with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Without a slash at the end.
    pub url: String,
    pub key: VerifierKey,
}

impl Witness {
    /// From `URL VKEY`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (url, vkey) = text.trim().split_once(' ').ok_or("URL VKEY: an address, a space, and the witness's vkey")?;
        let has_scheme = url.starts_with("http://") || url.starts_with("https://");
        if !has_scheme || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("an address such as https://witness.example");
        }
        let key = VerifierKey::parse(vkey.trim()).map_err(|_| "a vkey: <name>+<key id>+<base64>")?;
        if key.algorithm() != Algorithm::Cosignature {
            return Err("a vkey of a cosigner: its base64 begins with the byte 0x04");
        }
        if POLICY_NAMES.contains(&key.name()) {
            return Err("a witness named otherwise than none, validators or witnesses");
        }
        Ok(Witness { url: url.trim_end_matches('/').to_owned(), key })
    }
}

/// The task that asks all witnesses.
pub struct Witnesses {
    pub witnesses: Vec<Witness>,
    pub reader: Reader,
    pub checkpoints: Arc<Checkpoints>,
}

impl Witnesses {
    /// Asks until `stop`.
    ///
    /// # Errors
    /// A witness whose name is one of the ledger's own.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let origin = &self.reader.genesis().origin;
        for Witness { key, .. } in &self.witnesses {
            let is_own = key.name().strip_prefix(origin.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            ensure!(!is_own, "the witness {} bears a name of this ledger; expected one of its own", key.name());
        }
        let mut asking = JoinSet::new();
        for witness in self.witnesses {
            let follower = Follower::new(witness, self.reader.clone(), Arc::clone(&self.checkpoints));
            asking.spawn(follower.run(stop.clone()));
        }
        while let Some(ended) = asking.join_next().await {
            ended.context("the task of a witness panicked")?;
        }
        Ok(())
    }
}

/// What a witness answered.
enum Answer {
    Cosigned(SignatureLine),
    /// The size that it has.
    Has(u64),
}

/// One witness, and what is known of it.
struct Follower {
    witness: Arc<Witness>,
    reader: Reader,
    checkpoints: Arc<Checkpoints>,
    publics: watch::Receiver<Option<Arc<PublicCheckpoint>>>,
    agent: ureq::Agent,
    /// The size that the witness has.
    known: u64,
    /// Public sizes up to this one are done with.
    done: u64,
    /// After the next failure.
    pause: Duration,
}

impl Follower {
    fn new(witness: Witness, reader: Reader, checkpoints: Arc<Checkpoints>) -> Self {
        let agent =
            ureq::Agent::config_builder().timeout_global(Some(WITNESS_WAIT)).http_status_as_error(false).max_redirects(0).build().into();
        Follower {
            witness: Arc::new(witness),
            reader,
            publics: checkpoints.subscribe(),
            checkpoints,
            agent,
            known: 0,
            done: 0,
            pause: WITNESS_AGAIN_MIN,
        }
    }

    async fn run(mut self, stop: CancellationToken) {
        loop {
            let public = self.publics.borrow_and_update().clone();
            let least = self.known.max(self.done.saturating_add(1));
            let step = async {
                match public.filter(|public| public.checkpoint.size >= least) {
                    Some(public) => self.ask(public).await,
                    // The checkpoints live as long as the node.
                    None => drop(self.publics.changed().await),
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = step => {}
            }
        }
    }

    /// Submits a checkpoint, again with the size that the witness names, and waits after a failure.
    async fn ask(&mut self, public: Arc<PublicCheckpoint>) {
        let size = public.checkpoint.size;
        for _ in 0..WITNESS_TRIES_MAX {
            if let Err(error) = self.submit(&public).await {
                if self.pause == WITNESS_AGAIN_MIN {
                    tracing::warn!(witness = self.witness.key.name(), url = self.witness.url, "no cosignature: {error:#}");
                }
                tokio::time::sleep(self.pause).await;
                self.pause = (self.pause * 2).min(WITNESS_AGAIN_MAX);
                return;
            }
            if self.done >= size || self.known > size {
                if self.pause > WITNESS_AGAIN_MIN {
                    tracing::info!(witness = self.witness.key.name(), "cosigns again");
                }
                self.pause = WITNESS_AGAIN_MIN;
                return;
            }
        }
        tokio::time::sleep(WITNESS_AGAIN_MIN).await;
    }

    async fn submit(&mut self, public: &Arc<PublicCheckpoint>) -> anyhow::Result<()> {
        let (agent, witness, reader, known) = (self.agent.clone(), Arc::clone(&self.witness), self.reader.clone(), self.known);
        let (checkpoints, public) = (Arc::clone(&self.checkpoints), Arc::clone(public));
        let size = public.checkpoint.size;
        let asked = tokio::task::spawn_blocking(move || {
            let answer = submit(&agent, &witness, &reader, known, &public)?;
            if let Answer::Cosigned(line) = &answer {
                checkpoints.witness(&public.checkpoint, line.clone())?;
            }
            anyhow::Ok(answer)
        });
        match asked.await.context("asking a witness ended early")?? {
            Answer::Cosigned(_) => (self.known, self.done) = (size, size),
            Answer::Has(other) => self.known = other,
        }
        Ok(())
    }
}

/// One submission, from the size `known`; blocking.
fn submit(agent: &ureq::Agent, witness: &Witness, reader: &Reader, known: u64, public: &PublicCheckpoint) -> anyhow::Result<Answer> {
    let note = Note::parse(public.note.as_bytes())?;
    let proof = consistency_proof(reader, known, public.checkpoint.size)?;
    let text = note.text.clone();
    let body = Submission { old: known, proof, note }.to_text();
    let request = agent.post(format!("{}/add-checkpoint", witness.url)).header("content-type", "text/plain; charset=utf-8");
    let mut response = request.send(body.as_str())?;
    let (status, content_type) = (response.status().as_u16(), header(&response, "content-type"));
    let answer = response.body_mut().with_config().limit(WITNESS_ANSWER_BYTES_MAX).read_to_string()?;
    match status {
        200 => match line_of_answer(&answer, &text, &witness.key) {
            Some(line) => Ok(Answer::Cosigned(line)),
            None => bail!("its answer has no cosignature that verifies under {}", witness.key),
        },
        409 if content_type.split(';').next() == Some(SIZE_TYPE) => match answer.strip_suffix('\n').and_then(parse_decimal) {
            Some(other) if other != known => Ok(Answer::Has(other)),
            _ => bail!("it refuses the size {known} and names {answer:?}; expected another tree size"),
        },
        _ => bail!("status {status}: {}", answer.chars().take(300).collect::<String>().escape_debug()),
    }
}

fn header(response: &ureq::http::Response<ureq::Body>, name: &str) -> String {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::key::SecretKey;

    #[test]
    fn a_witness_is_an_address_and_a_cosigner_key() {
        let vkey = |name: &str, algorithm| VerifierKey::new(name.into(), algorithm, SecretKey::from_seed(&[5; 32]).public()).unwrap();
        let good = vkey("w.example/1", Algorithm::Cosignature);
        let witness = Witness::parse(&format!("https://w.example/x/ {good}")).unwrap();
        assert_eq!((witness.url.as_str(), &witness.key), ("https://w.example/x", &good));
        for bad in [
            good.to_string(),
            format!("w.example {good}"),
            format!("https://w.example {}", vkey("w.example/1", Algorithm::Ed25519)),
            format!("https://w.example {}", vkey("validators", Algorithm::Cosignature)),
            "https://w.example x+y+z".to_owned(),
        ] {
            assert!(Witness::parse(&bad).is_err(), "{bad}");
        }
    }
}
