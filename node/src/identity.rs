//! The account key as libp2p identity: the channel and the account are one.

use keys::{PublicKey, SigningKey};
use libp2p::PeerId;
use libp2p::identity::{Keypair, ecdsa};

/// The account key is not P-256.
#[derive(Debug, thiserror::Error)]
#[error("an account key is P-256, this one is {0}")]
pub struct IdentityError(&'static str);

/// Makes the libp2p key pair of an account.
///
/// # Errors
/// [`IdentityError`] for an Ed25519 key.
pub fn keypair(key: &SigningKey) -> Result<Keypair, IdentityError> {
    let secret = key.secret_bytes();
    let error = || IdentityError(key.algorithm().name());
    if key.algorithm() != keys::Algorithm::P256 {
        return Err(error());
    }
    let secret = ecdsa::SecretKey::try_from_bytes(secret.expose()).map_err(|_| error())?;
    Ok(Keypair::from(ecdsa::Keypair::from(secret)))
}

/// The peer id of an account: the SHA-256 multihash of its public key.
///
/// # Errors
/// [`IdentityError`] for an Ed25519 key.
pub fn peer_id(key: &PublicKey) -> Result<PeerId, IdentityError> {
    let error = || IdentityError(key.algorithm().name());
    if key.algorithm() != keys::Algorithm::P256 {
        return Err(error());
    }
    let public = ecdsa::PublicKey::try_from_bytes(key.as_bytes()).map_err(|_| error())?;
    Ok(libp2p::identity::PublicKey::from(public).to_peer_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_and_account_are_one() {
        let key = SigningKey::generate(keys::Algorithm::P256, &mut cli::keyfile::os_rng());
        let keypair = keypair(&key).unwrap();
        assert_eq!(
            keypair.public().to_peer_id(),
            peer_id(&key.public()).unwrap()
        );
    }

    #[test]
    fn refuses_ed25519() {
        let key = SigningKey::generate(keys::Algorithm::Ed25519, &mut cli::keyfile::os_rng());
        assert!(keypair(&key).is_err());
        assert!(peer_id(&key.public()).is_err());
    }
}
