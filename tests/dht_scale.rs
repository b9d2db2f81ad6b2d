//! The DHT among hundreds of nodes of one process, half of which are killed or come and go (threat H66).

use keys::{AccountName, Algorithm, SigningKey};
use protocol::dht::key::DhtKey;
use protocol::identity::account;
use support::network::crowd::{Crowd, Member};
use support::network::{now, until};

/// Nodes of the large network.
const NODES: usize = 300;
/// Records in it.
const RECORDS: usize = 40;
/// Look-ups after the damage.
const LOOK_UPS: usize = 200;

/// A record of an account of its own.
fn record(number: usize) -> (DhtKey, Vec<u8>) {
    let secret = *blake3::hash(&number.to_le_bytes()).as_bytes();
    let key = SigningKey::from_secret(Algorithm::P256, &secret).unwrap();
    let name: AccountName = "alice".parse().unwrap();
    let node_id = keys::node_id(&key.public(), &name).unwrap();
    let token = account::sign(&key, &name, 1, now()).unwrap();
    (DhtKey::account(&node_id), token.into_bytes())
}

async fn put(member: &Member, key: &DhtKey, value: &[u8]) -> usize {
    let put = async || {
        let holders = member.handle.put(*key, value.to_vec()).await.unwrap();
        Some(holders.unwrap()).filter(|holders| *holders > 0)
    };
    until("other nodes hold the record", put).await
}

async fn is_found(member: &Member, key: &DhtKey, value: &[u8]) -> bool {
    let found = member.handle.get(*key).await.unwrap();
    assert_eq!(found.invalid, 0);
    found.best.is_some_and(|(_, bytes)| bytes == value)
}

/// Seconds of CPU of this process so far, and the most memory it had, in MiB.
fn spent() -> (f64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, members) = stat.rsplit_once(')').unwrap();
    let ticks = members.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|text| text.parse::<u64>().unwrap()).sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = peak
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    (ticks as f64 / 100.0, kib / 1024)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_found_in_99_of_100_after_half_of_300_nodes_are_killed_h66() {
    let (before, _) = spent();
    let mut crowd = Crowd::start(NODES).await;
    let (started, at_start) = spent();
    let records: Vec<_> = (0..RECORDS).map(record).collect();
    let mut holders = 0;
    for (key, value) in &records {
        holders += put(crowd.any(), key, value).await;
    }
    let (stored, _) = spent();
    crowd.kill(NODES / 2);
    let mut found = 0;
    for number in 0..LOOK_UPS {
        let (key, value) = &records[number % RECORDS];
        found += usize::from(is_found(crowd.any(), key, value).await);
    }
    let (after, peak) = spent();
    println!(
        "{NODES} nodes, {RECORDS} records on {} nodes each at least; half killed; found {found} of \
         {LOOK_UPS}; CPU of the process {:.1} s to start, {:.1} s to put, {:.1} s to look up; memory \
         {at_start} MiB at the start, {peak} MiB at most",
        holders / RECORDS,
        started - before,
        stored - started,
        after - stored,
    );
    assert!(found * 100 >= LOOK_UPS * 99, "{found} of {LOOK_UPS}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_ups_succeed_while_half_of_the_nodes_are_replaced_in_a_minute_h66() {
    let mut crowd = Crowd::start(60).await;
    let records: Vec<_> = (0..20).map(|number| record(1000 + number)).collect();
    for (key, value) in &records {
        put(crowd.any(), key, value).await;
    }
    let (mut found, mut asked) = (0, 0);
    // In far less than a minute: 30 of 60 nodes go, 30 come that nobody knows.
    for _ in 0..6 {
        crowd.kill(5);
        crowd.join(5, 3).await;
        for (key, value) in &records {
            let asker = crowd.pick(crowd.members.len());
            found += usize::from(is_found(&crowd.members[asker], key, value).await);
            asked += 1;
        }
    }
    println!("found {found} of {asked}");
    assert!(found * 100 >= asked * 99, "{found} of {asked}");
}
