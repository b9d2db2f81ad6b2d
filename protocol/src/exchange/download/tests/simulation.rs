//! Seeded random runs: honest peers behind the real serving machine, hostile ones of every kind.

use super::support::map_of;
use super::*;
use crate::exchange::serve::{self, Serve};

/// xorshift64*: small, seeded, good enough to mix behaviours.
struct Rng(u64);

impl Rng {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Honest,
    /// Honest, with a part of the blob.
    Partial,
    /// Honest, but gone after some frames.
    Leaves(u64),
    /// Wrong bytes of the right length.
    Garbage,
    /// A level that does not fit the root.
    LyingLevel,
    /// Never a word.
    Silent,
    /// Says that it has all, then nothing.
    Stalls,
    /// One good chunk in 25 s.
    Slow,
    /// Maps without end.
    EndlessHave,
    /// Busy, always.
    Busy,
    /// Claims all, has nothing.
    NotHave,
    /// Every chunk twice.
    Repeats,
    /// Any frame at any time.
    Noise,
}

const HOSTILE: [Behaviour; 10] = [
    Behaviour::Garbage,
    Behaviour::LyingLevel,
    Behaviour::Silent,
    Behaviour::Stalls,
    Behaviour::Slow,
    Behaviour::EndlessHave,
    Behaviour::Busy,
    Behaviour::NotHave,
    Behaviour::Repeats,
    Behaviour::Noise,
];

impl Behaviour {
    fn is_honest(self) -> bool {
        matches!(self, Self::Honest | Self::Partial | Self::Leaves(_))
    }
}

struct Actor {
    behaviour: Behaviour,
    serve: Serve,
    /// Before this time it does nothing (slow peers).
    wakes: Instant,
    actions: u64,
}

struct World {
    net: Net,
    actors: BTreeMap<PeerId, Actor>,
    rng: Rng,
    seen: usize,
}

const HONEST: PeerId = 1;

impl World {
    fn new(seed: u64, size: usize) -> Self {
        Self {
            net: Net::new(size),
            actors: BTreeMap::new(),
            rng: Rng::new(seed),
            seen: 0,
        }
    }

    fn join(&mut self, id: PeerId, behaviour: Behaviour) {
        let actor = Actor {
            behaviour,
            serve: Serve::new(),
            wakes: self.net.now,
            actions: 0,
        };
        if behaviour == Behaviour::Partial {
            let count = self.net.count();
            let chunks: Vec<u32> = (0..count).filter(|_| self.rng.below(2) == 0).collect();
            self.net.maps.insert(id, map_of(count, &chunks));
        }
        self.actors.insert(id, actor);
        self.net.join(id);
    }

    /// One action of a peer: one frame out of its inbox, answered in its way.
    fn act(&mut self, id: PeerId) {
        let Some(actor) = self.actors.get_mut(&id) else {
            return;
        };
        actor.actions += 1;
        let behaviour = actor.behaviour;
        if let Behaviour::Leaves(after) = behaviour
            && actor.actions > after
        {
            self.actors.remove(&id);
            return self.net.leave(id);
        }
        if behaviour == Behaviour::Slow && self.net.asked_of(id) > 0 {
            actor.wakes = self.net.now + Duration::from_secs(25);
        }
        if behaviour.is_honest() {
            return self.serve(id);
        }
        if behaviour == Behaviour::Noise {
            return self.make_noise(id);
        }
        let queue = self.net.queues.get_mut(&id);
        if let Some(frame) = queue.and_then(VecDeque::pop_front) {
            self.misbehave(id, behaviour, &frame);
        }
    }

