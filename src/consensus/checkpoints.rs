//! Cosigning and the public checkpoint.

use std::path::PathBuf;
use std::sync::Arc;

use crate::core::key::SecretKey;
use crate::log::checkpoint::{Checkpoint, Cosignature};
use crate::store::Reader;

/// A checkpoint that more than two thirds of the judging set cosigned, and all earlier public ones are consistent with.
#[derive(Clone, Debug)]
pub struct PublicCheckpoint {
    pub checkpoint: Checkpoint,
    /// The published note: one 0x01 line and the cosignatures.
    pub note: String,
    /// Agencies whose cosignatures the note carries, ascending.
    pub cosigners: Vec<String>,
}

/// Cosignatures of one checkpoint, as they travel on the record swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    pub checkpoint: Checkpoint,
    pub cosignatures: Vec<Cosignature>,
}

/// The newest public checkpoint; shared by HTTP, swarm and cosigner.
pub struct Checkpoints {}

impl Checkpoints {
    /// `publication` signs what this node publishes; `file` keeps the newest public checkpoint over a restart, so that the
    /// published size never falls.
    pub fn new(_reader: Reader, _publication: SecretKey, _file: PathBuf) -> anyhow::Result<Arc<Self>> {
        todo!()
    }

    pub fn public(&self) -> Option<Arc<PublicCheckpoint>> {
        todo!()
    }

    /// Wakes at every new public checkpoint.
    pub fn subscribe(&self) -> tokio::sync::watch::Receiver<Option<Arc<PublicCheckpoint>>> {
        todo!()
    }

    /// The cosignatures that this node knows and a peer may lack: of the newest public size and of the sizes above it.
    pub fn known(&self) -> Vec<Cosigned> {
        todo!()
    }

    /// Wakes when [`Checkpoints::known`] has more to tell.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        todo!()
    }

    /// Takes cosignatures from a peer or the own cosigner; verifies each before it counts.
    pub fn add(&self, _cosigned: &Cosigned) {
        todo!()
    }
}
