//! `node.admit`: an agency's follower joins every node's allow-list.
//!
//! - R-NODE-1: peer id and publication key were never registered, for any use.
//! - R-NODE-2: at most 4 followers an agency.
//!
//! `node.remove`: it leaves the list.
//!
//! - R-NODE-3: the peer is a follower of the writer, or of an agency whose chain of successors ends with it.

use crate::core::fields::Fields;
use crate::core::genesis::{multiaddresses, peer, peer_key};
use crate::core::key::{PublicKey, Role};
use crate::core::kinds::{KindRules, Place, check_new_key, check_refs, check_writer_signs};
use crate::core::limits::NODES_MAX;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, Reach};

/// The body of node.admit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAdmit {
    pub reach: Reach,
    publication: PublicKey,
    network: PublicKey,
}

/// The body of node.remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRemove {
    pub peer: String,
}

impl NodeAdmit {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let addresses = multiaddresses(fields, "addresses")?;
        let peer = peer(fields)?;
        let publication = fields.public_key("publication")?;
        let records = multiaddresses(fields, "records")?;
        let network = peer_key(&peer)?;
        Ok(NodeAdmit { reach: Reach { addresses, peer, publication: publication.to_base64(), records }, publication, network })
    }
}

impl KindRules for NodeAdmit {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Head)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        check_new_key(place, &self.network, "R-NODE-1")?;
        check_new_key(place, &self.publication, "R-NODE-1")?;
        if self.network == self.publication {
            return Err(Refusal::rule("R-NODE-1", Code::Duplicate, self.reach.publication.as_str(), "two keys for two uses"));
        }
        let agency = &place.record.by;
        let mut nodes = tables::admitted_nodes(place.state, agency);
        if nodes.len() >= NODES_MAX {
            let found = format!("{} followers of {agency}", nodes.len() + 1);
            return Err(Refusal::rule("R-NODE-2", Code::LimitExceeded, found, format!("at most {NODES_MAX}")));
        }
        nodes.push(self.reach.clone());
        let mut changes = place.rows([]);
        tables::put_public(&mut changes, &self.network);
        tables::put_public(&mut changes, &self.publication);
        tables::put_admitted_nodes(&mut changes, place.state, agency, nodes);
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, _subjects: &mut Subjects) {}
}

impl NodeRemove {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        Ok(NodeRemove { peer: peer(fields)? })
    }
}

impl KindRules for NodeRemove {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Head)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let owner = tables::followers(place.state).into_iter().find(|agency| {
            tables::stands_for(place.state, &place.record.by, agency)
                && tables::admitted_nodes(place.state, agency).iter().any(|node| node.peer == self.peer)
        });
        let Some(owner) = owner else {
            let expected = format!("a follower of {}", place.record.by);
            return Err(Refusal::rule("R-NODE-3", Code::RefUnknown, self.peer.as_str(), expected));
        };
        let mut nodes = tables::admitted_nodes(place.state, &owner);
        nodes.retain(|node| node.peer != self.peer);
        let mut changes = place.rows([]);
        tables::put_admitted_nodes(&mut changes, place.state, &owner, nodes);
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, _subjects: &mut Subjects) {}
}
