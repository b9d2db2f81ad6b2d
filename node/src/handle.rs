//! How the rest of a program talks to its node: bounded commands, one answer each.

use std::time::Duration;

use libp2p::{Multiaddr, PeerId, StreamProtocol};
use protocol::dht::key::DhtKey;
use protocol::dht::log_checkpoint::Seen;
use protocol::dht::record::Record;
use serde::Serialize;
use tlog::split_view::SplitView;
use tokio::sync::{mpsc, oneshot, watch};

use crate::blocks::store::BlobStore;
use crate::local_names::LocalNames;
use crate::swarm::addresses::{is_relayed, peer_of, worth_telling};

/// Commands under way at once.
pub(crate) const COMMANDS_MAX: usize = 64;

/// How long direct addresses are tried before relays are.
const HEAD_START: Duration = Duration::from_secs(1);

/// The node has stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct Stopped;

/// What a node tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Peer id, the hash of the account key.
    pub peer_id: String,
    /// Addresses others can dial.
    pub listening: Vec<String>,
    /// Connected peers.
    pub peers: usize,
    /// Peers in the routing table.
    pub known: usize,
    /// Records stored for the network.
    pub records: usize,
    /// Keys with providers, stored for the network.
    pub provider_keys: usize,
    /// Blobs served.
    pub blobs: usize,
}

/// A connected peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeerInfo {
    /// Its peer id.
    pub peer_id: String,
    /// Where it is connected from or to.
    pub address: String,
}

/// The answers to a look-up.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The valid record with the highest sequence, and its bytes.
    pub best: Option<(Record, Vec<u8>)>,
    /// Evidence that a log has two histories, if two answers show that.
    pub split_view: Option<SplitView>,
    /// How many peers answered with a valid record.
    pub valid: usize,
    /// How many answers broke the rules.
    pub invalid: usize,
}

impl Found {
    /// What was seen of a transparency log, if that was looked up.
    pub fn seen(self) -> impl Iterator<Item = Seen> {
        let evidence = self.split_view.map(Seen::SplitView);
        let best = match self.best {
            Some((Record::LogCheckpoint(found), _)) => Some(found.seen),
            _ => None,
        };
        evidence.into_iter().chain(best)
    }
}

/// A command for the loop.
#[derive(Debug)]
pub(crate) enum Command {
    Connect(PeerId, Vec<Multiaddr>, oneshot::Sender<Result<(), String>>),
    Dial(Multiaddr),
    Direct(PeerId, oneshot::Sender<bool>),
    Get(DhtKey, oneshot::Sender<Found>),
    Learn(Vec<(PeerId, Multiaddr)>, oneshot::Sender<()>),
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    Provide(DhtKey),
    Providers(DhtKey, oneshot::Sender<Vec<PeerId>>),
    Put(DhtKey, Vec<u8>, oneshot::Sender<Result<usize, String>>),
    ReloadNetwork(oneshot::Sender<Result<String, String>>),
    Status(oneshot::Sender<Status>),
    StopProviding(DhtKey),
}

/// Talks to a running node. Cheap to clone; the node stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) streams: Streams,
    pub(crate) addresses: watch::Receiver<Vec<String>>,
    pub(crate) names: LocalNames,
    /// The blobs this node serves.
    pub blobs: BlobStore,
    /// The node's peer id.
    pub peer_id: PeerId,
}

/// Opens raw streams; libp2p's control has no Debug of its own.
#[derive(Clone)]
pub(crate) struct Streams(pub(crate) libp2p_stream::Control);

impl std::fmt::Debug for Streams {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Streams")
    }
}

