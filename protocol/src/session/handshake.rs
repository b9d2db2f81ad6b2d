//! The handshake: HELLO, ANSWER, FINISH.
//!
//! The secret mixes both fresh keys with the responder's agreement key. So only the account that the
//! initiator means can answer, and the initiator's identity goes to nobody else; and only who had both fresh
//! keys, which nobody has later, can read what follows. Each side signs all that was said before.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use keys::{AccountName, AgreementKey, AgreementPublicKey, Context, PublicKey, Secret, SigningKey};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::channel::Channel;
use crate::jose::jws::{self, Claims, JwsError};
use crate::limits::{CLOCK_SKEW, SESSION_AUTH_BYTES_MAX};

/// The only version; it is part of what is signed, so none can be talked down.
const VERSION: u8 = 1;
const POINT_BYTES: usize = 33;
const TAG_BYTES: usize = 16;
/// `typ` of what each side signs.
const TYP: &str = "streembit-session";
/// Bytes of a HELLO.
pub const HELLO_BYTES: usize = 1 + POINT_BYTES;
/// Bytes of an ANSWER at most.
pub const ANSWER_BYTES_MAX: usize = POINT_BYTES + SESSION_AUTH_BYTES_MAX + TAG_BYTES;
/// Bytes of a FINISH at most.
pub const FINISH_BYTES_MAX: usize = SESSION_AUTH_BYTES_MAX + TAG_BYTES;

/// Why a handshake ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Not a message of this handshake.
    #[error("not a message of this handshake")]
    Shape,
    /// Another version.
    #[error("version {0} of the session protocol is not spoken here")]
    Version(u8),
    /// Sealed for another, or changed.
    #[error("not for this account, or changed on the way")]
    Refused,
    /// What was signed is not valid.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Signed for another handshake, side or time.
    #[error("signed for another handshake")]
    Binding,
    /// Another account answered than was meant.
    #[error("another account answered")]
    Peer,
}

/// An account at one end, as this side knows itself.
#[derive(Clone, Copy, Debug)]
pub struct Ourselves<'a> {
    /// The account's key.
    pub key: &'a SigningKey,
    /// Its agreement key.
    pub agreement: &'a AgreementKey,
    /// Its name.
    pub name: &'a AccountName,
}

/// The account at the other end, proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its key.
    pub key: PublicKey,
    /// Its name.
    pub name: AccountName,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthData {
    name: String,
}

/// Which side signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Initiator,
    Responder,
}

impl Side {
    const fn word(self) -> &'static str {
        match self {
            Self::Initiator => "initiator",
            Self::Responder => "responder",
        }
    }
}

/// All that was said so far, and the secret.
#[derive(Debug)]
struct Transcript {
    hash: Sha256,
    secret: Secret,
}

impl Transcript {
    fn new(responder: &AgreementPublicKey, hello: &[u8], answer: &[u8], secret: Secret) -> Self {
        let mut hash = Sha256::new();
        hash.update(Context::Session.as_bytes());
        hash.update(responder.as_bytes());
        hash.update(hello);
        hash.update(answer);
        Self { hash, secret }
    }

    fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// A key for one purpose, from the secret and all that was said so far.
    fn key(&self, label: &[u8]) -> Result<Secret, HandshakeError> {
        let mut key = vec![0; 32];
        let kdf = Hkdf::<Sha256>::new(Some(&self.digest()), self.secret.expose());
        let expanded = kdf.expand(label, &mut key);
        let key = Secret::new(key);
        expanded.map(|()| key).map_err(|_| HandshakeError::Refused)
    }

    fn sign(&self, ourselves: &Ourselves<'_>, side: Side, now: u64) -> Result<Vec<u8>, JwsError> {
        let claims = Claims {
            iss: String::new(),
            sub: side.word().to_owned(),
            aud: hex::encode(self.digest()),
            iat: now,
            exp: now.saturating_add(CLOCK_SKEW.as_secs()),
            jti: now.to_string(),
            data: AuthData {
                name: ourselves.name.as_str().to_owned(),
            },
        };
        Ok(jws::sign(ourselves.key, TYP, claims)?.into_bytes())
    }

    /// Verifies what the other side signed. Its clock doesn't matter: the fresh keys bind it to this moment.
    fn verify(&self, token: &[u8], side: Side) -> Result<Peer, HandshakeError> {
        let (claims, key) = jws::verify::<AuthData>(token, TYP, SESSION_AUTH_BYTES_MAX)?;
        if claims.sub != side.word() || claims.aud != hex::encode(self.digest()) {
            return Err(HandshakeError::Binding);
        }
        let name = claims.data.name.parse();
        Ok(Peer {
            key,
            name: name.map_err(|_| HandshakeError::Binding)?,
        })
    }

    /// Seals a token under a key for this moment alone, and makes it part of what was said.
    fn seal(&mut self, label: &[u8], token: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let sealed = self
            .cipher(label)?
            .encrypt(&Nonce::default(), payload(token));
        let sealed = sealed.map_err(|_| HandshakeError::Refused)?;
        self.hash.update(&sealed);
        Ok(sealed)
    }

    /// Inverse of [`Self::seal`]; the sealed bytes are part of what was said from then on.
    fn open(&self, label: &[u8], sealed: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let opened = self
            .cipher(label)?
            .decrypt(&Nonce::default(), payload(sealed));
        opened.map_err(|_| HandshakeError::Refused)
    }

