//! `streembit-audit rebuild`: builds a release again from what its provenance names, and says in a signed statement that
//! the bytes are the same (grade B3). The recipe is the publisher's: it runs as whoever runs this, so run this where it
//! can do no harm.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, Output};
use manifests::attestation::bundle::Bundle;
use manifests::attestation::dsse::{Envelope, IN_TOTO, pae};
use manifests::attestation::provenance::Provenance;
use manifests::attestation::statement::{REBUILD, Statement, Subject};
use manifests::digest::Sha256;
use manifests::evidence::grade::Grade;
use manifests::evidence::names;
use manifests::evidence::pack::EVIDENCE;
use manifests::json::{self, Json};
use serde_json::json;

use super::verify::{Args as VerifyArgs, look, sha256};
use crate::pack::Pack;

/// Options of rebuild
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The evidence pack
    #[arg(value_name = "PACK")]
    pub pack: PathBuf,
    /// What is trusted
    #[arg(long, value_name = "DIR")]
    pub pin: PathBuf,
    /// The rebuilder's P-256 key, a key URI
    #[arg(long, value_name = "KEY")]
    pub key: String,
    /// Where to write the statement
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// Fetch the commit from here instead of where the provenance says
    #[arg(long, value_name = "URL")]
    pub source: Option<String>,
    /// The command that builds [default: what the provenance declares]
    #[arg(long, value_name = "COMMAND", requires = "artifact")]
    pub recipe: Option<String>,
    /// Where it leaves the image, from the sources' folder
    #[arg(long, value_name = "PATH", requires = "recipe")]
    pub artifact: Option<String>,
}

/// What is built, and how.
struct Plan {
    source: String,
    commit: String,
    recipe: String,
    artifact: String,
}

