//! `streembit-publisher sign`: signatures for the staged change, in the repository or in a file on a
//! machine without a network.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use cli::{CliError, Exit, Output};
use serde_json::json;

use crate::publish;
use crate::repository::Layout;
use crate::settings::Settings;
use crate::stage_file::StageFile;
use crate::staged::{InForce, Staged};

/// Options of sign
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A file that `stage` wrote [default: the staged change of the repository]
    pub file: Option<PathBuf>,
    /// Sign with this key (repeatable) [default: the keys of publisher.toml that are here]
    #[arg(long, short = 'k', value_name = "URI")]
    pub key: Vec<String>,
    /// Don't ask, once the change was shown
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// Runs `sign`.
///
/// # Errors
/// [`CliError`]; no signature is added then.
pub fn run(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    match &args.file {
        Some(file) => sign_file(args, file, output),
        None => sign_staged(args, folder, output),
    }
}

fn sign_staged(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
    let _lock = layout.lock()?;
    let in_force = InForce::load(&layout, settings.product_name()?)?;
    let mut staged = Staged::load(&layout)?;
    if staged.documents.is_empty() {
        return Err(CliError::new(Exit::No, "nothing is staged")
            .hint("streembit-publisher root, role, keys or release stage a change"));
    }
    publish::show(&in_force.documents, &staged, output);
    confirm(args)?;
    if args.key.is_empty() {
        publish::sign_with_keys_here(&layout, &settings, (&in_force, &mut staged), output)?;
    } else {
        sign_by(&args.key, &in_force, &mut staged, output)?;
    }
    staged.save(&layout)?;
    let lacks = staged.lacks(&in_force)?;
    let text = match lacks.as_slice() {
        [] => "complete    next: streembit-publisher publish".to_owned(),
        lacks => format!("lacking     {} more signatures; see publish", lacks.len()),
    };
    output.result(&json!({ "lacks": lacks }), text)?;
    Ok(Exit::Done)
}

fn sign_by(
    uris: &[String],
    in_force: &InForce,
    staged: &mut Staged,
    output: Output,
) -> Result<(), CliError> {
    let demands = staged.demands(in_force)?;
    for signer in publish::named_signers(uris)? {
        let roles = staged.sign(&demands, &signer)?;
        if roles.is_empty() {
            let message = format!("{} may sign nothing of this change", signer.uri());
            return Err(CliError::new(Exit::Key, message).hint("streembit-publisher keys list"));
        }
        output.note(format_args!(
            "signed      {} by {}",
            roles.join(" "),
            signer.uri()
        ));
    }
    Ok(())
}

fn sign_file(args: &Args, path: &Path, output: Output) -> Result<Exit, CliError> {
    let mut file = StageFile::load(path)?;
    if args.key.is_empty() {
        return Err(CliError::new(Exit::Usage, "no key is named").hint("sign FILE --key URI"));
    }
    let in_force = file.in_force()?;
    output.note(format_args!("publisher   {}", file.publisher_id));
    publish::show(&in_force.documents, &file.staged, output);
    confirm(args)?;
    sign_by(&args.key, &in_force, &mut file.staged, output)?;
    file.save(path)?;
    let lacks = file.staged.lacks(&in_force)?;
    output.result(
        &json!({ "file": path.display().to_string(), "lacks": lacks }),
        format_args!("signed      {}", path.display()),
    )?;
    Ok(Exit::Done)
}

/// Asks a person at a terminal; elsewhere naming the key is the consent.
fn confirm(args: &Args) -> Result<(), CliError> {
    if args.yes || !io::stdin().is_terminal() || args.key.iter().any(|uri| uri == "-") {
        return Ok(());
    }
    drop(rprompt("Sign this change? [y/N] "));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(CliError::new(Exit::No, "not signed"))
}

fn rprompt(text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut terminal = io::stderr().lock();
    terminal.write_all(text.as_bytes())?;
    terminal.flush()
}
