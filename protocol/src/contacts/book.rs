//! The contacts of an account: what becomes of a request, an answer, a change of key.
//!
//! A contact is the key that it had when it was met. Another key is another contact, whatever it calls itself,
//! unless the one before named it ([`Book::follow`]).

use keys::{AccountName, NodeId, PublicKey};
use serde::{Deserialize, Serialize};

use super::contact::{Contact, OpenOffer, Person, Relation};
use super::offer::{Offer, OfferSecret};
use crate::identity::account::{AccountRecord, Status};
use crate::limits::{CONTACTS_MAX, OFFERS_MAX, STRANGERS_MAX};

/// Why something can't be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The account itself.
    #[error("that is this account")]
    Ourselves,
    /// No such contact.
    #[error("no contact is called, or has the id or key, {0:?}")]
    Unknown(String),
    /// A name that several have.
    #[error("several contacts are called {name:?}: {}", .ids.join(", "))]
    Ambiguous {
        /// The name.
        name: String,
        /// Their account ids.
        ids: Vec<String>,
    },
    /// It is not what this needs it to be.
    #[error("{name} is {}", .relation.word())]
    Relation {
        /// The contact's name.
        name: AccountName,
        /// What it is.
        relation: Relation,
    },
    /// More contacts or offers than there may be.
    #[error("no more than {0} of these")]
    Full(usize),
    /// The key does not follow from the one that is known.
    #[error("{0} has another key, and the one that is known did not name it: refused")]
    Unfollowed(AccountName),
    /// The account was deleted by its owner.
    #[error("{0} has deleted the account")]
    Deleted(AccountName),
    /// No P-256 key.
    #[error("not a P-256 key")]
    Key,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both want it: answer so.
    Accepted,
    /// Somebody has to decide. Another contact may have the same name.
    Pending {
        /// Whether a contact with another key has the same name.
        is_namesake: bool,
    },
    /// Not heard.
    Ignored,
}

/// All contacts and open offers of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    contacts: Vec<Contact>,
    offers: Vec<OpenOffer>,
}

impl Book {
    /// All contacts, in the order in which they were met.
    pub fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// The contact that is meant by a name, a key, a node id or an account id.
    ///
    /// # Errors
    /// [`BookError::Unknown`], [`BookError::Ambiguous`].
    pub fn find(&self, text: &str) -> Result<&Contact, BookError> {
        let is_meant = |contact: &&Contact| {
            let ids = [contact.id, contact.node_id()];
            let is_id = |id: &NodeId| id.to_string() == text || id.account_id() == text;
            contact.name.as_str() == text || contact.key.to_hex() == text || ids.iter().any(is_id)
        };
        let mut found = self.contacts.iter().filter(is_meant);
        let first = found.next();
        let first = first.ok_or_else(|| BookError::Unknown(text.to_owned()))?;
        let mut ids: Vec<String> = found.map(|contact| contact.id.account_id()).collect();
        if ids.is_empty() {
            return Ok(first);
        }
        ids.insert(0, first.id.account_id());
        let name = text.to_owned();
        Err(BookError::Ambiguous { name, ids })
    }

