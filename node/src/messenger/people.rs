//! Who wants to be a contact, who is, and who no longer is.

use keys::{AgreementPublicKey, PublicKey};
use protocol::contacts::book::{BookError, Verdict};
use protocol::contacts::code::VerificationCode;
use protocol::contacts::contact::{Contact, Person, Relation};
use protocol::contacts::offer::{Offer, OfferSecret};
use protocol::limits::OFFER_ADDRESSES_MAX;
use protocol::messages::body::{Body, ContactAnswer, ContactRequest};

use super::{Event, Messenger, MessengerError};
use crate::clock::unix_now;

impl Messenger {
    /// Makes an offer that is good for `life` seconds, once.
    ///
    /// * `addresses`: where to begin looking.
    ///
    /// # Errors
    /// [`MessengerError`].
    pub fn make_offer(
        &mut self,
        life: u64,
        mut addresses: Vec<String>,
    ) -> Result<Offer, MessengerError> {
        let now = unix_now();
        let secret = OfferSecret::generate(&mut cli::keyfile::os_rng());
        self.book
            .open_offer(secret.clone(), now.saturating_add(life), now)?;
        self.write_book()?;
        addresses.truncate(OFFER_ADDRESSES_MAX);
        Ok(Offer {
            key: self.account.key.public(),
            name: self.account.name.clone(),
            secret: Some(secret),
            addresses,
        })
    }

    /// Asks who made an offer to be a contact.
    ///
    /// # Errors
    /// [`MessengerError`].
    pub fn ask(&mut self, offer: &Offer) -> Result<Contact, MessengerError> {
        let id = self.book.ask(offer, &self.account.key.public())?;
        self.write_book()?;
        self.reach.remove(&id);
        if self.link_to(&id).is_some() {
            self.on_online(&id);
        } else {
            self.call(&id);
        }
        self.contact(&id.to_string())
    }

    /// Accepts, denies or blocks a contact.
    ///
    /// # Errors
    /// [`MessengerError`].
    pub fn decide(&mut self, contact: &str, relation: Relation) -> Result<Contact, MessengerError> {
        let id = self.book.find(contact)?.id;
        self.book.decide(&id, relation)?;
        self.write_book()?;
        self.adopt_links(&id);
        self.answer(&id);
        if relation == Relation::Blocked {
            self.end_links(&id);
        } else if self.link_to(&id).is_none() {
            self.reach.remove(&id);
            self.call(&id);
        } else {
            self.on_online(&id);
        }
        self.tell(Event::Contact {
            contact: id,
            change: relation.word(),
        });
        self.contact(&id.to_string())
    }

    /// Forgets a contact and all that was said.
    ///
    /// # Errors
    /// [`MessengerError`].
    pub fn remove(&mut self, contact: &str) -> Result<(), MessengerError> {
        let id = self.book.find(contact)?.id;
        self.end_links(&id);
        self.book.remove(&id);
        self.reach.remove(&id);
        self.write_book()?;
        self.history.forget(&id)?;
        self.tell(Event::Contact {
            contact: id,
            change: "removed",
        });
        Ok(())
    }

    /// The code to compare with a contact by voice.
    ///
    /// # Errors
    /// [`MessengerError`].
    pub fn code(&self, contact: &str) -> Result<VerificationCode, MessengerError> {
        let contact = self.book.find(contact)?;
        Ok(VerificationCode::of(
            &self.account.key.public(),
            &contact.key,
        ))
    }

    /// Notes that codes were compared, and were the same.
    ///
    /// # Errors
    /// [`MessengerError`].
    pub fn mark_verified(&mut self, contact: &str) -> Result<Contact, MessengerError> {
        let id = self.book.find(contact)?.id;
        if let Some(contact) = self.book.by_id_mut(&id) {
            contact.is_verified = true;
        }
        self.write_book()?;
        self.contact(&id.to_string())
    }

