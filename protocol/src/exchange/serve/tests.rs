//! Tests of the serving machine.

use super::*;

fn blob() -> Blob {
    Blob {
        root: [1; 32],
        size: 10 * 256 * 1024,
    }
}

fn opened() -> Serve {
    let mut serve = Serve::new();
    serve.handle(Frame::Open(blob()));
    assert_eq!(serve.poll(), Some(Output::Find(blob())));
    serve.opened(blob(), Some(ChunkMap::full(10)));
    assert!(matches!(serve.poll(), Some(Output::Send(Frame::Have(_)))));
    serve
}

#[test]
fn serves_what_is_asked_in_order() {
    let mut serve = opened();
    serve.handle(Frame::Request { first: 2, count: 2 });
    serve.handle(Frame::GetTree { first: 0, count: 9 });
    serve.handle(Frame::Cancel { chunk: 2 });
    assert_eq!(serve.poll(), Some(Output::SendTree { first: 0, count: 9 }));
    assert_eq!(serve.poll(), Some(Output::SendChunk(3)));
    assert_eq!(serve.poll(), None);
}

#[test]
fn refuses_ranges_outside_and_blobs_not_held_p58() {
    for frame in [
        Frame::Request { first: 9, count: 2 },
        Frame::Request {
            first: u32::MAX,
            count: 1,
        },
        Frame::GetTree {
            first: 10,
            count: 1,
        },
        Frame::Have(vec![0, 0]),
        Frame::Open(blob()),
    ] {
        let mut serve = opened();
        serve.handle(frame);
        assert_eq!(serve.poll(), Some(Output::Close));
    }
    let mut serve = Serve::new();
    serve.handle(Frame::Open(blob()));
    serve.poll();
    serve.opened(blob(), None);
    let reject = Frame::Reject {
        chunk: 0,
        code: Refusal::NotHave,
    };
    assert_eq!(serve.poll(), Some(Output::Send(reject)));
    assert_eq!(serve.poll(), Some(Output::Close));
}

#[test]
fn bounds_the_queue_p58() {
    let mut serve = opened();
    for _ in 0..100_000 {
        serve.handle(Frame::Request {
            first: 0,
            count: 10,
        });
        while serve.outputs.pop_front().is_some() {}
    }
    assert_eq!(serve.queue.len(), SERVE_QUEUE_MAX);
}

#[test]
fn closes_before_open() {
    let mut serve = Serve::new();
    serve.handle(Frame::Request { first: 0, count: 1 });
    assert_eq!(serve.poll(), Some(Output::Close));
}

#[test]
fn one_frame_for_chunks_not_held_makes_one_answer_p58() {
    let mut serve = Serve::new();
    let blob = Blob {
        root: [1; 32],
        size: 60_000 * 256 * 1024,
    };
    serve.handle(Frame::Open(blob));
    serve.poll();
    let mut map = ChunkMap::empty(60_000);
    map.insert(0);
    serve.opened(blob, Some(map));
    serve.poll();
    serve.handle(Frame::Request {
        first: 0,
        count: 60_000,
    });
    let reject = Frame::Reject {
        chunk: 1,
        code: Refusal::NotHave,
    };
    assert_eq!(serve.poll(), Some(Output::Send(reject)));
    assert_eq!(serve.poll(), Some(Output::SendChunk(0)));
    assert_eq!(serve.poll(), None);
}

#[test]
fn says_busy_once_per_run_and_queues_what_fits_p58() {
    let mut serve = opened();
    for _ in 0..6 {
        serve.handle(Frame::Request {
            first: 0,
            count: 10,
        });
    }
    serve.handle(Frame::Request {
        first: 0,
        count: 10,
    });
    let reject = Frame::Reject {
        chunk: 4,
        code: Refusal::Busy,
    };
    assert_eq!(serve.poll(), Some(Output::Send(reject)));
    let chunks = std::iter::from_fn(|| serve.poll()).count();
    assert_eq!(chunks, SERVE_QUEUE_MAX);
}

#[test]
fn ends_the_stream_of_one_who_asks_faster_than_it_takes_p58() {
    for frame in [
        Frame::GetTree {
            first: 0,
            count: 8192,
        },
        Frame::Request {
            first: 0,
            count: 10,
        },
    ] {
        let mut serve = opened();
        for _ in 0..100_000 {
            serve.handle(frame.clone());
        }
        let outputs: Vec<Output> = std::iter::from_fn(|| serve.poll()).collect();
        assert!(outputs.len() <= SERVE_QUEUE_MAX + 1);
        assert_eq!(outputs.last(), Some(&Output::Close));
    }
}

#[test]
fn after_close_nothing_is_answered() {
    let mut serve = opened();
    serve.handle(Frame::Request { first: 0, count: 2 });
    serve.handle(Frame::Open(blob()));
    serve.handle(Frame::Request { first: 0, count: 2 });
    serve.opened(blob(), Some(ChunkMap::full(10)));
    assert_eq!(serve.poll(), Some(Output::Close));
    assert_eq!(serve.poll(), None);
    // The same while the blob is still looked up.
    let mut serve = Serve::new();
    serve.handle(Frame::Open(blob()));
    serve.handle(Frame::Open(blob()));
    serve.opened(blob(), Some(ChunkMap::full(10)));
    assert_eq!(serve.poll(), Some(Output::Find(blob())));
    assert_eq!(serve.poll(), Some(Output::Close));
    assert_eq!(serve.poll(), None);
}

#[test]
fn tells_of_a_map_that_grew_and_serves_from_it() {
    let mut serve = Serve::new();
    serve.handle(Frame::Open(blob()));
    serve.poll();
    serve.opened(blob(), Some(ChunkMap::empty(10)));
    assert_eq!(serve.poll(), Some(Output::Send(Frame::Have(vec![0, 0]))));
    serve.opened(blob(), Some(ChunkMap::full(10)));
    assert_eq!(serve.poll(), Some(Output::Send(Frame::Have(vec![0xff, 3]))));
    serve.handle(Frame::Request { first: 9, count: 1 });
    assert_eq!(serve.poll(), Some(Output::SendChunk(9)));
}

#[test]
fn ends_the_stream_of_one_who_keeps_asking_for_what_is_not_held_p58() {
    let mut serve = Serve::new();
    serve.handle(Frame::Open(blob()));
    let mut map = ChunkMap::empty(10);
    map.insert(0);
    serve.opened(blob(), Some(map));
    let mut answers = 0;
    for _ in 0..100_000 {
        serve.handle(Frame::Request { first: 1, count: 1 });
        while let Some(output) = serve.poll() {
            answers += 1;
            if output == Output::Close {
                assert_eq!(answers, SERVE_REFUSALS_MAX + 3, "found, map, refusals, end");
                return;
            }
        }
    }
    panic!("never ended");
}
