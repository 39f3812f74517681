//! `Decided`: a block is committed.

use std::sync::Arc;

use anyhow::Context as _;
use malachite_app::app::types::core::CommitCertificate;

use super::{Driver, Shared, blocking};
use crate::consensus::engine::context::{Ledger, Members};
use crate::core::validators::ValidatorSet;
use crate::log::certificate::Certificate;
use crate::store::Block;

impl Driver {
    /// Verifies the certificate once more, appends the block to the store, and moves on to the next height.
    pub(super) async fn decided(&mut self, decided: CommitCertificate<Ledger>) -> anyhow::Result<()> {
        let height = decided.height.0;
        if height < self.next.height {
            return Ok(());
        }
        let known = self.known(&decided.value_id).await?;
        let known = known.with_context(|| format!("block {} of height {height} is decided, and its body is not here", decided.value_id))?;
        let executed = known.executed;
        let certificate = certificate(&self.shared, &self.next.members, &decided)?;
        let (shared, set, appended) = (Arc::clone(&self.shared), self.next.set.clone(), Arc::clone(&executed));
        blocking(move || -> anyhow::Result<()> {
            let execution = &appended.execution;
            certificate
                .verify(&shared.genesis.origin, execution.entry.height, &decided.value_id, &set)
                .context("a certificate of the engine")?;
            forget_if_older_copy(&shared, &certificate, &set)?;
            let block = Block {
                entry: execution.entry.clone(),
                entry_leaf: Arc::clone(&appended.body.entry_leaf),
                records: appended.body.leaves.clone(),
                certificate,
            };
            shared.writer.lock().expect("no holder panics").append(&block, execution).context("appending a block")?;
            shared.pool.committed(&appended.ids);
            Ok(())
        })
        .await??;
        let records = executed.ids.len();
        self.shared.metrics.blocks_committed.inc();
        self.shared.metrics.records_committed.inc_by(u64::try_from(records).expect("a block's records fit in memory"));
        let entry = &executed.execution.entry;
        tracing::info!(height, round = %decided.round, records, proposer = entry.proposer, time = %entry.time, "block committed");
        self.advance(entry.proposer.clone());
        Ok(())
    }
}

/// A certificate that holds an own signature which `last-signed` does not know of: this disk is an older copy of what it was.
/// From here on nothing is signed until it is known where this validator cannot have voted yet.
fn forget_if_older_copy(shared: &Shared, certificate: &Certificate, set: &ValidatorSet) -> anyhow::Result<()> {
    #[cfg(feature = "test-faults")]
    if crate::consensus::faults::is_unguarded() {
        return Ok(());
    }
    let Some(signer) = &shared.signer else {
        return Ok(());
    };
    let is_own_key = set.member(&shared.agency).is_some_and(|member| member.consensus == signer.public());
    let has_signed = is_own_key && certificate.signatures.iter().any(|(agency, _)| *agency == shared.agency);
    if has_signed && !signer.knows_precommit(certificate.height, certificate.round) {
        tracing::error!(height = certificate.height, "the disk is an older copy: this validator signed here and does not know it");
        signer.forget()?;
    }
    Ok(())
}

/// The ledger's form of the engine's certificate.
fn certificate(shared: &Shared, members: &Members, decided: &CommitCertificate<Ledger>) -> anyhow::Result<Certificate> {
    let signature = |signature: &malachite_app::app::types::core::CommitSignature<Ledger>| {
        let member = members.by_address(&signature.address).context("a certificate of the engine names a stranger")?;
        Ok((member.agency.clone(), signature.signature))
    };
    let mut signatures = decided.commit_signatures.iter().map(signature).collect::<anyhow::Result<Vec<_>>>()?;
    signatures.sort();
    Ok(Certificate {
        block: decided.value_id,
        height: decided.height.0,
        ledger: shared.genesis.origin.clone(),
        round: decided.round.as_u32().context("a certificate of the engine has no round")?,
        signatures,
    })
}
