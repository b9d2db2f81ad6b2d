//! `streembit-publisher release`: one command for a CI job, nothing interactive.

use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::progress::Progress;
use cli::{CliError, Exit, Output};
use manifests::digest::Blake3;
use manifests::envelope::Metadata as _;
use manifests::name::Name;
use manifests::product::{Product, ProductTarget};
use manifests::release::{Content, ImageFormat, Release};

use crate::bases::Wanted;
use crate::change::Change;
use crate::deltas::{self, Made};
use crate::evidence;
use crate::log::opened::OpenLog;
use crate::preview::Preview;
use crate::publish::{OnlineKeys, publish};
use crate::repository::{StoredBlob, product_of};
use crate::settings::Settings;
use crate::statements::{self, Attachments, Stated};
use crate::{compressed, edit, image, settings};

mod report;

use report::Report;

/// Options of release
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Image file, or directory to be archived
    pub image: PathBuf,
    /// The product [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub product: Option<Name>,
    /// The version that people read, such as 1.4.2
    #[arg(long)]
    pub version: String,
    /// Release counter [default: one more than the newest]
    #[arg(long, value_name = "N")]
    pub release: Option<u64>,
    /// Security version: raise it when older releases must never run again [default: the newest's]
    #[arg(long, value_name = "N")]
    pub security_version: Option<u64>,
    /// Hardware id that it fits (repeatable) [default: those of publisher.toml]
    #[arg(long, value_name = "ID")]
    pub hardware: Vec<Name>,
    /// Make deltas from this many earlier releases [default: as in publisher.toml]
    #[arg(long, value_name = "N")]
    pub deltas: Option<usize>,
    /// Make deltas from this release too, however old (repeatable)
    #[arg(long, value_name = "VERSION")]
    pub from: Vec<String>,
    /// What is said of it in the log
    #[command(flatten)]
    pub attachments: Attachments,
}

/// Runs `release`.
///
/// # Errors
/// [`CliError`]; the repository is as before then. With [`Exit::Quorum`] the release is staged and waits
/// for more signatures.
pub fn run(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (mut change, product) = Change::open_product(folder, args.product.as_ref())?;
    let wanted = Wanted {
        newest: args.deltas.unwrap_or(change.settings.deltas),
        named: &args.from,
    };
    wanted.check(product_of(&change.in_force.repository, &product)?)?;
    let open = open_log(args, folder, &change.settings)?;
    // Keys first: a wrong passcode must not cost an hour of delta making.
    let keys = OnlineKeys::open(&change)?;
    let delegations = change.in_force.repository.targets.delegations();
    let signers = settings::signers(folder, change.settings.keys_of(product.as_str()), |key| {
        let authority = delegations.authority(product.as_str());
        authority.is_some_and(|authority| authority.distinct_keys().contains(key))
    })?;
    let (stored, mut release) = store_image(args, &change, &product, output)?;
    let made = make_deltas(wanted, &change, &release, output)?;
    release.deltas = made.iter().filter_map(|made| made.signed.clone()).collect();
    let compressed = compressed::check(&change.layout, &release.image, &made, output)?;
    let name = target_name(&release)?;
    let target = ProductTarget {
        length: stored.blob.size,
        sha256: stored.sha256,
        release: Some(release.clone()),
    };
    let log = change.settings.log.clone();
    change.edit(product.as_str(), |signed| {
        edit::add_target(signed, name.as_str(), target.to_target().to_json())?;
        if let Some(log) = &log {
            edit::set_statement_keys(signed, &statements::keys(folder, log)?)?;
        }
        edit::set_newest(signed, (release.release, release.security_version))
    })?;
    change
        .layout
        .link_target(&stored, &name)
        .context(Exit::No, "target")?;
    output.note(Preview::text(&change.preview()));
    let demands = change.staged.demands(&change.in_force)?;
    for signer in &signers {
        change.staged.sign(&demands, signer)?;
    }
    let before = product_of(&change.in_force.repository, &product)?.newest();
    let stated = Stated {
        name: &name,
        stored: &stored,
        release: &release,
        previous: before.map(|(name, _)| name),
        metadata_version: change.in_force.version_of(product.as_str()) + 1,
    };
    if let (Some(open), Some(log)) = (&open, &log) {
        statements::state((open, log), &change.layout, stated, &args.attachments)?;
        // What is made stays, until witnesses have seen that it was.
        evidence::update(open, output).or_else(|error| change.save().and(Err(error)))?;
    }
    if !change.lacks()?.is_empty() {
        // Another has to approve it: what is made stays.
        change.save()?;
    }
    let next = publish(&change, &keys)?;
    let report = Report {
        name: &name,
        stored: &stored,
        release: &release,
        made: &made,
        compressed,
    };
    report.print(next.timestamp.header(), output)?;
    Ok(Exit::Done)
}

