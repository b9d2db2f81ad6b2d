//! Getting the signed metadata and verifying it: release head and catalog from peers, else files from
//! mirrors. Whatever the source, the same verifier sees the same bytes.

use std::time::{Duration, Instant};

use cli::durable::PathError;
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::catalog::Catalog;
use manifests::client::{Client, ClientError, Effect, Reason, Repository, Request};
use manifests::envelope::Metadata as _;
use manifests::instant::UtcTime;
use manifests::limits::CATALOG_BYTES_MAX;
use node::NodeHandle;
use node::blocks::partial::Partial;
use protocol::dht::key::DhtKey;
use protocol::dht::record::Record;
use protocol::dht::release_head::{self, ReleaseHead};
use protocol::limits::HEAD_RECORD_BYTES_MAX;

use super::Sources;
use super::mirror::Mirror;
use super::shelf::Shelf;
use crate::device::Device;

/// A source without evidence.
static NOTHING: Catalog = Catalog::EMPTY;
/// How long a node that knows nobody waits for its first peer.
const FIRST_PEER_PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks whether a peer is known.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Look-ups before "nobody knows" is believed.
const LOOKUPS_MAX: u32 = 3;
/// Between two look-ups.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(1);

/// Where verified metadata came from.
#[derive(Debug)]
pub struct Checked {
    /// The verified repository.
    pub repository: Repository,
    /// `peers` or the mirror's URL.
    pub source: String,
    /// The catalog, to be served to others, and what is in it.
    pub catalog: Option<(protocol::exchange::tree::Blob, Catalog)>,
    /// The time at which nothing of it was expired.
    pub verified_at: UtcTime,
}

impl Checked {
    /// Where evidence is taken from.
    pub fn shelf<'a>(&'a self, sources: &'a Sources) -> Shelf<'a> {
        let nothing = Shelf::Catalog(&NOTHING);
        match &self.catalog {
            Some((_, catalog)) => Shelf::Catalog(catalog),
            None => {
                let mut mirrors = sources.mirrors.iter();
                let mirror = mirrors.find(|mirror| mirror.url() == self.source);
                mirror.map_or(nothing, Shelf::Mirror)
            }
        }
    }

    /// The timestamp's version.
    pub fn version(&self) -> u64 {
        self.repository.timestamp.header().version
    }
}

/// Gets and verifies the newest metadata. Sources are tried in order until one brings something new;
/// one that lies, is stale or is silent is passed over. If none is left the first refusal is reported,
/// else that nobody answered.
///
/// # Errors
/// [`CliError`] naming source, file and rule. Trusted files stay as the verifier left them.
pub async fn check(device: &mut Device, sources: &Sources) -> Result<Checked, CliError> {
    if device.clock()?.is_wrong() {
        tracing::warn!("the clock is behind the time at which metadata was verified: set it");
    }
    let before = device.state()?.newest_seen.map(|(version, _)| version);
    let is_new = |checked: &Checked| before < Some(checked.version());
    let mut refused: Option<CliError> = None;
    let mut known: Option<Checked> = None;
    match from_peers(device, sources).await {
        Ok(Some(checked)) if is_new(&checked) => return Ok(checked),
        Ok(checked) => known = checked,
        Err(error) => pass_over(device, &mut refused, error)?,
    }
    // Sources that bring nothing new may repeat old files, a crowd of peers as well as a mirror
    // (threats M18, H62): the next one is asked as well.
    for mirror in &sources.mirrors {
        match from_mirror(device, mirror).await {
            Ok(checked) if is_new(&checked) => return Ok(checked),
            Ok(checked) => known = Some(checked),
            Err(error) => pass_over(device, &mut refused, error)?,
        }
    }
    known.ok_or_else(|| {
        refused.unwrap_or_else(|| {
            CliError::new(Exit::Undecided, "no source of updates is configured")
                .hint("set streaming.peers or streaming.mirrors")
        })
    })
}

