//! Mail: what a contact that isn't there is told later, by way of the DHT.
//!
//! Each mail has the next number of its way, see [`protocol::mailbox`]; the recipient looks at the next few, and
//! says in their place that it has them. Nothing is waited for here: look-ups run in tasks of their own.

use std::time::Duration;

use keys::{NodeId, PublicKey};
use protocol::contacts::contact::{Contact, Relation};
use protocol::dht::key::DhtKey;
use protocol::dht::mail::{self, Mail, Slot};
use protocol::dht::record::Record;
use protocol::limits::MAIL_LIFE_MAX;
use protocol::mailbox::{self, Way};
use protocol::messages::body::Body;
use protocol::messages::{self, Message, MessageId};
use tokio::time::sleep;

use super::history::{Direction, Entry, Mailed, Progress};
use super::texts::new_id;
use super::{Input, Messenger};
use crate::NodeHandle;
use crate::clock::unix_now;

/// Numbers that are looked at beyond what came: a mail may be lost, the next one is still found.
const AHEAD: u64 = 4;
/// Mails of the DHT's public slots that are taken in one look.
const STRANGERS_PER_LOOK: usize = 8;

/// Seconds between puts that no other node took.
const PUT_WAITS_S: [u64; 4] = [1, 2, 4, 8];

/// What a contact is told by a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cargo {
    /// That we want to be a contact, or whether we do.
    Relation(NodeId),
    /// A message.
    Message(MessageId),
}

/// What is to be put.
struct Parcel {
    recipient: NodeId,
    slot: Slot,
    token: String,
}

impl Messenger {
    /// Writes mail for all that waits for a contact that can't be reached.
    pub(super) fn mail_what_waits(&mut self, id: &NodeId) {
        let now = unix_now();
        let Some(contact) = self.book.by_id(id).cloned() else {
            return;
        };
        if contact.agreement.is_none() {
            return;
        }
        match contact.relation {
            Relation::Requested if contact.request_waits_until <= now => {
                self.mail_request(&contact)
            }
            Relation::Accepted | Relation::Denied if contact.is_answer_owed => {
                self.mail_answer(&contact);
            }
            _ => {}
        }
        if contact.relation != Relation::Accepted {
            return;
        }
        for entry in self.unfinished_with(id) {
            let waits = entry.mail.as_ref().is_some_and(|mail| mail.expires > now);
            if entry.direction == Direction::Out && !waits {
                self.mail_entry(&contact, &entry);
            }
        }
    }

    /// A request goes where the offer says, or into one of the slots for strangers.
    fn mail_request(&mut self, contact: &Contact) {
        let recipient = contact.node_id();
        let slot = match &contact.secret {
            Some(secret) => mailbox::offer_slot(secret, &recipient),
            None => mailbox::public_slot_of(&self.account.key.public(), &recipient),
        };
        let id = contact.id;
        let said = (Cargo::Relation(id), self.request_body(contact));
        self.put_parcel(contact, slot, said, move |messenger, expires| {
            if let Some(contact) = messenger.book.by_id_mut(&id) {
                contact.request_waits_until = expires;
            }
            messenger.keep_book();
        });
    }

    fn mail_answer(&mut self, contact: &Contact) {
        let id = contact.id;
        let body = self.answer_body(contact.relation == Relation::Accepted);
        if self.mailing.contains(&Cargo::Relation(id)) {
            return;
        }
        let Some((slot, _)) = self.next_slot_to(contact) else {
            return;
        };
        let said = (Cargo::Relation(id), body);
        self.put_parcel(contact, slot, said, move |messenger, _| {
            if let Some(contact) = messenger.book.by_id_mut(&id) {
                contact.is_answer_owed = false;
            }
            messenger.keep_book();
        });
    }

    fn mail_entry(&mut self, contact: &Contact, entry: &Entry) {
        let id = entry.id;
        if self.mailing.contains(&Cargo::Message(id)) {
            return;
        }
        let Some((slot, number)) = self.next_slot_to(contact) else {
            return;
        };
        let said = (Cargo::Message(id), entry.body.clone());
        self.put_parcel(contact, slot, said, move |messenger, expires| {
            let Ok(Some(mut entry)) = messenger.history.get(&id) else {
                return;
            };
            if entry.progress == Progress::Waiting || entry.progress == Progress::Mailed {
                entry.mail = Some(Mailed { number, expires });
                messenger.note(entry, Progress::Mailed);
            }
        });
    }

