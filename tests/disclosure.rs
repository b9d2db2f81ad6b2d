//! What a device tells strangers without being asked for it: what the threat model says, and no more (threats P61).

use std::collections::{BTreeMap, BTreeSet};

use cli::Exit;
use futures::AsyncReadExt as _;
use support::device::{Device, Kind, Published};
use support::mirror::Mirror;
use support::network::kad_wire::{IDENTIFY, KAD};
use support::network::{HostilePeer, TestNode};

/// What a peer introduces itself with, at most.
const INTRODUCTION_BYTES_MAX: u64 = 8192;

/// A varint, and what follows it.
fn varint(bytes: &[u8]) -> (usize, &[u8]) {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let (number, rest) = bytes.split_at(length);
    let groups = number.iter().rev().map(|byte| usize::from(byte & 0x7f));
    (groups.fold(0, |number, group| number << 7 | group), rest)
}

/// Members of a message of bytes alone, by number.
fn members(mut message: &[u8]) -> BTreeMap<usize, Vec<Vec<u8>>> {
    let mut members = BTreeMap::<_, Vec<_>>::new();
    while !message.is_empty() {
        let (tag, rest) = varint(message);
        assert_eq!(tag & 7, 2, "member {} is no bytes", tag >> 3);
        let (length, rest) = varint(rest);
        let (value, rest) = rest.split_at(length);
        members.entry(tag >> 3).or_default().push(value.to_vec());
        message = rest;
    }
    members
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introduction_names_the_protocols_and_neither_version_nor_owner_p61() {
    let node = TestNode::start(&[]).await;
    let stranger = HostilePeer::start_mute().await;
    let mut stream = stranger.try_open(&node, IDENTIFY).await.unwrap();
    let mut said = Vec::new();
    let mut bounded = (&mut stream).take(INTRODUCTION_BYTES_MAX);
    bounded.read_to_end(&mut said).await.unwrap();
    let (length, message) = varint(&said);
    assert_eq!(length, message.len());
    let members = members(message);
    let texts = |number: usize| -> BTreeSet<String> {
        let values = members.get(&number).into_iter().flatten();
        values
            .map(|value| String::from_utf8(value.clone()).unwrap())
            .collect()
    };
    let text = |text: &str| BTreeSet::from([text.to_owned()]);
    assert_eq!(texts(5), text("/streembit/id/1.0.0"));
    assert_eq!(texts(6), text("streembit"));
    // 1 key, 2 addresses, 3 protocols, 4 where we are seen.
    assert!(
        members.keys().all(|number| (1..=6).contains(number)),
        "{members:?}"
    );
    let documented = support::programs::repository_root().join("docs/wire.md");
    let documented = std::fs::read_to_string(documented).unwrap();
    let protocols = texts(3);
    assert!(protocols.contains(KAD));
    for protocol in &protocols {
        let stem = protocol.rsplit_once('/').unwrap().0;
        let known = documented.contains(protocol) || documented.contains(stem);
        assert!(
            known || protocol.starts_with("/ipfs/"),
            "{protocol} is not documented"
        );
    }
}

#[test]
fn requests_to_mirrors_name_neither_device_nor_version_p61() {
    let published = Published::shared(Kind::Raw);
    let mirror = Mirror::start(&published.repository());
    let device = Device::new(&published, &mirror.url());
    assert_eq!(device.run(&["install"]).unwrap(), Exit::Reboot);
    let headers = mirror.headers();
    let names: BTreeSet<&str> = headers
        .iter()
        .filter_map(|header| Some(header.split_once(':')?.0))
        .collect();
    assert!(names.contains("host"), "{headers:?}");
    for name in &names {
        assert!(["host", "accept", "range"].contains(name), "{headers:?}");
    }
    assert!(
        headers.iter().all(|header| header.len() < 64),
        "{headers:?}"
    );
}
