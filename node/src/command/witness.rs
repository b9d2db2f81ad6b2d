//! `streembit witness`: the key of a witness, and the logs that it watches. A running one hears of logs by itself; a mirror begins when it is started again.

use std::path::Path;

use cli::exit::Context as _;
use cli::keyfile::NewKey as Protection;
use cli::{CliError, Exit, Output, keyfile};
use keys::{Algorithm, PublicKey};
use serde_json::{Value, json};
use tlog::vkey::VerifierKey;

use super::DataDirectory;
use crate::witness::Witness;
use crate::witness::place::{self, Place};

/// Commands of a witness
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Watch a log: its checkpoints are cosigned from now on
    AddLog(Log),
    /// Make a witness: an Ed25519 key and a name; print what policies name it by
    Init(NewKey),
    /// Keep the entries of all logs that are watched, and cosign what is held by a key of its own (C2SP tlog-mirror)
    Mirror(NewKey),
    /// Watch a log no longer; what was cosigned stays known
    RemoveLog(Log),
    /// Show the key, the logs, and what was cosigned last of each
    Show(DataDirectory),
}

/// A key to be made
#[derive(Debug, clap::Args)]
pub struct NewKey {
    /// Its name, like a URL without scheme, such as witness.example/w1
    pub name: String,
    /// Don't encrypt the key file: for witnesses that start unattended
    #[arg(long)]
    pub no_passcode: bool,
    /// Where the witness is kept
    #[command(flatten)]
    pub place: DataDirectory,
}

/// A log
#[derive(Debug, clap::Args)]
pub struct Log {
    /// Its key: ORIGIN+ID+BASE64 (C2SP vkey), as `streembit-publisher log show` prints it
    #[arg(value_name = "VKEY")]
    pub key: VerifierKey,
    /// Where the witness is kept
    #[command(flatten)]
    pub place: DataDirectory,
}

/// Opens the witness in a data folder, with its private key.
///
/// # Errors
/// [`CliError`]: [`Exit::Usage`] if there is none, [`Exit::Key`].
pub fn open(data_directory: &Path) -> Result<Witness, CliError> {
    let place = Place::of(data_directory);
    place.verifier_key().context(Exit::Usage, "witness")?;
    let key = keyfile::open(&place.key_file().display().to_string())?;
    let mirror = place.mirror_key().context(Exit::No, "witness")?;
    let open = |_| keyfile::open(&place.mirror_key_file().display().to_string());
    let mirror = mirror.map(open).transpose()?;
    Witness::new(place, key, mirror).context(Exit::No, "witness")
}

/// Runs `streembit witness`.
///
/// # Errors
/// [`CliError`].
pub fn run(command: &Command, output: Output) -> Result<Exit, CliError> {
    match command {
        Command::AddLog(log) => watch(log, true, output),
        Command::RemoveLog(log) => watch(log, false, output),
        Command::Show(place) => show(&place.data_directory, output),
        Command::Init(new) => {
            let place = Place::of(&new.place.data_directory);
            place.prepare().context(Exit::No, "witness")?;
            let public = make_key(&place.key_file(), new.no_passcode)?;
            let key = place.create(&new.name, public);
            print_key("witness", &key.context(Exit::Usage, "witness")?, output)
        }
        Command::Mirror(new) => {
            let place = Place::of(&new.place.data_directory);
            place.verifier_key().context(Exit::Usage, "witness")?;
            let public = make_key(&place.mirror_key_file(), new.no_passcode)?;
            let key = place.create_mirror(&new.name, public);
            print_key("mirror ", &key.context(Exit::Usage, "mirror")?, output)
        }
    }
}

fn print_key(what: &str, key: &VerifierKey, output: Output) -> Result<Exit, CliError> {
    let value = json!({ "key": key.to_string(), "name": key.name() });
    output.result(&value, format_args!("{what}     {key}"))?;
    Ok(Exit::Done)
}

fn make_key(path: &Path, no_passcode: bool) -> Result<PublicKey, CliError> {
    // One that is there was made by a run that didn't come to its end.
    if path.exists() {
        return Ok(keyfile::open(&path.display().to_string())?.public());
    }
    let protection = match no_passcode {
        true => Protection::Unprotected,
        false => Protection::Encrypted,
    };
    Ok(keyfile::create(path, Algorithm::Ed25519, "witness", protection)?.public())
}

fn watch(log: &Log, is_watched: bool, output: Output) -> Result<Exit, CliError> {
    let place = Place::of(&log.place.data_directory);
    let is_new = place.watch(&log.key, is_watched);
    let is_new = is_new.context(Exit::Usage, "witness")?;
    let said = match (is_watched, is_new) {
        (true, true) => "watched",
        (true, false) => "watched already",
        (false, true) => "no longer watched",
        (false, false) => "not watched",
    };
    let value = json!({ "origin": log.key.name(), "watched": is_watched, "changed": is_new });
    output.result(&value, format_args!("{}  {said}", log.key.name()))?;
    Ok(Exit::Done)
}

fn show(data_directory: &Path, output: Output) -> Result<Exit, CliError> {
    let place = Place::of(data_directory);
    let key = place.verifier_key().context(Exit::Usage, "witness")?;
    let logs = place.logs().context(Exit::No, "witness")?;
    let mirror = place.mirror_key().context(Exit::No, "witness")?;
    let mut text = format!("witness     {key}\n");
    if let Some(mirror) = &mirror {
        text.push_str(&format!("mirror      {mirror}\n"));
    }
    let mut shown: Vec<Value> = Vec::new();
    for log in logs {
        let latest = place.latest(log.name()).context(Exit::No, "witness")?;
        text.push_str(&format!(
            "log         {log}\n            cosigned {} entries\n",
            latest.size
        ));
        shown.push(json!({
            "key": log.to_string(), "origin": log.name(), "size": latest.size,
            "root": latest.root.to_string(), "hash": place::hash(log.name()),
        }));
    }
    let mirror = mirror.map(|key| key.to_string());
    let value = json!({ "key": key.to_string(), "mirror": mirror, "logs": shown });
    output.result(&value, text)?;
    Ok(Exit::Done)
}
