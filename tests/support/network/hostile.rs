//! A peer without our rules: it serves in its own way, answers look-ups with what it likes, and asks
//! what it may not.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use node::blocks::frames;
use node::libp2p::kad::store::{MemoryStore, RecordStore as _};
use node::libp2p::kad::{
    self, GetRecordOk, ProviderRecord, QueryResult, Quorum, Record, RecordKey,
};
use node::libp2p::swarm::behaviour::toggle::Toggle;
use node::libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use node::libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use node::libp2p::{Stream, StreamProtocol, Swarm, SwarmBuilder, identify, noise, tcp, yamux};
use node::{Multiaddr, PeerId};
use protocol::dht::key::DhtKey;
use protocol::exchange::PROTOCOL;
use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::wire::Frame;
use tokio::sync::{mpsc, oneshot};

use super::{DEADLINE, Data, TestNode, until};

/// What a slow peer lets pass between two bytes.
const PER_BYTE: Duration = Duration::from_millis(20);

/// How a hostile peer treats who opens a stream to it. All claim to have the whole blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Serves what is right, and the stream ends after this many bytes.
    Cut(usize),
    /// Sends the map again and again.
    EndlessHave,
    /// Sends noise.
    Garbage,
    /// Sends a chunk level that is not the blob's.
    LevelLie,
    /// Sends chunks that are not what was asked for.
    Lie,
    /// Sends chunks a byte at a time.
    Slow,
    /// Takes requests and sends nothing more.
    Stall,
}

/// What a hostile peer saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Chunks asked of it.
    pub asked: AtomicUsize,
    /// Whole chunks it sent.
    pub sent: AtomicUsize,
    /// Streams opened to it.
    pub opened: AtomicUsize,
    /// A stream ended, by it or by the other side.
    pub ended: AtomicBool,
    /// Its announcements that were answered, whatever that means.
    pub answered: AtomicUsize,
    /// What each peer answered its last look-up with.
    pub found: Mutex<BTreeMap<PeerId, Vec<u8>>>,
    /// The protocols that each peer says it serves.
    pub protocols: Mutex<BTreeMap<PeerId, Vec<String>>>,
}

/// The behaviours of a raw peer: no rules, no limits, no validation.
#[derive(NetworkBehaviour)]
#[behaviour(prelude = "node::libp2p::swarm::derive_prelude")]
struct Raw {
    streams: libp2p_stream::Behaviour,
    kad: Toggle<kad::Behaviour<MemoryStore>>,
    identify: Toggle<identify::Behaviour>,
}

impl Raw {
    fn kad(&mut self) -> &mut kad::Behaviour<MemoryStore> {
        let kad = self.kad.as_mut();
        kad.expect("a peer that speaks the DHT's protocol")
    }
}

type Job = Box<dyn FnOnce(&mut Swarm<Raw>) + Send>;

/// A peer without our rules, steered by the test.
pub struct HostilePeer {
    pub peer_id: PeerId,
    pub address: Multiaddr,
    pub seen: Arc<Seen>,
    control: libp2p_stream::Control,
    jobs: mpsc::UnboundedSender<Job>,
}

impl fmt::Debug for HostilePeer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HostilePeer({})", self.peer_id)
    }
}

impl HostilePeer {
    /// Starts a peer that speaks the DHT's protocol and opens streams, but serves none.
    pub async fn start() -> Self {
        Self::start_speaking(true).await
    }

    /// Starts a peer that speaks nothing by itself: the test answers on its streams and asks on them.
    pub async fn start_mute() -> Self {
        Self::start_speaking(false).await
    }

