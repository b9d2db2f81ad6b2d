//! Member lists: who is in a private network. An admin signs them; each refers to the charter that makes it one.

use keys::{AccountName, AgreementPublicKey, PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

use super::id::{AUDIENCE, NetworkId, TokenDigest};
use crate::jose::jws::{self, Claims, JwsError, TimeError};
use crate::limits::{MEMBERS_BYTES_MAX, NETWORK_LIFE_MAX, NETWORK_MEMBERS_MAX};

/// `typ` of a member list.
pub const TYP: &str = "streembit-members";

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MembersData {
    charter: TokenDigest,
    seq: u64,
    members: Vec<MemberData>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberData {
    key: String,
    name: AccountName,
    agreement: AgreementPublicKey,
}

/// Who may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The account's key.
    pub key: PublicKey,
    /// The account's name.
    pub name: AccountName,
    /// What to encrypt for.
    pub agreement: AgreementPublicKey,
}

/// What an admin signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// The network.
    pub network: NetworkId,
    /// The charter that names the admin.
    pub charter: TokenDigest,
    /// Grows with every list under one charter.
    pub seq: u64,
    /// By ascending key, each once; 1 to [`NETWORK_MEMBERS_MAX`].
    pub members: Vec<Member>,
}

/// A verified member list. Whether its signer is an admin, only a charter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberList {
    /// Who signed it.
    pub signer: PublicKey,
    /// What it says.
    pub roll: Roll,
    /// First second in which it is void.
    pub expires: u64,
    /// What decides between two of the same sequence.
    pub digest: TokenDigest,
}

/// Why a member list is not accepted or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembersError {
    /// Not a valid token.
    #[error("member list: {0}")]
    Jws(#[from] JwsError),
    /// Not valid at this time.
    #[error("member list: {0}")]
    Time(#[from] TimeError),
    /// `sub`, `aud` or `jti` don't follow from the content.
    #[error("member list: claims `sub`, `aud` or `jti` are malformed")]
    Claims,
    /// Too few, too many, one twice, not in order, or a key that is none.
    #[error("member list: not 1 to {NETWORK_MEMBERS_MAX} P-256 keys in order, each once")]
    Members,
}

/// Signs a member list at `now` (seconds since 1970), for as long as one may live.
///
/// # Errors
/// [`MembersError`] if the result would not verify.
pub fn sign(admin: &SigningKey, roll: &Roll, now: u64) -> Result<String, MembersError> {
    let members = roll.members.iter().map(|member| MemberData {
        key: member.key.to_hex(),
        name: member.name.clone(),
        agreement: member.agreement.clone(),
    });
    let claims = Claims {
        iss: String::new(),
        sub: roll.network.to_string(),
        aud: AUDIENCE.to_owned(),
        iat: now,
        exp: now.saturating_add(NETWORK_LIFE_MAX.as_secs()),
        jti: roll.seq.to_string(),
        data: MembersData {
            charter: roll.charter,
            seq: roll.seq,
            members: members.collect(),
        },
    };
    let token = jws::sign(admin, TYP, claims)?;
    verify_at(&token, now)?;
    Ok(token)
}

/// Verifies a list that was taken before, whatever the time.
///
/// # Errors
/// [`MembersError`] naming the rule.
pub fn verify(token: &str) -> Result<MemberList, MembersError> {
    Ok(read(token)?.1)
}

/// Verifies a list and checks that it is valid at `now`.
///
/// # Errors
/// [`MembersError`] naming the rule.
pub fn verify_at(token: &str, now: u64) -> Result<MemberList, MembersError> {
    let (claims, list) = read(token)?;
    claims.check_time(now, NETWORK_LIFE_MAX)?;
    Ok(list)
}

fn read(token: &str) -> Result<(Claims<MembersData>, MemberList), MembersError> {
    let (claims, signer) = jws::verify::<MembersData>(token.as_bytes(), TYP, MEMBERS_BYTES_MAX)?;
    let data = &claims.data;
    let network = claims.sub.parse().map_err(|_| MembersError::Claims)?;
    if claims.aud != AUDIENCE || claims.jti != data.seq.to_string() {
        return Err(MembersError::Claims);
    }
    let list = MemberList {
        signer,
        roll: Roll {
            network,
            charter: data.charter,
            seq: data.seq,
            members: members(&data.members)?,
        },
        expires: claims.exp,
        digest: TokenDigest::of(token),
    };
    Ok((claims, list))
}

fn members(data: &[MemberData]) -> Result<Vec<Member>, MembersError> {
    let member = |data: &MemberData| {
        Ok(Member {
            key: PublicKey::from_p256_hex(&data.key).map_err(|_| MembersError::Members)?,
            name: data.name.clone(),
            agreement: data.agreement.clone(),
        })
    };
    if !(1..=NETWORK_MEMBERS_MAX).contains(&data.len()) {
        return Err(MembersError::Members);
    }
    let members: Vec<Member> = data
        .iter()
        .map(member)
        .collect::<Result<_, MembersError>>()?;
    if !members.is_sorted_by(|one, next| one.key < next.key) {
        return Err(MembersError::Members);
    }
    Ok(members)
}

impl MemberList {
    /// Whether `self` replaces `held`, both under one charter: the higher sequence wins, at equal ones the lower
    /// digest, so that lists of two admins at once end as the same one everywhere.
    pub fn replaces(&self, held: &Self) -> bool {
        (self.roll.seq, held.digest) > (held.roll.seq, self.digest)
    }
}
