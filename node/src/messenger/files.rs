//! Files: offered by name, size and hash, fetched piece by piece from where they were left, checked as a whole.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use cli::durable::{self, PathError};
use keys::NodeId;
use protocol::limits::{FILE_NAME_BYTES_MAX, FILE_PIECE_BYTES_MAX};
use protocol::messages::MessageId;
use protocol::messages::body::{Body, FileAnswer, FileOffer, Receipt};
use protocol::messages::frame::{Frame, Piece};
use tokio::task::JoinHandle;

use super::history::{Direction, Entry, FileState, Progress};
use super::link::Outgoing;
use super::{Event, Input, Messenger, MessengerError};
use crate::identity;

/// Bytes read at a time while a file is hashed.
const BUFFER_BYTES: usize = 256 << 10;
/// Bytes after which somebody who watches is told.
const TOLD_BYTES: u64 = 1 << 20;

/// Files on their way.
#[derive(Debug, Default)]
pub(super) struct Files {
    outgoing: BTreeMap<MessageId, (NodeId, JoinHandle<()>)>,
    incoming: BTreeMap<MessageId, Incoming>,
}

/// A file that comes.
#[derive(Debug)]
struct Incoming {
    contact: NodeId,
    part: File,
    have: u64,
    offer: FileOffer,
}

impl Files {
    /// A contact is gone; what came of its files stays.
    pub(super) fn stop_all_of(&mut self, contact: &NodeId) {
        self.incoming.retain(|_, file| file.contact != *contact);
        self.outgoing.retain(|_, (whose, task)| {
            if whose == contact {
                task.abort();
            }
            whose != contact
        });
    }
}

/// Describes a file to offer it: reads all of it once.
///
/// # Errors
/// [`PathError`] if it can't be read, or has no name that can be told.
pub fn describe(path: &Path) -> Result<FileOffer, PathError> {
    let describe = || {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.filter(|name| name.len() <= FILE_NAME_BYTES_MAX);
        let name =
            name.ok_or_else(|| io::Error::other("has no name in UTF-8 of at most 255 bytes"))?;
        let mut file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("is not a regular file"));
        }
        let (hash, size) = hash(&mut file)?;
        Ok(FileOffer {
            name: name.to_owned(),
            size,
            blake3: hash.to_hex().to_string(),
        })
    };
    describe().map_err(|error| PathError::new(path, error))
}

fn hash(file: &mut File) -> io::Result<(blake3::Hash, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((hasher.finalize(), hasher.count()));
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}

impl Messenger {
    /// Offers a file to a contact.
    ///
    /// * `offer`: what [`describe`] says of it.
    ///
    /// # Errors
    /// [`MessengerError`].
    pub fn offer_file(
        &mut self,
        contact: &str,
        offer: FileOffer,
        path: PathBuf,
    ) -> Result<Entry, MessengerError> {
        let file = FileState {
            path,
            is_complete: false,
            is_refused: false,
        };
        self.write(contact, Body::FileOffer(offer), Some(file))
    }

    /// Wants a file that was offered, or not.
    ///
    /// * `to`: where it goes; a name of its own in the folder for downloads otherwise.
    ///
    /// # Errors
    /// [`MessengerError`].
    pub fn answer_file(
        &mut self,
        id: &MessageId,
        is_wanted: bool,
        to: Option<PathBuf>,
    ) -> Result<Entry, MessengerError> {
        let no_file = || MessengerError::NoFile(id.to_string());
        let mut entry = self.history.get(id)?.ok_or_else(no_file)?;
        let Body::FileOffer(offer) = &entry.body else {
            return Err(no_file());
        };
        if entry.direction == Direction::Out {
            return Err(no_file());
        }
        let path = match to {
            Some(path) => path,
            None => free_place(&self.config.downloads, &offer.name)?,
        };
        entry.file = Some(FileState {
            path,
            is_complete: false,
            is_refused: !is_wanted,
        });
        self.keep(entry.clone())?;
        if is_wanted {
            self.ask_for_rest(&entry);
        } else {
            let answer = FileAnswer {
                file: *id,
                from: None,
            };
            self.say(&entry.contact, &Body::FileAnswer(answer));
        }
        Ok(entry)
    }

