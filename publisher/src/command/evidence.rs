//! `streembit-publisher evidence`: what is known of a release beyond its metadata: shown, added to, packed for auditors.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit, Output, human};
use manifests::attestation::dsse::Envelope;
use manifests::attestation::statement::{REBUILD, Statement};
use manifests::attestation::trusted_root::trusted_root;
use manifests::evidence::{names, pack};
use manifests::instant::UtcTime;
use manifests::json;
use manifests::limits::{BUNDLE_BYTES_MAX, TARGETS_BYTES_MAX};
use manifests::name::Name;
use manifests::product::ProductTarget;

use crate::evidence::{self, Evidence};
use crate::log::opened::{FOLDER, OpenLog, POLICY};
use crate::repository::{Layout, OWN_CLOCK, TIMESTAMP, names_in_force, product_of};
use crate::settings::Settings;
use crate::statements::ATTACHED;

/// What to do with the evidence of a release
#[derive(Clone, Debug, clap::Subcommand)]
pub enum EvidenceCommand {
    /// Add statements of others: rebuilds that `streembit-audit rebuild` signed, bundles of a CI platform
    Add {
        /// Which release
        #[command(flatten)]
        which: Which,
        /// The statements
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// List the files
    List(Which),
    /// Write all that an auditor needs into one file
    Pack {
        /// Which release
        #[command(flatten)]
        which: Which,
        /// The file to write
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
}

/// A release
#[derive(Clone, Debug, clap::Args)]
pub struct Which {
    /// The display version of the release
    pub version: String,
    /// The product [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub product: Option<Name>,
}

/// A release, found.
struct Found {
    layout: Layout,
    settings: Settings,
    open: OpenLog,
    repository: manifests::client::Repository,
    name: Name,
    target: ProductTarget,
}

/// Runs `evidence`.
///
/// # Errors
/// [`CliError`] if there is no such release, or no log.
pub fn run(command: &EvidenceCommand, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let _lock = Layout::new(folder).lock()?;
    match command {
        EvidenceCommand::Add { which, files } => Found::find(which, folder)?.add(files, output),
        EvidenceCommand::List(which) => Found::find(which, folder)?.list(output),
        EvidenceCommand::Pack { which, out } => Found::find(which, folder)?.pack(out, output),
    }
}

impl Found {
    fn find(which: &Which, folder: &Path) -> Result<Self, CliError> {
        let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
        let open = OpenLog::open(folder, &settings)?.ok_or_else(|| {
            CliError::new(Exit::Usage, "this repository has no log")
                .hint("streembit-publisher log init --origin NAME")
        })?;
        let repository = layout.verify(OWN_CLOCK)?;
        let product = settings.product(which.product.as_ref(), &repository)?;
        let mut targets = product_of(&repository, &product)?.targets().iter();
        let is_it = |target: &ProductTarget| {
            let release = target.release.as_ref();
            release.is_some_and(|release| release.version == which.version)
        };
        let found = targets.find(|(_, target)| is_it(target));
        let (name, target) = found.ok_or_else(|| {
            CliError::new(Exit::No, format_args!("no release {}", which.version))
                .hint("streembit-publisher list")
        })?;
        let (name, target) = (name.clone(), target.clone());
        Ok(Self {
            layout,
            settings,
            open,
            repository,
            name,
            target,
        })
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence::of(&self.open, &self.name)
    }

    fn files(&self) -> Result<Vec<PathBuf>, CliError> {
        evidence::list(&self.evidence().path(""))
    }

    fn add(&self, files: &[PathBuf], output: Output) -> Result<Exit, CliError> {
        for path in files {
            let limit = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
            let bytes = durable::read(path, limit).context(Exit::Usage, "statement")?;
            let name = match self.rebuild(&bytes) {
                Some(()) => self.free(names::REBUILDS.map(str::to_owned).into_iter())?,
                None => self.free((1..100).map(|number| format!("{ATTACHED}{number}.json")))?,
            };
            self.evidence().keep(&name, &bytes)?;
            output.note(format_args!("added       {name}"));
        }
        output.note("            devices see it after the next streembit-publisher refresh");
        self.list(output)
    }

    /// Whether it is the statement of a rebuild of this image.
    fn rebuild(&self, bytes: &[u8]) -> Option<()> {
        let envelope = Envelope::from_json(&json::parse(bytes).ok()?).ok()?;
        let statement = Statement::parse(&envelope.payload).ok()?;
        let is_ours =
            statement.predicate_type == REBUILD && statement.is_about(&self.target.sha256);
        is_ours.then_some(())
    }

    fn free(&self, mut names: impl Iterator<Item = String>) -> Result<String, CliError> {
        let free = names.find(|name| !self.evidence().path(name).exists());
        free.ok_or_else(|| CliError::new(Exit::No, "there are as many statements as may be"))
    }

    fn list(&self, output: Output) -> Result<Exit, CliError> {
        let files = self.files()?;
        let names: Vec<String> = files.iter().map(|path| file_name(path)).collect();
        let value = serde_json::json!({ "target": self.name.as_str(),
            "sha256": self.target.sha256.to_string(), "files": names });
        let mut text = format!("target      {}\n", self.name);
        for name in &names {
            text.push_str(&format!("            {name}\n"));
        }
        output.result(&value, text)?;
        Ok(Exit::Done)
    }

    fn pack(&self, out: &Path, output: Output) -> Result<Exit, CliError> {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let release = self.target.release.as_ref();
        let about = pack::About {
            target: self.name.to_string(),
            product: release
                .map(|release| release.product.to_string())
                .unwrap_or_default(),
        };
        files.push((pack::ABOUT.to_owned(), about.encode()));
        let mut metadata = names_in_force(&self.repository);
        metadata.push(TIMESTAMP.to_owned());
        for name in metadata {
            let bytes = self.layout.read_file(&name, TARGETS_BYTES_MAX)?;
            files.push((format!("{}{name}", pack::METADATA), bytes));
        }
        for path in self.files()? {
            let name = file_name(&path);
            if !name.ends_with(evidence::QUEUED) {
                let bytes =
                    durable::read(&path, pack::FILE_BYTES_MAX).context(Exit::No, "evidence")?;
                files.push((format!("{}{name}", pack::EVIDENCE), bytes));
            }
        }
        let view = self.open.log.view()?.ok_or_else(|| {
            CliError::new(Exit::Quorum, "nothing of the log is published")
                .hint("streembit-publisher log update")
        })?;
        files.push((pack::VIEW.to_owned(), view.to_string().into_bytes()));
        let policy = self.layout.folder.join(FOLDER).join(POLICY);
        let policy = durable::read(&policy, pack::FILE_BYTES_MAX).context(Exit::No, "policy")?;
        files.push((pack::POLICY.to_owned(), policy));
        let key = self.repository.products.get(about.product.as_str());
        let key = key.and_then(|product| product.statement_keys().release.clone());
        files.extend(key.map(|key| (pack::RELEASE_KEY.to_owned(), key.to_pem().into_bytes())));
        let root = trusted_root(&self.open.key, UtcTime::EPOCH);
        files.extend(root.map(|root| (pack::TRUSTED_ROOT.to_owned(), root)));
        let bytes = archive(&files).context(Exit::No, "pack")?;
        durable::replace(out, &bytes, Access::World).context(Exit::No, "pack")?;
        let value = serde_json::json!({ "pack": out, "files": files.len(), "bytes": bytes.len(),
            "channel": self.settings.channel });
        let size = human::bytes(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let text = format!(
            "pack        {} ({} files, {size})",
            out.display(),
            files.len()
        );
        output.result(&value, text)?;
        Ok(Exit::Done)
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// A tar archive without times and owners.
fn archive(files: &[(String, Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        builder.append_data(&mut header, name, bytes.as_slice())?;
    }
    let mut bytes = builder.into_inner()?;
    bytes.flush()?;
    Ok(bytes)
}
