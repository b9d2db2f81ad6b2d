//! `POST PREFIX/add-checkpoint` and `GET PREFIX/HASH/checkpoint` (C2SP tlog-witness).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tlog::limits::ADD_CHECKPOINT_BYTES_MAX;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Answer, Witness};

/// A request that takes longer is given up: nobody holds a connection for nothing.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A server, which ends when dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a witness.
///
/// # Errors
/// The I/O error of listening.
pub async fn serve(listen: SocketAddr, witness: Witness) -> io::Result<Server> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin}/checkpoint", get(checkpoint))
        .layer(DefaultBodyLimit::max(ADD_CHECKPOINT_BYTES_MAX))
        .with_state(witness);
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the witness is not served any more");
        }
    });
    Ok(Server { address, task })
}

async fn add_checkpoint(State(witness): State<Witness>, body: Bytes) -> Answer {
    in_time(witness.add_checkpoint(body.to_vec())).await
}

async fn checkpoint(State(witness): State<Witness>, Path(origin): Path<String>) -> Answer {
    in_time(witness.checkpoint(origin)).await
}

async fn in_time(answer: impl Future<Output = Answer>) -> Answer {
    let late = |_| Answer::text(503, "not in time");
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, answer).await;
    answer.unwrap_or_else(late)
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(CONTENT_TYPE, HeaderValue::from_static(self.kind))];
        (status, kind, self.body).into_response()
    }
}
