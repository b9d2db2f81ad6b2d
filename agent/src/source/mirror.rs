//! HTTP mirrors: any web server with an exported repository. Ranges are asked for, so that a fetch
//! resumes at any chunk; every byte is checked like a peer's.

use std::time::Duration;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use futures::StreamExt as _;
use node::blocks::link::{FRAMES_WAITING_MAX, Link};
use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::download::PeerRole;
use protocol::exchange::tree::Blob;
use protocol::exchange::wire::{Frame, Refusal};
use protocol::limits::TREE_NODES_MAX;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, Response, StatusCode};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer: a mirror that stalls longer is left (threats P51).
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// The least rate, in bytes per second, that a mirror must keep up.
const RATE_MIN_BYTES_PER_S: u64 = 8 * 1024;
/// Bytes of a chunk level.
const TREE_BYTES_MAX: u64 = 2 << 20;
/// Redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// A mirror.
#[derive(Clone, Debug)]
pub struct Mirror {
    url: String,
    client: Client,
}

impl Mirror {
    /// Prepares a mirror; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`CliError`] if the TLS library can't be set up.
    pub fn new(url: &str) -> Result<Self, CliError> {
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(Policy::custom(follow))
            .build()
            .context(Exit::No, format_args!("mirror {url}"))?;
        Ok(Self {
            url: url.to_owned(),
            client,
        })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Gets a whole file of at most `limit` bytes; `None` only if the mirror says that it does not
    /// exist. Any other failure is an error: a mirror in trouble must not look like one that has
    /// nothing new (crates.md section 6).
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Undecided`] naming the URL.
    pub async fn small_file(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, CliError> {
        let got = timeout(patience(limit), self.get(path, limit))
            .await
            .unwrap_or_else(|_| {
                Err(CliError::new(
                    Exit::Undecided,
                    format_args!("{}/{path}: too slow", self.url),
                ))
            });
        got.map_err(|error| error.hint("try again later, or name another in streaming.mirrors"))
    }

    async fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, CliError> {
        let mut bytes = Vec::new();
        let there = self.answer(path, limit, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        });
        Ok(there.await?.then_some(bytes))
    }

    /// Streams a file of at most `limit` bytes into `sink`, which may end it; false if the mirror says
    /// that it does not exist.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Undecided`] naming the URL.
    pub async fn stream(
        &self,
        path: &str,
        limit: u64,
        sink: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<bool, CliError> {
        let answer = timeout(patience(limit), self.answer(path, limit, sink)).await;
        let answer = answer.unwrap_or_else(|_| {
            let message = format!("{}/{path}: too slow", self.url);
            Err(CliError::new(Exit::Undecided, message))
        });
        answer.map_err(|error| error.hint("try again later, or use another mirror"))
    }

    async fn answer(
        &self,
        path: &str,
        limit: u64,
        sink: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<bool, CliError> {
        let url = format!("{}/{path}", self.url);
        let answer = self
            .client
            .get(&url)
            .send()
            .await
            .context(Exit::Undecided, &url)?;
        match answer.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(false),
            StatusCode::OK => {}
            status => {
                return Err(CliError::new(
                    Exit::Undecided,
                    format_args!("{url}: HTTP {status}"),
                ));
            }
        }
        body(answer, limit, sink)
            .await
            .map(|()| true)
            .map_err(|reason| CliError::new(Exit::Undecided, format_args!("{url}: {reason}")))
    }

    /// Offers itself as a holder of `blob`, in the words of the block exchange.
    pub async fn offer(self, blob: Blob, role: PeerRole, links: mpsc::Sender<Link>) {
        let (outgoing, mut asked) = mpsc::channel(FRAMES_WAITING_MAX);
        let (answers, incoming) = mpsc::channel(1);
        let link = Link {
            name: self.url.clone(),
            role,
            outgoing,
            incoming,
        };
        if links.send(link).await.is_err() {
            return;
        }
        let mut tree = Vec::new();
        while let Some(frame) = asked.recv().await {
            let answer = match frame {
                Frame::Open(_) => {
                    Frame::Have(ChunkMap::full(blob.chunk_count()).as_bytes().to_vec())
                }
                Frame::GetTree { first, count } => {
                    if tree.is_empty() {
                        let path = format!("trees/{}.tree", blob.name());
                        match self.small_file(&path, TREE_BYTES_MAX).await {
                            Ok(Some(bytes)) => tree = bytes,
                            Ok(None) | Err(_) => return,
                        }
                    }
                    part_of_tree(&tree, first, count.min(TREE_NODES_MAX))
                }
                Frame::Request { first, .. } => match self.chunk_in_time(&blob, first).await {
                    Ok(bytes) => Frame::Data {
                        chunk: first,
                        bytes,
                    },
                    Err(error) => {
                        tracing::debug!(%error, "mirror failed");
                        Frame::Reject {
                            chunk: first,
                            code: Refusal::Busy,
                        }
                    }
                },
                Frame::Cancel { .. }
                | Frame::Have(_)
                | Frame::Tree { .. }
                | Frame::Data { .. }
                | Frame::Reject { .. } => continue,
            };
            if answers.send(answer).await.is_err() {
                return;
            }
        }
    }

    async fn chunk_in_time(&self, blob: &Blob, chunk: u32) -> Result<Vec<u8>, String> {
        let limit = patience(blob.chunk_len(chunk));
        timeout(limit, self.chunk(blob, chunk))
            .await
            .unwrap_or_else(|_| Err("too slow".to_owned()))
    }

    async fn chunk(&self, blob: &Blob, chunk: u32) -> Result<Vec<u8>, String> {
        let url = format!("{}/blobs/{}", self.url, blob.name());
        let (start, length) = (blob.chunk_start(chunk), blob.chunk_len(chunk));
        let end = start + length.saturating_sub(1);
        let request = self
            .client
            .get(&url)
            .header(RANGE, format!("bytes={start}-{end}"));
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let wanted = format!("bytes {start}-{end}/{}", blob.size);
        let range = answer
            .headers()
            .get(CONTENT_RANGE)
            .and_then(|value| value.to_str().ok());
        let whole = answer.status() == StatusCode::OK && start == 0 && length == blob.size;
        if !whole && (answer.status() != StatusCode::PARTIAL_CONTENT || range != Some(&wanted)) {
            return Err(format!(
                "{url}: no range {wanted}: HTTP {}",
                answer.status()
            ));
        }
        let mut bytes = Vec::new();
        let sink = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        body(answer, length, sink).await?;
        Ok(bytes)
    }
}

/// A redirect may lead elsewhere, but not out of TLS.
fn follow(attempt: Attempt<'_>) -> Action {
    let was_secure = attempt.previous().iter().any(|url| url.scheme() == "https");
    if was_secure && attempt.url().scheme() != "https" {
        return attempt.error("redirected from https to http");
    }
    if attempt.previous().len() > REDIRECTS_MAX {
        return attempt.error("too many redirects");
    }
    attempt.follow()
}

fn part_of_tree(tree: &[u8], first: u32, count: u32) -> Frame {
    let skip = usize::try_from(first)
        .unwrap_or(usize::MAX)
        .saturating_mul(32);
    let take = usize::try_from(count)
        .unwrap_or(usize::MAX)
        .saturating_mul(32);
    Frame::Tree {
        first,
        nodes: tree.iter().skip(skip).take(take).copied().collect(),
    }
}

/// How long a file of at most `limit` bytes may take: a mirror that trickles must not keep the next
/// one waiting (threats P51).
fn patience(limit: u64) -> Duration {
    READ_TIMEOUT + Duration::from_secs(limit / RATE_MIN_BYTES_PER_S)
}

/// Reads a body of at most `limit` bytes, whatever its length claims to be.
async fn body(
    answer: Response,
    limit: u64,
    mut sink: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let mut length: u64 = 0;
    let mut stream = answer.bytes_stream();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| error.to_string())?;
        length = length.saturating_add(piece.len() as u64);
        if length > limit {
            return Err(format!("longer than the {limit} bytes allowed"));
        }
        sink(&piece)?;
    }
    Ok(())
}
