//! Two homes behind address translators, and a host of the internet, as network namespaces of this machine.
//!
//! ```text
//! alice 192.168.1.2 ── router 198.51.100.10 ─┐
//!                                             ├─ internet ── relay 198.51.100.1, neighbour 198.51.100.2
//! bob   192.168.1.2 ── router 198.51.100.20 ─┘
//! ```
//!
//! Relay and neighbour have IPv6 too, 2001:db8::1 and 2001:db8::2.
//!
//! The routers are Linux's own (nftables masquerade): they let in what belongs to a connection from within, and drop
//! the rest.

use std::process::{Command, Output};
use std::sync::Mutex;

/// How a router chooses the outer port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// The inner one, if it is free: most homes.
    Kept,
    /// Any, another for each connection: no hole can be punched.
    Random,
}

/// One internet at a time: names are the machine's.
static ONE: Mutex<()> = Mutex::new(());

/// Namespaces, taken down at the end.
#[derive(Debug)]
pub struct Internet {
    _one: std::sync::MutexGuard<'static, ()>,
}

/// Where the host with a public address is.
pub const RELAY: &str = "198.51.100.1";
/// Its address of IPv6.
pub const RELAY_V6: &str = "2001:db8::1";
/// All namespaces.
const SPACES: [&str; 7] = [
    "sb-internet",
    "sb-relay",
    "sb-neighbour",
    "sb-alice",
    "sb-alice-router",
    "sb-bob",
    "sb-bob-router",
];

impl Internet {
    /// Sets all up; the reason if this machine can't.
    ///
    /// # Errors
    /// What `ip` or `nft` says.
    pub fn start(ports: Ports) -> Result<Self, String> {
        let one = ONE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let internet = Self { _one: one };
        internet.clear();
        for space in SPACES {
            ip(&format!("netns add {space}"))?;
            ip(&format!("-n {space} link set lo up"))?;
        }
        ip("-n sb-internet link add name wires type bridge")?;
        ip("-n sb-internet link set wires up")?;
        plug("sb-relay", "198.51.100.1/24")?;
        plug("sb-neighbour", "198.51.100.2/24")?;
        for (host, address) in [("sb-relay", RELAY_V6), ("sb-neighbour", "2001:db8::2")] {
            // What needs it looks whether it is there.
            drop(ip(&format!(
                "-n {host} address add {address}/64 dev wan nodad"
            )));
        }
        for (home, router, outer) in [
            ("sb-alice", "sb-alice-router", "198.51.100.10/24"),
            ("sb-bob", "sb-bob-router", "198.51.100.20/24"),
        ] {
            plug(router, outer)?;
            ip(&format!(
                "-n {router} link add lan type veth peer name wan netns {home}"
            ))?;
            ip(&format!("-n {router} address add 192.168.1.1/24 dev lan"))?;
            ip(&format!("-n {home} address add 192.168.1.2/24 dev wan"))?;
            ip(&format!("-n {router} link set lan up"))?;
            ip(&format!("-n {home} link set wan up"))?;
            ip(&format!("-n {home} route add default via 192.168.1.1"))?;
            translate(router, ports)?;
        }
        Ok(internet)
    }

    /// Cuts a home's line, or mends it.
    pub fn set_line(&self, home: &str, is_up: bool) {
        let state = if is_up { "up" } else { "down" };
        ip(&format!("-n sb-{home}-router link set wan {state}")).unwrap();
    }

    /// Gives a home's router another address in place of its own, as providers do.
    pub fn move_home(&self, home: &str, [from, to]: [&str; 2]) {
        for (what, address) in [("del", from), ("add", to)] {
            ip(&format!(
                "-n sb-{home}-router address {what} {address}/24 dev wan"
            ))
            .unwrap();
        }
    }

    /// Makes a home's line bad in both directions: it loses so many packets of a hundred, at random, carries so many
    /// kbit/s, and no packet longer than `mtu` bytes.
    ///
    /// # Errors
    /// What `ip`, `tc` or `nft` says where this machine can't.
    pub fn worsen(
        &self,
        home: &str,
        (lost_percent, kbit, mtu): (u32, u32, u32),
    ) -> Result<(), String> {
        let router = format!("sb-{home}-router");
        for (space, link) in [(&*format!("sb-{home}"), "wan"), (&*router, "lan")] {
            ip(&format!("-n {space} link set {link} mtu {mtu}"))?;
            let limit = format!("dev {link} root tbf rate {kbit}kbit burst 5kb latency 500ms");
            let mut limited = Command::new("tc");
            limited.args(["-n", space, "qdisc", "add"]);
            run(limited.args(limit.split(' ')))?;
        }
        let lose =
            format!("insert rule ip home through numgen random mod 100 < {lost_percent} drop");
        let mut losing = Command::new("ip");
        losing.args(["netns", "exec", &router, "nft", &lose]);
        run(&mut losing)
    }

    /// Whether hosts have IPv6 here.
    pub fn has_ipv6(&self) -> bool {
        let listed = Command::new("ip")
            .args(["-n", "sb-relay", "-6", "address"])
            .output();
        listed.is_ok_and(|listed| String::from_utf8_lossy(&listed.stdout).contains(RELAY_V6))
    }

    fn clear(&self) {
        for space in SPACES {
            // It is there only if a test was killed.
            drop(ip(&format!("netns delete {space}")));
        }
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A cable from a host to the internet.
fn plug(space: &str, address: &str) -> Result<(), String> {
    ip(&format!(
        "-n sb-internet link add name {space} type veth peer name wan netns {space}"
    ))?;
    ip(&format!("-n sb-internet link set {space} master wires up"))?;
    ip(&format!("-n {space} address add {address} dev wan"))?;
    ip(&format!("-n {space} link set wan up"))
}

/// Makes a router of a namespace.
fn translate(space: &str, ports: Ports) -> Result<(), String> {
    let how = match ports {
        Ports::Kept => "masquerade",
        Ports::Random => "masquerade fully-random",
    };
    run(Command::new("ip")
        .args(["netns", "exec", space, "sysctl", "-q", "-w"])
        .arg("net.ipv4.ip_forward=1"))?;
    for rule in [
        "add table ip home",
        "add chain ip home out { type nat hook postrouting priority srcnat ; }",
        &format!("add rule ip home out oifname wan {how}"),
        "add chain ip home in { type filter hook input priority filter ; policy drop ; }",
        "add rule ip home in ct state established,related accept",
        "add chain ip home through { type filter hook forward priority filter ; policy drop ; }",
        "add rule ip home through ct state established,related accept",
        "add rule ip home through iifname lan accept",
    ] {
        run(Command::new("ip").args(["netns", "exec", space, "nft", rule]))?;
    }
    Ok(())
}

fn ip(args: &str) -> Result<(), String> {
    run(Command::new("ip").args(args.split(' ')))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output: Output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", said.trim()))
}
