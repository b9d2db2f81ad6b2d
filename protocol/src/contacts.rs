//! Contacts: whom an account knows, each by the key it had when they met.
//!
//! * [`offer`]: what one person gives to another to be found by: a URI, a QR code
//! * [`book`]: who asked whom, who accepted, who is blocked
//! * [`contact`]: one of them
//! * [`code`]: the number that two people compare by voice

pub mod book;
pub mod code;
pub mod contact;
pub mod offer;