/// Remembers the first real refusal. What an auditor should see goes into the journal, whatever the
/// next source brings.
fn pass_over(
    device: &mut Device,
    refused: &mut Option<CliError>,
    error: CliError,
) -> Result<(), CliError> {
    tracing::warn!(%error, "source passed over");
    if matches!(
        error.exit,
        Exit::Stale | Exit::Rollback | Exit::Equivocation
    ) {
        device.record_refusal("source-refused", &error.to_string(), error.exit)?;
    }
    let undecided = |error: &CliError| error.exit == Exit::Undecided;
    if refused
        .as_ref()
        .is_none_or(|first| undecided(first) && !undecided(&error))
    {
        *refused = Some(error);
    }
    Ok(())
}

async fn from_peers(device: &Device, sources: &Sources) -> Result<Option<Checked>, CliError> {
    let Some(node) = &sources.node else {
        return Ok(None);
    };
    let pin = &device.pin;
    let key = DhtKey::release_head(pin.publisher_id.as_bytes(), pin.channel.as_str());
    let Some(head) = find_head(node, key).await? else {
        return Err(CliError::new(
            Exit::Undecided,
            format_args!(
                "no peer knows a release of {} on channel {}",
                pin.product, pin.channel
            ),
        )
        .hint("check network.bootstrap; the publisher may not be seeding"));
    };
    let checked = from_head(device, sources, &head).await;
    if checked.is_err() {
        // Whoever makes up new heads must not fill the disk with what they name (threats S89).
        let removed = device.remove_blob(&head.catalog);
        removed.context(Exit::No, "data folder")?;
    }
    checked.map(Some)
}

async fn from_head(
    device: &Device,
    sources: &Sources,
    head: &ReleaseHead,
) -> Result<Checked, CliError> {
    let catalog = fetch_catalog(device, sources, head).await?;
    let read = |request: &Request| {
        if request.name == "timestamp.json" {
            return Some(head.timestamp.clone());
        }
        catalog.file(&request.name).map(<[u8]>::to_vec)
    };
    // A device without a clock learns the time from the head. The account that signs it can claim a
    // time at which all is expired, and is then refused, but none that makes the expired valid.
    let clock = device.clock()?;
    let now = if clock.is_wrong() {
        clock.now().max(head.issued)
    } else {
        clock.now()
    };
    let mut client = start(device, now)?;
    while let Some(request) = client.request() {
        step(device, &mut client, &request, read(&request).as_deref())?;
    }
    let repository = client.finish().map_err(|error| refuse(&error))?;
    if repository.root.account() != Some(&head.account) {
        let message = "refused: release head: the newest root names another account";
        return Err(
            CliError::new(Exit::No, message).hint("its key was retired; use another source")
        );
    }
    Ok(Checked {
        repository,
        source: "peers".to_owned(),
        catalog: Some((head.catalog, catalog)),
        verified_at: UtcTime::from_unix(now),
    })
}

/// Looks the head up. A node that has just started knows nobody yet and is given time; one that
/// knows somebody asks again in case that one was still starting.
async fn find_head(node: &NodeHandle, key: DhtKey) -> Result<Option<ReleaseHead>, CliError> {
    let deadline = Instant::now() + FIRST_PEER_PATIENCE;
    let mut asked = 0;
    while asked < LOOKUPS_MAX && Instant::now() < deadline {
        if node.status().await.context(Exit::No, "node")?.known == 0 {
            tokio::time::sleep(POLL_INTERVAL).await;
            continue;
        }
        asked += 1;
        let found = node.get(key).await.context(Exit::No, "node")?;
        if let Some((Record::ReleaseHead(head), _)) = found.best {
            return Ok(Some(head));
        }
        tokio::time::sleep(LOOKUP_INTERVAL).await;
    }
    Ok(None)
}

async fn fetch_catalog(
    device: &Device,
    sources: &Sources,
    head: &ReleaseHead,
) -> Result<Catalog, CliError> {
    let blob = head.catalog;
    if blob.size > CATALOG_BYTES_MAX {
        let message = format!("release head: catalog of {} bytes is too large", blob.size);
        return Err(CliError::new(Exit::No, message));
    }
    let path = device.blob_path(&blob);
    let partial =
        Partial::open(blob, &path, &device.tree_path(&blob)).context(Exit::No, "catalog")?;
    sources.fetch(&partial, async || Ok(()), |_| {}).await?;
    let bytes = cli::durable::read(&path, CATALOG_BYTES_MAX).context(Exit::No, "catalog")?;
    Catalog::parse(&bytes).context(Exit::No, "catalog")
}

