//! How much of the store one signer, one subnet or one peer may fill.

use std::net::IpAddr;

/// Records in the store.
pub const RECORDS_MAX: usize = 16_384;
/// Bytes of all records: 32 MiB.
pub const RECORD_BYTES_TOTAL_MAX: usize = 32 << 20;
/// Records that came from one subnet.
pub const RECORDS_PER_SUBNET_MAX: usize = 2048;
/// Keys that have providers.
pub const PROVIDER_KEYS_MAX: usize = 16_384;
/// Providers of one key; one makes room, so that squatters don't shut out later ones (H63).
pub const PROVIDERS_PER_KEY_MAX: usize = 64;
/// Of these, those who were there first and announced themselves again keep their place, so that a
/// flood of names doesn't drive them out (H65).
pub const PROVIDERS_SETTLED_MAX: usize = PROVIDERS_PER_KEY_MAX / 2;
/// Keys that one peer may provide.
pub const KEYS_PER_PROVIDER_MAX: usize = 256;
/// Addresses kept of one provider.
pub const ADDRESSES_PER_PROVIDER_MAX: usize = 8;
/// How long a provider entry lives.
pub const PROVIDER_TTL_S: u64 = 2 * 3600;

/// A network that counts as one source: an IPv4 /24, an IPv6 /48. Loopback and private ranges are
/// not counted, since a whole site may share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet([u8; 7]);

impl Subnet {
    /// The subnet of an address, `None` if it is not counted.
    pub fn of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            IpAddr::V4(v4) if v4.is_loopback() || v4.is_private() || v4.is_link_local() => None,
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Some(Self([4, a, b, c, 0, 0, 0]))
            }
            IpAddr::V6(v6)
                if v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() =>
            {
                None
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, ..] = v6.octets();
                Some(Self([6, a, b, c, d, e, f]))
            }
        }
    }
}