impl NodeHandle {
    /// Connects to an address.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn dial(&self, address: Multiaddr) -> Result<(), Stopped> {
        self.send(Command::Dial(address)).await
    }

    /// Where the node can be dialled, through relays too, now and whenever that changes.
    pub fn addresses(&self) -> watch::Receiver<Vec<String>> {
        self.addresses.clone()
    }

    /// Where those who may know can dial the node, by its name first if it has one: as many as are worth telling.
    pub fn told_addresses(&self) -> Vec<String> {
        let all = worth_telling(self.addresses.borrow().iter().map(String::as_str));
        self.names.with_own(all)
    }

    /// Connects to a peer at any of these addresses, which end in its peer id, and waits until it is connected. Relays
    /// are asked only when it isn't soon: a direct connection is better.
    ///
    /// # Errors
    /// [`Stopped`]; the inner error says why it can't be reached.
    pub async fn connect(&self, addresses: Vec<Multiaddr>) -> Result<Result<(), String>, Stopped> {
        let Some(peer) = addresses.first().and_then(peer_of) else {
            return Ok(Err("no address is known".to_owned()));
        };
        let addresses = self.names.resolve(addresses).await;
        let (relayed, direct): (Vec<_>, Vec<_>) = addresses.into_iter().partition(is_relayed);
        let through = |addresses| self.ask(move |reply| Command::Connect(peer, addresses, reply));
        let mut first = Box::pin(through(direct));
        if relayed.is_empty() {
            return first.await;
        }
        let mut second = Box::pin(through(relayed));
        tokio::select! {
            result = &mut first => match result? {
                Ok(()) => return Ok(Ok(())),
                Err(_) => return second.await,
            },
            () = tokio::time::sleep(HEAD_START) => {}
        }
        tokio::select! {
            result = &mut first => match result? {
                Ok(()) => Ok(Ok(())),
                Err(_) => second.await,
            },
            result = &mut second => match result? {
                Ok(()) => Ok(Ok(())),
                Err(_) => first.await,
            },
        }
    }

    /// Waits until a connected peer is connected without a relay, as long as it is connected. Returns whether it was
    /// already: streams opened before end otherwise.
    ///
    /// # Errors
    /// [`Stopped`], also if the peer is gone.
    pub async fn direct(&self, peer: PeerId) -> Result<bool, Stopped> {
        self.ask(|reply| Command::Direct(peer, reply)).await
    }

    /// Takes peers into the routing table unseen: simulations of networks that have been there for long.
    ///
    /// # Errors
    /// [`Stopped`].
    #[doc(hidden)]
    pub async fn learn(&self, peers: Vec<(PeerId, Multiaddr)>) -> Result<(), Stopped> {
        self.ask(|reply| Command::Learn(peers, reply)).await
    }

    /// Looks a record up on disjoint paths, verifies every answer and takes the highest sequence.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn get(&self, key: DhtKey) -> Result<Found, Stopped> {
        self.ask(|reply| Command::Get(key, reply)).await
    }

    /// Stores a record in the network and returns how many other nodes are then found to hold it.
    /// Kademlia's own success says nothing (reference: crates.md section 2), hence the look-up.
    ///
    /// # Errors
    /// [`Stopped`]; the inner error says why the record is refused here already.
    pub async fn put(&self, key: DhtKey, value: Vec<u8>) -> Result<Result<usize, String>, Stopped> {
        self.ask(|reply| Command::Put(key, value, reply)).await
    }

    /// Announces, now and from time to time, that this node has what `key` stands for.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn provide(&self, key: DhtKey) -> Result<(), Stopped> {
        self.send(Command::Provide(key)).await
    }

    /// Stops announcing.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn stop_providing(&self, key: DhtKey) -> Result<(), Stopped> {
        self.send(Command::StopProviding(key)).await
    }

    /// Who provides `key`: hints, to be tried.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn providers(&self, key: DhtKey) -> Result<Vec<PeerId>, Stopped> {
        self.ask(|reply| Command::Providers(key, reply)).await
    }

    /// The connected peers.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Stopped> {
        self.ask(Command::Peers).await
    }

    /// What the node tells of itself.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn status(&self) -> Result<Status, Stopped> {
        self.ask(Command::Status).await
    }

    /// Reads the files of the node's private network again and returns its name; who is no member any more is
    /// disconnected.
    ///
    /// # Errors
    /// [`Stopped`]; the inner error says why they can't be read.
    pub async fn reload_network(&self) -> Result<Result<String, String>, Stopped> {
        self.ask(Command::ReloadNetwork).await
    }

    /// Accepts streams of an application protocol. The block exchange is taken already unless the
    /// configuration says not to serve.
    ///
    /// # Errors
    /// [`libp2p_stream::AlreadyRegistered`].
    pub fn accept(
        &self,
        protocol: StreamProtocol,
    ) -> Result<libp2p_stream::IncomingStreams, libp2p_stream::AlreadyRegistered> {
        self.streams.0.clone().accept(protocol)
    }

    /// Opens a stream of an application protocol, and a connection if there is none.
    ///
    /// # Errors
    /// [`libp2p_stream::OpenStreamError`].
    pub async fn open_stream(
        &self,
        peer: PeerId,
        protocol: StreamProtocol,
    ) -> Result<libp2p::Stream, libp2p_stream::OpenStreamError> {
        self.streams.0.clone().open_stream(peer, protocol).await
    }

    async fn send(&self, command: Command) -> Result<(), Stopped> {
        self.commands.send(command).await.map_err(|_| Stopped)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| Stopped)
    }
}
