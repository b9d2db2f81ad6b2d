//! The block exchange between real nodes on loopback: liars, stallers, cuts, noise, floods
//! (threats P49 to P58).
//!
//! A race would let the honest peer finish before the hostile one is asked at all. So the honest
//! node holds a part at first, and the rest only when the hostile peer has shown its conduct.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::AsyncWriteExt as _;
use node::blocks::fetch::{FetchError, FetchReport};
use node::blocks::frames;
use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::tree::Blob;
use protocol::exchange::wire::Frame;
use protocol::limits::CHUNK_BYTES;
use support::network::{Conduct, DEADLINE, Data, HostilePeer, TestNode, until, until_closed};
use tokio::sync::watch;

/// 20 chunks, the last one short.
fn data() -> Data {
    Data::new(1, 5 * 1024 * 1024 - 1000)
}

/// A fetcher connected to an honest node that holds some chunks of `data`.
async fn honest_and_fetcher(
    data: &Data,
    chunks: impl IntoIterator<Item = u32>,
) -> (TestNode, TestNode) {
    let (honest, fetcher) = (TestNode::start(&[]).await, TestNode::start(&[]).await);
    honest.hold(data, chunks);
    fetcher.dial(&honest.address).await;
    fetcher.until_peers(1).await;
    (honest, fetcher)
}

fn tell(progress: &watch::Sender<u64>, bytes: u64) {
    progress.send_replace(bytes);
}

