//! Tests of the download machine: peers in memory, time as an argument.

mod hostile;
mod schedule;
mod simulation;
mod support;

use std::time::Duration;

use self::support::{CHUNK, Net, blob_of, data_of, map_of};
use super::*;
use crate::limits::{DOWNLOAD_PEERS_MAX, REQUESTS_IN_FLIGHT_MAX};

#[test]
fn completes_from_one_peer_at_every_size() {
    for size in [
        1,
        1024,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        3 * CHUNK,
        12 * CHUNK + 5,
    ] {
        let mut net = Net::new(size);
        net.join(1);
        net.serve_all();
        assert!(net.complete, "{size}");
        assert_eq!(net.bytes(), data_of(size));
        assert_eq!(net.kept, Some(net.tree.encode()));
        assert!(net.dropped.is_empty());
        assert_eq!(net.download.deadline(), None);
    }
}

#[test]
fn completes_from_three_peers_that_share_the_work() {
    let mut net = Net::new(40 * CHUNK);
    for id in 1..=3 {
        net.join(id);
    }
    net.serve_all();
    assert_eq!(net.bytes(), data_of(40 * CHUNK));
    for id in 1..=3 {
        assert!(net.brought_by(id) >= 8, "{:?}", net.from);
    }
    // Only the endgame asks twice.
    assert!(net.requests.values().filter(|count| **count > 1).count() <= 3);
    assert!(net.requests.values().all(|count| *count <= 2));
    assert!(net.dropped.is_empty());
}

#[test]
fn owes_at_most_eight_requests_to_a_peer() {
    let mut net = Net::new(40 * CHUNK);
    net.join_with_tree(1);
    let mut open = net.take_requests(1);
    assert_eq!(open, (0..8).collect::<Vec<_>>());
    assert_eq!(open.len(), REQUESTS_IN_FLIGHT_MAX);
    net.deliver(1, open.remove(5));
    assert_eq!(net.take_requests(1), [8]);
}

#[test]
fn asks_a_peer_only_for_what_its_map_has() {
    let mut net = Net::new(10 * CHUNK);
    net.join_holding(1, &[1, 4]);
    net.serve_all();
    assert_eq!(net.download.have().held(), 2);
    assert_eq!(net.requests.keys().copied().collect::<Vec<_>>(), [1, 4]);
    // It gets more and says so.
    net.have(1, &[1, 4, 5, 0]);
    net.serve_all();
    assert_eq!(net.download.have().held(), 4);
    net.join(2);
    net.serve_all();
    assert_eq!(net.bytes(), data_of(10 * CHUNK));
    assert!(net.dropped.is_empty());
}

#[test]
fn resume_asks_only_for_what_is_missing_p52() {
    let size = 10 * CHUNK;
    let (_, tree) = blob_of(size);
    let mut have = ChunkMap::empty(10);
    for chunk in [0, 3, 9] {
        have.insert(chunk);
    }
    let mut net = Net::resumed(size, Some(tree), Some(have));
    net.join(1);
    net.serve_all();
    assert!(net.complete);
    assert_eq!(net.kept, None);
    let asked: Vec<u32> = net.requests.keys().copied().collect();
    assert_eq!(asked, [1, 2, 4, 5, 6, 7, 8]);
    assert!(net.requests.values().all(|count| *count == 1));
}

#[test]
fn asks_only_for_what_is_wanted() {
    let size = 10 * CHUNK;
    let (_, tree) = blob_of(size);
    let have = map_of(10, &[0, 3]);
    let mut net = Net::resumed(size, Some(tree.clone()), Some(have)).wanting(&[3, 4, 8]);
    net.join_holding(1, &[0, 1, 2, 4, 5]);
    net.serve_all();
    assert!(!net.complete, "8 is missing");
    net.join(2);
    net.serve_all();
    assert!(net.complete);
    let asked: Vec<u32> = net.requests.keys().copied().collect();
    assert_eq!(asked, [4, 8]);
    assert!(net.requests.values().all(|count| *count == 1));

    let mut nothing = Net::new(size).wanting(&[]);
    assert!(nothing.complete, "at once");
    nothing.join(1);
    assert!(nothing.requests.is_empty());

    let mut endgame = Net::resumed(size, Some(tree), None).wanting(&[7]);
    endgame.join_holding(1, &[6, 7]);
    endgame.join_holding(2, &[7, 8]);
    assert_eq!(
        endgame.requests.get(&7),
        Some(&2),
        "a second copy of the last that is wanted"
    );
}