/// Runs `rebuild`: 1 if other bytes come out.
///
/// # Errors
/// [`CliError`]: the release isn't verified, the sources can't be had, the recipe fails.
pub fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let (pack, outcome) = look(&VerifyArgs {
        pack: args.pack.clone(),
        images: Vec::new(),
        pin: args.pin.clone(),
        at: None,
        sarif: false,
    })?;
    // What is still to be shown by rebuilds can't be asked for here.
    let is_sound = matches!(outcome.exit(), Exit::Done | Exit::Undecided);
    if !is_sound || outcome.grade < Grade::B1 {
        let message = "the release's provenance is not verified: what would be built?";
        return Err(CliError::new(outcome.exit(), message).hint("streembit-audit verify says why"));
    }
    let (provenance, image) = said(&pack)?;
    let plan = Plan::new(args, &provenance)?;
    let signer = Signer::open(&args.key)?;
    let folder = tempfile::tempdir().context(Exit::No, "temporary folder")?;
    output.note(format_args!(
        "sources     {} at {}",
        plan.source, plan.commit
    ));
    checkout(&plan, folder.path())?;
    output.note(format_args!("recipe      {}", plan.recipe));
    build(&plan, folder.path())?;
    let built = sha256(&folder.path().join(&plan.artifact))?;
    if built != image {
        let message = format!("other bytes: built sha256 {built}, released {image}");
        return Err(CliError::new(Exit::No, message).hint("compare the two images: diffoscope"));
    }
    let statement = plan.statement(&pack.about.target, image);
    let payload = statement.encode();
    let signature = signer.sign(&pae(IN_TOTO, &payload))?;
    let envelope = Envelope::new(IN_TOTO, payload, signer.public(), signature);
    let bytes = json::encode_pretty(&envelope.to_json());
    durable::replace(&args.out, &bytes, Access::World).context(Exit::No, "statement")?;
    let value = json!({ "result": "same", "sha256": image.to_string(), "statement": args.out });
    let text = format!(
        "same bytes  sha256 {image}\nstatement   {}\nnext        streembit-publisher evidence add",
        args.out.display()
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

/// The provenance, verified before, and the image that it is about.
fn said(pack: &Pack) -> Result<(Provenance, Sha256), CliError> {
    let read = || {
        let bundle = Bundle::parse(pack.file(&format!("{EVIDENCE}{}", names::PROVENANCE))?).ok()?;
        let statement = Statement::parse(&bundle.envelope()?.payload).ok()?;
        let image = statement.subjects.first()?.sha256;
        Some((Provenance::from_json(&statement.predicate).ok()?, image))
    };
    read().ok_or_else(|| CliError::new(Exit::Undecided, "the pack holds no provenance"))
}

impl Plan {
    fn new(args: &Args, provenance: &Provenance) -> Result<Self, CliError> {
        let (uri, commit) = provenance
            .source()
            .ok_or_else(|| CliError::new(Exit::Undecided, "the provenance names no commit"))?;
        // git+URL@REF, in the form of SLSA.
        let url = uri.strip_prefix("git+").unwrap_or(uri);
        let url = match url.rsplit_once('@') {
            Some((url, reference)) if reference.starts_with("refs/") => url,
            _ => url,
        };
        let declared = provenance.recipe();
        let declared = declared.map(|(recipe, artifact)| (recipe.to_owned(), artifact.to_owned()));
        let given = args.recipe.clone().zip(args.artifact.clone());
        let (recipe, artifact) = given.or(declared).ok_or_else(|| {
            CliError::new(Exit::Usage, "the provenance declares no recipe")
                .hint("--recipe COMMAND --artifact PATH")
        })?;
        let is_inside = Path::new(&artifact)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !is_inside {
            let message = format!("{artifact}: the image has to be within the sources");
            return Err(CliError::new(Exit::No, message).hint("--recipe COMMAND --artifact PATH"));
        }
        Ok(Self {
            source: args.source.clone().unwrap_or_else(|| url.to_owned()),
            commit: commit.to_owned(),
            recipe,
            artifact,
        })
    }

    fn statement(&self, target: &str, image: Sha256) -> Statement {
        let text = |text: &str| Json::from(text);
        Statement {
            subjects: vec![Subject {
                name: target.to_owned(),
                sha256: image,
            }],
            predicate_type: REBUILD.to_owned(),
            predicate: Json::object([
                ("source", text(&self.source)),
                ("commit", text(&self.commit)),
                ("recipe", text(&self.recipe)),
                ("artifact", text(&self.artifact)),
            ]),
        }
    }
}

/// Fetches one commit. Its name is its content, so wherever it comes from it is the same.
fn checkout(plan: &Plan, folder: &Path) -> Result<(), CliError> {
    let steps: [&[&str]; 3] = [
        &["init", "--quiet"],
        &[
            "fetch",
            "--quiet",
            "--depth",
            "1",
            "--",
            &plan.source,
            &plan.commit,
        ],
        &["checkout", "--quiet", "--detach", "FETCH_HEAD"],
    ];
    for words in steps {
        let mut git = Command::new("git");
        git.args(words).current_dir(folder).stdin(Stdio::null());
        let output = git.output().context(Exit::Undecided, "git")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let message = format!("git {}: {}", words.join(" "), said.trim());
            return Err(CliError::new(Exit::Undecided, message)
                .hint("--source URL fetches it from elsewhere"));
        }
    }
    Ok(())
}

fn build(plan: &Plan, folder: &Path) -> Result<(), CliError> {
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", &plan.recipe])
        .current_dir(folder)
        .stdin(Stdio::null());
    // Results are this program's alone.
    let log = folder.join(".streembit-rebuild.log");
    let file = File::create(&log).context(Exit::No, "log")?;
    let second = file.try_clone().context(Exit::No, "log")?;
    let status = shell
        .stdout(file)
        .stderr(second)
        .status()
        .context(Exit::No, "sh")?;
    if status.success() {
        return Ok(());
    }
    let mut said = String::new();
    let read = File::open(&log).and_then(|mut log| log.read_to_string(&mut said));
    drop(read);
    let last: Vec<&str> = said.lines().rev().take(5).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    let message = format!("the recipe failed ({status}): {}", last.join("; "));
    Err(CliError::new(Exit::Undecided, message).hint("its tools have to be those of the builder"))
}