    /// Asks for what is missing of a file that is wanted.
    pub(super) fn ask_for_rest(&mut self, entry: &Entry) {
        let (Body::FileOffer(offer), Some(state)) = (&entry.body, &entry.file) else {
            return;
        };
        let part = part_of(&state.path);
        let open = || {
            if let Some(folder) = part
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty())
            {
                fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new().create(true).append(true).open(&part)?;
            let have = file.metadata()?.len();
            if have > offer.size {
                file.set_len(0)?;
            }
            Ok((file, if have > offer.size { 0 } else { have }))
        };
        let (file, have) = match open() {
            Ok(opened) => opened,
            Err(error) => {
                let error = PathError::new(&part, error);
                return tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "file is not fetched"
                );
            }
        };
        let incoming = Incoming {
            contact: entry.contact,
            part: file,
            have,
            offer: offer.clone(),
        };
        self.files.incoming.insert(entry.id, incoming);
        if have == offer.size {
            return self.finish_file(entry.id);
        }
        let answer = FileAnswer {
            file: entry.id,
            from: Some(have),
        };
        self.say(&entry.contact, &Body::FileAnswer(answer));
    }

    /// A contact wants a file of ours from somewhere on, or not.
    pub(super) fn on_file_answer(&mut self, contact: &NodeId, answer: FileAnswer) {
        let Ok(Some(mut entry)) = self.history.get(&answer.file) else {
            return;
        };
        let Some(state) = entry
            .file
            .as_mut()
            .filter(|_| entry.contact == *contact && entry.direction == Direction::Out)
        else {
            return;
        };
        if let Some((_, task)) = self.files.outgoing.remove(&answer.file) {
            task.abort();
        }
        let Some(from) = answer.from else {
            state.is_refused = true;
            return self.note(entry, Progress::Delivered);
        };
        let Some(link) = self.link_to(contact) else {
            return;
        };
        let Ok(peer) = identity::peer_id(&link.peer.key) else {
            return;
        };
        let (outgoing, path, id) = (link.outgoing.clone(), state.path.clone(), answer.file);
        let node = self.node.clone();
        let task = tokio::spawn(async move {
            // Relays carry no files. The direct connection brings a session of its own, and the contact asks there.
            if node.direct(peer).await.is_err() {
                return;
            }
            if let Err(error) = send_from(&path, (id, from), &outgoing).await {
                tracing::warn!(file = %path.display(), %error, "a file is not sent");
            }
        });
        self.files.outgoing.insert(id, (*contact, task));
    }

    /// Takes a piece: the next one of a file that is wanted, and nothing else.
    pub(super) fn on_piece(&mut self, contact: &NodeId, piece: Piece<'_>) {
        let Some(file) = self.files.incoming.get_mut(&piece.file) else {
            return;
        };
        let count = u64::try_from(piece.bytes.len()).unwrap_or(u64::MAX);
        let end = piece.offset.checked_add(count);
        let fits = end.is_some_and(|end| end <= file.offer.size);
        if file.contact != *contact || piece.offset != file.have || !fits {
            return;
        }
        if let Err(error) = file.part.write_all(piece.bytes) {
            tracing::error!(%error, name = file.offer.name, "a file is not written");
            self.files.incoming.remove(&piece.file);
            return;
        }
        let before = file.have;
        file.have += count;
        let (done, size) = (file.have, file.offer.size);
        if done / TOLD_BYTES != before / TOLD_BYTES || done == size {
            self.tell(Event::File {
                id: piece.file,
                done,
                size,
            });
        }
        if done == size {
            self.finish_file(piece.file);
        }
    }

    /// All bytes are there: they are checked, beside, and take the file's name.
    fn finish_file(&mut self, id: MessageId) {
        let (Some(file), Ok(Some(entry))) =
            (self.files.incoming.remove(&id), self.history.get(&id))
        else {
            return;
        };
        let Some(path) = entry.file.as_ref().map(|state| state.path.clone()) else {
            return;
        };
        let inputs = self.inputs.clone();
        tokio::task::spawn_blocking(move || {
            let result = settle(&path, &file);
            let work = move |messenger: &mut Self| messenger.on_settled(entry, result);
            drop(inputs.blocking_send(Input::Work(Box::new(work))));
        });
    }

    fn on_settled(&mut self, mut entry: Entry, result: io::Result<bool>) {
        match result {
            Ok(true) => {
                if let Some(state) = &mut entry.file {
                    state.is_complete = true;
                }
                let (contact, id) = (entry.contact, entry.id);
                self.note(entry, Progress::Read);
                let receipt = Receipt {
                    messages: vec![id],
                    is_read: true,
                };
                self.say(&contact, &Body::Receipt(receipt));
            }
            Ok(false) => {
                tracing::warn!(file = %entry.id, "a file is not what was offered: thrown away");
                if let Some(state) = &mut entry.file {
                    state.is_refused = true;
                }
                self.note(entry, Progress::Failed);
            }
            Err(error) => tracing::error!(%error, file = %entry.id, "a file is not finished"),
        }
    }
}

