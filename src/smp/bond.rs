//! What is kept of a pairing for the links to come. It is data alone: who keeps it where is of no concern here.

use super::{Keys, Method, Paired, SecurityLevel};
use crate::crypto::Key;
use crate::{Address, BdAddr};
use std::collections::BTreeMap;

/// The keys that we share with a peer, and what else its next link needs ([Vol 3] Part C, 9.4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bond {
    /// The peer's identity address; the address that it paired by if it told of none.
    pub peer: Address,
    /// The address that it was last seen by, if that is another.
    pub on_air: Option<Address>,
    /// How the keys came about.
    pub paired: PairedInfo,
    /// The keys.
    pub keys: Keys,
    /// Our identity resolving key that the peer was given: it knows us by no other.
    pub local_irk: Option<Key>,
    /// How much was signed.
    pub sign_counters: SignCounters,
    /// What the peer, as a client, has asked of our table.
    pub client: BondedClient,
}

impl Bond {
    /// The bond of a pairing, with the address that the peer had on this link and the key that it was given of ours.
    pub fn new(on_air: Address, paired: &Paired, local_irk: Option<Key>) -> Self {
        let peer = paired.keys.identity.unwrap_or(on_air);
        Self {
            peer,
            on_air: (peer != on_air).then_some(on_air),
            paired: PairedInfo {
                method: Some(paired.method),
                secure_connections: paired.secure_connections,
                authenticated: paired.authenticated,
                key_size: paired.key_size,
            },
            keys: paired.keys.clone(),
            local_irk,
            sign_counters: SignCounters::default(),
            client: BondedClient::default(),
        }
    }

    /// How safe a link is that is encrypted with the bond.
    pub const fn level(&self) -> SecurityLevel {
        let PairedInfo { authenticated, secure_connections, key_size, .. } = self.paired;
        SecurityLevel::of(authenticated, secure_connections, key_size)
    }

    /// Whether something is lost where this bond takes the place of the other: authentication, Secure Connections, or
    /// octets of the key.
    pub const fn is_weaker_than(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.paired, &other.paired);
        !ours.authenticated && theirs.authenticated
            || !ours.secure_connections && theirs.secure_connections
            || ours.key_size < theirs.key_size
    }
}

/// How a pairing was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairedInfo {
    /// The method; not known of a bond that another stack has made.
    pub method: Option<Method>,
    /// By LE Secure Connections, not by legacy pairing.
    pub secure_connections: bool,
    /// Nobody was in the middle.
    pub authenticated: bool,
    /// Octets of the encryption key, 7 to 16.
    pub key_size: u8,
}

/// The counters of signed data ([Vol 3] Part H, 2.4.5). None is ever used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignCounters {
    /// Of the next message that we sign.
    pub local: u32,
    /// The lowest that the peer's next message may have.
    pub remote: u32,
}

/// What the server keeps of a bonded client ([Vol 3] Part G, 2.5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BondedClient {
    /// Client Characteristic Configurations, by the handle of the descriptor; absent is 0.
    pub configurations: BTreeMap<u16, u16>,
    /// First octet of Client Supported Features.
    pub features: u8,
    /// The Database Hash of the table that it knows, as it is sent.
    pub database_hash: Option<[u8; 16]>,
}

/// Who an adapter is to the peers that it is bonded with: lasting, while its other addresses come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The random static address, for an adapter that does not show its public one.
    pub random_address: BdAddr,
    /// The identity resolving key that peers are given.
    pub irk: Key,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bond(authenticated: bool, secure_connections: bool, key_size: u8) -> Bond {
        let method = if authenticated { Method::PasskeyEntry } else { Method::JustWorks };
        let keys = Keys::default();
        let paired = Paired { method, secure_connections, authenticated, key_size, bonded: true, keys };
        Bond::new(Address::random(BdAddr([1, 2, 3, 4, 5, 0xC6])), &paired, None)
    }

    #[test]
    fn a_bond_that_loses_anything_is_weaker() {
        let strongest = bond(true, true, 16);
        for weaker in [bond(false, true, 16), bond(true, false, 16), bond(true, true, 15)] {
            assert!(weaker.is_weaker_than(&strongest) && !strongest.is_weaker_than(&weaker), "{weaker:?}");
        }
        assert!(!strongest.is_weaker_than(&strongest));
        let (authenticated, secure) = (bond(true, false, 16), bond(false, true, 16));
        assert!(authenticated.is_weaker_than(&secure) && secure.is_weaker_than(&authenticated));
    }

    #[test]
    fn the_level_is_that_of_the_keys() {
        assert_eq!(bond(true, true, 16).level(), SecurityLevel::SecureConnections);
        assert_eq!(bond(true, true, 7).level(), SecurityLevel::Authenticated);
        assert_eq!(bond(false, true, 16).level(), SecurityLevel::Encrypted);
    }

    #[test]
    fn a_bond_is_under_the_identity_and_remembers_the_address_on_the_air() {
        let on_air = Address::random(BdAddr([1, 2, 3, 4, 5, 0x46]));
        let identity = Address::public(BdAddr([9; 6]));
        let keys = Keys { identity: Some(identity), ..Keys::default() };
        let paired = Paired {
            method: Method::JustWorks,
            secure_connections: true,
            authenticated: false,
            key_size: 16,
            bonded: true,
            keys,
        };
        let bond = Bond::new(on_air, &paired, None);
        assert_eq!((bond.peer, bond.on_air), (identity, Some(on_air)));
        let bond = Bond::new(identity, &paired, None);
        assert_eq!((bond.peer, bond.on_air), (identity, None));
    }

    /// S17.
    #[test]
    fn no_key_of_a_bond_is_printed() {
        let mut bond = bond(true, true, 16);
        bond.keys.irk = Some(Key::new([0xA5; 16]));
        bond.local_irk = Some(Key::new([0xA5; 16]));
        let text = format!("{bond:#?}").to_lowercase();
        assert!(!text.contains("a5") && !text.contains("165"), "{text}");
    }
}
