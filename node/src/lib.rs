//! A node of the Streembit network: the only crate that knows libp2p.
//!
//! It gives the pure rules of `protocol` a network, a clock and a disk, and decides nothing itself.
//! It knows nothing of firmware: it stores records by their rules and moves blobs by their content
//! address.
//!
//! # Layout
//!
//! * [`accounts`]: accounts on this machine
//! * [`clock`]: what is known of the time
//! * [`config`]: what a node needs to know, all defaults in one place
//! * [`identity`]: the account key as libp2p identity
//! * [`storage`]: records and providers in sled, with quotas
//! * [`swarm`]: transports and behaviours; which addresses are believed
//! * [`handle`]: how the rest of a program talks to its node
//! * [`runtime`]: the one loop
//! * [`network`]: private networks: who may connect, charter and member list
//! * [`blocks`]: blobs: what is held, serving, fetching
//! * `evidence`: what shows that a log has two histories
//! * [`holders`]: who holds a blob
//! * [`local_names`]: names of the local network
//! * [`messenger`]: contacts, sessions, mail, files
//! * [`control`]: the local control socket
//! * [`rendezvous`]: members of a private network find each other by the public one, once
//! * [`tiles`]: the files of a transparency log
//! * [`visitor`]: a node that asks and serves nobody
//! * [`witness`]: cosigning checkpoints of transparency logs
//! * [`args`], [`command`]: the binary `streembit`
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "I/O shell, see ARCHITECTURE.md"
)]

pub mod accounts;
pub mod args;
pub mod blocks;
pub mod clock;
pub mod command;
pub mod config;
pub mod control;
mod evidence;
pub mod handle;
pub mod holders;
pub mod identity;
pub mod local_names;
pub mod messenger;
pub mod network;
pub mod rendezvous;
pub mod runtime;
pub mod storage;
pub mod swarm;
pub mod tiles;
pub mod visitor;
pub mod witness;

pub use handle::NodeHandle;
pub use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};

/// For the raw peers of the tests; nothing else outside this crate uses it.
#[doc(hidden)]
pub use libp2p;
