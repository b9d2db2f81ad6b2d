//! Accounts, what they sign, and damage to it behind a good signature.

use std::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use getrandom::rand_core::{TryCryptoRng, TryRng};
use keys::{AccountName, AgreementKey, Algorithm, SigningKey};
use manifests::json;
use protocol::dht::key::DhtKey;
use protocol::dht::record::{self, Record, RecordError};
use protocol::limits::RECORD_TTL_MAX;

use crate::choices::Choices;
use crate::edit::{damage, damage_json};

/// The time of everything here, seconds since 1970.
pub const NOW: u64 = 1_800_000_000;

/// An account.
#[derive(Debug)]
pub struct Account {
    /// Its key.
    pub key: SigningKey,
    /// The key to encrypt for.
    pub agreement: AgreementKey,
    /// Its name.
    pub name: AccountName,
}

impl Account {
    /// The account of a number; `None` for 0, which is no key.
    pub fn new(seed: u8) -> Option<Self> {
        let key = SigningKey::from_secret(Algorithm::P256, &[seed; 32]).ok()?;
        Some(Self {
            agreement: AgreementKey::of_account(&key).ok()?,
            name: "alice".parse().ok()?,
            key,
        })
    }
}

/// Random numbers that are the same in every run, so that a finding is one again.
#[derive(Debug)]
pub struct Rng(blake3::OutputReader);

impl Rng {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        Self(hasher.finalize_xof())
    }
}

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Rng {}

/// A good token damaged: its bytes, or its claims under a new signature of `key`.
pub fn damaged(good: &str, key: &SigningKey, choices: &mut Choices<'_>) -> Vec<u8> {
    let signed_again = |choices: &mut Choices<'_>| {
        let mut parts = good.split('.');
        let (header, claims) = (parts.next()?, parts.next()?);
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let mut claims = json::parse(&claims).ok()?;
        for _ in 0..=choices.byte() % 3 {
            damage_json(&mut claims, choices);
        }
        let claims = URL_SAFE_NO_PAD.encode(json::encode(&claims));
        let message = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(key.sign_raw(message.as_bytes()));
        Some(format!("{message}.{signature}").into_bytes())
    };
    if choices.byte() % 4 != 0
        && let Some(token) = signed_again(choices)
    {
        return token;
    }
    let mut bytes = good.as_bytes().to_vec();
    damage(&mut bytes, choices);
    bytes
}

/// Holds what is true of every record: it is valid under one key or none, ends in time, and doesn't
/// replace itself.
pub fn check(token: &[u8], own: Option<Record>) {
    let elsewhere = record::verify(&DhtKey::blob(&[0; 32]), token, NOW);
    let Some(record) = own else {
        // Not of this kind; of another it may be.
        assert!(elsewhere.is_err());
        return;
    };
    assert_eq!(elsewhere, Err(RecordError::Key));
    let again = record::verify(&record.key(), token, NOW);
    assert_eq!(again.as_ref(), Ok(&record));
    let drop_at = record.drop_at(NOW);
    assert!(drop_at > NOW && drop_at <= NOW + RECORD_TTL_MAX.as_secs());
    assert!(!record.replaces(&record));
    assert!(token.len() <= record.rule().bytes_max);
}