fn add_all(honest: &TestNode, data: &Data) {
    for chunk in 0..data.count() {
        honest.handle.blobs.add_chunk(&data.blob(), chunk);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blob_comes_from_several_seeders() {
    let data = data();
    let fetcher = TestNode::start(&[]).await;
    let mut seeders = Vec::new();
    for part in 0..3 {
        let seeder = TestNode::start(&[]).await;
        seeder.hold(&data, (0..data.count()).filter(|chunk| chunk % 3 == part));
        fetcher.dial(&seeder.address).await;
        seeders.push(seeder);
    }
    fetcher.until_peers(3).await;
    let report = fetcher.fetch_whole(&data).await;
    for seeder in &seeders {
        assert!(report.bytes_by_source[&seeder.name()] >= 6 * CHUNK_BYTES);
    }
    assert!(report.liars.is_empty());
    assert_eq!(report.resumed_bytes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeder_is_found_through_the_dht_and_what_was_fetched_is_served() {
    let data = data();
    let bootstrap = TestNode::start(&[]).await;
    let seeder = TestNode::start(&[&bootstrap]).await;
    seeder.hold(&data, 0..data.count());
    seeder.until_known(1).await;
    let key = protocol::dht::key::DhtKey::blob(&data.blob().root);
    seeder.handle.provide(key).await.unwrap();
    let first = TestNode::start(&[&bootstrap]).await;
    first.fetch_whole(&data).await;
    drop(seeder);
    let second = TestNode::start(&[]).await;
    second.dial(&first.address).await;
    let report = second.fetch_whole(&data).await;
    assert_eq!(report.bytes_by_source[&first.name()], data.blob().size);
}

/// A node that is still fetching serves what it has, and tells when it has more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_are_served_as_they_arrive() {
    let data = data();
    let (origin, middle) = honest_and_fetcher(&data, 0..5).await;
    let last = HostilePeer::start().await;
    let (told, mut progress) = watch::channel(0);
    let asking = async {
        let arrived = 5 * CHUNK_BYTES;
        progress.wait_for(|bytes| *bytes >= arrived).await.unwrap();
        let mut stream = last.open(&middle).await;
        let open = Frame::Open(data.blob());
        frames::write(&mut stream, &open).await.unwrap();
        let first = frames::read(&mut stream, usize::MAX).await.unwrap();
        add_all(&origin, &data);
        let second = frames::read(&mut stream, usize::MAX).await.unwrap();
        let [Some(Frame::Have(first)), Some(Frame::Have(second))] = [first, second] else {
            panic!("no maps");
        };
        let held = |map: &[u8]| ChunkMap::parse(data.count(), map).unwrap().held();
        assert_eq!(held(&first), 5);
        assert!(held(&second) > 5);
        let request = Frame::Request { first: 3, count: 1 };
        frames::write(&mut stream, &request).await.unwrap();
        let mut answer = None;
        while !matches!(answer, Some(Frame::Data { .. })) {
            answer = frames::read(&mut stream, usize::MAX).await.unwrap();
        }
        let bytes = data.chunk(3);
        assert!(answer == Some(Frame::Data { chunk: 3, bytes }));
    };
    let fetching = middle.fetch(&data, DEADLINE, |bytes| tell(&told, bytes));
    let (report, ()) = tokio::join!(fetching, asking);
    assert!(report.unwrap().liars.is_empty());
}

/// Fetches with one hostile peer that is asked for a chunk before anyone honest can serve it.
async fn fetch_beside(conduct: Conduct) -> (HostilePeer, FetchReport) {
    let data = data();
    let (honest, fetcher) = honest_and_fetcher(&data, 2..data.count()).await;
    let hostile = HostilePeer::serve(conduct, &data).await;
    fetcher.dial(&hostile.address).await;
    fetcher.until_peers(2).await;
    let releasing = async {
        match conduct {
            Conduct::Garbage | Conduct::EndlessHave => hostile.until_ended().await,
            _ => hostile.until_asked().await,
        }
        add_all(&honest, &data);
    };
    let (report, ()) = tokio::join!(fetcher.fetch_whole(&data), releasing);
    assert!(report.bytes_by_source[&honest.name()] > 0);
    (hostile, report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn liar_is_dropped_and_named_p49() {
    let (liar, report) = fetch_beside(Conduct::Lie).await;
    assert_eq!(report.liars.keys().collect::<Vec<_>>(), [&liar.name()]);
    assert!(!report.bytes_by_source.contains_key(&liar.name()));
    assert_eq!(liar.count(|seen| &seen.opened), 1, "not used again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn liar_about_the_chunk_level_is_named_p49() {
    let data = data();
    let (honest, fetcher) = honest_and_fetcher(&Data::new(2, 10), []).await;
    let liar = HostilePeer::serve(Conduct::LevelLie, &data).await;
    fetcher.dial(&liar.address).await;
    fetcher.until_peers(2).await;
    let second = TestNode::start(&[]).await;
    second.hold(&data, 0..data.count());
    let later = async {
        liar.until_ended().await;
        fetcher.dial(&second.address).await;
    };
    let (report, ()) = tokio::join!(fetcher.fetch_whole(&data), later);
    assert_eq!(report.liars.keys().collect::<Vec<_>>(), [&liar.name()]);
    assert!(!report.bytes_by_source.contains_key(&honest.name()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_ends_the_link_and_nothing_else_p50_p53() {
    let (hostile, report) = fetch_beside(Conduct::Garbage).await;
    assert!(!report.bytes_by_source.contains_key(&hostile.name()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_maps_end_the_link_p50() {
    let (hostile, report) = fetch_beside(Conduct::EndlessHave).await;
    assert!(!report.bytes_by_source.contains_key(&hostile.name()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_that_claims_all_and_serves_none_holds_nothing_up_p57() {
    let (hostile, report) = fetch_beside(Conduct::Stall).await;
    assert!(hostile.count(|seen| &seen.asked) > 0);
    assert!(!report.bytes_by_source.contains_key(&hostile.name()));
    assert!(report.liars.is_empty(), "slow is no lie");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_of_a_byte_at_a_time_holds_nothing_up_p51() {
    let (hostile, report) = fetch_beside(Conduct::Slow).await;
    assert_eq!(hostile.count(|seen| &seen.sent), 0);
    assert!(!report.bytes_by_source.contains_key(&hostile.name()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_honest_among_nine_hostile_is_enough_p50() {
    let data = data();
    let (honest, fetcher) = honest_and_fetcher(&data, 0..data.count()).await;
    let mut hostile = Vec::new();
    for conduct in [
        Conduct::Lie,
        Conduct::Lie,
        Conduct::LevelLie,
        Conduct::Garbage,
        Conduct::EndlessHave,
        Conduct::Stall,
        Conduct::Stall,
        Conduct::Slow,
        Conduct::Cut(300_000),
    ] {
        let peer = HostilePeer::serve(conduct, &data).await;
        fetcher.dial(&peer.address).await;
        hostile.push((conduct, peer));
    }
    fetcher.until_peers(10).await;
    let report = fetcher.fetch_whole(&data).await;
    assert!(report.bytes_by_source[&honest.name()] > 0);
    let conducts = [
        Conduct::Lie,
        Conduct::Garbage,
        Conduct::EndlessHave,
        Conduct::Stall,
    ];
    for (conduct, peer) in &hostile {
        let gave = report.bytes_by_source.contains_key(&peer.name());
        assert!(!(gave && conducts.contains(conduct)), "{conduct:?}");
    }
}

/// The stream of a peer that serves well is cut at many places: within a prefix, a map, the level, a
/// chunk, between frames.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_costs_at_most_what_was_under_way_p52() {
    let data = Data::new(3, 10 * 256 * 1024);
    let (have, level, chunk) = (5 + 2, 5 + 4 + 320, 5 + 4 + 256 * 1024);
    let begun = have + level;
    for at in [
        0,
        3,
        have - 1,
        have,
        begun - 100,
        begun,
        begun + 64 * 1024,
        begun + chunk,
        begun + chunk + 2,
        begun + 3 * chunk + 128 * 1024,
        begun + 9 * chunk,
    ] {
        let (honest, fetcher) = honest_and_fetcher(&data, []).await;
        let cutter = HostilePeer::serve(Conduct::Cut(at), &data).await;
        fetcher.dial(&cutter.address).await;
        fetcher.until_peers(2).await;
        let releasing = async {
            cutter.until_ended().await;
            add_all(&honest, &data);
        };
        let (report, ()) = tokio::join!(fetcher.fetch_whole(&data), releasing);
        let taken = report.bytes_by_source.get(&cutter.name()).copied();
        let taken = taken.unwrap_or(0) / CHUNK_BYTES;
        let sent = cutter.count(|seen| &seen.sent);
        assert_eq!(
            taken,
            u64::try_from(sent).unwrap(),
            "cut at {at}: fetched twice"
        );
        assert!(report.liars.is_empty(), "cut at {at}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_dies_midway_is_replaced_p52() {
    let data = data();
    let (first, fetcher) = honest_and_fetcher(&data, 0..10).await;
    let second = TestNode::start(&[]).await;
    second.hold(&data, 10..data.count());
    fetcher.dial(&second.address).await;
    fetcher.until_peers(2).await;
    let (told, mut progress) = watch::channel(0);
    let fetching = fetcher.fetch(&data, DEADLINE, |bytes| tell(&told, bytes));
    let name = first.name();
    let replacing = async {
        // The last chunk is short, and the count of bytes goes by whole chunks.
        let all = data.blob().size;
        progress.wait_for(|bytes| *bytes >= all).await.unwrap();
    };
    let killing = async {
        let half = 5 * CHUNK_BYTES;
        let mut progress = told.subscribe();
        progress.wait_for(|bytes| *bytes >= half).await.unwrap();
        drop(first);
        add_all(&second, &data);
    };
    let (report, (), ()) = tokio::join!(fetching, replacing, killing);
    let report = report.unwrap();
    assert!(fs::read(fetcher.fetched(&data)).unwrap() == *data.bytes);
    assert_eq!(
        report.bytes_by_source.values().sum::<u64>(),
        data.blob().size
    );
    assert!(report.bytes_by_source.get(&name).copied().unwrap_or(0) <= 10 * CHUNK_BYTES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborted_fetch_is_resumed_and_nothing_comes_twice_p52() {
    let data = data();
    let (honest, fetcher) = honest_and_fetcher(&data, 0..8).await;
    let (told, mut progress) = watch::channel(0);
    let arrived = 8 * CHUNK_BYTES;
    tokio::select! {
        result = fetcher.fetch(&data, DEADLINE, |bytes| tell(&told, bytes)) => {
            panic!("complete without its chunks: {result:?}");
        }
        result = progress.wait_for(|bytes| *bytes >= arrived) => drop(result.unwrap()),
    }
    honest.hold(&data, 8..data.count()); // nothing of what is there already
    let report = fetcher.fetch_whole(&data).await;
    assert_eq!(report.resumed_bytes, arrived);
    let again = fetcher.fetch_whole(&data).await;
    assert_eq!(again.resumed_bytes, data.blob().size);
    assert!(again.bytes_by_source.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_on_disk_is_found_on_resume_s83() {
    let data = data();
    let (_honest, fetcher) = honest_and_fetcher(&data, 0..data.count()).await;
    fetcher.fetch_whole(&data).await;
    let path = fetcher.fetched(&data);
    let mut bytes = fs::read(&path).unwrap();
    bytes[3 * 256 * 1024 + 5] ^= 1;
    fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
    let tree = path.with_extension("tree");
    let report = fetcher.fetch_whole(&data).await;
    let fetched: u64 = report.bytes_by_source.values().sum();
    assert_eq!(
        fetched,
        CHUNK_BYTES + data.blob().chunk_len(data.count() - 1)
    );
    // Without a sound chunk level nothing on the disk is believed.
    fs::write(&tree, b"noise").unwrap();
    let report = fetcher.fetch_whole(&data).await;
    assert_eq!(report.resumed_bytes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetch_without_sources_gives_up_and_keeps_what_arrived() {
    let data = data();
    let patience = Duration::from_secs(2);
    let (honest, fetcher) = honest_and_fetcher(&data, 0..6).await;
    let starved = fetcher.fetch(&data, patience, |_| {}).await.unwrap_err();
    let FetchError::Starved { held, total, .. } = starved else {
        panic!("{starved}");
    };
    assert_eq!((held, total), (6, 20));
    let file = fs::read(fetcher.fetched(&data)).unwrap();
    let arrived = usize::try_from(6 * CHUNK_BYTES).unwrap();
    assert!(file[..arrived] == data.bytes[..arrived]);
    drop(honest);
    let starved = fetcher.fetch(&data, patience, |_| {}).await.unwrap_err();
    assert!(matches!(starved, FetchError::Starved { held: 6, .. }));
}

/// Frames that no honest downloader sends.
fn nonsense(blob: Blob) -> Vec<Vec<u8>> {
    let open = Frame::Open(blob).encode();
    let after_open = |frame: &[u8]| [&open[..], frame].concat();
    let count = blob.chunk_count();
    let request = |first, count| Frame::Request { first, count }.encode();
    let mut all: Vec<Vec<u8>> = vec![
        vec![6, 0x80, 0, 0, 0],
        vec![4, 0xff, 0xff, 0xff, 0xff],
        [&[1, 0, 0, 0, 40][..], &[1; 40]].concat(),
        vec![1, 0, 0, 0, 42], // an `OPEN` has 41
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        request(0, 1),
        Frame::Cancel { chunk: 0 }.encode(),
        after_open(&open),
        after_open(&[6, 0, 4, 0, 0]),
        after_open(&request(count, 1)),
        after_open(&request(0, u16::MAX)),
        after_open(&request(u32::MAX, u16::MAX)),
        after_open(
            &Frame::GetTree {
                first: count,
                count: 1,
            }
            .encode(),
        ),
        after_open(
            &Frame::GetTree {
                first: u32::MAX,
                count: 8192,
            }
            .encode(),
        ),
        after_open(&Frame::Have(vec![0xff; 8]).encode()),
        after_open(
            &Frame::Data {
                chunk: 0,
                bytes: vec![0; 1000],
            }
            .encode(),
        ),
        Frame::Open(Blob {
            root: [9; 32],
            ..blob
        })
        .encode(),
        Frame::Open(Blob {
            size: blob.size + 1,
            ..blob
        })
        .encode(),
    ];
    all.extend([0, 9, 128, 255].map(|kind| vec![kind, 0, 0, 0, 1, 0]));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_ends_the_stream_and_others_are_served_p53_p58() {
    let data = data();
    let (honest, fetcher) = honest_and_fetcher(&data, 0..data.count()).await;
    let hostile = HostilePeer::start().await;
    for bytes in nonsense(data.blob()) {
        let mut stream = hostile.open(&honest).await;
        // The node may end the stream before it has taken all of it.
        drop(stream.write_all(&bytes).await);
        drop(stream.flush().await);
        until_closed(&mut stream).await;
    }
    fetcher.fetch_whole(&data).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_requests_out_of_range_do_not_tire_the_node_p58() {
    let data = data();
    let (honest, fetcher) = honest_and_fetcher(&data, 0..data.count()).await;
    let hostile = HostilePeer::start().await;
    let open = Frame::Open(data.blob()).encode();
    for number in 0..1000 {
        let first = data.count() + number;
        let request = Frame::Request { first, count: 1 }.encode();
        let mut stream = hostile.open(&honest).await;
        drop(stream.write_all(&[&open[..], &request].concat()).await);
        drop(stream.flush().await);
        until_closed(&mut stream).await;
    }
    fetcher.fetch_whole(&data).await;
}

/// Who asks without reading is cut off, and does not fill the node's memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_requests_on_one_stream_is_cut_off_p58() {
    let data = data();
    let (honest, fetcher) = honest_and_fetcher(&data, 0..3).await;
    let hostile = HostilePeer::start().await;
    let mut stream = hostile.open(&honest).await;
    let mut flood = Frame::Open(data.blob()).encode();
    for _ in 0..200_000 {
        flood.extend(Frame::Request { first: 5, count: 1 }.encode());
    }
    assert!(
        stream.write_all(&flood).await.is_err(),
        "all of it was taken"
    );
    honest.hold(&data, 0..data.count());
    fetcher.fetch_whole(&data).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_streams_of_one_peer_do_not_shut_others_out_p54() {
    let data = data();
    let (honest, fetcher) = honest_and_fetcher(&data, 0..data.count()).await;
    let hostile = HostilePeer::start().await;
    let mut idle = Vec::new();
    for _ in 0..64 {
        idle.push(hostile.open(&honest).await);
    }
    fetcher.fetch_whole(&data).await;
    drop(idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_streams_of_many_peers_make_room_p54() {
    let data = data();
    let (honest, fetcher) = honest_and_fetcher(&data, 0..data.count()).await;
    let (mut peers, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let hostile = HostilePeer::start().await;
        for _ in 0..8 {
            let mut stream = hostile.open(&honest).await;
            drop(frames::write(&mut stream, &Frame::Open(data.blob())).await);
            idle.push(stream);
        }
        peers.push(hostile);
    }
    // Each try is a link of its own; the first may come while all are still spared.
    let fetched = async || {
        let fetched = fetcher.fetch(&data, Duration::from_secs(1), |_| {}).await;
        fetched.ok()
    };
    until("the honest peer gets a place", fetched).await;
    assert!(fs::read(fetcher.fetched(&data)).unwrap() == *data.bytes);
    drop(idle);
}

/// The file behind a blob changed: the chunk is refused, never served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunk_that_changed_on_disk_is_not_served_s83() {
    let data = data();
    let (honest, fetcher) = honest_and_fetcher(&data, 0..data.count()).await;
    let held = honest.handle.blobs.find(&data.blob()).unwrap();
    let mut bytes = data.bytes.to_vec();
    bytes[7 * 256 * 1024] ^= 1;
    fs::write(&held.path, &bytes).unwrap();
    let starved = fetcher.fetch(&data, Duration::from_secs(2), |_| {}).await;
    assert!(
        matches!(starved, Err(FetchError::Starved { .. })),
        "{starved:?}"
    );
    fs::write(&held.path, &*data.bytes).unwrap();
    let report = fetcher.fetch_whole(&data).await;
    assert!(report.liars.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_stream_is_not_opened_to_a_holder_in_use() {
    let data = data();
    let (honest, fetcher) = honest_and_fetcher(&data, []).await;
    let stalled = HostilePeer::serve(Conduct::Stall, &data).await;
    fetcher.dial(&stalled.address).await;
    fetcher.until_peers(2).await;
    // Longer than two looks for holders.
    let patience = Duration::from_secs(7);
    let starved = fetcher.fetch(&data, patience, |_| {}).await;
    assert!(matches!(starved, Err(FetchError::Starved { .. })));
    assert_eq!(stalled.seen.opened.load(Ordering::SeqCst), 1);
    drop(honest);
}