#[test]
fn resume_with_foreign_leftovers_starts_from_nothing() {
    let size = 10 * CHUNK;
    let (_, tree) = blob_of(size);
    let (_, other) = blob_of(10 * CHUNK - 1);
    let full = || Some(ChunkMap::full(10));
    for (tree, have) in [
        (Some(tree.clone()), Some(ChunkMap::full(9))),
        (Some(tree.clone()), Some(ChunkMap::full(11))),
        (Some(tree), None),
        (Some(other), full()),
        (None, full()),
    ] {
        let mut net = Net::resumed(size, tree, have);
        assert!(!net.complete);
        assert_eq!(net.download.have().held(), 0);
        net.join(1);
        net.serve_all();
        assert_eq!(net.bytes(), data_of(size));
    }
}

#[test]
fn resume_of_a_whole_blob_is_complete_at_once_and_takes_no_peer() {
    let (_, tree) = blob_of(3 * CHUNK);
    let mut net = Net::resumed(3 * CHUNK, Some(tree), Some(ChunkMap::full(3)));
    assert!(net.complete);
    net.join(1);
    assert_eq!(net.dropped, [(1, DropReason::Crowded)]);
    assert_eq!(net.download.peer_count(), 0);
}

#[test]
fn a_peer_that_leaves_at_any_message_costs_at_most_its_open_requests_p52() {
    let size = 12 * CHUNK + 5;
    let mut cut = 0;
    loop {
        let mut net = Net::new(size);
        net.join(1);
        for _ in 0..cut {
            net.serve_one(1);
        }
        if net.complete {
            break;
        }
        net.leave(1);
        let held = net.download.have().clone();
        let before = net.requests.clone();
        net.join(2);
        net.serve_all();
        assert_eq!(net.bytes(), data_of(size), "{cut}");
        let twice: Vec<u32> = (0..13).filter(|chunk| net.requests[chunk] > 1).collect();
        assert!(twice.len() <= REQUESTS_IN_FLIGHT_MAX, "{cut}");
        for chunk in twice {
            assert!(
                !held.contains(chunk) && before.contains_key(&chunk),
                "{cut}"
            );
        }
        cut += 1;
    }
    assert!(cut > 13, "every message was a cut: {cut}");
}

#[test]
fn a_restart_after_any_chunk_fetches_nothing_twice_p52() {
    let size = 6 * CHUNK;
    let (_, tree) = blob_of(size);
    for held in 0..6 {
        let mut first = Net::resumed(size, Some(tree.clone()), None);
        first.join(1);
        first.serve_one(1);
        for _ in 0..held {
            first.serve_one(1);
        }
        let have = first.download.have().clone();
        assert_eq!(have.held(), held);
        let kept = ChunkMap::parse(6, have.as_bytes());
        let mut second = Net::resumed(size, Some(tree.clone()), kept);
        second.join(1);
        second.serve_all();
        assert!(second.complete);
        assert_eq!(second.written.len(), 6 - usize::try_from(held).unwrap());
    }
}

#[test]
fn an_origin_is_asked_only_after_the_grace() {
    let mut net = Net::new(3 * CHUNK);
    net.join_as(9, PeerRole::Origin);
    net.have(9, &[0, 1, 2]);
    assert_eq!(net.asked_of(9), 0);
    let due = net.download.deadline().unwrap();
    assert_eq!(due - net.now, ORIGIN_GRACE);
    net.pass(ORIGIN_GRACE - Duration::from_millis(1));
    assert_eq!(net.asked_of(9), 0);
    net.pass(Duration::from_millis(1));
    assert!(net.asked_of(9) > 0);
    net.serve_all();
    assert!(net.complete);
}

#[test]
fn an_origin_is_never_asked_while_peers_deliver() {
    let mut net = Net::new(12 * CHUNK);
    net.join_as(9, PeerRole::Origin);
    net.have(9, &(0..12).collect::<Vec<_>>());
    net.join(1);
    while !net.complete {
        net.pass(Duration::from_millis(900));
        net.serve_one(1);
    }
    assert_eq!(net.asked_of(9), 0);
    assert_eq!(net.brought_by(1), 12);
}

#[test]
fn an_origin_helps_when_peers_lack_chunks_and_rests_when_they_deliver_again() {
    let mut net = Net::new(30 * CHUNK);
    net.join_as(9, PeerRole::Origin);
    net.have(9, &(0..30).collect::<Vec<_>>());
    net.join_holding(1, &[0, 1]);
    net.serve(1);
    net.pass(ORIGIN_GRACE);
    let helped = net.take_requests(9);
    assert_eq!(helped, (2..10).collect::<Vec<_>>());
    // A peer with the rest comes and delivers: the origin gets nothing new.
    net.join(2);
    while net.download.have().held() < 22 {
        net.serve_one(2);
    }
    net.pass(Duration::from_millis(1));
    net.deliver(9, 2);
    assert_eq!(net.take_requests(9), [] as [u32; 0]);
}

