//! Mail: a message for somebody who is not there waits in the DHT until its recipient takes it away.
//!
//! It lies under a *slot*, 32 bytes that only sender and recipient can compute, or anybody for a recipient's
//! few public slots, see [`crate::mailbox`]. The network sees who wrote to whom and when, never what.

use keys::{AccountName, AgreementKey, AgreementPublicKey, NodeId, PublicKey, Secret, SigningKey};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::identity::account::AUDIENCE;
use crate::jose::jwe::{self, JweError};
use crate::jose::jws::{self, Claims, JwsError, KnownTime};
use crate::limits::{MAIL_BYTES_MAX, MAIL_CONTENT_BYTES_MAX, MAIL_LIFE_MAX};

/// `typ` of a mail, and of what is sealed in it.
pub const TYP: &str = "streembit-mail";

/// Where a mail lies in its recipient's box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub [u8; 32]);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MailData {
    /// By the sender.
    Sealed(Sealed),
    /// By the recipient: it has it.
    Taken(Taken),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    /// A JWE in compact form.
    content: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Taken {
    /// The recipient's name, which with its key gives the node id.
    name: String,
}

/// A verified mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Whom it is for.
    pub recipient: NodeId,
    /// Where it lies.
    pub slot: Slot,
    /// Who signed: the sender, or the recipient once it was taken.
    pub signer: PublicKey,
    /// First second in which it is void.
    pub expires: u64,
    /// `None` once it was taken.
    sealed: Option<String>,
}

/// Why a mail is not accepted, made or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Not a valid token.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Not valid at this time.
    #[error(transparent)]
    Time(#[from] jws::TimeError),
    /// It can't be sealed or opened.
    #[error(transparent)]
    Jwe(#[from] JweError),
    /// `sub`, `aud` or `jti` are malformed.
    #[error("claims `sub`, `aud` or `jti` are not those of a mail")]
    Claims,
    /// Taken away by another than the recipient.
    #[error("only the recipient takes mail away")]
    NotRecipient,
    /// More content than a mail holds.
    #[error("a mail holds at most {MAIL_CONTENT_BYTES_MAX} bytes")]
    TooLong,
    /// There is nothing in it any longer.
    #[error("the mail was taken away")]
    Taken,
}

/// Signs a mail at `now` (seconds since 1970) that waits as long as mail may.
///
/// * `content`: what it says, itself signed.
///
/// # Errors
/// [`MailError`] if it is too long.
pub fn sign(
    sender: &SigningKey,
    (recipient, agreement): (&NodeId, &AgreementPublicKey),
    slot: Slot,
    content: &[u8],
    (now, rng): (u64, &mut (impl CryptoRng + ?Sized)),
) -> Result<String, MailError> {
    if content.len() > MAIL_CONTENT_BYTES_MAX {
        return Err(MailError::TooLong);
    }
    let content = jwe::seal(agreement, TYP, content, rng)?;
    sign_data(
        sender,
        recipient,
        slot,
        MailData::Sealed(Sealed { content }),
        now,
    )
}

/// Signs at `now` that the recipient took the mail in a slot. It lives until no such mail can still be valid.
///
/// # Errors
/// [`MailError::Jws`] if the key is not P-256.
pub fn take(
    recipient: &SigningKey,
    name: &AccountName,
    slot: Slot,
    now: u64,
) -> Result<String, MailError> {
    let node_id = keys::node_id(&recipient.public(), name).map_err(|_| JwsError::Key)?;
    let name = name.as_str().to_owned();
    sign_data(
        recipient,
        &node_id,
        slot,
        MailData::Taken(Taken { name }),
        now,
    )
}

fn sign_data(
    key: &SigningKey,
    recipient: &NodeId,
    slot: Slot,
    data: MailData,
    now: u64,
) -> Result<String, MailError> {
    let claims = Claims {
        iss: String::new(),
        sub: recipient.to_string(),
        aud: AUDIENCE.to_owned(),
        iat: now,
        exp: now.saturating_add(MAIL_LIFE_MAX.as_secs()),
        jti: hex::encode(slot.0),
        data,
    };
    let token = jws::sign(key, TYP, claims)?;
    verify(token.as_bytes(), now)?;
    Ok(token)
}

/// Verifies a mail at `now`.
///
/// # Errors
/// [`MailError`] naming the rule.
pub fn verify(token: &[u8], now: impl Into<KnownTime>) -> Result<Mail, MailError> {
    let (claims, signer) = jws::verify::<MailData>(token, TYP, MAIL_BYTES_MAX)?;
    claims.check_time(now, MAIL_LIFE_MAX)?;
    let recipient: NodeId = claims.sub.parse().map_err(|_| MailError::Claims)?;
    let slot = slot(&claims.jti).ok_or(MailError::Claims)?;
    if claims.aud != AUDIENCE {
        return Err(MailError::Claims);
    }
    let sealed = match claims.data {
        MailData::Sealed(sealed) => Some(sealed.content),
        MailData::Taken(taken) => {
            let name: Option<AccountName> = taken.name.parse().ok();
            let node_id = name.and_then(|name| keys::node_id(&signer, &name).ok());
            if node_id != Some(recipient) {
                return Err(MailError::NotRecipient);
            }
            None
        }
    };
    Ok(Mail {
        recipient,
        slot,
        signer,
        expires: claims.exp,
        sealed,
    })
}

/// 64 lower-case hex digits.
fn slot(text: &str) -> Option<Slot> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    (hex::encode(bytes) == text).then_some(Slot(bytes))
}

impl Mail {
    /// Whether the recipient took it away.
    pub const fn is_taken(&self) -> bool {
        self.sealed.is_none()
    }

    /// Whether `self` replaces `stored` in its slot: only that it was taken replaces a mail.
    pub const fn replaces(&self, stored: &Self) -> bool {
        self.is_taken() && !stored.is_taken()
    }

    /// What it says, to its recipient.
    ///
    /// # Errors
    /// [`MailError::Taken`], or [`MailError::Jwe`] for anybody else.
    pub fn open(&self, recipient: &AgreementKey) -> Result<Secret, MailError> {
        let sealed = self.sealed.as_deref().ok_or(MailError::Taken)?;
        Ok(jwe::open(
            recipient,
            TYP,
            sealed.as_bytes(),
            MAIL_BYTES_MAX,
        )?)
    }
}

#[cfg(test)]
mod tests;