/// The log, if there is one: what is said in it alone needs one.
fn open_log(args: &Args, folder: &Path, settings: &Settings) -> Result<Option<OpenLog>, CliError> {
    let open = OpenLog::open(folder, settings)?;
    if open.is_none() && !args.attachments.is_empty() {
        let message = "provenance, lists of components and attachments need a log";
        return Err(
            CliError::new(Exit::Usage, message).hint("streembit-publisher log init --origin NAME")
        );
    }
    Ok(open)
}

fn make_deltas(
    wanted: Wanted<'_>,
    change: &Change,
    release: &Release,
    output: Output,
) -> Result<Vec<Made>, CliError> {
    let role = product_of(&change.in_force.repository, &release.product)?;
    let bases = wanted.bases(role, release, output)?;
    deltas::make(&change.layout, &bases, &release.image, output)
}

/// Stores the image and describes it; refuses what can't be a successor before any delta is made.
fn store_image(
    args: &Args,
    change: &Change,
    product: &Name,
    output: Output,
) -> Result<(StoredBlob, Release), CliError> {
    let (layout, settings) = (&change.layout, &change.settings);
    let role = product_of(&change.in_force.repository, product)?;
    let (newest, floor) = counters(change, role, product);
    let next = newest + 1;
    let release = args.release.unwrap_or(next);
    if release < next {
        let message = format!("release counter {release} is not above {}", next - 1);
        return Err(CliError::new(Exit::Rollback, message).hint("leave --release out"));
    }
    let security_version = args.security_version.unwrap_or(floor);
    if security_version < floor {
        let message = format!("security version {security_version} is below {floor}");
        return Err(CliError::new(Exit::Rollback, message).hint("leave --security-version out"));
    }
    let hardware = hardware(args, settings, product)?;
    let scratch = layout.folder.join("blobs").join("archive.tmp");
    let (format, mut file, size) =
        image::open(&args.image, &scratch).context(Exit::Usage, "image")?;
    if image::is_archive(&mut file).context(Exit::Usage, "image")? && format == ImageFormat::Raw {
        output.note(
            "note: the image is a tar file and is written to devices as it is; a directory would be archived \
             in a fixed order without times and owners, so that deltas stay small",
        );
    }
    let progress = Progress::start(output, "image", size);
    let stored = layout
        .store_blob(&mut file, |done| progress.set(done))
        .context(Exit::No, "image")?;
    progress.finish();
    let image = Content {
        blake3: Blake3::new(stored.blob.root),
        size: stored.blob.size,
    };
    let release = Release {
        product: product.clone(),
        channel: settings.channel_name()?,
        version: args.version.clone(),
        release,
        security_version,
        hardware,
        format,
        image,
        deltas: Vec::new(),
    };
    Ok((stored, release))
}

/// The highest counters that devices may have seen, yanked releases among them: release and security
/// version.
fn counters(change: &Change, role: &Product, product: &Name) -> (u64, u64) {
    let document = change.in_force.documents.get(product.as_str());
    let noted = document.map_or((0, 0), |draft| edit::newest(draft.signed()));
    role.releases().fold(noted, |(release, security), it| {
        (release.max(it.release), security.max(it.security_version))
    })
}

/// The hardware that a release fits.
fn hardware(args: &Args, settings: &Settings, product: &Name) -> Result<Vec<Name>, CliError> {
    if !args.hardware.is_empty() {
        return Ok(args.hardware.clone());
    }
    let ids = settings.products.get(product.as_str());
    let ids = ids.into_iter().flat_map(|product| &product.hardware);
    let ids = ids.map(|id| Name::parse(id).context(Exit::Usage, "publisher.toml: hardware"));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() {
        let message = format!("{product} fits no hardware");
        return Err(CliError::new(Exit::Usage, message).hint("--hardware ID, or in publisher.toml"));
    }
    Ok(ids)
}

/// `<product>-<version>.bin` or `.tar`.
fn target_name(release: &Release) -> Result<Name, CliError> {
    let end = match release.format {
        ImageFormat::Raw => "bin",
        ImageFormat::Tar => "tar",
    };
    Name::parse(&format!("{}-{}.{end}", release.product, release.version))
        .context(Exit::Usage, "--version")
}
