//! The channel: frames under two keys, one for each direction, that are replaced by count and time.
//!
//! `epoch u32 ‖ counter u64 ‖ ciphertext ‖ tag`, big endian. A key is good for one epoch; the next one follows
//! from it by HKDF and it is wiped, so that who takes over a device can't read what went before. Frames may
//! arrive in any order within a window, each once.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use keys::{Context, Secret};
use sha2::Sha256;

use crate::limits::{
    EPOCH_FRAMES_MAX, EPOCH_SECONDS_MAX, EPOCHS_AHEAD_MAX, SESSION_FRAME_BYTES_MAX,
};

/// Bytes of epoch and counter.
const HEAD_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Frames behind the newest that may still arrive.
const WINDOW: u64 = 64;

/// Why a frame is not accepted. The channel goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// Too short, or longer than [`SESSION_FRAME_BYTES_MAX`].
    #[error("not a frame")]
    Shape,
    /// Changed, or not of this channel.
    #[error("frame does not belong here, or was changed")]
    Refused,
    /// It came before, or so much later than others that nobody can tell.
    #[error("frame came before, or too late")]
    Replayed,
    /// As many epochs as there can be were used.
    #[error("the session is used up")]
    UsedUp,
}

/// An open channel, as one side has it: two directions, which different tasks may hold.
#[derive(Debug)]
pub struct Channel {
    /// To the other side.
    pub sending: Sending,
    /// From the other side.
    pub receiving: Receiving,
}

impl Channel {
    /// * `now`: seconds since 1970.
    pub(super) fn new(sending: Secret, receiving: Secret, now: u64) -> Self {
        Self {
            sending: Sending {
                key: sending,
                epoch: 0,
                counter: 0,
                since: now,
            },
            receiving: Receiving {
                current: Epoch::new(0, receiving),
                before: None,
            },
        }
    }

    /// Seals a frame, see [`Sending::seal`].
    ///
    /// # Errors
    /// Those of [`Sending::seal`].
    pub fn seal(&mut self, plain: &[u8], now: u64) -> Result<Vec<u8>, ChannelError> {
        self.sending.seal(plain, now)
    }

    /// Opens a frame, see [`Receiving::open`].
    ///
    /// # Errors
    /// Those of [`Receiving::open`].
    pub fn open(&mut self, frame: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.receiving.open(frame)
    }
}

/// The direction to the other side.
#[derive(Debug)]
pub struct Sending {
    key: Secret,
    epoch: u32,
    counter: u64,
    /// When this epoch began.
    since: u64,
}

impl Sending {
    /// Seals a frame of at most [`SESSION_FRAME_BYTES_MAX`] bytes with what is added.
    ///
    /// # Errors
    /// [`ChannelError::Shape`] if it is longer, [`ChannelError::UsedUp`].
    pub fn seal(&mut self, plain: &[u8], now: u64) -> Result<Vec<u8>, ChannelError> {
        let bytes = plain.len().saturating_add(HEAD_BYTES + TAG_BYTES);
        if bytes > SESSION_FRAME_BYTES_MAX {
            return Err(ChannelError::Shape);
        }
        // A clock that was set back makes an epoch no longer.
        let is_old = now.abs_diff(self.since) >= EPOCH_SECONDS_MAX;
        if self.counter >= EPOCH_FRAMES_MAX || (is_old && self.counter > 0) {
            self.epoch = self.epoch.checked_add(1).ok_or(ChannelError::UsedUp)?;
            self.key = next(&self.key)?;
            (self.counter, self.since) = (0, now);
        }
        let head = [&self.epoch.to_be_bytes()[..], &self.counter.to_be_bytes()].concat();
        let sealed = cipher(&self.key)?.encrypt(&nonce(self.counter), payload(plain, &head));
        self.counter = self.counter.saturating_add(1);
        let sealed = sealed.map_err(|_| ChannelError::Refused)?;
        Ok([head, sealed].concat())
    }
}

/// The direction from the other side.
#[derive(Debug)]
pub struct Receiving {
    current: Epoch,
    /// The epoch before, for frames that come late.
    before: Option<Epoch>,
}

