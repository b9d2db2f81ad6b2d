//! `streembit-publisher log`: the transparency log of this repository. Each step can be run by itself, and again.

use std::fs;
use std::path::{Path, PathBuf};

use cli::durable::{self, Access, Lock};
use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, Output};
use keys::Algorithm;
use serde_json::{Value, json};
use tlog::limits::{ENTRY_BYTES_MAX, POLICY_BYTES_MAX};
use tlog::note::{Line, Note};
use tlog::policy::{Accepted, Policy, Refusal};
use tlog::vkey::{Scheme, VerifierKey};

use crate::command::keys::new_key;
use crate::log::witnesses::{self, Asked};
use crate::log::{Log, LogError};
use crate::repository::Layout;
use crate::settings::{self, LogSettings, Settings};

/// Folder of the log, and its policy in it.
const FOLDER: &str = "log";
const POLICY: &str = "policy";

/// What to do with the log
#[derive(Clone, Debug, clap::Subcommand)]
pub enum LogCommand {
    /// Queue files as entries: they are durable and have their numbers, and are in no tree yet
    Append {
        /// The entries; what is in each is the entry
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Begin the log: a key, a name, a policy
    Init(InitArgs),
    /// Take what is queued into the tree
    Integrate,
    /// Print the proof that an entry is in the log (C2SP tlog-proof)
    Prove {
        /// The entry's number, from 0
        index: u64,
        /// Write it to this file
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Show the newest checkpoint to others, once witnesses enough have cosigned it
    Publish,
    /// Show the log's key, its sizes, and who has cosigned
    Show,
    /// Sign a checkpoint of the tree
    Sign,
    /// Integrate, sign, ask the witnesses and publish
    Update,
    /// Read every entry and tile, and compare them with the signed root
    Verify,
    /// Ask the witnesses of the policy that have an address to cosign
    Witness,
}

/// Options of init
#[derive(Clone, Debug, clap::Args)]
pub struct InitArgs {
    /// The log's name: a host name without a path, such as fwlog.example.com
    #[arg(long, value_name = "NAME")]
    pub origin: String,
    /// Sign checkpoints with this Ed25519 key [default: a new one]
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Logs and witnesses that count (C2SP tlog-policy) [default: this log, and no witnesses]
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Don't encrypt the new key
    #[arg(long)]
    pub no_passcode: bool,
}

/// The log of a repository, with its key and its policy.
struct Open {
    log: Log,
    key: VerifierKey,
    uri: String,
    policy: Policy,
    _lock: Lock,
}

/// Runs `streembit-publisher log`.
///
/// # Errors
/// [`CliError`]: [`Exit::Quorum`] if too few witnesses have cosigned, [`Exit::No`] if the log is damaged.
pub fn run(command: &LogCommand, folder: &Path, output: Output) -> Result<Exit, CliError> {
    if let LogCommand::Init(args) = command {
        return init(args, folder, output);
    }
    let open = Open::new(folder)?;
    match command {
        LogCommand::Init(_) => {}
        LogCommand::Append { files } => return open.append(files, output),
        LogCommand::Integrate => {
            open.integrate()?;
        }
        LogCommand::Sign => {
            open.sign()?;
        }
        LogCommand::Witness => open.witness(output)?,
        LogCommand::Publish => {
            open.publish()?;
        }
        LogCommand::Update => open.update(output)?,
        LogCommand::Prove { index, out } => return open.prove(*index, out.as_deref(), output),
        LogCommand::Verify => return open.verify(output),
        LogCommand::Show => {}
    }
    open.show(output)
}

fn init(args: &InitArgs, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let mut settings = Settings::load(folder)?;
    let _lock = Layout::new(folder).lock()?;
    if settings.log.is_some() {
        return Err(CliError::new(Exit::Usage, "there is a log already")
            .hint("streembit-publisher log show"));
    }
    let uri = match &args.key {
        Some(uri) => settings::given(folder, uri)?,
        None => {
            let protection = crate::command::keys::protection(args.no_passcode);
            new_key(folder, "log", Algorithm::Ed25519, protection)?
        }
    };
    let key = verifier_key(folder, &args.origin, &uri)?;
    let policy = match &args.policy {
        Some(path) => read_policy(path)?.0,
        None => format!("log {key}\nquorum none\n").into_bytes(),
    };
    let path = folder.join(FOLDER).join(POLICY);
    durable::create_folder(&folder.join(FOLDER)).context(Exit::No, "log")?;
    durable::replace(&path, &policy, Access::World).context(Exit::No, "log")?;
    settings.log = Some(LogSettings {
        origin: args.origin.clone(),
        key: uri,
    });
    settings.save(folder)?;
    let text = format!(
        "log         {key}\npolicy      {}\nnext        name witnesses in the policy, then streembit-publisher log update",
        path.display()
    );
    output.result(&json!({ "key": key.to_string(), "policy": path }), text)?;
    Ok(Exit::Done)
}

fn verifier_key(folder: &Path, origin: &str, uri: &str) -> Result<VerifierKey, CliError> {
    let public = Signer::public_of(&settings::resolve(folder, uri)?)?;
    let key = VerifierKey::new(origin, Scheme::Note(public));
    let key = key.context(Exit::Usage, format_args!("log {origin:?}"));
    key.map_err(|error| error.hint("a host name without a path, and an Ed25519 key"))
}

fn read_policy(path: &Path) -> Result<(Vec<u8>, Policy), CliError> {
    let limit = u64::try_from(POLICY_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = durable::read(path, limit).context(Exit::Usage, "policy")?;
    let policy = Policy::parse(&bytes).context(Exit::Usage, path.display())?;
    Ok((bytes, policy))
}

impl From<LogError> for CliError {
    fn from(error: LogError) -> Self {
        let (exit, hint) = match &error {
            LogError::Refused(Refusal::Quorum(_)) => (
                Exit::Quorum,
                "streembit-publisher log witness, then log publish",
            ),
            LogError::Unsigned => (Exit::No, "streembit-publisher log update"),
            LogError::Forked(_) => (
                Exit::Equivocation,
                "sign nothing but the newest copy of the log: bring that back",
            ),
            _ => (Exit::No, "streembit-publisher log verify"),
        };
        Self::from_error(exit, "log", &error).hint(hint)
    }
}

impl Open {
    fn new(folder: &Path) -> Result<Self, CliError> {
        let settings = Settings::load(folder)?;
        let log = settings.log.ok_or_else(|| {
            CliError::new(Exit::Usage, "this repository has no log")
                .hint("streembit-publisher log init --origin NAME")
        })?;
        let lock = Layout::new(folder).lock()?;
        let place = folder.join(FOLDER);
        Ok(Self {
            key: verifier_key(folder, &log.origin, &log.key)?,
            uri: settings::resolve(folder, &log.key)?,
            policy: read_policy(&place.join(POLICY))?.1,
            log: Log::new(&place, &log.origin),
            _lock: lock,
        })
    }

    fn append(&self, files: &[PathBuf], output: Output) -> Result<Exit, CliError> {
        let limit = u64::try_from(ENTRY_BYTES_MAX).unwrap_or(u64::MAX);
        let read = |path: &PathBuf| durable::read(path, limit).context(Exit::No, "entry");
        let entries = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let first = self.log.append(entries.iter().map(Vec::as_slice));
        let first = first?;
        let text = format!("queued      {} from number {first}", entries.len());
        output.result(&json!({ "first": first, "count": entries.len() }), text)?;
        Ok(Exit::Done)
    }

    fn integrate(&self) -> Result<u64, CliError> {
        Ok(self.log.integrate()?.size)
    }

    fn sign(&self) -> Result<Note, CliError> {
        let signer = Signer::open(&self.uri)?;
        self.log.sign(&self.key, |text| signer.sign(text))
    }

    fn witness(&self, output: Output) -> Result<(), CliError> {
        let known = self.log.checkpoint()?;
        let runtime = tokio::runtime::Runtime::new().context(Exit::No, "runtime")?;
        let asked = witnesses::ask(&self.log, self.policy.witnesses(), known.as_ref());
        let asked: Vec<Asked> = runtime.block_on(asked)?;
        let mut lines: Vec<Line> = Vec::new();
        for Asked { name, answer } in asked {
            match answer {
                Ok(line) => lines.push(line),
                Err(why) => output.note(format_args!("witness     {name}: {why}")),
            }
        }
        let witnesses = self.policy.witnesses().iter().map(|party| &party.key);
        let keys = std::iter::once(&self.key).chain(witnesses);
        self.log.add_cosignatures(lines, keys)?;
        Ok(())
    }

    fn publish(&self) -> Result<Accepted, CliError> {
        Ok(self.log.publish(&self.policy, node::clock::unix_now())?)
    }

    fn update(&self, output: Output) -> Result<(), CliError> {
        self.integrate()?;
        self.sign()?;
        self.witness(output)?;
        self.publish()?;
        Ok(())
    }

    fn prove(&self, index: u64, out: Option<&Path>, output: Output) -> Result<Exit, CliError> {
        let checkpoint = self.log.checkpoint()?;
        let checkpoint = checkpoint.ok_or(LogError::Unsigned)?;
        let proof = self.log.prove(index, checkpoint)?.to_string();
        match out {
            Some(path) => {
                fs::write(path, &proof).context(Exit::No, path.display())?;
                output.result(
                    &json!({ "file": path }),
                    format_args!("proof       {}", path.display()),
                )?;
            }
            None => output.result(&json!({ "proof": proof }), &proof)?,
        }
        Ok(Exit::Done)
    }

    fn verify(&self, output: Output) -> Result<Exit, CliError> {
        let tree = self.log.verify()?;
        let text = format!(
            "log         {}\nentries     {}, all as signed",
            tree.origin, tree.size
        );
        output.result(&json!({ "origin": tree.origin, "size": tree.size }), text)?;
        Ok(Exit::Done)
    }

    fn show(&self, output: Output) -> Result<Exit, CliError> {
        let tree = self.log.tree()?;
        let (signed, published) = (self.log.signed()?, self.log.checkpoint()?);
        let size = |note: &Option<Note>| note.as_ref().and_then(size_of);
        let cosigned = signed
            .as_ref()
            .map(|note| self.cosigners(note))
            .unwrap_or_default();
        let mut text = format!(
            "log         {}\nentries     {}\nsigned      {}\npublished   {}\n",
            self.key,
            tree.size,
            size(&signed).map_or_else(|| "nothing".to_owned(), |size| size.to_string()),
            size(&published).map_or_else(|| "nothing".to_owned(), |size| size.to_string()),
        );
        for (name, is_there) in &cosigned {
            let said = if *is_there { "cosigned" } else { "missing" };
            text.push_str(&format!("witness     {name}  {said}\n"));
        }
        let names = |is_there: bool| -> Vec<&str> {
            let of = cosigned.iter().filter(|(_, there)| *there == is_there);
            of.map(|(name, _)| name.as_str()).collect()
        };
        let value: Value = json!({
            "key": self.key.to_string(), "origin": self.log.origin(), "size": tree.size,
            "root": tree.root.to_string(), "signed": size(&signed), "published": size(&published),
            "cosigned": names(true), "missing": names(false),
        });
        output.result(&value, text)?;
        Ok(Exit::Done)
    }

    /// The policy's witnesses, and whether each has cosigned.
    fn cosigners(&self, note: &Note) -> Vec<(String, bool)> {
        let witnesses = self.policy.witnesses().iter();
        witnesses
            .map(|party| (party.name.clone(), note.signed_by(&party.key).is_some()))
            .collect()
    }
}

fn size_of(note: &Note) -> Option<u64> {
    let checkpoint: tlog::checkpoint::Checkpoint = note.text().parse().ok()?;
    Some(checkpoint.size)
}
