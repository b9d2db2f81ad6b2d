//! Frames of a session: in any order, twice, lost, damaged, and made up, over epochs.
#![no_main]

use std::sync::LazyLock;

use fuzz::accounts::{Account, NOW, Rng};
use fuzz::choices::Choices;
use fuzz::edit::damage;
use libfuzzer_sys::fuzz_target;
use protocol::limits::EPOCH_SECONDS_MAX;
use protocol::session::channel::Channel;
use protocol::session::handshake::{Initiator, Ourselves, Responder};

/// Frames of one run.
const FRAMES_MAX: usize = 128;

static ACCOUNTS: LazyLock<Option<[Account; 2]>> =
    LazyLock::new(|| Some([Account::new(1)?, Account::new(2)?]));

fn channels() -> Option<(Channel, Channel)> {
    let [alice, bob] = ACCOUNTS.as_ref()?;
    let [ours, theirs] = [alice, bob].map(|account| Ourselves {
        key: &account.key,
        agreement: &account.agreement,
        name: &account.name,
    });
    let mut rng = Rng::new(1);
    let (initiator, hello) = Initiator::new(&bob.agreement.public(), &mut rng);
    let (responder, answer) = Responder::new(&theirs, &hello, (NOW, &mut rng)).ok()?;
    let finished = initiator.finish(&ours, &bob.key.public(), &answer, NOW);
    let (sending, _, finish) = finished.ok()?;
    let (receiving, _) = responder.finish(&finish, NOW).ok()?;
    Some((sending, receiving))
}

/// A frame on its way: what it says, and whether it arrived.
struct Frame {
    bytes: Vec<u8>,
    plain: Vec<u8>,
    taken: bool,
}

fuzz_target!(|bytes: &[u8]| {
    let Some((mut sending, mut receiving)) = channels() else {
        panic!("the handshake fails");
    };
    let mut choices = Choices::new(bytes);
    let mut now = NOW;
    let mut frames: Vec<Frame> = Vec::new();
    while !choices.is_empty() {
        match choices.byte() % 6 {
            0 | 1 if frames.len() < FRAMES_MAX => {
                let length = choices.below(300);
                let plain = choices.take(length).to_vec();
                let Ok(bytes) = sending.seal(&plain, now) else {
                    panic!("a short frame is sealed");
                };
                frames.push(Frame {
                    bytes,
                    plain,
                    taken: false,
                });
            }
            2 => now += u64::from(choices.byte()) * EPOCH_SECONDS_MAX / 64,
            3 => {
                let at = choices.below(frames.len());
                if let Some(frame) = frames.get(at) {
                    let mut bytes = frame.bytes.clone();
                    damage(&mut bytes, &mut choices);
                    if frames.iter().all(|frame| frame.bytes != bytes) {
                        assert!(
                            receiving.open(&bytes).is_err(),
                            "a changed frame is refused"
                        );
                    }
                }
            }
            4 => {
                let length = choices.below(300);
                let noise = choices.take(length);
                if frames.iter().all(|frame| frame.bytes != noise) {
                    assert!(receiving.open(noise).is_err());
                }
            }
            _ => {
                let at = choices.below(frames.len());
                if let Some(frame) = frames.get_mut(at)
                    && let Ok(plain) = receiving.open(&frame.bytes)
                {
                    assert!(!frame.taken, "each frame is taken once");
                    assert_eq!(plain, frame.plain);
                    frame.taken = true;
                }
            }
        }
    }
});