/// Compares a file with its offer and gives it its name; what is wrong is emptied, and `false` comes back.
fn settle(path: &Path, file: &Incoming) -> io::Result<bool> {
    let part = part_of(path);
    let (hash, _) = hash(&mut File::open(&part)?)?;
    if hash.to_hex().as_str() != file.offer.blake3 {
        file.part.set_len(0)?;
        return Ok(false);
    }
    file.part.sync_all()?;
    fs::rename(&part, path)?;
    durable::sync_folder_of(path)?;
    Ok(true)
}

/// Where a file is while it comes.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// A place in the folder that no file has: `name`, `name (2)`, and so on.
fn free_place(folder: &Path, name: &str) -> Result<PathBuf, PathError> {
    let plain = Path::new(name);
    let stem = plain
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or(name);
    let ending = plain.extension().and_then(|ending| ending.to_str());
    let ending = ending
        .map(|ending| format!(".{ending}"))
        .unwrap_or_default();
    let names = (2..=u16::MAX).map(|number| format!("{stem} ({number}){ending}"));
    for name in std::iter::once(name.to_owned()).chain(names) {
        let path = folder.join(name);
        let is_there = |path: &Path| {
            path.try_exists()
                .map_err(|error| PathError::new(path, error))
        };
        if !is_there(&path)? && !is_there(&part_of(&path))? {
            return Ok(path);
        }
    }
    Err(PathError::new(
        &folder.join(name),
        io::ErrorKind::AlreadyExists.into(),
    ))
}

/// Sends a file from a place on, as fast as it is taken.
async fn send_from(
    path: &Path,
    (file, from): (MessageId, u64),
    outgoing: &Outgoing,
) -> io::Result<()> {
    let mut source = tokio::fs::File::open(path).await?.into_std().await;
    source.seek(SeekFrom::Start(from))?;
    let mut offset = from;
    loop {
        let read = move || {
            let mut bytes = vec![0; FILE_PIECE_BYTES_MAX];
            let count = source.read(&mut bytes);
            count.map(|count| {
                bytes.truncate(count);
                (source, bytes)
            })
        };
        let (back, bytes) = tokio::task::spawn_blocking(read).await??;
        source = back;
        if bytes.is_empty() {
            return Ok(());
        }
        let piece = Piece {
            file,
            offset,
            bytes: &bytes,
        };
        offset += u64::try_from(bytes.len()).unwrap_or_default();
        let frame = Frame::Piece(piece).encode();
        if outgoing.pieces.send(frame).await.is_err() {
            // The session is over; the contact asks again in the next one.
            return Ok(());
        }
    }
}
