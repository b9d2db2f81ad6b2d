//! The closed list of domain-separation strings of formats that are ours.
//!
//! Formats fixed by a standard (TUF, DSSE, JOSE) sign exactly what their standard says and have no
//! entry here.

/// What a hash or an AEAD of ours is for. No string is a prefix of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Keys for agreement that follow from keys that sign, see [`crate::agreement`].
    Agreement,
    /// Keys under which records stand in the DHT.
    Dht,
    /// Associated data of an encrypted key file, see [`crate::file`].
    KeyFile,
    /// Where mail lies for an account.
    Mailbox,
    /// Ids of private networks, and what their members' lists refer to.
    Network,
    /// Node ids, see [`crate::id`].
    NodeId,
    /// The message by whose signature a key behind a program or in a token shows that it is there.
    Possession,
    /// Sessions between two accounts.
    Session,
    /// Digits that two people compare by voice.
    VerificationCode,
}

impl Context {
    /// Every context, in order.
    pub const ALL: [Self; 9] = [
        Self::Agreement,
        Self::Dht,
        Self::KeyFile,
        Self::Mailbox,
        Self::Network,
        Self::NodeId,
        Self::Possession,
        Self::Session,
        Self::VerificationCode,
    ];

    /// Returns the ASCII bytes that go first into the hash or the associated data.
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Agreement => b"streembit/agreement/1",
            Self::Dht => b"streembit/dht/1",
            Self::KeyFile => b"streembit/keyfile/1",
            Self::Mailbox => b"streembit/mailbox/1",
            Self::Network => b"streembit/network/1",
            Self::NodeId => b"streembit/node/1",
            Self::Possession => b"streembit/possession/1",
            Self::Session => b"streembit/session/1",
            Self::VerificationCode => b"streembit/code/1",
        }
    }
}

#[cfg(test)]
mod tests;
