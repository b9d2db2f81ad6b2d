//! Records of the DHT. One table ([`record::RULES`]) says for each kind who may sign it, under which
//! key it lies, how large and how old it may get, how two of them merge and what is never taken back.

pub mod key;
pub mod log_checkpoint;
pub mod mail;
pub mod presence;
pub mod record;
pub mod release_head;
pub mod thing;
