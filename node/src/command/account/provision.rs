//! `streembit account provision`: an account for a device, without any question, on the factory line.

use std::path::Path;

use cli::exit::Context as _;
use cli::keyfile::{self, NewKey};
use cli::{CliError, Exit};
use keys::{AccountName, PublicKey};
use protocol::contacts::offer::{Offer, OfferSecret};
use serde::Serialize;

use super::Shown;
use crate::clock::unix_now;
use crate::messenger::write_book;

/// How long the offer of a device is good: as long as it may lie on a shelf, and be used.
const OFFER_LIFE_S: u64 = 20 * 365 * 24 * 3600;

/// What a factory keeps of a device, and prints on its label.
#[derive(Debug, Serialize)]
pub(super) struct Provisioned {
    #[serde(flatten)]
    shown: Shown,
    /// Who has it becomes the device's contact, once.
    offer: String,
}

impl Provisioned {
    pub(super) fn text(&self) -> String {
        format!("{}\noffer       {}", super::text(&self.shown), self.offer)
    }
}

/// Makes the account in `out`, which becomes the device's data folder.
pub(super) fn provision(out: &Path, name: Option<&AccountName>) -> Result<Provisioned, CliError> {
    let secret = OfferSecret::generate(&mut keyfile::os_rng());
    let made_up = || {
        let text = String::from(OfferSecret::generate(&mut keyfile::os_rng()));
        format!("device-{}", text.get(..12).unwrap_or(&text)).parse()
    };
    let name = match name {
        Some(name) => name.clone(),
        None => made_up().context(Exit::No, "name")?,
    };
    let (shown, folder) = super::create_in(out, &name, NewKey::Unprotected)?;
    let key = PublicKey::from_p256_hex(&shown.public_key).context(Exit::Key, "key")?;
    let now = unix_now();
    let mut book = protocol::contacts::book::Book::default();
    book.open_offer(secret.clone(), now.saturating_add(OFFER_LIFE_S), now)
        .context(Exit::No, "offer")?;
    write_book(folder.path(), &book).context(Exit::No, "contacts")?;
    let offer = Offer {
        key,
        name,
        secret: Some(secret),
        addresses: Vec::new(),
    };
    Ok(Provisioned {
        shown,
        offer: offer.to_string(),
    })
}