    /// The contact that is meant.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn contact(&self, contact: &str) -> Result<Contact, MessengerError> {
        Ok(self.book.find(contact)?.clone())
    }

    /// Hears a request.
    pub(super) fn on_request(&mut self, sender: &PublicKey, request: ContactRequest) {
        let person = Person {
            key: sender.clone(),
            name: request.name,
            agreement: request.agreement,
        };
        let verdict = self
            .book
            .on_request(&person, request.secret.as_ref(), unix_now());
        self.keep_book();
        let Some(id) = self.book.by_key(sender).map(|contact| contact.id) else {
            return;
        };
        let change = match verdict {
            Verdict::Accepted => "accepted",
            Verdict::Pending { is_namesake: true } => "pending-namesake",
            Verdict::Pending { is_namesake: false } => "pending",
            Verdict::Ignored => return,
        };
        if change == "pending-namesake" {
            tracing::warn!(contact = %id, "somebody else has the name of a contact and asks");
        }
        self.tell(Event::Contact {
            contact: id,
            change,
        });
        if verdict == Verdict::Accepted {
            self.adopt_links(&id);
            self.on_online(&id);
        }
    }

    /// Hears an answer.
    pub(super) fn on_answer(&mut self, sender: &PublicKey, answer: ContactAnswer) {
        let person = Person {
            key: sender.clone(),
            name: answer.name,
            agreement: answer.agreement,
        };
        let Some(id) = self.book.on_answer(&person, answer.is_accepted) else {
            return;
        };
        self.keep_book();
        let change = if answer.is_accepted {
            "accepted"
        } else {
            "denied"
        };
        self.tell(Event::Contact {
            contact: id,
            change,
        });
        if answer.is_accepted {
            self.on_online(&id);
            self.announce_presence();
        }
    }

    /// Answers a request that was decided, on a session if there is one.
    pub(super) fn answer(&mut self, id: &keys::NodeId) {
        let Some(contact) = self.book.by_id(id) else {
            return;
        };
        let is_accepted = match contact.relation {
            Relation::Accepted => true,
            Relation::Denied => false,
            Relation::Requested | Relation::Pending | Relation::Blocked => return,
        };
        if !contact.is_answer_owed {
            return;
        }
        if self.say(id, &self.answer_body(is_accepted)) {
            if let Some(contact) = self.book.by_id_mut(id) {
                contact.is_answer_owed = false;
            }
            self.keep_book();
            if is_accepted {
                self.announce_presence();
            }
        }
    }

    /// What says whether we accept.
    pub(super) fn answer_body(&self, is_accepted: bool) -> Body {
        Body::ContactAnswer(Box::new(ContactAnswer {
            name: self.account.name.clone(),
            agreement: self.agreement(),
            is_accepted,
        }))
    }

    /// What asks a contact, by its offer.
    pub(super) fn request_body(&self, contact: &Contact) -> Body {
        Body::ContactRequest(Box::new(ContactRequest {
            name: self.account.name.clone(),
            agreement: self.agreement(),
            secret: contact.secret.clone(),
        }))
    }

    fn agreement(&self) -> AgreementPublicKey {
        self.account.agreement.public()
    }

    /// Sessions of a stranger that is a contact now are the contact's.
    fn adopt_links(&mut self, id: &keys::NodeId) {
        let Some(key) = self.book.by_id(id).map(|contact| contact.key.clone()) else {
            return;
        };
        for link in self.links.values_mut().filter(|link| link.peer.key == key) {
            link.contact = Some(*id);
        }
    }

    fn end_links(&mut self, id: &keys::NodeId) {
        self.links
            .retain(|_, link| link.contact.as_ref() != Some(id));
        self.tell(Event::Online {
            contact: *id,
            is_online: false,
        });
    }

    /// # Errors
    /// [`BookError::Relation`] unless both want to be contacts.
    pub(super) fn friend(&self, contact: &str) -> Result<&Contact, BookError> {
        let contact = self.book.find(contact)?;
        if contact.relation == Relation::Accepted {
            return Ok(contact);
        }
        Err(BookError::Relation {
            name: contact.name.clone(),
            relation: contact.relation,
        })
    }
}
