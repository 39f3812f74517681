//! `ProcessSyncedValue`, `GetDecidedValues`: catching up from peers, and serving those that do.

use std::ops::RangeInclusive;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use malachite_app::app::engine::host::SyncedValueOutcome;
use malachite_app::app::types::core::{ExtendedCommitCertificate, ExtendedCommitSignature, Round, Validity};
use malachite_app::app::types::sync::RawDecidedValue;

use super::blocks::{Known, Proposed};
use super::{Driver, Shared, blocking, execute};
use crate::consensus::engine::body::Body;
use crate::consensus::engine::context::{Address, Height, Ledger};
use crate::core::rules;
use crate::limits::SYNC_ANSWER_BYTES_MAX;
use crate::store::Block;

impl Driver {
    /// A peer sent a decided block, whose certificate the engine has verified: executes it like a proposal, without a look
    /// at the clock. The first block waits until it is settled what this validator may sign.
    pub(super) async fn synced_value(
        &mut self,
        height: Height,
        round: Round,
        proposer: Address,
        bytes: Bytes,
    ) -> anyhow::Result<SyncedValueOutcome<Ledger>> {
        let Some(round) = round.as_u32().filter(|_| height.0 == self.next.height) else {
            return Ok(SyncedValueOutcome::LocalTransientError);
        };
        if self.may_have_lost_disk() {
            return Ok(SyncedValueOutcome::LocalTransientError);
        }
        let proposed = Proposed { height: height.0, round, valid_round: None, proposer };
        let Ok(body) = Body::parse(bytes.clone()) else {
            return Ok(SyncedValueOutcome::PeerFault);
        };
        let block = body.hash();
        if !self.blocks.is_kept(&block) {
            let shared = Arc::clone(&self.shared);
            let head = Arc::clone(&self.next.head);
            let executed = match blocking(move || execute::execute(&shared, &head, body)).await? {
                Ok(executed) => executed,
                Err(fault) => {
                    tracing::error!(%height, %block, reason = %fault, "a decided block from a peer does not hold here");
                    return Ok(SyncedValueOutcome::PeerFault);
                }
            };
            self.keep(block, Known { proposed, executed: Arc::new(executed), bytes }).await?;
        }
        Ok(SyncedValueOutcome::Verdict(proposed.value(block, Validity::Valid)))
    }

    /// Decided blocks for a peer, as many from the range's start as an answer holds.
    pub(super) async fn decided_values(&self, range: RangeInclusive<Height>) -> anyhow::Result<Vec<RawDecidedValue<Ledger>>> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let (mut values, mut bytes) = (Vec::new(), 0);
            for height in range.start().0..=range.end().0 {
                let Some(block) = shared.reader.block(height)? else {
                    break;
                };
                let value = decided_value(&shared, &block)?;
                bytes += value.value_bytes.len();
                if bytes > SYNC_ANSWER_BYTES_MAX && !values.is_empty() {
                    break;
                }
                values.push(value);
            }
            #[cfg(feature = "test-faults")]
            let values = falsified(values);
            Ok(values)
        })
        .await?
    }
}

/// What a node that lies makes of its answer.
#[cfg(feature = "test-faults")]
fn falsified(mut values: Vec<RawDecidedValue<Ledger>>) -> Vec<RawDecidedValue<Ledger>> {
    use crate::consensus::faults::{SyncLie, sync_lie};
    let Some(lie) = sync_lie().filter(|_| !values.is_empty()) else {
        return values;
    };
    tracing::warn!(?lie, "lying to a peer");
    match lie {
        SyncLie::Empty => values.clear(),
        SyncLie::Gap => drop(values.remove(0)),
        SyncLie::Backwards => values.reverse(),
        SyncLie::Cut => values.iter_mut().for_each(|value| value.value_bytes.truncate(value.value_bytes.len() / 2)),
        SyncLie::FalseSignatures => {
            let signatures = values.iter_mut().flat_map(|value| &mut value.certificate.commit_signatures);
            signatures.for_each(|signature| signature.signature[5] ^= 1);
        }
        SyncLie::ForeignSet => {
            let signatures = values.iter_mut().flat_map(|value| &mut value.certificate.commit_signatures);
            signatures.for_each(|signature| signature.address.0[0] ^= 1);
        }
        SyncLie::Huge => {
            let held: usize = values.iter().map(|value| value.value_bytes.len()).sum();
            let zeros = vec![0; SYNC_ANSWER_BYTES_MAX.saturating_sub(held)];
            let last = values.last_mut().expect("there is one");
            last.value_bytes = [&last.value_bytes[..], &zeros].concat().into();
        }
        SyncLie::Late => std::thread::sleep(crate::limits::SYNC_REQUEST_TIMEOUT + std::time::Duration::from_secs(1)),
    }
    values
}

fn decided_value(shared: &Shared, block: &Block) -> anyhow::Result<RawDecidedValue<Ledger>> {
    let certificate = &block.certificate;
    let set = rules::validator_set(&shared.reader, certificate.height);
    let signature = |(agency, signature): &(String, [u8; 64])| {
        let member = set.member(agency).with_context(|| format!("the certificate of height {} names {agency}", certificate.height))?;
        Ok(ExtendedCommitSignature::new(Address::from(&member.consensus), *signature, None))
    };
    let certificate = ExtendedCommitCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        value_id: certificate.block,
        commit_signatures: certificate.signatures.iter().map(signature).collect::<anyhow::Result<_>>()?,
    };
    Ok(RawDecidedValue::new(Body::of_block(block).to_bytes()?, certificate))
}
