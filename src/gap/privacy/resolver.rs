//! Who is behind a resolvable private address ([Vol 6] Part B, 1.3.2.3).
//!
//! Each key costs one block of AES, with a key schedule that is made once. An address that was asked for lately costs a
//! lookup, whether it was resolved or not: most of what is heard is of strangers, who are heard often.

use crate::Address;
use crate::crypto::{Key, ResolvingKey, Unresolved};
use crate::gap::device_table::key;
use crate::gap::lru::Lru;

/// The identity resolving keys of peers, and what was found with them.
///
/// A [`Host`](../../host/struct.Host.html) has one for the peers that it is bonded with; this is for whoever reads
/// addresses elsewhere.
///
/// ```
/// use baretooth::Address;
/// use baretooth::gap::privacy::Resolver;
/// use baretooth::smp::Key;
/// let watch: Address = "C0:11:22:33:44:55/random".parse()?;
/// let irk = Key::from_hex("9b7d390aa610103405adc857a33402ec").expect("32 digits");
/// let mut resolver = Resolver::new();
/// resolver.set([(watch, &irk)]);
/// assert_eq!(resolver.resolve("70:81:94:0D:FB:AA/random".parse()?), Some(watch));
/// assert_eq!(resolver.resolve("70:81:94:0D:FB:AB/random".parse()?), None, "a stranger");
/// # Ok::<(), baretooth::ParseAddressError>(())
/// ```
#[derive(Debug)]
pub struct Resolver {
    peers: Vec<Peer>,
    answers: Lru<u64, Option<Address>>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new()
    }
}

struct Peer {
    key: ResolvingKey,
    identity: Address,
}

/// How many addresses it remembers; each lasts some minutes on the air.
const ANSWERS: usize = 4096;

impl Resolver {
    /// Without keys.
    pub fn new() -> Self {
        Self { peers: Vec::new(), answers: Lru::new(ANSWERS) }
    }

    /// Resolves by these keys from now on. A key of zeros stands for none and resolves nothing.
    pub fn set<'a>(&mut self, peers: impl IntoIterator<Item = (Address, &'a Key)>) {
        let peers = peers.into_iter().filter(|(_, key)| !key.is_zero());
        self.peers = peers.map(|(identity, key)| Peer { key: ResolvingKey::new(key), identity }).collect();
        self.answers.clear();
    }

    /// Whether there is a key of this peer.
    pub fn knows(&self, identity: Address) -> bool {
        self.peers.iter().any(|peer| peer.identity == identity)
    }

    /// Whose resolvable private address this is; `None` for other addresses, and for that of a stranger.
    #[inline]
    pub fn resolve(&mut self, address: Address) -> Option<Address> {
        if self.peers.is_empty() || !address.is_resolvable() {
            return None;
        }
        let peers = &self.peers;
        let resolve = || {
            let unresolved = Unresolved::new(address.bd_addr);
            peers.iter().find(|peer| peer.key.has_made(&unresolved)).map(|peer| peer.identity)
        };
        *self.answers.entry(key(address), resolve).value
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.identity, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BdAddr;

    fn identity(n: u8) -> Address {
        Address::public(BdAddr([n, 0, 0, 0, 0, 0]))
    }

    fn irk(n: u8) -> Key {
        Key::new([n; 16])
    }

    fn shown_by(n: u8, prand: u8) -> Address {
        Address::random(ResolvingKey::new(&irk(n)).address([prand, 0, 0x40]))
    }

    fn knowing(peers: &[u8]) -> Resolver {
        let mut resolver = Resolver::new();
        let keys: Vec<_> = peers.iter().map(|&n| (identity(n), irk(n))).collect();
        resolver.set(keys.iter().map(|(identity, key)| (*identity, key)));
        resolver
    }

    #[test]
    fn the_example_of_the_specification_resolves() {
        // [Vol 3] Part H, D.7: ah(IRK, 0x708194) = 0x0DFBAA.
        let key = Key::new([
            0x9B, 0x7D, 0x39, 0x0A, 0xA6, 0x10, 0x10, 0x34, 0x05, 0xAD, 0xC8, 0x57, 0xA3, 0x34, 0x02, 0xEC,
        ]);
        let mut resolver = Resolver::new();
        resolver.set([(identity(1), &key)]);
        let shown: Address = "70:81:94:0D:FB:AA/random".parse().expect("an address");
        assert_eq!(resolver.resolve(shown), Some(identity(1)));
        assert_eq!(resolver.resolve(Address::public(shown.bd_addr)), None, "public");
    }

    #[test]
    fn each_address_is_that_of_the_peer_whose_key_made_it() {
        let mut resolver = knowing(&[1, 2, 3]);
        for prand in 0..50 {
            assert_eq!(resolver.resolve(shown_by(2, prand)), Some(identity(2)));
            assert_eq!(resolver.resolve(shown_by(3, prand)), Some(identity(3)));
            assert_eq!(resolver.resolve(shown_by(4, prand)), None, "a stranger");
        }
    }

    #[test]
    fn answers_are_remembered_until_the_keys_change() {
        let mut resolver = knowing(&[1]);
        let (ours, strange) = (shown_by(1, 1), shown_by(2, 1));
        assert_eq!((resolver.resolve(ours), resolver.resolve(strange)), (Some(identity(1)), None));
        resolver.peers.clear();
        resolver.peers.push(Peer { key: ResolvingKey::new(&irk(9)), identity: identity(9) });
        assert_eq!(resolver.resolve(ours), Some(identity(1)), "no key was tried again");
        resolver.set([(identity(2), &irk(2))]);
        assert_eq!((resolver.resolve(ours), resolver.resolve(strange)), (None, Some(identity(2))));
    }

    #[test]
    fn strangers_without_number_take_no_memory_without_bound() {
        let mut resolver = knowing(&[1]);
        for n in 0..10_000_u32 {
            let [a, b, c, _] = n.to_le_bytes();
            resolver.resolve(Address::random(BdAddr([a, b, c, 0, 0, 0x40])));
        }
        assert_eq!(resolver.answers.len(), ANSWERS);
    }

    #[test]
    fn s6_a_key_of_zeros_resolves_nothing() {
        let mut resolver = Resolver::new();
        resolver.set([(identity(1), &irk(0))]);
        assert_eq!(resolver.resolve(shown_by(0, 1)), None);
    }
}
