//! Messages: for one recipient, by one sender, within bounds.

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use keys::{AgreementKey, Algorithm};

use super::body::{ContactRequest, FileAnswer, FileOffer, MailCount, Receipt, Text, Typing};
use super::*;

const NOW: u64 = 1_800_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn recipient() -> NodeId {
    NodeId::from_bytes([9; 32])
}

fn text(text: &str) -> Body {
    Body::Text(Text {
        text: text.to_owned(),
    })
}

fn signed(body: &Body) -> Result<String, MessageError> {
    sign(&key(1), &recipient(), (MessageId([5; 16]), body), NOW)
}

fn offer(name: &str) -> Body {
    Body::FileOffer(FileOffer {
        name: name.to_owned(),
        size: 1,
        blake3: "ab".repeat(32),
    })
}

#[test]
fn every_kind_is_read_as_it_was_written() {
    let agreement = AgreementKey::of_account(&key(1)).unwrap().public();
    for body in [
        text("Grüezi,\n\twie geht's?"),
        Body::Typing(Typing {}),
        Body::Receipt(Receipt {
            messages: vec![MessageId([1; 16])],
            is_read: true,
        }),
        Body::ContactRequest(Box::new(ContactRequest {
            name: "alice".parse().unwrap(),
            agreement,
            secret: Some("cd".repeat(16).try_into().unwrap()),
        })),
        Body::MailCount(MailCount { next: 7 }),
        offer("holiday.jpg"),
        Body::FileAnswer(FileAnswer {
            file: MessageId([3; 16]),
            from: Some(4096),
        }),
    ] {
        let token = signed(&body).unwrap();
        let message = verify(token.as_bytes(), &recipient(), NOW).unwrap();
        assert_eq!(message.body, body);
        assert_eq!(message.sender, key(1).public());
        assert_eq!((message.id, message.sent), (MessageId([5; 16]), NOW));
    }
}

#[test]
fn ids_tell_what_was_written_first() {
    let mut rng = UnwrapErr(SysRng);
    let first = MessageId::generate(1_800_000_000_123, &mut rng);
    let second = MessageId::generate(1_800_000_000_124, &mut rng);
    assert!(first < second);
    assert_eq!(first.written_ms(), 1_800_000_000_123);
    assert_eq!(
        MessageId::generate(u64::MAX, &mut rng).written_ms(),
        (1 << 48) - 1
    );
    assert_ne!(
        MessageId::generate(1, &mut rng),
        MessageId::generate(1, &mut rng)
    );
}

#[test]
fn is_for_one_recipient_for_a_time() {
    let token = signed(&text("hello")).unwrap();
    let other = NodeId::from_bytes([8; 32]);
    assert_eq!(
        verify(token.as_bytes(), &other, NOW),
        Err(MessageError::Recipient)
    );
    let late = NOW + MESSAGE_LIFE_MAX.as_secs();
    assert!(matches!(
        verify(token.as_bytes(), &recipient(), late),
        Err(MessageError::Time(_))
    ));
}

#[test]
fn the_longest_text_fits_a_mail() {
    let longest = signed(&text(&"é".repeat(crate::limits::TEXT_BYTES_MAX / 2))).unwrap();
    assert!(longest.len() <= crate::limits::MAIL_CONTENT_BYTES_MAX);
    // New lines take two bytes each when written as JSON.
    let lines = text(&"\n".repeat(crate::limits::TEXT_BYTES_MAX));
    assert_eq!(signed(&lines), Err(MessageError::TooLong));
}

#[test]
fn what_breaks_a_rule_is_neither_signed_nor_read() {
    let too_long = "x".repeat(crate::limits::TEXT_BYTES_MAX + 1);
    let ids = vec![MessageId([1; 16]); crate::limits::RECEIPT_IDS_MAX + 1];
    let long_name = "n".repeat(crate::limits::FILE_NAME_BYTES_MAX + 1);
    let large = FileOffer {
        name: "large".to_owned(),
        size: crate::limits::FILE_BYTES_MAX + 1,
        blake3: "ab".repeat(32),
    };
    let upper = FileOffer {
        size: 1,
        blake3: "AB".repeat(32),
        ..large.clone()
    };
    for (body, error) in [
        (text(""), BodyError::Text),
        (text(&too_long), BodyError::Text),
        (text("\u{1b}[2J"), BodyError::Text),
        (text("\u{9b}2J"), BodyError::Text),
        (
            Body::Receipt(Receipt {
                messages: vec![],
                is_read: false,
            }),
            BodyError::Receipt,
        ),
        (
            Body::Receipt(Receipt {
                messages: ids,
                is_read: false,
            }),
            BodyError::Receipt,
        ),
        (offer(""), BodyError::FileName),
        (offer(".."), BodyError::FileName),
        (offer("../.profile"), BodyError::FileName),
        (offer("a\\b"), BodyError::FileName),
        (offer("a\nb"), BodyError::FileName),
        (offer(&long_name), BodyError::FileName),
        (Body::FileOffer(large), BodyError::FileSize),
        (Body::FileOffer(upper), BodyError::FileHash),
    ] {
        assert_eq!(signed(&body), Err(MessageError::Body(error)), "{body:?}");
        // Nor if somebody else signs it.
        let claims = Claims {
            iss: String::new(),
            sub: body.kind().to_owned(),
            aud: recipient().to_string(),
            iat: NOW,
            exp: NOW + 60,
            jti: "05".repeat(16),
            data: &body,
        };
        let token = jws::sign(&key(1), TYP, claims).unwrap();
        let read = verify(token.as_bytes(), &recipient(), NOW);
        assert!(read.is_err(), "{body:?}");
    }
}

#[test]
fn says_of_what_kind_it_is() {
    let mut claims = Claims {
        iss: String::new(),
        sub: "typing".to_owned(),
        aud: recipient().to_string(),
        iat: NOW,
        exp: NOW + 60,
        jti: "05".repeat(16),
        data: text("hello"),
    };
    let token = jws::sign(&key(1), TYP, claims.clone()).unwrap();
    assert_eq!(
        verify(token.as_bytes(), &recipient(), NOW),
        Err(MessageError::Claims)
    );
    claims.sub = "text".to_owned();
    claims.jti = "AB".repeat(16);
    let token = jws::sign(&key(1), TYP, claims).unwrap();
    assert_eq!(
        verify(token.as_bytes(), &recipient(), NOW),
        Err(MessageError::Claims)
    );
}
