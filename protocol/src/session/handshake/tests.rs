//! The handshake: who is meant answers, who begins stays unknown to all others, nothing can be turned.

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use keys::Algorithm;

use super::*;

const NOW: u64 = 1_800_000_000;

struct Account {
    key: SigningKey,
    agreement: AgreementKey,
    name: AccountName,
}

impl Account {
    fn new(seed: u8, name: &str) -> Self {
        let key = SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap();
        Self {
            agreement: AgreementKey::of_account(&key).unwrap(),
            key,
            name: name.parse().unwrap(),
        }
    }

    fn ourselves(&self) -> Ourselves<'_> {
        Ourselves {
            key: &self.key,
            agreement: &self.agreement,
            name: &self.name,
        }
    }

    fn peer(&self) -> Peer {
        Peer {
            key: self.key.public(),
            name: self.name.clone(),
        }
    }

    fn begin(&self, other: &Self) -> (Initiator, Vec<u8>) {
        Initiator::new(&other.agreement.public(), &mut rng())
    }

    fn answer(&self, hello: &[u8]) -> Result<(Responder, Vec<u8>), HandshakeError> {
        Responder::new(&self.ourselves(), hello, (NOW, &mut rng()))
    }
}

fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

fn people() -> [Account; 3] {
    [(1, "alice"), (2, "bob"), (3, "mallory")].map(|(seed, name)| Account::new(seed, name))
}

#[test]
fn both_know_each_other_and_can_talk() {
    let [alice, bob, _] = people();
    let (initiator, hello) = alice.begin(&bob);
    let (responder, answer) = bob.answer(&hello).unwrap();
    let meant = bob.key.public();
    let (mut ours, peer, finish) = initiator
        .finish(&alice.ourselves(), &meant, &answer, NOW)
        .unwrap();
    assert_eq!(peer, bob.peer());
    let (mut theirs, peer) = responder.finish(&finish, NOW).unwrap();
    assert_eq!(peer, alice.peer());
    let frame = ours.seal(b"hello Bob", NOW).unwrap();
    assert_eq!(theirs.open(&frame).unwrap(), b"hello Bob");
    let frame = theirs.seal(b"hello Alice", NOW).unwrap();
    assert_eq!(ours.open(&frame).unwrap(), b"hello Alice");
    assert_eq!(hello.len(), HELLO_BYTES);
    assert!(answer.len() <= ANSWER_BYTES_MAX && finish.len() <= FINISH_BYTES_MAX);
}

/// Nothing that goes over the wire holds a key or a name of either account.
#[test]
fn neither_side_shows_who_it_is() {
    let [alice, bob, _] = people();
    let (initiator, hello) = alice.begin(&bob);
    let (_, answer) = bob.answer(&hello).unwrap();
    let meant = bob.key.public();
    let (.., finish) = initiator
        .finish(&alice.ourselves(), &meant, &answer, NOW)
        .unwrap();
    let said = [hello, answer, finish].concat();
    for account in [&alice, &bob] {
        let key = account.key.public();
        let shown = [
            key.as_bytes().to_vec(),
            key.to_hex().into_bytes(),
            account.agreement.public().as_bytes().to_vec(),
            account.name.as_str().as_bytes().to_vec(),
        ];
        for bytes in shown {
            assert!(!said.windows(bytes.len()).any(|window| window == bytes));
        }
    }
}

/// Who only stands in for Bob can't answer, so Alice never tells who she is.
#[test]
fn nobody_answers_for_another() {
    let [alice, bob, mallory] = people();
    let (initiator, hello) = alice.begin(&bob);
    let (_, answer) = mallory.answer(&hello).unwrap();
    let meant = bob.key.public();
    let refused = initiator.finish(&alice.ourselves(), &meant, &answer, NOW);
    assert_eq!(refused.err(), Some(HandshakeError::Refused));
    // With Bob's agreement key stolen, but not the key that signs.
    let thief = Account {
        agreement: AgreementKey::of_account(&bob.key).unwrap(),
        ..mallory
    };
    let (initiator, hello) = alice.begin(&bob);
    let (_, answer) = thief.answer(&hello).unwrap();
    let refused = initiator.finish(&alice.ourselves(), &meant, &answer, NOW);
    assert_eq!(refused.err(), Some(HandshakeError::Peer));
}

