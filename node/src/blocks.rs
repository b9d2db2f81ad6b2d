//! Blobs by content address: what this node holds, serving it, fetching the rest.
//!
//! The decisions are those of `protocol::exchange`; here are its files and streams.

pub mod arrivals;
pub mod fetch;
pub mod frames;
pub mod link;
mod pace;
pub mod partial;
pub mod serve;
pub mod store;
