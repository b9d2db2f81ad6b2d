//! The whole workflow over a source that answers at once: a folder, a catalog.

use super::{Client, ClientError, Effect, Repository, Request};

/// Runs the workflow to its end.
///
/// `read` returns a requested file, `None` if the source says it has none; `effect` carries an
/// effect out, durably.
///
/// # Errors
/// `E` of either closure, or a [`ClientError`] turned into it.
pub fn run<E: From<ClientError>>(
    mut client: Client,
    mut read: impl FnMut(&Request) -> Result<Option<Vec<u8>>, E>,
    mut effect: impl FnMut(Effect) -> Result<(), E>,
) -> Result<Repository, E> {
    while let Some(request) = client.request() {
        let bytes = read(&request)?;
        for change in client.respond(bytes.as_deref())? {
            effect(change)?;
        }
    }
    Ok(client.finish()?)
}