    /// Feeds the serving machine one frame, or carries out one of its outputs.
    fn serve(&mut self, id: PeerId) {
        let Some(actor) = self.actors.get_mut(&id) else {
            return;
        };
        let frame = self.net.queues.get_mut(&id).and_then(VecDeque::pop_front);
        if let Some(frame) = frame {
            actor.serve.handle(frame);
        }
        let answer = match actor.serve.poll() {
            Some(serve::Output::Find(blob)) => {
                let full = ChunkMap::full(blob.chunk_count());
                let map = self.net.maps.get(&id).cloned().unwrap_or(full);
                return actor.serve.opened(blob, Some(map));
            }
            Some(serve::Output::Send(frame)) => frame,
            Some(serve::Output::SendTree { first, count }) => {
                let nodes = self.net.tree.nodes(first, count);
                Frame::Tree { first, nodes }
            }
            Some(serve::Output::SendChunk(chunk)) => self.net.data_frame(chunk),
            Some(serve::Output::Close) => panic!("the server blames an honest downloader"),
            None => return,
        };
        self.net.receive(id, answer);
    }

    fn misbehave(&mut self, id: PeerId, behaviour: Behaviour, frame: &Frame) {
        let honest = self.net.answer(id, frame);
        let request = support::request_of(frame);
        let (is_request, chunk) = (request.is_some(), request.unwrap_or(0));
        let reject = |code| Some(Frame::Reject { chunk, code });
        let answer = match (behaviour, honest) {
            (Behaviour::Silent, _) => None,
            (Behaviour::Stalls, answer) => answer.filter(|_| matches!(frame, Frame::Open(_))),
            (Behaviour::Garbage, Some(Frame::Data { chunk, mut bytes })) => {
                let place = usize::try_from(self.rng.below(bytes.len() as u64)).unwrap();
                bytes[place] ^= 0x80;
                Some(Frame::Data { chunk, bytes })
            }
            (Behaviour::LyingLevel, Some(Frame::Tree { first, mut nodes })) => {
                nodes[7] ^= 1;
                Some(Frame::Tree { first, nodes })
            }
            (Behaviour::Busy, _) if is_request => reject(Refusal::Busy),
            (Behaviour::NotHave, _) if is_request => reject(Refusal::NotHave),
            (_, answer) => answer,
        };
        let Some(answer) = answer else { return };
        if matches!(behaviour, Behaviour::Repeats | Behaviour::EndlessHave) {
            self.net.receive(id, answer.clone());
        }
        self.net.receive(id, answer);
    }

    fn make_noise(&mut self, id: PeerId) {
        let any = u32::try_from(self.rng.below(40)).unwrap();
        let honest = self.net.queues.get_mut(&id).and_then(VecDeque::pop_front);
        let honest = honest.and_then(|frame| self.net.answer(id, &frame));
        let frame = match self.rng.below(9) {
            0 => Frame::Open(self.net.tree.blob()),
            1 => Frame::Cancel { chunk: any },
            2 => Frame::Have(vec![any as u8; usize::try_from(any / 8).unwrap()]),
            3 => Frame::Data {
                chunk: any,
                bytes: vec![0; usize::try_from(any).unwrap()],
            },
            4 => Frame::Reject {
                chunk: any,
                code: Refusal::Busy,
            },
            _ => match honest {
                Some(frame) => frame,
                None => return,
            },
        };
        self.net.receive(id, frame);
    }

