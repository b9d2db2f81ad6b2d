//! `streembit-tuf`: the client workflow over HTTP, for any TUF repository.
//!
//! The commands are those of theupdateframework/tuf-conformance, CLIENT-CLI.md. The engine is the one that
//! serves the agent: `manifests::client`.

pub mod args;
mod download;
mod names;
mod store;

use std::time::SystemTime;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::client::Client;
use manifests::envelope::Envelope;
use manifests::instant::UtcTime;
use manifests::limits::ROOT_BYTES_MAX;
use manifests::root::Root;

use crate::source::metadata::refuse;
use crate::source::mirror::Mirror;
use args::{DownloadArgs, InitArgs};
use store::Store;

/// Trusts a root file and asks nobody.
fn init(store: &Store, args: &InitArgs) -> Result<(), CliError> {
    let name = args.root.display();
    let bytes = cli::durable::read(&args.root, ROOT_BYTES_MAX).context(Exit::No, "root")?;
    let root = Envelope::<Root>::parse(&bytes).context(Exit::No, &name)?;
    root.verify_self().context(Exit::No, &name)?;
    store.begin(&bytes)
}

/// Brings the trusted metadata up to date.
async fn refresh(store: &Store, url: &str) -> Result<Client, CliError> {
    let now = UtcTime::from_system(SystemTime::now());
    let mut client = Client::start(store.load()?, now).map_err(|error| refuse(&error))?;
    let mirror = Mirror::new(url.trim_end_matches('/'))?;
    follow(&mut client, store, &mirror).await?;
    store.keep(|role| client.lists(role))?;
    Ok(client)
}

/// Answers the client's requests until it has none; what it accepts is stored before it goes on.
async fn follow(client: &mut Client, store: &Store, mirror: &Mirror) -> Result<(), CliError> {
    while let Some(request) = client.request() {
        let path = names::encode(&request.name);
        let bytes = mirror.small_file(&path, request.length_max).await?;
        let effects = client.respond(bytes.as_deref());
        for effect in effects.map_err(|error| refuse(&error))? {
            store.apply(&effect)?;
        }
    }
    client.outcome().map_err(|error| refuse(&error))
}

/// Brings the metadata up to date and fetches targets, up to the first that fails.
async fn download(store: &Store, url: &str, args: &DownloadArgs) -> Result<(), CliError> {
    let mut client = refresh(store, url).await?;
    let metadata = Mirror::new(url.trim_end_matches('/'))?;
    let targets = Mirror::new(args.base_url.trim_end_matches('/'))?;
    for path in &args.names {
        client.search(path).map_err(|error| refuse(&error))?;
        follow(&mut client, store, &metadata).await?;
        let found = client.found().ok_or_else(|| {
            CliError::new(
                Exit::No,
                format_args!("target {path}: no role publishes it"),
            )
            .hint("check --target-name")
        })?;
        let prefixed = client.consistent_snapshot();
        download::target(&targets, &args.folder, (path, &found.target), prefixed).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
