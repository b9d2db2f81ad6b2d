//! Reading a blob while its chunks still arrive, so that an update is applied as it streams.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::tree::Blob;
use protocol::limits::CHUNK_BYTES;

/// Which chunks are there, and whether more will come.
#[derive(Debug)]
pub(super) struct Arrivals {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    map: ChunkMap,
    given_up: bool,
}

impl Arrivals {
    pub(super) fn of(blob: &Blob) -> Self {
        let map = ChunkMap::empty(blob.chunk_count());
        let given_up = false;
        Self {
            state: Mutex::new(State { map, given_up }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn insert(&self, chunk: u32) {
        self.lock().map.insert(chunk);
        self.changed.notify_all();
    }

    pub(super) fn give_up(&self) {
        self.lock().given_up = true;
        self.changed.notify_all();
    }

    /// Waits until `chunk` is there; an error if it will not come.
    fn wait(&self, chunk: u32) -> io::Result<()> {
        let waits = |state: &mut State| !state.given_up && !state.map.contains(chunk);
        let state = self.changed.wait_while(self.lock(), waits);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        if state.map.contains(chunk) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the fetch ended before all was there",
        ))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a single call; a panic elsewhere leaves the state sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader of a blob that is being fetched. It blocks where chunks are missing, hence runs on a thread
/// of its own, and fails once the fetch is given up.
#[derive(Debug)]
pub struct ArrivingBlob {
    pub(super) blob: Blob,
    pub(super) file: Arc<File>,
    pub(super) arrivals: Arc<Arrivals>,
    pub(super) position: u64,
}

impl Read for ArrivingBlob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.blob.size || buffer.is_empty() {
            return Ok(0);
        }
        let chunk = u32::try_from(self.position / CHUNK_BYTES).map_err(io::Error::other)?;
        self.arrivals.wait(chunk)?;
        let end = self.blob.chunk_start(chunk) + self.blob.chunk_len(chunk);
        let left = usize::try_from(end - self.position).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let part = buffer.get_mut(..length).unwrap_or_default();
        let read = self.file.read_at(part, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for ArrivingBlob {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::End(by) => (self.blob.size, by),
            SeekFrom::Current(by) => (self.position, by),
        };
        let position = from.checked_add_signed(by);
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests;
