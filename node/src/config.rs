//! What a node needs to know, all defaults in one place.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use libp2p::Multiaddr;
use protocol::network::NetworkName;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::local_names::LocalName;

/// Connections that a node keeps at most; a small device needs a dozen.
pub const CONNECTIONS_MAX: u32 = 256;
/// Of these, those that others opened: the rest is for dialling out, whoever crowds in (P54).
pub const CONNECTIONS_INCOMING_MAX: u32 = 192;
/// Connections to one peer: both sides may dial at once.
pub const CONNECTIONS_PER_PEER_MAX: u32 = 4;
/// Handshakes under way at once, in each direction.
pub const HANDSHAKES_MAX: u32 = 32;
/// Of the connections that others opened, those of one subnet (IPv4 /24, IPv6 /48), local networks apart.
pub const CONNECTIONS_PER_SUBNET_MAX: usize = 48;
/// Of the handshakes that others began, those of one subnet.
pub const HANDSHAKES_PER_SUBNET_MAX: usize = 8;

/// Peers that can be reached through a full node.
pub const RELAY_RESERVATIONS_MAX: usize = 128;
/// Connections that a full node relays at once.
pub const RELAY_CIRCUITS_MAX: usize = 32;
/// Bytes of one of them, in each direction: texts, and what it takes to connect directly; not files.
pub const RELAY_CIRCUIT_BYTES_MAX: u64 = 1 << 20;
/// How long one lasts.
pub const RELAY_CIRCUIT_TIME_MAX: Duration = Duration::from_secs(15 * 60);

/// Where a witness listens on the local host, unless told otherwise: the port of litewitness.
const WITNESS_PORT: u16 = 7380;

/// Which private network a node runs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetworkConfig {
    /// The network's name; its files lie in `networks/NAME` in the data folder.
    pub name: NetworkName,
    /// A file that `streembit network export` made, taken at every start: for nodes that are loaded by hand.
    #[serde(default)]
    pub import: Option<PathBuf>,
}

/// How a witness is asked over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WitnessConfig {
    /// Where it listens; what is in front of it speaks TLS.
    pub listen: SocketAddr,
}

impl Default for WitnessConfig {
    fn default() -> Self {
        let listen = (Ipv4Addr::LOCALHOST, WITNESS_PORT).into();
        Self { listen }
    }
}

/// What a node does for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Stores records for others and answers their look-ups.
    #[default]
    Full,
    /// Asks and announces only: small devices, and those that others can't dial.
    Leaf,
}

/// How stored records are told to the network again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Republish {
    /// Between two records: six a minute, so that a full store is through once in two days.
    pub interval: Duration,
    /// Who was heard within this time isn't told again: one of the holders does it for all, well before
    /// the 48 h are over.
    pub after: Duration,
}

impl Default for Republish {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            after: Duration::from_secs(22 * 3600),
        }
    }
}

/// How often what must be done from time to time is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MessengerConfig {
    /// Seconds between two looks for mail.
    pub mail_interval_s: u64,
    /// Seconds between two announcements of where we are.
    pub presence_interval_s: u64,
    /// Seconds after which a contact that wasn't reached is tried again, at first; twice as many each time.
    pub retry_s: u64,
    /// Folder for files that come in.
    pub downloads: PathBuf,
}

impl Default for MessengerConfig {
    fn default() -> Self {
        Self {
            mail_interval_s: 60,
            presence_interval_s: 1800,
            retry_s: 5,
            downloads: PathBuf::from("streembit-downloads"),
        }
    }
}

/// Settings of a node. Unknown members are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NodeConfig {
    /// Folder for records and the control socket.
    pub data_directory: PathBuf,
    /// Addresses to listen on; port 0 takes a free one.
    pub listen: Vec<Multiaddr>,
    /// The private network to run in; the public one without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkConfig>,
    /// Bootstrap nodes of the public network, with `/p2p/PEER_ID` at the end. A node of a private network finds
    /// members' addresses by them, once, and then leaves.
    pub bootstrap: Vec<Multiaddr>,
    /// Find peers on the local network by mDNS.
    pub mdns: bool,
    /// The name that this node answers for on the local network, and tells those who may be near, such as
    /// `heating.local`: for nodes whose address changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mdns_name: Option<LocalName>,
    /// What this node does for others.
    pub mode: Mode,
    /// Serve the blobs this node holds.
    pub serve: bool,
    /// Tell others the addresses this node listens on, so that they can fetch from it.
    pub reachable: bool,
    /// How people talk through it.
    pub messenger: MessengerConfig,
    /// Cosign checkpoints of logs, as the witness in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<WitnessConfig>,
    /// What the node knows of the time.
    #[serde(skip)]
    pub clock: Clock,
    /// How a full node keeps records known whose publishers are silent.
    #[serde(skip)]
    pub republish: Republish,
}

impl Default for NodeConfig {
    fn default() -> Self {
        let any = "/ip4/0.0.0.0/tcp/0".parse();
        Self {
            data_directory: PathBuf::from("streembit-data"),
            listen: any.into_iter().collect(),
            network: None,
            bootstrap: Vec::new(),
            mdns: true,
            mdns_name: None,
            mode: Mode::Full,
            serve: true,
            reachable: true,
            messenger: MessengerConfig::default(),
            witness: None,
            clock: Clock::default(),
            republish: Republish::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_is_full_or_leaf_and_nothing_else() {
        let mode = |text: &str| toml::from_str::<NodeConfig>(text).map(|config| config.mode);
        assert_eq!(mode("").unwrap(), Mode::Full);
        assert_eq!(mode("mode = \"full\"").unwrap(), Mode::Full);
        assert_eq!(mode("mode = \"leaf\"").unwrap(), Mode::Leaf);
        for text in [
            "mode = \"Leaf\"",
            "mode = \"server\"",
            "mode = true",
            "server = true",
        ] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}
