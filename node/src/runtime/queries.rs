//! Look-ups under way. Nothing that comes back is believed before it is verified.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use libp2p::PeerId;
use libp2p::kad::store::RecordStore;
use libp2p::kad::{
    self, GetClosestPeersError, GetClosestPeersOk, GetProvidersOk, GetRecordOk, QueryId,
    QueryResult, Quorum, Record as KadRecord, RecordKey,
};
use protocol::dht::key::DhtKey;
use protocol::dht::record;
use tlog::split_view::SplitView;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::clock::unix_now;
use crate::handle::Found;
use crate::storage::records::{Due, PutError, Records};

/// Valid answers of different peers after which a look-up ends.
const ANSWERS_ENOUGH: usize = 3;
/// Providers after which a look-up ends, if [`PROVIDER_ANSWERS_ENOUGH`] peers named them.
const PROVIDERS_ENOUGH: usize = 20;
/// Answers to a look-up of providers, which nobody signs: a few neighbours of a key could name that many
/// made-up ones and hide the rest (H63).
const PROVIDER_ANSWERS_ENOUGH: usize = 8;
/// Providers taken of one answer; a node of ours names no more, and each is dialled (H69).
const PROVIDERS_PER_ANSWER_MAX: usize = 20;

type Kad = kad::Behaviour<Records>;

#[derive(Debug)]
enum Query {
    Get(Box<Get>),
    Providers {
        found: BTreeSet<PeerId>,
        answers: usize,
        reply: oneshot::Sender<Vec<PeerId>>,
    },
    /// Who is nearest to a record that is told again.
    Repeat(Due),
    Put {
        key: DhtKey,
        reply: oneshot::Sender<Result<usize, String>>,
    },
    /// The look-up that follows a put and counts who holds the record.
    Confirm {
        key: DhtKey,
        seq: u64,
        holders: usize,
        reply: oneshot::Sender<Result<usize, String>>,
    },
}

#[derive(Debug)]
struct Get {
    key: DhtKey,
    best: Option<(record::Record, Vec<u8>)>,
    /// The sequence number that each peer answered with, `None` for an invalid record.
    answers: BTreeMap<Option<PeerId>, Option<u64>>,
    /// What two answers show of a log.
    split_view: Option<SplitView>,
    clock: Clock,
    reply: oneshot::Sender<Found>,
}

/// All look-ups under way.
#[derive(Debug)]
pub(super) struct Queries {
    clock: Clock,
    running: HashMap<QueryId, Query>,
}

