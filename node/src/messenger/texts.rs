//! Messages on their way: signed, sent on a session or left to the mail, kept until there is a receipt.

use std::time::Duration;

use keys::NodeId;
use protocol::contacts::contact::Relation;
use protocol::messages::body::{Body, MailCount, Receipt, Text, Typing};
use protocol::messages::frame::Frame;
use protocol::messages::{self, Message, MessageId};
use tokio::time::Instant;

use super::history::{Direction, Entry, Progress};
use super::{Event, Messenger, MessengerError};
use crate::clock::{unix_now, unix_now_ms};

/// A contact that doesn't say in this time that it has a message is not there: the session is dead.
pub(super) const RECEIPT_TIMEOUT: Duration = Duration::from_secs(15);

impl Messenger {
    /// Writes a text to a contact. It is kept on return, and sent as soon as may be.
    ///
    /// # Errors
    /// [`MessengerError`].
    pub fn write_text(&mut self, contact: &str, text: String) -> Result<Entry, MessengerError> {
        self.write(contact, Body::Text(Text { text }), None)
    }

    /// As [`Self::write_text`], for what a text is not.
    pub(super) fn write(
        &mut self,
        contact: &str,
        body: Body,
        file: Option<super::history::FileState>,
    ) -> Result<Entry, MessengerError> {
        let id = self.next_id();
        let contact = self.friend(contact)?;
        // What can't be sent isn't kept.
        messages::sign(
            &self.account.key,
            &contact.node_id(),
            (id, &body),
            unix_now(),
        )?;
        let entry = Entry {
            id,
            contact: contact.id,
            direction: Direction::Out,
            sent: unix_now(),
            body,
            progress: Progress::Waiting,
            mail: None,
            file,
        };
        self.keep(entry.clone())?;
        if !self.send(&entry) {
            self.call(&entry.contact);
            self.mail_what_waits(&entry.contact);
        }
        Ok(entry)
    }

    /// An id after those of all that was written before.
    fn next_id(&mut self) -> MessageId {
        self.last_written_ms = unix_now_ms().max(self.last_written_ms.saturating_add(1));
        MessageId::generate(self.last_written_ms, &mut cli::keyfile::os_rng())
    }

    /// Tells a contact that somebody is writing, if there is a session.
    ///
    /// # Errors
    /// [`MessengerError`].
    pub fn write_typing(&mut self, contact: &str) -> Result<(), MessengerError> {
        let id = self.friend(contact)?.id;
        self.say(&id, &Body::Typing(Typing {}));
        Ok(())
    }

    /// Tells a contact that somebody has read what it wrote.
    ///
    /// # Errors
    /// [`MessengerError`].
    pub fn mark_read(&mut self, contact: &str) -> Result<usize, MessengerError> {
        let id = self.book.find(contact)?.id;
        let unread = self.history.unread_of(&id)?;
        let ids: Vec<MessageId> = unread.iter().map(|entry| entry.id).collect();
        for entry in unread {
            self.note(entry, Progress::Read);
        }
        for some in ids.chunks(protocol::limits::RECEIPT_IDS_MAX) {
            self.say(&id, &receipt(some.to_vec(), true));
        }
        Ok(ids.len())
    }

    /// Signs and sends on a session; says whether there was one.
    pub(super) fn say(&self, contact: &NodeId, body: &Body) -> bool {
        self.say_as(contact, new_id(), body)
    }

    fn say_as(&self, contact: &NodeId, id: MessageId, body: &Body) -> bool {
        let (Some(found), Some(link)) = (self.book.by_id(contact), self.link_to(contact)) else {
            return false;
        };
        match messages::sign(&self.account.key, &found.node_id(), (id, body), unix_now()) {
            Ok(token) => {
                let frame = Frame::Message(token.as_bytes()).encode();
                link.outgoing.messages.try_send(frame).is_ok()
            }
            Err(error) => {
                tracing::error!(%error, "a message is not sent");
                false
            }
        }
    }

    /// Sends a message that is kept; a receipt is owed from now on.
    fn send(&mut self, entry: &Entry) -> bool {
        if !self.say_as(&entry.contact, entry.id, &entry.body) {
            return false;
        }
        let links = self.links.values_mut().rev();
        let mut links = links.filter(|link| link.contact.as_ref() == Some(&entry.contact));
        if let Some(link) = links.next() {
            link.owed_since.get_or_insert_with(Instant::now);
        }
        true
    }

