//! Records of the DHT. One table ([`record::RULES`]) says for each kind who may sign it, under which
//! key it lies, how large and how old it may get and how two of them merge.

pub mod account_change;
pub mod key;
pub mod record;
pub mod release_head;
