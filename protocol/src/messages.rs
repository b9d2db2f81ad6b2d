//! Messages between two accounts: each a token signed by its sender for one recipient, that goes through a
//! session's channel, or waits as mail.
//!
//! * [`body`]: what a message says
//! * [`frame`]: what is inside a frame of a channel: a message, or a piece of a file

pub mod body;
pub mod frame;

use std::fmt;
use std::str::FromStr;

use keys::{NodeId, PublicKey, SigningKey};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::jose::jws::{self, Claims, JwsError, KnownTime};
use crate::limits::{MESSAGE_BYTES_MAX, MESSAGE_LIFE_MAX};
use body::{Body, BodyError};

/// `typ` of a message.
pub const TYP: &str = "streembit-message";
const ID_BYTES: usize = 16;

/// What tells messages of one sender apart, and which was written first: 16 bytes laid out as those of a ULID,
/// milliseconds since 1970 (48 bits, big endian) and 80 random bits, written as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageId([u8; ID_BYTES]);

impl MessageId {
    /// Makes a fresh one.
    ///
    /// * `written_ms`: when what it says was written, milliseconds since 1970.
    pub fn generate(written_ms: u64, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut random = [0; 10];
        rng.fill_bytes(&mut random);
        let [_, _, time @ ..] = written_ms.to_be_bytes();
        let mut bytes = [0; ID_BYTES];
        let (head, tail) = bytes.split_at_mut(time.len());
        head.copy_from_slice(&time);
        tail.copy_from_slice(&random);
        Self(bytes)
    }

    /// When what it says was written, milliseconds since 1970, by the sender's clock.
    pub fn written_ms(&self) -> u64 {
        let [a, b, c, d, e, f, ..] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// Takes 16 bytes.
    pub const fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// Borrows the 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MessageId({self})")
    }
}

impl FromStr for MessageId {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        let mut bytes = [0; ID_BYTES];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| MessageError::Claims)?;
        let id = Self(bytes);
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(MessageError::Claims)
        }
    }
}

impl TryFrom<String> for MessageId {
    type Error = MessageError;

    fn try_from(text: String) -> Result<Self, MessageError> {
        text.parse()
    }
}

impl From<MessageId> for String {
    fn from(id: MessageId) -> Self {
        id.to_string()
    }
}

/// A verified message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who signed it.
    pub sender: PublicKey,
    /// Its number.
    pub id: MessageId,
    /// When it was signed, seconds since 1970, by the sender's clock.
    pub sent: u64,
    /// What it says.
    pub body: Body,
}

/// Why a message is not accepted, or can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not a valid token.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Not valid at this time.
    #[error(transparent)]
    Time(#[from] jws::TimeError),
    /// `sub` or `jti` are malformed.
    #[error("claims `sub` or `jti` are not those of a message")]
    Claims,
    /// It is for another account.
    #[error("the message is for another account")]
    Recipient,
    /// What it says breaks a rule.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Longer than [`MESSAGE_BYTES_MAX`].
    #[error("a message has at most {MESSAGE_BYTES_MAX} bytes, signed")]
    TooLong,
}

/// Signs a message at `now` (seconds since 1970).
///
/// * `recipient`: the node id of the account that it is for.
///
/// # Errors
/// [`MessageError`] if the result would not verify.
pub fn sign(
    sender: &SigningKey,
    recipient: &NodeId,
    (id, body): (MessageId, &Body),
    now: u64,
) -> Result<String, MessageError> {
    body.check()?;
    let claims = Claims {
        iss: String::new(),
        sub: body.kind().to_owned(),
        aud: recipient.to_string(),
        iat: now,
        exp: now.saturating_add(MESSAGE_LIFE_MAX.as_secs()),
        jti: id.to_string(),
        data: body,
    };
    let token = jws::sign(sender, TYP, claims)?;
    if token.len() > MESSAGE_BYTES_MAX {
        return Err(MessageError::TooLong);
    }
    Ok(token)
}

/// Verifies a message for `recipient` at `now`. Whether it came before is the caller's to say.
///
/// # Errors
/// [`MessageError`] naming the rule.
pub fn verify(
    token: &[u8],
    recipient: &NodeId,
    now: impl Into<KnownTime>,
) -> Result<Message, MessageError> {
    let (claims, sender) = jws::verify::<Body>(token, TYP, MESSAGE_BYTES_MAX)?;
    claims.check_time(now, MESSAGE_LIFE_MAX)?;
    if claims.aud != recipient.to_string() {
        return Err(MessageError::Recipient);
    }
    if claims.sub != claims.data.kind() {
        return Err(MessageError::Claims);
    }
    claims.data.check()?;
    Ok(Message {
        sender,
        id: claims.jti.parse()?,
        sent: claims.iat,
        body: claims.data,
    })
}

#[cfg(test)]
mod tests;
