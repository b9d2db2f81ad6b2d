//! Peers that lie, stall, flood and hold back.

use super::*;

/// A net of 12 chunks: the bad peer 1 has all requests that it can get, then honest peer 2 joins.
fn with_bad_owner() -> (Net, Vec<u32>) {
    let mut net = Net::new(12 * CHUNK);
    net.join_with_tree(1);
    let owed = net.take_requests(1);
    assert_eq!(owed.len(), 8);
    (net, owed)
}

fn finish_with_honest_peer(mut net: Net) {
    net.join(2);
    net.serve(2);
    assert!(net.complete);
    assert_eq!(net.bytes(), data_of(12 * CHUNK));
    assert!(net.dropped.iter().all(|(id, _)| *id == 1));
}

#[test]
fn drops_peer_after_one_wrong_chunk_p49() {
    let mut flipped = data_of(CHUNK).to_vec();
    flipped[CHUNK / 2] ^= 1;
    for wrong in [
        flipped,
        data_of(2 * CHUNK)[CHUNK..].to_vec(),
        data_of(CHUNK - 1).to_vec(),
        data_of(CHUNK + 1).to_vec(),
        vec![0; CHUNK],
        Vec::new(),
    ] {
        let (mut net, owed) = with_bad_owner();
        net.deliver(1, owed[1]);
        let data = Frame::Data {
            chunk: owed[0],
            bytes: wrong,
        };
        net.receive(1, data);
        assert_eq!(net.dropped, [(1, DropReason::Lied)]);
        // Nothing more of it is taken, not even good bytes.
        net.deliver(1, owed[2]);
        assert_eq!(net.brought_by(1), 1);
        assert!(net.download.have().contains(owed[1]));
        finish_with_honest_peer(net);
    }
}

#[test]
fn a_wrong_chunk_is_asked_of_another_peer_at_once_p49() {
    let (mut net, _) = with_bad_owner();
    net.join_with_tree(2);
    net.take_requests(2);
    let free: Vec<u32> = (8..12).collect();
    for chunk in free {
        net.deliver(2, chunk);
    }
    net.take_requests(2);
    let bytes = vec![1; CHUNK];
    net.receive(1, Frame::Data { chunk: 0, bytes });
    assert_eq!(net.dropped, [(1, DropReason::Lied)]);
    let mut under_way: Vec<u32> = net.download.copies.keys().copied().collect();
    under_way.sort_unstable();
    assert_eq!(under_way, (0..8).collect::<Vec<_>>());
}

#[test]
fn drops_peer_with_a_lying_chunk_level_p49() {
    let good = blob_of(12 * CHUNK).1.encode();
    let mut flipped = good.clone();
    flipped[40] ^= 1;
    let swapped = [&good[32..64], &good[..32], &good[64..]].concat();
    for (first, nodes) in [
        (0, flipped),
        (0, swapped),
        (0, good[..352].to_vec()),
        (0, good[..32].to_vec()),
        (0, Vec::new()),
        (0, [&good[..], &[0; 32]].concat()),
        (1, good[32..].to_vec()),
        (12, good.clone()),
        (u32::MAX, good.clone()),
    ] {
        let mut net = Net::new(12 * CHUNK);
        net.join(1);
        net.serve_one(1);
        net.receive(1, Frame::Tree { first, nodes });
        assert_eq!(net.dropped, [(1, DropReason::Lied)], "{first}");
        assert_eq!(net.kept, None);
        finish_with_honest_peer(net);
    }
}

#[test]
fn a_level_that_comes_second_is_ignored_without_blame() {
    let mut net = Net::new(12 * CHUNK);
    for id in [1, 2] {
        net.join(id);
        net.serve_one(id);
    }
    net.serve_one(1);
    assert!(net.kept.is_some());
    net.serve_one(2);
    assert!(net.dropped.is_empty());
    // It was asked once, so once is enough.
    let nodes = net.tree.encode();
    net.receive(2, Frame::Tree { first: 0, nodes });
    assert_eq!(net.dropped, [(2, DropReason::Unexpected)]);
}