    /// The contact with a key.
    pub fn by_key(&self, key: &PublicKey) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.key == *key)
    }

    /// The contact with an id.
    pub fn by_id(&self, id: &NodeId) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.id == *id)
    }

    /// The same, to be changed.
    pub fn by_id_mut(&mut self, id: &NodeId) -> Option<&mut Contact> {
        self.contacts.iter_mut().find(|contact| contact.id == *id)
    }

    /// Opens an offer that is good until `expires`; those that are void at `now` are forgotten.
    ///
    /// # Errors
    /// [`BookError::Full`].
    pub fn open_offer(
        &mut self,
        secret: OfferSecret,
        expires: u64,
        now: u64,
    ) -> Result<(), BookError> {
        self.offers.retain(|offer| offer.expires > now);
        if self.offers.len() >= OFFERS_MAX {
            return Err(BookError::Full(OFFERS_MAX));
        }
        self.offers.push(OpenOffer { secret, expires });
        Ok(())
    }

    /// The offers that are good at `now`.
    pub fn offers(&self, now: u64) -> impl Iterator<Item = &OpenOffer> {
        self.offers.iter().filter(move |offer| offer.expires > now)
    }

    /// Wants an account as contact: a request is to be sent, unless it asked already.
    ///
    /// # Errors
    /// [`BookError`]; what was asked or accepted before stays as it is.
    pub fn ask(&mut self, offer: &Offer, ourselves: &PublicKey) -> Result<NodeId, BookError> {
        if offer.key == *ourselves {
            return Err(BookError::Ourselves);
        }
        let id = offer.node_id().map_err(|_| BookError::Key)?;
        if let Some(contact) = self.by_key_mut(&offer.key) {
            contact.is_answer_owed |= contact.relation == Relation::Pending;
            contact.relation = match contact.relation {
                Relation::Pending | Relation::Accepted => Relation::Accepted,
                Relation::Requested | Relation::Denied | Relation::Blocked => Relation::Requested,
            };
            contact.addresses.clone_from(&offer.addresses);
            contact.secret = offer.secret.clone().or_else(|| contact.secret.take());
            return Ok(contact.id);
        }
        if self.contacts.len() >= CONTACTS_MAX {
            return Err(BookError::Full(CONTACTS_MAX));
        }
        self.contacts.push(Contact {
            id,
            key: offer.key.clone(),
            name: offer.name.clone(),
            agreement: None,
            relation: Relation::Requested,
            is_verified: false,
            secret: offer.secret.clone(),
            addresses: offer.addresses.clone(),
            is_answer_owed: false,
            request_waits_until: 0,
            next_mail_out: 0,
            next_mail_in: 0,
            missed_mails: Vec::new(),
        });
        Ok(id)
    }

    /// Hears a request. Who shows the secret of an open offer is accepted, and the offer is used up.
    ///
    /// Of those who ask without one, [`STRANGERS_MAX`] are kept; the oldest makes room.
    pub fn on_request(
        &mut self,
        person: &Person,
        secret: Option<&OfferSecret>,
        now: u64,
    ) -> Verdict {
        self.offers.retain(|offer| offer.expires > now);
        let relation = self.by_key(&person.key).map(|contact| contact.relation);
        if relation == Some(Relation::Blocked) {
            return Verdict::Ignored;
        }
        let open = self
            .offers
            .iter()
            .position(|offer| Some(&offer.secret) == secret);
        let is_wanted = matches!(relation, Some(Relation::Requested | Relation::Accepted));
        if let Some(open) = open {
            self.offers.remove(open);
        } else if !is_wanted {
            return self.wait(person);
        }
        match self.enter(person, Relation::Accepted) {
            Ok(()) => Verdict::Accepted,
            Err(_) => Verdict::Ignored,
        }
    }

    /// A stranger asks; somebody has to decide.
    fn wait(&mut self, person: &Person) -> Verdict {
        let is_namesake =
            |contact: &Contact| contact.name == person.name && contact.key != person.key;
        let is_namesake = self.contacts.iter().any(is_namesake);
        let is_waiting = |contact: &&Contact| contact.relation == Relation::Pending;
        let oldest = self
            .contacts
            .iter()
            .find(is_waiting)
            .map(|contact| contact.id);
        if self.contacts.iter().filter(is_waiting).count() >= STRANGERS_MAX
            && self.by_key(&person.key).is_none()
        {
            self.contacts.retain(|contact| Some(contact.id) != oldest);
        }
        match self.enter(person, Relation::Pending) {
            Ok(()) => Verdict::Pending { is_namesake },
            Err(_) => Verdict::Ignored,
        }
    }

    /// Hears an answer to a request of ours. Returns the contact's id if it changes anything.
    pub fn on_answer(&mut self, person: &Person, is_accepted: bool) -> Option<NodeId> {
        let contact = self.by_key_mut(&person.key)?;
        contact.agreement = Some(person.agreement.clone());
        contact.relation = match (contact.relation, is_accepted) {
            (Relation::Requested, true) => Relation::Accepted,
            (Relation::Requested | Relation::Accepted, false) => Relation::Denied,
            _ => return None,
        };
        Some(contact.id)
    }

    /// Accepts, denies or blocks a contact.
    ///
    /// # Errors
    /// [`BookError::Unknown`], or [`BookError::Relation`] if there is nothing to accept or deny.
    pub fn decide(&mut self, id: &NodeId, relation: Relation) -> Result<(), BookError> {
        let contact = self
            .by_id_mut(id)
            .ok_or_else(|| BookError::Unknown(id.to_string()))?;
        let is_open = match relation {
            Relation::Accepted => contact.relation == Relation::Pending,
            Relation::Denied => matches!(contact.relation, Relation::Pending | Relation::Requested),
            Relation::Blocked => true,
            Relation::Requested | Relation::Pending => false,
        };
        if !is_open {
            return Err(BookError::Relation {
                name: contact.name.clone(),
                relation: contact.relation,
            });
        }
        contact.relation = relation;
        contact.is_answer_owed = relation != Relation::Blocked;
        Ok(())
    }

    /// Forgets a contact. Who was blocked is no longer.
    pub fn remove(&mut self, id: &NodeId) {
        self.contacts.retain(|contact| contact.id != *id);
    }

    /// Takes what a contact's account says now. Returns whether it has another key.
    ///
    /// * `record`: of the key that is known, or of the one that it has moved to.
    ///
    /// # Errors
    /// [`BookError::Deleted`]; [`BookError::Unfollowed`] if the key that is known did not name this one.
    pub fn follow(&mut self, id: &NodeId, record: &AccountRecord) -> Result<bool, BookError> {
        let contact = self
            .by_id_mut(id)
            .ok_or_else(|| BookError::Unknown(id.to_string()))?;
        let name = || contact.name.clone();
        match &record.status {
            Status::Deleted if record.public_key == contact.key => Err(BookError::Deleted(name())),
            Status::Live { agreement, .. } if record.follows(&contact.key) => {
                let has_changed = contact.key != record.public_key;
                contact.agreement = Some(agreement.clone());
                contact.key = record.public_key.clone();
                contact.is_verified &= !has_changed;
                Ok(has_changed)
            }
            // It says who comes after it; that account says so too.
            Status::Moved { .. } if record.public_key == contact.key => Ok(false),
            Status::Deleted | Status::Live { .. } | Status::Moved { .. } => {
                Err(BookError::Unfollowed(name()))
            }
        }
    }

    fn by_key_mut(&mut self, key: &PublicKey) -> Option<&mut Contact> {
        self.contacts.iter_mut().find(|contact| contact.key == *key)
    }

    /// Adds a person, or says what it is to us now.
    fn enter(&mut self, person: &Person, relation: Relation) -> Result<(), BookError> {
        if let Some(contact) = self.by_key_mut(&person.key) {
            contact.is_answer_owed |= relation == Relation::Accepted;
            contact.relation = relation;
            contact.agreement = Some(person.agreement.clone());
            return Ok(());
        }
        if self.contacts.len() >= CONTACTS_MAX {
            return Err(BookError::Full(CONTACTS_MAX));
        }
        let id = keys::node_id(&person.key, &person.name).map_err(|_| BookError::Key)?;
        self.contacts.push(Contact {
            id,
            key: person.key.clone(),
            name: person.name.clone(),
            agreement: Some(person.agreement.clone()),
            relation,
            is_verified: false,
            secret: None,
            addresses: Vec::new(),
            is_answer_owed: relation == Relation::Accepted,
            request_waits_until: 0,
            next_mail_out: 0,
            next_mail_in: 0,
            missed_mails: Vec::new(),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
