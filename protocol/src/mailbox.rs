//! Where mail lies: slots that two accounts count up together, one for each offer, and a few that anybody can
//! compute.
//!
//! Two contacts share a secret, so nobody else can tell which slots are theirs, or fill them first. Who isn't a
//! contact yet writes to one of the public slots of an account, which depends on its own key.

use hkdf::Hkdf;
use keys::{AgreementKey, AgreementPublicKey, Context, KeyError, NodeId, PublicKey};
use sha2::{Digest as _, Sha256};

use crate::contacts::offer::OfferSecret;
use crate::dht::mail::Slot;
use crate::limits::PUBLIC_SLOTS;

/// The slots that lead from one contact to another, one number after the other.
#[derive(Debug)]
pub struct Way {
    kdf: Hkdf<Sha256>,
    recipient: NodeId,
}

impl Way {
    /// The way from one of two contacts to the other; both compute the same.
    ///
    /// * `ours`, `theirs`: agreement keys of the two, whichever way mail goes.
    /// * `recipient`: whom it goes to.
    ///
    /// # Errors
    /// [`KeyError::InvalidPoint`], which no checked key gives.
    pub fn new(
        ours: &AgreementKey,
        theirs: &AgreementPublicKey,
        recipient: &NodeId,
    ) -> Result<Self, KeyError> {
        let shared = ours.agree(theirs)?;
        Ok(Self {
            kdf: Hkdf::new(Some(Context::Mailbox.as_bytes()), shared.expose()),
            recipient: *recipient,
        })
    }

    /// Slot `number`, from 0: `HKDF-SHA256(ECDH, salt = "streembit/mailbox/1", info = recipient ‖ number)`.
    ///
    /// # Errors
    /// [`KeyError::InvalidSecret`], which a slot of 32 bytes never gives.
    pub fn slot(&self, number: u64) -> Result<Slot, KeyError> {
        let mut slot = [0; 32];
        let info = [&self.recipient.as_bytes()[..], &number.to_be_bytes()];
        self.kdf
            .expand_multi_info(&info, &mut slot)
            .map_err(|_| KeyError::InvalidSecret)?;
        Ok(Slot(slot))
    }
}

/// The slot for the request of whoever was given an offer, which nobody else can compute:
/// `SHA-256("streembit/mailbox/1" ‖ secret ‖ recipient)`.
pub fn offer_slot(secret: &OfferSecret, recipient: &NodeId) -> Slot {
    let hash = Sha256::new()
        .chain_update(Context::Mailbox.as_bytes())
        .chain_update(secret.as_bytes())
        .chain_update(recipient.as_bytes())
        .finalize();
    Slot(hash.into())
}

/// The public slots of an account, in all of which it looks for mail of those whom it doesn't know:
/// `SHA-256("streembit/mailbox/1" ‖ recipient ‖ index u8)`.
pub fn public_slots(recipient: &NodeId) -> impl Iterator<Item = Slot> {
    (0..PUBLIC_SLOTS).map(|index| public_slot(recipient, index))
}

/// The public slot in which `sender` writes, so that different people don't meet in one.
pub fn public_slot_of(sender: &PublicKey, recipient: &NodeId) -> Slot {
    let hash = Sha256::new()
        .chain_update(Context::Mailbox.as_bytes())
        .chain_update(sender.as_bytes())
        .chain_update(recipient.as_bytes())
        .finalize();
    let first = hash.first().copied().unwrap_or_default();
    public_slot(
        recipient,
        first.checked_rem(PUBLIC_SLOTS).unwrap_or_default(),
    )
}

fn public_slot(recipient: &NodeId, index: u8) -> Slot {
    let hash = Sha256::new()
        .chain_update(Context::Mailbox.as_bytes())
        .chain_update(recipient.as_bytes())
        .chain_update([index]);
    Slot(hash.finalize().into())
}

#[cfg(test)]
mod tests;
