//! `streembit-publisher provenance`: the builder's statement of what an image was built from, signed. It needs no
//! repository and no network: it runs in the build's job, with a key of its own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, Output};
use keys::Algorithm;
use manifests::attestation::provenance::{Dependency, Provenance};
use manifests::attestation::statement::{SLSA_PROVENANCE, Statement, Subject};
use manifests::digest::Sha256;
use manifests::instant::UtcTime;
use manifests::json::{self, Json};
use manifests::limits::PAYLOAD_BYTES_MAX;
use serde_json::json;

use crate::{evidence, image, settings};

/// Who says what was built: its own words (grade B1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum From {
    /// A predicate of SLSA provenance v1 that something else wrote (--predicate)
    File,
    /// The commit of the git work tree, or --source and --commit
    Generic,
    /// The variables of a GitHub Actions job
    Github,
    /// The variables of a GitLab CI job
    Gitlab,
}

/// Options of provenance
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Image file, or directory to be archived as `release` does
    pub image: PathBuf,
    /// Where it is known from what was built
    #[arg(long, value_enum)]
    pub from: From,
    /// The builder's P-256 key, a key URI
    #[arg(long, value_name = "KEY")]
    pub key: String,
    /// Where to write the signed statement
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// The builder's id, a URI [default: the workflow's, without its revision]
    #[arg(long, value_name = "URI")]
    pub builder: Option<String>,
    /// The predicate, for --from file
    #[arg(long, value_name = "FILE", required_if_eq("from", "file"))]
    pub predicate: Option<PathBuf>,
    /// The repository that was built, for --from generic [default: the remote origin]
    #[arg(long, value_name = "URI")]
    pub source: Option<String>,
    /// The commit that was built, for --from generic [default: HEAD]
    #[arg(long, value_name = "HEX")]
    pub commit: Option<String>,
    /// The command that builds the image from the sources, for those who build it again
    #[arg(long, value_name = "COMMAND", requires = "artifact")]
    pub recipe: Option<String>,
    /// Where the command leaves the image, from the sources' folder
    #[arg(long, value_name = "PATH", requires = "recipe")]
    pub artifact: Option<String>,
    /// An archive of the sources: its SHA-256 holds what SHA-1 of a commit does not
    #[arg(long, value_name = "FILE")]
    pub source_archive: Option<PathBuf>,
}