impl Receiving {
    /// Opens a frame.
    ///
    /// # Errors
    /// [`ChannelError`]; nothing has changed then.
    pub fn open(&mut self, frame: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if frame.len() > SESSION_FRAME_BYTES_MAX {
            return Err(ChannelError::Shape);
        }
        let (head, sealed) = frame
            .split_first_chunk::<HEAD_BYTES>()
            .ok_or(ChannelError::Shape)?;
        let (epoch, counter) = split(head);
        let behind = self.current.number.checked_sub(epoch);
        match (behind, &mut self.before) {
            (Some(0), _) => return self.current.open(head, counter, sealed),
            (Some(_), Some(before)) if before.number == epoch => {
                return before.open(head, counter, sealed);
            }
            (Some(_), _) => return Err(ChannelError::Replayed),
            (None, _) => {}
        }
        let ahead = epoch.saturating_sub(self.current.number);
        if ahead > EPOCHS_AHEAD_MAX {
            return Err(ChannelError::Refused);
        }
        // Only a frame that opens moves the channel on.
        let mut key = next(&self.current.key)?;
        for _ in 1..ahead {
            key = next(&key)?;
        }
        let mut newer = Epoch::new(epoch, key);
        let plain = newer.open(head, counter, sealed)?;
        let current = std::mem::replace(&mut self.current, newer);
        self.before = (ahead == 1).then_some(current);
        Ok(plain)
    }
}

/// One key of a direction, and which of its frames came.
#[derive(Debug)]
struct Epoch {
    number: u32,
    key: Secret,
    /// The counter after the newest.
    expected: u64,
    /// A bit for each of the last frames, the newest lowest.
    seen: u64,
}

impl Epoch {
    const fn new(number: u32, key: Secret) -> Self {
        Self {
            number,
            key,
            expected: 0,
            seen: 0,
        }
    }

    fn open(&mut self, head: &[u8], counter: u64, sealed: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if counter >= EPOCH_FRAMES_MAX {
            return Err(ChannelError::Refused);
        }
        let (expected, seen) = self.after(counter).ok_or(ChannelError::Replayed)?;
        let opened = cipher(&self.key)?.decrypt(&nonce(counter), payload(sealed, head));
        let plain = opened.map_err(|_| ChannelError::Refused)?;
        (self.expected, self.seen) = (expected, seen);
        Ok(plain)
    }

    /// The window once this frame has come; `None` if it came already or is behind.
    fn after(&self, counter: u64) -> Option<(u64, u64)> {
        if counter >= self.expected {
            let steps = counter.saturating_sub(self.expected).saturating_add(1);
            let steps = u32::try_from(steps).unwrap_or(u32::MAX);
            let seen = self.seen.checked_shl(steps).unwrap_or(0) | 1;
            return Some((counter.saturating_add(1), seen));
        }
        let behind = self.expected.saturating_sub(1).saturating_sub(counter);
        let bit = u32::try_from(behind)
            .ok()
            .and_then(|behind| 1_u64.checked_shl(behind))?;
        (behind < WINDOW && self.seen & bit == 0).then_some((self.expected, self.seen | bit))
    }
}

/// The key of the epoch after.
fn next(key: &Secret) -> Result<Secret, ChannelError> {
    let mut next = vec![0; 32];
    let kdf = Hkdf::<Sha256>::new(None, key.expose());
    let expanded = kdf.expand(Context::Session.as_bytes(), &mut next);
    let next = Secret::new(next);
    expanded.map(|()| next).map_err(|_| ChannelError::Refused)
}

fn cipher(key: &Secret) -> Result<Aes256Gcm, ChannelError> {
    Aes256Gcm::new_from_slice(key.expose()).map_err(|_| ChannelError::Refused)
}

const fn payload<'a>(bytes: &'a [u8], head: &'a [u8]) -> Payload<'a, 'a> {
    Payload {
        msg: bytes,
        aad: head,
    }
}

/// Never the same twice under one key.
fn nonce(counter: u64) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = [0; 12];
    if let Some(last) = nonce.last_chunk_mut() {
        *last = counter.to_be_bytes();
    }
    nonce.into()
}

fn split(head: &[u8; HEAD_BYTES]) -> (u32, u64) {
    let epoch = head.first_chunk().copied().map_or(0, u32::from_be_bytes);
    let counter = head.last_chunk().copied().map_or(0, u64::from_be_bytes);
    (epoch, counter)
}

#[cfg(test)]
mod tests;
