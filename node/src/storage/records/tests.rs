//! Tests of admission, quotas, eviction and expiry, as a flooding or replaying peer tries them.

use std::net::IpAddr;

use keys::{AccountName, Algorithm, SigningKey};
use libp2p::Multiaddr;
use libp2p::kad::{KBucketDistance, KBucketKey};
use protocol::dht::record::RecordError;
use protocol::identity::account;
use protocol::limits::{ACCOUNT_LIFE_MAX, RECORD_TTL_MAX};

use super::*;
use crate::storage::quota::{
    ADDRESSES_PER_PROVIDER_MAX, KEYS_PER_PROVIDER_MAX, PROVIDER_KEYS_MAX, PROVIDER_TTL_S,
    PROVIDERS_PER_KEY_MAX,
};

/// Account records of one signer, by the table of kinds.
const ACCOUNTS_PER_SIGNER: usize = 4;

/// A store in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
    local: PeerId,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            local: PeerId::random(),
        }
    }

    fn open(&self) -> Records {
        let storage = Storage::open(&self.folder.path().join("node")).unwrap();
        Records::open(&storage, self.local).unwrap()
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

/// An account record and its key.
fn account_at(seed: u8, name: &str, seq: u64, now: u64) -> (DhtKey, Vec<u8>) {
    let (key, name): (_, AccountName) = (key(seed), name.parse().unwrap());
    let node_id = keys::node_id(&key.public(), &name).unwrap();
    let token = account::sign(&key, &name, seq, now).unwrap();
    (DhtKey::account(&node_id), token.into_bytes())
}

fn account(seed: u8, name: &str, seq: u64) -> (DhtKey, Vec<u8>) {
    account_at(seed, name, seq, unix_now())
}

fn tree(records: &Records) -> &sled::Tree {
    records.tree.as_ref().unwrap()
}

fn kad_key(key: &DhtKey) -> RecordKey {
    RecordKey::new(key.as_bytes())
}

fn subnet(address: &str) -> Option<Subnet> {
    Subnet::of(address.parse::<IpAddr>().unwrap())
}

fn got(records: &Records, key: &DhtKey) -> Option<Vec<u8>> {
    RecordStore::get(records, &kad_key(key)).map(|record| record.value.clone())
}

/// A key that nobody can compute beforehand.
fn any_key(seed: usize) -> DhtKey {
    DhtKey::from_slice(blake3::hash(&seed.to_be_bytes()).as_bytes()).unwrap()
}

/// A made-up record of 100 bytes in the index: cheap to have by the thousand.
fn entry(seed: usize) -> Entry {
    Entry {
        drop_at: u64::MAX,
        expires: u64::MAX,
        signer: *blake3::hash(&seed.to_le_bytes()).as_bytes(),
        subnet: None,
        bytes: 100,
        own: false,
    }
}

fn insert(records: &mut Records, key: DhtKey, entry: Entry) {
    assert!(records.index.get(&key).is_none());
    records.index.insert(key, entry);
}

fn drop_at(records: &Records, key: &DhtKey) -> u64 {
    records.index.get(key).unwrap().drop_at
}

fn distance(place: &Place, key: &DhtKey) -> KBucketDistance {
    KBucketKey::from(place.local).distance(&KBucketKey::new(kad_key(key)))
}

/// The farthest and the nearest of a few accounts.
fn far_and_near(place: &Place) -> [(DhtKey, Vec<u8>); 2] {
    let name = |number: usize| account(1, &format!("name{number}"), 1);
    let mut accounts: Vec<_> = (0..16).map(name).collect();
    accounts.sort_by_key(|(key, _)| distance(place, key));
    [accounts.pop().unwrap(), accounts.swap_remove(0)]
}

/// Fills the store up to its count with what is closer than `limit`.
fn fill(place: &Place, records: &mut Records, limit: &DhtKey) {
    let limit = distance(place, limit);
    let closer = (0..)
        .map(any_key)
        .filter(|key| distance(place, key) < limit);
    for (seed, key) in closer.take(RECORDS_MAX).enumerate() {
        insert(records, key, entry(seed));
    }
}

#[test]
fn stores_and_returns_a_valid_record() {
    let place = Place::new();
    let mut records = place.open();
    let (key, value) = account(1, "alice", 3);
    let stored = records.offer(key.as_bytes(), &value, None).unwrap();
    assert_eq!(stored.seq(), 3);
    let record = RecordStore::get(&records, &kad_key(&key)).unwrap();
    assert_eq!(record.value, value);
    let left = record.expires.unwrap() - Instant::now();
    assert!(
        left <= RECORD_TTL_MAX && left > RECORD_TTL_MAX / 2,
        "{left:?}"
    );
    let listed: Vec<_> = records
        .records()
        .map(|record| record.value.clone())
        .collect();
    assert_eq!(listed.as_slice(), std::slice::from_ref(&value));
    drop(records);
    assert_eq!(got(&place.open(), &key), Some(value));
}

#[test]
fn refuses_what_breaks_the_rules_h64() {
    let place = Place::new();
    let mut records = place.open();
    let (alice, value) = account(1, "alice", 3);
    let (bob, _) = account(2, "bob", 3);
    let life = ACCOUNT_LIFE_MAX.as_secs();
    let expired = account_at(1, "alice", 3, unix_now() - life).1;
    let future = account_at(1, "alice", 3, unix_now() + 3600).1;
    let mut forged = value.clone();
    let last = forged.last_mut().unwrap();
    *last = if *last == b'A' { b'B' } else { b'A' };
    let offers: [(&[u8], &[u8]); 9] = [
        (bob.as_bytes(), &value),
        (&alice.as_bytes()[..31], &value),
        (&[], &value),
        (alice.as_bytes(), &expired),
        (alice.as_bytes(), &future),
        (alice.as_bytes(), &forged),
        (alice.as_bytes(), b""),
        (alice.as_bytes(), &[b'a'; 70_000]),
        (alice.as_bytes(), &value[..value.len() / 2]),
    ];
    for (number, (key, value)) in offers.into_iter().enumerate() {
        let refused = records.offer(key, value, None);
        assert!(
            matches!(refused, Err(PutError::Invalid(_))),
            "{number}: {refused:?}"
        );
    }
    assert!(matches!(
        records.offer(bob.as_bytes(), &value, None),
        Err(PutError::Invalid(RecordError::Key))
    ));
    assert_eq!((records.record_count(), records.index.bytes()), (0, 0));
    assert_eq!(tree(&records).len(), 0);
}

#[test]
fn refuses_replay_of_an_older_record_p56_h64() {
    let place = Place::new();
    let mut records = place.open();
    let (key, old) = account(1, "alice", 1);
    let new = account(1, "alice", 2).1;
    let rival = account_at(1, "alice", 2, unix_now() - 5).1; // same sequence, other bytes
    records.offer(key.as_bytes(), &old, None).unwrap();
    records.offer(key.as_bytes(), &new, None).unwrap();
    for replayed in [&old, &rival] {
        let refused = records.offer(key.as_bytes(), replayed, None);
        assert!(matches!(refused, Err(PutError::NotNewer)));
        assert_eq!(got(&records, &key).as_ref(), Some(&new));
    }
    drop(records);
    let mut records = place.open();
    let refused = records.offer(key.as_bytes(), &old, None);
    assert!(matches!(refused, Err(PutError::NotNewer)));
    assert_eq!(got(&records, &key), Some(new));
    assert_eq!(
        records.index.bytes(),
        records.index.get(&key).unwrap().bytes
    );
}

/// What others announce again lives on, although its publisher is long gone; but not beyond `exp`.
#[test]
fn hearing_a_record_again_keeps_it_h68() {
    let place = Place::new();
    let mut records = place.open();
    let (key, value) = account(1, "alice", 1);
    let home = subnet("198.51.100.7");
    records.offer(key.as_bytes(), &value, home).unwrap();
    let soon = unix_now() + 5;
    records.index.keep_until(&key, soon);
    let again = subnet("203.0.113.7");
    records.offer(key.as_bytes(), &value, again).unwrap();
    assert!(drop_at(&records, &key) >= soon + RECORD_TTL_MAX.as_secs() - 10);
    assert_eq!(
        records.index.get(&key).unwrap().subnet,
        home,
        "who was first is charged"
    );
    assert_eq!(records.index.bytes(), value.len());
    let nearly_over = unix_now() - ACCOUNT_LIFE_MAX.as_secs() + 100;
    let (key, value) = account_at(2, "bob", 1, nearly_over);
    for _ in 0..2 {
        records.offer(key.as_bytes(), &value, None).unwrap();
        assert!(drop_at(&records, &key) <= unix_now() + 100);
    }
}

#[test]
fn one_signer_fills_its_own_quota_only_h65() {
    let place = Place::new();
    let mut records = place.open();
    for number in 0..ACCOUNTS_PER_SIGNER {
        let (key, value) = account(1, &format!("name{number}"), 1);
        records.offer(key.as_bytes(), &value, None).unwrap();
    }
    let (key, value) = account(1, "one-more", 1);
    let refused = records.offer(key.as_bytes(), &value, None);
    assert!(matches!(
        refused,
        Err(PutError::Quota("records of one signer"))
    ));
    assert_eq!(records.record_count(), ACCOUNTS_PER_SIGNER);
    let (key, newer) = account(1, "name3", 2);
    records.offer(key.as_bytes(), &newer, None).unwrap();
    let (key, other) = account(2, "honest", 1);
    records.offer(key.as_bytes(), &other, None).unwrap();
    drop(records);
    let mut records = place.open();
    let (key, value) = account(1, "one-more", 1);
    let refused = records.offer(key.as_bytes(), &value, None);
    assert!(matches!(refused, Err(PutError::Quota(_))), "{refused:?}");
}

#[test]
fn one_subnet_fills_its_own_quota_only_h65() {
    let place = Place::new();
    let mut records = place.open();
    let hostile = subnet("198.51.100.7");
    for seed in 0..RECORDS_PER_SUBNET_MAX {
        let subnet = hostile;
        let entry = Entry {
            subnet,
            ..entry(seed)
        };
        insert(&mut records, any_key(seed), entry);
    }
    let (key, value) = account(1, "alice", 1);
    let refused = records.offer(key.as_bytes(), &value, subnet("198.51.100.200"));
    assert!(matches!(
        refused,
        Err(PutError::Quota("records of one subnet"))
    ));
    let (bob, value_of_bob) = account(2, "bob", 1);
    records
        .offer(key.as_bytes(), &value, subnet("198.51.101.7"))
        .unwrap();
    records.offer(bob.as_bytes(), &value_of_bob, None).unwrap();
    assert!(got(&records, &key).is_some() && got(&records, &bob).is_some());
}

#[test]
fn subnets_are_networks_of_one_owner_h65() {
    let same = [
        ("198.51.100.1", "198.51.100.254"),
        ("198.51.100.1", "::ffff:198.51.100.9"),
        ("2001:db8:1::1", "2001:db8:1:ffff::9"),
    ];
    for (one, other) in same {
        assert!(subnet(one).is_some(), "{one}");
        assert_eq!(subnet(one), subnet(other), "{one} {other}");
    }
    let different = [
        ("198.51.100.1", "198.51.101.1"),
        ("2001:db8:1::1", "2001:db8:2::1"),
        ("4.1.2.3", "404:102::"),
    ];
    for (one, other) in different {
        assert_ne!(subnet(one), subnet(other), "{one} {other}");
    }
    for exempt in [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.1.1",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
    ] {
        assert_eq!(subnet(exempt), None, "{exempt}");
    }
}

#[test]
fn full_store_keeps_what_is_closest_h65() {
    let place = Place::new();
    let mut records = place.open();
    let [(key, value), (near, near_value)] = far_and_near(&place);
    fill(&place, &mut records, &key);
    let before = records.index.bytes();
    let refused = records.offer(key.as_bytes(), &value, None);
    assert!(matches!(
        refused,
        Err(PutError::Quota("store is full of closer records"))
    ));
    assert_eq!(
        (records.record_count(), records.index.bytes()),
        (RECORDS_MAX, before)
    );

    let stored = records.index.iter().map(|(key, _)| *key);
    let farthest = stored.max_by_key(|key| distance(&place, key)).unwrap();
    records.offer(near.as_bytes(), &near_value, None).unwrap();
    assert!(records.index.get(&farthest).is_none());
    assert_eq!(got(&records, &near), Some(near_value));
    assert_eq!(records.record_count(), RECORDS_MAX);
}

#[test]
fn bytes_are_capped_and_a_refusal_evicts_nothing_h65() {
    let place = Place::new();
    let (key, value) = account(1, "alice", 1);
    let limit = distance(&place, &key);
    let find = |farther: bool| {
        let mut keys = (0..).map(any_key);
        keys.find(|other| (distance(&place, other) > limit) == farther)
            .unwrap()
    };
    let (far, near) = (find(true), find(false));
    let sized = |bytes: usize| Entry { bytes, ..entry(0) };

    // Making room would take the near one as well.
    let mut records = place.open();
    insert(&mut records, far, sized(10));
    insert(&mut records, near, sized(RECORD_BYTES_TOTAL_MAX - 10));
    let refused = records.offer(key.as_bytes(), &value, None);
    assert!(matches!(refused, Err(PutError::Quota(_))), "{refused:?}");
    assert_eq!(records.record_count(), 2);
    assert_eq!(records.index.bytes(), RECORD_BYTES_TOTAL_MAX);

    // The far one alone is enough.
    records.delete(&near);
    insert(
        &mut records,
        near,
        sized(RECORD_BYTES_TOTAL_MAX - 10 - value.len()),
    );
    records.delete(&far);
    insert(&mut records, far, sized(10 + value.len()));
    records.offer(key.as_bytes(), &value, None).unwrap();
    assert!(records.index.get(&far).is_none() && records.index.get(&near).is_some());
    assert!(records.index.bytes() <= RECORD_BYTES_TOTAL_MAX);
}

#[test]
fn own_records_stay_whoever_floods_h65() {
    let place = Place::new();
    let mut records = place.open();
    let [(own, value), (near, near_value)] = far_and_near(&place);
    fill(&place, &mut records, &own);
    let put = |value: &[u8]| Record::new(kad_key(&own), value.to_vec());
    RecordStore::put(&mut records, put(&value)).unwrap();
    assert_eq!(records.record_count(), RECORDS_MAX);
    // It is the farthest of all now, and the one to go were it not our own.
    records.offer(near.as_bytes(), &near_value, None).unwrap();
    assert_eq!(records.record_count(), RECORDS_MAX);
    assert_eq!(got(&records, &own), Some(value));
}

#[test]
fn expired_records_are_gone_on_get_sweep_and_reopen() {
    let place = Place::new();
    let mut records = place.open();
    let (key, value) = account(1, "alice", 5);
    records.offer(key.as_bytes(), &value, None).unwrap();
    records.index.keep_until(&key, unix_now());
    assert_eq!(got(&records, &key), None);
    assert_eq!(records.records().count(), 0);
    records.sweep();
    assert_eq!((records.record_count(), records.index.bytes()), (0, 0));
    assert_eq!(tree(&records).len(), 0);

    let past = unix_now() - 1;
    let row = [&past.to_be_bytes()[..], &value].concat();
    tree(&records).insert(key.as_bytes(), row).unwrap();
    drop(records);
    let records = place.open();
    assert_eq!((records.record_count(), tree(&records).len()), (0, 0));
}

#[test]
fn reopening_drops_rows_that_break_the_rules_s85() {
    let place = Place::new();
    let mut records = place.open();
    let (key, value) = account(1, "alice", 5);
    records.offer(key.as_bytes(), &value, None).unwrap();
    let later = (unix_now() + 1000).to_be_bytes();
    let junk: [(&[u8], Vec<u8>); 4] = [
        (&[1; 32], [&later[..], &value].concat()),
        (&[2; 32], vec![1, 2, 3]),
        (b"short", [&later[..], &value].concat()),
        (&[3; 32], later.to_vec()),
    ];
    for (key, row) in junk {
        tree(&records).insert(key, row).unwrap();
    }
    drop(records);
    let records = place.open();
    assert_eq!((records.record_count(), tree(&records).len()), (1, 1));
    assert_eq!(got(&records, &key), Some(value));
}

#[test]
fn kademlia_sees_a_store_that_keeps_its_contract() {
    let place = Place::new();
    let mut records = place.open();
    let (key, value) = account(1, "alice", 2);
    let put = |value: &[u8]| Record::new(kad_key(&key), value.to_vec());
    assert!(records.put(put(b"junk")).is_err());
    records.put(put(&value)).unwrap();
    records.put(put(&value)).unwrap(); // announced again
    records.put(put(&account(1, "alice", 1).1)).unwrap(); // lost, and no reason to stop
    assert_eq!(got(&records, &key), Some(value));
    RecordStore::remove(&mut records, &kad_key(&key));
    assert_eq!((records.record_count(), records.index.bytes()), (0, 0));

    let blob = kad_key(&DhtKey::blob(&[1; 32]));
    let (local, other) = (place.local, PeerId::random());
    for provider in [local, other] {
        let record = ProviderRecord::new(blob.clone(), provider, Vec::new());
        records.add_provider(record).unwrap();
    }
    assert_eq!(RecordStore::providers(&records, &blob).len(), 2);
    let provided: Vec<_> = records.provided().map(|record| record.provider).collect();
    assert_eq!(provided, [local]);
    records.remove_provider(&blob, &local);
    assert_eq!(records.provided().count(), 0);
    assert_eq!(RecordStore::providers(&records, &blob)[0].provider, other);
}

/// Providers of one node, with a clock that the test moves.
struct Announced {
    local: PeerId,
    providers: Providers,
}

impl Announced {
    fn new() -> Self {
        let local = PeerId::random();
        let providers = Providers::new(local);
        Self { local, providers }
    }

    fn add(&mut self, key: &DhtKey, peer: PeerId, now: u64) -> StoreResult<()> {
        let record = ProviderRecord::new(kad_key(key), peer, Vec::new());
        self.providers.add(record, now)
    }

    fn of(&self, key: &DhtKey, now: u64) -> Vec<PeerId> {
        let found = self.providers.of(&kad_key(key), now);
        found.iter().map(|record| record.provider).collect()
    }
}

#[test]
fn squatters_do_not_shut_out_who_comes_later_h63() {
    let (mut announced, key) = (Announced::new(), any_key(0));
    let own = announced.local;
    announced.add(&key, own, 1).unwrap();
    let squatters: Vec<_> = (0..PROVIDERS_PER_KEY_MAX)
        .map(|_| PeerId::random())
        .collect();
    for (now, squatter) in (1000..).zip(&squatters) {
        announced.add(&key, *squatter, now).unwrap();
    }
    let honest = PeerId::random();
    announced.add(&key, honest, 2000).unwrap();
    let found = announced.of(&key, 2000);
    assert_eq!(found.len(), PROVIDERS_PER_KEY_MAX);
    assert!(found.contains(&honest));
    assert!(found.contains(&own), "own entries are never evicted");
    assert!(!found.contains(&squatters[0]) && !found.contains(&squatters[1]));
    assert!(found.contains(&squatters[2]), "the oldest makes room");
    // Who renews is not the oldest any more.
    announced.add(&key, squatters[2], 2001).unwrap();
    announced.add(&key, PeerId::random(), 2002).unwrap();
    let found = announced.of(&key, 2002);
    assert!(found.contains(&squatters[2]) && !found.contains(&squatters[3]));
}

#[test]
fn one_peer_fills_its_own_provider_quota_only_h65() {
    let (mut announced, flooder) = (Announced::new(), PeerId::random());
    for seed in 0..100_000 {
        let added = announced.add(&any_key(seed), flooder, 1000);
        assert_eq!(added.is_ok(), seed < KEYS_PER_PROVIDER_MAX);
    }
    assert_eq!(announced.providers.key_count(), KEYS_PER_PROVIDER_MAX);
    announced.add(&any_key(0), flooder, 1001).unwrap(); // renewing is free
    announced
        .add(&any_key(999), PeerId::random(), 1001)
        .unwrap();
    let gone = kad_key(&any_key(0));
    announced.providers.remove(&gone, &flooder);
    announced.add(&any_key(1000), flooder, 1002).unwrap();
    assert!(announced.add(&any_key(1001), flooder, 1002).is_err());
}

#[test]
fn eviction_gives_the_evicted_their_quota_back_h65() {
    let (mut announced, peer) = (Announced::new(), PeerId::random());
    for seed in 0..KEYS_PER_PROVIDER_MAX {
        announced.add(&any_key(seed), peer, 1000).unwrap();
    }
    for _ in 0..PROVIDERS_PER_KEY_MAX {
        let other = PeerId::random();
        announced.add(&any_key(0), other, 1001).unwrap();
    }
    assert!(!announced.of(&any_key(0), 1001).contains(&peer));
    announced.add(&any_key(1000), peer, 1002).unwrap();
}

#[test]
fn provider_keys_are_capped_h65() {
    let mut announced = Announced::new();
    for seed in 0..PROVIDER_KEYS_MAX / KEYS_PER_PROVIDER_MAX {
        let flooder = PeerId::random();
        for number in 0..KEYS_PER_PROVIDER_MAX {
            let key = any_key(seed * KEYS_PER_PROVIDER_MAX + number);
            announced.add(&key, flooder, 1000).unwrap();
        }
    }
    assert_eq!(announced.providers.key_count(), PROVIDER_KEYS_MAX);
    let (new, honest) = (any_key(usize::MAX), PeerId::random());
    assert!(announced.add(&new, honest, 1000).is_err());
    announced.add(&any_key(5), honest, 1000).unwrap();
    let own = announced.local;
    announced.add(&new, own, 1000).unwrap();
    assert_eq!(announced.of(&new, 1000), [own]);
    announced.providers.sweep(1000 + PROVIDER_TTL_S);
    assert_eq!(announced.providers.key_count(), 1, "only our own is left");
    announced.add(&any_key(77), honest, 9000).unwrap();
}

#[test]
fn provider_entries_expire() {
    let (mut announced, key) = (Announced::new(), any_key(0));
    let (own, peer) = (announced.local, PeerId::random());
    announced.add(&key, own, 1000).unwrap();
    announced.add(&key, peer, 1000).unwrap();
    assert_eq!(announced.of(&key, 999 + PROVIDER_TTL_S).len(), 2);
    assert_eq!(announced.of(&key, 1000 + PROVIDER_TTL_S), [own]);
}

#[test]
fn provider_keys_and_addresses_are_bounded_h69() {
    let mut announced = Announced::new();
    for length in [0, 1, 31, 33, 64, 4096] {
        let key = RecordKey::new(&vec![7; length]);
        let record = ProviderRecord::new(key, PeerId::random(), Vec::new());
        assert!(announced.providers.add(record, 1).is_err(), "{length}");
    }
    assert_eq!(announced.providers.key_count(), 0);
    let address: Multiaddr = "/ip4/198.51.100.7/tcp/1".parse().unwrap();
    let record = ProviderRecord::new(kad_key(&any_key(0)), PeerId::random(), vec![address; 500]);
    announced.providers.add(record, 1).unwrap();
    let found = announced.providers.of(&kad_key(&any_key(0)), 1);
    assert_eq!(found[0].addresses.len(), ADDRESSES_PER_PROVIDER_MAX);
}
