//! `account-changes`: how the account that signs release heads has changed, a token in each line.

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use keys::{PublicKey, SigningKey};
use manifests::digest::Sha256;
use manifests::envelope::Envelope;
use manifests::instant::UtcTime;
use manifests::root::Root;
use protocol::identity::account_change;

use crate::repository::Layout;

/// Bytes of the file: a change that was staged and given up stays in it.
const BYTES_MAX: u64 = 64 * 1024;

/// Signs that `new` takes over from `old` and keeps the token.
///
/// # Errors
/// [`CliError`]: one of them is no P-256 key, the file can't be written.
pub fn add(
    layout: &Layout,
    old: &SigningKey,
    new: &PublicKey,
    now: UtcTime,
) -> Result<(), CliError> {
    let publisher_id = Sha256::of(&layout.first_root()?);
    let token = account_change::sign(old, publisher_id.as_bytes(), new, now.as_unix())
        .context(Exit::Key, "account")
        .map_err(|error| error.hint("an account has a P-256 key: --algorithm p256"))?;
    let mut tokens = read(layout)?;
    tokens.push(token);
    let text = tokens.join("\n") + "\n";
    durable::replace(&layout.account_changes(), text.as_bytes(), Access::World)
        .context(Exit::No, "account changes")
}

/// The changes that lead from the account of root version 1 to `last`.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`] if none do.
pub fn chain(layout: &Layout, last: &PublicKey) -> Result<Vec<String>, CliError> {
    let root = layout.first_root()?;
    let first = Envelope::<Root>::parse(&root).context(Exit::No, "1.root.json")?;
    let first = first.verify_self().context(Exit::No, "1.root.json")?;
    let publisher_id = Sha256::of(&root);
    let mut tokens = read(layout)?;
    let (mut chain, mut account) = (Vec::new(), last.clone());
    // Backwards; each token is used once, so that going back to an old account ends.
    while first.account() != Some(&account) {
        let step = tokens.iter().enumerate().rev().find_map(|(index, token)| {
            let (old, new) = account_change::verify(token, publisher_id.as_bytes()).ok()?;
            (new == account).then_some((index, old))
        });
        let (index, old) = step.ok_or_else(|| {
            CliError::new(
                Exit::Key,
                "no change leads to the account that the root names",
            )
            .hint("streembit-publisher keys rotate account")
        })?;
        chain.push(tokens.remove(index));
        account = old;
    }
    chain.reverse();
    Ok(chain)
}

fn read(layout: &Layout) -> Result<Vec<String>, CliError> {
    let bytes = durable::read_if_there(&layout.account_changes(), BYTES_MAX);
    let bytes = bytes
        .context(Exit::No, "account changes")?
        .unwrap_or_default();
    let text = String::from_utf8(bytes).context(Exit::No, "account changes")?;
    Ok(text.lines().map(str::to_owned).collect())
}
