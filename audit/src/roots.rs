//! The chain of a publisher's roots on a mirror.

use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::envelope::{Envelope, Metadata as _, Verified};
use manifests::limits::{ROOT_BYTES_MAX, ROOT_ROTATIONS_MAX};
use manifests::pin::Pin;
use manifests::root::Root;

use crate::source::Source;

/// Verifies the roots from the pin's on, each by the one before it; the newest comes last.
///
/// * `each`: is told of every one.
///
/// # Errors
/// [`CliError`] naming the file that doesn't follow.
pub fn follow(
    source: &Source,
    pin: &Pin,
    mut each: impl FnMut(&Verified<Root>),
) -> Result<Verified<Root>, CliError> {
    let first = Envelope::<Root>::parse(&pin.root).context(Exit::Usage, "pin")?;
    let mut newest = first.verify_self().context(Exit::Usage, "pin")?;
    each(&newest);
    for number in (newest.header().version.saturating_add(1)..).take(ROOT_ROTATIONS_MAX as usize) {
        let name = format!("metadata/{number}.root.json");
        let Some(bytes) = source.file(&name, ROOT_BYTES_MAX)? else {
            break;
        };
        let next = Envelope::<Root>::parse(&bytes).context(Exit::No, &name)?;
        newest = next.verify_successor(&newest).context(Exit::No, &name)?;
        if newest.header().version != number {
            return Err(CliError::new(
                Exit::No,
                format_args!("{name}: another version"),
            ));
        }
        each(&newest);
    }
    Ok(newest)
}
