//! Sessions between two accounts: a handshake, then a channel.
//!
//! Both sides sign fresh keys and forget them: who steals the account's key later reads nothing of before. What
//! goes over the channel is signed by its sender first ([`crate::jose::jws`]) and encrypted then.
//!
//! * [`handshake`]: three messages, in which neither side shows to the network who it is
//! * [`channel`]: frames, counted, in any order within a window, under keys that are replaced
//!
//! ```text
//! User A                                                        User B
//!   fresh key a, knows B's agreement key
//!   HELLO   version ‖ a                             ──────►
//!                                                      fresh key b
//!                         secret = ECDH(a, b) ‖ ECDH(a, B)
//!   ANSWER  b ‖ sealed(JWS of B over HELLO, a, b)   ◄──────
//!   verifies that B is the B that it knows
//!   FINISH  sealed(JWS of A over all before)        ──────►
//!                                                      verifies A, looks it up
//!                         keys = HKDF(secret, all before)
//!   FRAMES  sealed(JWS), counted                    ◄─────►
//! ```

pub mod channel;
pub mod handshake;