    /// The next slot on the way to a contact, and its number, which is used up.
    fn next_slot_to(&mut self, contact: &Contact) -> Option<(Slot, u64)> {
        let number = self.book.by_id(&contact.id)?.next_mail_out;
        let way = self.way(contact, &contact.node_id())?;
        let slot = way.slot(number).ok()?;
        self.book.by_id_mut(&contact.id)?.next_mail_out = number.saturating_add(1);
        // Before it is used: a number is never used twice.
        self.write_book().ok()?;
        Some((slot, number))
    }

    fn way(&self, contact: &Contact, recipient: &NodeId) -> Option<Way> {
        let theirs = contact.agreement.as_ref()?;
        Way::new(&self.account.agreement, theirs, recipient).ok()
    }

    /// Signs, seals and puts, once at a time; what follows happens once another node has it.
    fn put_parcel(
        &mut self,
        contact: &Contact,
        slot: Slot,
        (cargo, body): (Cargo, Body),
        then: impl FnOnce(&mut Self, u64) + Send + 'static,
    ) {
        let now = unix_now();
        let parcel = match self.parcel(contact, slot, (cargo, &body), now) {
            Ok(parcel) => parcel,
            Err(error) => return tracing::error!(%error, "no mail is written"),
        };
        if !self.mailing.insert(cargo) {
            return;
        }
        let expires = now.saturating_add(MAIL_LIFE_MAX.as_secs());
        let (node, inputs) = (self.node.clone(), self.inputs.clone());
        tokio::spawn(async move {
            let is_put = put_with_patience(&node, &parcel).await;
            let work = move |messenger: &mut Self| {
                messenger.mailing.remove(&cargo);
                if is_put {
                    then(messenger, expires);
                }
            };
            drop(inputs.send(Input::Work(Box::new(work))).await);
        });
    }

    fn parcel(
        &self,
        contact: &Contact,
        slot: Slot,
        (cargo, body): (Cargo, &Body),
        now: u64,
    ) -> Result<Parcel, String> {
        let (key, recipient) = (&self.account.key, contact.node_id());
        let id = match cargo {
            Cargo::Message(id) => id,
            Cargo::Relation(_) => new_id(),
        };
        let content = messages::sign(key, &recipient, (id, body), now);
        let content = content.map_err(|error| error.to_string())?;
        let agreement = contact.agreement.as_ref().ok_or("no key to encrypt for")?;
        let (to, mut rng) = ((&recipient, agreement), cli::keyfile::os_rng());
        let token = mail::sign(key, to, slot, content.as_bytes(), (now, &mut rng));
        Ok(Parcel {
            recipient,
            slot,
            token: token.map_err(|error| error.to_string())?,
        })
    }

    /// Looks for mail of contacts and strangers, and whether ours was taken.
    pub(super) fn look_for_mail(&mut self) {
        self.look_for_requests();
        let wanted = |contact: &&Contact| {
            matches!(contact.relation, Relation::Accepted | Relation::Requested)
                && contact.agreement.is_some()
        };
        let contacts: Vec<Contact> = self
            .book
            .contacts()
            .iter()
            .filter(wanted)
            .cloned()
            .collect();
        for contact in contacts {
            if self.posting.insert(contact.id) {
                self.look_at_ways(&contact);
            }
        }
    }

    /// Looks at the next slots from a contact, and at those to it where mail waits.
    fn look_at_ways(&mut self, contact: &Contact) {
        let id = contact.id;
        let from = self.way(contact, &self.account.node_id);
        let to = self.way(contact, &contact.node_id());
        let (Some(from), Some(to)) = (from, to) else {
            self.posting.remove(&id);
            return;
        };
        let sent: Vec<(MessageId, u64)> = self
            .unfinished_with(&id)
            .into_iter()
            .filter_map(|entry| Some((entry.id, entry.mail?.number)))
            .collect();
        let (node, inputs) = (self.node.clone(), self.inputs.clone());
        let (ours, theirs) = (self.account.node_id, contact.node_id());
        let numbers: Vec<u64> = contact.mails_to_look_for(AHEAD).collect();
        tokio::spawn(async move {
            for number in numbers {
                let Ok(slot) = from.slot(number) else { break };
                if let Some(mail) = get(&node, &ours, slot).await {
                    let work =
                        move |messenger: &mut Self| messenger.on_mail(Some((id, number)), &mail);
                    drop(inputs.send(Input::Work(Box::new(work))).await);
                }
            }
            for (message, number) in sent {
                let Ok(slot) = to.slot(number) else { break };
                let found = get(&node, &theirs, slot).await;
                if found.is_some_and(|mail| mail.is_taken()) {
                    let work = move |messenger: &mut Self| messenger.on_taken(&message);
                    drop(inputs.send(Input::Work(Box::new(work))).await);
                }
            }
            let work = move |messenger: &mut Self| {
                messenger.posting.remove(&id);
            };
            drop(inputs.send(Input::Work(Box::new(work))).await);
        });
    }

