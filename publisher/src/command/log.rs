//! `streembit-publisher log`: the transparency log of this repository. Each step can be run by itself, and again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use keys::Algorithm;
use serde_json::{Value, json};
use tlog::limits::ENTRY_BYTES_MAX;
use tlog::note::Note;

use crate::command::keys::new_key;
use crate::command::policy;
use crate::evidence;
use crate::log::LogError;
use crate::log::opened::{FOLDER, OpenLog, POLICY, check_origin, read_policy, verifier_key};
use crate::log::sigsum;
use crate::repository::Layout;
use crate::settings::{self, LogSettings, Settings};

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
    /// Change the policy: log it under the one in force, and tell devices by a target of each product
    Policy {
        /// The new policy (C2SP tlog-policy)
        file: PathBuf,
    },
    /// Print the proof that an entry is in the log (C2SP tlog-proof)
    Prove(ProveArgs),
    /// Show the newest checkpoint to others, once witnesses enough have cosigned it
    Publish,
    /// Show the log's key, its sizes, and who has cosigned
    Show,
    /// Sign a checkpoint of the tree
    Sign,
    /// Prove an entry to sigsum-verify: keeps a second tree that Sigsum's tools read, with the same key and witnesses
    Sigsum {
        /// The entry's number, from 0
        index: u64,
        /// Write proof, policy and key.pub into this folder
        #[arg(long, short, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Integrate, sign, ask the witnesses and publish
    Update,
    /// Read every entry and tile, and compare them with the signed root
    Verify,
    /// Ask the witnesses of the policy that have an address to cosign
    Witness,
}

/// Options of prove
#[derive(Clone, Debug, clap::Args)]
pub struct ProveArgs {
    /// The entry's number, from 0
    pub index: u64,
    /// Write it to this file
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write the entry itself to this file
    #[arg(long, value_name = "FILE")]
    pub entry: Option<PathBuf>,
    /// Who reads the proof
    #[arg(long = "as", value_name = "FORM", default_value = "tlog-proof")]
    pub form: ProofForm,
}

/// Forms of a proof
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ProofForm {
    /// C2SP tlog-proof, as bundles have it
    TlogProof,
    /// A spicy signature of the entry, for spicy-torchwood 0.9: the same without its first line
    Spicy,
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
    /// Sign images and statements with this P-256 key [default: a new one]
    #[arg(long, value_name = "KEY")]
    pub statements: Option<String>,
    /// Logs and witnesses that count (C2SP tlog-policy) [default: this log, and no witnesses]
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Don't encrypt the new keys
    #[arg(long)]
    pub no_passcode: bool,
}

/// Runs `streembit-publisher log`.
///
/// # Errors
/// [`CliError`]: [`Exit::Quorum`] if too few witnesses have cosigned, [`Exit::No`] if the log is damaged.
pub fn run(command: &LogCommand, folder: &Path, output: Output) -> Result<Exit, CliError> {
    if let LogCommand::Init(args) = command {
        return init(args, folder, output);
    }
    if let LogCommand::Policy { file } = command {
        return policy::run(file, folder, output);
    }
    let lock = Layout::new(folder).lock()?;
    let settings = Settings::load(folder)?;
    let open = OpenLog::open(folder, &settings)?.ok_or_else(|| {
        CliError::new(Exit::Usage, "this repository has no log")
            .hint("streembit-publisher log init --origin NAME")
    })?;
    let done = carry_out(command, &open, output);
    drop(lock);
    done
}

fn carry_out(command: &LogCommand, open: &OpenLog, output: Output) -> Result<Exit, CliError> {
    match command {
        LogCommand::Init(_) | LogCommand::Policy { .. } => {}
        LogCommand::Append { files } => return append(open, files, output),
        LogCommand::Integrate => {
            open.integrate()?;
        }
        LogCommand::Sign => {
            open.sign()?;
        }
        LogCommand::Witness => open.witness(output)?,
        LogCommand::Publish => {
            open.publish()?;
            evidence::complete(open)?;
        }
        LogCommand::Update => evidence::update(open, output)?,
        LogCommand::Prove(args) => return prove(open, args, output),
        LogCommand::Sigsum { index, out } => return prove_to_sigsum(open, *index, out, output),
        LogCommand::Verify => return verify(open, output),
        LogCommand::Show => {}
    }
    show(open, output)
}