    async fn start_speaking(speaks: bool) -> Self {
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(
                tcp::Config::default(),
                noise::Config::new,
                yamux::Config::default,
            )
            .unwrap()
            .with_behaviour(|keypair| {
                let local = keypair.public().to_peer_id();
                let mut config = kad::Config::new(StreamProtocol::new("/streembit/kad/1.0.0"));
                config.set_max_packet_size(1 << 20);
                let store = MemoryStore::new(local);
                let mut kad = kad::Behaviour::with_config(local, store, config);
                kad.set_mode(Some(kad::Mode::Server));
                let id = "/streembit/id/1.0.0".to_owned();
                let identify = identify::Config::new(id, keypair.public());
                Raw {
                    streams: libp2p_stream::Behaviour::new(),
                    kad: speaks.then_some(kad).into(),
                    identify: speaks.then(|| identify::Behaviour::new(identify)).into(),
                }
            })
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(DEADLINE))
            .build();
        swarm
            .listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap())
            .unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let peer_id = *swarm.local_peer_id();
        swarm.add_external_address(address.clone());
        let control = swarm.behaviour().streams.new_control();
        let (jobs, mut inbox) = mpsc::unbounded_channel::<Job>();
        let seen = Arc::new(Seen::default());
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    event = swarm.select_next_some() => note(&event, &noted),
                    job = inbox.recv() => match job {
                        Some(job) => job(&mut swarm),
                        None => break,
                    },
                }
            }
        });
        Self {
            peer_id,
            address: address.with_p2p(peer_id).unwrap(),
            seen,
            control,
            jobs,
        }
    }

    /// Starts a peer that serves `data` in its own way.
    pub async fn serve(conduct: Conduct, data: &Data) -> Self {
        let mut peer = Self::start().await;
        let mut incoming = peer.control.accept(StreamProtocol::new(PROTOCOL)).unwrap();
        let (seen, data) = (Arc::clone(&peer.seen), data.clone());
        tokio::spawn(async move {
            while let Some((_, stream)) = incoming.next().await {
                let (seen, data) = (Arc::clone(&seen), data.clone());
                seen.opened.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut server = Server {
                        stream,
                        conduct,
                        written: 0,
                    };
                    // How it ends is the other side's affair.
                    drop(server.converse(&data, &seen).await);
                    drop(server.stream);
                    seen.ended.store(true, Ordering::SeqCst);
                });
            }
        });
        peer
    }

    pub fn name(&self) -> String {
        self.peer_id.to_string()
    }

    pub fn count(&self, of: impl Fn(&Seen) -> &AtomicUsize) -> usize {
        of(&self.seen).load(Ordering::SeqCst)
    }

    pub async fn until_asked(&self) {
        let asked = async || (self.count(|seen| &seen.asked) > 0).then_some(());
        until("the hostile peer is asked for a chunk", asked).await;
    }

    pub async fn until_ended(&self) {
        let ended = async || self.seen.ended.load(Ordering::SeqCst).then_some(());
        until("a stream of the hostile peer ends", ended).await;
    }

    /// Does something with the swarm and returns what comes of it.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Swarm<Raw>) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = oneshot::channel();
        let job = move |swarm: &mut Swarm<Raw>| drop(reply.send(job(swarm)));
        drop(self.jobs.send(Box::new(job)));
        answer.await.unwrap()
    }

    /// Opens a stream of the exchange to a node.
    pub async fn open(&self, node: &TestNode) -> Stream {
        let opened = self.try_open(node, PROTOCOL).await;
        opened.expect("a node negotiates streams")
    }

    /// Opens a stream of any protocol to a node.
    ///
    /// # Errors
    /// That the node doesn't speak it, or hung up.
    pub async fn try_open(
        &self,
        node: &TestNode,
        protocol: &'static str,
    ) -> Result<Stream, libp2p_stream::OpenStreamError> {
        let peer = node.handle.peer_id;
        let address = node.address.clone();
        let dial = move |swarm: &mut Swarm<Raw>| {
            if !swarm.is_connected(&peer) {
                drop(swarm.dial(address));
            }
        };
        self.run(dial).await;
        self.until_connected(node).await;
        let mut control = self.control.clone();
        control
            .open_stream(peer, StreamProtocol::new(protocol))
            .await
    }

    pub async fn until_connected(&self, node: &TestNode) {
        let peer = node.handle.peer_id;
        let connected = async || {
            let connected = move |swarm: &mut Swarm<Raw>| swarm.is_connected(&peer);
            self.run(connected).await.then_some(())
        };
        until("the hostile peer is connected", connected).await;
    }

    /// Answers each stream of a protocol that is opened to this peer with these bytes, and ends it.
    pub fn answer_streams(&self, protocol: &'static str, bytes: Vec<u8>) {
        let mut control = self.control.clone();
        let mut incoming = control.accept(StreamProtocol::new(protocol)).unwrap();
        let seen = Arc::clone(&self.seen);
        tokio::spawn(async move {
            while let Some((_, mut stream)) = incoming.next().await {
                seen.opened.fetch_add(1, Ordering::SeqCst);
                let bytes = bytes.clone();
                tokio::spawn(async move {
                    // Whoever has enough hangs up.
                    drop(stream.write_all(&bytes).await);
                    drop(stream.close().await);
                });
            }
        });
    }

    /// Dials a node, whatever comes of it.
    pub async fn dial_once(&self, node: &TestNode) {
        let address = node.address.clone();
        let dial = move |swarm: &mut Swarm<Raw>| drop(swarm.dial(address));
        self.run(dial).await;
    }

    /// Connects to a node and keeps the connection.
    pub async fn connect(&self, node: &TestNode) {
        self.dial_once(node).await;
        self.until_connected(node).await;
    }

    /// Names peers, at addresses of its choice, to who asks for the way.
    pub async fn name_peers(&self, peers: Vec<(PeerId, Multiaddr)>) {
        let learn = move |swarm: &mut Swarm<Raw>| {
            for (peer, address) in peers {
                swarm.behaviour_mut().kad().add_address(&peer, address);
            }
        };
        self.run(learn).await;
    }

    /// Tries to open a stream of any protocol to a node, dialled for it.
    ///
    /// # Errors
    /// What a stream that isn't opened ends with.
    pub async fn try_reach(
        &self,
        peer: PeerId,
        address: &Multiaddr,
        protocol: &str,
    ) -> Result<Stream, libp2p_stream::OpenStreamError> {
        let address = address.clone();
        let learn = move |swarm: &mut Swarm<Raw>| {
            swarm.behaviour_mut().kad().add_address(&peer, address);
        };
        self.run(learn).await;
        let protocol = StreamProtocol::try_from_owned(protocol.to_owned()).unwrap();
        self.control.clone().open_stream(peer, protocol).await
    }

    /// Opens this many connections to a node; each is tried, whatever is there already.
    pub async fn dial(&self, node: &TestNode, times: usize) {
        let (peer, address) = (node.handle.peer_id, node.address.clone());
        let dial = move |swarm: &mut Swarm<Raw>| {
            swarm
                .behaviour_mut()
                .kad()
                .add_address(&peer, address.clone());
            for _ in 0..times {
                let options = DialOpts::peer_id(peer)
                    .condition(PeerCondition::Always)
                    .addresses(vec![address.clone()]);
                drop(swarm.dial(options.build()));
            }
        };
        self.run(dial).await;
    }

    /// Connections that are open, and those under way.
    pub async fn connections(&self) -> (u32, u32) {
        let count = |swarm: &mut Swarm<Raw>| {
            let info = swarm.network_info();
            let counters = info.connection_counters();
            (counters.num_established(), counters.num_pending())
        };
        self.run(count).await
    }

    /// Takes nodes into its routing table, to name them to others.
    pub async fn learn(&self, nodes: &[&TestNode]) {
        let known = nodes.iter();
        let known = known.map(|node| (node.handle.peer_id, node.address.clone()));
        let known: Vec<(PeerId, Multiaddr)> = known.collect();
        let learn = move |swarm: &mut Swarm<Raw>| {
            for (peer, address) in known {
                swarm.behaviour_mut().kad().add_address(&peer, address);
            }
        };
        self.run(learn).await;
    }

    /// Answers look-ups of `key` with `value` from now on.
    pub async fn answer(&self, key: &DhtKey, value: Vec<u8>) {
        let record = Record::new(RecordKey::new(key.as_bytes()), value);
        let put = move |swarm: &mut Swarm<Raw>| {
            swarm.behaviour_mut().kad().store_mut().put(record).unwrap();
        };
        self.run(put).await;
    }

    /// Answers look-ups of `key` with nothing from now on.
    pub async fn forget(&self, key: &DhtKey) {
        let key = RecordKey::new(key.as_bytes());
        let remove = move |swarm: &mut Swarm<Raw>| {
            swarm.behaviour_mut().kad().store_mut().remove(&key);
        };
        self.run(remove).await;
    }

    /// What it would answer.
    pub async fn answers(&self, key: &DhtKey) -> Option<Vec<u8>> {
        let key = RecordKey::new(key.as_bytes());
        let get = move |swarm: &mut Swarm<Raw>| {
            let store = swarm.behaviour_mut().kad().store_mut();
            store.get(&key).map(|record| record.value.clone())
        };
        self.run(get).await
    }

    /// Waits until each of `nodes` itself answers a look-up of `key` with `value`.
    pub async fn until_stored(&self, key: &DhtKey, value: &[u8], nodes: &[&TestNode]) {
        let stored = async || {
            let key = RecordKey::new(key.as_bytes());
            self.learn(nodes).await;
            let ask = move |swarm: &mut Swarm<Raw>| {
                swarm.behaviour_mut().kad().get_record(key);
            };
            self.run(ask).await;
            let found = self.seen.found.lock().unwrap();
            let has =
                |node: &&TestNode| found.get(&node.handle.peer_id).is_some_and(|v| v == value);
            nodes.iter().all(has).then_some(())
        };
        until("every node answers with the record", stored).await;
    }

    /// Names made-up providers of `key` from now on.
    pub async fn name_providers(&self, key: &DhtKey, count: usize) {
        let key = RecordKey::new(key.as_bytes());
        let add = move |swarm: &mut Swarm<Raw>| {
            for _ in 0..count {
                let nowhere = "/ip4/127.0.0.1/tcp/9".parse().unwrap();
                let provider = ProviderRecord::new(key.clone(), PeerId::random(), vec![nowhere]);
                let store = swarm.behaviour_mut().kad().store_mut();
                store.add_provider(provider).unwrap();
            }
        };
        self.run(add).await;
    }

    /// Names one peer as a provider of `key`, at its own address.
    pub async fn name_as_provider(&self, key: &DhtKey, peer: PeerId) {
        let provider = RecordKey::new(key.as_bytes());
        let provider = ProviderRecord::new(provider, peer, vec![self.address.clone()]);
        let add = move |swarm: &mut Swarm<Raw>| {
            let store = swarm.behaviour_mut().kad().store_mut();
            store.add_provider(provider).unwrap();
        };
        self.run(add).await;
    }

    /// Puts a record to `nodes`; they answer that they took it, whatever they did with it.
    pub async fn put(&self, key: &DhtKey, value: Vec<u8>, nodes: &[&TestNode]) {
        let record = Record::new(RecordKey::new(key.as_bytes()), value);
        let before = self.count(|seen| &seen.answered);
        let peers: Vec<PeerId> = nodes.iter().map(|node| node.handle.peer_id).collect();
        self.learn(nodes).await;
        let put = move |swarm: &mut Swarm<Raw>| {
            for peer in peers {
                let kad = swarm.behaviour_mut().kad();
                kad.put_record_to(record.clone(), [peer].into_iter(), Quorum::One);
            }
        };
        self.run(put).await;
        let answered = async || {
            let answered = self.count(|seen| &seen.answered);
            (answered >= before + nodes.len()).then_some(())
        };
        until("the hostile record is taken", answered).await;
    }
}

