//! The log as it is: blocks, validators, proofs, checkpoint, tiles, policy, genesis.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderValue, Uri};
use axum::response::Response;

use crate::api::Shared;
use crate::api::parameters::{Parameters, Segment};
use crate::api::problem::Failed;
use crate::api::reply;
use crate::api::tiles::FullTile;
use crate::core::json::{Value, object};
use crate::core::key::{Algorithm, VerifierKey, cosigner_key_name};
use crate::core::refusal::{Code, Refusal};
use crate::core::rules;
use crate::log::checkpoint::policy_text;
use crate::log::tile::{TileName, parse_path};
use crate::query::{QueryError, blocks, proofs};
use crate::web;

type Answer = Result<Response, Failed>;

/// Leaves of a full tile of hashes, and of a full bundle of entries.
const TILE_WIDTH: u64 = 256;

pub async fn block(State(shared): State<Arc<Shared>>, segment: Segment, uri: Uri) -> Answer {
    Parameters::of(&uri, &[])?;
    let height = segment.number()?;
    let block = shared.read(move |reader| blocks::block(reader, height)).await?;
    Ok(reply::immutable(reply::JSON, block.to_jcs().into_bytes()))
}

pub async fn validators(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let height = Parameters::of(&uri, &["height"])?.number("height")?;
    let set = shared.read(move |reader| blocks::validators(reader, height)).await?;
    Ok(reply::json(&set))
}

/// What this node's engine met of double votes and proposals: each item is a proof that verifies offline.
pub async fn misbehaviour(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let parameters = Parameters::of(&uri, &["agency"])?;
    let agency = parameters.get("agency");
    let head = shared.api.reader.head();
    let proofs = shared.api.misbehaviours.all();
    let of_agency = proofs.iter().filter(|proof| agency.is_none_or(|agency| proof.agency.eq_ignore_ascii_case(agency)));
    Ok(reply::json(&object([
        ("as_of", head.time.to_string().into()),
        ("items", Value::Array(of_agency.map(|proof| proof.to_value()).collect())),
        ("position", head.size.into()),
        ("source", "proven".into()),
    ])))
}

/// The offline verifier of evidence files, to be used here or kept.
pub async fn verifier_page() -> Response {
    let page = web::verifier();
    let mut response = reply::body(reply::HTML, page.html.as_str());
    let policy = HeaderValue::from_str(&page.policy).expect("hashes in base64 between words");
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}

pub async fn verifier_module() -> Response {
    reply::body(reply::SCRIPT, web::VERIFIER_MODULE)
}

pub async fn inclusion(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let parameters = Parameters::of(&uri, &["position", "size"])?;
    let (position, size) = (parameters.required_number("position")?, parameters.required_number("size")?);
    let proof = shared.read(move |reader| proofs::inclusion(reader, position, size)).await?;
    Ok(reply::immutable(reply::JSON, proof.to_jcs().into_bytes()))
}

pub async fn consistency(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let parameters = Parameters::of(&uri, &["from", "to"])?;
    let (from, to) = (parameters.required_number("from")?, parameters.required_number("to")?);
    let proof = shared.read(move |reader| proofs::consistency(reader, from, to)).await?;
    Ok(reply::immutable(reply::JSON, proof.to_jcs().into_bytes()))
}

/// The public checkpoint; none is public before the validators have met and made block 1.
pub async fn checkpoint(State(shared): State<Arc<Shared>>) -> Answer {
    let public = shared.api.checkpoints.public();
    let public = public.ok_or_else(|| Refusal::new(Code::NotCovered, "no public checkpoint", "one cosigned by a quorum"))?;
    Ok(reply::body(reply::TEXT, public.note.clone()))
}

/// A tile or an entry bundle, as far as the public checkpoint reaches.
pub async fn tile(State(shared): State<Arc<Shared>>, Segment(rest): Segment) -> Answer {
    let nothing = |expected: &str| Refusal::new(Code::NotFound, format!("/tile/{rest}"), expected);
    let name = parse_path(&rest).ok_or_else(|| nothing("/tile/<L>/<N>[.p/<W>] or /tile/entries/<N>[.p/<W>]"))?;
    let size = shared.api.checkpoints.public().map_or(0, |public| public.checkpoint.size);
    if end_of(&name).is_none_or(|end| end > size) {
        return Err(nothing(&format!("a tile within the public size, {size}")).into());
    }
    if let Some(kept) = shared.tiles.get(&name) {
        return Ok(reply::tagged(reply::BYTES, kept.bytes, &kept.tag));
    }
    let TileName { level, index, width } = name;
    let bytes = shared
        .read(move |reader| {
            let bytes = match level {
                Some(level) => reader.tile(level, index, width)?,
                None => reader.entries(index, width)?,
            };
            bytes.ok_or_else(|| QueryError::not_found(format!("tile {index}"), "a tile within this node's tree"))
        })
        .await?;
    if u64::from(width) < TILE_WIDTH {
        return Ok(reply::body(reply::BYTES, bytes));
    }
    let full = FullTile { tag: reply::tag_of(&bytes), bytes: bytes.into() };
    shared.tiles.keep(name, full.clone());
    Ok(reply::tagged(reply::BYTES, full.bytes, &full.tag))
}

/// How many leaves the tree has at least when it has this tile; `None` beyond all numbers.
fn end_of(name: &TileName) -> Option<u64> {
    let below = TILE_WIDTH.checked_pow(name.level.unwrap_or(0))?;
    name.index.checked_mul(TILE_WIDTH)?.checked_add(u64::from(name.width))?.checked_mul(below)
}

/// A C2SP tlog-policy: this node's publication key, a quorum of the newest block's validators, and the witnesses.
pub async fn policy(State(shared): State<Arc<Shared>>) -> Answer {
    let publication = shared.api.publication.clone();
    let witnesses: Vec<_> = shared.api.witnesses.iter().map(|witness| (witness.key.clone(), witness.url.clone())).collect();
    let text = shared
        .read(move |reader| {
            let set = rules::validator_set(reader, reader.head().height.max(1));
            let origin = &reader.genesis().origin;
            let cosigner = |member: &crate::core::validators::Member| {
                VerifierKey::new(cosigner_key_name(origin, &member.agency), Algorithm::Cosignature, member.cosigner)
            };
            let cosigners = set.members().iter().map(cosigner).collect::<Result<Vec<_>, _>>()?;
            Ok(policy_text(&publication, &cosigners, &witnesses))
        })
        .await?;
    Ok(reply::body(reply::TEXT, text))
}

/// The exact bytes of the genesis file.
pub async fn genesis(State(shared): State<Arc<Shared>>) -> Response {
    reply::immutable(reply::JSON, shared.api.reader.genesis().bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_ends_where_its_last_hash_ends() {
        let end = |level, index, width| end_of(&TileName { level, index, width });
        assert_eq!(end(Some(0), 0, 256), Some(256));
        assert_eq!(end(Some(1), 0, 3), Some(768));
        assert_eq!(end(None, 2, 7), Some(519));
        assert_eq!(end(Some(0), u64::MAX, 1), None);
        assert_eq!(end(Some(63), 0, 1), None);
    }
}
