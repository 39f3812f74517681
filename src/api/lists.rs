//! The lists, and their single items by id.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use crate::api::Shared;
use crate::api::parameters::{Parameters, Segment};
use crate::api::problem::Failed;
use crate::api::reply;
use crate::core::json::Value;
use crate::query::page::Filter;
use crate::query::{QueryError, blocks, catalogue, chain, history, records, sharing};
use crate::store::Reader;

type Answer = Result<Response, Failed>;
type Shares = State<Arc<Shared>>;

const EVERY: [&str; 8] = ["agency", "kind", "dataset", "request", "from", "to", "after", "limit"];
const BY_AGENCY: [&str; 5] = ["agency", "from", "to", "after", "limit"];
const BY_DATASET: [&str; 6] = ["agency", "dataset", "from", "to", "after", "limit"];
const BY_REQUEST: [&str; 7] = ["agency", "dataset", "request", "from", "to", "after", "limit"];
const BY_TIME: [&str; 4] = ["from", "to", "after", "limit"];
const PAGED: [&str; 2] = ["after", "limit"];

pub async fn records(shares: Shares, uri: Uri) -> Answer {
    list(shares, &uri, &EVERY, records::list).await
}

pub async fn agencies(shares: Shares, uri: Uri) -> Answer {
    list(shares, &uri, &BY_AGENCY, catalogue::agencies).await
}

pub async fn duties(shares: Shares, uri: Uri) -> Answer {
    list(shares, &uri, &BY_AGENCY, catalogue::duties).await
}

pub async fn datasets(shares: Shares, uri: Uri) -> Answer {
    list(shares, &uri, &BY_DATASET, catalogue::datasets).await
}

pub async fn requests(shares: Shares, uri: Uri) -> Answer {
    list(shares, &uri, &BY_REQUEST, sharing::requests).await
}

pub async fn deliveries(shares: Shares, uri: Uri) -> Answer {
    list(shares, &uri, &BY_REQUEST, sharing::deliveries).await
}

pub async fn blocks(shares: Shares, uri: Uri) -> Answer {
    list(shares, &uri, &BY_TIME, blocks::list).await
}

async fn list(
    State(shared): Shares,
    uri: &Uri,
    known: &[&str],
    question: impl FnOnce(&Reader, &Filter) -> Result<Value, QueryError> + Send + 'static,
) -> Answer {
    let filter = Parameters::of(uri, known)?.filter()?;
    let page = shared.read(move |reader| Ok(question(reader, &filter)?.to_jcs())).await?;
    Ok(reply::body(reply::JSON, page))
}

pub async fn chain(shares: Shares, segment: Segment, uri: Uri) -> Answer {
    let id = segment.id()?;
    list(shares, &uri, &PAGED, move |reader, filter| chain::list(reader, &id, filter)).await
}

pub async fn history(shares: Shares, Segment(id): Segment, uri: Uri) -> Answer {
    list(shares, &uri, &PAGED, move |reader, filter| history::list(reader, &id, filter)).await
}

pub async fn agency(shares: Shares, Segment(id): Segment, uri: Uri) -> Answer {
    one(shares, &uri, move |reader| catalogue::agency(reader, &id)).await
}

pub async fn duty(shares: Shares, Segment(id): Segment, uri: Uri) -> Answer {
    one(shares, &uri, move |reader| catalogue::duty(reader, &id)).await
}

pub async fn dataset(shares: Shares, Segment(id): Segment, uri: Uri) -> Answer {
    one(shares, &uri, move |reader| catalogue::dataset(reader, &id)).await
}

pub async fn request(shares: Shares, segment: Segment, uri: Uri) -> Answer {
    let id = segment.id()?;
    one(shares, &uri, move |reader| sharing::request(reader, &id)).await
}

pub async fn delivery(shares: Shares, segment: Segment, uri: Uri) -> Answer {
    let id = segment.id()?;
    one(shares, &uri, move |reader| sharing::delivery(reader, &id)).await
}

async fn one(State(shared): Shares, uri: &Uri, question: impl FnOnce(&Reader) -> Result<Value, QueryError> + Send + 'static) -> Answer {
    Parameters::of(uri, &[])?;
    Ok(reply::json(&shared.read(question).await?))
}
