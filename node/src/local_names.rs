//! Names of the local network, `NAME.local` (multicast DNS, RFC 6762): who has no lasting address tells its name
//! instead, and is found by it.
//!
//! Names are looked up just before somebody is dialled: what the neighbours answer is a hint like any address, and
//! whoever is there has to show its key.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use mdns_sd::{HostnameResolutionEvent, ServiceDaemon, ServiceInfo};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// What names end with.
const SUFFIX: &str = ".local";
/// Under which the node is listed to people who browse the network.
const SERVICE: &str = "_streembit._tcp.local.";
/// How long the neighbours may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long more addresses are waited for after the first.
const MORE_TIMEOUT: Duration = Duration::from_millis(200);
/// Names looked up for one peer.
const NAMES_MAX: usize = 2;
/// Letters of a name before the suffix (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// A name of the local network: one label and `.local`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalName(String);

/// Not a name of the local network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name of the local network is 1 to {LABEL_BYTES_MAX} letters, digits and hyphens, and .local"
)]
pub struct LocalNameError;

impl TryFrom<String> for LocalName {
    type Error = LocalNameError;

    fn try_from(name: String) -> Result<Self, LocalNameError> {
        let label = name.strip_suffix(SUFFIX).ok_or(LocalNameError)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_sound = (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(is_plain)
            && !label.starts_with('-')
            && !label.ends_with('-');
        is_sound.then_some(Self(name)).ok_or(LocalNameError)
    }
}

impl From<LocalName> for String {
    fn from(name: LocalName) -> Self {
        name.0
    }
}

/// Looks names up, and answers for our own.
#[derive(Clone, Debug)]
pub(crate) struct LocalNames(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    own: Option<LocalName>,
    daemon: OnceLock<Option<Daemon>>,
}

/// The responder's thread; it ends when dropped.
struct Daemon(ServiceDaemon);

impl std::fmt::Debug for Daemon {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Daemon")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.shutdown());
    }
}

impl LocalNames {
    /// Names are used unless mDNS is off.
    pub(crate) fn new(is_on: bool, own: Option<LocalName>) -> Self {
        Self(is_on.then(|| {
            Arc::new(Shared {
                own,
                daemon: OnceLock::new(),
            })
        }))
    }

    /// Answers for our own name, if we have one, as soon as the node listens.
    pub(crate) async fn publish(self, mut addresses: watch::Receiver<Vec<String>>) {
        let Some((shared, name)) = self.own() else {
            return;
        };
        let listening = addresses.wait_for(|all| !all.is_empty()).await;
        let Some(port) = listening.ok().and_then(|all| ports(&all).first().copied()) else {
            return;
        };
        let Some(Daemon(daemon)) = shared.daemon() else {
            return;
        };
        let (host, label) = (format!("{}.", name.0), name.0.trim_end_matches(SUFFIX));
        let info = ServiceInfo::new(SERVICE, label, &host, "", port, None);
        let published = info.and_then(|info| daemon.register(info.enable_addr_auto()));
        match published {
            Ok(()) => tracing::info!(
                name = name.0,
                port,
                "answers for its name on the local network"
            ),
            Err(error) => tracing::warn!(name = name.0, %error, "the name is not published"),
        }
    }

    /// Addresses that are told to others who may be near: ours by name first, then `addresses`.
    pub(crate) fn with_own(&self, addresses: Vec<String>) -> Vec<String> {
        let Some((_, name)) = self.own() else {
            return addresses;
        };
        let ports = ports(&addresses);
        let named = ports
            .iter()
            .map(|port| format!("/dns4/{}/tcp/{port}", name.0));
        named.chain(addresses).collect()
    }

    /// Puts addresses in the place of names of the local network; names that nobody answers for are left out.
    pub(crate) async fn resolve(&self, addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
        let (mut resolved, mut left) = (Vec::with_capacity(addresses.len()), NAMES_MAX);
        for address in addresses {
            let Some(name) = local_name(&address) else {
                resolved.push(address);
                continue;
            };
            if left > 0 {
                left = left.saturating_sub(1);
                let found = self.look_up(&name).await;
                resolved.extend(found.into_iter().map(|ip| with_ip(&address, ip)));
            }
        }
        resolved
    }

