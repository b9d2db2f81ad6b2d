//! `streembit-publisher sign`: signatures for the staged change, in the repository or in a file on a
//! machine without a network.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use cli::signer::Signer;
use cli::{CliError, Exit, Output};
use manifests::envelope::Metadata as _;
use manifests::header::Header;
use serde_json::json;

use crate::change::Change;
use crate::known::{self, Known};
use crate::preview::Preview;
use crate::stage_file::StageFile;
use crate::staged::{InForce, Lack, Staged};

/// Options of sign
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A file that `stage` wrote [default: the staged change of the repository]
    pub file: Option<PathBuf>,
    /// Sign with this key (repeatable) [default: the keys of publisher.toml that are here]
    #[arg(long, short = 'k', value_name = "URI")]
    pub key: Vec<String>,
    /// Whose change FILE is: the publisher's id, as `root show` and a device's pin give it; needed once
    #[arg(long, value_name = "ID", requires = "file")]
    pub publisher: Option<String>,
    /// Where publishers are remembered [default: streembit/publishers in the user's state folder]
    #[arg(long, value_name = "DIR", env = "STREEMBIT_KNOWN_PUBLISHERS")]
    pub known: Option<PathBuf>,
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
    let mut change = Change::open_staged(folder)?;
    show(&change.preview(), output)?;
    confirm(args)?;
    if args.key.is_empty() {
        change.sign_with_keys_here(output)?;
    } else {
        sign_by(&args.key, &change.in_force, &mut change.staged, output)?;
    }
    change.save()?;
    let lacks = change.lacks()?;
    output.result(&json!({ "lacks": lacks }), Lack::summary(&lacks))?;
    Ok(Exit::Done)
}

/// What is signed is shown first, whatever else is left out.
fn show(preview: &[Preview], output: Output) -> Result<(), CliError> {
    output.result(&json!({ "staged": preview }), Preview::text(preview))
}

fn sign_by(
    uris: &[String],
    in_force: &InForce,
    staged: &mut Staged,
    output: Output,
) -> Result<BTreeSet<String>, CliError> {
    let mut signed = BTreeSet::new();
    let demands = staged.demands(in_force)?;
    for uri in uris {
        let signer = Signer::open(uri)?;
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
        signed.extend(roles);
    }
    Ok(signed)
}

/// A publisher that was never signed for has to be named: the file could be anybody's.
fn check_publisher(args: &Args, file: &StageFile, known: &Known) -> Result<(), CliError> {
    match &args.publisher {
        Some(id) if *id == file.publisher_id.to_string() => Ok(()),
        Some(_) => {
            let message = format!("the file is of publisher {}", file.publisher_id);
            Err(CliError::new(Exit::No, message).hint("don't sign it"))
        }
        None if known.documents.is_empty() => {
            let message = "nothing was signed for this publisher here before";
            Err(CliError::new(Exit::Usage, message).hint(
                "name it, from `root show` at the publisher's or a device's pin: --publisher ID",
            ))
        }
        None => Ok(()),
    }
}

/// What is in force by the file, and until when.
fn standing(in_force: &InForce) -> String {
    let repository = &in_force.repository;
    let top = [
        ("root", repository.root.header()),
        ("targets", repository.targets.header()),
    ];
    let products = repository.products.iter();
    let products = products.map(|(name, role)| (name.as_str(), role.header()));
    let line = |(role, header): (&str, &Header)| {
        format!(
            "in force    {role} {} until {}\n",
            header.version, header.expires
        )
    };
    top.into_iter().chain(products).map(line).collect()
}

fn sign_file(args: &Args, path: &Path, output: Output) -> Result<Exit, CliError> {
    let mut file = StageFile::load(path)?;
    if args.key.is_empty() {
        return Err(CliError::new(Exit::Usage, "no key is named").hint("sign FILE --key URI"));
    }
    let folder = match &args.known {
        Some(folder) => folder.clone(),
        None => known::default_folder()?,
    };
    let known = Known::load(&folder, &file.publisher_id)?;
    check_publisher(args, &file, &known)?;
    let in_force = file.in_force()?;
    known
        .check(&in_force, &file.staged)
        .map_err(|error| error.within(path.display()))?;
    let base = known.base(&in_force, &file.staged);
    let preview = Preview::of(&base, &file.staged.documents);
    let text = format!(
        "publisher   {}\n{}{}",
        file.publisher_id,
        standing(&in_force),
        Preview::text(&preview)
    );
    let value = json!({ "publisher_id": file.publisher_id.to_string(), "staged": preview });
    output.result(&value, text)?;
    confirm(args)?;
    let signed = sign_by(&args.key, &in_force, &mut file.staged, output)?;
    let documents = file.staged.documents.clone().into_iter();
    known.remember(
        &in_force,
        documents.filter(|(role, _)| signed.contains(role)),
    )?;
    file.save(path)?;
    let lacks = file.staged.lacks(&in_force)?;
    output.result(
        &json!({ "file": path.display().to_string(), "lacks": lacks }),
        format_args!(
            "signed      {}\n{}",
            path.display(),
            if lacks.is_empty() {
                "complete    next: streembit-publisher approve, at the publisher's".to_owned()
            } else {
                Lack::summary(&lacks)
            }
        ),
    )?;
    Ok(Exit::Done)
}

/// Asks a person at a terminal; elsewhere naming the key is the consent.
fn confirm(args: &Args) -> Result<(), CliError> {
    if args.yes || !io::stdin().is_terminal() || args.key.iter().any(|uri| uri == "-") {
        return Ok(());
    }
    drop(prompt("Sign this change? [y/N] "));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(CliError::new(Exit::No, "not signed"))
}

fn prompt(text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut terminal = io::stderr().lock();
    terminal.write_all(text.as_bytes())?;
    terminal.flush()
}
