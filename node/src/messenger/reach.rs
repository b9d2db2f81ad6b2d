//! Sessions: who is called and when, who calls us, which are open.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use keys::NodeId;
use protocol::contacts::book::BookError;
use protocol::contacts::contact::{Contact, Relation};
use protocol::identity::account::AccountRecord;
use protocol::session::handshake::Peer;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::find::{find_and_call, records_of};
use super::link::{self, Ends, Outgoing};
use super::{Event, Input, Messenger};
use crate::NodeHandle;
use crate::accounts::Account;

/// Sessions with those who aren't contacts: each may ask, and wait for an answer.
const STRANGER_LINKS_MAX: usize = 16;
/// Sessions with one contact: both sides may call at once, and a dead one is not known to be dead at first.
const LINKS_PER_CONTACT_MAX: usize = 4;
/// How long a stranger may stay.
const STRANGER_TIME: Duration = Duration::from_secs(60);
/// Handshakes with those who call, at a time.
const HANDSHAKES_MAX: usize = 16;
/// A contact that wasn't reached is tried again after this long at most.
const RETRY_MAX: Duration = Duration::from_secs(300);
/// A call takes look-ups of 20 s, and a dial.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// A session that was begun, by either side.
pub(super) struct Caller {
    pub(super) peer: Peer,
    pub(super) ends: Ends,
    /// What the other side's account says, once that was looked up.
    pub(super) records: Option<Vec<AccountRecord>>,
}

/// An open session.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: Peer,
    /// `None` for a stranger.
    pub(super) contact: Option<NodeId>,
    pub(super) outgoing: Outgoing,
    pub(super) since: Instant,
    /// Whether something came through it.
    pub(super) has_asked: bool,
    /// Messages that wait for a receipt since then.
    pub(super) owed_since: Option<Instant>,
}

/// How calling a contact goes.
#[derive(Debug)]
pub(super) struct Reach {
    is_calling: bool,
    next: Instant,
    wait: Duration,
}

/// Takes calls.
pub(super) fn listen(node: &NodeHandle, account: &Arc<Account>, inputs: mpsc::Sender<Input>) {
    let Ok(mut calls) = node.accept(link::PROTOCOL) else {
        tracing::error!("another messenger takes the calls of this node");
        return;
    };
    let account = account.clone();
    let places = Arc::new(tokio::sync::Semaphore::new(HANDSHAKES_MAX));
    tokio::spawn(async move {
        while let Some((_, mut stream)) = calls.next().await {
            // Whom there is no place for may call again.
            let Ok(place) = places.clone().try_acquire_owned() else {
                continue;
            };
            let (account, inputs) = (account.clone(), inputs.clone());
            tokio::spawn(async move {
                match link::answer(&mut stream, &account).await {
                    Ok((channel, peer)) => {
                        drop(place);
                        let (ends, run) = link::carry(stream, channel);
                        let records = None;
                        let caller = Caller {
                            peer,
                            ends,
                            records,
                        };
                        drop(inputs.send(Input::Called(Box::new(caller))).await);
                        run.await;
                    }
                    Err(error) => tracing::debug!(%error, "a call came to nothing"),
                }
            });
        }
    });
}

impl Messenger {
    /// The newest session with a contact.
    pub(super) fn link_to(&self, contact: &NodeId) -> Option<&Link> {
        let mut links = self.links.values().rev();
        links.find(|link| link.contact.as_ref() == Some(contact))
    }

