//! The network of nodes, as somebody who visits it: which records it has.

use cli::exit::Context as _;
use cli::{CliError, Exit};
use node::Multiaddr;
use node::handle::Found;
use node::visitor::Visitor;
use protocol::dht::key::DhtKey;
use tokio::runtime::Runtime;

/// A visit.
#[derive(Debug)]
pub struct Network {
    // Dropped first: its tasks need the runtime.
    visitor: Visitor,
    runtime: Runtime,
}

impl Network {
    /// Begins a visit.
    ///
    /// * `bootstrap`: whom to ask first, at least one.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn visit(bootstrap: &[Multiaddr]) -> Result<Self, CliError> {
        let runtime = Runtime::new().context(Exit::No, "runtime")?;
        let visitor = runtime.block_on(async { Visitor::start(bootstrap.to_vec()) });
        let visitor = visitor.context(Exit::No, "node")?;
        Ok(Self { visitor, runtime })
    }

    /// What the network has under a key.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Undecided`] if nobody is reached.
    pub fn get(&self, key: DhtKey) -> Result<Found, CliError> {
        let found = self.runtime.block_on(self.visitor.get(key));
        found.context(Exit::No, "node")?.ok_or_else(|| {
            CliError::new(Exit::Undecided, "no node of the network is reached")
                .hint("--bootstrap ADDRESS names one that runs")
        })
    }
}
