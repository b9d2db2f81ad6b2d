//! What was said, on disk: sled, each row encrypted, since a lost disk must not tell it.

use std::path::Path;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use cli::durable::{self, Access, PathError};
use keys::{AgreementKey, AgreementPublicKey, NodeId, Secret};
use protocol::jose::jwe;
use protocol::messages::MessageId;
use protocol::messages::body::Body;
use rand_core::Rng as _;
use serde::{Deserialize, Serialize};

use crate::storage::{Storage, StorageError};

/// The key of the rows, sealed for the account.
const KEY: &str = "history.key";
const KEY_BYTES: usize = 32;
/// Bytes of the sealed key.
const KEY_FILE_BYTES_MAX: usize = 2048;
/// `typ` of it.
const KEY_TYP: &str = "streembit-history";
const NONCE_BYTES: usize = 12;

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// We.
    Out,
    /// The contact.
    In,
}

/// How far a message of ours came, or what we did with one of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Ours, not with the contact yet.
    Waiting,
    /// Ours, waiting in the network.
    Mailed,
    /// With its recipient.
    Delivered,
    /// Somebody has read it.
    Read,
    /// Nobody took it in time.
    Failed,
}

/// Mail that was written for a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mailed {
    /// The number of its slot.
    pub number: u64,
    /// When it ends to wait.
    pub expires: u64,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileState {
    /// Where it is, or goes to.
    pub path: std::path::PathBuf,
    /// Whether all of it is there and right.
    pub is_complete: bool,
    /// Whether it is not wanted.
    pub is_refused: bool,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number.
    pub id: MessageId,
    /// The contact.
    pub contact: NodeId,
    /// Who said it.
    pub direction: Direction,
    /// When, seconds since 1970, by the sender's clock.
    pub sent: u64,
    /// What.
    pub body: Body,
    /// How far it came.
    pub progress: Progress,
    /// Mail that carries it.
    #[serde(default)]
    pub mail: Option<Mailed>,
    /// What became of the file that it offers.
    #[serde(default)]
    pub file: Option<FileState>,
}

