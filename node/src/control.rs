//! The control API: HTTP and JSON over a UNIX socket in the data folder, mode 0600: who may open it owns the node.
//!
//! * `routes`: what can be asked, as `docs/openapi.json` says it too
//! * `people`: what needs a messenger
//! * [`client`]: asking, as the command line does

pub mod client;
mod people;
mod routes;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::net::UnixListener;

use crate::handle::{NodeHandle, Stopped};
use crate::messenger::{MessengerError, MessengerHandle};

/// Name of the socket in the data folder.
const SOCKET: &str = "control.sock";
/// Bytes of a request's body: a text, an offer.
const BODY_BYTES_MAX: usize = 16 << 10;

/// What answers.
#[derive(Clone, Debug)]
pub struct Api {
    /// The node.
    pub node: NodeHandle,
    /// The messenger, where people or things talk.
    pub messenger: Option<MessengerHandle>,
}

impl From<NodeHandle> for Api {
    /// A node that nobody talks through.
    fn from(node: NodeHandle) -> Self {
        Self {
            node,
            messenger: None,
        }
    }
}

/// A socket that is removed when dropped.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
        // The next start removes a leftover.
        drop(fs::remove_file(&self.path));
    }
}

/// Serves the control socket in `folder`.
///
/// # Errors
/// The I/O error.
pub fn serve(folder: &Path, api: impl Into<Api>) -> io::Result<Socket> {
    fs::create_dir_all(folder)?;
    let path = folder.join(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let router =
        routes::router(api.into()).layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX));
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::warn!(%error, "the control socket is closed");
        }
    });
    Ok(Socket { path, task })
}

/// Why a request is not answered with what was asked for.
#[derive(Debug)]
struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    fn new(status: StatusCode, message: impl std::fmt::Display) -> Self {
        Self {
            status,
            message: message.to_string(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(serde_json::json!({ "error": self.message }));
        (self.status, body).into_response()
    }
}

impl From<Stopped> for ApiError {
    fn from(error: Stopped) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error)
    }
}

impl From<MessengerError> for ApiError {
    fn from(error: MessengerError) -> Self {
        use protocol::contacts::book::BookError;
        let status = match &error {
            MessengerError::Book(BookError::Unknown(_)) | MessengerError::NoFile(_) => {
                StatusCode::NOT_FOUND
            }
            MessengerError::Book(_) => StatusCode::CONFLICT,
            MessengerError::Message(_) => StatusCode::BAD_REQUEST,
            MessengerError::History(_) | MessengerError::Path(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Self { status, message }
    }
}

#[cfg(test)]
mod tests;
