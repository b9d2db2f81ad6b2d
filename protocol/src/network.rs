//! Private networks: only members connect. The founder's *charter* names the admins, an admin's *member list* the
//! members; every node holds the newest of both and hands them on.
//!
//! # Layout
//!
//! * [`id`]: ids and names of networks
//! * [`charter`]: who founded a network and who administers it
//! * [`members`]: who is in it
//! * [`membership`]: what a node holds of its network, and what replaces what
//! * [`invitation`]: what is given to somebody who is to join

pub mod charter;
pub mod id;
pub mod invitation;
pub mod members;
pub mod membership;

pub use id::{NetworkId, NetworkName};
pub use membership::{Membership, MembershipError};