#[test]
fn drops_peers_that_send_what_nobody_asked_for_p50() {
    let frames = |net: &Net| {
        let blob = net.tree.blob();
        let (first, nodes) = (0, net.tree.encode());
        vec![
            Frame::Open(blob),
            Frame::GetTree { first: 0, count: 1 },
            Frame::Request { first: 0, count: 1 },
            Frame::Cancel { chunk: 0 },
            Frame::Tree { first, nodes },
            net.data_frame(11),
            net.data_frame(0),
            Frame::Data {
                chunk: u32::MAX,
                bytes: Vec::new(),
            },
            busy(11),
            busy(u32::MAX),
        ]
    };
    let count = frames(&Net::new(12 * CHUNK)).len();
    for index in 0..count {
        let (mut net, owed) = with_bad_owner();
        net.deliver(1, owed[0]);
        let frame = frames(&net).remove(index);
        net.receive(1, frame);
        assert_eq!(net.dropped, [(1, DropReason::Unexpected)], "{index}");
        finish_with_honest_peer(net);
    }
    // Chunks before there is a level to check them against.
    let mut net = Net::new(12 * CHUNK);
    net.join(1);
    net.deliver(1, 0);
    assert_eq!(net.dropped, [(1, DropReason::Unexpected)]);
}

fn busy(chunk: u32) -> Frame {
    let code = Refusal::Busy;
    Frame::Reject { chunk, code }
}

#[test]
fn drops_peers_with_malformed_or_endless_maps_p50() {
    for map in [vec![], vec![0xff], vec![0xff, 0x0f, 0], vec![0xff, 0xff]] {
        let mut net = Net::new(12 * CHUNK);
        net.join(1);
        net.receive(1, Frame::Have(map));
        assert_eq!(net.dropped, [(1, DropReason::Lied)]);
        finish_with_honest_peer(net);
    }
    for (first, second) in [(0x01, 0x01), (0x03, 0x04), (0x03, 0x00)] {
        let mut net = Net::new(12 * CHUNK);
        net.join(1);
        net.receive(1, Frame::Have(vec![first, 0]));
        assert!(net.dropped.is_empty());
        net.receive(1, Frame::Have(vec![second, 0]));
        assert_eq!(net.dropped, [(1, DropReason::Unexpected)]);
        finish_with_honest_peer(net);
    }
}

#[test]
fn a_silent_peer_is_dropped_at_the_timeout_and_its_chunks_reassigned_p51() {
    let (mut net, owed) = with_bad_owner();
    net.join_with_tree(2);
    for chunk in 8..12 {
        net.deliver(2, chunk);
    }
    net.pass(CHUNK_TIMEOUT - Duration::from_millis(1));
    assert!(net.dropped.is_empty() || net.dropped[0].0 == 2);
    net.leave(2);
    let due = net.download.deadline().unwrap();
    net.pass(due - net.now);
    assert_eq!(net.dropped, [(1, DropReason::Stalled)]);
    net.join_with_tree(3);
    assert_eq!(net.take_requests(3), owed);
}

#[test]
fn silence_after_open_or_get_tree_is_dropped_at_the_timeout_p51() {
    for answered in 0..2 {
        let mut net = Net::new(12 * CHUNK);
        net.join(1);
        net.pass(Duration::from_secs(10));
        for _ in 0..answered {
            net.serve_one(1);
        }
        let mut ticks = 0;
        while net.dropped.is_empty() {
            let due = net.download.deadline().unwrap();
            net.pass(due - net.now);
            ticks += 1;
            assert!(ticks <= 3);
        }
        assert_eq!(net.dropped, [(1, DropReason::Stalled)]);
        let waited = net.now - support::epoch() - Duration::from_secs(3600);
        let asked_at = Duration::from_secs(10) * answered;
        assert_eq!(waited, asked_at + CHUNK_TIMEOUT);
        finish_with_honest_peer(net);
    }
}

