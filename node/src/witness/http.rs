//! `POST PREFIX/add-checkpoint` and `GET PREFIX/HASH/checkpoint` (C2SP tlog-witness); `POST PREFIX/add-entries` and
//! `GET PREFIX/mirror/HASH/…` (C2SP tlog-mirror).

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flate2::write::GzDecoder;
use futures::{Stream, StreamExt as _};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tlog::limits::ADD_CHECKPOINT_BYTES_MAX;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::io::ReaderStream;

use super::{Answer, Witness};

/// Connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// A connection that takes longer is given up: nobody holds a place for nothing.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a packed body that are unpacked at once.
const PACKED_STEP: usize = 4 << 10;
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
        .route("/add-entries", post(add_entries))
        .route("/{origin}/checkpoint", get(checkpoint))
        .route("/mirror/{origin}/{*path}", get(mirrored))
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

async fn add_entries(State(witness): State<Witness>, headers: HeaderMap, body: Body) -> Response {
    let pieces = body.into_data_stream();
    let pieces = pieces.map(|piece| piece.map_err(io::Error::other));
    let coding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let answer = match coding {
        None | Some(b"identity") => witness.add_entries(pieces).await,
        Some(b"gzip") => witness.add_entries(Box::pin(unpacked(pieces))).await,
        Some(_) => Answer::text(415, "entries come as they are, or packed with gzip"),
    };
    ([(ACCEPT_ENCODING, "gzip")], answer).into_response()
}

/// Unpacks a body in small steps: one of them becomes at most a thousand times as long.
fn unpacked(
    pieces: impl Stream<Item = io::Result<Bytes>>,
) -> impl Stream<Item = io::Result<Bytes>> {
    let steps = pieces.flat_map(|piece| {
        let steps: Vec<io::Result<Bytes>> = match piece {
            Ok(piece) => piece
                .chunks(PACKED_STEP)
                .map(|step| Ok(Bytes::copy_from_slice(step)))
                .collect(),
            Err(error) => vec![Err(error)],
        };
        futures::stream::iter(steps)
    });
    steps.scan(GzDecoder::new(Vec::new()), |decoder, step| {
        let unpacked = step.and_then(|step| {
            decoder.write_all(&step)?;
            Ok(Bytes::from(std::mem::take(decoder.get_mut())))
        });
        std::future::ready(Some(unpacked))
    })
}

async fn mirrored(
    State(witness): State<Witness>,
    Path((origin, path)): Path<(String, String)>,
) -> Response {
    let none = || Answer::text(404, "nothing of this name is held").into_response();
    let Some(file) = witness.mirrored(origin, path).await else {
        return none();
    };
    match tokio::fs::File::open(file).await {
        Ok(file) => Body::from_stream(ReaderStream::new(file)).into_response(),
        Err(_) => none(),
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(CONTENT_TYPE, HeaderValue::from_static(self.kind))];
        (status, kind, self.body).into_response()
    }
}
