//! Who gets into the routing table, as a network full of ids tries it.

use libp2p::kad::{BucketInserts, K_VALUE, KBucketKey};

use super::*;
use crate::storage::Storage;

struct Place {
    _folder: tempfile::TempDir,
    local: PeerId,
    kad: Kad,
    table: Table,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = PeerId::random();
        let storage = Storage::open(&folder.path().join("node")).unwrap();
        let records = Records::open(&storage, local).unwrap();
        let mut config = kad::Config::new(crate::swarm::KAD_PROTOCOL);
        config.set_kbucket_inserts(BucketInserts::Manual);
        Self {
            kad: kad::Behaviour::with_config(local, records, config),
            _folder: folder,
            local,
            table: Table::default(),
        }
    }

    /// A peer that connected, was reached at `at` and serves.
    fn offer(&mut self, peer: PeerId, at: &str) -> bool {
        let at = address(at);
        self.table.reached(&mut self.kad, peer, at.clone());
        self.table.serves(&mut self.kad, peer, &at, Vec::new());
        is_in_table(&mut self.kad, &peer)
    }

    fn count(&mut self) -> usize {
        self.kad.kbuckets().map(|bucket| bucket.num_entries()).sum()
    }

    /// A peer whose bucket is the `rank`th farthest.
    fn peer_at(&self, rank: u32) -> PeerId {
        let local = KBucketKey::from(self.local);
        let distance = |peer: &PeerId| local.distance(&KBucketKey::from(*peer)).ilog2();
        let mut peers = std::iter::repeat_with(PeerId::random);
        peers
            .find(|peer| distance(peer) == Some(255 - rank))
            .unwrap()
    }
}

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

#[test]
fn one_subnet_gets_two_places_of_a_bucket_and_eight_of_the_table_h62() {
    let mut place = Place::new();
    for rank in 0..8 {
        let mut taken = 0;
        for host in 1..30 {
            let peer = place.peer_at(rank);
            let at = format!("/ip4/198.51.100.{host}/tcp/4001");
            taken += usize::from(place.offer(peer, &at));
        }
        let most = if rank < 4 {
            PEERS_PER_SUBNET_AND_BUCKET_MAX
        } else {
            0
        };
        assert_eq!(taken, most, "bucket {rank}");
    }
    assert_eq!(place.count(), PEERS_PER_SUBNET_MAX);
    // IPv6 is counted by /48, and the mapped form as what it means.
    for (at, other, welcome) in [
        (
            "/ip6/2001:db8:1::1/tcp/1",
            "/ip6/2001:db8:1:2::1/tcp/1",
            true,
        ),
        (
            "/ip6/2001:db8:1:3::1/tcp/1",
            "/ip6/2001:db8:1:4::9/tcp/1",
            false,
        ),
        (
            "/ip6/::ffff:198.51.100.9/tcp/1",
            "/ip4/198.51.100.77/tcp/1",
            false,
        ),
        ("/ip4/198.51.101.9/tcp/1", "/ip6/2001:db8:2::1/tcp/1", true),
    ] {
        for at in [at, other] {
            let peer = place.peer_at(0);
            assert_eq!(place.offer(peer, at), welcome, "{at}");
        }
    }
    // Names could all lead to one place.
    let names = (0..20).filter(|number| {
        let peer = place.peer_at(1);
        place.offer(peer, &format!("/dns4/host{number}.example/tcp/1"))
    });
    assert_eq!(names.count(), PEERS_PER_SUBNET_AND_BUCKET_MAX);
}

#[test]
fn a_site_behind_one_private_network_is_not_counted() {
    let mut place = Place::new();
    for host in 1..=10 {
        let peer = place.peer_at(0);
        assert!(place.offer(peer, &format!("/ip4/192.168.1.{host}/tcp/1")));
        let peer = place.peer_at(1);
        assert!(place.offer(peer, &format!("/ip4/127.0.0.1/tcp/{host}")));
    }
    assert_eq!(place.count(), K_VALUE.get());
}

#[test]
fn who_was_not_reached_or_serves_nothing_stays_out_h67() {
    let mut place = Place::new();
    let (only_reached, only_serves) = (PeerId::random(), PeerId::random());
    let met = address("/ip4/203.0.113.5/tcp/50000");
    let listens = address("/ip4/203.0.113.5/tcp/4001");
    place
        .table
        .reached(&mut place.kad, only_reached, met.clone());
    let announced = vec![listens.clone()];
    let (table, kad) = (&mut place.table, &mut place.kad);
    let back = table.serves(kad, only_serves, &met, announced.clone());
    assert_eq!(back, announced, "it is tried");
    assert_eq!(place.count(), 0);
    // Once per connection.
    let (table, kad) = (&mut place.table, &mut place.kad);
    assert!(
        table
            .serves(kad, only_serves, &met, announced.clone())
            .is_empty()
    );
    table.reached(kad, only_serves, listens);
    assert_eq!(place.count(), 1);
    // Multicast, however it was "reached".
    assert!(!place.offer(PeerId::random(), "/ip4/224.0.0.1/tcp/1"));
}

#[test]
fn nobody_is_dialled_back_at_the_address_of_another_p60() {
    let mut place = Place::new();
    let met = address("/ip4/203.0.113.5/tcp/50000");
    let announced = [
        "/ip4/198.51.100.7/tcp/443",
        "/dns4/victim.example/tcp/443",
        "/ip4/127.0.0.1/tcp/22",
        "/ip4/192.168.1.1/tcp/80",
        "/ip4/203.0.113.5/tcp/1",
        "/ip4/203.0.113.5/tcp/2",
        "/ip4/203.0.113.5/tcp/3",
    ];
    let announced = announced.map(address).to_vec();
    let back = place
        .table
        .serves(&mut place.kad, PeerId::random(), &met, announced);
    let two = ["/ip4/203.0.113.5/tcp/1", "/ip4/203.0.113.5/tcp/2"].map(address);
    assert_eq!(back, two);
    // Nor who would get no place.
    for _ in 0..PEERS_PER_SUBNET_AND_BUCKET_MAX {
        let peer = place.peer_at(0);
        assert!(place.offer(peer, "/ip4/203.0.113.9/tcp/1"));
    }
    let late = place.peer_at(0);
    let back = place.table.serves(&mut place.kad, late, &met, two.to_vec());
    assert!(back.is_empty());
}
