//! The one place that installs a tracing subscriber: lines on stderr, for people or as JSON.

use std::io;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// A JSON object a line, for programs that collect logs
    Json,
}

/// Installs the subscriber; `RUST_LOG` overrides the verbosity. A second call does nothing.
pub fn start(verbose: u8, format: Format) {
    let default = match verbose {
        0 => "warn,libp2p=error",
        1 => {
            "warn,libp2p=error,streembit=debug,node=debug,agent=debug,publisher=debug,protocol=debug"
        }
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(filter);
    // In tests several programs run in one process; the first subscriber serves them all.
    let subscriber = subscriber.with_target(true);
    drop(match format {
        Format::Human => subscriber.compact().try_init(),
        Format::Json => subscriber.json().flatten_event(true).try_init(),
    });
}