    fn cipher(&self, label: &[u8]) -> Result<Aes256Gcm, HandshakeError> {
        let key = self.key(label)?;
        Aes256Gcm::new_from_slice(key.expose()).map_err(|_| HandshakeError::Refused)
    }

    /// The channel of one side.
    fn channel(&self, side: Side, now: u64) -> Result<Channel, HandshakeError> {
        let initiator = self.key(Side::Initiator.word().as_bytes())?;
        let responder = self.key(Side::Responder.word().as_bytes())?;
        Ok(match side {
            Side::Initiator => Channel::new(initiator, responder, now),
            Side::Responder => Channel::new(responder, initiator, now),
        })
    }
}

const fn payload(bytes: &[u8]) -> Payload<'_, '_> {
    Payload {
        msg: bytes,
        aad: &[],
    }
}

fn secret(
    (ours, theirs): (&AgreementKey, &AgreementPublicKey),
    (own, other): (&AgreementKey, &AgreementPublicKey),
) -> Result<Secret, HandshakeError> {
    let fresh = ours.agree(theirs).map_err(|_| HandshakeError::Refused)?;
    let fixed = own.agree(other).map_err(|_| HandshakeError::Refused)?;
    Ok(Secret::new([fresh.expose(), fixed.expose()].concat()))
}

/// Who has said HELLO.
#[derive(Debug)]
pub struct Initiator {
    fresh: AgreementKey,
    responder: AgreementPublicKey,
    hello: Vec<u8>,
}

impl Initiator {
    /// Begins: the HELLO is to be sent.
    ///
    /// * `responder`: the agreement key of the account that is meant.
    pub fn new(
        responder: &AgreementPublicKey,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> (Self, Vec<u8>) {
        let fresh = AgreementKey::generate(rng);
        let hello = [&[VERSION], fresh.public().as_bytes()].concat();
        let initiator = Self {
            fresh,
            responder: responder.clone(),
            hello: hello.clone(),
        };
        (initiator, hello)
    }

    /// Takes the ANSWER: the FINISH is to be sent, and the channel is open.
    ///
    /// * `meant`: the key of the account that is meant.
    /// * `now`: seconds since 1970.
    ///
    /// # Errors
    /// [`HandshakeError`]; the other side learns nothing of who this is then.
    pub fn finish(
        self,
        ourselves: &Ourselves<'_>,
        meant: &PublicKey,
        answer: &[u8],
        now: u64,
    ) -> Result<(Channel, Peer, Vec<u8>), HandshakeError> {
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(HandshakeError::Shape);
        }
        let (fresh, sealed) = split_point(answer)?;
        let secret = secret((&self.fresh, &fresh), (&self.fresh, &self.responder))?;
        let said = [&self.hello[..], fresh.as_bytes()];
        let mut transcript = Transcript::new(&self.responder, said[0], said[1], secret);
        let token = transcript.open(b"answer", sealed)?;
        let peer = transcript.verify(&token, Side::Responder)?;
        if peer.key != *meant {
            return Err(HandshakeError::Peer);
        }
        transcript.hash.update(sealed);
        let token = transcript.sign(ourselves, Side::Initiator, now)?;
        let finish = transcript.seal(b"finish", &token)?;
        Ok((transcript.channel(Side::Initiator, now)?, peer, finish))
    }
}

/// Who has answered and waits for the FINISH.
#[derive(Debug)]
pub struct Responder {
    transcript: Transcript,
}

impl Responder {
    /// Takes a HELLO: the ANSWER is to be sent.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn new(
        ourselves: &Ourselves<'_>,
        hello: &[u8],
        (now, rng): (u64, &mut (impl CryptoRng + ?Sized)),
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let Some((&version, point)) = hello.split_first() else {
            return Err(HandshakeError::Shape);
        };
        if version != VERSION {
            return Err(HandshakeError::Version(version));
        }
        let theirs = AgreementPublicKey::from_bytes(point).map_err(|_| HandshakeError::Shape)?;
        let fresh = AgreementKey::generate(rng);
        let secret = secret((&fresh, &theirs), (ourselves.agreement, &theirs))?;
        let public = fresh.public();
        let own = ourselves.agreement.public();
        let mut transcript = Transcript::new(&own, hello, public.as_bytes(), secret);
        let token = transcript.sign(ourselves, Side::Responder, now)?;
        let sealed = transcript.seal(b"answer", &token)?;
        let answer = [public.as_bytes(), &sealed].concat();
        Ok((Self { transcript }, answer))
    }

    /// Takes the FINISH: the channel is open. Whether the peer is welcome is the caller's to say.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn finish(mut self, finish: &[u8], now: u64) -> Result<(Channel, Peer), HandshakeError> {
        if finish.len() > FINISH_BYTES_MAX {
            return Err(HandshakeError::Shape);
        }
        let token = self.transcript.open(b"finish", finish)?;
        let peer = self.transcript.verify(&token, Side::Initiator)?;
        self.transcript.hash.update(finish);
        Ok((self.transcript.channel(Side::Responder, now)?, peer))
    }
}

fn split_point(message: &[u8]) -> Result<(AgreementPublicKey, &[u8]), HandshakeError> {
    let (point, rest) = message
        .split_at_checked(POINT_BYTES)
        .ok_or(HandshakeError::Shape)?;
    let point = AgreementPublicKey::from_bytes(point).map_err(|_| HandshakeError::Shape)?;
    Ok((point, rest))
}

#[cfg(test)]
mod tests;
