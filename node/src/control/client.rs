//! Asking a running node, as the command line does.

use std::io;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::SOCKET;

/// Bytes of an answer: a long history.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// How long an answer is waited for: a look-up takes 20 s, a large file is read once before it is offered.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
/// Bytes of a line of events.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens, or the conversation ended.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The node says no.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Why.
        message: String,
    },
}

/// Asks the node that runs in `folder`.
///
/// * `path`: as in `docs/openapi.json`; parts from outside are to be encoded, see [`part`].
/// * `body`: JSON, if the request has any.
///
/// # Errors
/// [`AskError`].
pub async fn ask(
    folder: &Path,
    (method, path): (Method, &str),
    body: Option<&Value>,
) -> Result<Value, AskError> {
    let asked = async {
        let response = request(folder, (method, path), body).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        let bytes = body.map_err(io::Error::other)?.to_bytes();
        if status == StatusCode::OK {
            return Ok(serde_json::from_slice(&bytes).map_err(io::Error::other)?);
        }
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let message = answer
            .get("error")
            .and_then(Value::as_str)
            .map(str::to_owned);
        // Where the request itself is not understood, the answer is a sentence.
        let message = message.unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned());
        Err(AskError::Refused {
            status: status.as_u16(),
            message,
        })
    };
    let timeout = |_| AskError::Io(io::ErrorKind::TimedOut.into());
    tokio::time::timeout(ANSWER_TIMEOUT, asked)
        .await
        .map_err(timeout)?
}

/// A part of a path: a name may hold anything.
pub fn part(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Events of a running node, a line each.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    rest: Vec<u8>,
}

impl Events {
    /// Begins to listen; what happens afterwards is not missed.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn open(folder: &Path) -> Result<Self, AskError> {
        let response = request(folder, (Method::GET, "/v1/events"), None).await?;
        let mut events = Self {
            body: response.into_body(),
            rest: Vec::new(),
        };
        events.next().await?;
        Ok(events)
    }

    /// The next event; `None` if the node has stopped.
    ///
    /// # Errors
    /// The I/O error.
    pub async fn next(&mut self) -> io::Result<Option<Value>> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let rest = self.rest.split_off(end + 1);
                let line = std::mem::replace(&mut self.rest, rest);
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(io::Error::other);
            }
            if self.rest.len() > LINE_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => {
                    let frame = frame.map_err(io::Error::other)?;
                    if let Ok(data) = frame.into_data() {
                        self.rest.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

async fn request(
    folder: &Path,
    (method, path): (Method, &str),
    body: Option<&Value>,
) -> io::Result<Response<Incoming>> {
    let stream = UnixStream::connect(folder.join(SOCKET)).await?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "streembit");
    let mut bytes = Bytes::new();
    if let Some(body) = body {
        request = request.header("content-type", "application/json");
        bytes = serde_json::to_vec(body).map_err(io::Error::other)?.into();
    }
    let request = request.body(Full::new(bytes)).map_err(io::Error::other)?;
    sender.send_request(request).await.map_err(io::Error::other)
}
