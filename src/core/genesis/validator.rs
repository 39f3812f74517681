//! A validator of the genesis file: its keys and where its peers reach it.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::core::fields::Fields;
use crate::core::ids::check_agency;
use crate::core::json::{Value, object, strings};
use crate::core::key::PublicKey;
use crate::core::limits::{LIST_MAX, TEXT_BYTES_MAX};
use crate::core::refusal::{Code, Refusal};
use crate::core::validators::Member;

/// The bytes before an Ed25519 public key in a peer id: an identity multihash of libp2p's protobuf of a key.
const PEER_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// A validator with what its peers need to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    /// Multiaddresses of the engine's port, without the peer id.
    pub addresses: Vec<String>,
    pub agency: String,
    pub consensus: PublicKey,
    pub cosigner: PublicKey,
    /// Peer id in base58btc, one for both swarms.
    pub peer: String,
    pub power: u64,
    pub publication: PublicKey,
    /// Multiaddresses of the record swarm, without the peer id.
    pub records: Vec<String>,
}

impl Validator {
    /// # Errors
    /// `field-missing`, `field-unknown`, `field-invalid`.
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, "validator")?;
        let validator = Validator::from_fields(&mut fields)?;
        fields.end()?;
        Ok(validator)
    }

    /// As [`Validator::from_value`], leaving it to the caller to end `fields`.
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`.
    pub fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Refusal> {
        let validator = Validator {
            addresses: multiaddresses(fields, "addresses")?,
            agency: fields.checked("agency", check_agency)?.to_owned(),
            consensus: fields.public_key("consensus")?,
            cosigner: fields.public_key("cosigner")?,
            peer: peer(fields)?,
            power: fields.integer("power")?,
            publication: fields.public_key("publication")?,
            records: multiaddresses(fields, "records")?,
        };
        if validator.power != 1 {
            return Err(Refusal::new(Code::FieldInvalid, format!("power {} of {}", validator.power, validator.agency), "power 1"));
        }
        Ok(validator)
    }

    pub fn to_value(&self) -> Value {
        object([
            ("addresses", strings(&self.addresses)),
            ("agency", self.agency.as_str().into()),
            ("consensus", self.consensus.to_base64().into()),
            ("cosigner", self.cosigner.to_base64().into()),
            ("peer", self.peer.as_str().into()),
            ("power", self.power.into()),
            ("publication", self.publication.to_base64().into()),
            ("records", strings(&self.records)),
        ])
    }

    /// As block entries hash it.
    pub fn member(&self) -> Member {
        Member { agency: self.agency.clone(), consensus: self.consensus, cosigner: self.cosigner, power: self.power }
    }

    /// The four keys, the network key of the peer id among them.
    ///
    /// # Errors
    /// `field-invalid` for a peer id that is none.
    pub fn public_keys(&self) -> Result<[PublicKey; 4], Refusal> {
        Ok([self.consensus, self.cosigner, self.publication, peer_key(&self.peer)?])
    }
}

/// The peer id of an Ed25519 network key, in base58btc.
pub fn peer_id(network: &PublicKey) -> String {
    let mut bytes = PEER_PREFIX.to_vec();
    bytes.extend_from_slice(network.as_bytes());
    bs58::encode(bytes).into_string()
}

/// The network key that a peer id holds.
///
/// # Errors
/// `field-invalid` for anything but the peer id of an Ed25519 key.
pub fn peer_key(peer: &str) -> Result<PublicKey, Refusal> {
    let invalid = || Refusal::new(Code::FieldInvalid, peer, "a peer id of an Ed25519 key in base58btc");
    // 38 bytes never need more than 52 digits.
    if peer.len() > 52 {
        return Err(invalid());
    }
    let bytes = bs58::decode(peer).into_vec().map_err(|_| invalid())?;
    let key = bytes.strip_prefix(&PEER_PREFIX).ok_or_else(invalid)?;
    PublicKey::from_bytes(key.try_into().map_err(|_| invalid())?)
}

/// The member `peer`.
///
/// # Errors
/// `field-missing`, `field-invalid`.
pub(crate) fn peer(fields: &mut Fields<'_>) -> Result<String, Refusal> {
    fields.checked("peer", |peer| peer_key(peer).map(|_| ())).map(str::to_owned)
}

/// A list of multiaddresses.
///
/// # Errors
/// `field-missing`, `field-invalid`.
pub(crate) fn multiaddresses(fields: &mut Fields<'_>, name: &str) -> Result<Vec<String>, Refusal> {
    let addresses = fields.strings(name, 0, LIST_MAX)?;
    for address in &addresses {
        check_multiaddress(address).map_err(|refusal| refusal.within(&format!("validator.{name}")))?;
    }
    Ok(addresses.into_iter().map(str::to_owned).collect())
}

/// `/ip4|ip6|dns|dns4|dns6/<host>/tcp/<port>`: what both swarms can dial; without the peer id.
fn check_multiaddress(address: &str) -> Result<(), Refusal> {
    let invalid = || Refusal::new(Code::FieldInvalid, address, "a multiaddress as /ip4/127.0.0.1/tcp/26600, without a peer id");
    let parts: Vec<&str> = address.split('/').collect();
    let ["", family, host, "tcp", port] = parts[..] else {
        return Err(invalid());
    };
    let host_ok = match family {
        "ip4" => host.parse::<Ipv4Addr>().is_ok(),
        "ip6" => host.parse::<Ipv6Addr>().is_ok(),
        "dns" | "dns4" | "dns6" => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')),
        _ => false,
    };
    let port_ok = port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port);
    if host_ok && port_ok && address.len() <= TEXT_BYTES_MAX { Ok(()) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::key::SecretKey;

    #[test]
    fn a_peer_id_holds_its_network_key() {
        let public = SecretKey::from_seed(&[7; 32]).public();
        let peer = peer_id(&public);
        assert!(peer.starts_with("12D3KooW"), "{peer}");
        assert_eq!(peer_key(&peer).unwrap(), public);
        for bad in ["", "12D3KooW", &peer[1..], &format!("{peer}1"), &"1".repeat(100)] {
            assert!(peer_key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_multiaddress_is_a_host_and_a_port() {
        for good in ["/ip4/127.0.0.1/tcp/26600", "/ip6/::1/tcp/1", "/dns4/node0.example/tcp/443"] {
            assert!(check_multiaddress(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "ip4/127.0.0.1/tcp/1",
            "/ip4/127.0.0.1/tcp/0",
            "/ip4/127.0.0.1/tcp/01",
            "/ip4/300.0.0.1/tcp/1",
            "/ip4/127.0.0.1/udp/1",
            "/ip4/127.0.0.1/tcp/65536",
            "/ip4/127.0.0.1/tcp/1/p2p/12D3KooW",
            "/dns4//tcp/1",
        ] {
            assert!(check_multiaddress(bad).is_err(), "{bad}");
        }
    }
}
