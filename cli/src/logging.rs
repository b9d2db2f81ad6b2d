//! The one place that installs a tracing subscriber: compact lines on stderr.

use std::io;

use tracing_subscriber::EnvFilter;

/// Installs the subscriber; `RUST_LOG` overrides the verbosity. A second call does nothing.
pub fn start(verbose: u8) {
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
    drop(subscriber.with_target(true).compact().try_init());
}
