//! `POST PREFIX/add-checkpoint` and `GET PREFIX/HASH/checkpoint` (C2SP tlog-witness).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tlog::limits::ADD_CHECKPOINT_BYTES_MAX;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::{Answer, Witness};

/// Connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// A connection that takes longer is given up: nobody holds a place for nothing.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// After an error of accepting, mostly too few descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    let task = tokio::spawn(accept(listener, router));
    Ok(Server { address, task })
}

/// Takes connections, one request each.
async fn accept(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while let Ok(place) = places.clone().acquire_owned().await {
        while connections.try_join_next().is_some() {}
        let socket = match listener.accept().await {
            Ok((socket, _)) => TokioIo::new(socket),
            Err(error) => {
                tracing::warn!(%error, "a connection to the witness is not taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let router = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            let _place = place;
            let served = http1::Builder::new()
                .keep_alive(false)
                .serve_connection(socket, router);
            if let Ok(Err(error)) = timeout(CONNECTION_TIMEOUT, served).await {
                tracing::debug!(%error, "a request to the witness came to nothing");
            }
        });
    }
}

async fn add_checkpoint(State(witness): State<Witness>, body: Bytes) -> Answer {
    witness.add_checkpoint(body.to_vec()).await
}

async fn checkpoint(State(witness): State<Witness>, Path(origin): Path<String>) -> Answer {
    witness.checkpoint(origin).await
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(CONTENT_TYPE, HeaderValue::from_static(self.kind))];
        (status, kind, self.body).into_response()
    }
}