/// Why the history can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The store.
    #[error("history")]
    Storage(#[from] StorageError),
    /// The file of the key.
    #[error("history key")]
    Key(#[from] PathError),
    /// The key is not for this account, or a row is not what was written.
    #[error("history: {0} can't be decrypted")]
    Sealed(&'static str),
}

/// The history of an account.
#[derive(Debug)]
pub struct History {
    storage: Storage,
    /// `contact ‖ number u64` → sealed entry.
    rows: sled::Tree,
    /// Message id → key of its row.
    ids: sled::Tree,
    /// Keys of rows that something is still to be done for.
    unfinished: sled::Tree,
    /// Keys of rows that nobody has read yet.
    unread: sled::Tree,
    key: Secret,
}

impl History {
    /// Opens or begins the history in the account's folder.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn open(folder: &Path, agreement: &AgreementKey) -> Result<Self, HistoryError> {
        let key = open_key(&folder.join(KEY), agreement)?;
        let storage = Storage::open(&folder.join("history"))?;
        Ok(Self {
            rows: storage.tree("rows")?,
            ids: storage.tree("ids")?,
            unfinished: storage.tree("unfinished")?,
            unread: storage.tree("unread")?,
            storage,
            key,
        })
    }

    /// Whether a message is there.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn has(&self, id: &MessageId) -> Result<bool, HistoryError> {
        let found = self.ids.contains_key(id.as_bytes());
        Ok(found.map_err(|error| self.storage.error(error))?)
    }

    /// Appends a message, or replaces what is known of it; durable on return.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn put(&self, entry: &Entry) -> Result<(), HistoryError> {
        let place = match self.place_of(&entry.id)? {
            Some(place) => place,
            None => self.next_place(&entry.contact)?,
        };
        let sealed = self.seal(&place, entry)?;
        let written = self
            .rows
            .insert(&place, sealed)
            .and_then(|_| self.ids.insert(entry.id.as_bytes(), &place[..]))
            .and_then(|_| mark(&self.unfinished, &place, entry.is_unfinished()))
            .and_then(|()| mark(&self.unread, &place, entry.is_unread()));
        written.map_err(|error| self.storage.error(error))?;
        Ok(self.storage.sync()?)
    }

    /// One message.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn get(&self, id: &MessageId) -> Result<Option<Entry>, HistoryError> {
        let Some(place) = self.place_of(id)? else {
            return Ok(None);
        };
        let row = self.rows.get(&place);
        let row = row.map_err(|error| self.storage.error(error))?;
        row.map(|row| self.unseal(&place, &row)).transpose()
    }

    /// The newest messages with a contact, the oldest of them first. The contact's are in the order in which they
    /// were written: mail may come in another.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn with(&self, contact: &NodeId, limit: usize) -> Result<Vec<Entry>, HistoryError> {
        let rows = self.rows.scan_prefix(contact.as_bytes()).rev().take(limit);
        let entries = rows.map(|row| {
            let (place, row) = row.map_err(|error| self.storage.error(error))?;
            self.unseal(&place, &row)
        });
        let mut entries: Vec<Entry> = entries.collect::<Result<_, HistoryError>>()?;
        entries.reverse();
        put_theirs_in_order(&mut entries);
        Ok(entries)
    }

    /// Messages with a contact that something is still to be done for, in the order in which they were written.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn unfinished_with(&self, contact: &NodeId) -> Result<Vec<Entry>, HistoryError> {
        self.marked(&self.unfinished, contact)
    }

    /// Messages of a contact that nobody has read yet.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn unread_of(&self, contact: &NodeId) -> Result<Vec<Entry>, HistoryError> {
        self.marked(&self.unread, contact)
    }

    fn marked(&self, marks: &sled::Tree, contact: &NodeId) -> Result<Vec<Entry>, HistoryError> {
        let mut entries = Vec::new();
        for mark in marks.scan_prefix(contact.as_bytes()) {
            let (place, _) = mark.map_err(|error| self.storage.error(error))?;
            let row = self.rows.get(&place);
            if let Some(row) = row.map_err(|error| self.storage.error(error))? {
                entries.push(self.unseal(&place, &row)?);
            }
        }
        Ok(entries)
    }

    /// Forgets all that was said with a contact.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn forget(&self, contact: &NodeId) -> Result<(), HistoryError> {
        for row in self.rows.scan_prefix(contact.as_bytes()) {
            let (place, row) = row.map_err(|error| self.storage.error(error))?;
            let id = self.unseal(&place, &row)?.id;
            let removed = self.rows.remove(&place);
            let removed = removed
                .and_then(|_| self.ids.remove(id.as_bytes()))
                .and_then(|_| mark(&self.unfinished, &place, false))
                .and_then(|()| mark(&self.unread, &place, false));
            removed.map_err(|error| self.storage.error(error))?;
        }
        Ok(self.storage.sync()?)
    }

    fn place_of(&self, id: &MessageId) -> Result<Option<Vec<u8>>, HistoryError> {
        let place = self.ids.get(id.as_bytes());
        let place = place.map_err(|error| self.storage.error(error))?;
        Ok(place.map(|place| place.to_vec()))
    }

    fn next_place(&self, contact: &NodeId) -> Result<Vec<u8>, HistoryError> {
        let last = self.rows.scan_prefix(contact.as_bytes()).next_back();
        let last = last
            .transpose()
            .map_err(|error| self.storage.error(error))?;
        let number =
            last.and_then(|(place, _)| place.last_chunk().copied().map(u64::from_be_bytes));
        let next = number.map_or(0, |number| number.saturating_add(1));
        Ok([&contact.as_bytes()[..], &next.to_be_bytes()].concat())
    }

    /// `nonce ‖ ciphertext`, bound to its place.
    fn seal(&self, place: &[u8], entry: &Entry) -> Result<Vec<u8>, HistoryError> {
        let error = || HistoryError::Sealed("row");
        let mut nonce = [0; NONCE_BYTES];
        cli::keyfile::os_rng().fill_bytes(&mut nonce);
        let plain = Secret::new(serde_json::to_vec(entry).map_err(|_| error())?);
        let payload = Payload {
            msg: plain.expose(),
            aad: place,
        };
        let sealed = self.cipher()?.encrypt(&Nonce::from(nonce), payload);
        Ok([&nonce[..], &sealed.map_err(|_| error())?].concat())
    }

    fn unseal(&self, place: &[u8], row: &[u8]) -> Result<Entry, HistoryError> {
        let error = || HistoryError::Sealed("row");
        let (nonce, sealed) = row.split_first_chunk::<NONCE_BYTES>().ok_or_else(error)?;
        let payload = Payload {
            msg: sealed,
            aad: place,
        };
        let plain = self.cipher()?.decrypt(&Nonce::from(*nonce), payload);
        let plain = Secret::new(plain.map_err(|_| error())?);
        serde_json::from_slice(plain.expose()).map_err(|_| error())
    }

    fn cipher(&self) -> Result<Aes256Gcm, HistoryError> {
        Aes256Gcm::new_from_slice(self.key.expose()).map_err(|_| HistoryError::Sealed("key"))
    }
}

