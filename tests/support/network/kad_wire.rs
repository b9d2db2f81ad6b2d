//! Messages of Kademlia's protocol as bytes, right and wrong: libp2p itself sends right ones only.

use node::PeerId;

/// The protocol of our DHT.
pub const KAD: &str = "/streembit/kad/1.0.0";
/// The protocol by which peers introduce themselves, and by which they correct it.
pub const IDENTIFY: &str = "/ipfs/id/1.0.0";
pub const IDENTIFY_PUSH: &str = "/ipfs/id/push/1.0.0";

/// A number in groups of seven bits.
pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// A member of bytes.
pub fn bytes(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), length_prefixed(bytes)].concat()
}

fn integer(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

pub fn length_prefixed(message: &[u8]) -> Vec<u8> {
    [varint(message.len() as u64), message.to_vec()].concat()
}

fn message(kind: u64, key: &[u8], rest: &[u8]) -> Vec<u8> {
    length_prefixed(&[integer(1, kind), bytes(2, key), rest.to_vec()].concat())
}

/// `PUT_VALUE`
pub fn put_value(key: &[u8], value: &[u8]) -> Vec<u8> {
    let record = [bytes(1, key), bytes(2, value)].concat();
    message(0, key, &bytes(3, &record))
}

/// `ADD_PROVIDER` of a peer at these addresses.
pub fn add_provider(key: &[u8], provider: &PeerId, addresses: &[Vec<u8>]) -> Vec<u8> {
    message(2, key, &bytes(9, &peer(provider, addresses)))
}

/// `FIND_NODE`
pub fn find_node(key: &[u8]) -> Vec<u8> {
    message(4, key, &[])
}

/// `GET_VALUE`
pub fn get_value(key: &[u8]) -> Vec<u8> {
    message(1, key, &[])
}

/// `GET_PROVIDERS`
pub fn get_providers(key: &[u8]) -> Vec<u8> {
    message(3, key, &[])
}

/// An answer of a kind that names these peers as closer ones.
pub fn answer_naming(kind: u64, key: &[u8], peers: &[Vec<u8>]) -> Vec<u8> {
    let named: Vec<u8> = peers.iter().flat_map(|peer| bytes(8, peer)).collect();
    message(kind, key, &named)
}

/// An answer that names these peers as providers.
pub fn answer_providers(key: &[u8], peers: &[Vec<u8>]) -> Vec<u8> {
    let named: Vec<u8> = peers.iter().flat_map(|peer| bytes(9, peer)).collect();
    message(3, key, &named)
}

/// A peer and its addresses, inside of a message.
pub fn peer(id: &PeerId, addresses: &[Vec<u8>]) -> Vec<u8> {
    let addresses = addresses.iter().flat_map(|address| bytes(2, address));
    [bytes(1, &id.to_bytes()), addresses.collect()].concat()
}