#[test]
fn endgame_asks_one_idle_peer_for_a_second_copy_and_cancels_the_slower() {
    let mut net = Net::new(4 * CHUNK);
    net.join_with_tree(1);
    assert_eq!(net.take_requests(1), [0, 1, 2, 3]);
    net.join_with_tree(2);
    net.join_with_tree(3);
    net.join_with_tree(4);
    // One copy each for the idle, never three of one chunk.
    assert_eq!(net.take_requests(2), [0]);
    assert_eq!(net.take_requests(3), [1]);
    assert_eq!(net.take_requests(4), [2]);
    net.deliver(2, 0);
    assert_eq!(net.take_cancels(1), [0]);
    assert_eq!(net.take_requests(2), [3]);
    // The slower copy was under way already: ignored once, without blame.
    net.deliver(1, 0);
    assert!(net.dropped.is_empty());
    for chunk in 1..4 {
        net.deliver(1, chunk);
    }
    assert!(net.complete);
    assert_eq!(net.take_cancels(2), [3]);
    assert_eq!(net.take_cancels(3), [1]);
    assert_eq!(net.take_cancels(4), [2]);
    assert_eq!(net.bytes(), data_of(4 * CHUNK));
}

#[test]
fn no_second_copy_before_the_endgame() {
    let mut net = Net::new(20 * CHUNK);
    net.join_with_tree(1);
    assert_eq!(net.take_requests(1).len(), 8);
    // It has only what is under way already, and twelve chunks are asked of nobody.
    net.join_holding(2, &[0, 1]);
    net.serve_one(2);
    assert_eq!(net.take_requests(2), [] as [u32; 0]);
}

#[test]
fn a_peer_beyond_the_limit_is_refused() {
    let mut net = Net::new(3 * CHUNK);
    let limit = u64::try_from(DOWNLOAD_PEERS_MAX).unwrap();
    for id in 0..limit + 5 {
        net.join(id);
    }
    let refused: Vec<_> = (limit..limit + 5)
        .map(|id| (id, DropReason::Crowded))
        .collect();
    assert_eq!(net.dropped, refused);
    assert_eq!(net.download.peer_count(), DOWNLOAD_PEERS_MAX);
    // A place becomes free.
    net.leave(3);
    net.join(100);
    assert_eq!(net.dropped.len(), 5);
    net.serve_all();
    assert!(net.complete);
}

#[test]
fn after_completion_frames_are_ignored_and_peers_refused() {
    let mut net = Net::new(2 * CHUNK);
    net.join(1);
    net.join(2);
    net.serve_all();
    assert!(net.complete);
    let (written, sent) = (net.written.len(), net.queues.clone());
    for frame in [
        net.data_frame(0),
        net.data_frame(1),
        Frame::Have(vec![0]),
        Frame::Tree {
            first: 0,
            nodes: vec![0; 64],
        },
        Frame::Cancel { chunk: 0 },
    ] {
        net.receive(1, frame);
    }
    net.pass(CHUNK_TIMEOUT * 2);
    assert!(net.dropped.is_empty());
    assert_eq!((net.written.len(), net.queues.clone()), (written, sent));
    net.join(3);
    assert_eq!(net.dropped, [(3, DropReason::Crowded)]);
    assert_eq!(net.download.deadline(), None);
}

#[test]
fn inputs_of_unknown_peers_change_nothing() {
    let mut net = Net::new(2 * CHUNK);
    let data = net.data_frame(0);
    net.receive(7, data);
    net.receive(7, Frame::Have(vec![3]));
    net.leave(7);
    assert!(net.dropped.is_empty() && net.written.is_empty());
    assert_eq!(net.download.deadline(), None);
}

#[test]
fn time_that_goes_back_or_jumps_far_ahead_does_no_harm_c92() {
    let mut net = Net::new(9 * CHUNK);
    net.join_with_tree(1);
    let past = net.now.checked_sub(Duration::from_secs(5)).unwrap();
    net.download.handle(past, Input::Tick);
    net.drain();
    assert!(net.dropped.is_empty());
    // Ten years later (a suspended device) the peer is gone; another one serves.
    net.pass(Duration::from_secs(10 * 365 * 24 * 3600));
    assert_eq!(net.dropped, [(1, DropReason::Stalled)]);
    net.join(2);
    net.serve_all();
    assert_eq!(net.bytes(), data_of(9 * CHUNK));
}
