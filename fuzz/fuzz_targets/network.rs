//! Private networks: invitations, charters and member lists; the bytes as they are, and claims from the input under
//! the founder's signature.
#![no_main]

use std::sync::LazyLock;

use keys::{AgreementKey, Algorithm, SigningKey};
use libfuzzer_sys::fuzz_target;
use protocol::jose::jws;
use protocol::network::invitation::Invitation;
use protocol::network::members::{self, Member};
use protocol::network::{Membership, charter};
use serde_json::Value;

const NOW: u64 = 1_800_000_000;
static HOME: LazyLock<Option<(SigningKey, Membership)>> = LazyLock::new(|| {
    let key = SigningKey::from_secret(Algorithm::P256, &[1; 32]).ok()?;
    let founder = Member {
        key: key.public(),
        name: "alice".parse().ok()?,
        agreement: AgreementKey::of_account(&key).ok()?.public(),
    };
    let home = Membership::found(&key, "home".parse().ok()?, [9; 16], founder, NOW).ok()?;
    Some((key, home))
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(invitation) = text.parse::<Invitation>() {
        assert_eq!(invitation.to_string().parse(), Ok(invitation));
    }
    let Some((key, home)) = &*HOME else {
        return;
    };
    adopt(home, text);
    let Ok(claims) = serde_json::from_slice::<jws::Claims<Value>>(bytes) else {
        return;
    };
    for typ in [charter::TYP, members::TYP] {
        if let Ok(token) = jws::sign(key, typ, claims.clone()) {
            adopt(home, &token);
        }
    }
});

/// What is taken makes a membership that can be stored, and is taken once.
fn adopt(home: &Membership, token: &str) {
    let mut held = home.clone();
    let taken = held.adopt(token, NOW);
    assert_eq!(taken == Ok(true), held != *home);
    assert!(held.is_member(held.founder(), NOW));
    if taken == Ok(true) {
        assert_eq!(held.adopt(token, NOW), Ok(false));
        let stored = serde_json::to_vec(&held).unwrap_or_default();
        assert_eq!(
            serde_json::from_slice::<Membership>(&stored).ok(),
            Some(held)
        );
    }
}