    /// A session with a contact began, or the contact is one now.
    pub(super) fn on_online(&mut self, contact: &NodeId) {
        let Some(found) = self.book.by_id(contact).cloned() else {
            return;
        };
        match found.relation {
            Relation::Requested => {
                self.say(contact, &self.request_body(&found));
            }
            Relation::Accepted => {
                self.answer(contact);
                let next = found.next_mail_out;
                self.say(contact, &Body::MailCount(MailCount { next }));
                for entry in self.unfinished_with(contact) {
                    match entry.direction {
                        Direction::Out => drop(self.send(&entry)),
                        Direction::In => self.ask_for_rest(&entry),
                    }
                }
            }
            Relation::Denied => self.answer(contact),
            Relation::Pending | Relation::Blocked => {}
        }
    }

    /// The last session with a contact has ended.
    pub(super) fn on_offline(&mut self, contact: &NodeId) {
        self.files.stop_all_of(contact);
        if self.unfinished_with(contact).is_empty() {
            return;
        }
        self.call(contact);
    }

    pub(super) fn unfinished_with(&self, contact: &NodeId) -> Vec<Entry> {
        self.history
            .unfinished_with(contact)
            .unwrap_or_else(|error| {
                tracing::error!(%error, "history is not read");
                Vec::new()
            })
    }

    /// Takes a frame of a session.
    pub(super) fn on_frame(&mut self, number: u64, frame: &[u8]) {
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        let (sender, contact) = (link.peer.key.clone(), link.contact);
        // A stranger asks once: each request is written to the disk.
        if contact.is_none() && std::mem::replace(&mut link.has_asked, true) {
            return;
        }
        match Frame::parse(frame) {
            Ok(Frame::Message(token)) => {
                let message = messages::verify(token, &self.account.node_id, unix_now());
                match message {
                    Ok(message) if message.sender == sender => self.on_message(message),
                    Ok(_) => tracing::warn!("a message of somebody else came in a session"),
                    Err(error) => tracing::warn!(%error, "a message is refused"),
                }
            }
            Ok(Frame::Piece(piece)) => {
                if let Some(contact) = contact {
                    self.on_piece(&contact, piece);
                }
            }
            Err(error) => tracing::warn!(%error, "a frame is refused"),
        }
    }

    /// Takes a verified message, whichever way it came.
    pub(super) fn on_message(&mut self, message: Message) {
        match message.body {
            Body::ContactRequest(request) => return self.on_request(&message.sender, *request),
            Body::ContactAnswer(answer) => return self.on_answer(&message.sender, *answer),
            _ => {}
        }
        let contact = self.book.by_key(&message.sender);
        let Some(contact) = contact.filter(|contact| contact.relation == Relation::Accepted) else {
            tracing::debug!("a message of somebody who is no contact");
            return;
        };
        let contact = contact.id;
        match message.body {
            Body::Text(_) | Body::FileOffer(_) => self.on_kept(&contact, message),
            Body::Typing(_) => self.tell(Event::Typing { contact }),
            Body::Receipt(receipt) => self.on_receipt(&contact, &receipt),
            Body::MailCount(count) => {
                // What those mails said comes through this session.
                if let Some(found) = self.book.by_id_mut(&contact) {
                    found.mails_were_counted(count.next);
                    self.keep_book();
                }
            }
            Body::FileAnswer(answer) => self.on_file_answer(&contact, answer),
            Body::ContactRequest(_) | Body::ContactAnswer(_) => {}
        }
    }

    /// What is kept counts as delivered once it is on disk.
    fn on_kept(&mut self, contact: &NodeId, message: Message) {
        let id = message.id;
        let entry = Entry {
            id,
            contact: *contact,
            direction: Direction::In,
            sent: message.sent.min(id.written_ms() / 1000),
            body: message.body,
            progress: Progress::Delivered,
            mail: None,
            file: None,
        };
        let kept = match self.history.has(&id) {
            Ok(true) => Ok(()),
            Ok(false) => self.keep(entry),
            Err(error) => Err(error),
        };
        match kept {
            Ok(()) => drop(self.say(contact, &receipt(vec![id], false))),
            Err(error) => tracing::error!(%error, "a message is not kept, and not acknowledged"),
        }
    }

    fn on_receipt(&mut self, contact: &NodeId, receipt: &Receipt) {
        for link in self.links.values_mut() {
            if link.contact.as_ref() == Some(contact) {
                link.owed_since = None;
            }
        }
        for id in &receipt.messages {
            let Ok(Some(entry)) = self.history.get(id) else {
                continue;
            };
            let is_theirs = entry.contact == *contact && entry.direction == Direction::Out;
            let progress = if receipt.is_read {
                Progress::Read
            } else {
                Progress::Delivered
            };
            if is_theirs && entry.progress != Progress::Read && entry.progress != progress {
                self.note(entry, progress);
            }
        }
    }
}

/// An id for what isn't kept.
pub(super) fn new_id() -> MessageId {
    MessageId::generate(unix_now_ms(), &mut cli::keyfile::os_rng())
}

const fn receipt(messages: Vec<MessageId>, is_read: bool) -> Body {
    Body::Receipt(Receipt { messages, is_read })
}
