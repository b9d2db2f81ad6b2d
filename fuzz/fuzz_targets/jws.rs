//! Signed tokens: the bytes as they are, and header and claims from the input under a good signature.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keys::{Algorithm, SigningKey};
use libfuzzer_sys::fuzz_target;
use protocol::jose::jws;
use protocol::limits::{ACCOUNT_LIFE_MAX, RECORD_BYTES_MAX};
use serde_json::Value;

const NOW: u64 = 1_800_000_000;
const TYP: &str = "streembit-account";
static KEY: LazyLock<Option<SigningKey>> =
    LazyLock::new(|| SigningKey::from_secret(Algorithm::P256, &[1; 32]).ok());

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    // Two lines: header, claims.
    let Some(key) = &*KEY else {
        return;
    };
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let mut part = || URL_SAFE_NO_PAD.encode(parts.next().unwrap_or_default());
    let message = format!("{}.{}", part(), part());
    let signature = URL_SAFE_NO_PAD.encode(key.sign_raw(message.as_bytes()));
    check(format!("{message}.{signature}").as_bytes());
});

fn check(token: &[u8]) {
    let typ = jws::peek_typ(token);
    let Ok((claims, key)) = jws::verify::<Value>(token, TYP, RECORD_BYTES_MAX) else {
        return;
    };
    assert!(token.len() <= RECORD_BYTES_MAX);
    assert_eq!(typ.as_deref(), Ok(TYP));
    assert_eq!(claims.iss, key.to_hex());
    if claims.check_time(NOW, ACCOUNT_LIFE_MAX).is_ok() {
        assert!(claims.exp > NOW);
    }
}
