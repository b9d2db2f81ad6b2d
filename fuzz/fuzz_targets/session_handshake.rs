//! The messages of a session's handshake: noise, good ones damaged, and such of another handshake.
#![no_main]

use std::sync::LazyLock;

use fuzz::accounts::{Account, NOW, Rng};
use fuzz::choices::Choices;
use fuzz::edit::damage;
use libfuzzer_sys::fuzz_target;
use protocol::session::handshake::{Initiator, Ourselves, Responder};

static ACCOUNTS: LazyLock<Option<[Account; 2]>> =
    LazyLock::new(|| Some([Account::new(1)?, Account::new(2)?]));

fn ourselves(account: &Account) -> Ourselves<'_> {
    Ourselves {
        key: &account.key,
        agreement: &account.agreement,
        name: &account.name,
    }
}

/// What arrives in place of `good`, and whether it may be something else.
fn carried(good: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    let mut message = good.to_vec();
    match choices.byte() % 4 {
        0 => {}
        1 => {
            let length = choices.below(1200);
            message = choices.take(length).to_vec();
        }
        _ => drop(damage(&mut message, choices)),
    }
    message
}

fuzz_target!(|bytes: &[u8]| {
    let Some([alice, bob]) = &*ACCOUNTS else {
        panic!("the accounts can't be made");
    };
    let mut choices = Choices::new(bytes);
    let mut rng = Rng::new(choices.byte().into());
    let (initiator, hello) = Initiator::new(&bob.agreement.public(), &mut rng);
    let heard = carried(&hello, &mut choices);
    let Ok((responder, answer)) = Responder::new(&ourselves(bob), &heard, (NOW, &mut rng)) else {
        assert_ne!(heard, hello);
        return;
    };
    let answered = carried(&answer, &mut choices);
    let finished = initiator.finish(&ourselves(alice), &bob.key.public(), &answered, NOW);
    let Ok((mut ours, peer, finish)) = finished else {
        assert!(heard != hello || answered != answer);
        return;
    };
    assert!(
        heard == hello && answered == answer,
        "what was changed is refused"
    );
    assert_eq!(peer.key, bob.key.public());
    let ended = carried(&finish, &mut choices);
    let Ok((mut theirs, peer)) = responder.finish(&ended, NOW) else {
        assert_ne!(ended, finish);
        return;
    };
    assert_eq!(ended, finish, "what was changed is refused");
    assert_eq!(peer.key, alice.key.public());
    let frame = ours.seal(b"hello", NOW);
    assert_eq!(
        frame.and_then(|frame| theirs.open(&frame)).as_deref(),
        Ok(&b"hello"[..])
    );
});