#[test]
fn a_changed_message_ends_the_handshake() {
    let [alice, bob, _] = people();
    let meant = bob.key.public();
    let (_, hello) = alice.begin(&bob);
    for version in [0, 2, 255] {
        let other = [&[version], &hello[1..]].concat();
        assert_eq!(
            bob.answer(&other).err(),
            Some(HandshakeError::Version(version))
        );
    }
    for wrong in [&hello[..33], &[&hello[..], &[0]].concat(), &[], &[1; 34]] {
        assert_eq!(bob.answer(wrong).err(), Some(HandshakeError::Shape));
    }
    for at in (0..250).step_by(7) {
        let (initiator, hello) = alice.begin(&bob);
        let (responder, mut answer) = bob.answer(&hello).unwrap();
        let place = at % answer.len();
        answer[place] ^= 1;
        let refused = initiator.finish(&alice.ourselves(), &meant, &answer, NOW);
        assert!(refused.is_err(), "byte {place} of the answer");
        drop(responder);
        let (initiator, hello) = alice.begin(&bob);
        let (responder, answer) = bob.answer(&hello).unwrap();
        let (.., mut finish) = initiator
            .finish(&alice.ourselves(), &meant, &answer, NOW)
            .unwrap();
        let place = at % finish.len();
        finish[place] ^= 1;
        assert!(
            responder.finish(&finish, NOW).is_err(),
            "byte {place} of the finish"
        );
    }
    let (initiator, _) = alice.begin(&bob);
    let long = vec![0; ANSWER_BYTES_MAX + 1];
    let refused = initiator.finish(&alice.ourselves(), &meant, &long, NOW);
    assert_eq!(refused.err(), Some(HandshakeError::Shape));
}

/// What was said in one handshake is worth nothing in another.
#[test]
fn messages_of_another_handshake_are_refused_p56() {
    let [alice, bob, _] = people();
    let meant = bob.key.public();
    let (first, first_hello) = alice.begin(&bob);
    let (second, second_hello) = alice.begin(&bob);
    let (first_responder, first_answer) = bob.answer(&first_hello).unwrap();
    let (second_responder, second_answer) = bob.answer(&second_hello).unwrap();
    let refused = first.finish(&alice.ourselves(), &meant, &second_answer, NOW);
    assert_eq!(refused.err(), Some(HandshakeError::Refused));
    let (.., finish) = second
        .finish(&alice.ourselves(), &meant, &second_answer, NOW)
        .unwrap();
    assert_eq!(
        first_responder.finish(&finish, NOW).err(),
        Some(HandshakeError::Refused)
    );
    assert!(second_responder.finish(&finish, NOW).is_ok());
    drop(first_answer);
}

/// Who records everything and later gets both accounts' keys can't open a frame: the fresh keys are gone.
#[test]
fn keys_of_accounts_open_nothing_that_went_before() {
    let [alice, bob, _] = people();
    let meant = bob.key.public();
    let (initiator, hello) = alice.begin(&bob);
    let (_, answer) = bob.answer(&hello).unwrap();
    let recorded = split_point(&answer).unwrap().0;
    let (mut ours, _, finish) = initiator
        .finish(&alice.ourselves(), &meant, &answer, NOW)
        .unwrap();
    let frame = ours.seal(b"secret", NOW).unwrap();
    let fresh = AgreementPublicKey::from_bytes(&hello[1..]).unwrap();
    // All that the thief can compute: every pair of a key that it has and a key that was sent.
    for thief in [&alice.agreement, &bob.agreement] {
        for (first, second) in [(&fresh, &recorded), (&recorded, &fresh), (&fresh, &fresh)] {
            let secret = secret((thief, first), (thief, second)).unwrap();
            let own = bob.agreement.public();
            let mut transcript = Transcript::new(&own, &hello, recorded.as_bytes(), secret);
            assert!(transcript.open(b"answer", &answer[POINT_BYTES..]).is_err());
            transcript.hash.update(&answer[POINT_BYTES..]);
            assert!(transcript.open(b"finish", &finish).is_err());
            transcript.hash.update(&finish);
            let mut channel = transcript.channel(Side::Responder, NOW).unwrap();
            assert!(channel.open(&frame).is_err());
        }
    }
}
