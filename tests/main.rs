//! Cross-crate tests in one binary. Files are named after the attack they try; functions after what is
//! refused, with the number of the threat in `reference/threats.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests"
)]

mod agent_alarms;
mod agent_capped;
mod agent_disk;
mod agent_kill;
mod agent_memory;
mod agent_refusals;
mod agent_repair;
mod agent_serves;
mod agent_speeds;
mod agent_syscalls;
mod audit;
mod audit_commands;
mod audit_monitor;
mod audit_network;
mod audit_report;
mod bad_links;
mod builders;
mod ceremony;
mod chat;
mod ci_templates;
mod clock;
mod command_lines;
mod delta_machines;
mod delta_sparse;
mod dht;
mod dht_eclipse;
mod dht_hostile;
mod dht_scale;
mod disclosure;
mod docs;
mod evidence;
mod exchange;
mod expiry;
mod gossip;
mod hostile_connections;
mod interop;
mod interop_bsdiff;
mod interop_jose;
mod interop_log;
mod interop_provenance;
mod interop_signatures;
mod log_crash;
mod metadata_bytes;
mod mix_and_match;
mod names;
mod nat;
mod operations;
mod people;
mod pin;
mod plain_delta;
mod private_network;
mod products;
mod publisher_crash;
mod publisher_delta;
mod publisher_images;
mod publisher_memory;
mod publisher_refusals;
mod publisher_release;
mod rollback;
mod root_chain;
mod rotation;
mod search;
mod search_stored;
mod search_trust;
mod secrets;
mod service;
mod signatures;
mod threshold;
mod transparency;
mod tuf_differential;
mod tuf_findings;
mod tuf_http;
mod tuf_place;
mod wire;
