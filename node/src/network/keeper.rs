//! Holds charter and member list of a node's private network: the one task that changes them while it runs.

use std::time::Duration;

use keys::PublicKey;
use libp2p::PeerId;
use protocol::network::Membership;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::place::{Place, PlaceError};
use super::share::News;
use crate::clock::Clock;

/// How often the files are looked at again, and what has expired is noticed.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// From when on before their end it is said that charter and list should be signed again.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);

/// What may change what a node holds.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The files, which a command has changed.
    Reload(oneshot::Sender<Result<String, String>>),
    /// A member, which sent tokens.
    Tokens {
        /// Who it is.
        from: PeerId,
        /// Charter, member list.
        tokens: Vec<String>,
    },
}

/// Takes what is newer, stores it, and then tells everybody.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) place: Place,
    pub(crate) own: PublicKey,
    pub(crate) clock: Clock,
    pub(crate) news: watch::Sender<News>,
}

impl Keeper {
    /// Runs until the node stops.
    pub(crate) async fn run(self, mut inbox: mpsc::Receiver<Heard>) {
        loop {
            match timeout(LOOK_INTERVAL, inbox.recv()).await {
                Ok(Some(Heard::Tokens { from, tokens })) => {
                    // What is held already costs a comparison and no signature.
                    if *self.news.borrow().tokens != tokens {
                        self.take(Some((from, tokens)))
                            .await
                            .unwrap_or_else(|error| warn(&error));
                    }
                }
                Ok(Some(Heard::Reload(reply))) => {
                    let taken = self.take(None).await;
                    // The asker may have given up.
                    let name = self.place.name();
                    drop(reply.send(taken.map(|()| name).map_err(|error| error.to_string())));
                }
                Ok(None) => return,
                Err(_) => {
                    self.take(None).await.unwrap_or_else(|error| warn(&error));
                    self.remind();
                }
            }
        }
    }

    /// Reads what is stored, adds what a peer sent, and tells of what has changed.
    async fn take(&self, sent: Option<(PeerId, Vec<String>)>) -> Result<(), PlaceError> {
        let (place, own, now) = (self.place.clone(), self.own.clone(), self.clock.now());
        let work = move || -> Result<News, PlaceError> {
            if sent.is_none() && !place.exists() {
                return Ok(News::default());
            }
            let held = match sent {
                Some((from, tokens)) => {
                    place.change(|held| Ok(adopt(held, (&own, from), &tokens, now)))?
                }
                None => place.load()?,
            };
            Ok(News::of(&held, &place.access()?, now))
        };
        // It doesn't panic; if it did, what is held would stay.
        if let Ok(news) = tokio::task::spawn_blocking(work).await {
            self.tell(news?);
        }
        Ok(())
    }

    fn tell(&self, news: News) {
        let own = crate::identity::peer_id(&self.own).ok();
        let was_in = own.is_none_or(|own| self.news.borrow().allowed.contains(&own));
        let is_in = own.is_none_or(|own| news.allowed.contains(&own));
        let changed = self.news.send_if_modified(|held| {
            let changed = *held != news;
            *held = news;
            changed
        });
        if changed && was_in && !is_in {
            tracing::warn!("this account is no member of the network any more");
        }
    }

    /// Says that charter or list end soon.
    fn remind(&self) {
        let expires = self.place.load().ok().and_then(|held| held.expires());
        let soon = self.clock.now().saturating_add(RENEW_BEFORE.as_secs());
        if expires.is_some_and(|expires| expires <= soon) {
            tracing::warn!(
                "charter or member list end soon; an admin runs `streembit network renew`"
            );
        }
    }
}

/// Takes of `tokens` what is newer.
fn adopt(
    held: &mut Membership,
    (own, from): (&PublicKey, PeerId),
    tokens: &[String],
    now: u64,
) -> Membership {
    for token in tokens {
        let (before, signed_here) = (held.sequences(), held.list_signer() == Some(own));
        match held.adopt(token, now) {
            Ok(true) if signed_here && before == held.sequences() => tracing::warn!(
                "another admin changed the member list at the same time, and its list counts: look at \
                 `streembit network members` and repeat your change"
            ),
            Ok(true) => {
                tracing::info!(%from, sequences = ?held.sequences(), "charter or member list taken");
            }
            Ok(false) => {}
            Err(error) => tracing::debug!(%from, %error, "charter or member list refused"),
        }
    }
    held.clone()
}

fn warn(error: &PlaceError) {
    tracing::warn!(%error, "charter and member list stay as they are");
}
