//! Private networks: only members connect, and each member hands on who they are.
//!
//! # Layout
//!
//! * [`place`]: the files of a network, `networks/NAME` in the data folder
//! * `gate`: refuses connections of anybody else
//! * `keeper`: holds charter and member list, takes newer ones, stores them
//! * `share`: the stream on which members tell each other

pub(crate) mod gate;
pub(crate) mod keeper;
pub mod place;
pub(crate) mod share;

use std::collections::BTreeMap;
use std::sync::Arc;

use keys::PublicKey;
use libp2p::{Multiaddr, PeerId};
use protocol::network::NetworkId;
use protocol::network::invitation::PresharedKey;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::config::NodeConfig;
use keeper::{Heard, Keeper};
use place::{Place, PlaceError};
use share::News;

/// Changes that wait for the keeper; whoever has more waits.
const HEARD_WAITING_MAX: usize = 16;

/// A private network, read from its files.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) place: Place,
    pub(crate) id: NetworkId,
    pub(crate) psk: Option<PresharedKey>,
    pub(crate) bootstrap: Vec<Multiaddr>,
    news: News,
}

impl Opened {
    /// Reads the network that a node is configured for; `None` for the public one.
    pub(crate) fn of(config: &NodeConfig) -> Result<Option<Self>, PlaceError> {
        let Some(network) = &config.network else {
            return Ok(None);
        };
        let place = Place::of(&config.data_directory, &network.name);
        let now = config.clock.now();
        if let Some(file) = &network.import {
            place.import(file, now)?;
        }
        let (membership, access) = (place.load()?, place.access()?);
        Ok(Some(Self {
            id: membership.network(),
            news: News::of(&membership, &access, now),
            bootstrap: access.multiaddrs(),
            psk: access.psk,
            place,
        }))
    }

    /// Who may connect.
    pub(crate) fn allowed(&self) -> gate::Allowed {
        Arc::clone(&self.news.allowed)
    }
}

/// What the loop of a node has of its private network; nothing if it runs in the public one.
pub(crate) struct Network {
    attached: Option<Attached>,
}

struct Attached {
    news: watch::Receiver<News>,
    heard: mpsc::Sender<Heard>,
    streams: libp2p_stream::Control,
    tellers: BTreeMap<PeerId, AbortHandle>,
}

impl Network {
    /// Starts the keeper and takes streams of members.
    pub(crate) fn start(
        opened: Option<Opened>,
        config: &NodeConfig,
        own: PublicKey,
        streams: libp2p_stream::Control,
    ) -> Self {
        let attached = opened.map(|opened| {
            let (sender, news) = watch::channel(opened.news);
            let (heard, inbox) = mpsc::channel(HEARD_WAITING_MAX);
            let keeper = Keeper {
                place: opened.place,
                own,
                clock: config.clock,
                news: sender,
            };
            tokio::spawn(keeper.run(inbox));
            let listening = share::listen(streams.clone(), heard.downgrade(), news.clone());
            tokio::spawn(listening);
            Attached {
                news,
                heard,
                streams,
                tellers: BTreeMap::new(),
            }
        });
        Self { attached }
    }

    /// Waits until charter or member list have changed.
    pub(crate) async fn changed(&mut self) {
        if let Some(attached) = &mut self.attached
            && attached.news.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// Who may connect; `None` if everybody may.
    pub(crate) fn allowed(&mut self) -> Option<gate::Allowed> {
        let attached = self.attached.as_mut()?;
        Some(Arc::clone(&attached.news.borrow_and_update().allowed))
    }

    /// Begins to tell a peer that has connected what this node holds.
    pub(crate) fn connected(&mut self, peer: PeerId) {
        let Some(attached) = &mut self.attached else {
            return;
        };
        let telling = share::tell(attached.streams.clone(), peer, attached.news.clone());
        let task = tokio::spawn(telling).abort_handle();
        if let Some(earlier) = attached.tellers.insert(peer, task) {
            earlier.abort();
        }
    }

    /// Ends that.
    pub(crate) fn disconnected(&mut self, peer: &PeerId) {
        let attached = self.attached.as_mut();
        if let Some(task) = attached.and_then(|attached| attached.tellers.remove(peer)) {
            task.abort();
        }
    }

    /// Reads the files again, which a command may have changed.
    pub(crate) fn reload(&self, reply: oneshot::Sender<Result<String, String>>) {
        let Some(attached) = &self.attached else {
            let refused = "this node runs in the public network".to_owned();
            // The asker may have given up; then nobody wants the answer.
            drop(reply.send(Err(refused)));
            return;
        };
        // A full inbox drops the question, and its asker sees that.
        if attached.heard.try_send(Heard::Reload(reply)).is_err() {
            tracing::debug!("the keeper of the network is busy");
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for task in self.attached.iter().flat_map(|it| it.tellers.values()) {
            task.abort();
        }
    }
}
