//! The counts of the index against counting again, whatever happened before.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::*;

/// What happens to an index.
#[derive(Clone, Debug)]
enum Operation {
    Insert { key: u8, entry: Entry },
    Remove { key: u8 },
    Expire { now: u64 },
    Ask { key: u8 },
    Evict { than: Option<u8> },
}

fn key(number: u8) -> DhtKey {
    DhtKey::from_slice(blake3::hash(&[number]).as_bytes()).unwrap()
}

fn entry() -> impl Strategy<Value = Entry> {
    let subnet = prop_oneof![Just(None), (0..3u8).prop_map(subnet)];
    (1..50u64, 0..4u8, subnet, 0..9000usize, any::<bool>()).prop_map(
        |(drop_at, signer, subnet, bytes, own)| Entry {
            drop_at,
            expires: 100,
            signer: [signer; 32],
            subnet,
            bytes,
            own,
        },
    )
}

fn subnet(number: u8) -> Option<Subnet> {
    Subnet::of(IpAddr::V4(Ipv4Addr::new(198, 51, number, 7)))
}

fn operation() -> impl Strategy<Value = Operation> {
    let keys = 0..24u8;
    prop_oneof![
        4 => (keys.clone(), entry()).prop_map(|(key, entry)| Operation::Insert { key, entry }),
        1 => keys.clone().prop_map(|key| Operation::Remove { key }),
        1 => (0..50u64).prop_map(|now| Operation::Expire { now }),
        2 => keys.clone().prop_map(|key| Operation::Ask { key }),
        1 => proptest::option::of(keys).prop_map(|than| Operation::Evict { than }),
    ]
}

fn apply(index: &mut Index, operation: Operation) {
    match operation {
        Operation::Insert { key: number, entry } => index.insert(key(number), entry),
        Operation::Remove { key: number } => index.remove(&key(number)),
        Operation::Expire { now } => {
            let expired = index.iter().filter(|(_, entry)| now >= entry.drop_at);
            let expired: Vec<DhtKey> = expired.map(|(key, _)| *key).collect();
            expired.iter().for_each(|key| index.remove(key));
        }
        Operation::Ask { key: number } => index.note_asked(&key(number)),
        Operation::Evict { than } => {
            let than = than.map(key);
            let first = index.least_useful(than.as_ref()).next();
            if let Some((key, _)) = first {
                index.remove(&key);
            }
        }
    }
}

/// Holds every count against going through all entries.
fn check(index: &mut Index) {
    let all: Vec<(DhtKey, Entry)> = index.iter().map(|(k, e)| (*k, e.clone())).collect();
    assert_eq!(index.len(), all.len());
    assert_eq!(
        index.bytes(),
        all.iter().map(|(_, e)| e.bytes).sum::<usize>()
    );
    let absent = DhtKey::blob(&[0; 32]);
    let keys = all.iter().map(|(key, _)| *key).chain([absent]);
    for key in keys {
        let others = || all.iter().filter(|(other, _)| *other != key);
        for signer in 0..4 {
            let signer = [signer; 32];
            let count = others().filter(|(_, e)| e.signer == signer).count();
            assert_eq!(index.of_signer(&signer, &key), count);
        }
        for number in 0..3 {
            let subnet = subnet(number);
            let count = others().filter(|(_, e)| e.subnet == subnet).count();
            assert_eq!(index.of_subnet(subnet.unwrap(), &key), count);
        }
    }
    let mut foreign: Vec<DhtKey> = all
        .iter()
        .filter(|(_, e)| !e.own)
        .map(|(k, _)| *k)
        .collect();
    let order: Vec<DhtKey> = index.least_useful(None).map(|(key, _)| key).collect();
    let place = |index: &Index, key: &DhtKey| (index.uselessness(key), *key);
    foreign.sort_by_key(|key| std::cmp::Reverse(place(index, key)));
    assert_eq!(order, foreign);
    // Nothing is remembered of what is gone.
    assert!(
        index
            .asked
            .keys()
            .all(|key| index.entries.contains_key(key))
    );
    assert!(index.by_signer.values().all(|count| *count > 0));
    assert!(index.by_subnet.values().all(|count| *count > 0));
}

proptest! {
    #[test]
    fn counts_are_those_of_a_recount_after_any_operations_h65(
        operations in proptest::collection::vec(operation(), 0..60)
    ) {
        let mut index = Index::new(PeerId::random());
        for operation in operations {
            apply(&mut index, operation);
            check(&mut index);
        }
    }
}

fn stranger() -> Entry {
    Entry {
        drop_at: u64::MAX,
        expires: u64::MAX,
        signer: [0; 32],
        subnet: None,
        bytes: 100,
        own: false,
    }
}

/// Keys as far from the node as one another, in powers of two: the farthest there are, and the rest.
fn far_and_near(index: &Index) -> (Vec<DhtKey>, Vec<DhtKey>) {
    let keys = (0..64).map(key);
    keys.partition(|key| index.uselessness(key).magnitude == 255)
}

#[test]
fn of_those_as_far_the_one_asked_for_longest_ago_goes_first_h65() {
    let mut index = Index::new(PeerId::random());
    let (far, near) = far_and_near(&index);
    for key in far.iter().chain(&near) {
        index.insert(*key, stranger());
    }
    // Asked for, so that the rest goes first; then again, so that the second is the first to go.
    far[..4].iter().for_each(|key| index.note_asked(key));
    index.note_asked(&far[0]);
    let order: Vec<DhtKey> = index.least_useful(None).map(|(key, _)| key).collect();
    let (first, rest) = order.split_at(far.len());
    assert_eq!(&first[far.len() - 4..], [far[1], far[2], far[3], far[0]]);
    assert!(
        rest.iter().all(|key| near.contains(key)),
        "near ones stay longest"
    );
}

#[test]
fn a_flood_drives_out_neither_what_is_asked_for_nor_what_is_near_h65() {
    let mut index = Index::new(PeerId::random());
    let (far, near) = far_and_near(&index);
    for key in far[..2].iter().chain(&near) {
        index.insert(*key, stranger());
    }
    index.note_asked(&far[0]);
    for newcomer in &far[2..] {
        let candidates = index.least_useful(Some(newcomer));
        let goes: Vec<DhtKey> = candidates.map(|(key, _)| key).collect();
        assert!(!goes.contains(&far[0]) && goes.iter().all(|key| far.contains(key)));
    }
    let newcomer = near
        .iter()
        .min_by_key(|key| index.uselessness(key).distance);
    let goes = index.least_useful(newcomer).count();
    assert!(goes > 2, "who is near itself drives out what is far");
}