    /// Calls a contact now, unless it is called or there is a session.
    pub(super) fn call(&mut self, contact: &NodeId) {
        let Some(found) = self.book.by_id(contact).cloned() else {
            return;
        };
        if self.link_to(contact).is_some() {
            return;
        }
        let first_wait = Duration::from_secs(self.config.retry_s.max(1));
        let reach = self.reach.entry(*contact).or_insert_with(|| Reach {
            is_calling: false,
            next: Instant::now(),
            wait: first_wait,
        });
        if std::mem::replace(&mut reach.is_calling, true) {
            return;
        }
        let (node, account, inputs) =
            (self.node.clone(), self.account.clone(), self.inputs.clone());
        tokio::spawn(async move {
            let id = found.id;
            let call = find_and_call(&node, &account, found);
            let called = tokio::time::timeout(CALL_TIMEOUT, call).await;
            let result = match called.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
                Ok((caller, run)) => {
                    tokio::spawn(run);
                    Ok(Box::new(caller))
                }
                Err(error) => Err(error),
            };
            drop(inputs.send(Input::Reached(id, result)).await);
        });
    }

    /// Contacts are called until they are reached.
    pub(super) fn call_those_who_are_due(&mut self, now: Instant) {
        let is_due = |contact: &&Contact| {
            let wanted = matches!(contact.relation, Relation::Accepted | Relation::Requested);
            wanted
                && self
                    .reach
                    .get(&contact.id)
                    .is_none_or(|reach| now >= reach.next)
        };
        let due: Vec<NodeId> = self
            .book
            .contacts()
            .iter()
            .filter(is_due)
            .map(|contact| contact.id)
            .collect();
        for contact in due {
            self.call(&contact);
        }
    }

    pub(super) fn on_reached(&mut self, contact: &NodeId, result: Result<Caller, String>) {
        let Some(reach) = self.reach.get_mut(contact) else {
            return;
        };
        reach.is_calling = false;
        match result {
            Ok(caller) => self.on_called(caller),
            Err(error) => {
                tracing::debug!(%contact, %error, "not reached");
                reach.next = Instant::now() + reach.wait;
                reach.wait = (reach.wait * 2).min(RETRY_MAX);
                self.mail_what_waits(contact);
            }
        }
    }

    /// A session is open.
    pub(super) fn on_called(&mut self, caller: Caller) {
        let contact = self.whose(&caller.peer, caller.records.as_deref().unwrap_or_default());
        let is_namesake = |contact: &Contact| contact.name == caller.peer.name;
        if contact.is_none()
            && caller.records.is_none()
            && self.book.contacts().iter().any(is_namesake)
        {
            self.look_up_caller(caller);
            return;
        }
        let Caller { peer, ends, .. } = caller;
        let relation = contact
            .and_then(|id| self.book.by_id(&id))
            .map(|contact| contact.relation);
        if relation == Some(Relation::Blocked) {
            tracing::info!(name = peer.name.as_str(), "a blocked contact called");
            return;
        }
        let strangers = self.links.values().filter(|link| link.contact.is_none());
        if contact.is_none() && strangers.count() >= STRANGER_LINKS_MAX {
            tracing::info!("too many strangers call");
            return;
        }
        if let Some(contact) = contact {
            self.make_room_for_link(&contact);
        }
        let number = self.next_link;
        self.next_link += 1;
        let Ends {
            outgoing,
            mut incoming,
        } = ends;
        self.links.insert(
            number,
            Link {
                peer,
                contact,
                outgoing,
                since: Instant::now(),
                has_asked: false,
                owed_since: None,
            },
        );
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            while let Some(frame) = incoming.recv().await {
                if inputs.send(Input::Frame(number, frame)).await.is_err() {
                    return;
                }
            }
            drop(inputs.send(Input::Ended(number)).await);
        });
        if let Some(contact) = contact {
            self.reach.remove(&contact);
            self.tell(Event::Online {
                contact,
                is_online: true,
            });
            self.on_online(&contact);
        }
    }

    /// Of the sessions with a contact, the oldest makes room.
    fn make_room_for_link(&mut self, contact: &NodeId) {
        let is_theirs = |link: &&Link| link.contact.as_ref() == Some(contact);
        if self.links.values().filter(is_theirs).count() < LINKS_PER_CONTACT_MAX {
            return;
        }
        let oldest = self.links.iter().find(|(_, link)| is_theirs(link));
        if let Some(number) = oldest.map(|(number, _)| *number) {
            self.links.remove(&number);
        }
    }

    /// A namesake of a contact calls: it may be the contact, with another key.
    fn look_up_caller(&self, mut caller: Caller) {
        let (node, inputs) = (self.node.clone(), self.inputs.clone());
        tokio::spawn(async move {
            let id = keys::node_id(&caller.peer.key, &caller.peer.name);
            let records = match id {
                Ok(id) => records_of(&node, id, &caller.peer.name).await,
                Err(_) => Vec::new(),
            };
            caller.records = Some(records);
            drop(inputs.send(Input::Called(Box::new(caller))).await);
        });
    }

    /// Which contact a proved peer is. One that has another key now is followed by what its account says.
    fn whose(&mut self, peer: &Peer, records: &[AccountRecord]) -> Option<NodeId> {
        if let Some(contact) = self.book.by_key(&peer.key) {
            return Some(contact.id);
        }
        let follows =
            |contact: &&Contact| records.iter().any(|record| record.follows(&contact.key));
        let id = self.book.contacts().iter().find(follows)?.id;
        self.follow(&id, records);
        let now = self.book.by_id(&id)?;
        (now.key == peer.key).then_some(id)
    }

    /// Takes what a contact's account says.
    pub(super) fn follow(&mut self, id: &NodeId, records: &[AccountRecord]) {
        for record in records {
            match self.book.follow(id, record) {
                Ok(false) => {}
                Ok(true) => {
                    tracing::warn!(contact = %id, "contact has a new key, which its old one named");
                    self.tell(Event::Contact {
                        contact: *id,
                        change: "new-key",
                    });
                }
                Err(error @ (BookError::Unfollowed(_) | BookError::Deleted(_))) => {
                    tracing::warn!(contact = %id, %error, "contact refused");
                    self.tell(Event::Contact {
                        contact: *id,
                        change: "refused",
                    });
                }
                Err(_) => {}
            }
        }
        self.keep_book();
    }

    pub(super) fn on_ended(&mut self, number: u64) {
        let Some(link) = self.links.remove(&number) else {
            return;
        };
        if let Some(contact) = link.contact
            && self.link_to(&contact).is_none()
        {
            self.tell(Event::Online {
                contact,
                is_online: false,
            });
            self.on_offline(&contact);
        }
    }

    /// Ends sessions with strangers that last too long, and with contacts that no longer say that they have what
    /// they were sent.
    pub(super) fn end_what_is_idle(&mut self, now: Instant) {
        let is_over = |link: &Link| match link.contact {
            None => now.duration_since(link.since) > STRANGER_TIME,
            Some(_) => link
                .owed_since
                .is_some_and(|since| now.duration_since(since) > super::texts::RECEIPT_TIMEOUT),
        };
        let over = self.links.iter().filter(|(_, link)| is_over(link));
        let over: Vec<u64> = over.map(|(number, _)| *number).collect();
        for number in over {
            self.on_ended(number);
        }
    }
}
