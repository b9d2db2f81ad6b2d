//! `streembit-publisher export --as`: one image and a signature that a stock tool verifies.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use cli::durable::{self, Access, PathError};
use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, Output};
use keys::RoleKey;
use manifests::digest::Sha256;
use manifests::envelope::Envelope;
use manifests::name::Name;
use manifests::product::{Product, ProductTarget};
use manifests::root::Root;
use sha2::Digest as _;

use super::Args;
use crate::command::keys::roles;
use crate::detached::{self, Format, Message, Subject};
use crate::repository::{Layout, product_of};
use crate::settings::{self, Settings};
use crate::staged::InForce;

/// Bytes copied at a time.
const COPY_BYTES: usize = 256 * 1024;

/// Writes the image, the public key and, last, the signature.
///
/// # Errors
/// [`CliError`]; with [`Exit::Key`] if the key does not fit the format or signs something else.
pub(super) fn run(
    args: &Args,
    (format, uri): (Format, &str),
    folder: &Path,
    output: Output,
) -> Result<Exit, CliError> {
    let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
    let in_force = InForce::load(&layout)?;
    let product = settings.product(args.product.as_ref(), &in_force.repository)?;
    let role = product_of(&in_force.repository, &product)?;
    let (name, target, version) = find(role, args.version.as_deref())?;
    if target.length > format.bytes_max() {
        let (bytes, limit) = (target.length, format.bytes_max());
        let tool = format.name();
        let message = format!("{name} has {bytes} bytes; {tool} signs at most {limit} at once");
        return Err(CliError::new(Exit::Usage, message)
            .hint("--as minisign or --as sshsig, which sign a digest"));
    }
    let signer = open(&layout, &in_force, format, uri)?;
    durable::create_folder(&args.folder).context(Exit::No, "export")?;
    let mut message = Message::new(format);
    let from = layout.target(&target.sha256, name);
    let image = Copied::new(&from, &args.folder.join(name.as_str()), &mut message)?;
    image.check(target)?;
    let subject = Subject {
        product: product.to_string(),
        version,
        file: name.to_string(),
    };
    let key = signer.public();
    let made = detached::make(format, &subject, key, &message.finish(), |bytes| {
        signer.sign(bytes)
    })?;
    image.keep()?;
    for (name, bytes) in [&made.key, &made.signature] {
        durable::replace(&args.folder.join(name), bytes, Access::World)
            .context(Exit::No, "export")?;
    }
    let (key, signature) = (&made.key.0, &made.signature.0);
    let value = serde_json::json!({ "folder": args.folder.display().to_string(),
        "file": name.to_string(), "key": key, "signature": signature, "verify": made.verify });
    let folder = args.folder.display();
    let text = format!(
        "exported    {name} {version}, {signature}, {key} to {folder}\nverify      {}",
        made.verify,
        version = subject.version
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

/// The release of a version, or the newest.
fn find<'a>(
    role: &'a Product,
    version: Option<&str>,
) -> Result<(&'a Name, &'a ProductTarget, String), CliError> {
    let releases = role.targets().iter();
    let releases =
        releases.filter_map(|(name, target)| Some((name, target, target.release.as_ref()?)));
    let wanted = releases.filter(|(_, _, release)| version.is_none_or(|it| it == release.version));
    let found = wanted.max_by_key(|(_, _, release)| release.release);
    let (name, target, release) = found.ok_or_else(|| {
        let message = version.map_or_else(
            || "there is no release".to_owned(),
            |version| format!("no release {version}"),
        );
        CliError::new(Exit::No, message).hint("streembit-publisher list")
    })?;
    Ok((name, target, release.version.clone()))
}

/// Opens the key, unless it does not fit or signs something else: what one format signs must never
/// be readable as another.
fn open(
    layout: &Layout,
    in_force: &InForce,
    format: Format,
    uri: &str,
) -> Result<Signer, CliError> {
    let uri = settings::resolve(&layout.folder, uri)?;
    let public = Signer::public_of(&uri)?;
    if !format.takes(public.algorithm()) {
        let (tool, needed) = (format.name(), format.keys());
        let message = format!(
            "{tool} needs {needed}; {uri} is {}",
            public.algorithm().name()
        );
        return Err(
            CliError::new(Exit::Key, message).hint("streembit-publisher keys create release.key")
        );
    }
    let used = |by: &str| {
        CliError::new(Exit::Key, format_args!("{uri} signs {by} already")).hint(format_args!(
            "take a key of its own for {}: no key signs two formats",
            format.name()
        ))
    };
    let role_key = RoleKey::from(public.clone());
    for (role, authority) in roles(&in_force.repository) {
        if authority.distinct_keys().contains(&&role_key) {
            return Err(used(&format!("role {role}")));
        }
    }
    let first = Envelope::<Root>::parse(&layout.first_root()?).context(Exit::No, "1.root.json")?;
    let first = first.verify_self().context(Exit::No, "1.root.json")?;
    let accounts = [first.account(), in_force.repository.root.account()];
    if accounts.contains(&Some(&public)) {
        return Err(used("release heads"));
    }
    Signer::open(&uri)
}

/// A copy on its way to its place; removed unless it is kept.
struct Copied {
    temporary: PathBuf,
    path: PathBuf,
    length: u64,
    sha256: Sha256,
}

impl Copied {
    /// Copies a file, and into `message` what is signed of it: these bytes and no others.
    fn new(from: &Path, to: &Path, message: &mut Message) -> Result<Self, CliError> {
        let mut name = to.file_name().unwrap_or_default().to_os_string();
        name.push(".tmp");
        let mut copied = Self {
            temporary: to.with_file_name(name),
            path: to.to_owned(),
            length: 0,
            sha256: Sha256::new([0; 32]),
        };
        let filled = copied.fill(from, message);
        filled
            .map_err(|error| PathError::new(from, error))
            .context(Exit::No, "export")?;
        Ok(copied)
    }

    fn fill(&mut self, from: &Path, message: &mut Message) -> io::Result<()> {
        let mut source = File::open(from)?;
        let mut target = File::create(&self.temporary)?;
        let mut sha256 = sha2::Sha256::new();
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let length = source.read(&mut buffer)?;
            let Some(piece) = buffer.get(..length).filter(|piece| !piece.is_empty()) else {
                break;
            };
            target.write_all(piece)?;
            sha256.update(piece);
            message.update(piece);
            self.length += length as u64;
        }
        self.sha256 = Sha256::new(sha256.finalize().into());
        target.sync_all()
    }

    /// Whether the bytes are those that the product's role signs for.
    fn check(&self, target: &ProductTarget) -> Result<(), CliError> {
        if self.length == target.length && self.sha256 == target.sha256 {
            return Ok(());
        }
        let name = self.path.file_name().unwrap_or_default().display();
        let message = format!("{name}: content does not match its signed digest");
        Err(CliError::new(Exit::No, message).hint("restore the file, or release again"))
    }

    fn keep(&self) -> Result<(), CliError> {
        fs::rename(&self.temporary, &self.path)
            .and_then(|()| durable::sync_folder_of(&self.path))
            .map_err(|error| PathError::new(&self.path, error))
            .context(Exit::No, "export")
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // Gone already where it was kept.
        drop(fs::remove_file(&self.temporary));
    }
}
