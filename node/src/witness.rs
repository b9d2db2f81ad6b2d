//! A witness: cosigns the checkpoints of logs that it was told to watch, one history of each.
//!
//! * [`place`]: its files
//! * `mirror`: keeps the entries, too, if it was told to
//! * `uploads`: entries as they come
//! * [`http`]: C2SP tlog-witness and tlog-mirror over HTTP
//! * [`streams`]: the same bytes over the network of nodes
//! * `announce`: tells that network what was cosigned
//!
//! What it cosigned last is on its disk before it answers, and a log is looked up and written by one request at a
//! time, so that no crash and no race makes it cosign two histories.

mod announce;
pub mod http;
mod mirror;
pub mod place;
pub mod streams;
mod uploads;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use keys::SigningKey;
use tlog::checkpoint::Checkpoint;
use tlog::note::{self, Line, Note};
use tlog::vkey::VerifierKey;
use tlog::witness::{AddCheckpoint, Latest, Refusal, SIZE_TYPE};
use tokio::sync::{Semaphore, broadcast};

use crate::clock::unix_now;
use mirror::Mirror;
use place::{Place, PlaceError};

/// Requests that wait for their turn, over HTTP and streams together.
const REQUESTS_MAX: usize = 64;
/// Uploads to the mirror at a time: each has up to a full bundle (16 MiB) in memory, from whomever it comes.
const UPLOADS_MAX: usize = 4;
/// Checkpoints that wait to be announced; if more come at once, the oldest aren't.
const ANNOUNCED_MAX: usize = 256;
/// The type of a body that people read.
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// An answer, as HTTP has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The type of the body.
    pub kind: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    fn text(status: u16, body: impl std::fmt::Display) -> Self {
        Self {
            status,
            kind: TEXT_TYPE,
            body: format!("{body}\n"),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal.size() {
            Some(size) => Self {
                status: refusal.status(),
                kind: SIZE_TYPE,
                body: format!("{size}\n"),
            },
            None => Self::text(refusal.status(), refusal),
        }
    }
}

/// Its key, and its files.
struct Core {
    place: Place,
    key: VerifierKey,
    signing: SigningKey,
    mirror: Option<Mirror>,
    cosigned: broadcast::Sender<(VerifierKey, Note)>,
}

/// A witness that runs; clones are the same one.
#[derive(Clone)]
pub struct Witness {
    core: Arc<Mutex<Core>>,
    places: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Witness").finish_non_exhaustive()
    }
}

