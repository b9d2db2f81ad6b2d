//! Tests of what the choice of chunks costs for the largest blob.

use blake3::hazmat::{Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::support::epoch;
use super::*;

/// A tree over made-up nodes: 2^16 chunks, too many to hash here.
fn largest_tree() -> ChunkTree {
    let level: Vec<[u8; 32]> = (0..65_536)
        .map(|chunk| *blake3::hash(&u32::to_le_bytes(chunk)).as_bytes())
        .collect();
    let mut row = level.clone();
    while row.len() > 2 {
        row = row
            .chunks(2)
            .map(|pair| merge_subtrees_non_root(&pair[0], &pair[1], Mode::Hash))
            .collect();
    }
    let root = *merge_subtrees_root(&row[0], &row[1], Mode::Hash).as_bytes();
    let size = crate::limits::BLOB_BYTES_MAX;
    ChunkTree::parse(Blob { root, size }, &level.concat()).unwrap()
}

/// Chunks that the cursors passed, where `before` were their places.
fn passed(download: &Download, before: &BTreeMap<PeerId, u32>) -> u64 {
    let travel = |(id, peer): (&PeerId, &Peer)| {
        let start = before.get(id).copied().unwrap_or(0);
        u64::from(peer.next.saturating_sub(start))
    };
    download.peers.iter().map(travel).sum()
}

fn cursors(download: &Download) -> BTreeMap<PeerId, u32> {
    let cursor = |(id, peer): (&PeerId, &Peer)| (*id, peer.next);
    download.peers.iter().map(cursor).collect()
}

/// Takes the requests out of the outputs; the level is known, so nothing else is asked.
fn requests(download: &mut Download) -> Vec<(PeerId, u32)> {
    std::iter::from_fn(|| download.poll())
        .filter_map(|output| {
            let Output::Send(id, frame) = output else {
                return None;
            };
            support::request_of(&frame).map(|chunk| (id, chunk))
        })
        .collect()
}

#[test]
fn the_work_per_request_does_not_grow_with_the_blob_q95() {
    let tree = largest_tree();
    let now = epoch();
    let mut download = Download::new(tree.blob(), Some(tree), None, now);
    let full = ChunkMap::full(65_536);
    // Maps of every kind: all, every third chunk, the upper half.
    let third = map_of(65_536, &(0..65_536).step_by(3).collect::<Vec<_>>());
    let upper = map_of(65_536, &(32_768..65_536).collect::<Vec<_>>());
    for (id, map) in (0..18).zip([full, third, upper].iter().cycle()) {
        download.handle(now, Input::Joined(id, PeerRole::Peer));
        let map = Frame::Have(map.as_bytes().to_vec());
        download.handle(now, Input::Received(id, map));
    }
    let mut work = passed(&download, &BTreeMap::new());
    let mut open = VecDeque::from(requests(&mut download));
    let mut asked = open.len();
    while let Some((id, chunk)) = open.pop_front() {
        if download.have.contains(chunk) {
            continue;
        }
        let before = cursors(&download);
        download.hold(chunk, id);
        download.handle(now, Input::Tick);
        work += passed(&download, &before);
        for (id, chunk) in requests(&mut download) {
            // Besides the endgame, what is asked lies at the cursor or after it.
            assert!(chunk >= before[&id] || download.have.held() > 65_536 - 200);
            open.push_back((id, chunk));
            asked += 1;
        }
    }
    assert!(download.have.is_complete());
    // Every cursor passes every chunk once.
    assert!(work <= 18 * 65_536, "{work}");
    assert!(asked <= 65_536 + 200, "{asked}");
}

#[test]
fn a_cursor_goes_back_to_what_was_given_back_and_no_further() {
    let mut net = Net::new(40 * CHUNK);
    net.join_with_tree(1);
    net.join_with_tree(2);
    net.join_with_tree(3);
    for chunk in net.take_requests(1) {
        net.deliver(1, chunk);
    }
    let given_back = *net.download.peers[&2].in_flight.first().unwrap();
    assert!(given_back > 0 && net.download.peers[&3].next > given_back);
    // Peer 1 is full again, so the chunks stay free.
    net.leave(2);
    // Peer 3 is full, so its cursor shows where it will go on.
    assert_eq!(net.download.peers[&3].next, given_back);
    net.serve_all();
    assert_eq!(net.bytes(), data_of(40 * CHUNK));
}
