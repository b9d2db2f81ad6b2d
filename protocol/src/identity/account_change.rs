//! A change of key: the old key names the new one. Every release head after a publisher's change carries the token,
//! so that any node can follow from root version 1 to the account that signs; every record of an account with a
//! new key does, so that contacts follow from the key that they know.

use keys::{AccountName, PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

use crate::jose::jws::{self, Claims, JwsError};
use crate::limits::{ACCOUNT_CHANGE_BYTES_MAX, ACCOUNT_CHANGES_MAX};

/// `typ` of the token.
pub const TYP: &str = "streembit-account-change";

/// The end of the year 9999.
const NEVER: u64 = 253_402_300_799;

/// Nothing beside the claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeData {}

/// Why a chain of changes is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Not a valid token.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// More than [`ACCOUNT_CHANGES_MAX`].
    #[error("more than {ACCOUNT_CHANGES_MAX} changes of account")]
    TooMany,
    /// Signed by another than the account before it, or for another publisher or account, or not a key.
    #[error("a change of account does not follow from the one before it")]
    Broken,
}

/// Signs that `new` takes over from the account `old` at `now` (seconds since 1970). It never expires.
///
/// * `scope`: for what: a publisher id, or the node id of the old key and the account's name.
///
/// # Errors
/// [`ChangeError`] if one of the keys is no P-256 key.
pub fn sign(
    old: &SigningKey,
    scope: &[u8; 32],
    new: &PublicKey,
    now: u64,
) -> Result<String, ChangeError> {
    let new = new.to_hex();
    PublicKey::from_p256_hex(&new).map_err(|_| ChangeError::Broken)?;
    let claims = Claims {
        iss: String::new(),
        sub: new,
        aud: hex::encode(scope),
        iat: now,
        exp: NEVER,
        jti: now.to_string(),
        data: ChangeData {},
    };
    Ok(jws::sign(old, TYP, claims)?)
}

/// Reads whom a token names: the old account and the new one.
///
/// # Errors
/// [`ChangeError`] if it is not signed by the old one for this scope.
pub fn verify(token: &str, scope: &[u8; 32]) -> Result<(PublicKey, PublicKey), ChangeError> {
    let (claims, old) = jws::verify::<ChangeData>(token.as_bytes(), TYP, ACCOUNT_CHANGE_BYTES_MAX)?;
    let new = PublicKey::from_p256_hex(&claims.sub).map_err(|_| ChangeError::Broken)?;
    if claims.aud != hex::encode(scope) {
        return Err(ChangeError::Broken);
    }
    Ok((old, new))
}

/// Reads a change of key of an account with this name, for whose old node id it was signed.
///
/// # Errors
/// [`ChangeError`].
pub fn verify_named(
    token: &str,
    name: &AccountName,
) -> Result<(PublicKey, PublicKey), ChangeError> {
    let (_, old) = jws::verify::<ChangeData>(token.as_bytes(), TYP, ACCOUNT_CHANGE_BYTES_MAX)?;
    let node_id = keys::node_id(&old, name).map_err(|_| ChangeError::Broken)?;
    verify(token, node_id.as_bytes())
}

/// Follows changes from the account that root version 1 names to the one that signs now, both as hex.
///
/// # Errors
/// [`ChangeError`] naming the rule.
pub fn follow(
    first: &str,
    changes: &[String],
    publisher_id: &[u8; 32],
) -> Result<String, ChangeError> {
    if changes.len() > ACCOUNT_CHANGES_MAX {
        return Err(ChangeError::TooMany);
    }
    changes.iter().try_fold(first.to_owned(), |account, token| {
        let (old, new) = verify(token, publisher_id)?;
        if old.to_hex() == account {
            Ok(new.to_hex())
        } else {
            Err(ChangeError::Broken)
        }
    })
}

#[cfg(test)]
mod tests;
