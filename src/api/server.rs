//! Connections: accepted within their bounds, served by hyper, ended cleanly.

use std::convert::Infallible;
use std::future::Future;
use std::io::Write as _;
use std::pin::pin;
use std::sync::Arc;

use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::connections::{Connections, Place};
use crate::api::problem::Failed;
use crate::api::reply::PROBLEM;
use crate::api::stream::{Deadline, TimedStream};
use crate::core::refusal::{Code, Refusal};
use crate::limits::{
    HTTP_ACCEPT_PAUSE, HTTP_BUFFER_BYTES_MAX, HTTP_CONNECTIONS_PER_ADDRESS_MAX, HTTP_HEAD_BYTES_MAX, HTTP_HEAD_WAIT, HTTP_HEADERS_MAX,
    HTTP_REQUEST_WAIT, HTTP_STOP_WAIT,
};
use crate::locale::Language;

/// Whoever answers the requests on these connections.
pub trait Answers: Send + Sync + 'static {
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response> + Send;

    /// A connection was turned away for a bound.
    fn turned_away(&self) {}
}

/// Serves until the stop, then lets running requests end for at most 5 s.
///
/// # Errors
/// A listener that fails.
pub async fn run<A: Answers>(answers: Arc<A>, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let connections = Arc::new(Connections::default());
    let tasks = TaskTracker::new();
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => match connections.enter(address.ip()) {
                Some(place) => {
                    tasks.spawn(serve(Arc::clone(&answers), stream, place, stop.clone(), cut.clone()));
                }
                None => {
                    answers.turned_away();
                    turn_away(stream);
                }
            },
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                sleep(HTTP_ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    if timeout(HTTP_STOP_WAIT, tasks.wait()).await.is_err() {
        cut.cancel();
        tasks.wait().await;
    }
    Ok(())
}

/// One connection, to its end, to the end of its running request after the stop, or to the cut.
async fn serve<A: Answers>(answers: Arc<A>, stream: TcpStream, place: Place, stop: CancellationToken, cut: CancellationToken) {
    // Without it an answer of two segments waits for an acknowledgement; nothing depends on it.
    let _ = stream.set_nodelay(true);
    let deadline = Arc::new(Deadline::default());
    let stream = TimedStream::new(stream, Arc::clone(&deadline));
    let service = service_fn(move |request: Request<Incoming>| {
        deadline.begin(HTTP_REQUEST_WAIT);
        let answers = Arc::clone(&answers);
        async move { Ok::<_, Infallible>(answers.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_HEAD_WAIT)
        .max_header_size(HTTP_HEAD_BYTES_MAX)
        .max_headers(HTTP_HEADERS_MAX)
        .max_buf_size(HTTP_BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = cut.cancelled() => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
    drop(place);
}

/// Answers 429 as far as the other side's window takes it at once, and closes.
fn turn_away(stream: TcpStream) {
    let expected = format!("at most {HTTP_CONNECTIONS_PER_ADDRESS_MAX} connections of one address");
    let failed = Failed::Refused(Refusal::new(Code::Quota, "one more connection", expected));
    let body = failed.to_value(Language::English).to_jcs();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: {PROBLEM}\r\ncontent-length: {length}\r\nretry-after: 1\r\nconnection: close\r\n\r\n{body}"
    );
    // The stream does not block; whether the answer arrives is no concern of this node's.
    let _ = stream.into_std().and_then(|mut stream| stream.write_all(answer.as_bytes()));
}