impl Queries {
    /// Nothing is under way yet.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            running: HashMap::new(),
        }
    }

    pub(super) fn get(&mut self, kad: &mut Kad, key: DhtKey, reply: oneshot::Sender<Found>) {
        let id = kad.get_record(RecordKey::new(key.as_bytes()));
        let get = Get {
            key,
            best: None,
            answers: BTreeMap::new(),
            split_view: None,
            clock: self.clock,
            reply,
        };
        self.running.insert(id, Query::Get(Box::new(get)));
    }

    /// Tells a stored record to the nodes nearest to it.
    pub(super) fn repeat(&mut self, kad: &mut Kad, due: Due) {
        let id = kad.get_closest_peers(due.key.as_bytes().to_vec());
        self.running.insert(id, Query::Repeat(due));
    }

    pub(super) fn providers(
        &mut self,
        kad: &mut Kad,
        key: DhtKey,
        reply: oneshot::Sender<Vec<PeerId>>,
    ) {
        let id = kad.get_providers(RecordKey::new(key.as_bytes()));
        self.running.insert(
            id,
            Query::Providers {
                found: BTreeSet::new(),
                answers: 0,
                reply,
            },
        );
    }

    pub(super) fn put(
        &mut self,
        kad: &mut Kad,
        key: DhtKey,
        value: Vec<u8>,
        reply: oneshot::Sender<Result<usize, String>>,
    ) {
        // What breaks the rules here would break them everywhere; what lost here, too.
        let newer = |offered: record::Record| {
            let lost = stored(kad, &key).is_some_and(|stored| stored.seq() > offered.seq());
            if lost {
                Err(PutError::NotNewer)
            } else {
                Ok(())
            }
        };
        let verified = record::verify(&key, &value, unix_now()).map_err(PutError::from);
        if let Err(error) = verified.and_then(newer) {
            drop(reply.send(Err(error.to_string())));
            return;
        }
        match kad.put_record(
            KadRecord::new(RecordKey::new(key.as_bytes()), value),
            Quorum::One,
        ) {
            Ok(id) => drop(self.running.insert(id, Query::Put { key, reply })),
            Err(error) => drop(reply.send(Err(error.to_string()))),
        }
    }

    /// Takes a result and returns newly found providers, to be dialled.
    pub(super) fn progress(
        &mut self,
        kad: &mut Kad,
        id: QueryId,
        result: QueryResult,
        last: bool,
    ) -> Vec<PeerId> {
        let Some(query) = self.running.get_mut(&id) else {
            return Vec::new();
        };
        let mut new = Vec::new();
        let mut enough = last;
        match (query, result) {
            (Query::Get(get), QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found)))) => {
                get.take(found.peer, found.record.value);
                let valid = get
                    .answers
                    .iter()
                    .filter(|(peer, seq)| peer.is_some() && seq.is_some());
                enough |= valid.count() >= ANSWERS_ENOUGH;
            }
            (
                Query::Confirm {
                    key, seq, holders, ..
                },
                QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found))),
            ) => {
                let valid = record::verify(key, &found.record.value, unix_now());
                let same = valid.is_ok_and(|record| record.seq() >= *seq);
                *holders += usize::from(same && found.peer.is_some());
            }
            (
                Query::Providers { found, answers, .. },
                QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. })),
            ) => {
                *answers += 1;
                new = providers
                    .into_iter()
                    .take(PROVIDERS_PER_ANSWER_MAX)
                    .filter(|peer| found.insert(*peer))
                    .collect();
                new.sort_unstable();
                enough |= found.len() >= PROVIDERS_ENOUGH && *answers >= PROVIDER_ANSWERS_ENOUGH;
            }
            (
                Query::Repeat(due),
                QueryResult::GetClosestPeers(
                    Ok(GetClosestPeersOk { peers, .. })
                    | Err(GetClosestPeersError::Timeout { peers, .. }),
                ),
            ) => {
                let record = KadRecord::new(RecordKey::new(due.key.as_bytes()), due.value.clone());
                let peers: Vec<PeerId> = peers.into_iter().map(|peer| peer.peer_id).collect();
                if !peers.is_empty() {
                    kad.put_record_to(record, peers.into_iter(), Quorum::One);
                }
            }
            _ => {}
        }
        if enough && let Some(query) = self.running.remove(&id) {
            if let Some(mut query) = kad.query_mut(&id) {
                query.finish();
            }
            self.finish(kad, query);
        }
        new
    }

    fn finish(&mut self, kad: &mut Kad, query: Query) {
        match query {
            Query::Get(get) => get.finish(kad),
            Query::Providers { found, reply, .. } => drop(reply.send(found.into_iter().collect())),
            Query::Put { key, reply } => {
                let seq = stored(kad, &key).map_or(0, |record| record.seq());
                let id = kad.get_record(RecordKey::new(key.as_bytes()));
                self.running.insert(
                    id,
                    Query::Confirm {
                        key,
                        seq,
                        holders: 0,
                        reply,
                    },
                );
            }
            Query::Confirm { holders, reply, .. } => drop(reply.send(Ok(holders))),
            Query::Repeat(_) => {}
        }
    }
}

/// The valid record that this node stores under a key.
fn stored(kad: &mut Kad, key: &DhtKey) -> Option<record::Record> {
    let found = RecordStore::get(kad.store_mut(), &RecordKey::new(key.as_bytes()))?;
    record::verify(key, &found.value, unix_now()).ok()
}

impl Get {
    fn take(&mut self, peer: Option<PeerId>, value: Vec<u8>) {
        let verified = record::verify(&self.key, &value, self.clock.known());
        let seq = verified.as_ref().ok().map(record::Record::seq);
        self.answers.insert(peer, seq);
        if let (Ok(record), Some((best, _)), None) = (&verified, &self.best, &self.split_view) {
            self.split_view = record.contradicts(best);
        }
        if let Ok(record) = verified
            && self
                .best
                .as_ref()
                .is_none_or(|(best, _)| record.replaces(best))
        {
            self.best = Some((record, value));
        }
    }

    /// Gives the best record to those who were behind, and to the asker.
    fn finish(self, kad: &mut Kad) {
        if let Some((best, value)) = &self.best {
            let behind = self
                .answers
                .iter()
                .filter(|(_, seq)| **seq < Some(best.seq()));
            let (here, behind): (Vec<_>, Vec<_>) =
                behind.map(|(peer, _)| *peer).partition(Option::is_none);
            let behind: Vec<PeerId> = behind.into_iter().flatten().collect();
            if !here.is_empty()
                && let Err(error) = kad.store_mut().offer(self.key.as_bytes(), value, None)
            {
                tracing::debug!(%error, "own copy stays behind");
            }
            let record = KadRecord::new(RecordKey::new(self.key.as_bytes()), value.clone());
            if !behind.is_empty() {
                kad.put_record_to(record, behind.into_iter(), Quorum::One);
            }
        }
        let valid = self.answers.values().filter(|seq| seq.is_some()).count();
        let invalid = self.answers.len() - valid;
        drop(self.reply.send(Found {
            best: self.best,
            split_view: self.split_view,
            valid,
            invalid,
        }));
    }
}