fn init(args: &InitArgs, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let mut settings = Settings::load(folder)?;
    let _lock = Layout::new(folder).lock()?;
    if settings.log.is_some() {
        return Err(CliError::new(Exit::Usage, "there is a log already")
            .hint("streembit-publisher log show"));
    }
    check_origin(&args.origin)?;
    let uri = match &args.key {
        Some(uri) => settings::given(folder, uri)?,
        None => {
            let protection = crate::command::keys::protection(args.no_passcode);
            new_key(folder, "log", Algorithm::Ed25519, protection)?
        }
    };
    let statements = match &args.statements {
        Some(uri) => settings::given(folder, uri)?,
        None => {
            let protection = crate::command::keys::protection(args.no_passcode);
            new_key(folder, "statements", Algorithm::P256, protection)?
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
        statements,
        builders: BTreeMap::new(),
    });
    settings.save(folder)?;
    let text = format!(
        "log         {key}\npolicy      {}\nnext        name witnesses in the policy, then streembit-publisher log update",
        path.display()
    );
    output.result(&json!({ "key": key.to_string(), "policy": path }), text)?;
    Ok(Exit::Done)
}

fn append(open: &OpenLog, files: &[PathBuf], output: Output) -> Result<Exit, CliError> {
    let limit = u64::try_from(ENTRY_BYTES_MAX).unwrap_or(u64::MAX);
    let read = |path: &PathBuf| durable::read(path, limit).context(Exit::No, "entry");
    let entries = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let first = open.log.append(entries.iter().map(Vec::as_slice));
    let first = first?;
    let text = format!("queued      {} from number {first}", entries.len());
    output.result(&json!({ "first": first, "count": entries.len() }), text)?;
    Ok(Exit::Done)
}

fn prove(open: &OpenLog, args: &ProveArgs, output: Output) -> Result<Exit, CliError> {
    let checkpoint = open.log.checkpoint()?;
    let checkpoint = checkpoint.ok_or(LogError::Unsigned)?;
    let proof = open.log.prove(args.index, checkpoint)?;
    if let Some(path) = &args.entry {
        let entry = open.log.entry(args.index)?;
        fs::write(path, entry).context(Exit::No, path.display())?;
    }
    let proof = match args.form {
        ProofForm::TlogProof => proof.to_string(),
        ProofForm::Spicy => proof.to_spicy(),
    };
    match &args.out {
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

fn prove_to_sigsum(
    open: &OpenLog,
    index: u64,
    folder: &Path,
    output: Output,
) -> Result<Exit, CliError> {
    let exported = sigsum::export(open, index, output)?;
    durable::create_folder(folder).context(Exit::No, "out")?;
    let key = format!("{}\n", exported.key.to_ssh_line());
    let [proof, policy, public] = ["proof", "policy", "key.pub"].map(|name| folder.join(name));
    for (path, text) in [
        (&proof, &exported.proof),
        (&policy, &exported.policy),
        (&public, &key),
    ] {
        fs::write(path, text).context(Exit::No, path.display())?;
    }
    let text = format!(
        "check       sigsum-verify -k {} -p {} {} < FILE",
        public.display(),
        policy.display(),
        proof.display()
    );
    let value = json!({ "proof": proof, "policy": policy, "key": public });
    output.result(&value, text)?;
    Ok(Exit::Done)
}

fn verify(open: &OpenLog, output: Output) -> Result<Exit, CliError> {
    let tree = open.log.verify()?;
    let text = format!(
        "log         {}\nentries     {}, all as signed",
        tree.origin, tree.size
    );
    output.result(&json!({ "origin": tree.origin, "size": tree.size }), text)?;
    Ok(Exit::Done)
}

fn show(open: &OpenLog, output: Output) -> Result<Exit, CliError> {
    let tree = open.log.tree()?;
    let (signed, published) = (open.log.signed()?, open.log.checkpoint()?);
    let size = |note: &Option<Note>| note.as_ref().and_then(size_of);
    let cosigned = signed
        .as_ref()
        .map(|note| cosigners(open, note))
        .unwrap_or_default();
    let mut text = format!(
        "log         {}\nentries     {}\nsigned      {}\npublished   {}\n",
        open.key,
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
        "key": open.key.to_string(), "origin": open.log.origin(), "size": tree.size,
        "root": tree.root.to_string(), "signed": size(&signed), "published": size(&published),
        "cosigned": names(true), "missing": names(false),
    });
    output.result(&value, text)?;
    Ok(Exit::Done)
}

/// The policy's witnesses, and whether each has cosigned.
fn cosigners(open: &OpenLog, note: &Note) -> Vec<(String, bool)> {
    let witnesses = open.policy.witnesses().iter();
    witnesses
        .map(|party| (party.name.clone(), note.signed_by(&party.key).is_some()))
        .collect()
}

fn size_of(note: &Note) -> Option<u64> {
    let checkpoint: tlog::checkpoint::Checkpoint = note.text().parse().ok()?;
    Some(checkpoint.size)
}
