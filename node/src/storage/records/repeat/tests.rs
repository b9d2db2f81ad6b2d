//! A month of nodes that come and go, hour by hour, with a clock that the test moves.

use keys::{AccountName, Algorithm, SigningKey};
use libp2p::PeerId;
use protocol::identity::account;
use protocol::limits::ACCOUNT_LIFE_MAX;

use super::*;
use crate::config::Republish;
use crate::storage::Storage;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const NODES: usize = 6;

/// The nodes nearest to one key.
struct Site {
    folder: tempfile::TempDir,
    nodes: Vec<Records>,
    made: usize,
    told: usize,
}

impl Site {
    fn new() -> Self {
        let mut site = Self {
            folder: tempfile::tempdir().unwrap(),
            nodes: Vec::new(),
            made: 0,
            told: 0,
        };
        site.nodes = (0..NODES).map(|_| site.node()).collect();
        site
    }

    fn node(&mut self) -> Records {
        self.made += 1;
        let folder = self.folder.path().join(self.made.to_string());
        Records::open(&Storage::open(&folder).unwrap(), PeerId::random()).unwrap()
    }

    fn offer(&mut self, due: &Due, now: u64) {
        for node in &mut self.nodes {
            // A node that has a newer one says no.
            drop(node.store((due.key.as_bytes(), &due.value), None, false, now));
        }
    }

    fn hour(&mut self, now: u64, repeat: bool) {
        for number in 0..NODES {
            self.nodes[number].sweep_at(now);
            let after_s = Republish::default().after.as_secs();
            let due = self.nodes[number].due_at(now, after_s, |_| true);
            if let Some(due) = due.filter(|_| repeat) {
                self.told += 1;
                self.offer(&due, now);
                self.nodes[number].renew_at(&due, now).unwrap();
            }
        }
    }

    fn holders(&self, key: &DhtKey, now: u64) -> usize {
        let holds = |node: &&Records| node.load(key, now).is_some();
        self.nodes.iter().filter(holds).count()
    }
}

fn record(seq: u64, now: u64) -> Due {
    let key = SigningKey::from_secret(Algorithm::P256, &[7; 32]).unwrap();
    let name: AccountName = "publisher".parse().unwrap();
    let node_id = keys::node_id(&key.public(), &name).unwrap();
    let value = account::sign(&key, &name, seq, now).unwrap().into_bytes();
    let key = DhtKey::account(&node_id);
    Due { key, value }
}

#[test]
fn publisher_silent_for_30_simulated_days_is_found_until_exp_h68() {
    let start = unix_now();
    let mut site = Site::new();
    let published = record(1, start);
    site.offer(&published, start);
    let end = start + ACCOUNT_LIFE_MAX.as_secs();
    let mut now = start;
    while now < end - DAY {
        now += HOUR;
        site.hour(now, true);
        // A node a day is replaced by one that knows nothing.
        if (now - start).is_multiple_of(DAY) {
            let leaves = usize::try_from((now - start) / DAY).unwrap() % NODES;
            site.nodes[leaves] = site.node();
        }
        // Those of yesterday and today have not been told yet, at worst.
        assert!(site.holders(&published.key, now) >= NODES - 2);
    }
    // One of them tells the others, once in 22 hours.
    let days = usize::try_from((now - start) / DAY).unwrap();
    assert!(
        site.told <= days * 24 / 22 + 1,
        "{} in {days} days",
        site.told
    );
    site.hour(end, true);
    assert_eq!(
        site.holders(&published.key, end),
        0,
        "nothing outlives its exp"
    );
}

#[test]
fn record_that_nobody_tells_again_is_gone_after_48_simulated_hours() {
    let start = unix_now();
    let mut site = Site::new();
    let published = record(1, start);
    site.offer(&published, start);
    for hour in 1..48 {
        site.hour(start + hour * HOUR, false);
    }
    let now = start + 2 * DAY - 1;
    assert_eq!(site.holders(&published.key, now), NODES);
    assert_eq!(site.holders(&published.key, now + 1), 0);
}

#[test]
fn only_what_was_heard_long_ago_and_belongs_here_is_told_again_oldest_first() {
    let start = unix_now();
    let mut site = Site::new();
    let node = &mut site.nodes[0];
    let key = |seed: u8| SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap();
    let mut put = |seed: u8, now: u64| {
        let (key, name): (_, AccountName) = (key(seed), "alice".parse().unwrap());
        let node_id = keys::node_id(&key.public(), &name).unwrap();
        let value = account::sign(&key, &name, 1, start).unwrap();
        let at = DhtKey::account(&node_id);
        node.store((at.as_bytes(), value.as_bytes()), None, false, now)
            .unwrap();
        at
    };
    let (second, first, fresh) = (
        put(1, start + 2 * HOUR),
        put(2, start + HOUR),
        put(3, start + 20 * HOUR),
    );
    let due = |now: u64, not: &[DhtKey]| {
        let due = site.nodes[0].due_at(now, 22 * HOUR, |key| !not.contains(key));
        due.map(|due| due.key)
    };
    assert_eq!(due(start + 22 * HOUR, &[]), None);
    let now = start + 24 * HOUR;
    assert_eq!(due(now, &[]), Some(first));
    assert_eq!(
        due(now, &[first]),
        Some(second),
        "what others are nearer to"
    );
    assert_eq!(due(now, &[first, second]), None, "{fresh} was heard lately");
}

#[test]
fn telling_again_does_not_bring_back_what_was_replaced_meanwhile() {
    let start = unix_now();
    let mut site = Site::new();
    site.offer(&record(1, start), start);
    let later = start + DAY;
    let due = site.nodes[0].due_at(later, HOUR, |_| true).unwrap();
    let newer = record(2, later);
    site.offer(&newer, later);
    site.nodes[0].renew_at(&due, later + HOUR).unwrap();
    let stored = site.nodes[0].load(&due.key, later).unwrap();
    assert_eq!(stored.value, newer.value);
}
