//! What the node says of itself: status, life, readiness, metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use crate::api::parameters::Parameters;
use crate::api::problem::Failed;
use crate::api::{Shared, reply};
use crate::consensus::clock::now;
use crate::core::json::{Value, object, strings};
use crate::core::refusal::{Code, Refusal};
use crate::core::rules;
use crate::core::time::Time;
use crate::health::{Known, Life};
use crate::metrics::Observed;

type Answer = Result<Response, Failed>;

const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub async fn status(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    Parameters::of(&uri, &[])?;
    let api = &shared.api;
    let (head, genesis) = (api.reader.head(), api.reader.genesis());
    let (records, bytes) = api.pool.pending();
    let peer = |(known, connected): (Known, bool)| {
        object([("agency", known.agency.into()), ("connected", connected.into()), ("peer", known.peer.into())])
    };
    let mut value = object([
        ("agency", api.health.agency.as_str().into()),
        ("genesis", genesis.hash.to_hex().into()),
        (
            "head",
            object([
                ("height", head.height.into()),
                ("root", head.root.to_hex().into()),
                ("size", head.size.into()),
                ("state", head.state.to_hex().into()),
                ("time", head.time.to_string().into()),
            ]),
        ),
        ("life", api.health.life().as_str().into()),
        ("origin", genesis.origin.as_str().into()),
        ("peers", Value::Array(api.health.peers().into_iter().map(peer).collect())),
        ("pool", object([("bytes", number(bytes).into()), ("records", number(records).into())])),
        ("role", if api.health.is_validator { "validator" } else { "follower" }.into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
    ]);
    if let (Some(public), Value::Object(members)) = (api.checkpoints.public(), &mut value) {
        let mut checkpoint = object([
            ("cosigners", strings(&public.cosigners)),
            ("root", public.checkpoint.root.to_hex().into()),
            ("size", public.checkpoint.size.into()),
        ]);
        if let Value::Object(members) = &mut checkpoint
            && !public.witnesses.is_empty()
        {
            members.insert("witnesses".to_owned(), strings(&public.witnesses));
        }
        members.insert("checkpoint".to_owned(), checkpoint);
    }
    Ok(reply::json(&value))
}

/// The process answers.
pub async fn livez() -> Response {
    reply::body(reply::TEXT, "live\n")
}

/// 200 when the node is ready and its newest block is not older than two heartbeats.
pub async fn readyz(State(shared): State<Arc<Shared>>) -> Answer {
    match shared.api.health.life() {
        Life::Ready => {}
        Life::LowSpace => return Err(Refusal::new(Code::LowSpace, Life::LowSpace.as_str(), Life::Ready.as_str()).into()),
        life => return Err(Refusal::new(Code::Syncing, life.as_str(), Life::Ready.as_str()).into()),
    }
    let head = shared.api.reader.head();
    let policy = shared.read(|reader| Ok(rules::policy(reader))).await?;
    let (age_ms, age_ms_max) = (age_ms(head.time), policy.heartbeat_ms.saturating_mul(2));
    // Times of a test clock say nothing of age.
    if head.height == 0 || age_ms > age_ms_max && !policy.test_clock {
        let found = format!("height {}, {age_ms} ms old", head.height);
        return Err(Refusal::new(Code::Syncing, found, format!("a block not older than {age_ms_max} ms")).into());
    }
    Ok(reply::body(reply::TEXT, "ready\n"))
}

pub async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let api = &shared.api;
    let head = api.reader.head();
    let (pool_records, pool_bytes) = api.pool.pending();
    let peers = api.health.peers();
    api.metrics.observe(&Observed {
        head_height: head.height,
        head_size: head.size,
        head_age_ms: age_ms(head.time),
        checkpoint_size: api.checkpoints.public().map_or(0, |public| public.checkpoint.size),
        pool_records,
        pool_bytes,
        pool_oldest_ms: api.pool.oldest().map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        peers_connected: peers.values().filter(|connected| **connected).count(),
        peers_known: peers.len(),
        ready: api.health.life() == Life::Ready,
    });
    reply::body(METRICS, api.metrics.to_text())
}

/// Milliseconds since `time` by the own clock; 0 for a time ahead of it.
fn age_ms(time: Time) -> u64 {
    now().unix_ms().saturating_sub(time.unix_ms())
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