/// Runs `provenance`.
///
/// # Errors
/// [`CliError`] naming the variable that is missing.
pub fn run(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    refuse_what_says_nothing(args)?;
    let mut provenance = match args.from {
        From::File => from_file(args)?,
        From::Generic => generic(args)?,
        From::Github => github()?,
        From::Gitlab => gitlab()?,
    };
    if let Some(builder) = &args.builder {
        provenance.builder.clone_from(builder);
    }
    if let (Some(recipe), Some(artifact)) = (&args.recipe, &args.artifact) {
        provenance.declare(recipe, artifact);
    }
    if let Some(archive) = &args.source_archive {
        let sha256 = sha256_of(archive)?;
        provenance.dependencies.push(Dependency {
            uri: format!("file:{}", name_of(archive)),
            git_commit: None,
            sha256: Some(sha256),
        });
    }
    let sha256 = image_sha256(&args.image)?;
    let statement = Statement {
        subjects: vec![Subject {
            name: name_of(&args.image),
            sha256,
        }],
        predicate_type: SLSA_PROVENANCE.to_owned(),
        predicate: provenance.to_json(),
    };
    let signer = Signer::open(
        &settings::given(folder, &args.key).and_then(|uri| settings::resolve(folder, &uri))?,
    )?;
    if signer.public().algorithm() != Algorithm::P256 {
        return Err(
            CliError::new(Exit::Key, "--key: statements are signed by P-256 keys")
                .hint("streembit-publisher keys create FILE --algorithm p256"),
        );
    }
    let envelope = evidence::sign(&statement, &signer)?;
    let bytes = json::encode_pretty(&envelope.to_json());
    durable::replace(&args.out, &bytes, Access::World).context(Exit::No, "provenance")?;
    let value = json!({ "file": args.out, "builder": provenance.builder,
        "image": sha256.to_string(), "key": signer.public().to_pem(), "grade": "B1" });
    let text = format!(
        "provenance  {}\nbuilder     {}\nimage       sha256 {sha256}\ngrade       B1: the builder's own word",
        args.out.display(),
        provenance.builder,
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

/// An option that another --from has would be ignored.
fn refuse_what_says_nothing(args: &Args) -> Result<(), CliError> {
    let is_generic = args.from == From::Generic;
    for (option, is_given, is_read, from) in [
        ("--source", args.source.is_some(), is_generic, "generic"),
        ("--commit", args.commit.is_some(), is_generic, "generic"),
        (
            "--predicate",
            args.predicate.is_some(),
            args.from == From::File,
            "file",
        ),
    ] {
        if is_given && !is_read {
            return Err(
                CliError::new(Exit::Usage, format_args!("{option} is for --from {from}"))
                    .hint(format_args!("leave it out, or use --from {from}")),
            );
        }
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// SHA-256 of what `release` would store.
fn image_sha256(path: &Path) -> Result<Sha256, CliError> {
    let scratch = tempfile::tempdir().context(Exit::No, "temporary folder")?;
    let (_, mut file, _) =
        image::open(path, &scratch.path().join("archive.tmp")).context(Exit::Usage, "image")?;
    image::sha256(&mut file).context(Exit::Usage, "image")
}

fn sha256_of(path: &Path) -> Result<Sha256, CliError> {
    let mut file = std::fs::File::open(path).context(Exit::Usage, path.display())?;
    image::sha256(&mut file).context(Exit::Usage, path.display())
}

fn variable(name: &str) -> Result<String, CliError> {
    env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .ok_or_else(|| {
            CliError::new(Exit::Usage, format_args!("${name} is not set"))
                .hint("run it in a job of that CI, or use --from generic")
        })
}

fn optional(name: &str) -> String {
    variable(name).unwrap_or_default()
}

/// Members that are texts; empty ones are left out.
fn texts<const N: usize>(members: [(&str, String); N]) -> Json {
    let said = members.into_iter().filter(|(_, text)| !text.is_empty());
    Json::Object(
        said.map(|(name, text)| (name.to_owned(), Json::from(text.as_str())))
            .collect(),
    )
}

fn now() -> Option<UtcTime> {
    Some(UtcTime::from_system(SystemTime::now()))
}

fn from_file(args: &Args) -> Result<Provenance, CliError> {
    let path = args.predicate.as_deref().unwrap_or_else(|| Path::new(""));
    let limit = u64::try_from(PAYLOAD_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = durable::read(path, limit).context(Exit::Usage, "--predicate")?;
    let json = json::parse(&bytes).context(Exit::Usage, path.display())?;
    Provenance::from_json(&json).context(Exit::Usage, path.display())
}

/// The fields of GitHub's own build type for workflows.
fn github() -> Result<Provenance, CliError> {
    let (server, repository) = (
        variable("GITHUB_SERVER_URL")?,
        variable("GITHUB_REPOSITORY")?,
    );
    let (reference, commit) = (variable("GITHUB_REF")?, variable("GITHUB_SHA")?);
    let workflow = variable("GITHUB_WORKFLOW_REF")?;
    let (run, attempt) = (variable("GITHUB_RUN_ID")?, variable("GITHUB_RUN_ATTEMPT")?);
    // OWNER/REPOSITORY/PATH@REF
    let path = workflow.split('@').next().unwrap_or_default();
    let in_repository = path.strip_prefix(&format!("{repository}/")).unwrap_or(path);
    let parameters = Json::object([
        ("ref", Json::from(reference.as_str())),
        (
            "repository",
            Json::from(format!("{server}/{repository}").as_str()),
        ),
        ("path", Json::from(in_repository)),
    ]);
    let context = [
        ("event_name", variable("GITHUB_EVENT_NAME")?),
        ("repository_id", optional("GITHUB_REPOSITORY_ID")),
        (
            "repository_owner_id",
            optional("GITHUB_REPOSITORY_OWNER_ID"),
        ),
        ("runner_environment", optional("RUNNER_ENVIRONMENT")),
        ("workflow_sha", optional("GITHUB_WORKFLOW_SHA")),
    ];
    Ok(Provenance {
        build_type: "https://actions.github.io/buildtypes/workflow/v1".to_owned(),
        external_parameters: Json::object([("workflow", parameters)]),
        internal_parameters: Some(Json::object([("github", texts(context))])),
        dependencies: vec![Dependency {
            uri: format!("git+{server}/{repository}@{reference}"),
            git_commit: Some(commit),
            sha256: None,
        }],
        builder: format!("{server}/{path}"),
        invocation: Some(format!(
            "{server}/{repository}/actions/runs/{run}/attempts/{attempt}"
        )),
        times: [None, now()],
    })
}

fn gitlab() -> Result<Provenance, CliError> {
    let (project, commit) = (variable("CI_PROJECT_URL")?, variable("CI_COMMIT_SHA")?);
    let reference = variable("CI_COMMIT_REF_NAME")?;
    let (pipeline, job) = (variable("CI_PIPELINE_ID")?, variable("CI_JOB_URL")?);
    let config = variable("CI_CONFIG_PATH")?;
    let parameters = [
        ("ref", reference.clone()),
        ("project", project.clone()),
        ("config", config.clone()),
    ];
    let context = [
        ("pipeline_id", pipeline),
        ("project_id", optional("CI_PROJECT_ID")),
        ("runner_id", optional("CI_RUNNER_ID")),
        ("commit_tag", optional("CI_COMMIT_TAG")),
    ];
    Ok(Provenance {
        build_type: "https://streembit.org/buildtypes/gitlab-ci/v1".to_owned(),
        external_parameters: texts(parameters),
        internal_parameters: Some(Json::object([("gitlab", texts(context))])),
        dependencies: vec![Dependency {
            uri: format!("git+{project}@{reference}"),
            git_commit: Some(commit),
            sha256: None,
        }],
        builder: format!("{project}/-/{config}"),
        invocation: Some(job),
        times: [None, now()],
    })
}

fn generic(args: &Args) -> Result<Provenance, CliError> {
    let builder = args.builder.clone().ok_or_else(|| {
        CliError::new(Exit::Usage, "--from generic needs --builder")
            .hint("a URI that names this build machine, such as https://ci.example.com/firmware")
    })?;
    let source = match &args.source {
        Some(source) => source.clone(),
        None => git(&["config", "--get", "remote.origin.url"], "--source")?,
    };
    let commit = match &args.commit {
        Some(commit) => commit.clone(),
        None => git(&["rev-parse", "HEAD"], "--commit")?,
    };
    Ok(Provenance {
        build_type: "https://streembit.org/buildtypes/generic/v1".to_owned(),
        external_parameters: Json::object([("source", Json::from(source.as_str()))]),
        internal_parameters: None,
        dependencies: vec![Dependency {
            uri: source,
            git_commit: Some(commit),
            sha256: None,
        }],
        builder,
        invocation: None,
        times: [None, now()],
    })
}

/// What git says of the work tree here.
fn git(words: &[&str], instead: &str) -> Result<String, CliError> {
    let output = Command::new("git").args(words).output();
    let said = output.ok().filter(|output| output.status.success());
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.filter(|said| !said.is_empty()).ok_or_else(|| {
        let words = words.join(" ");
        CliError::new(Exit::Usage, format_args!("git {words} says nothing here")).hint(instead)
    })
}
