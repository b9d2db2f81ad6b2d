//! The Streembit node protocol as pure code: what nodes sign, store and send each other.
//!
//! No socket, file, clock or randomness of its own: bytes, times and keys are arguments. The crate
//! `node` gives it a network.
//!
//! # Layout
//!
//! * [`limits`]: every bound on foreign input
//! * [`jose`]: the strict JOSE profile: JWS with ES256, JWE with ECDH-ES+A256KW and A256GCM
//! * [`identity`]: accounts, a key and a name each
//! * [`dht`]: records of the DHT: key rule, signer, size, life, merge rule, one table
//! * [`contacts`]: whom an account knows; offers, codes to compare
//! * [`messages`]: what contacts say to each other
//! * [`mailbox`]: where mail for somebody lies in the DHT
//! * [`network`]: private networks: charter, member list, membership, invitation
//! * [`session`]: two accounts talk: handshake and encrypted channel
//! * [`exchange`]: blocks of content-addressed blobs: chunk tree, wire, download, serving
//!
//! # Example
//!
//! ```
//! use protocol::exchange::tree::{ChunkTree, TreeBuilder};
//! let mut builder = TreeBuilder::new();
//! builder.update(b"firmware");
//! let tree = builder.finish();
//! assert_eq!(tree.blob().root, *blake3::hash(b"firmware").as_bytes());
//! assert!(tree.verify(0, b"firmware"));
//! assert!(ChunkTree::parse(tree.blob(), &tree.encode()).is_ok());
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::wildcard_enum_match_arm
    )
)]

pub mod contacts;
pub mod dht;
pub mod exchange;
pub mod identity;
pub mod jose;
pub mod limits;
pub mod mailbox;
pub mod messages;
pub mod network;
pub mod session;
