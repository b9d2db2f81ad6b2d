//! What a node holds of its private network: the newest charter and the newest member list under it.

use std::collections::BTreeSet;

use keys::{PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

use super::charter::{self, Admin, Charter, CharterError, Terms};
use super::id::{NONCE_BYTES, NetworkId, NetworkName};
use super::members::{self, Member, MemberList, MembersError, Roll};
use crate::jose::jws::{self, JwsError};

/// What a node holds of one private network. Stored as JSON: the tokens, verified again when it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Membership {
    network: NetworkId,
    name: NetworkName,
    founder: PublicKey,
    charter: Option<(String, Charter)>,
    list: Option<(String, MemberList)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    network: NetworkId,
    name: NetworkName,
    founder: String,
    charter: Option<String>,
    members: Option<String>,
}

/// Why a token is not taken, or none is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// Neither a charter nor a member list.
    #[error("neither a charter nor a member list")]
    Kind(#[source] JwsError),
    /// Not a valid charter.
    #[error(transparent)]
    Charter(#[from] CharterError),
    /// Not a valid member list.
    #[error(transparent)]
    Members(#[from] MembersError),
    /// It belongs to another network, or another founder signed it.
    #[error("it belongs to another network")]
    OtherNetwork,
    /// The list was made under a charter that isn't the newest here.
    #[error("the member list belongs to another charter than the newest")]
    OtherCharter,
    /// Whoever signed the list is no admin.
    #[error("whoever signed the member list is no admin of the network")]
    NotAdmin,
    /// Whoever signed the charter isn't the founder.
    #[error("only the network's founder signs its charter")]
    NotFounder,
    /// There is no charter yet.
    #[error("the network's charter isn't here yet")]
    NoCharter,
    /// The sequence can't grow any more.
    #[error("the sequence can't grow any more; the founder signs a new charter")]
    Exhausted,
}

impl Membership {
    /// What somebody holds who was invited: nothing signed yet.
    pub const fn invited(network: NetworkId, name: NetworkName, founder: PublicKey) -> Self {
        Self {
            network,
            name,
            founder,
            charter: None,
            list: None,
        }
    }

    /// What follows from a charter alone, for who loads one by hand.
    ///
    /// # Errors
    /// [`MembershipError::Charter`].
    pub fn of_charter(token: &str, now: u64) -> Result<Self, MembershipError> {
        let charter = charter::verify_at(token, now)?;
        let (network, founder) = (charter.network, charter.founder.clone());
        Ok(Self {
            network,
            name: charter.terms.name.clone(),
            founder,
            charter: Some((token.to_owned(), charter)),
            list: None,
        })
    }

    /// Founds a network: a charter with the founder as only admin, a list with it as only member.
    ///
    /// # Errors
    /// [`MembershipError`] if the key isn't P-256 or not that of `founder`.
    pub fn found(
        key: &SigningKey,
        name: NetworkName,
        nonce: [u8; NONCE_BYTES],
        founder: Member,
        now: u64,
    ) -> Result<Self, MembershipError> {
        let admin = Admin {
            key: founder.key.clone(),
            name: founder.name.clone(),
        };
        let terms = Terms {
            name,
            nonce,
            seq: 1,
            admins: vec![admin],
        };
        let mut founded = Self::of_charter(&charter::sign(key, &terms, now)?, now)?;
        founded.sign_members(key, vec![founder], now)?;
        Ok(founded)
    }

    /// Takes a charter or a member list if it is newer than what is held. A new charter makes the list void that
    /// is held: the founder signs one along with it.
    ///
    /// # Errors
    /// [`MembershipError`]; nothing has changed then.
    pub fn adopt(&mut self, token: &str, now: u64) -> Result<bool, MembershipError> {
        if self.tokens().any(|held| held == token) {
            return Ok(false);
        }
        match jws::peek_typ(token.as_bytes()).map_err(MembershipError::Kind)? {
            typ if typ == charter::TYP => self.adopt_charter(token, now),
            typ if typ == members::TYP => self.adopt_members(token, now),
            typ => Err(MembershipError::Kind(JwsError::Header(typ))),
        }
    }

    fn adopt_charter(&mut self, token: &str, now: u64) -> Result<bool, MembershipError> {
        let charter = charter::verify_at(token, now)?;
        // The id holds founder and name; an invitation may have named another founder beside it.
        if charter.network != self.network || charter.founder != self.founder {
            return Err(MembershipError::OtherNetwork);
        }
        let held = self.charter.as_ref();
        if held.is_some_and(|(_, held)| !charter.replaces(held)) {
            return Ok(false);
        }
        let list = self.list.as_ref();
        if list.is_some_and(|(_, list)| list.roll.charter != charter.digest) {
            self.list = None;
        }
        self.charter = Some((token.to_owned(), charter));
        Ok(true)
    }

    fn adopt_members(&mut self, token: &str, now: u64) -> Result<bool, MembershipError> {
        let list = members::verify_at(token, now)?;
        self.check_list(&list)?;
        let held = self.list.as_ref();
        if held.is_some_and(|(_, held)| !list.replaces(held)) {
            return Ok(false);
        }
        self.list = Some((token.to_owned(), list));
        Ok(true)
    }

    fn check_list(&self, list: &MemberList) -> Result<(), MembershipError> {
        let (_, charter) = self.charter.as_ref().ok_or(MembershipError::NoCharter)?;
        if list.roll.network != self.network {
            return Err(MembershipError::OtherNetwork);
        }
        if !charter.has_admin(&list.signer) {
            return Err(MembershipError::NotAdmin);
        }
        if list.roll.charter != charter.digest {
            return Err(MembershipError::OtherCharter);
        }
        Ok(())
    }

    /// Signs and takes the next charter, with these admins beside the founder, and a list with `members` under it.
    ///
    /// # Errors
    /// [`MembershipError::NotFounder`] for any other key.
    pub fn sign_charter(
        &mut self,
        key: &SigningKey,
        admins: Vec<Admin>,
        members: Vec<Member>,
        now: u64,
    ) -> Result<(), MembershipError> {
        if key.public() != self.founder {
            return Err(MembershipError::NotFounder);
        }
        let (_, held) = self.charter.as_ref().ok_or(MembershipError::NoCharter)?;
        let seq = held.terms.seq.checked_add(1);
        let terms = Terms {
            seq: seq.ok_or(MembershipError::Exhausted)?,
            admins,
            ..held.terms.clone()
        };
        let mut next = self.clone();
        next.adopt(&charter::sign(key, &terms, now)?, now)?;
        next.sign_members(key, members, now)?;
        *self = next;
        Ok(())
    }

    /// Signs and takes the next member list.
    ///
    /// # Errors
    /// [`MembershipError::NotAdmin`] if the key isn't an admin's.
    pub fn sign_members(
        &mut self,
        key: &SigningKey,
        mut members: Vec<Member>,
        now: u64,
    ) -> Result<(), MembershipError> {
        members.sort_by(|one, other| one.key.cmp(&other.key));
        let (_, charter) = self.charter.as_ref().ok_or(MembershipError::NoCharter)?;
        let held = self.list.as_ref().map_or(0, |(_, list)| list.roll.seq);
        let roll = Roll {
            network: self.network,
            charter: charter.digest,
            seq: held.checked_add(1).ok_or(MembershipError::Exhausted)?,
            members,
        };
        if !charter.has_admin(&key.public()) {
            return Err(MembershipError::NotAdmin);
        }
        self.adopt(&members::sign(key, &roll, now)?, now)?;
        Ok(())
    }

    /// Whether `key` may connect at `now`: the founder, an admin while the charter is valid, anybody else while the
    /// member list is.
    pub fn is_member(&self, key: &PublicKey, now: u64) -> bool {
        *key == self.founder
            || self.admins(now).iter().any(|admin| admin.key == *key)
            || self.member(key, now).is_some()
    }

    /// All keys that may connect at `now`.
    pub fn keys(&self, now: u64) -> BTreeSet<PublicKey> {
        let admins = self.admins(now).iter().map(|admin| &admin.key);
        let members = self.members(now).iter().map(|member| &member.key);
        let founder = std::iter::once(&self.founder);
        founder.chain(admins).chain(members).cloned().collect()
    }

    /// The admins, the founder first; none once the charter has expired or before it is here.
    pub fn admins(&self, now: u64) -> &[Admin] {
        let valid = self.charter.as_ref().filter(|(_, it)| now < it.expires);
        valid.map_or(&[], |(_, charter)| &charter.terms.admins)
    }

    /// The members by key; none once the list has expired or before it is here.
    pub fn members(&self, now: u64) -> &[Member] {
        let valid = self.list.as_ref().filter(|(_, list)| now < list.expires);
        valid.map_or(&[], |(_, list)| &list.roll.members)
    }

    /// The member with this key.
    pub fn member(&self, key: &PublicKey, now: u64) -> Option<&Member> {
        let members = self.members(now);
        let found = members.binary_search_by(|member| member.key.cmp(key));
        members.get(found.ok()?)
    }

    /// Who was named last, valid or not: what the next charter and list begin with.
    pub fn last_named(&self) -> (Vec<Admin>, Vec<Member>) {
        let admins = self.charter.as_ref().map(|(_, it)| it.terms.admins.clone());
        let members = self.list.as_ref().map(|(_, it)| it.roll.members.clone());
        (admins.unwrap_or_default(), members.unwrap_or_default())
    }

    /// The network's id.
    pub const fn network(&self) -> NetworkId {
        self.network
    }

    /// The network's name.
    pub const fn name(&self) -> &NetworkName {
        &self.name
    }

    /// Who founded it.
    pub const fn founder(&self) -> &PublicKey {
        &self.founder
    }

    /// The charter's and the list's sequence, as far as they are here.
    pub fn sequences(&self) -> (Option<u64>, Option<u64>) {
        let charter = self.charter.as_ref().map(|(_, it)| it.terms.seq);
        (charter, self.list.as_ref().map(|(_, it)| it.roll.seq))
    }

    /// Who signed the member list.
    pub fn list_signer(&self) -> Option<&PublicKey> {
        self.list.as_ref().map(|(_, list)| &list.signer)
    }

    /// The first second in which charter or list is void; `None` if one of them isn't here.
    pub fn expires(&self) -> Option<u64> {
        let (_, charter) = self.charter.as_ref()?;
        let (_, list) = self.list.as_ref()?;
        Some(charter.expires.min(list.expires))
    }

    /// What to hand on, in the order in which it is to be adopted: charter, member list.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        let charter = self.charter.as_ref().map(|(token, _)| token.as_str());
        let list = self.list.as_ref().map(|(token, _)| token.as_str());
        charter.into_iter().chain(list)
    }
}

impl TryFrom<Stored> for Membership {
    type Error = MembershipError;

    fn try_from(stored: Stored) -> Result<Self, MembershipError> {
        let founder = PublicKey::from_p256_hex(&stored.founder)
            .map_err(|_| CharterError::from(JwsError::Issuer))?;
        let mut membership = Self::invited(stored.network, stored.name, founder);
        if let Some(token) = stored.charter {
            let charter = charter::verify(&token)?;
            if charter.network != stored.network || charter.founder != membership.founder {
                return Err(MembershipError::OtherNetwork);
            }
            membership.charter = Some((token, charter));
        }
        if let Some(token) = stored.members {
            let list = members::verify(&token)?;
            membership.check_list(&list)?;
            membership.list = Some((token, list));
        }
        Ok(membership)
    }
}

impl From<Membership> for Stored {
    fn from(membership: Membership) -> Self {
        Self {
            network: membership.network,
            name: membership.name,
            founder: membership.founder.to_hex(),
            charter: membership.charter.map(|(token, _)| token),
            members: membership.list.map(|(token, _)| token),
        }
    }
}

#[cfg(test)]
mod tests;