impl Entry {
    /// Whether something is still to be done: to deliver it, or to fetch a file that is wanted.
    pub fn is_unfinished(&self) -> bool {
        let is_wanted = |file: &FileState| !file.is_complete && !file.is_refused;
        match self.direction {
            Direction::Out => matches!(self.progress, Progress::Waiting | Progress::Mailed),
            Direction::In => self.file.as_ref().is_some_and(is_wanted),
        }
    }

    /// Whether it is theirs, and nobody has read it yet.
    pub fn is_unread(&self) -> bool {
        self.direction == Direction::In && self.progress != Progress::Read
    }
}

/// Ours stay where they are, and theirs fill the places between.
fn put_theirs_in_order(entries: &mut [Entry]) {
    let is_theirs = |entry: &Entry| entry.direction == Direction::In;
    let mut theirs: Vec<Entry> = entries
        .iter()
        .filter(|entry| is_theirs(entry))
        .cloned()
        .collect();
    theirs.sort_by_key(|entry| entry.id);
    let places = entries.iter_mut().filter(|entry| is_theirs(entry));
    for (place, entry) in places.zip(theirs) {
        *place = entry;
    }
}

fn mark(marks: &sled::Tree, place: &[u8], is_marked: bool) -> sled::Result<()> {
    if is_marked {
        marks.insert(place, &[]).map(drop)
    } else {
        marks.remove(place).map(drop)
    }
}

/// Opens the key of the rows, or makes one.
fn open_key(path: &Path, agreement: &AgreementKey) -> Result<Secret, HistoryError> {
    let limit = u64::try_from(KEY_FILE_BYTES_MAX).unwrap_or(u64::MAX);
    if let Some(token) = durable::read_if_there(path, limit)? {
        return jwe::open_as_one(
            agreement,
            KEY_TYP,
            token.trim_ascii_end(),
            KEY_FILE_BYTES_MAX,
        )
        .map_err(|_| HistoryError::Sealed("key"));
    }
    let mut key = vec![0; KEY_BYTES];
    cli::keyfile::os_rng().fill_bytes(&mut key);
    let key = Secret::new(key);
    write_key(path, &key, &[agreement.public()])?;
    Ok(key)
}

fn write_key(
    path: &Path,
    key: &Secret,
    readers: &[AgreementPublicKey],
) -> Result<(), HistoryError> {
    let mut rng = cli::keyfile::os_rng();
    let sealed = jwe::seal_for_all(readers, KEY_TYP, key.expose(), &mut rng);
    let sealed = sealed.map_err(|_| HistoryError::Sealed("key"))?;
    Ok(durable::replace(path, sealed.as_bytes(), Access::Owner)?)
}

/// Seals the key of a history for another key of the account too, before that takes over.
///
/// # Errors
/// [`HistoryError`].
pub fn hand_over(
    folder: &Path,
    from: &AgreementKey,
    to: &AgreementPublicKey,
) -> Result<(), HistoryError> {
    let path = folder.join(KEY);
    if !path
        .try_exists()
        .map_err(|error| PathError::new(&path, error))?
    {
        return Ok(());
    }
    let readers = [from.public(), to.clone()];
    write_key(&path, &open_key(&path, from)?, &readers)
}

#[cfg(test)]
mod tests;
