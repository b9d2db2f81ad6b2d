//! People and devices talk: contacts, sessions, mail, files. One task owns all state and takes one thing after the
//! other; what takes time (look-ups, handshakes, files) runs beside it and reports back.
//!
//! * [`link`]: a session on a stream
//! * [`history`]: what was said, on disk
//! * `find`: finding a contact
//! * `reach`: who is called and when, who calls us
//! * `people`: requests, answers, decisions
//! * `texts`: messages on their way, out and in
//! * `post`: mail in the DHT
//! * `presence`: where we can be reached
//! * [`files`]: files, piece by piece

pub mod files;
mod find;
pub mod history;
pub mod link;
mod people;
mod post;
mod presence;
mod reach;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cli::durable::{self, Access, PathError};
use keys::NodeId;
use protocol::contacts::book::{Book, BookError};
use protocol::messages::MessageError;
use serde::Serialize;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::NodeHandle;
use crate::accounts::Account;
use crate::config::MessengerConfig;
use crate::handle::Stopped;

use history::{Entry, History, HistoryError, Progress};
use reach::{Caller, Link, Reach};

/// File of the contacts in the account's folder.
const BOOK: &str = "contacts.json";
/// Bytes of it: a thousand contacts of a kilobyte each, and offers.
const BOOK_BYTES_MAX: u64 = 4 << 20;
/// Commands and reports that wait.
const INPUTS_MAX: usize = 256;
/// Events that a slow listener may be behind.
const EVENTS_MAX: usize = 1024;

/// Why something can't be done.
#[derive(Debug, thiserror::Error)]
pub enum MessengerError {
    /// The contacts.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The disk.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The disk.
    #[error(transparent)]
    Path(#[from] PathError),
    /// No such message, or it offers no file.
    #[error("no file was offered by message {0}")]
    NoFile(String),
}

/// What happens, for whoever listens.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A message was written, came, or came further.
    Message {
        /// All of it.
        entry: Box<Entry>,
    },
    /// A contact is writing.
    Typing {
        /// Who.
        contact: NodeId,
    },
    /// A contact is something else to us, or has another key.
    Contact {
        /// Who.
        contact: NodeId,
        /// What, in a word.
        change: &'static str,
    },
    /// A session with a contact began or ended.
    Online {
        /// Who.
        contact: NodeId,
        /// Whether there is one.
        is_online: bool,
    },
    /// Bytes of a file came or went.
    File {
        /// The message that offered it.
        id: protocol::messages::MessageId,
        /// Bytes so far.
        done: u64,
        /// Bytes of all.
        size: u64,
    },
}

type Work = Box<dyn FnOnce(&mut Messenger) + Send>;

/// Talks to a running messenger. Cheap to clone.
#[derive(Clone)]
pub struct MessengerHandle {
    inputs: mpsc::Sender<Input>,
    events: broadcast::Sender<Event>,
}

impl std::fmt::Debug for MessengerHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MessengerHandle")
    }
}

impl MessengerHandle {
    /// Lets the messenger do something and returns what comes of it.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Messenger) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        // Who asked may have left.
        let work: Work = Box::new(move |messenger| drop(reply.send(work(messenger))));
        self.inputs
            .send(Input::Work(work))
            .await
            .map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

/// What the messenger takes, one after the other.
enum Input {
    /// From a handle.
    Work(Work),
    /// Somebody has called.
    Called(Box<Caller>),
    /// A contact was called, or could not be.
    Reached(NodeId, Result<Box<Caller>, String>),
    /// A frame came.
    Frame(u64, Vec<u8>),
    /// A session has ended.
    Ended(u64),
}

/// All state.
pub struct Messenger {
    account: Arc<Account>,
    folder: PathBuf,
    config: MessengerConfig,
    node: NodeHandle,
    /// Where we can be dialled.
    addresses: watch::Receiver<Vec<String>>,
    book: Book,
    history: History,
    /// Sessions with contacts, and with strangers who ask, by number.
    links: BTreeMap<u64, Link>,
    next_link: u64,
    reach: BTreeMap<NodeId, Reach>,
    /// Contacts whose mail is looked for.
    posting: BTreeSet<NodeId>,
    /// What is being put as mail.
    mailing: BTreeSet<post::Cargo>,
    /// When the newest message of ours was written, milliseconds since 1970.
    last_written_ms: u64,
    files: files::Files,
    inputs: mpsc::Sender<Input>,
    events: broadcast::Sender<Event>,
}

impl std::fmt::Debug for Messenger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Messenger").finish_non_exhaustive()
    }
}

