//! Encrypted tokens in general form: the bytes as they are, and a good one damaged.
#![no_main]

use std::sync::LazyLock;

use fuzz::accounts::{Account, Rng};
use fuzz::choices::Choices;
use fuzz::edit::damage;
use libfuzzer_sys::fuzz_target;
use protocol::jose::jwe;
use protocol::limits::RECORD_BYTES_MAX;

const TYP: &str = "streembit-mail";
const PLAIN: &[u8] = b"what was sealed";

struct Good {
    recipient: Account,
    stranger: Account,
    token: String,
}

static GOOD: LazyLock<Option<Good>> = LazyLock::new(|| {
    let (recipient, stranger) = (Account::new(1)?, Account::new(2)?);
    let token = jwe::seal_for_all(
        &[recipient.agreement.public()],
        TYP,
        PLAIN,
        &mut Rng::new(1),
    )
    .ok()?;
    Some(Good {
        recipient,
        stranger,
        token,
    })
});

fuzz_target!(|bytes: &[u8]| {
    let Some(good) = &*GOOD else {
        panic!("the good token can't be made");
    };
    let open = |account: &Account, token: &[u8]| {
        jwe::open_as_one(&account.agreement, TYP, token, RECORD_BYTES_MAX).ok()
    };
    // Nobody makes one that opens without knowing how to seal; the fuzzer knows no key agreement.
    assert!(open(&good.recipient, bytes).is_none());
    let mut choices = Choices::new(bytes);
    let mut token = good.token.clone().into_bytes();
    damage(&mut token, &mut choices);
    assert!(open(&good.stranger, &token).is_none());
    if let Some(plain) = open(&good.recipient, &token) {
        assert_eq!(plain.expose(), PLAIN, "changed text is not accepted");
    }
});