    async fn look_up(&self, name: &str) -> BTreeSet<IpAddr> {
        let Some(Daemon(daemon)) = self.0.as_deref().and_then(Shared::daemon) else {
            return BTreeSet::new();
        };
        let millis = u64::try_from(ANSWER_TIMEOUT.as_millis()).ok();
        let events = match daemon.resolve_hostname(&format!("{name}."), millis) {
            Ok(events) => events,
            Err(error) => {
                tracing::debug!(name, %error, "the name is not looked up");
                return BTreeSet::new();
            }
        };
        let (mut found, end) = (BTreeSet::new(), Instant::now() + ANSWER_TIMEOUT);
        let mut wait = end;
        // Each address may come by itself.
        while let Ok(Ok(event)) = timeout_at(wait, events.recv_async()).await {
            if let HostnameResolutionEvent::AddressesFound(_, addresses) = event {
                let addresses = addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr);
                found.extend(addresses.filter(|ip| !is_zoned(ip)));
            }
            if !found.is_empty() {
                wait = end.min(Instant::now() + MORE_TIMEOUT);
            }
        }
        tracing::debug!(name, ?found, "a name of the local network");
        found
    }

    fn own(&self) -> Option<(&Shared, &LocalName)> {
        let shared = self.0.as_deref()?;
        Some((shared, shared.own.as_ref()?))
    }
}

impl Shared {
    /// Started when it is needed first.
    fn daemon(&self) -> Option<&Daemon> {
        let start = || {
            let started = ServiceDaemon::new();
            let started = started
                .inspect_err(|error| tracing::warn!(%error, "no names of the local network"));
            started.ok().map(Daemon)
        };
        self.daemon.get_or_init(start).as_ref()
    }
}

/// Whether an address means nothing without the interface, which a multiaddr doesn't say.
fn is_zoned(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// The TCP ports of addresses.
fn ports(addresses: &[String]) -> BTreeSet<u16> {
    let parsed = addresses
        .iter()
        .filter_map(|text| text.parse::<Multiaddr>().ok());
    let port = |address: Multiaddr| {
        address.iter().find_map(|part| match part {
            Protocol::Tcp(port) => Some(port),
            _ => None,
        })
    };
    parsed.filter_map(port).collect()
}

/// The name of the local network that an address begins with.
fn local_name(address: &Multiaddr) -> Option<String> {
    match address.iter().next()? {
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name.ends_with(SUFFIX).then_some(name)
        }
        _ => None,
    }
}

/// The address with an IP address in the place of its name.
fn with_ip(address: &Multiaddr, ip: IpAddr) -> Multiaddr {
    std::iter::once(Protocol::from(ip))
        .chain(address.iter().skip(1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_one_label_and_local() {
        for name in ["heating.local", "a.local", "Heating-2.local"] {
            assert!(LocalName::try_from(name.to_owned()).is_ok(), "{name}");
        }
        let long = format!("{}.local", "x".repeat(64));
        for name in [
            "",
            ".local",
            "heating",
            "heating.local.",
            "a.b.local",
            "-a.local",
            "a-.local",
            "a b.local",
            &long,
        ] {
            assert_eq!(
                LocalName::try_from(name.to_owned()),
                Err(LocalNameError),
                "{name}"
            );
        }
    }

    #[test]
    fn our_name_is_told_with_each_port_before_the_addresses() {
        let name = LocalName::try_from("heating.local".to_owned()).unwrap();
        let addresses =
            ["/ip4/192.168.1.7/tcp/4001", "/ip4/192.168.2.7/tcp/4001"].map(str::to_owned);
        let told = LocalNames::new(true, Some(name.clone())).with_own(addresses.to_vec());
        assert_eq!(told[0], "/dns4/heating.local/tcp/4001");
        assert_eq!(told[1..], addresses);
        for names in [
            LocalNames::new(false, Some(name)),
            LocalNames::new(true, None),
        ] {
            assert_eq!(names.with_own(addresses.to_vec()), addresses);
        }
    }

    #[tokio::test]
    async fn other_addresses_stay_and_unknown_names_are_left_out() {
        let plain = [
            "/ip4/192.0.2.1/tcp/1",
            "/dns4/example.com/tcp/1",
            "/dns4/x.local.example/tcp/1",
        ]
        .map(address);
        let off = LocalNames::new(false, None);
        let all = [&plain[..], &[address("/dns4/nobody.local/tcp/1")]].concat();
        assert_eq!(off.resolve(all).await, plain);
    }

    #[test]
    fn an_ip_takes_the_place_of_the_name_alone() {
        let named = address("/dns4/Heating.LOCAL/tcp/4001/ws");
        assert_eq!(local_name(&named).as_deref(), Some("heating.local"));
        let ip = "192.168.1.7".parse().unwrap();
        assert_eq!(with_ip(&named, ip), address("/ip4/192.168.1.7/tcp/4001/ws"));
    }
}
