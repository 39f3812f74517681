//! Which of its keys a node works with at a height: those that the ledger names.
//!
//! A home holds `keys/<name>.pem`, and beside them `keys/next/<name>.pem` for keys that a `validator.change` announces. From
//! the height that it names on, the node works with them; until then with the old ones. A node whose agency has no validator
//! in the set, or one with other keys, follows.

use std::path::Path;

use anyhow::{Result, bail};

use crate::core::genesis::peer_id;
use crate::core::key::{PublicKey, SecretKey};
use crate::core::rules::{self, NodeState};
use crate::core::state::Rows;
use crate::keystore::{KeyError, NodeKeys, PAST_DIR};

/// All keys of a home: those in use first, then those to come.
pub struct HeldKeys {
    consensus: Vec<SecretKey>,
    cosigner: Vec<SecretKey>,
    publication: Vec<SecretKey>,
    network: Vec<SecretKey>,
    /// Whether keys of this home were replaced: a height of the past may name those.
    has_past: bool,
}

/// The keys of a member of the validator set.
pub struct VotingKeys {
    pub consensus: SecretKey,
    pub cosigner: SecretKey,
    /// The height is the first at which its consensus key counts.
    pub has_just_joined: bool,
}

/// What a node is from a height on.
pub struct Identity {
    /// `None` for a follower.
    pub voting: Option<VotingKeys>,
    pub publication: SecretKey,
    pub network: SecretKey,
}

/// The public keys of an [`Identity`]: two that are equal are the same.
pub type Marks = (Option<(PublicKey, PublicKey)>, PublicKey, PublicKey);

impl Identity {
    pub fn marks(&self) -> Marks {
        let voting = self.voting.as_ref().map(|voting| (voting.consensus.public(), voting.cosigner.public()));
        (voting, self.publication.public(), self.network.public())
    }

    /// All public keys in use.
    pub fn publics(&self) -> Vec<PublicKey> {
        let voting = self.voting.iter().flat_map(|voting| [voting.consensus.public(), voting.cosigner.public()]);
        voting.chain([self.publication.public(), self.network.public()]).collect()
    }
}

/// Another holder of the key.
pub fn copy(key: &SecretKey) -> SecretKey {
    SecretKey::from_dalek(key.dalek().clone())
}

impl HeldKeys {
    /// # Errors
    /// [`KeyError`].
    pub fn load(dir: &Path) -> Result<Self, KeyError> {
        let NodeKeys { consensus, cosigner, publication, network } = NodeKeys::load(dir)?;
        let mut held = HeldKeys {
            consensus: consensus.into_iter().collect(),
            cosigner: cosigner.into_iter().collect(),
            publication: vec![publication],
            network: vec![network],
            has_past: dir.join(PAST_DIR).exists(),
        };
        let next = NodeKeys::load_next(dir)?;
        held.consensus.extend(next.consensus);
        held.cosigner.extend(next.cosigner);
        held.publication.extend(next.publication);
        held.network.extend(next.network);
        Ok(held)
    }

    /// What the node of `agency` with these keys is at `height`, as far as `state` knows.
    ///
    /// # Errors
    /// Some of the validator's keys are here and others are not, and none was ever replaced.
    pub fn identity(&self, state: &dyn Rows, height: u64, agency: &str) -> Result<Identity> {
        let nodes = rules::nodes(state, height);
        let of_agency = || nodes.iter().filter(|node| node.agency == agency);
        let set = rules::validator_set(state, height);
        let reach = of_agency().rfind(|node| node.from > 0 && node.from <= height);
        if let Some((member, reach)) = set.member(agency).zip(reach) {
            let consensus = find(&self.consensus, &member.consensus);
            let cosigner = find(&self.cosigner, &member.cosigner);
            let publication = self.publication.iter().find(|key| key.public().to_base64() == reach.publication);
            let network = self.network.iter().find(|key| peer_id(&key.public()) == reach.peer);
            match (consensus, cosigner, publication, network) {
                (Some(consensus), Some(cosigner), Some(publication), Some(network)) => {
                    let before = rules::validator_set(state, height.saturating_sub(1));
                    let voted = before.member(agency).is_some_and(|before| before.consensus == member.consensus);
                    let voting = VotingKeys { consensus: copy(consensus), cosigner: copy(cosigner), has_just_joined: height > 1 && !voted };
                    return Ok(Identity { voting: Some(voting), publication: copy(publication), network: copy(network) });
                }
                // Another node of the agency is the validator.
                (None, _, _, None) => {}
                // It catches up through heights at which its old keys counted.
                _ if self.has_past => {}
                (consensus, cosigner, publication, _) => {
                    let missing = [
                        ("consensus", consensus.is_none()),
                        ("cosigner", cosigner.is_none()),
                        ("publication", publication.is_none()),
                        ("network", true),
                    ];
                    let name = missing.iter().find(|(_, is_missing)| *is_missing).map_or("network", |(name, _)| name);
                    bail!("keys/{name}.pem is not the {name} key that the ledger names for {agency} at height {height}");
                }
            }
        }
        let admitted = |node: &&NodeState| self.network.iter().any(|key| peer_id(&key.public()) == node.peer);
        let own = of_agency().find(admitted);
        let network = own.and_then(|own| self.network.iter().find(|key| peer_id(&key.public()) == own.peer));
        let publication = own.and_then(|own| self.publication.iter().find(|key| key.public().to_base64() == own.publication));
        Ok(Identity {
            voting: None,
            publication: copy(publication.unwrap_or(&self.publication[0])),
            network: copy(network.unwrap_or(&self.network[0])),
        })
    }
}

fn find<'a>(held: &'a [SecretKey], public: &PublicKey) -> Option<&'a SecretKey> {
    held.iter().find(|key| key.public() == *public)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::genesis::Genesis;
    use crate::core::hash::Hash;
    use crate::keystore::make_dir;
    use crate::store;

    const GENESIS: &[u8] = include_bytes!("../../tests/vectors/genesis.json");

    /// A key of agency-0 in the vectors' genesis.
    fn secret(name: &str) -> SecretKey {
        SecretKey::from_seed(&Hash::of(format!("sharelog/vectors/v1\nagency-0/{name}").as_bytes()).0)
    }

    #[test]
    fn a_home_votes_with_the_keys_that_the_ledger_names_and_a_mixed_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let genesis = Arc::new(Genesis::parse(GENESIS).unwrap());
        let (writer, reader) = store::open(&dir.path().join("data"), genesis, 1 << 20).unwrap();
        let home = |name: &str, consensus: SecretKey| {
            let keys = dir.path().join(name);
            let (cosigner, publication, network) = (Some(secret("cosigner")), secret("publication"), secret("network"));
            NodeKeys { consensus: Some(consensus), cosigner, publication, network }.write(&keys).unwrap();
            keys
        };
        let identity = |keys: &Path| HeldKeys::load(keys).unwrap().identity(&reader, 1, "agency-0");
        let voting = identity(&home("good", secret("consensus"))).unwrap().voting.unwrap();
        assert!(!voting.has_just_joined, "the set of the genesis votes from the start");
        let mixed = home("mixed", SecretKey::from_seed(&[9; 32]));
        let refused = identity(&mixed).err().expect("another consensus key").to_string();
        assert!(refused.contains("keys/consensus.pem"), "{refused}");
        // Its consensus key was replaced, and its data were lost: it passes the old heights as a follower.
        make_dir(&mixed.join(PAST_DIR)).unwrap();
        assert!(identity(&mixed).unwrap().voting.is_none());
        writer.close().unwrap();
    }
}