fn note(event: &SwarmEvent<RawEvent>, seen: &Seen) {
    match event {
        SwarmEvent::Behaviour(RawEvent::Kad(kad::Event::OutboundQueryProgressed {
            result,
            ..
        })) => note_result(result, seen),
        SwarmEvent::Behaviour(RawEvent::Identify(identify::Event::Received {
            peer_id,
            info,
            ..
        })) => {
            let protocols = info.protocols.iter().map(ToString::to_string).collect();
            seen.protocols.lock().unwrap().insert(*peer_id, protocols);
        }
        _ => {}
    }
}

fn note_result(result: &QueryResult, seen: &Seen) {
    match result {
        QueryResult::PutRecord(Ok(_)) => {
            seen.answered.fetch_add(1, Ordering::SeqCst);
        }
        QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found))) => {
            if let Some(peer) = found.peer {
                let value = found.record.value.clone();
                seen.found.lock().unwrap().insert(peer, value);
            }
        }
        _ => {}
    }
}

/// One stream of a hostile peer.
struct Server {
    stream: Stream,
    conduct: Conduct,
    written: usize,
}

impl Server {
    async fn converse(&mut self, data: &Data, seen: &Seen) -> io::Result<()> {
        frames::read(&mut self.stream, usize::MAX).await?;
        if self.conduct == Conduct::Garbage {
            return self.write(&[0xff; 4096]).await;
        }
        let map = ChunkMap::full(data.count()).as_bytes().to_vec();
        let have = Frame::Have(map).encode();
        self.write(&have).await?;
        while self.conduct == Conduct::EndlessHave {
            self.write(&have).await?;
        }
        while let Some(frame) = frames::read(&mut self.stream, usize::MAX).await? {
            match frame {
                Frame::GetTree { first, count } => {
                    let mut nodes = data.tree.nodes(first, count);
                    if self.conduct == Conduct::LevelLie {
                        nodes[0] ^= 1;
                        seen.asked.fetch_add(1, Ordering::SeqCst);
                    }
                    self.write(&Frame::Tree { first, nodes }.encode()).await?;
                }
                Frame::Request { first, count } => {
                    for chunk in first..first + u32::from(count) {
                        seen.asked.fetch_add(1, Ordering::SeqCst);
                        self.answer(data, chunk).await?;
                        seen.sent.fetch_add(1, Ordering::SeqCst);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn answer(&mut self, data: &Data, chunk: u32) -> io::Result<()> {
        let mut bytes = data.chunk(chunk);
        if self.conduct == Conduct::Lie {
            bytes[0] ^= 1;
        }
        let frame = Frame::Data { chunk, bytes }.encode();
        match self.conduct {
            Conduct::Stall => Ok(()),
            Conduct::Slow => {
                for byte in frame {
                    self.write(&[byte]).await?;
                    // Slowness is what this peer does.
                    tokio::time::sleep(PER_BYTE).await;
                }
                Ok(())
            }
            _ => self.write(&frame).await,
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = match self.conduct {
            Conduct::Cut(at) => at - self.written,
            _ => bytes.len(),
        };
        let part = &bytes[..room.min(bytes.len())];
        self.stream.write_all(part).await?;
        self.stream.flush().await?;
        self.written += part.len();
        if room < bytes.len() {
            self.stream.close().await?;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}

/// Waits until the other side ends a stream; what it still sends is thrown away.
pub async fn until_closed(stream: &mut Stream) {
    let mut buffer = [0; 4096];
    let reading = async { while matches!(stream.read(&mut buffer).await, Ok(1..)) {} };
    let ended = tokio::time::timeout(DEADLINE, reading).await;
    ended.expect("the other side ends the stream");
}