impl Witness {
    /// A witness with its key, and that of its mirror if it is one; nobody else uses these files while it lives.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn new(
        mut place: Place,
        signing: SigningKey,
        mirror: Option<SigningKey>,
    ) -> Result<Self, PlaceError> {
        place.hold()?;
        let key = place.key(&signing.public())?;
        let mirror = mirror.map(|key| Mirror::new(&place, key)).transpose()?;
        let core = Core {
            place,
            key,
            signing,
            mirror,
            cosigned: broadcast::Sender::new(ANNOUNCED_MAX),
        };
        Ok(Self {
            core: Arc::new(Mutex::new(core)),
            places: Arc::new(Semaphore::new(REQUESTS_MAX)),
            uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
        })
    }

    /// Answers a request for a cosignature.
    pub async fn add_checkpoint(&self, body: Vec<u8>) -> Answer {
        self.answer(move |core| core.add_checkpoint(&body, unix_now()))
            .await
    }

    /// The newest checkpoint that was cosigned of a log, by the SHA-256 of its origin.
    pub async fn checkpoint(&self, origin_hash: String) -> Answer {
        self.answer(move |core| match core.place.checkpoint(&origin_hash) {
            Ok(Some(note)) => Answer {
                status: 200,
                kind: TEXT_TYPE,
                body: note,
            },
            Ok(None) => Answer::text(404, "nothing was cosigned of such a log"),
            Err(error) => internal(&error),
        })
        .await
    }

    /// The file of what the mirror holds that a reader asks for: of a log by the SHA-256 of its origin, and by the
    /// paths of C2SP tlog-tiles; `None` if it has no such file.
    pub async fn mirrored(&self, origin_hash: String, path: String) -> Option<PathBuf> {
        let found = self.run(move |core| {
            core.mirror.as_ref()?;
            mirror::file(&core.place, &origin_hash, &path)
        });
        found.await.ok().flatten()
    }

    /// Whoever comes while too many wait may come again.
    async fn answer(&self, work: impl FnOnce(&Core) -> Answer + Send + 'static) -> Answer {
        let Ok(_place) = self.places.try_acquire() else {
            return busy();
        };
        self.run(work).await.unwrap_or_else(|stopped| stopped)
    }

    /// One at a time. The error is an answer, too.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Core) -> T + Send + 'static,
    ) -> Result<T, Answer> {
        let core = self.core.clone();
        let done = tokio::task::spawn_blocking(move || {
            work(&core.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let stopped = |_| Answer::text(503, "the witness stops");
        done.await.map_err(stopped)
    }
}

impl Core {
    fn add_checkpoint(&self, body: &[u8], now: u64) -> Answer {
        match self.cosign(body, now) {
            Ok(Ok(line)) => Answer {
                status: 200,
                kind: TEXT_TYPE,
                body: line.to_string(),
            },
            Ok(Err(refusal)) => refusal.into(),
            Err(error) => internal(&error),
        }
    }

    fn cosign(&self, body: &[u8], now: u64) -> Result<Result<Line, Refusal>, PlaceError> {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let logs = self.place.logs()?;
        let mut broken = None;
        let checked = request.check(&logs, |origin| {
            let latest = self.place.latest(origin);
            latest.unwrap_or_else(|error| {
                broken = Some(error);
                Latest::nothing()
            })
        });
        // What can't be read is no new log: it would be cosigned from the start again.
        if let Some(error) = broken {
            return Err(error);
        }
        let checkpoint = match checked {
            Ok(checkpoint) => checkpoint,
            Err(refusal) => {
                if refusal.is_fork() {
                    self.keep_evidence(&request.checkpoint, refusal);
                }
                return Ok(Err(refusal));
            }
        };
        let mut note = request.checkpoint.reassembled(&logs);
        let line = self.sign(&note, now);
        note.add(line.clone());
        self.place.keep(&checkpoint.origin, &note)?;
        tracing::info!(
            origin = checkpoint.origin,
            size = checkpoint.size,
            "cosigned"
        );
        let mut signers = logs.into_iter();
        if let Some(log) = signers.find(|log| note.signed_by(log).is_some()) {
            // Nobody may be listening.
            drop(self.cosigned.send((log, note)));
        }
        Ok(Ok(line))
    }

    fn sign(&self, note: &Note, now: u64) -> Line {
        // The key is one that cosigns: see `Place::key`.
        let message = note::message(&self.key, note.text(), now).unwrap_or_default();
        Line::new(&self.key, now, &self.signing.sign(&message))
    }

    /// What was cosigned last of each log that is watched.
    fn before(&self) -> Vec<(VerifierKey, Note)> {
        let logs = self.place.logs().unwrap_or_default();
        let cosigned = logs.into_iter().filter_map(|log| {
            let (note, _) = self.place.cosigned(log.name()).ok()??;
            Some((log, note))
        });
        cosigned.collect()
    }

    /// A log has signed a tree that doesn't go with what it showed before: that must not be lost.
    fn keep_evidence(&self, note: &Note, refusal: Refusal) {
        let checkpoint: Option<Checkpoint> = note.text().parse().ok();
        let origin = checkpoint.map(|checkpoint| checkpoint.origin);
        let origin = origin.unwrap_or_default();
        tracing::error!(origin, %refusal, "a log shows two histories");
        if let Err(error) = self.place.keep_evidence(&origin, note) {
            tracing::error!(origin, %error, "what shows it is not kept");
        }
    }
}

fn busy() -> Answer {
    Answer::text(503, "too many requests")
}

fn internal(error: &dyn std::error::Error) -> Answer {
    tracing::error!(%error, "nothing is cosigned");
    Answer::text(500, "the witness can't read or write its files")
}

#[cfg(test)]
mod tests;