    /// Peers that can do something now.
    fn awake(&self) -> Vec<PeerId> {
        let queued = |id: &PeerId| {
            self.net
                .queues
                .get(id)
                .is_some_and(|queue| !queue.is_empty())
        };
        self.actors
            .iter()
            .filter(|(_, actor)| actor.wakes <= self.net.now)
            .filter(|(id, actor)| actor.behaviour.is_honest() || queued(id))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Time goes on: to the next deadline or the next slow peer if nobody can act.
    fn advance(&mut self, idle: bool) {
        let few = Duration::from_millis(self.rng.below(40));
        if !idle {
            return self.net.pass(few);
        }
        let slow = self.actors.values().map(|actor| actor.wakes);
        let due = slow.chain(self.net.download.deadline());
        let next = due.filter(|due| *due > self.net.now).min();
        let next = next.expect("nothing to do and nothing to wait for");
        self.net.pass(next - self.net.now);
    }

    /// Runs to completion; peers that are dropped are replaced by `newcomer` up to `newcomers`.
    fn run(&mut self, newcomers: u64) {
        let start = self.net.now;
        for step in 0.. {
            assert!(step < 40_000, "not complete after {step} steps");
            if self.net.complete {
                break;
            }
            let awake = self.awake();
            if !awake.is_empty() {
                let place = self.rng.below(awake.len() as u64);
                self.act(awake[usize::try_from(place).unwrap()]);
            }
            self.advance(awake.is_empty());
            while self.seen < self.net.dropped.len() {
                let (id, reason) = self.net.dropped[self.seen];
                let gone = self.actors.remove(&id).map(|actor| actor.behaviour);
                assert!(is_fair(gone, reason), "{gone:?} dropped as {reason:?}");
                self.seen += 1;
                if self.seen as u64 <= newcomers {
                    let kind = self.rng.below(HOSTILE.len() as u64);
                    let kind = HOSTILE[usize::try_from(kind).unwrap()];
                    self.join(1_000 + self.seen as u64, kind);
                }
            }
        }
        assert_eq!(self.net.bytes(), self.net.data);
        let took = self.net.now - start;
        assert!(took < Duration::from_secs(1_200), "{took:?}");
    }
}

/// Honest peers are never dropped, hostile ones only for what they do.
fn is_fair(behaviour: Option<Behaviour>, reason: DropReason) -> bool {
    match behaviour {
        Some(Behaviour::Honest | Behaviour::Partial | Behaviour::Leaves(_)) => false,
        Some(Behaviour::Garbage | Behaviour::LyingLevel) => reason == DropReason::Lied,
        Some(Behaviour::Silent | Behaviour::Stalls) => reason == DropReason::Stalled,
        Some(Behaviour::NotHave) => reason == DropReason::NotHave,
        Some(Behaviour::EndlessHave | Behaviour::Repeats) => reason == DropReason::Unexpected,
        Some(Behaviour::Slow | Behaviour::Busy | Behaviour::Noise) => true,
        None => true,
    }
}

#[test]
fn completes_with_one_honest_peer_whatever_the_others_do_p50() {
    for seed in 0..100 {
        let mut rng = Rng::new(seed + 1_000);
        let size = 1 + usize::try_from(rng.below(24 * CHUNK as u64)).unwrap();
        let mut world = World::new(seed, size);
        let late = rng.below(2) == 0;
        if !late {
            world.join(HONEST, Behaviour::Honest);
        }
        for id in 2..2 + rng.below(18) {
            let kind = match rng.below(14) {
                0 => Behaviour::Partial,
                1 => Behaviour::Leaves(rng.below(30)),
                kind => HOSTILE[usize::try_from(kind).unwrap() % HOSTILE.len()],
            };
            world.join(id, kind);
        }
        if late {
            world.join(HONEST, Behaviour::Honest);
        }
        world.run(rng.below(20));
        assert!(world.net.requests.values().all(|count| *count < 60));
    }
}

#[test]
fn completes_with_one_honest_peer_and_nineteen_of_each_hostile_kind_p50() {
    for kind in HOSTILE {
        let mut world = World::new(7, 40 * CHUNK);
        for id in 2..21 {
            world.join(id, kind);
        }
        world.join(HONEST, Behaviour::Honest);
        world.run(100);
    }
}

#[test]
fn honest_peers_alone_need_no_second_copy_but_at_the_end() {
    for seed in 0..20 {
        let mut world = World::new(seed, 40 * CHUNK);
        for id in 1..7 {
            world.join(id, Behaviour::Honest);
        }
        world.run(0);
        let asked: usize = world.net.requests.values().sum();
        assert!(asked <= 40 + 30, "{asked}");
        assert!(world.net.dropped.is_empty());
    }
}
