//! The command line of `streembit-tuf`. Options stand before the command.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use cli::exit::Context as _;
use cli::program::{Common, Program, Shell};
use cli::{CliError, Exit};

use super::store::Store;

/// Follows any TUF repository over HTTP: refresh its metadata, download its targets
#[derive(Debug, Parser)]
#[command(name = "streembit-tuf", version)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// Where the trusted metadata is
    #[arg(long, value_name = "DIR", default_value = "metadata")]
    metadata_dir: PathBuf,
    /// Where the repository's metadata is
    #[arg(long, value_name = "URL")]
    metadata_url: Option<String>,
    /// A target to download; may be repeated
    #[arg(long, value_name = "PATH")]
    target_name: Vec<String>,
    /// Where downloaded targets go
    #[arg(long, value_name = "DIR", default_value = "targets")]
    target_dir: PathBuf,
    /// Where the repository's targets are
    #[arg(long, value_name = "URL")]
    target_base_url: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Refresh the metadata and download the targets named by --target-name
    Download,
    /// Trust a root file
    Init(InitArgs),
    /// Bring the trusted metadata up to date
    Refresh,
}

/// Options of init
#[derive(Clone, Debug, clap::Args)]
pub struct InitArgs {
    /// The root to trust, by whatever way it came
    #[arg(value_name = "ROOT.json")]
    pub root: PathBuf,
}

/// What `download` fetches from where.
#[derive(Clone, Debug)]
pub(super) struct DownloadArgs {
    pub(super) names: Vec<String>,
    pub(super) folder: PathBuf,
    pub(super) base_url: String,
}

impl Program for Args {
    const NAME: &'static str = "streembit-tuf";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self) -> Result<Exit, CliError> {
        let required = |value: Option<String>, option: &str| {
            value.ok_or_else(|| {
                CliError::new(Exit::Usage, format_args!("{option} is missing"))
                    .hint("options stand before the command")
            })
        };
        let open = || Store::open(&self.metadata_dir);
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_all().build().context(Exit::No, "runtime")
        };
        match self.command {
            Command::Completions { shell } => {
                cli::program::completions::<Self>(shell, Self::NAME);
            }
            Command::Init(args) => super::init(&open()?, &args)?,
            Command::Refresh => {
                let url = required(self.metadata_url, "--metadata-url")?;
                let (store, runtime) = (open()?, runtime()?);
                runtime.block_on(super::refresh(&store, &url))?;
            }
            Command::Download => {
                let url = required(self.metadata_url, "--metadata-url")?;
                let args = DownloadArgs {
                    base_url: required(self.target_base_url, "--target-base-url")?,
                    folder: self.target_dir,
                    names: self.target_name,
                };
                if args.names.is_empty() {
                    required(None, "--target-name")?;
                }
                let (store, runtime) = (Store::open(&self.metadata_dir)?, runtime()?);
                runtime.block_on(super::download(&store, &url, &args))?;
            }
        }
        Ok(Exit::Done)
    }
}
