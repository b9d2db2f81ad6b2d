//! Presence: read by contacts alone, the same length for few and many, never older than it says.

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use keys::Algorithm;

use super::*;
use crate::jose::jws::TimeError;
use crate::limits::JWE_RECIPIENTS_MAX;

const NOW: u64 = 1_800_000_000;
const HOUR: Duration = Duration::from_secs(3600);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn reader(seed: u8) -> AgreementKey {
    AgreementKey::of_account(&key(seed)).unwrap()
}

fn announce(
    addresses: &[String],
    readers: &[AgreementPublicKey],
    life: Duration,
) -> Result<String, PresenceError> {
    let name = "alice".parse().unwrap();
    let announcement = Announcement {
        name: &name,
        seq: 7,
        addresses,
        readers,
        life,
    };
    sign(&key(1), &announcement, NOW, &mut UnwrapErr(SysRng))
}

fn addresses(count: usize) -> Vec<String> {
    let address = |index| format!("/ip4/198.51.100.{index}/tcp/4001");
    (0..count).map(address).collect()
}

#[test]
fn contacts_read_it_and_nobody_else() {
    let readers = [reader(2).public(), reader(3).public()];
    let token = announce(&addresses(2), &readers, HOUR).unwrap();
    let presence = verify(token.as_bytes(), NOW).unwrap();
    assert_eq!((presence.seq, presence.expires), (7, NOW + 3600));
    for seed in [2, 3] {
        assert_eq!(presence.open(&reader(seed)).unwrap(), addresses(2));
    }
    let refused = presence.open(&reader(4));
    assert_eq!(refused, Err(PresenceError::Jwe(JweError::Refused)));
}

#[test]
fn neither_contacts_nor_addresses_can_be_counted() {
    let one = announce(&addresses(1), &[reader(2).public()], HOUR).unwrap();
    let readers: Vec<_> = (2..10).map(|seed| reader(seed).public()).collect();
    let many = announce(&addresses(8), &readers, HOUR).unwrap();
    assert_eq!(one.len(), many.len());
}

#[test]
fn as_much_as_may_be_fits_a_record() {
    let readers = vec![reader(2).public(); JWE_RECIPIENTS_MAX];
    let long = vec!["a".repeat(ADDRESS_BYTES_MAX); PRESENCE_ADDRESSES_MAX];
    let token = announce(&long, &readers, HOUR);
    assert!(token.is_ok(), "{token:?}");
    for wrong in [
        vec![],
        addresses(PRESENCE_ADDRESSES_MAX + 1),
        vec![String::new()],
    ] {
        let refused = announce(&wrong, &readers, HOUR);
        assert_eq!(refused, Err(PresenceError::Addresses));
    }
}

#[test]
fn it_lives_a_day_at_most_c90() {
    let readers = [reader(2).public()];
    let long = announce(
        &addresses(1),
        &readers,
        PRESENCE_LIFE_MAX + Duration::from_secs(1),
    );
    assert!(matches!(
        long,
        Err(PresenceError::Time(TimeError::Life { .. }))
    ));
    let token = announce(&addresses(1), &readers, HOUR).unwrap();
    let late = verify(token.as_bytes(), NOW + 3600);
    assert_eq!(
        late,
        Err(PresenceError::Time(TimeError::Expired(NOW + 3600)))
    );
}