#[test]
fn a_peer_at_the_minimum_rate_is_kept_and_its_open_chunks_are_copied_p51() {
    let (mut net, _) = with_bad_owner();
    net.pass(CHUNK_TIMEOUT - Duration::from_millis(1));
    net.deliver(1, 0);
    net.pass(CHUNK_TIMEOUT - Duration::from_millis(1));
    assert!(net.dropped.is_empty());
    // It still holds seven and more; an honest peer brings them without waiting for it.
    net.join(2);
    let start = net.now;
    net.serve(2);
    assert!(net.complete);
    assert_eq!(net.now, start);
}

#[test]
fn copies_and_busy_answers_do_not_count_as_delivery_p51() {
    // Each of these would keep a peer that owes chunks for ever, if it counted.
    let (mut net, owed) = with_bad_owner();
    net.join_with_tree(2);
    for chunk in 8..12 {
        net.deliver(2, chunk);
    }
    // The endgame copies a chunk of peer 1, which may then send its copy late: once.
    let copied = *net.take_requests(2).last().unwrap();
    net.deliver(2, copied);
    net.leave(2);
    net.pass(Duration::from_secs(29));
    net.deliver(1, copied);
    let other = owed.iter().find(|chunk| **chunk != copied).unwrap();
    net.receive(1, busy(*other));
    assert!(net.dropped.is_empty());
    net.pass(Duration::from_secs(1));
    assert_eq!(net.dropped, [(1, DropReason::Stalled)]);
    finish_with_honest_peer(net);
}

#[test]
fn a_peer_that_keeps_one_chunk_back_and_is_busy_with_the_rest_is_dropped_p51() {
    let (mut net, owed) = with_bad_owner();
    let mut rejected = owed[1..].to_vec();
    let start = net.now;
    while net.dropped.is_empty() {
        for chunk in rejected {
            net.receive(1, busy(chunk));
        }
        net.pass(ORIGIN_GRACE);
        assert!(net.now - start <= CHUNK_TIMEOUT, "kept for ever");
        // Asked again and again, which must not buy time for chunk 0.
        rejected = net.take_requests(1);
    }
    assert_eq!(net.dropped, [(1, DropReason::Stalled)]);
    assert_eq!(net.now - start, CHUNK_TIMEOUT);
    finish_with_honest_peer(net);
}

#[test]
fn a_level_in_small_pieces_is_refused_p51() {
    // One node per 29 seconds would hold up a large blob for weeks.
    let mut net = Net::new(12 * CHUNK);
    net.join(1);
    net.serve_one(1);
    let nodes = net.tree.nodes(0, 1);
    net.receive(1, Frame::Tree { first: 0, nodes });
    assert_eq!(net.dropped, [(1, DropReason::Lied)]);
    finish_with_honest_peer(net);
}

#[test]
fn ticks_at_the_deadline_come_to_an_end_p51() {
    // Busy, silent and idle peers: every tick drops, asks, or moves the deadline on.
    let mut net = Net::new(12 * CHUNK);
    net.join_with_tree(1);
    net.receive(1, busy(0));
    net.join_holding(2, &[]);
    net.join_as(3, PeerRole::Origin);
    net.join(4);
    let mut ticks = 0;
    while let Some(due) = net.download.deadline() {
        net.pass(due - net.now);
        ticks += 1;
        assert!(ticks < 20, "spins");
    }
    assert_eq!(net.dropped.len(), 3);
}

#[test]
fn a_peer_that_claims_all_and_has_nothing_is_dropped_p57() {
    let (mut net, owed) = with_bad_owner();
    let code = Refusal::NotHave;
    let chunk = owed[0];
    net.receive(1, Frame::Reject { chunk, code });
    assert_eq!(net.dropped, [(1, DropReason::NotHave)]);
    finish_with_honest_peer(net);
}

