//! What comes of a pairing, and what goes another way than by radio.

use super::Association;
use crate::Address;
use crate::crypto::{Key, KeyPair, f4};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a device has of a central that it is paired with. Keys do not print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paired {
    /// The identity of the central, or its address on the air when it has told none.
    pub peer: Address,
    /// By which model.
    pub association: Association,
    /// By Secure Connections, not legacy pairing.
    pub secure_connections: bool,
    /// Octets of the key.
    pub key_size: u8,
    /// The device remembers the keys when the link has ended.
    pub bonded: bool,
    /// The key that encrypts links on which this device is the peripheral.
    pub long_term_key: Option<LongTermKey>,
    /// The one for links with the roles turned, where it is another.
    pub peer_long_term_key: Option<LongTermKey>,
    /// The identity resolving key of the central.
    pub peer_irk: Option<Key>,
    /// The signature key of the central.
    pub peer_csrk: Option<Key>,
    /// The identity resolving key that the central was given.
    pub own_irk: Option<Key>,
    /// The signature key that the central was given.
    pub own_csrk: Option<Key>,
    /// Values of configuration descriptors by handle, as the central left them.
    pub(in crate::sim) configurations: Vec<(u16, Vec<u8>)>,
}

/// A key with the numbers by which a central names it; both are 0 for Secure Connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongTermKey {
    /// The key.
    pub key: Key,
    /// Encrypted diversifier.
    pub ediv: u16,
    /// Random number.
    pub rand: [u8; 8],
}

/// What one side of Secure Connections gives the other out of band ([Vol 3] Part H, 2.3.5.6.4): the confirm value of
/// its public key, and the random value in it. Least significant octet first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OutOfBand {
    /// C.
    pub confirm: [u8; 16],
    /// r.
    pub random: [u8; 16],
}

impl std::fmt::Debug for OutOfBand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OutOfBand(..)")
    }
}

/// Out-of-band data of a device, with the key pair that they are about.
#[derive(Clone)]
pub(super) struct OwnOutOfBand {
    pub(super) keys: KeyPair,
    pub(super) random: [u8; 16],
}

impl OwnOutOfBand {
    pub(super) fn new(seed: u64) -> (Self, OutOfBand) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let keys = KeyPair::generate(&mut rng);
        let mut random = [0; 16];
        rng.fill_bytes(&mut random);
        let x = keys.public().x;
        let confirm = f4(&x, &x, &random, 0);
        (Self { keys, random }, OutOfBand { confirm, random })
    }
}
