//! Mail: for its recipient alone, taken away by its recipient alone.

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use keys::Algorithm;
use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_800_000_000;
const SLOT: Slot = Slot([5; 32]);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn agreement(seed: u8) -> AgreementKey {
    AgreementKey::of_account(&key(seed)).unwrap()
}

fn bob() -> AccountName {
    "bob".parse().unwrap()
}

fn bobs_id() -> NodeId {
    keys::node_id(&key(2).public(), &bob()).unwrap()
}

fn mail(sender: u8, content: &[u8]) -> Result<Mail, MailError> {
    let recipient = (&bobs_id(), &agreement(2).public());
    let token = sign(
        &key(sender),
        recipient,
        SLOT,
        content,
        (NOW, &mut UnwrapErr(SysRng)),
    )?;
    verify(token.as_bytes(), NOW)
}

fn taken(recipient: &SigningKey, name: &AccountName) -> Result<Mail, MailError> {
    let token = take(recipient, name, SLOT, NOW)?;
    verify(token.as_bytes(), NOW)
}

#[test]
fn its_recipient_reads_it_and_takes_it_away() {
    let mail = mail(1, b"see you").unwrap();
    assert_eq!(mail.open(&agreement(2)).unwrap().expose(), b"see you");
    assert!(matches!(
        mail.open(&agreement(1)),
        Err(MailError::Jwe(JweError::Refused))
    ));
    let taken = taken(&key(2), &bob()).unwrap();
    assert!(taken.replaces(&mail) && !mail.replaces(&taken) && !taken.replaces(&taken));
    assert!(matches!(taken.open(&agreement(2)), Err(MailError::Taken)));
    assert!(taken.expires >= mail.expires);
}

/// Who comes second can't overwrite a mail that waits.
#[test]
fn mail_that_waits_stays() {
    let (first, second) = (mail(1, b"first").unwrap(), mail(3, b"second").unwrap());
    assert!(!second.replaces(&first));
}

#[test]
fn nobody_else_takes_it_away() {
    let carol: AccountName = "carol".parse().unwrap();
    for (thief, name) in [(key(1), bob()), (key(2), carol)] {
        let node_id = keys::node_id(&thief.public(), &name).unwrap();
        assert_ne!(node_id, bobs_id());
        let claims = Claims {
            iss: String::new(),
            sub: bobs_id().to_string(),
            aud: AUDIENCE.to_owned(),
            iat: NOW,
            exp: NOW + 100,
            jti: hex::encode(SLOT.0),
            data: json!({"taken": {"name": name.as_str()}}),
        };
        let token = jws::sign(&thief, TYP, claims).unwrap();
        assert_eq!(verify(token.as_bytes(), NOW), Err(MailError::NotRecipient));
    }
}

#[test]
fn the_longest_fits_a_record() {
    assert!(mail(1, &[7; MAIL_CONTENT_BYTES_MAX]).is_ok());
    assert_eq!(
        mail(1, &[7; MAIL_CONTENT_BYTES_MAX + 1]),
        Err(MailError::TooLong)
    );
}

#[test]
fn malformed_claims_are_refused() {
    let offer = |edit: fn(&mut Claims<Value>)| {
        let mut claims = Claims {
            iss: String::new(),
            sub: bobs_id().to_string(),
            aud: AUDIENCE.to_owned(),
            iat: NOW,
            exp: NOW + 100,
            jti: hex::encode(SLOT.0),
            data: json!({"sealed": {"content": "x"}}),
        };
        edit(&mut claims);
        let token = jws::sign(&key(1), TYP, claims).unwrap();
        verify(token.as_bytes(), NOW)
    };
    assert!(offer(|_| ()).is_ok());
    let edits: [fn(&mut Claims<Value>); 5] = [
        |it| it.sub = "bob".to_owned(),
        |it| it.aud = "bob".to_owned(),
        |it| it.jti = "5".to_owned(),
        |it| it.jti = it.jti.to_uppercase() + "00",
        |it| it.jti.truncate(62),
    ];
    for edit in edits {
        assert_eq!(offer(edit), Err(MailError::Claims));
    }
    let edits: [fn(&mut Claims<Value>); 3] = [
        |it| it.data = json!({}),
        |it| it.data = json!({"sealed": {"content": "x", "more": 1}}),
        |it| it.exp = NOW + MAIL_LIFE_MAX.as_secs() + 1,
    ];
    for edit in edits {
        assert!(offer(edit).is_err());
    }
}
