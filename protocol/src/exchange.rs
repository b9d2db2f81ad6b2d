//! Block exchange (`/streembit/blocks/1`): chunks of content-addressed blobs between peers.
//!
//! Goals: every chunk of 256 KiB verifies alone against the blob's BLAKE3 root, with no proof bytes;
//! many peers at once; a bad chunk costs its sender the download; resume at any chunk. Non-goals
//! (later): piece choice by rarity, super-seeding, rate policy.
//!
//! One stream per downloader, peer and blob:
//!
//! ```text
//! downloader                     server
//!   OPEN root size       ──►
//!                        ◄──   HAVE map            (or REJECT and end)
//!   GET_TREE first n     ──►
//!                        ◄──   TREE first hashes…
//!   REQ chunk n          ──►
//!                        ◄──   DATA chunk bytes    (or REJECT chunk)
//!                        ◄──   HAVE map            (whenever it has more)
//!   CANCEL chunk         ──►
//! ```
//!
//! A map always has more chunks than the one before. `TREE` has all the nodes asked for, as far as
//! they exist. A `REJECT` stands for its chunk and the rest of the run that was asked for; after
//! `CANCEL` the chunk may still come, once. Whatever else nobody asked for ends the stream.

pub mod chunk_map;
pub mod download;
pub mod serve;
pub mod tree;
pub mod wire;

/// libp2p protocol id of the exchange.
pub const PROTOCOL: &str = "/streembit/blocks/1";
