//! What a release says of itself in the log: its image, its provenance, its components, and the statement that binds
//! them.

use std::path::{Path, PathBuf};

use cli::durable;
use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit};
use keys::PublicKey;
use manifests::attestation::bundle::Bundle;
use manifests::attestation::dsse::{Envelope, IN_TOTO};
use manifests::attestation::provenance::Provenance;
use manifests::attestation::release::{ReleaseStatement, Source};
use manifests::attestation::statement::{self, Statement, Subject};
use manifests::digest::Sha256;
use manifests::json;
use manifests::limits::{BUNDLE_BYTES_MAX, SBOM_BYTES_MAX};
use manifests::name::Name;
use manifests::release::Release;
use manifests::statement_keys::{Builder, Expectations, StatementKeys};

use crate::evidence::{BUNDLE, Evidence};
use crate::log::opened::OpenLog;
use crate::repository::{Layout, StoredBlob};
use crate::settings::{self, BuilderSettings, ExpectingBuilder, LogSettings};

/// Names of evidence.
pub const IMAGE: &str = "image";
/// The publisher's statement.
pub const RELEASE: &str = "release";
/// The builder's statement.
pub const PROVENANCE: &str = "provenance";
/// The signature of the list of components.
pub const SBOM: &str = "sbom";
/// The list of components itself.
pub const SBOM_FILE: &str = "sbom.json";
/// What the names of statements of others begin with, kept as they are.
pub const ATTACHED: &str = "attached-";

/// What comes with an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Attachments {
    /// Provenance that `streembit-publisher provenance` signed; its builder is named in publisher.toml
    #[arg(long, value_name = "FILE")]
    pub provenance: Option<PathBuf>,
    /// List of components (CycloneDX or SPDX, JSON)
    #[arg(long, value_name = "FILE")]
    pub sbom: Option<PathBuf>,
    /// A statement of somebody else, such as a CI platform's bundle, to be kept unchanged (repeatable)
    #[arg(long, value_name = "FILE")]
    pub attach: Vec<PathBuf>,
}

impl Attachments {
    /// Whether there is something that only a log can hold.
    pub const fn is_empty(&self) -> bool {
        self.provenance.is_none() && self.sbom.is_none() && self.attach.is_empty()
    }
}

/// A release on its way into the log.
#[derive(Clone, Copy, Debug)]
pub struct Stated<'a> {
    /// The target's name.
    pub name: &'a Name,
    /// The image.
    pub stored: &'a StoredBlob,
    /// The release.
    pub release: &'a Release,
    /// The target of the release before it.
    pub previous: Option<&'a Name>,
    /// Version of the product's metadata that has the target.
    pub metadata_version: u64,
}

/// The keys whose statements count, as the settings have them.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`].
pub fn keys(folder: &Path, log: &LogSettings) -> Result<StatementKeys, CliError> {
    let builders = log.builders.iter();
    let builders = builders.map(|(id, settings)| builder(folder, id, settings));
    Ok(StatementKeys {
        release: Some(Signer::public_of(&settings::resolve(
            folder,
            &log.statements,
        )?)?),
        builders: builders.collect::<Result<_, _>>()?,
    })
}

fn builder(folder: &Path, id: &str, settings: &BuilderSettings) -> Result<Builder, CliError> {
    let settings = match settings {
        BuilderSettings::Expecting(settings) => settings.clone(),
        BuilderSettings::Key(key) => ExpectingBuilder {
            key: key.clone(),
            ..ExpectingBuilder::default()
        },
    };
    Ok(Builder {
        id: id.to_owned(),
        key: public_key(folder, &settings.key)?,
        expects: Expectations {
            build_type: settings.build_type,
            source: settings.source,
            parameters: settings.parameters,
        },
    })
}

fn public_key(folder: &Path, uri: &str) -> Result<PublicKey, CliError> {
    if !uri.ends_with(".pem") {
        return Signer::public_of(&settings::resolve(folder, uri)?);
    }
    let path = folder.join(uri.trim_start_matches("file:"));
    let bytes = durable::read(&path, PEM_BYTES_MAX).context(Exit::Key, "builder")?;
    let text = String::from_utf8_lossy(&bytes);
    PublicKey::from_pem(&text).context(Exit::Key, path.display())
}

/// Bytes of a public key in PEM.
const PEM_BYTES_MAX: u64 = 4096;

/// Signs and queues all that a release says of itself.
///
/// # Errors
/// [`CliError`]; what was queued before stays, and says nothing of a release that isn't published.
pub fn state(
    (open, log): (&OpenLog, &LogSettings),
    layout: &Layout,
    stated: Stated<'_>,
    attachments: &Attachments,
) -> Result<(), CliError> {
    let signer = Signer::open(&settings::resolve(&layout.folder, &log.statements)?)?;
    let evidence = Evidence::of(open, stated.name);
    let image = stated.stored.sha256;
    let path = layout.blob(&stated.stored.blob);
    let keys = keys(&layout.folder, log)?;
    let provenance = attachments.provenance.as_ref();
    let provenance = provenance.map(|path| Claimed::read(path, &image, &keys));
    let provenance = provenance.transpose()?;
    let sbom = attachments.sbom.as_deref().map(read_sbom).transpose()?;
    evidence.sign_file(IMAGE, (&path, &image), &signer)?;
    let mut statement = ReleaseStatement {
        previous: stated.previous.and_then(|name| index_of(open, name)),
        metadata_version: Some(stated.metadata_version),
        ..ReleaseStatement::of(stated.release)
    };
    if let Some(claimed) = provenance {
        statement.provenance = Some(claimed.envelope.digest());
        statement.source = claimed.source;
        evidence.take(PROVENANCE, claimed.envelope, &claimed.key)?;
    }
    if let Some(sbom) = sbom {
        let digest = Sha256::of(&sbom);
        evidence.keep(SBOM_FILE, &sbom)?;
        evidence.sign_file(SBOM, (&evidence.path(SBOM_FILE), &digest), &signer)?;
        statement.sbom = Some(digest);
    }
    for (number, path) in attachments.attach.iter().enumerate() {
        let limit = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = durable::read(path, limit).context(Exit::Usage, "--attach")?;
        evidence.keep(&format!("{ATTACHED}{}.json", number + 1), &bytes)?;
    }
    let said = Statement {
        subjects: vec![Subject {
            name: stated.name.to_string(),
            sha256: image,
        }],
        predicate_type: statement::RELEASE.to_owned(),
        predicate: statement.to_json(),
    };
    evidence.sign_statement(RELEASE, &said, &signer).map(drop)
}