    /// Looks where strangers leave their requests, and whoever was given an offer.
    fn look_for_requests(&self) {
        let ours = self.account.node_id;
        let offers = self.book.offers(unix_now());
        let slots: Vec<Slot> = offers
            .map(|offer| mailbox::offer_slot(&offer.secret, &ours))
            .chain(mailbox::public_slots(&ours))
            .collect();
        let (node, inputs) = (self.node.clone(), self.inputs.clone());
        tokio::spawn(async move {
            let mut taken = 0;
            for slot in slots {
                let found = get(&node, &ours, slot).await;
                let Some(mail) = found.filter(|mail| !mail.is_taken()) else {
                    continue;
                };
                taken += 1;
                let work = move |messenger: &mut Self| messenger.on_mail(None, &mail);
                drop(inputs.send(Input::Work(Box::new(work))).await);
                if taken >= STRANGERS_PER_LOOK {
                    return;
                }
            }
        });
    }

    /// A mail was found.
    ///
    /// * `place`: the contact whose way it lies on, and its number there.
    fn on_mail(&mut self, place: Option<(NodeId, u64)>, mail: &Mail) {
        if !mail.is_taken() {
            match self.read(mail) {
                Ok(message) if self.may_write(place, &message) => self.on_message(message),
                Ok(_) => tracing::debug!("mail of another sender than whose it is"),
                Err(error) => tracing::debug!(%error, "mail can't be read"),
            }
        }
        if let Some((contact, number)) = place
            && let Some(contact) = self.book.by_id_mut(&contact)
        {
            contact.mail_came(number);
            self.keep_book();
        }
        if !mail.is_taken() {
            self.take(mail);
        }
    }

    fn read(&self, mail: &Mail) -> Result<Message, String> {
        let content = mail.open(&self.account.agreement);
        let content = content.map_err(|error| error.to_string())?;
        let message = messages::verify(content.expose(), &self.account.node_id, unix_now());
        let message = message.map_err(|error| error.to_string())?;
        if message.sender == mail.signer {
            Ok(message)
        } else {
            Err("the sender of the mail did not write the message".to_owned())
        }
    }

    /// On a contact's way only the contact writes; elsewhere, whoever asks.
    fn may_write(&self, place: Option<(NodeId, u64)>, message: &Message) -> bool {
        let is_of = |key: &PublicKey| message.sender == *key;
        match place {
            Some((contact, _)) => self
                .book
                .by_id(&contact)
                .is_some_and(|contact| is_of(&contact.key)),
            None => matches!(message.body, Body::ContactRequest(_)),
        }
    }

    /// Says in the DHT that we have a mail: nobody else can, and the sender sees it.
    fn take(&self, mail: &Mail) {
        let token = mail::take(&self.account.key, &self.account.name, mail.slot, unix_now());
        let token = match token {
            Ok(token) => token,
            Err(error) => return tracing::error!(%error, "mail is not taken away"),
        };
        let parcel = Parcel {
            recipient: self.account.node_id,
            slot: mail.slot,
            token,
        };
        let node = self.node.clone();
        tokio::spawn(async move { put(&node, &parcel).await });
    }

    /// The recipient has taken a mail of ours.
    fn on_taken(&self, id: &MessageId) {
        if let Ok(Some(entry)) = self.history.get(id)
            && matches!(entry.progress, Progress::Waiting | Progress::Mailed)
        {
            self.note(entry, Progress::Delivered);
        }
    }
}

/// Puts a mail, again if no node takes it, so that mails come to lie in the order of their numbers; says whether
/// another node has it.
async fn put_with_patience(node: &NodeHandle, parcel: &Parcel) -> bool {
    for wait in PUT_WAITS_S {
        if put(node, parcel).await {
            return true;
        }
        sleep(Duration::from_secs(wait)).await;
    }
    put(node, parcel).await
}

/// Puts a mail; says whether another node has it.
async fn put(node: &NodeHandle, parcel: &Parcel) -> bool {
    let key = DhtKey::mail(&parcel.recipient, &parcel.slot);
    match node.put(key, parcel.token.clone().into_bytes()).await {
        Ok(Ok(holders)) => holders > 0,
        Ok(Err(error)) => {
            tracing::debug!(%error, "mail is not put");
            false
        }
        Err(_) => false,
    }
}

async fn get(node: &NodeHandle, recipient: &NodeId, slot: Slot) -> Option<Mail> {
    let found = node.get(DhtKey::mail(recipient, &slot)).await.ok()?;
    match found.best? {
        (Record::Mail(mail), _) => Some(mail),
        _ => None,
    }
}
