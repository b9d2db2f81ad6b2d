//! What a message says.

use keys::{AccountName, AgreementPublicKey};
use serde::{Deserialize, Serialize};

use super::MessageId;
use crate::contacts::offer::OfferSecret;
use crate::limits::{FILE_BYTES_MAX, FILE_NAME_BYTES_MAX, RECEIPT_IDS_MAX, TEXT_BYTES_MAX};

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// Something to read.
    Text(Text),
    /// That its sender is writing.
    Typing(Typing),
    /// That messages arrived, or were read.
    Receipt(Receipt),
    /// That its sender wants to be a contact.
    ContactRequest(Box<ContactRequest>),
    /// Whether its sender wants that too.
    ContactAnswer(Box<ContactAnswer>),
    /// How many mails its sender has written on this way.
    MailCount(MailCount),
    /// A file that its sender has.
    FileOffer(FileOffer),
    /// From where on its sender wants a file that was offered.
    FileAnswer(FileAnswer),
}

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// 1..=2048 bytes of UTF-8; of control characters, only new line and tab.
    pub text: String,
}

/// Nothing beside what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typing {}

/// Which messages arrived, or were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The messages, 1..=32.
    pub messages: Vec<MessageId>,
    /// Whether somebody has read them.
    pub is_read: bool,
}

/// Who asks, and by which offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactRequest {
    /// The sender's name.
    pub name: AccountName,
    /// What to encrypt for the sender.
    pub agreement: AgreementPublicKey,
    /// What shows that the sender was given an offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<OfferSecret>,
}

/// Whether the sender wants to be a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactAnswer {
    /// The sender's name.
    pub name: AccountName,
    /// What to encrypt for the sender.
    pub agreement: AgreementPublicKey,
    /// Whether it does.
    pub is_accepted: bool,
}

/// How many mails the sender has written to the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailCount {
    /// The number of the next one.
    pub next: u64,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileOffer {
    /// Its name, without a folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of its content, 64 hex digits.
    pub blake3: String,
}

/// From where on a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileAnswer {
    /// The message that offered it.
    pub file: MessageId,
    /// The first byte that is missing; `None` if it isn't wanted.
    pub from: Option<u64>,
}

/// Why a body is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Empty, too long, or with control characters.
    #[error(
        "a text has 1 to {TEXT_BYTES_MAX} bytes and no control characters but new line and tab"
    )]
    Text,
    /// None, or too many.
    #[error("a receipt is for 1 to {RECEIPT_IDS_MAX} messages")]
    Receipt,
    /// Not a name of a file alone.
    #[error(
        "a file's name has 1 to {FILE_NAME_BYTES_MAX} bytes, no folder and no control characters"
    )]
    FileName,
    /// Too large.
    #[error("a file has at most {FILE_BYTES_MAX} bytes")]
    FileSize,
    /// Not 64 lower-case hex digits.
    #[error("a file's hash is 64 hex digits")]
    FileHash,
}

impl Body {
    /// The kind, as `sub` of the token says it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Typing(_) => "typing",
            Self::Receipt(_) => "receipt",
            Self::ContactRequest(_) => "contact-request",
            Self::ContactAnswer(_) => "contact-answer",
            Self::MailCount(_) => "mail-count",
            Self::FileOffer(_) => "file-offer",
            Self::FileAnswer(_) => "file-answer",
        }
    }

    /// Whether it waits, as mail if need be, until the recipient has it, and belongs to the history.
    pub const fn is_kept(&self) -> bool {
        match self {
            Self::Text(_) | Self::FileOffer(_) => true,
            Self::Typing(_)
            | Self::Receipt(_)
            | Self::ContactRequest(_)
            | Self::ContactAnswer(_)
            | Self::MailCount(_)
            | Self::FileAnswer(_) => false,
        }
    }

    /// Checks what the types don't.
    ///
    /// # Errors
    /// [`BodyError`] naming the rule.
    pub fn check(&self) -> Result<(), BodyError> {
        match self {
            Self::Text(text) => text.check(),
            Self::Receipt(receipt) if (1..=RECEIPT_IDS_MAX).contains(&receipt.messages.len()) => {
                Ok(())
            }
            Self::Receipt(_) => Err(BodyError::Receipt),
            Self::FileOffer(offer) => offer.check(),
            Self::Typing(_)
            | Self::ContactRequest(_)
            | Self::ContactAnswer(_)
            | Self::MailCount(_)
            | Self::FileAnswer(_) => Ok(()),
        }
    }
}

impl Text {
    fn check(&self) -> Result<(), BodyError> {
        let is_plain = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
        let is_sized = (1..=TEXT_BYTES_MAX).contains(&self.text.len());
        if is_sized && self.text.chars().all(is_plain) {
            Ok(())
        } else {
            Err(BodyError::Text)
        }
    }
}

impl FileOffer {
    fn check(&self) -> Result<(), BodyError> {
        let is_sized = (1..=FILE_NAME_BYTES_MAX).contains(&self.name.len());
        let is_folder = matches!(self.name.as_str(), "." | "..");
        let is_plain = |letter: char| !letter.is_control() && !matches!(letter, '/' | '\\');
        if !is_sized || is_folder || !self.name.chars().all(is_plain) {
            return Err(BodyError::FileName);
        }
        if self.size > FILE_BYTES_MAX {
            return Err(BodyError::FileSize);
        }
        self.hash().map(|_| ())
    }

    /// The hash.
    ///
    /// # Errors
    /// [`BodyError::FileHash`].
    pub fn hash(&self) -> Result<[u8; 32], BodyError> {
        let mut hash = [0; 32];
        hex::decode_to_slice(&self.blake3, &mut hash).map_err(|_| BodyError::FileHash)?;
        if hex::encode(hash) == self.blake3 {
            Ok(hash)
        } else {
            Err(BodyError::FileHash)
        }
    }
}