/// Says in the log that a release is withdrawn.
///
/// # Errors
/// [`CliError`].
pub fn withdraw(
    (open, log): (&OpenLog, &LogSettings),
    folder: &Path,
    (name, image): (&Name, &Sha256),
    release: &Release,
) -> Result<(), CliError> {
    let signer = Signer::open(&settings::resolve(folder, &log.statements)?)?;
    let said = Statement {
        subjects: vec![Subject {
            name: name.to_string(),
            sha256: *image,
        }],
        predicate_type: statement::YANK.to_owned(),
        predicate: ReleaseStatement::of(release).to_json(),
    };
    let evidence = Evidence::of(open, name);
    evidence.sign_statement("yank", &said, &signer).map(drop)
}

/// Whether the statement of a target's release is logged, and about this image: one of the same name may have been
/// begun with another.
pub fn is_stated(open: &OpenLog, name: &Name, image: &Sha256) -> bool {
    let bundle = published(open, name);
    let envelope = bundle.as_ref().and_then(Bundle::envelope);
    let statement = envelope.and_then(|envelope| Statement::parse(&envelope.payload).ok());
    statement.is_some_and(|statement| statement.is_about(image))
}

/// The entry that states a target's release, if others are shown it.
fn index_of(open: &OpenLog, name: &Name) -> Option<u64> {
    published(open, name).map(|bundle| bundle.proof.index)
}

fn published(open: &OpenLog, name: &Name) -> Option<Bundle> {
    let path = Evidence::of(open, name).path(&format!("{RELEASE}{BUNDLE}"));
    let limit = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
    Bundle::parse(&durable::read(&path, limit).ok()?).ok()
}

/// Provenance that a builder of ours has signed.
struct Claimed {
    envelope: Envelope,
    key: PublicKey,
    source: Option<Source>,
}

impl Claimed {
    fn read(path: &Path, image: &Sha256, keys: &StatementKeys) -> Result<Self, CliError> {
        let place = path.display();
        let limit = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = durable::read(path, limit).context(Exit::Usage, "--provenance")?;
        let json = json::parse(&bytes).context(Exit::Usage, &place)?;
        let envelope = Envelope::from_json(&json).context(Exit::Usage, &place)?;
        let statement = Statement::parse(&envelope.payload).context(Exit::Usage, &place)?;
        if envelope.payload_type != IN_TOTO
            || statement.predicate_type != statement::SLSA_PROVENANCE
        {
            let message = format!("{place}: not SLSA provenance v1");
            return Err(CliError::new(Exit::Usage, message).hint(
                "streembit-publisher provenance makes it; --attach keeps others as they are",
            ));
        }
        if !statement.is_about(image) {
            let message = format!("{place}: not about this image, whose SHA-256 is {image}");
            return Err(
                CliError::new(Exit::No, message).hint("sign provenance of what is released")
            );
        }
        let provenance = Provenance::from_json(&statement.predicate);
        let provenance = provenance.context(Exit::Usage, &place)?;
        let builder = keys.builder(&provenance.builder).ok_or_else(|| {
            let message = format!("{place}: {} is no builder of ours", provenance.builder);
            CliError::new(Exit::Key, message)
                .hint("name it with its key under [log.builders] in publisher.toml")
        })?;
        envelope.verify(&builder.key).context(Exit::Key, &place)?;
        if let Some(unmet) = builder.expects.unmet(&provenance) {
            let message = format!("{place}: {unmet} is not what is expected of this builder");
            return Err(CliError::new(Exit::No, message)
                .hint("what is expected stands under [log.builders] in publisher.toml"));
        }
        Ok(Self {
            source: source(&provenance),
            key: builder.key.clone(),
            envelope,
        })
    }
}

/// The first thing that went into the build and has a commit.
fn source(provenance: &Provenance) -> Option<Source> {
    let mut dependencies = provenance.dependencies.iter();
    dependencies.find_map(|dependency| {
        Some(Source {
            repository: dependency.uri.clone(),
            commit: dependency.git_commit.clone()?,
        })
    })
}

/// A list of components in one of the two forms.
fn read_sbom(path: &Path) -> Result<Vec<u8>, CliError> {
    let bytes = durable::read(path, SBOM_BYTES_MAX).context(Exit::Usage, "--sbom")?;
    let json: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
    let json = json.context(Exit::Usage, path.display())?;
    let is_cyclone = json["bomFormat"] == "CycloneDX";
    if is_cyclone || json["spdxVersion"].is_string() {
        return Ok(bytes);
    }
    let message = format!("{}: neither CycloneDX nor SPDX", path.display());
    Err(CliError::new(Exit::Usage, message).hint("--sbom takes either as JSON"))
}
