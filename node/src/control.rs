//! The local control socket: one JSON question per line, one JSON answer per line.
//!
//! It lies in the data folder, mode 0600: who may open it owns the node.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::dht::key::DhtKey;
use protocol::dht::record::Record;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::handle::{NodeHandle, Stopped};

/// Name of the socket in the data folder.
const SOCKET: &str = "control.sock";
/// Bytes of a question.
const QUESTION_BYTES_MAX: u64 = 4096;
/// Bytes of an answer: 256 peers, a record.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// An asker must send its question within this time.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an asker waits: a look-up takes 20 s at most.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A question to a running node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Question {
    /// Look a key up; 64 hex digits.
    Get {
        /// The key.
        key: String,
    },
    /// List the connected peers.
    Peers,
    /// Read the files of the private network again.
    ReloadNetwork,
    /// Describe the node.
    Status,
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
pub fn serve(folder: &Path, node: NodeHandle) -> io::Result<Socket> {
    fs::create_dir_all(folder)?;
    let path = folder.join(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let node = node.clone();
            tokio::spawn(async move {
                if let Err(error) = converse(stream, &node).await {
                    tracing::debug!(%error, "control connection ended");
                }
            });
        }
    });
    Ok(Socket { path, task })
}

async fn converse(stream: UnixStream, node: &NodeHandle) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(reader.take(QUESTION_BYTES_MAX));
    let question = reader.read_line(&mut line);
    tokio::time::timeout(QUESTION_TIMEOUT, question).await??;
    let answer = match serde_json::from_str(&line) {
        Ok(question) => answer(node, question).await,
        Err(error) => Ok(serde_json::json!({ "error": error.to_string() })),
    };
    let answer = answer.unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }));
    writer.write_all(format!("{answer}\n").as_bytes()).await
}

async fn answer(node: &NodeHandle, question: Question) -> Result<serde_json::Value, Stopped> {
    Ok(match question {
        Question::Status => serde_json::json!(node.status().await?),
        Question::Peers => serde_json::json!(node.peers().await?),
        Question::ReloadNetwork => match node.reload_network().await? {
            Ok(name) => serde_json::json!({ "network": name }),
            Err(error) => serde_json::json!({ "error": error }),
        },
        Question::Get { key } => {
            let mut bytes = [0; 32];
            if hex::decode_to_slice(&key, &mut bytes).is_err() {
                return Ok(serde_json::json!({ "error": "key is not 64 hex digits" }));
            }
            let key = DhtKey::from_slice(&bytes);
            let Some(key) = key else {
                return Ok(serde_json::Value::Null);
            };
            let found = node.get(key).await?;
            let record = found.best.map(|(record, bytes)| {
                let token = String::from_utf8_lossy(&bytes).into_owned();
                serde_json::json!({ "seq": record.seq(), "kind": kind(&record), "token": token })
            });
            serde_json::json!({ "key": key.to_string(), "record": record,
                "valid_answers": found.valid, "invalid_answers": found.invalid })
        }
    })
}

/// A kind as people write it: `typ` without what all of them begin with.
fn kind(record: &Record) -> &'static str {
    let typ = record.rule().typ;
    typ.strip_prefix("streembit-").unwrap_or(typ)
}

/// Asks the node that runs in `folder`.
///
/// # Errors
/// The I/O error; not found or refused means that no node runs there.
pub fn ask(folder: &Path, question: &Question) -> io::Result<serde_json::Value> {
    let mut stream = std::os::unix::net::UnixStream::connect(folder.join(SOCKET))?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let question = serde_json::to_string(question).map_err(io::Error::other)?;
    stream.write_all(format!("{question}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
    serde_json::from_str(&line).map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