async fn from_mirror(device: &Device, mirror: &Mirror) -> Result<Checked, CliError> {
    let clock = device.clock()?;
    let mut now = clock.now();
    let mut repository = follow(device, mirror, now).await?;
    if clock.is_wrong()
        && let Some(later) = signed_time(device, mirror, &repository).await
        && later > now
    {
        // Once more: what had expired when the head was signed is expired.
        now = later;
        repository = follow(device, mirror, now).await?;
    }
    Ok(Checked {
        repository,
        source: mirror.url().to_owned(),
        catalog: None,
        verified_at: UtcTime::from_unix(now),
    })
}

async fn follow(device: &Device, mirror: &Mirror, now: u64) -> Result<Repository, CliError> {
    let mut client = start(device, now)?;
    while let Some(request) = client.request() {
        let path = format!("metadata/{}", request.name);
        let bytes = mirror.small_file(&path, request.length_max).await?;
        step(device, &mut client, &request, bytes.as_deref())?;
    }
    client.finish().map_err(|error| refuse(&error))
}

/// When the publisher signed the release head that lies beside the metadata; `None` without a valid one.
async fn signed_time(device: &Device, mirror: &Mirror, repository: &Repository) -> Option<u64> {
    let pin = &device.pin;
    let version = repository.timestamp.header().version;
    let path = format!("heads/{version}.{}.jws", pin.channel);
    let limit = u64::try_from(HEAD_RECORD_BYTES_MAX).ok()?;
    let token = mirror.small_file(&path, limit).await.ok()??;
    let head = release_head::verify(&token, device.clock().ok()?.known()).ok()?;
    let ours = head.publisher_id == *pin.publisher_id.as_bytes();
    (ours && repository.root.account() == Some(&head.account)).then_some(head.issued)
}

fn start(device: &Device, now: u64) -> Result<Client, CliError> {
    let now = UtcTime::from_unix(now);
    let stored = device
        .trust
        .load(&device.pin)
        .context(Exit::No, "trusted files")?;
    Client::for_product(stored, device.pin.product.clone(), now).map_err(|error| refuse(&error))
}

/// Feeds one file to the verifier and stores what it accepts before going on.
fn step(
    device: &Device,
    client: &mut Client,
    request: &Request,
    bytes: Option<&[u8]>,
) -> Result<(), CliError> {
    let effects = client.respond(bytes).map_err(|error| {
        if let (Reason::Equivocation(_), Some(bytes)) = (&error.reason, bytes)
            && let Err(error) = device.trust.keep_evidence(&request.name, bytes)
        {
            tracing::error!(%error, "evidence of equivocation not kept");
        }
        refuse(&error)
    })?;
    let apply = |effect: &Effect| device.trust.apply(effect);
    let stored: Result<(), PathError> = effects.iter().try_for_each(apply);
    stored
        .context(Exit::No, "trusted files")
        .map_err(|error| error.hint(cli::durable::DISK_FIX))
}

/// Gives a refusal its exit code and the fix.
pub fn refuse(error: &ClientError) -> CliError {
    let (exit, fix) = match &error.reason {
        Reason::Expired { .. } => (
            Exit::Stale,
            "the source is stale or the clock is wrong; try again later",
        ),
        Reason::Rollback { .. } => (Exit::Rollback, "the source serves old files; use another"),
        Reason::Equivocation(_) => (
            Exit::Equivocation,
            "evidence is kept in trusted/evidence; tell the publisher",
        ),
        Reason::Absent => (Exit::Undecided, "the source is incomplete; use another"),
        Reason::TooManyRoots(_) => (Exit::Retry, "run again to go on"),
        _ => (Exit::No, "the source is damaged or hostile; use another"),
    };
    CliError::new(exit, format_args!("refused: metadata/{error}")).hint(fix)
}