/// Starts the messenger of an account in a task of the current runtime.
///
/// * `folder`: the account's.
///
/// # Errors
/// [`MessengerError`] if contacts or history can't be read.
pub fn start(
    account: Arc<Account>,
    folder: PathBuf,
    node: NodeHandle,
    config: MessengerConfig,
) -> Result<MessengerHandle, MessengerError> {
    let book = read_book(&folder)?;
    let history = History::open(&folder, &account.agreement)?;
    let (inputs, queue) = mpsc::channel(INPUTS_MAX);
    let (events, _) = broadcast::channel(EVENTS_MAX);
    let handle = MessengerHandle {
        inputs: inputs.clone(),
        events: events.clone(),
    };
    reach::listen(&node, &account, inputs.clone());
    let messenger = Messenger {
        account,
        folder,
        config,
        addresses: node.addresses(),
        node,
        book,
        history,
        links: BTreeMap::new(),
        next_link: 0,
        reach: BTreeMap::new(),
        posting: BTreeSet::new(),
        mailing: BTreeSet::new(),
        last_written_ms: 0,
        files: files::Files::default(),
        inputs,
        events,
    };
    tokio::spawn(messenger.run(queue));
    Ok(handle)
}

impl Messenger {
    async fn run(mut self, mut queue: mpsc::Receiver<Input>) {
        let every = |seconds: u64| {
            let mut interval = interval(Duration::from_secs(seconds.max(1)));
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        let mut second = every(1);
        let mut mail = every(self.config.mail_interval_s);
        let mut presence = every(self.config.presence_interval_s);
        loop {
            tokio::select! {
                input = queue.recv() => match input {
                    Some(input) => self.on_input(input),
                    None => return,
                },
                _ = second.tick() => self.on_second(Instant::now()),
                _ = mail.tick() => self.look_for_mail(),
                _ = presence.tick() => self.announce_presence(),
            }
        }
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Work(work) => work(self),
            Input::Called(caller) => self.on_called(*caller),
            Input::Reached(contact, result) => {
                self.on_reached(&contact, result.map(|caller| *caller))
            }
            Input::Frame(link, frame) => self.on_frame(link, &frame),
            Input::Ended(link) => self.on_ended(link),
        }
    }

    /// What waits for a moment.
    fn on_second(&mut self, now: Instant) {
        if self.addresses.has_changed().unwrap_or_default() {
            self.addresses.mark_unchanged();
            self.announce_presence();
        }
        self.call_those_who_are_due(now);
        self.end_what_is_idle(now);
    }

    /// Writes the contacts; what was decided is durable on return.
    fn write_book(&self) -> Result<(), MessengerError> {
        Ok(write_book(&self.folder, &self.book)?)
    }

    /// As [`Self::write_book`], where nobody waits for it.
    fn keep_book(&self) {
        if let Err(error) = self.write_book() {
            tracing::error!(%error, "contacts are not written");
        }
    }

    /// Tells whoever listens.
    fn tell(&self, event: Event) {
        // Nobody has to listen.
        drop(self.events.send(event));
    }

    /// Keeps a message and tells of it.
    fn keep(&self, entry: Entry) -> Result<(), HistoryError> {
        self.history.put(&entry)?;
        self.tell(Event::Message {
            entry: Box::new(entry),
        });
        Ok(())
    }

    /// Notes how far a message came.
    fn note(&self, mut entry: Entry, progress: Progress) {
        entry.progress = progress;
        if let Err(error) = self.keep(entry) {
            tracing::error!(%error, "history is not written");
        }
    }

    /// The account.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The contacts.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// What was said.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Whether there is a session with a contact.
    pub fn is_online(&self, contact: &NodeId) -> bool {
        self.link_to(contact).is_some()
    }
}

/// Reads the contacts in an account's folder; none if there is no file.
///
/// # Errors
/// [`PathError`].
pub fn read_book(folder: &Path) -> Result<Book, PathError> {
    let path = folder.join(BOOK);
    let Some(bytes) = durable::read_if_there(&path, BOOK_BYTES_MAX)? else {
        return Ok(Book::default());
    };
    let invalid = |error| PathError::new(&path, io::Error::new(io::ErrorKind::InvalidData, error));
    serde_json::from_slice(&bytes).map_err(|error: serde_json::Error| invalid(error.to_string()))
}

/// Writes the contacts into an account's folder, durably.
///
/// # Errors
/// [`PathError`].
pub fn write_book(folder: &Path, book: &Book) -> Result<(), PathError> {
    let path = folder.join(BOOK);
    let bytes =
        serde_json::to_vec_pretty(book).map_err(|error| PathError::new(&path, error.into()))?;
    durable::replace(&path, &bytes, Access::Owner)
}
