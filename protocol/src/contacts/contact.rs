//! One contact: what it is to us, and what is known of it.

use keys::{AccountName, AgreementPublicKey, NodeId, PublicKey};
use serde::{Deserialize, Serialize};

use super::offer::OfferSecret;
use crate::limits::MISSED_MAILS_MAX;

/// What two accounts are to each other, from the side of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// We asked; there is no answer yet.
    Requested,
    /// They asked; we haven't answered yet.
    Pending,
    /// Both want it.
    Accepted,
    /// One of both said no.
    Denied,
    /// Nothing of theirs is taken any longer.
    Blocked,
}

impl Relation {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Denied => "denied",
            Self::Blocked => "blocked",
        }
    }
}

/// One contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Its node id when it was met: stays, whatever its key becomes.
    pub id: NodeId,
    /// Its key.
    #[serde(with = "hex_key")]
    pub key: PublicKey,
    /// Its name.
    pub name: AccountName,
    /// What to encrypt for, once it is known.
    pub agreement: Option<AgreementPublicKey>,
    /// What it is to us.
    pub relation: Relation,
    /// Whether codes were compared since its key last changed.
    pub is_verified: bool,
    /// What shows that it gave us an offer.
    pub secret: Option<OfferSecret>,
    /// Where it was last met: hints.
    pub addresses: Vec<String>,
    /// Whether it doesn't know yet what became of its request.
    pub is_answer_owed: bool,
    /// Until when our request waits for it in the network, seconds since 1970; 0 if it doesn't.
    pub request_waits_until: u64,
    /// Number of the next mail to it.
    pub next_mail_out: u64,
    /// Number of the next mail from it.
    pub next_mail_in: u64,
    /// Numbers before that whose mail was not found when a later one was, at most [`MISSED_MAILS_MAX`].
    #[serde(default)]
    pub missed_mails: Vec<u64>,
}

impl Contact {
    /// The node id that its key has now.
    pub fn node_id(&self) -> NodeId {
        // A contact's key is a P-256 key: its id was computed from one.
        keys::node_id(&self.key, &self.name).unwrap_or(self.id)
    }

    /// Numbers of the mails from it that are looked for: those that were missed, and the next `ahead`.
    pub fn mails_to_look_for(&self, ahead: u64) -> impl Iterator<Item = u64> {
        let next = self.next_mail_in..self.next_mail_in.saturating_add(ahead);
        self.missed_mails.iter().copied().chain(next)
    }

    /// A mail from it came. Those before it that didn't are looked for on: a replica may have been away.
    pub fn mail_came(&mut self, number: u64) {
        self.missed_mails.retain(|missed| *missed != number);
        if number < self.next_mail_in {
            return;
        }
        let room = u64::try_from(MISSED_MAILS_MAX).unwrap_or(u64::MAX);
        let first = self.next_mail_in.max(number.saturating_sub(room));
        self.missed_mails.extend(first..number);
        let surplus = self.missed_mails.len().saturating_sub(MISSED_MAILS_MAX);
        self.missed_mails.drain(..surplus);
        self.next_mail_in = number.saturating_add(1);
    }

    /// It says what number its next mail has; what those before said comes another way.
    pub fn mails_were_counted(&mut self, next: u64) {
        if next > self.next_mail_in {
            self.next_mail_in = next;
        }
        self.missed_mails.clear();
    }
}

/// An offer that somebody may come back with, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenOffer {
    /// What shows that somebody was given it.
    pub secret: OfferSecret,
    /// First second in which it is void.
    pub expires: u64,
}

/// Who asks to be a contact, or answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Its key, proved.
    pub key: PublicKey,
    /// Its name.
    pub name: AccountName,
    /// What to encrypt for.
    pub agreement: AgreementPublicKey,
}

/// A key as 66 hex digits.
mod hex_key {
    use keys::PublicKey;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(
        key: &PublicKey,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&key.to_hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PublicKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        PublicKey::from_p256_hex(&text).map_err(D::Error::custom)
    }
}