#[test]
fn a_busy_peer_rests_and_others_get_its_chunks_p57() {
    let (mut net, owed) = with_bad_owner();
    for chunk in &owed {
        net.receive(1, busy(*chunk));
    }
    assert!(net.take_requests(1).is_empty());
    net.join_with_tree(2);
    assert_eq!(net.take_requests(2), owed);
    assert_eq!(net.download.deadline(), net.now.checked_add(ORIGIN_GRACE));
    net.pass(ORIGIN_GRACE);
    assert_eq!(net.take_requests(1), [8, 9, 10, 11]);
    assert!(net.dropped.is_empty());
}

#[test]
fn peers_that_are_busy_for_ever_do_not_keep_the_origin_away_p57() {
    let mut net = Net::new(12 * CHUNK);
    net.join_with_tree(1);
    net.join_as(9, PeerRole::Origin);
    net.have(9, &(0..12).collect::<Vec<_>>());
    for _ in 0..20 {
        for chunk in net.take_requests(1) {
            net.receive(1, busy(chunk));
        }
        net.serve(9);
        net.pass(Duration::from_secs(1));
    }
    assert!(net.complete);
    assert_eq!(net.brought_by(9), 12);
}

#[test]
fn liars_and_silent_peers_do_not_keep_the_origin_away_p57() {
    let mut net = Net::new(12 * CHUNK);
    net.join_as(9, PeerRole::Origin);
    net.have(9, &(0..12).collect::<Vec<_>>());
    net.join_with_tree(0);
    // A new liar every second, and one that sends nothing.
    for id in 10..30 {
        net.join(id);
        net.serve_one(id);
        if let Some(chunk) = net.take_requests(id).first() {
            let (chunk, bytes) = (*chunk, vec![0; CHUNK]);
            net.receive(id, Frame::Data { chunk, bytes });
        }
        net.serve(9);
        net.pass(Duration::from_secs(1));
        if net.complete {
            break;
        }
    }
    assert!(net.complete);
    assert_eq!(net.brought_by(9), 12);
    let waited = net.now - support::epoch() - Duration::from_secs(3600);
    assert!(waited <= Duration::from_secs(8), "{waited:?}");
}

#[test]
fn useless_peers_do_not_fill_the_places_for_ever_p50() {
    // Nothing to offer, busy for ever, claims that are never kept: none delivers.
    let mut net = Net::new(12 * CHUNK);
    for id in 0..20 {
        net.join_holding(id, &[]);
    }
    for id in 0..20 {
        net.serve(id);
    }
    net.join(50);
    assert_eq!(net.dropped, [(50, DropReason::Crowded)]);
    net.pass(CHUNK_TIMEOUT);
    net.join(51);
    assert_eq!(net.dropped[1], (0, DropReason::Crowded));
    assert_eq!(net.download.peer_count(), DOWNLOAD_PEERS_MAX);
    net.serve_all();
    assert_eq!(net.bytes(), data_of(12 * CHUNK));
}

#[test]
fn newcomers_do_not_push_out_who_delivers_nor_an_origin_p50() {
    let mut net = Net::new(40 * CHUNK);
    net.join_as(90, PeerRole::Origin);
    net.have(90, &[0]);
    net.join_with_tree(1);
    for id in 2..20 {
        net.join_holding(id, &[]);
    }
    net.pass(CHUNK_TIMEOUT / 2);
    net.serve_one(1);
    assert_eq!(net.brought_by(1), 1);
    net.pass(CHUNK_TIMEOUT / 2);
    for id in 100..120 {
        net.join(id);
    }
    let gone: Vec<PeerId> = net.dropped.iter().map(|(id, _)| *id).collect();
    let expected: Vec<PeerId> = (2..20).chain([118, 119]).collect();
    assert_eq!(gone, expected);
}
