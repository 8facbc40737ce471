//! What a pairing leaves: how safe a link is, and the keys.

use super::Method;
use crate::Address;
use crate::crypto::Key;
use std::fmt;

/// How safe a link is: the levels 1 to 4 of security mode 1 ([Vol 3] Part C, 10.2.1). Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SecurityLevel {
    /// Everybody can listen.
    #[default]
    None,
    /// Encrypted, with whom is not known.
    Encrypted,
    /// Encrypted, with a peer that the user made sure of.
    Authenticated,
    /// The same by LE Secure Connections and a key of 16 octets: who listened to the pairing has nothing.
    SecureConnections,
}

impl SecurityLevel {
    /// The level of a link that is encrypted with a key of such a kind.
    pub const fn of(authenticated: bool, secure_connections: bool, key_size: u8) -> Self {
        match (authenticated, secure_connections && key_size == 16) {
            (false, _) => Self::Encrypted,
            (true, false) => Self::Authenticated,
            (true, true) => Self::SecureConnections,
        }
    }
}

impl fmt::Display for SecurityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "not encrypted",
            Self::Encrypted => "encrypted",
            Self::Authenticated => "encrypted and authenticated",
            Self::SecureConnections => "authenticated by Secure Connections",
        })
    }
}

/// A pairing that is complete: the link is encrypted with its key and both sides have distributed theirs.
#[derive(Clone, Debug)]
pub struct Paired {
    /// How.
    pub method: Method,
    /// By LE Secure Connections, not by legacy pairing.
    pub secure_connections: bool,
    /// Nobody was in the middle.
    pub authenticated: bool,
    /// Octets of the encryption key, 7 to 16.
    pub key_size: u8,
    /// Both sides keep the keys. If not they are for this link alone.
    pub bonded: bool,
    /// The keys.
    pub keys: Keys,
}

impl Paired {
    /// How safe a link with these keys is.
    pub const fn level(&self) -> SecurityLevel {
        SecurityLevel::of(self.authenticated, self.secure_connections, self.key_size)
    }
}

/// The keys of a pairing. Each is there only if it was asked for and is of use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Encrypts links in which we are the central: by Secure Connections the key of both sides, else the peer's.
    pub peer_ltk: Option<LongTermKey>,
    /// Encrypts links in which we are the peripheral: by Secure Connections the key of both sides, else ours.
    pub local_ltk: Option<LongTermKey>,
    /// Resolves the peer's resolvable private addresses.
    pub irk: Option<Key>,
    /// The peer's public or random static address.
    pub identity: Option<Address>,
    /// Verifies what the peer signs.
    pub csrk: Option<Key>,
    /// Signs what we send.
    pub local_csrk: Option<Key>,
    /// For BR/EDR, if it was asked for ([Vol 3] Part H, 2.4.2.4).
    pub link_key: Option<Key>,
}

/// A key that encrypts links, and what the central names it by ([Vol 3] Part H, 2.4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongTermKey {
    /// The key; octets that it is shorter by than 16 are zero.
    pub key: Key,
    /// Encrypted diversifier; 0 by Secure Connections.
    pub ediv: u16,
    /// Random number; 0 by Secure Connections.
    pub rand: [u8; 8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_security_mode_1() {
        use SecurityLevel::{Authenticated, Encrypted, None, SecureConnections};
        assert!(None < Encrypted && Encrypted < Authenticated && Authenticated < SecureConnections);
        for (authenticated, secure_connections, key_size, level) in [
            (false, false, 16, Encrypted),
            (false, true, 16, Encrypted),
            (true, false, 16, Authenticated),
            (true, true, 15, Authenticated),
            (true, true, 16, SecureConnections),
        ] {
            assert_eq!(SecurityLevel::of(authenticated, secure_connections, key_size), level);
        }
    }
}
