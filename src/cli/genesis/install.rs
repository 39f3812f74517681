//! A finished genesis into a home: checked against the home's keys, then copied, and the vkey files written.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;
use crate::cli::genesis::files;
use crate::cli::genesis::part::{self, Part};
use crate::core::genesis::Genesis;
use crate::core::key::{Algorithm, PublicKey, Role, SecretKey, VerifierKey, agency_key_name};
use crate::keystore::{self, NodeKeys};

/// The genesis file's name in a home.
pub const GENESIS_FILE: &str = "genesis.json";
/// The folder of a node's own keys in a home.
pub const KEYS_DIR: &str = "keys";

/// What was installed.
#[derive(Debug)]
pub struct Installed {
    pub agency: String,
    pub vkeys: Vec<PathBuf>,
}

/// Installs `genesis` into `home`, as `node init` or `genesis part` made it.
///
/// 1. Every key of the home must stand in the genesis, under the agency of `part.json` and for its role; an agency, or a
///    node, that joins a running ledger stands there with none.
/// 2. `genesis.json` is copied; one that is there must be the same.
/// 3. `<role>.vkey` is written beside each key whose name holds the origin.
///
/// # Errors
/// [`Failure::Configuration`] when a key is not in the genesis; what reading and writing gives.
pub fn install(home: &Path, genesis: &Genesis) -> anyhow::Result<Installed> {
    let agency = Part::read(&home.join(part::FILE))?.agency.id;
    let agency_keys = agency_keys(home, genesis, &agency)?;
    let node_keys = home.join(KEYS_DIR).exists().then(|| NodeKeys::load(&home.join(KEYS_DIR))).transpose()?;
    if let Some(keys) = &node_keys {
        check_validator(genesis, &agency, keys)?;
    }
    copy_genesis(home, genesis)?;
    let mut vkeys = Vec::new();
    for (pem, vkey) in agency_keys {
        keystore::write_vkey(&pem, &vkey)?;
        vkeys.push(keystore::vkey_path(&pem));
    }
    if let Some(keys) = node_keys {
        let dir = home.join(KEYS_DIR);
        vkeys.extend(keys.write_vkeys(&dir, &genesis.origin, &agency)?);
    }
    Ok(Installed { agency, vkeys })
}

/// The agency's key files with the vkeys that they have under this genesis.
fn agency_keys(home: &Path, genesis: &Genesis, agency: &str) -> anyhow::Result<Vec<(PathBuf, VerifierKey)>> {
    let dir = home.join(part::AGENCY_DIR);
    let mut found = Vec::new();
    if !dir.exists() {
        return Ok(found);
    }
    let joins = genesis.agencies.iter().all(|known| known.id != agency);
    for entry in fs::read_dir(&dir).map_err(|error| Failure::Unreadable(format!("{}: {error}", dir.display())))? {
        let pem = entry?.path();
        if pem.extension().is_none_or(|extension| extension != "pem") {
            continue;
        }
        let role = pem.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let role = Role::parse(&role).map_err(|refusal| Failure::Configuration(format!("{}: {refusal}", pem.display())))?;
        let public = keystore::load_secret(&pem)?.public();
        if joins {
            found.push((pem, VerifierKey::new(agency_key_name(&genesis.origin, agency, role), Algorithm::Ed25519, public)?));
            continue;
        }
        let vkey = vkey_of(genesis, &public).filter(|(owner, registered, _)| owner == agency && *registered == role);
        let (_, _, vkey) = vkey.ok_or_else(|| {
            Failure::Configuration(format!("{}: the genesis holds no such key of {agency} for role {role}", pem.display()))
        })?;
        found.push((pem, vkey));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Agency, role and vkey of a public key that a genesis registers.
pub fn vkey_of(genesis: &Genesis, public: &PublicKey) -> Option<(String, Role, VerifierKey)> {
    genesis.agencies.iter().find_map(|agency| {
        let (role, public) = agency.keys.iter().find(|(_, known)| known == public)?;
        let name = agency_key_name(&genesis.origin, &agency.id, *role);
        Some((agency.id.clone(), *role, VerifierKey::new(name, Algorithm::Ed25519, *public).ok()?))
    })
}

/// A validator that the genesis lists has these keys; one that joins a running ledger has none of them.
fn check_validator(genesis: &Genesis, agency: &str, keys: &NodeKeys) -> Result<(), Failure> {
    let Some(validator) = genesis.validators.iter().find(|validator| validator.agency == agency) else {
        return Ok(());
    };
    let is = |key: &Option<SecretKey>, public: &PublicKey| key.as_ref().is_some_and(|key| key.public() == *public);
    let pairs = [
        ("consensus", is(&keys.consensus, &validator.consensus)),
        ("cosigner", is(&keys.cosigner, &validator.cosigner)),
        ("publication", validator.publication == keys.publication.public()),
        ("network", validator.peer == keystore::peer_id(&keys.network.public())),
    ];
    match pairs.iter().find(|(_, same)| !same) {
        Some((name, _)) if pairs.iter().any(|(_, same)| *same) => {
            Err(Failure::Configuration(format!("the {name} key of this home is not the one of {agency} in the genesis")))
        }
        _ => Ok(()),
    }
}

fn copy_genesis(home: &Path, genesis: &Genesis) -> Result<(), Failure> {
    let path = home.join(GENESIS_FILE);
    if !path.exists() {
        return files::write_new(&path, &genesis.bytes);
    }
    match files::read(&path)? == *genesis.bytes {
        true => Ok(()),
        false => Err(Failure::Configuration(format!("{} is another genesis; a home belongs to one ledger", path.display()))),
    }
}
