//! Messages and frames: the bytes as they are, and bodies and claims from the input under a contact's signature.
#![no_main]

use std::sync::LazyLock;

use keys::{Algorithm, NodeId, SigningKey};
use libfuzzer_sys::fuzz_target;
use protocol::jose::jws;
use protocol::limits::MESSAGE_BYTES_MAX;
use protocol::messages::body::Body;
use protocol::messages::frame::Frame;
use protocol::messages::{self, MessageId, TYP};
use serde_json::Value;

const NOW: u64 = 1_800_000_000;
static KEY: LazyLock<Option<SigningKey>> =
    LazyLock::new(|| SigningKey::from_secret(Algorithm::P256, &[1; 32]).ok());

fuzz_target!(|bytes: &[u8]| {
    let Some(key) = &*KEY else {
        panic!("the contact's key can't be made");
    };
    if let Ok(frame) = Frame::parse(bytes) {
        assert_eq!(frame.encode(), bytes);
        if let Frame::Message(token) = frame {
            // Nobody forges the contact's signature.
            let read = messages::verify(token, &recipient(), NOW);
            assert!(read.map_or(true, |message| message.sender != key.public()));
        }
    }
    if let Ok(claims) = serde_json::from_slice::<jws::Claims<Value>>(bytes)
        && let Ok(token) = jws::sign(key, TYP, claims)
    {
        read(key, &token);
    }
    if let Ok(body) = serde_json::from_slice::<Body>(bytes) {
        let id = MessageId::from_bytes([5; 16]);
        let signed = messages::sign(key, &recipient(), (id, &body), NOW);
        match signed {
            Ok(token) => assert_eq!(read(key, &token), Some(body)),
            Err(_) => assert!(body.check().is_err() || bytes.len() > MESSAGE_BYTES_MAX / 8),
        }
    }
});

fn recipient() -> NodeId {
    NodeId::from_bytes([9; 32])
}

/// What is accepted was signed by the contact for this recipient, keeps the rules, and says the same again.
fn read(key: &SigningKey, token: &str) -> Option<Body> {
    let message = messages::verify(token.as_bytes(), &recipient(), NOW).ok()?;
    assert_eq!(message.sender, key.public());
    assert!(message.body.check().is_ok());
    let id = message.id.to_string();
    assert_eq!(id.parse(), Ok(message.id));
    let again = messages::sign(key, &recipient(), (message.id, &message.body), NOW);
    let again = again.ok()?;
    let again = messages::verify(again.as_bytes(), &recipient(), NOW);
    assert_eq!(again.map(|again| again.body).as_ref(), Ok(&message.body));
    Some(message.body)
}
